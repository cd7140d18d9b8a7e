// What the details file does not know yet of an index.
#include "index/details_impl.hpp"

#include <algorithm>
#include <unordered_set>

namespace regsweep {

using sqlite::connection;
using sqlite::statement;

namespace {

// A repository that has an index which leads to `d`, by the way of its parents.
result<std::string> repository_leading_to(const index& tags, const details_store& facts, const digest& d)
{
    std::vector<digest> climb{d};
    std::unordered_set<digest> seen{d};
    std::string found;
    while (!climb.empty() && found.empty()) {
        const digest at = climb.back();
        climb.pop_back();
        const auto used = tags.for_each_use(at, [&](const tag_view& t) {
            found = t.repository;
            return false;
        });
        if (!used)
            return used.error();
        const auto climbed = facts.for_each_parent(at, [&](const digest& parent) {
            if (seen.insert(parent).second)
                climb.push_back(parent);
            return true;
        });
        if (!climbed)
            return climbed.error();
    }
    return found;
}

// Which rows are of manifests that are known, or known not to be there. Looking them up one by one in the order of
// digests would read the whole table again and again.
result<std::vector<bool>> settled_rows(connection& db)
{
    auto query = db.cached("SELECT id FROM manifest UNION ALL SELECT id FROM absent");
    if (!query)
        return query.error();
    std::vector<bool> out;
    const auto walked = walk(*query, [&](const statement& r) -> result<bool> {
        const auto row = static_cast<std::size_t>(r.integer(0));
        if (row >= out.size())
            out.resize(std::max(row + 1, out.size() * 2));
        out[row] = true;
        return true;
    });
    if (!walked)
        return walked.error();
    return out;
}

struct tagged_digest
{
    regsweep::digest digest;
    std::string repository;
};

enum class repetition { by_digest, by_repository };

// Calls `visit` for those digests of an index that `known` is false for, once, or once for each repository. They are
// looked up some thousands at a time, within a transaction: alone, each would lock and unlock the file. False if
// `visit` ended it.
template<class Known>
result<bool> visit_unless(connection& db, const index& tags, repetition how, Known known,
                          const std::function<bool(const digest&, std::string_view)>& visit)
{
    constexpr std::size_t at_a_time = 4096;
    std::vector<tagged_digest> some;
    error failed;
    bool more = true;
    const auto look_up = [&] {
        result<void> done;
        const auto drop = std::remove_if(some.begin(), some.end(), [&](const tagged_digest& t) {
            const result<bool> has = known(t);
            if (!has)
                done = has.error();
            return has && *has;
        });
        some.erase(drop, some.end());
        return done;
    };
    const auto hand_out = [&] {
        if (const auto done = read_in_transaction(db, look_up); !done)
            failed = done.error();
        for (auto each = some.begin(); !failed.code && more && each != some.end(); ++each)
            more = visit(each->digest, each->repository);
        some.clear();
        return !failed.code && more;
    };
    digest last;
    const auto walked = tags.for_each_digest([&](const digest& d, std::string_view repository) {
        if (how == repetition::by_digest && d == last)
            return true;
        last = d;
        some.push_back({d, std::string(repository)});
        return some.size() < at_a_time || hand_out();
    });
    if (!walked)
        return walked.error();
    if (!failed.code && more)
        hand_out();
    if (failed.code)
        return failed;
    return more;
}

// What children and referrers name without its being known; with an empty repository, to be found by the parents. Few,
// for they are read with what names them, unless something failed.
result<std::vector<tagged_digest>> named_only(connection& db)
{
    auto query = db.cached("SELECT c.digest, '' FROM content c WHERE c.id IN"
                           " (SELECT content_id FROM child EXCEPT SELECT id FROM manifest EXCEPT"
                           " SELECT id FROM absent) UNION ALL"
                           " SELECT c.digest, r.name FROM referrer f JOIN repository r ON r.id = f.repository_id"
                           " JOIN content c ON c.id = f.content_id WHERE f.content_id NOT IN"
                           " (SELECT id FROM manifest UNION ALL SELECT id FROM absent)");
    if (!query)
        return query.error();
    std::vector<tagged_digest> out;
    const auto walked = walk(*query, [&](const statement& r) -> result<bool> {
        const auto d = digest::from_bytes(r.blob(0));
        if (!d)
            return d.error();
        out.push_back({*d, std::string(r.text(1))});
        return true;
    });
    if (!walked)
        return walked.error();
    return out;
}

} // namespace

result<void> details_store::for_each_unknown(const index& tags,
                                             const std::function<bool(const digest&, std::string_view)>& visit) const
{
    auto named = named_only(impl_->db);
    if (!named)
        return named.error();
    const auto settled = settled_rows(impl_->db);
    if (!settled)
        return settled.error();
    const auto known = [&](const tagged_digest& t) -> result<bool> {
        const auto row = impl_->row_of(t.digest);
        if (!row)
            return row.error();
        const auto place = static_cast<std::size_t>(*row);
        return place < settled->size() && (*settled)[place];
    };
    const auto more_or_not = visit_unless(impl_->db, tags, repetition::by_digest, known, visit);
    if (!more_or_not)
        return more_or_not.error();
    bool more = *more_or_not;
    for (auto each = named->begin(); more && each != named->end(); ++each) {
        if (each->repository.empty()) {
            auto found = repository_leading_to(tags, *this, each->digest);
            if (!found)
                return found.error();
            each->repository = *std::move(found);
        }
        more = each->repository.empty() || visit(each->digest, each->repository);
    }
    return {};
}

result<void>
details_store::for_each_unasked(const index& tags,
                                const std::function<bool(const digest&, std::string_view repository)>& visit) const
{
    const auto asked = [&](const tagged_digest& t) { return asked_referrers(t.repository, t.digest); };
    const auto done = visit_unless(impl_->db, tags, repetition::by_repository, asked, visit);
    return done ? result<void>() : done.error();
}

} // namespace regsweep
