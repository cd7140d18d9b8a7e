// Walks through everything that the details file holds.
#include "index/details_impl.hpp"

#include <map>

namespace regsweep {

using sqlite::connection;
using sqlite::statement;

result<void>
details_store::for_each_label(const std::function<bool(const digest&, std::string_view, std::string_view)>& visit) const
{
    auto query =
        impl_->db.cached("SELECT c.digest, t.value, p.value FROM pair p CROSS JOIN content c ON c.id = p.manifest_id"
                         " CROSS JOIN text t ON t.id = p.key_id WHERE p.kind = 1 ORDER BY p.manifest_id");
    if (!query)
        return query.error();
    return walk(*query, [&](const statement& r) -> result<bool> {
        const auto d = digest::from_bytes(r.blob(0));
        if (!d)
            return impl_->damaged("a digest has neither 32 nor 64 bytes");
        return visit(*d, r.text(1), r.text(2));
    });
}

namespace {

// The digests that a query from one row gives.
result<void> visit_digests(connection& db, const char* sql, std::int64_t row,
                           const std::function<bool(const digest&)>& visit)
{
    auto query = db.cached(sql);
    if (!query)
        return query.error();
    query->bind(1, row);
    return walk(*query, [&](const statement& r) -> result<bool> {
        const auto d = digest::from_bytes(r.blob(0));
        if (!d)
            return d.error();
        return visit(*d);
    });
}

} // namespace

result<void> details_store::for_each_parent(const digest& d, const std::function<bool(const digest&)>& visit) const
{
    const result<std::int64_t> row = impl_->row_of(d);
    if (!row)
        return row.error();
    return visit_digests(impl_->db,
                         "SELECT DISTINCT c.digest FROM child h INDEXED BY child_content"
                         " JOIN content c ON c.id = h.manifest_id WHERE h.content_id = ?1 ORDER BY c.digest",
                         *row, visit);
}

result<void> details_store::for_each_with_subject(const digest& d,
                                                  const std::function<bool(const digest&)>& visit) const
{
    const result<std::int64_t> row = impl_->row_of(d);
    if (!row)
        return row.error();
    return visit_digests(impl_->db,
                         "SELECT c.digest FROM manifest m INDEXED BY manifest_subject"
                         " JOIN content c ON c.id = m.id WHERE m.subject_id = ?1 ORDER BY c.digest",
                         *row, visit);
}

result<void>
details_store::for_each_referrer(const std::function<bool(std::string_view, const digest&, const digest&)>& visit) const
{
    auto query = impl_->db.cached("SELECT r.name, s.digest, c.digest FROM repository r"
                                  " CROSS JOIN referrer f ON f.repository_id = r.id"
                                  " CROSS JOIN content s ON s.id = f.subject_id"
                                  " CROSS JOIN content c ON c.id = f.content_id ORDER BY r.name");
    if (!query)
        return query.error();
    return walk(*query, [&](const statement& r) -> result<bool> {
        const auto subject = digest::from_bytes(r.blob(1));
        const auto referrer = digest::from_bytes(r.blob(2));
        if (!subject || !referrer)
            return impl_->damaged("a digest has neither 32 nor 64 bytes");
        return visit(r.text(0), *subject, *referrer);
    });
}

result<void>
details_store::for_each_referrer_of(const digest& subject,
                                    const std::function<bool(std::string_view, const digest&)>& visit) const
{
    auto query = impl_->db.cached("SELECT r.name, c.digest FROM content s"
                                  " JOIN referrer f INDEXED BY referrer_subject ON f.subject_id = s.id"
                                  " JOIN repository r ON r.id = f.repository_id JOIN content c ON c.id = f.content_id"
                                  " WHERE s.digest = ?1 ORDER BY r.name, c.digest");
    if (!query)
        return query.error();
    query->bind(1, subject.bytes());
    return walk(*query, [&](const statement& r) -> result<bool> {
        const auto referrer = digest::from_bytes(r.blob(1));
        if (!referrer)
            return impl_->damaged("a digest has neither 32 nor 64 bytes");
        return visit(r.text(0), *referrer);
    });
}

namespace {

result<std::map<std::int64_t, platform>> read_platforms(connection& db)
{
    auto query = db.cached("SELECT id, os, architecture, variant FROM platform");
    if (!query)
        return query.error();
    std::map<std::int64_t, platform> out;
    const auto walked = walk(*query, [&](const statement& r) -> result<bool> {
        out.emplace(r.integer(0), stored_platform(r, 1));
        return true;
    });
    if (!walked)
        return walked.error();
    return out;
}

} // namespace

// Both tables are read in the order of rows, side by side: to look each manifest up would take three times as long.
result<void> details_store::for_each_content(const std::function<bool(const content_view&)>& visit) const
{
    const auto platforms = read_platforms(impl_->db);
    if (!platforms)
        return platforms.error();
    auto rows = impl_->db.cached("SELECT id, digest, size FROM content ORDER BY id");
    auto facts = impl_->db.cached("SELECT id, media_type, created, created_ns, platform_id FROM manifest ORDER BY id");
    if (!rows || !facts)
        return rows ? facts.error() : rows.error();
    result<bool> more = facts->step();
    const auto walked = walk(*rows, [&](const statement& r) -> result<bool> {
        content_view one;
        one.row = r.integer(0);
        const auto d = digest::from_bytes(r.blob(1));
        if (!d)
            return impl_->damaged("a digest has neither 32 nor 64 bytes");
        one.digest = *d;
        one.size = stored_size(r, 2);
        if (more && *more && facts->integer(0) <= one.row) {
            const auto on = platforms->find(facts->integer(4));
            if (facts->integer(0) < one.row || on == platforms->end())
                return impl_->damaged("a manifest has no digest or platform");
            one.known = true;
            one.type = stored_media_type(facts->integer(1));
            one.created = stored_time(*facts, 2, 3);
            one.platform = &on->second;
            more = facts->step();
        }
        if (!more)
            return more.error();
        return visit(one);
    });
    return walked;
}

result<void> details_store::for_each_blob_link(const std::function<bool(const link_view&)>& visit) const
{
    auto query = impl_->db.cached("SELECT manifest_id, content_id, elsewhere FROM blob ORDER BY manifest_id, position");
    if (!query)
        return query.error();
    return walk(*query, [&](const statement& r) -> result<bool> {
        return visit({r.integer(0), r.integer(1), r.integer(2) != 0, 0});
    });
}

result<void> details_store::for_each_child_link(const std::function<bool(const link_view&)>& visit) const
{
    auto query =
        impl_->db.cached("SELECT manifest_id, content_id, describes_id FROM child ORDER BY manifest_id, position");
    if (!query)
        return query.error();
    return walk(*query, [&](const statement& r) -> result<bool> {
        return visit({r.integer(0), r.integer(1), false, r.integer(2)});
    });
}

result<void> details_store::read_together(const std::function<result<void>()>& read) const
{
    return read_in_transaction(impl_->db, read);
}

result<void> details_store::for_each_subject_link(const std::function<bool(const link_view&)>& visit) const
{
    auto query = impl_->db.cached("SELECT id, subject_id FROM manifest WHERE subject_id IS NOT NULL ORDER BY id");
    if (!query)
        return query.error();
    return walk(*query,
                [&](const statement& r) -> result<bool> { return visit({r.integer(0), r.integer(1), false, 0}); });
}

} // namespace regsweep
