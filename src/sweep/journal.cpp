#include "sweep/journal_impl.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace regsweep {

namespace {

constexpr std::size_t page_of_entries = 1000;

} // namespace

journal::journal(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
journal::journal(journal&&) noexcept = default;
journal& journal::operator=(journal&&) noexcept = default;
journal::~journal() = default;

result<journal> journal::open(const std::filesystem::path& given)
{
    const std::filesystem::path file = resolve_links(given);
    result<byte_locks> locks = byte_locks::open(file);
    if (!locks)
        return locks.error();
    auto db = open_journal_file(file, *locks);
    if (!db)
        return db.error();
    return journal(std::make_unique<impl>(file, std::move(*locks), std::move(*db)));
}

result<std::vector<journal_run>> journal::runs() const
{
    std::vector<journal_run> found;
    {
        auto query =
            impl_->db.cached("SELECT id, registry, command, started_at, finished_at, state FROM run ORDER BY id");
        if (!query)
            return query.error();
        while (true) {
            const result<bool> row = query->step();
            if (!row)
                return row.error();
            if (!*row)
                break;
            const std::int64_t state = query->integer(5);
            if (state < 0 || state > static_cast<std::int64_t>(run_state::interrupted))
                return impl_->damaged("a run has an unknown state");
            found.push_back({query->integer(0), std::string(query->text(1)), std::string(query->text(2)),
                             query->integer(3), query->integer(4), static_cast<run_state>(state)});
        }
    }
    for (journal_run& run : found) {
        if (const auto done = impl_->count_entries(run); !done)
            return done.error();
        const result<bool> live = impl_->is_live(run.id);
        if (!live)
            return live.error();
        if (run.state == run_state::running && !*live)
            run.state = run_state::interrupted;
    }
    return found;
}

result<std::vector<journal_entry>> journal::entries(std::int64_t run, std::int64_t after, std::size_t limit) const
{
    static const std::string sql = "SELECT " + std::string(journal_entry_columns) +
                                   " FROM entry WHERE run_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    auto query = impl_->db.cached(sql.c_str());
    if (!query)
        return query.error();
    query->bind(1, run).bind(2, after).bind(3, static_cast<std::int64_t>(limit));
    return impl_->read_entries(*query);
}

result<void> journal::for_each_entry(std::int64_t run, const std::function<bool(const journal_entry&)>& visit) const
{
    std::int64_t after = 0;
    while (true) {
        const result<std::vector<journal_entry>> page = entries(run, after, page_of_entries);
        if (!page)
            return page.error();
        for (const journal_entry& entry : *page) {
            if (!visit(entry))
                return {};
        }
        if (page->size() < page_of_entries)
            return {};
        after = page->back().id;
    }
}

result<std::optional<std::string>> journal::manifest(std::int64_t entry) const
{
    auto query = impl_->db.cached("SELECT m.bytes FROM entry e JOIN manifest m ON m.id = e.manifest_id"
                                  " AND m.digest = e.digest WHERE e.id = ?1");
    if (!query)
        return query.error();
    const result<bool> row = query->bind(1, entry).step();
    if (!row)
        return row.error();
    if (!*row)
        return std::nullopt;
    const auto bytes = query->blob(0);
    return std::string(bytes.begin(), bytes.end());
}

result<std::vector<journal_entry>> journal::unfinished(std::string_view registry) const
{
    std::vector<std::int64_t> candidates;
    {
        auto query = impl_->db.cached(
            "SELECT id FROM run WHERE (?1 = '' OR registry = ?1) AND EXISTS"
            " (SELECT 1 FROM entry INDEXED BY entry_unfinished WHERE run_id = run.id AND state = 0) ORDER BY id");
        if (!query)
            return query.error();
        query->bind(1, registry);
        while (true) {
            const result<bool> row = query->step();
            if (!row)
                return row.error();
            if (!*row)
                break;
            candidates.push_back(query->integer(0));
        }
    }
    static const std::string sql =
        "SELECT " + std::string(journal_entry_columns) + " FROM entry WHERE run_id = ?1 AND state = 0 ORDER BY id";
    std::vector<journal_entry> found;
    for (const std::int64_t run : candidates) {
        const result<bool> live = impl_->is_live(run);
        if (!live)
            return live.error();
        if (*live)
            continue;
        auto query = impl_->db.cached(sql.c_str());
        if (!query)
            return query.error();
        query->bind(1, run);
        result<std::vector<journal_entry>> some = impl_->read_entries(*query);
        if (!some)
            return some.error();
        std::move(some->begin(), some->end(), std::back_inserter(found));
    }
    return found;
}
error journal::impl::damaged(std::string_view what) const
{
    return {errc::bad_file, "the journal '" + file.string() + "' is damaged: " + std::string(what) + "; " +
                                std::string(journal_file.repair)};
}

result<bool> journal::impl::is_live(std::int64_t run) const
{
    if (std::find(own_runs.begin(), own_runs.end(), run) != own_runs.end())
        return true;
    return locks.held_elsewhere(run);
}
result<journal_entry> journal::impl::read_entry(const sqlite::statement& row)
{
    journal_entry entry;
    entry.id = row.integer(0);
    entry.run = row.integer(1);
    entry.repository = row.text(2);
    entry.media_type = row.text(5);
    entry.restorable = row.integer(7) != 0;
    entry.message = row.text(9);
    entry.intended_at = row.integer(10);
    entry.settled_at = row.integer(11);
    const result<digest> d = digest::from_bytes(row.blob(3));
    const result<digest> placeholder = row.is_null(6) ? result<digest>(digest()) : digest::from_bytes(row.blob(6));
    if (!d || !placeholder)
        return damaged("entry " + std::to_string(entry.id) + " has no valid digest");
    entry.digest = *d;
    entry.placeholder = *placeholder;
    const std::int64_t kind = row.integer(4);
    const std::int64_t state = row.integer(8);
    if (kind < 0 || kind > 1 || state < 0 || state >= static_cast<std::int64_t>(journal_states))
        return damaged("entry " + std::to_string(entry.id) + " has an unknown kind or state");
    entry.kind = static_cast<journal_kind>(kind);
    entry.state = static_cast<journal_state>(state);
    auto tags = db.cached("SELECT name FROM entry_tag WHERE entry_id = ?1 ORDER BY name");
    if (!tags)
        return tags.error();
    tags->bind(1, entry.id);
    while (true) {
        const result<bool> more = tags->step();
        if (!more)
            return more.error();
        if (!*more)
            return entry;
        entry.tags.emplace_back(tags->text(0));
    }
}

result<std::vector<journal_entry>> journal::impl::read_entries(sqlite::statement& query)
{
    std::vector<journal_entry> found;
    while (true) {
        const result<bool> row = query.step();
        if (!row)
            return row.error();
        if (!*row)
            return found;
        result<journal_entry> entry = read_entry(query);
        if (!entry)
            return entry.error();
        found.push_back(std::move(*entry));
    }
}

result<void> journal::impl::count_entries(journal_run& run)
{
    auto query = db.cached("SELECT state, count(*) FROM entry WHERE run_id = ?1 GROUP BY state");
    if (!query)
        return query.error();
    query->bind(1, run.id);
    while (true) {
        const result<bool> row = query->step();
        if (!row)
            return row.error();
        if (!*row)
            return {};
        const auto state = static_cast<std::size_t>(query->integer(0));
        if (state >= journal_states)
            return damaged("an entry has an unknown state");
        run.counts[state] = static_cast<std::uint64_t>(query->integer(1));
    }
}
} // namespace regsweep
