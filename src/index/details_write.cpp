// What changes a store of details.
#include "index/details_impl.hpp"

namespace regsweep {

namespace {

constexpr std::size_t key_limit = 1024;    // bytes of a label's or annotation's key
constexpr std::size_t name_limit = 1024;   // of media types and the like
constexpr std::size_t texts_kept = 10'000; // in memory
constexpr int kind_annotation = 0;
constexpr int kind_label = 1;

std::string_view cut(std::string_view text, std::size_t limit) noexcept
{
    if (text.size() <= limit)
        return text;
    // Not within a character of UTF-8.
    while (limit != 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80)
        --limit;
    return text.substr(0, limit);
}

} // namespace

result<std::int64_t> details_store::impl::put_digest(const digest& d, std::optional<std::uint64_t> size)
{
    if (d.empty())
        return error(errc::bad_argument, "details without a digest cannot be stored");
    const bool sized = size && *size <= static_cast<std::uint64_t>(INT64_MAX);
    auto query = db.cached("SELECT id, size FROM content WHERE digest = ?1");
    if (!query)
        return query.error();
    const result<bool> found = query->bind(1, d.bytes()).step();
    if (!found)
        return found.error();
    if (*found) {
        const std::int64_t row = query->integer(0);
        if (!sized || !query->is_null(1))
            return row;
        auto update = db.cached("UPDATE content SET size = ?2 WHERE id = ?1");
        if (!update)
            return update.error();
        if (const auto done = update->bind(1, row).bind(2, static_cast<std::int64_t>(*size)).run(); !done)
            return done.error();
        return row;
    }
    auto add = db.cached("INSERT INTO content(digest, size) VALUES(?1, ?2)");
    if (!add)
        return add.error();
    add->bind(1, d.bytes());
    if (sized)
        add->bind(2, static_cast<std::int64_t>(*size));
    if (const auto done = add->run(); !done)
        return done.error();
    return db.last_id();
}

result<std::int64_t> details_store::impl::put_text(std::string_view value)
{
    value = cut(value, name_limit);
    std::string key(value);
    if (const auto known = texts.find(key); known != texts.end())
        return known->second;
    auto add = db.cached("INSERT OR IGNORE INTO text(value) VALUES(?1)");
    if (!add)
        return add.error();
    if (const auto done = add->bind(1, value).run(); !done)
        return done.error();
    auto query = db.cached("SELECT id FROM text WHERE value = ?1");
    if (!query)
        return query.error();
    const result<bool> found = query->bind(1, value).step();
    if (!found)
        return found.error();
    if (texts.size() < texts_kept)
        texts.emplace(std::move(key), query->integer(0));
    return query->integer(0);
}

result<std::int64_t> details_store::impl::put_platform(const platform& p)
{
    const auto bound = [&](sqlite::statement& to) {
        to.bind(1, cut(p.os, name_limit)).bind(2, cut(p.architecture, name_limit)).bind(3, cut(p.variant, name_limit));
    };
    auto query = db.cached("SELECT id FROM platform WHERE os = ?1 AND architecture = ?2 AND variant = ?3");
    if (!query)
        return query.error();
    bound(*query);
    const result<bool> found = query->step();
    if (!found)
        return found.error();
    if (*found)
        return query->integer(0);
    auto add = db.cached("INSERT INTO platform(os, architecture, variant) VALUES(?1, ?2, ?3)");
    if (!add)
        return add.error();
    bound(*add);
    if (const auto done = add->run(); !done)
        return done.error();
    return db.last_id();
}

result<std::int64_t> details_store::impl::put_repository(std::string_view name)
{
    auto query = db.cached("SELECT id FROM repository WHERE name = ?1");
    if (!query)
        return query.error();
    const result<bool> found = query->bind(1, name).step();
    if (!found)
        return found.error();
    if (*found)
        return query->integer(0);
    auto add = db.cached("INSERT INTO repository(name) VALUES(?1)");
    if (!add)
        return add.error();
    if (const auto done = add->bind(1, name).run(); !done)
        return done.error();
    return db.last_id();
}

namespace {

result<void> put_blob_row(sqlite::connection& db, std::int64_t manifest, std::int64_t position, std::int64_t content,
                          std::int64_t type, bool foreign)
{
    auto add = db.cached("INSERT INTO blob(manifest_id, position, content_id, media_type_id, elsewhere)"
                         " VALUES(?1, ?2, ?3, ?4, ?5)");
    if (!add)
        return add.error();
    return add->bind(1, manifest).bind(2, position).bind(3, content).bind(4, type).bind(5, foreign ? 1 : 0).run();
}

} // namespace

result<void> details_store::impl::put_links(std::int64_t row, const manifest_details& one)
{
    std::int64_t position = 0; // the config's, also where there is none
    const auto put_one = [&](const blob_descriptor& b) -> result<void> {
        const auto content = put_digest(b.digest, b.size);
        if (!content)
            return content.error();
        const auto type = put_text(b.media_type);
        if (!type)
            return type.error();
        return put_blob_row(db, row, position, *content, *type, b.foreign);
    };
    if (one.config) {
        if (const auto done = put_one(*one.config); !done)
            return done;
    }
    for (const auto& layer : one.layers) {
        ++position;
        if (const auto done = put_one(layer); !done)
            return done;
    }
    position = 0;
    for (const auto& child : one.children) {
        const auto content = put_digest(child.digest, child.size);
        if (!content)
            return content.error();
        const auto platform = put_platform(child.platform);
        if (!platform)
            return platform.error();
        auto add = db.cached("INSERT INTO child(manifest_id, position, content_id, media_type, platform_id,"
                             " describes_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
        if (!add)
            return add.error();
        add->bind(1, row).bind(2, position++).bind(3, *content).bind(4, static_cast<std::int64_t>(child.type));
        add->bind(5, *platform);
        if (!child.describes.empty()) {
            const auto about = put_digest(child.describes, std::nullopt);
            if (!about)
                return about.error();
            add->bind(6, *about);
        }
        if (const auto done = add->run(); !done)
            return done;
    }
    return {};
}

result<void> details_store::impl::put_pairs(std::int64_t row, int kind, const string_pairs& pairs)
{
    std::size_t left = pairs_limit;
    for (const auto& [key, value] : pairs) {
        if (key.size() > key_limit)
            continue;
        if (left-- == 0)
            return {};
        const auto key_row = put_text(key);
        if (!key_row)
            return key_row.error();
        auto add = db.cached("INSERT OR IGNORE INTO pair(manifest_id, kind, key_id, value) VALUES(?1, ?2, ?3, ?4)");
        if (!add)
            return add.error();
        add->bind(1, row).bind(2, kind).bind(3, *key_row).bind(4, cut(value, value_limit));
        if (const auto done = add->run(); !done)
            return done;
    }
    return {};
}

result<void> details_store::impl::put(const manifest_details& one)
{
    const auto row = put_digest(one.digest, one.size);
    if (!row)
        return row.error();
    const auto known = knows(*row);
    if (!known)
        return known.error();
    if (*known)
        return {};
    // What was read counts more than what an index says of it.
    auto measured = db.cached("UPDATE content SET size = ?2 WHERE id = ?1 AND size IS NOT ?2");
    if (!measured)
        return measured.error();
    if (const auto done = measured->bind(1, *row).bind(2, static_cast<std::int64_t>(one.size)).run(); !done)
        return done;
    const auto type = put_text(one.media_type_name);
    const auto artifact = put_text(one.artifact_type);
    const auto platform = put_platform(one.platform);
    if (!type || !artifact || !platform)
        return !type ? type.error() : !artifact ? artifact.error() : platform.error();
    auto add = db.cached("INSERT INTO manifest(id, media_type, media_type_id, artifact_type_id, created, created_ns,"
                         " platform_id, subject_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    if (!add)
        return add.error();
    add->bind(1, *row).bind(2, static_cast<std::int64_t>(one.type)).bind(3, *type).bind(4, *artifact);
    if (one.created)
        add->bind(5, one.created->seconds).bind(6, static_cast<std::int64_t>(one.created->nanoseconds));
    add->bind(7, *platform);
    if (!one.subject.empty()) {
        const auto subject = put_digest(one.subject, std::nullopt);
        if (!subject)
            return subject.error();
        add->bind(8, *subject);
    }
    if (const auto done = add->run(); !done)
        return done;
    if (const auto done = put_links(*row, one); !done)
        return done;
    if (const auto done = put_pairs(*row, kind_annotation, one.annotations); !done)
        return done;
    if (const auto done = put_pairs(*row, kind_label, one.labels); !done)
        return done;
    auto found = db.cached("DELETE FROM absent WHERE id = ?1");
    if (!found)
        return found.error();
    return found->bind(1, *row).run();
}

result<void> details_store::put(std::span<const manifest_details> some)
{
    return impl_->apply([&]() -> result<void> {
        for (const auto& one : some)
            if (const auto done = impl_->put(one); !done)
                return done;
        return {};
    });
}

result<void> details_store::put_referrers(std::string_view repository, const digest& subject,
                                          std::span<const digest> referrers)
{
    return impl_->apply([&]() -> result<void> {
        const auto where = impl_->put_repository(repository);
        if (!where)
            return where.error();
        const auto about = impl_->put_digest(subject, std::nullopt);
        if (!about)
            return about.error();
        for (const char* sql : {"DELETE FROM referrer WHERE repository_id = ?1 AND subject_id = ?2",
                                "INSERT OR IGNORE INTO asked(repository_id, subject_id) VALUES(?1, ?2)"}) {
            auto change = impl_->db.cached(sql);
            if (!change)
                return change.error();
            if (const auto done = change->bind(1, *where).bind(2, *about).run(); !done)
                return done;
        }
        for (const auto& each : referrers) {
            const auto row = impl_->put_digest(each, std::nullopt);
            if (!row)
                return row.error();
            auto add = impl_->db.cached(
                "INSERT OR IGNORE INTO referrer(repository_id, subject_id, content_id) VALUES(?1, ?2, ?3)");
            if (!add)
                return add.error();
            if (const auto done = add->bind(1, *where).bind(2, *about).bind(3, *row).run(); !done)
                return done;
        }
        return {};
    });
}

result<void> details_store::put_absent(const digest& d)
{
    return impl_->apply([&]() -> result<void> {
        const auto row = impl_->put_digest(d, std::nullopt);
        if (!row)
            return row.error();
        auto add = impl_->db.cached("INSERT OR IGNORE INTO absent(id) VALUES(?1)");
        if (!add)
            return add.error();
        return add->bind(1, *row).run();
    });
}

result<void> details_store::forget_absent()
{
    return impl_->apply([&] { return impl_->db.execute("DELETE FROM absent"); });
}

result<void> details_store::set_tells_referrers(bool does)
{
    return impl_->apply([&]() -> result<void> {
        auto change = impl_->db.cached("INSERT OR REPLACE INTO meta(key, value) VALUES('referrers_api', ?1)");
        if (!change)
            return change.error();
        return change->bind(1, does ? 1 : 0).run();
    });
}

result<void> details_store::begin()
{
    if (impl_->grouped)
        return error(errc::bad_argument, "a group of changes of the details has begun already; commit it first");
    // A larger cache than for reading: digests come in no order, and each touches another page of their index.
    if (const auto done = impl_->db.execute("PRAGMA cache_size=-131072; BEGIN IMMEDIATE"); !done)
        return done;
    impl_->grouped = true;
    return {};
}

result<void> details_store::commit()
{
    if (!impl_->grouped)
        return error(errc::bad_argument, "there is no group of changes of the details to commit; begin one first");
    impl_->grouped = false;
    result<void> done = impl_->db.execute("COMMIT");
    if (done)
        return done;
    impl_->db.rollback();
    impl_->texts.clear();
    return done;
}

namespace {

// By children, by what the registry told of referrers, by `subject`.
constexpr const char* mark_live = R"(
INSERT OR IGNORE INTO temp.live
WITH RECURSIVE reached(id) AS (
    SELECT id FROM temp.tagged
    UNION SELECT h.content_id FROM child h JOIN reached ON h.manifest_id = reached.id
    UNION SELECT f.content_id FROM referrer f JOIN reached ON f.subject_id = reached.id
    UNION SELECT m.id FROM manifest m JOIN reached ON m.subject_id = reached.id)
SELECT id FROM reached;
)";

constexpr const char* sweep_dead = R"(
DELETE FROM referrer WHERE subject_id NOT IN (SELECT id FROM temp.live);
DELETE FROM asked WHERE subject_id NOT IN (SELECT id FROM temp.live);
DELETE FROM absent WHERE id NOT IN (SELECT id FROM temp.live);
DELETE FROM blob WHERE manifest_id NOT IN (SELECT id FROM temp.live);
DELETE FROM child WHERE manifest_id NOT IN (SELECT id FROM temp.live);
DELETE FROM pair WHERE manifest_id NOT IN (SELECT id FROM temp.live);
DELETE FROM manifest WHERE id NOT IN (SELECT id FROM temp.live);
)";

constexpr const char* sweep_rest = R"(
DELETE FROM content WHERE id NOT IN (
    SELECT id FROM temp.live UNION ALL SELECT content_id FROM blob UNION ALL SELECT content_id FROM child
    UNION ALL SELECT describes_id FROM child WHERE describes_id IS NOT NULL
    UNION ALL SELECT subject_id FROM manifest WHERE subject_id IS NOT NULL);
DELETE FROM repository WHERE id NOT IN (SELECT repository_id FROM asked UNION ALL SELECT repository_id FROM referrer);
)";

} // namespace

