// The file of a journal: how it is made, locked and opened.
#include "sweep/journal_impl.hpp"

#include <fcntl.h>

#include <cerrno>

namespace regsweep {

namespace {

using sqlite::connection;

// Large pages waste little on manifests of some kilobytes. Freed pages can be given back to the file system later.
// There is no index of digests, which come in no order: each new entry of it would write a whole page of the log.
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
    digest BLOB NOT NULL,
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

// A longer log than SQLite's usual 4 MB is copied into the file less often.
constexpr const char* session = "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=2048; PRAGMA cache_size=-16384";

error lock_error(std::string_view deed, const std::filesystem::path& name)
{
    error why = file_error(deed, name, errno);
    why.code = make_error_code(errc::io);
    return why;
}

struct flock range_of(std::int64_t byte, short type) noexcept
{
    struct flock range{};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    range.l_start = byte;
    range.l_len = 1;
    return range;
}

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

// In version 1 there was an index of digests.
result<void> renew(connection& db)
{
    const auto version = db.integer("PRAGMA user_version");
    if (!version || *version >= journal_file.version)
        return version ? result<void>() : version.error();
    const auto done =
        db.execute("BEGIN IMMEDIATE;"
                   "CREATE TABLE renewed(id INTEGER PRIMARY KEY, digest BLOB NOT NULL, bytes BLOB NOT NULL);"
                   "INSERT INTO renewed SELECT id, digest, bytes FROM manifest;"
                   "DROP TABLE manifest; ALTER TABLE renewed RENAME TO manifest; PRAGMA user_version=2;"
                   "COMMIT");
    if (!done)
        db.rollback();
    return done;
}

// Preparing is enough to see that tables, columns and indexes are there.
result<void> check_schema(connection& db)
{
    const std::string entries =
        "SELECT " + std::string(journal_entry_columns) + " FROM entry INDEXED BY entry_of_run WHERE run_id = 0";
    for (const char* sql :
         {"SELECT id, registry, command, started_at, finished_at, state FROM run",
          "SELECT id, digest, bytes FROM manifest", "SELECT entry_id, name FROM entry_tag", entries.c_str(),
          "SELECT id FROM entry INDEXED BY entry_unfinished WHERE run_id = 0 AND state = 0"}) {
        if (const auto fine = db.prepare(sql); !fine)
            return fine.error();
    }
    return {};
}

} // namespace

result<byte_locks> byte_locks::open(const std::filesystem::path& journal_name)
{
    const std::filesystem::path name = with_suffix(journal_name, ".lock");
    byte_locks made;
    made.handle_ = file_handle(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!made.handle_)
        return lock_error("open", name);
    made.name_ = name;
    return made;
}

result<void> byte_locks::lock(std::int64_t byte)
{
    return change(byte, F_WRLCK);
}

result<void> byte_locks::unlock(std::int64_t byte)
{
    return change(byte, F_UNLCK);
}

result<bool> byte_locks::held_elsewhere(std::int64_t byte) const
{
    struct flock range = range_of(byte, F_WRLCK);
    if (::fcntl(handle_.get(), F_OFD_GETLK, &range) != 0)
        return lock_error("ask for the lock on", name_);
    return range.l_type != F_UNLCK;
}

result<void> byte_locks::change(std::int64_t byte, short type)
{
    struct flock range = range_of(byte, type);
    while (::fcntl(handle_.get(), F_OFD_SETLKW, &range) != 0) {
        if (errno != EINTR)
            return lock_error("lock", name_);
    }
    return {};
}

result<connection> open_journal_file(const std::filesystem::path& file, byte_locks& locks)
{
    if (const auto made = create_if_missing(file, locks); !made)
        return made.error();
    if (const auto fine = sqlite::check_header(file, journal_file); !fine)
        return fine.error();
    result<connection> db = connection::open(file, connection::mode::read_write, journal_file);
    if (!db)
        return db.error();
    if (const auto done = db->execute(session); !done)
        return done.error();
    if (const auto done = renew(*db); !done)
        return done.error();
    if (const auto fine = check_schema(*db); !fine)
        return fine.error();
    return db;
}

} // namespace regsweep
