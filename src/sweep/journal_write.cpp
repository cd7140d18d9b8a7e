// What a journal is told.
#include "sweep/journal_impl.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

namespace regsweep {

namespace {

using sqlite::connection;

std::int64_t now() noexcept
{
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

// Writes rows with few statements: each costs as much as some rows do. What fails takes the whole transaction back:
// with OR FAIL, and without functions, SQLite keeps no copy of the pages that one statement changes.
class insertion
{
public:
    // `into` as in "INSERT INTO t(a, b)"; `values` as in "?, ?".
    insertion(std::string_view into, std::string_view values)
        : one_(std::string(into) + " VALUES(" + std::string(values) + ")"), many_(one_),
          columns_(static_cast<int>(std::count(values.begin(), values.end(), '?')))
    {
        for (std::size_t i = 1; i != at_once; ++i)
            many_ += ",(" + std::string(values) + ")";
    }

    // Calls `bind(statement, place, row)` for each row: its columns have the places after `place`.
    template<class Bind>
    result<void> run(connection& db, std::size_t rows, Bind bind) const
    {
        for (std::size_t row = 0; row != rows;) {
            const int count = rows - row >= at_once ? static_cast<int>(at_once) : 1;
            auto add = db.cached(count == 1 ? one_.c_str() : many_.c_str());
            if (!add)
                return add.error();
            for (int i = 0; i != count; ++i)
                bind(*add, i * columns_, row++);
            if (const auto done = add->run(); !done)
                return done;
        }
        return {};
    }

private:
    static constexpr std::size_t at_once = 16;

    std::string one_;
    std::string many_;
    int columns_;
};

std::span<const unsigned char> raw_bytes(std::string_view text) noexcept
{
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

error bad_argument(std::string text)
{
    return {errc::bad_argument, std::move(text)};
}
result<void> check_intent(const journal_intent& intent)
{
    if (intent.repository.empty() || intent.digest.empty())
        return bad_argument("a delete can be journaled only with its repository and digest");
    if (intent.kind == journal_kind::untag && (intent.placeholder.empty() || intent.tags.size() != 1))
        return bad_argument("untagging can be journaled only with one tag and the placeholder's digest (" +
                            intent.repository + ")");
    return {};
}

} // namespace

result<std::int64_t> journal::begin_run(std::string_view registry, std::string_view command)
{
    std::int64_t locked_byte = 0;
    const auto run = impl_->apply([&]() -> result<std::int64_t> {
        auto add = impl_->db.cached("INSERT INTO run(registry, command, started_at) VALUES(?1, ?2, ?3)");
        if (!add)
            return add.error();
        if (const auto done = add->bind(1, registry).bind(2, command).bind(3, now()).run(); !done)
            return done.error();
        const std::int64_t id = impl_->db.last_id();
        // Before others can see the run: one without a lock counts as interrupted.
        if (const auto locked = impl_->locks.lock(id); !locked)
            return locked.error();
        return locked_byte = id;
    });
    if (run)
        impl_->own_runs.push_back(*run);
    else if (locked_byte != 0) // the number is free again: whoever gets it must not wait for this lock
        static_cast<void>(impl_->locks.unlock(locked_byte));
    return run;
}

result<std::vector<std::int64_t>> journal::add_intents(std::int64_t run, std::span<const journal_intent> intents,
                                                       std::span<const journal_outcome> outcomes)
{
    for (const journal_intent& intent : intents) {
        if (const auto fine = check_intent(intent); !fine)
            return fine.error();
    }
    if (std::find(impl_->own_runs.begin(), impl_->own_runs.end(), run) == impl_->own_runs.end())
        return bad_argument("run " + std::to_string(run) + " is not running; begin one first");
    return impl_->apply([&]() -> result<std::vector<std::int64_t>> {
        if (const auto settled = impl_->settle(outcomes); !settled)
            return settled.error();
        return impl_->write_intents(run, intents);
    });
}

result<void> journal::add_outcomes(std::span<const journal_outcome> outcomes)
{
    if (outcomes.empty())
        return {};
    // The disk is not waited for: what a power failure takes of this is looked up again, as after a kill. In a
    // write-ahead log the next intents, or the end of the run, make it durable.
    if (const auto done = impl_->db.execute("PRAGMA synchronous=NORMAL"); !done)
        return done;
    const auto written = impl_->apply([&] { return impl_->settle(outcomes); });
    const auto back = impl_->db.execute("PRAGMA synchronous=FULL");
    return written ? back : written;
}

result<void> journal::mark_restored(std::span<const std::int64_t> entries)
{
    std::vector<journal_outcome> outcomes;
    outcomes.reserve(entries.size());
    for (const std::int64_t entry : entries)
        outcomes.push_back({entry, journal_state::restored});
    return add_outcomes(outcomes);
}

result<void> journal::finish_run(std::int64_t run, run_state state)
{
    auto& own = impl_->own_runs;
    const auto place = std::find(own.begin(), own.end(), run);
    if (place == own.end() || state == run_state::running)
        return bad_argument("run " + std::to_string(run) + " is not running here, or is not to end");
    auto update = impl_->db.cached("UPDATE run SET state = ?1, finished_at = ?2 WHERE id = ?3");
    if (!update)
        return update.error();
    if (const auto done = update->bind(1, static_cast<std::int64_t>(state)).bind(2, now()).bind(3, run).run(); !done)
        return done;
    own.erase(place);
    impl_->written.clear();
    return impl_->locks.unlock(run);
}
result<prune_result> journal::prune(std::int64_t older_than)
{
    std::error_code ec;
    const auto size = [&] { return static_cast<std::uint64_t>(std::filesystem::file_size(impl_->file, ec)); };
    // The log's pages count only once they are in the file.
    if (const auto done = impl_->db.execute("PRAGMA wal_checkpoint(TRUNCATE)"); !done)
        return done.error();
    const std::uint64_t before = size();
    result<prune_result> removed = impl_->apply([&] { return impl_->remove_runs(older_than); });
    if (!removed)
        return removed;
    if (const auto done = impl_->db.execute("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)"); !done)
        return done.error();
    const std::uint64_t after = size();
    removed->freed_bytes = before > after ? before - after : 0;
    return removed;
}
result<std::vector<std::int64_t>> journal::impl::write_intents(std::int64_t run,
                                                               std::span<const journal_intent> intents)
{
    const auto manifests = add_manifests(intents);
    if (!manifests)
        return manifests.error();
    const auto first = db.integer("SELECT ifnull(max(id), 0) + 1 FROM entry");
    if (!first)
        return first.error();
    static const insertion into_entry(
        "INSERT OR FAIL INTO entry(id, run_id, repository, digest, kind, media_type, placeholder,"
        " manifest_id, intended_at)",
        "?, ?, ?, ?, ?, ?, ?, ?, ?");
    const std::int64_t when = now();
    const auto bind = [&](sqlite::statement& to, int place, std::size_t row) {
        const journal_intent& intent = intents[row];
        to.bind(place + 1, *first + static_cast<std::int64_t>(row)).bind(place + 2, run);
        to.bind(place + 3, std::string_view(intent.repository)).bind(place + 4, intent.digest.bytes());
        to.bind(place + 5, static_cast<std::int64_t>(intent.kind));
        to.bind(place + 6, std::string_view(intent.media_type));
        if (!intent.placeholder.empty())
            to.bind(place + 7, intent.placeholder.bytes());
        if (const std::int64_t manifest = (*manifests)[row]; manifest != 0)
            to.bind(place + 8, manifest);
        to.bind(place + 9, when);
    };
    if (const auto added = into_entry.run(db, intents.size(), bind); !added)
        return added.error();
    if (const auto done = add_tags(*first, intents); !done)
        return done.error();
    std::vector<std::int64_t> ids(intents.size());
    std::iota(ids.begin(), ids.end(), *first);
    return ids;
}

// The numbers of the intents' manifests; 0 for one without.
result<std::vector<std::int64_t>> journal::impl::add_manifests(std::span<const journal_intent> intents)
{
    const auto first = db.integer("SELECT ifnull(max(id), 0) + 1 FROM manifest");
    if (!first)
        return first.error();
    if (written.size() > most_written)
        written.clear();
    std::vector<std::int64_t> ids(intents.size());
    std::vector<std::size_t> fresh;
    for (std::size_t i = 0; i != intents.size(); ++i) {
        if (intents[i].manifest.empty())
            continue;
        const auto next = *first + static_cast<std::int64_t>(fresh.size());
        const auto [known, added] = written.emplace(intents[i].digest, next);
        ids[i] = known->second;
        if (added)
            fresh.push_back(i);
    }
    static const insertion into_manifest("INSERT OR FAIL INTO manifest(id, digest, bytes)", "?, ?, ?");
    const auto bind = [&](sqlite::statement& to, int place, std::size_t row) {
        const journal_intent& intent = intents[fresh[row]];
        to.bind(place + 1, ids[fresh[row]]).bind(place + 2, intent.digest.bytes());
        to.bind(place + 3, raw_bytes(intent.manifest));
    };
    if (const auto added = into_manifest.run(db, fresh.size(), bind); !added)
        return added.error();
    return ids;
}

result<void> journal::impl::add_tags(std::int64_t first_entry, std::span<const journal_intent> intents)
{
    std::vector<std::pair<std::int64_t, std::string_view>> rows;
    for (std::size_t i = 0; i != intents.size(); ++i)
        for (const std::string& tag : intents[i].tags)
            rows.emplace_back(first_entry + static_cast<std::int64_t>(i), tag);
    static const insertion into_tag("INSERT OR IGNORE INTO entry_tag(entry_id, name)", "?, ?");
    return into_tag.run(db, rows.size(), [&](sqlite::statement& to, int place, std::size_t row) {
        to.bind(place + 1, rows[row].first).bind(place + 2, rows[row].second);
    });
}

// Outcomes that are alike, of entries that follow each other, are written by one statement.
result<void> journal::impl::settle(std::span<const journal_outcome> outcomes)
{
    std::vector<const journal_outcome*> sorted;
    for (const journal_outcome& outcome : outcomes) {
        if (outcome.state == journal_state::intended)
            return bad_argument("an entry of the journal cannot go back to intended; give what became of it");
        sorted.push_back(&outcome);
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->entry < b->entry; });
    const auto ends_range = [](const journal_outcome* a, const journal_outcome* b) {
        return b->entry != a->entry + 1 || b->state != a->state || b->message != a->message;
    };
    const std::int64_t when = now();
    for (auto begin = sorted.begin(); begin != sorted.end();) {
        auto last = std::adjacent_find(begin, sorted.end(), ends_range);
        if (last == sorted.end())
            --last;
        if (const auto done = settle_range((*begin)->entry, (*last)->entry, **begin, when); !done)
            return done;
        begin = last + 1;
    }
    return {};
}

result<void> journal::impl::settle_range(std::int64_t first, std::int64_t last, const journal_outcome& as,
                                         std::int64_t when)
{
    auto update =
        db.cached("UPDATE OR FAIL entry SET state = ?1, message = ?2, settled_at = ?3 WHERE id BETWEEN ?4 AND ?5");
    if (!update)
        return update.error();
    update->bind(1, static_cast<std::int64_t>(as.state)).bind(2, std::string_view(as.message));
    if (const auto done = update->bind(3, when).bind(4, first).bind(5, last).run(); !done)
        return done;
    if (db.changes() == last - first + 1)
        return {};
    const std::string which = first == last
                                  ? std::to_string(first)
                                  : "with a number from " + std::to_string(first) + " to " + std::to_string(last);
    return bad_argument("the journal has no entry " + which);
}
result<std::vector<std::int64_t>> journal::impl::prunable(std::int64_t older_than)
{
    auto query = db.cached("SELECT id FROM run WHERE max(started_at, finished_at) < ?1 AND NOT EXISTS"
                           " (SELECT 1 FROM entry INDEXED BY entry_unfinished WHERE run_id = run.id AND state = 0)");
    if (!query)
        return query.error();
    query->bind(1, older_than);
    std::vector<std::int64_t> found;
    while (true) {
        const result<bool> row = query->step();
        if (!row)
            return row.error();
        if (!*row)
            return found;
        const result<bool> live = is_live(query->integer(0));
        if (!live)
            return live.error();
        if (!*live)
            found.push_back(query->integer(0));
    }
}

result<prune_result> journal::impl::remove_runs(std::int64_t older_than)
{
    const result<std::vector<std::int64_t>> old = prunable(older_than);
    if (!old)
        return old.error();
    prune_result removed;
    for (const std::int64_t run : *old) {
        for (const char* sql : {"DELETE FROM entry_tag WHERE entry_id IN (SELECT id FROM entry WHERE run_id = ?1)",
                                "DELETE FROM entry WHERE run_id = ?1", "DELETE FROM run WHERE id = ?1"}) {
            auto remove = db.prepare(sql);
            if (!remove)
                return remove.error();
            if (const auto done = remove->bind(1, run).run(); !done)
                return done.error();
            if (std::string_view(sql).starts_with("DELETE FROM entry WHERE"))
                removed.entries += static_cast<std::uint64_t>(db.changes());
        }
        ++removed.runs;
    }
    if (removed.entries == 0)
        return removed;
    if (const auto done = db.execute("DELETE FROM manifest WHERE id NOT IN"
                                     " (SELECT manifest_id FROM entry WHERE manifest_id IS NOT NULL)");
        !done)
        return done.error();
    return removed;
}

} // namespace regsweep