result<std::uint64_t> details_store::prune(const index& tags)
{
    std::int64_t gone = 0;
    auto& db = impl_->db;
    if (const auto done = db.execute("CREATE TABLE IF NOT EXISTS temp.tagged(id INTEGER PRIMARY KEY);"
                                     "CREATE TABLE IF NOT EXISTS temp.live(id INTEGER PRIMARY KEY);"
                                     "DELETE FROM temp.tagged; DELETE FROM temp.live");
        !done)
        return done.error();
    const auto sweep = [&]() -> result<void> {
        result<void> put_all;
        const auto walked = tags.for_each_digest([&](const digest& d, std::string_view) {
            auto add = db.cached("INSERT OR IGNORE INTO temp.tagged SELECT id FROM content WHERE digest = ?1");
            put_all = add ? add->bind(1, d.bytes()).run() : result<void>(add.error());
            return put_all.has_value();
        });
        if (!walked || !put_all)
            return walked ? put_all : walked;
        if (const auto done = db.execute(mark_live); !done)
            return done;
        const auto dead = db.integer("SELECT count(*) FROM manifest WHERE id NOT IN (SELECT id FROM temp.live)");
        if (!dead)
            return dead.error();
        gone = *dead;
        if (const auto done = db.execute(sweep_dead); !done)
            return done;
        return gone == 0 ? result<void>() : db.execute(sweep_rest);
    };
    if (const auto done = impl_->apply(sweep); !done)
        return done.error();
    return static_cast<std::uint64_t>(gone);
}

} // namespace regsweep
