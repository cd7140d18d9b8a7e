#include "regsweep/sweep/journal.hpp"

#include "index/files.hpp"
#include "index/sqlite.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <numeric>
#include <utility>

namespace regsweep {

namespace {

using sqlite::connection;

constexpr std::size_t page_of_entries = 1000;

/// 'rswj' in ASCII.
constexpr sqlite::file_kind journal_file{
    "journal", "keep it for `sqlite3 FILE .recover`, and name another journal for what is to be deleted now",
    0x7273776a, 1};

// Large pages waste little on manifests of some kilobytes. Freed pages can be given back to the file system later.
constexpr const char* creation = R"(
PRAGMA page_size=16384;
PRAGMA auto_vacuum=INCREMENTAL;
BEGIN IMMEDIATE;
CREATE TABLE run(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    registry TEXT NOT NULL,
    command TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE manifest(
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    bytes BLOB NOT NULL
);
CREATE TABLE entry(
    id INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL REFERENCES run(id),
    repository TEXT NOT NULL,
    digest BLOB NOT NULL,
    kind INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    placeholder BLOB,
    manifest_id INTEGER REFERENCES manifest(id),
    state INTEGER NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    intended_at INTEGER NOT NULL,
    settled_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX entry_of_run ON entry(run_id);
CREATE INDEX entry_unfinished ON entry(run_id) WHERE state = 0;
CREATE TABLE entry_tag(
    entry_id INTEGER NOT NULL REFERENCES entry(id),
    name TEXT NOT NULL,
    PRIMARY KEY(entry_id, name)
) WITHOUT ROWID;
)";

// One sync a group, and reading while another process writes: a write-ahead log, synced at every commit.
// A longer log than SQLite's usual 4 MB is copied into the file less often.
constexpr const char* session = "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=2048; PRAGMA cache_size=-16384";

constexpr const char* entry_columns = "id, run_id, repository, digest, kind, media_type, placeholder,"
                                      " manifest_id IS NOT NULL, state, message, intended_at, settled_at";

std::int64_t now() noexcept
{
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

// Writes rows with few statements: each costs as much as some rows do.
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

    // Calls `bind(statement, place, row)` for each row: its columns have the places after `place`. Returns how many
    // rows were added.
    template<class Bind>
    result<std::size_t> run(connection& db, std::size_t rows, Bind bind) const
    {
        std::size_t added = 0;
        for (std::size_t row = 0; row != rows;) {
            const int count = rows - row >= at_once ? static_cast<int>(at_once) : 1;
            auto add = db.cached(count == 1 ? one_.c_str() : many_.c_str());
            if (!add)
                return add.error();
            for (int i = 0; i != count; ++i)
                bind(*add, i * columns_, row++);
            if (const auto done = add->run(); !done)
                return done.error();
            added += static_cast<std::size_t>(db.changes());
        }
        return added;
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

// Locks on single bytes of one file that no data is in: byte 0 for making the journal, byte n for run n. They belong
// to the open file and not to the process, and the kernel lets go of them however that ends.
class byte_locks
{
public:
    static result<byte_locks> open(const std::filesystem::path& journal_name)
    {
        const std::filesystem::path name = with_suffix(journal_name, ".lock");
        byte_locks made;
        made.handle_ = file_handle(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
        if (!made.handle_)
            return io_error("open", name);
        made.name_ = name;
        return made;
    }

    result<void> lock(std::int64_t byte) { return change(byte, F_WRLCK); }
    result<void> unlock(std::int64_t byte) { return change(byte, F_UNLCK); }

    // Whether another open file holds it; one's own locks do not count.
    result<bool> held_elsewhere(std::int64_t byte) const
    {
        struct flock range = range_of(byte, F_WRLCK);
        if (::fcntl(handle_.get(), F_OFD_GETLK, &range) != 0)
            return io_error("ask for the lock on", name_);
        return range.l_type != F_UNLCK;
    }

private:
    static error io_error(std::string_view deed, const std::filesystem::path& name)
    {
        error why = file_error(deed, name, errno);
        why.code = make_error_code(errc::io);
        return why;
    }

    static struct flock range_of(std::int64_t byte, short type) noexcept
    {
        struct flock range{};
        range.l_type = type;
        range.l_whence = SEEK_SET;
        range.l_start = byte;
        range.l_len = 1;
        return range;
    }

    result<void> change(std::int64_t byte, short type)
    {
        struct flock range = range_of(byte, type);
        while (::fcntl(handle_.get(), F_OFD_SETLKW, &range) != 0) {
            if (errno != EINTR)
                return io_error("lock", name_);
        }
        return {};
    }

    file_handle handle_;
    std::filesystem::path name_;
};

// Makes the journal under another name first: whoever finds the right one finds it whole.
result<void> create_file(const std::filesystem::path& file)
{
    const std::filesystem::path part = with_suffix(file, ".new");
    std::error_code ignored;
    for (const char* suffix : {"", "-journal", "-wal", "-shm"})
        std::filesystem::remove(with_suffix(part, suffix), ignored);
    {
        result<connection> db = connection::open(part, connection::mode::create, journal_file);
        if (!db)
            return db.error();
        const std::string sql =
            std::string(creation) + "PRAGMA application_id=" + std::to_string(journal_file.application_id) +
            ";PRAGMA user_version=" + std::to_string(journal_file.version) + ";COMMIT;PRAGMA journal_mode=WAL";
        if (const auto done = db->execute(sql); !done)
            return done;
    }
    return rename_durably(part, file);
}

result<void> create_if_missing(const std::filesystem::path& file, byte_locks& locks)
{
    std::error_code ec;
    if (std::filesystem::exists(file, ec) && std::filesystem::file_size(file, ec) > 0)
        return {};
    if (const auto locked = locks.lock(0); !locked)
        return locked;
    // Another process may have been quicker.
    const bool there = std::filesystem::exists(file, ec) && std::filesystem::file_size(file, ec) > 0;
    const result<void> made = there ? result<void>() : create_file(file);
    const result<void> unlocked = locks.unlock(0);
    return made ? unlocked : made;
}

// Preparing is enough to see that tables, columns and indexes are there.
result<void> check_schema(connection& db)
{
    const std::string entries =
        "SELECT " + std::string(entry_columns) + " FROM entry INDEXED BY entry_of_run WHERE run_id = 0";
    for (const char* sql :
         {"SELECT id, registry, command, started_at, finished_at, state FROM run",
          "SELECT id, digest, bytes FROM manifest", "SELECT entry_id, name FROM entry_tag", entries.c_str(),
          "SELECT id FROM entry INDEXED BY entry_unfinished WHERE run_id = 0 AND state = 0"}) {
        if (const auto fine = db.prepare(sql); !fine)
            return fine.error();
    }
    return {};
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

struct journal::impl
{
    std::filesystem::path file;
    byte_locks locks;
    connection db;
    std::vector<std::int64_t> own_runs; // running ones

    impl(std::filesystem::path name, byte_locks held, connection connected)
        : file(std::move(name)), locks(std::move(held)), db(std::move(connected))
    {}

    /// Runs `change` as one transaction.
    template<class Change>
    auto apply(Change change) -> decltype(change());

    error damaged(std::string_view what) const;
    result<bool> is_live(std::int64_t run) const;
    result<std::vector<std::int64_t>> write_intents(std::int64_t run, std::span<const journal_intent> intents);
    result<std::vector<std::int64_t>> add_manifests(std::span<const journal_intent> intents);
    result<std::int64_t> find_manifest(const digest& d);
    result<void> add_tags(std::int64_t first_entry, std::span<const journal_intent> intents);
    result<void> settle(std::span<const journal_outcome> outcomes);
    result<void> settle_range(std::int64_t first, std::int64_t last, const journal_outcome& as, std::int64_t when);
    result<journal_entry> read_entry(const sqlite::statement& row);
    result<std::vector<journal_entry>> read_entries(sqlite::statement& query);
    result<std::vector<std::int64_t>> prunable(std::int64_t older_than);
    result<prune_result> remove_runs(std::int64_t older_than);
    result<void> count_entries(journal_run& run);
};

template<class Change>
auto journal::impl::apply(Change change) -> decltype(change())
{
    // A deferred transaction could not wait for another process once it had read.
    if (const auto begun = db.execute("BEGIN IMMEDIATE"); !begun)
        return begun.error();
    auto done = change();
    if (done) {
        const auto committed = db.execute("COMMIT");
        if (committed)
            return done;
        done = committed.error();
    }
    db.rollback();
    return done;
}

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
    if (const auto made = create_if_missing(file, *locks); !made)
        return made.error();
    if (const auto fine = sqlite::check_header(file, journal_file); !fine)
        return fine.error();
    result<connection> db = connection::open(file, connection::mode::read_write, journal_file);
    if (!db)
        return db.error();
    if (const auto done = db->execute(session); !done)
        return done.error();
    if (const auto fine = check_schema(*db); !fine)
        return fine.error();
    return journal(std::make_unique<impl>(file, std::move(*locks), std::move(*db)));
}

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
    return impl_->locks.unlock(run);
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
    static const std::string sql =
        "SELECT " + std::string(entry_columns) + " FROM entry WHERE run_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
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
    auto query =
        impl_->db.cached("SELECT m.bytes FROM entry e JOIN manifest m ON m.id = e.manifest_id WHERE e.id = ?1");
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
        "SELECT " + std::string(entry_columns) + " FROM entry WHERE run_id = ?1 AND state = 0 ORDER BY id";
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

result<std::vector<std::int64_t>> journal::impl::write_intents(std::int64_t run,
                                                               std::span<const journal_intent> intents)
{
    const auto manifests = add_manifests(intents);
    if (!manifests)
        return manifests.error();
    const auto first = db.integer("SELECT ifnull(max(id), 0) + 1 FROM entry");
    if (!first)
        return first.error();
    static const insertion into_entry("INSERT INTO entry(id, run_id, repository, digest, kind, media_type, placeholder,"
                                      " manifest_id, intended_at)",
                                      "?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?");
    const std::int64_t when = now();
    const auto bind = [&](sqlite::statement& to, int place, std::size_t row) {
        const journal_intent& intent = intents[row];
        to.bind(place + 1, *first + static_cast<std::int64_t>(row)).bind(place + 2, run);
        to.bind(place + 3, std::string_view(intent.repository)).bind(place + 4, intent.digest.bytes());
        to.bind(place + 5, static_cast<std::int64_t>(intent.kind));
        to.bind(place + 6, std::string_view(intent.media_type));
        if (!intent.placeholder.empty())
            to.bind(place + 7, intent.placeholder.bytes());
        to.bind(place + 8, (*manifests)[row]).bind(place + 9, when);
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
    std::vector<std::int64_t> ids(intents.size());
    std::vector<std::size_t> with;
    for (std::size_t i = 0; i != intents.size(); ++i)
        if (!intents[i].manifest.empty())
            with.push_back(i);
    const auto first = db.integer("SELECT ifnull(max(id), 0) + 1 FROM manifest");
    if (!first)
        return first.error();
    static const insertion into_manifest("INSERT OR IGNORE INTO manifest(id, digest, bytes)", "?, ?, ?");
    const auto bind = [&](sqlite::statement& to, int place, std::size_t row) {
        const journal_intent& intent = intents[with[row]];
        to.bind(place + 1, ids[with[row]] = *first + static_cast<std::int64_t>(row));
        to.bind(place + 2, intent.digest.bytes()).bind(place + 3, raw_bytes(intent.manifest));
    };
    const auto added = into_manifest.run(db, with.size(), bind);
    if (!added)
        return added.error();
    if (*added == with.size())
        return ids;
    for (const std::size_t i : with) { // some were there before
        const auto id = find_manifest(intents[i].digest);
        if (!id)
            return id.error();
        ids[i] = *id;
    }
    return ids;
}

result<std::int64_t> journal::impl::find_manifest(const digest& d)
{
    auto known = db.cached("SELECT id FROM manifest WHERE digest = ?1");
    if (!known)
        return known.error();
    const result<bool> row = known->bind(1, d.bytes()).step();
    if (!row)
        return row.error();
    return known->integer(0);
}

result<void> journal::impl::add_tags(std::int64_t first_entry, std::span<const journal_intent> intents)
{
    std::vector<std::pair<std::int64_t, std::string_view>> rows;
    for (std::size_t i = 0; i != intents.size(); ++i)
        for (const std::string& tag : intents[i].tags)
            rows.emplace_back(first_entry + static_cast<std::int64_t>(i), tag);
    static const insertion into_tag("INSERT OR IGNORE INTO entry_tag(entry_id, name)", "?, ?");
    const auto added = into_tag.run(db, rows.size(), [&](sqlite::statement& to, int place, std::size_t row) {
        to.bind(place + 1, rows[row].first).bind(place + 2, rows[row].second);
    });
    return added ? result<void>() : added.error();
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
    auto update = db.cached("UPDATE entry SET state = ?1, message = ?2, settled_at = ?3 WHERE id BETWEEN ?4 AND ?5");
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
