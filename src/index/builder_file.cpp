#include "index/builder_file.hpp"

#include "core/files.hpp"
#include "index/index_impl.hpp"
#include "index/json_cache.hpp"
#include "index/schema.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

namespace regsweep {

namespace {

using sqlite::connection;

// The page cache and the sorter of the secondary index each take up to this; the rest goes to files.
constexpr const char* building_pragmas = "PRAGMA cache_size=-32768; PRAGMA temp_store=FILE; PRAGMA threads=0;"
                                         "PRAGMA synchronous=OFF;";

result<void> remove_file(const std::filesystem::path& file)
{
    if (::unlink(file.c_str()) != 0 && errno != ENOENT)
        return file_error("remove", file, errno);
    return {};
}

error unusable_part(const std::filesystem::path& part, std::string_view why)
{
    return {errc::bad_file,
            "'" + part.string() + "' cannot be resumed: " + std::string(why) + "; crawl without resuming"};
}

// Whether SQLite finds the part whole; a power failure may have damaged it.
result<void> check_part(connection& db, const std::filesystem::path& part)
{
    const result<std::int64_t> id = db.integer("PRAGMA application_id");
    if (!id)
        return unusable_part(part, id.error().detail);
    const result<std::int64_t> version = db.integer("PRAGMA user_version");
    if (!version)
        return unusable_part(part, version.error().detail);
    if (*id != schema::index_kind.application_id)
        return unusable_part(part, "it is no part of an index");
    if (*version > schema::index_kind.version)
        return error(errc::newer_version,
                     "'" + part.string() + "' was written by a newer regsweep; use that or crawl without resuming");
    auto check = db.prepare("PRAGMA quick_check(1)");
    if (!check)
        return unusable_part(part, check.error().detail);
    const result<bool> row = check->step();
    if (!row)
        return unusable_part(part, row.error().detail);
    if (check->text(0) != "ok")
        return unusable_part(part, check->text(0));
    return {};
}

result<void> check_origin(connection& db, const index_builder_options& options)
{
    const result<std::string> registry = schema::meta(db, "registry");
    const result<std::string> scope = schema::meta(db, "scope");
    if (!registry || !scope)
        return registry ? scope.error() : registry.error();
    if (*registry == options.registry && *scope == options.scope)
        return {};
    const auto of = [](const std::string& name, const std::string& limits) {
        return name + (limits.empty() ? "" : " limited to " + limits);
    };
    return error(errc::bad_argument, "the crawl to resume was of " + of(*registry, *scope) + ", not of " +
                                         of(options.registry, options.scope) + "; crawl without resuming");
}

} // namespace

build_target build_target_of(const std::filesystem::path& file)
{
    if (file.empty())
        return build_target::memory;
    return json_cache::is_json_name(file) ? build_target::json : build_target::file;
}

result<void> check_replaceable(const std::filesystem::path& file, build_target what)
{
    const result<std::string> head = read_head(file, 1);
    if (!head)
        return head.error().is(errc::not_found) ? result<void>() : head.error();
    if (head->empty())
        return {};
    const result<bool> json = json_cache::looks_like_one(file);
    if (!json)
        return json.error();
    if (*json)
        return {};
    if (what == build_target::json)
        return error(errc::bad_file, "'" + file.string() + "' is not a JSON cache; name another file or move it away");
    return sqlite::check_header(file, schema::index_kind);
}

result<void> settle_old_journal(const std::filesystem::path& file)
{
    std::error_code ignored;
    for (const char* suffix : {"-journal", "-wal"}) {
        if (!std::filesystem::exists(with_suffix(file, suffix), ignored))
            continue;
        if (std::filesystem::exists(file, ignored)) {
            result<connection> old = connection::open(file, connection::mode::read_write, schema::index_kind);
            if (!old)
                return old.error();
            if (const auto done = old->execute("PRAGMA journal_mode=DELETE; BEGIN IMMEDIATE; ROLLBACK"); !done)
                return done;
        }
        if (const auto done = remove_file(with_suffix(file, suffix)); !done)
            return done;
    }
    return {};
}

result<connection> create_part(const std::filesystem::path& part)
{
    for (const char* suffix : {"-journal", "-wal", "-shm", ""}) {
        if (part.empty()) // in memory
            break;
        if (const auto done = remove_file(with_suffix(part, suffix)); !done)
            return done.error();
    }
    result<connection> db = connection::open(part, connection::mode::create, schema::index_kind);
    if (!db)
        return db.error();
    if (const auto done = db->execute(building_pragmas); !done)
        return done.error();
    // Truncating is cheaper than making and removing a journal for every commit.
    const char* journal =
        part.empty() ? "PRAGMA journal_mode=MEMORY" : "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=TRUNCATE";
    if (const auto done = db->execute(journal); !done)
        return done.error();
    if (const auto done = schema::create(*db); !done)
        return done.error();
    return db;
}

result<connection> open_part(const std::filesystem::path& part, const index_builder_options& options)
{
    std::error_code ec;
    if (std::filesystem::file_size(part, ec) == 0 || ec)
        return connection();
    // `already_resolved` asks from another thread than the writer's.
    result<connection> db =
        connection::open(part, connection::mode::read_write, schema::index_kind, connection::sharing::shared);
    if (!db)
        return db.error();
    if (const auto done = db->execute("PRAGMA locking_mode=EXCLUSIVE"); !done)
        return done.error();
    const result<std::int64_t> pages = db->integer("PRAGMA page_count");
    if (pages && *pages == 0)
        return connection(); // killed before its first commit
    if (const auto done = check_part(*db, part); !done)
        return done.error();
    if (const auto done = check_origin(*db, options); !done)
        return done.error();
    if (const auto done = db->execute(std::string(building_pragmas) + "PRAGMA journal_mode=TRUNCATE"); !done)
        return done.error();
    // Killed between the last commit and the rename: the index comes when this crawl ends.
    if (const auto done = db->execute("BEGIN IMMEDIATE; DROP INDEX IF EXISTS tag_digest;"
                                      "UPDATE meta SET value = 'building' WHERE key = 'state'; COMMIT");
        !done)
        return done.error();
    return db;
}

} // namespace regsweep
