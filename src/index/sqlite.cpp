#include "index/sqlite.hpp"

#include "core/files.hpp"

#include <sqlite3.h>

#include <array>
#include <cstring>
#include <fstream>
#include <utility>

namespace regsweep::sqlite {

namespace {

constexpr int busy_ms = 10'000;

std::uint32_t big_endian(const unsigned char* p) noexcept
{
    return (std::uint32_t{p[0]} << 24) | (std::uint32_t{p[1]} << 16) | (std::uint32_t{p[2]} << 8) | p[3];
}

// What SQLite's code means to a caller.
errc meaning(int code) noexcept
{
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return errc::locked;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH: return errc::bad_file;
    default: return errc::io;
    }
}

std::string advice(int code, const file_kind& kind)
{
    switch (code & 0xff) {
    case SQLITE_FULL: return "free space on its disk";
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "another process is writing to it: try again when that is done";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: return "check the permissions of the file and its folder";
    case SQLITE_IOERR: return "check its disk: space, quota, file size limit, health";
    default: return meaning(code) == errc::bad_file ? std::string(kind.repair) : "try again";
    }
}

} // namespace

error make_error(int code, std::string_view message, const std::filesystem::path& file, const file_kind& kind)
{
    std::string text = "the ";
    text += kind.noun;
    if (!file.empty())
        text += " '" + file.string() + "'";
    text += meaning(code) == errc::bad_file ? " is damaged: " : " failed: ";
    text += message;
    text += "; " + advice(code, kind);
    return {meaning(code), std::move(text)};
}

// On the heap, so that statements can point to it while the connection is moved.
struct connection_state
{
    std::filesystem::path file;
    file_kind kind;
    sqlite3* db = nullptr;
    struct idle
    {
        const char* sql;
        sqlite3_stmt* raw;
    };
    std::vector<idle> cache;

    connection_state(const std::filesystem::path& name, const file_kind& what) : file(name), kind(what) {}
    connection_state(const connection_state&) = delete;
    connection_state& operator=(const connection_state&) = delete;
    ~connection_state()
    {
        for (const idle& each : cache)
            sqlite3_finalize(each.raw);
        sqlite3_close_v2(db);
    }

    error fail() const { return make_error(sqlite3_extended_errcode(db), sqlite3_errmsg(db), file, kind); }
};

statement::statement(statement&& other) noexcept
    : owner_(other.owner_), raw_(std::exchange(other.raw_, nullptr)), bind_error_(std::exchange(other.bind_error_, 0))
{}

statement& statement::operator=(statement&& other) noexcept
{
    std::swap(owner_, other.owner_);
    std::swap(raw_, other.raw_);
    std::swap(bind_error_, other.bind_error_);
    return *this;
}

statement::~statement()
{
    sqlite3_finalize(raw_);
}

statement& statement::bind(int place, std::int64_t value) noexcept
{
    if (const int code = sqlite3_bind_int64(raw_, place, value))
        bind_error_ = code;
    return *this;
}

statement& statement::bind(int place, std::string_view text) noexcept
{
    // A null pointer would bind NULL, and an empty view may have one.
    const char* data = text.data() ? text.data() : "";
    if (const int code = sqlite3_bind_text64(raw_, place, data, text.size(), SQLITE_STATIC, SQLITE_UTF8))
        bind_error_ = code;
    return *this;
}

statement& statement::bind(int place, std::span<const unsigned char> blob) noexcept
{
    const void* data = blob.data() ? static_cast<const void*>(blob.data()) : "";
    if (const int code = sqlite3_bind_blob64(raw_, place, data, blob.size(), SQLITE_STATIC))
        bind_error_ = code;
    return *this;
}

int statement::step_raw() noexcept
{
    if (bind_error_)
        return std::exchange(bind_error_, 0);
    return sqlite3_step(raw_);
}

result<bool> statement::step()
{
    if (bind_error_)
        return make_error(bind_error_, sqlite3_errstr(bind_error_), owner_->file, owner_->kind);
    const int code = sqlite3_step(raw_);
    if (code == SQLITE_ROW)
        return true;
    if (code == SQLITE_DONE)
        return false;
    return owner_->fail();
}

result<void> statement::run()
{
    const result<bool> done = step();
    if (!done)
        return done.error();
    reset();
    return {};
}

void statement::reset() noexcept
{
    sqlite3_reset(raw_);
}

std::int64_t statement::integer(int column) const noexcept
{
    return sqlite3_column_int64(raw_, column);
}

std::string_view statement::text(int column) const noexcept
{
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(raw_, column));
    return data ? std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(raw_, column)))
                : std::string_view();
}

std::span<const unsigned char> statement::blob(int column) const noexcept
{
    const auto* data = static_cast<const unsigned char*>(sqlite3_column_blob(raw_, column));
    return {data, data ? static_cast<std::size_t>(sqlite3_column_bytes(raw_, column)) : 0};
}

bool statement::is_null(int column) const noexcept
{
    return sqlite3_column_type(raw_, column) == SQLITE_NULL;
}

connection::lease::~lease()
{
    if (!raw_)
        return;
    sqlite3_reset(raw_);
    sqlite3_clear_bindings(raw_);
    owner_->cache.push_back({sql_, std::exchange(raw_, nullptr)});
}

connection::connection() noexcept = default;
connection::connection(connection&&) noexcept = default;
connection& connection::operator=(connection&&) noexcept = default;
connection::~connection() = default;

result<connection> connection::open(const std::filesystem::path& file, mode how, const file_kind& kind, sharing threads)
{
    int flags = threads == sharing::shared ? SQLITE_OPEN_FULLMUTEX : SQLITE_OPEN_NOMUTEX;
    flags |= how == mode::read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    if (how == mode::create)
        flags |= SQLITE_OPEN_CREATE;
    connection made;
    made.state_ = std::make_unique<connection_state>(file, kind);
    // SQLite gives other meanings to ":memory:" and to what begins with "file:".
    const std::string name = file.empty() || file.is_absolute() ? file.string() : "./" + file.string();
    if (const int code = sqlite3_open_v2(name.c_str(), &made.state_->db, flags, nullptr)) {
        const char* why = made.state_->db ? sqlite3_errmsg(made.state_->db) : sqlite3_errstr(code);
        return make_error(code, why, file, kind);
    }
    sqlite3_extended_result_codes(made.state_->db, 1);
    sqlite3_busy_timeout(made.state_->db, busy_ms);
    // A damaged or hostile file must not make SQLite run what its schema says.
    sqlite3_db_config(made.state_->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(made.state_->db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    return made;
}

result<void> connection::execute(const char* sql)
{
    if (sqlite3_exec(state_->db, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        return fail();
    return {};
}

result<statement> connection::prepare(const char* sql)
{
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(state_->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK)
        return fail();
    return statement(*state_, raw);
}

result<connection::lease> connection::cached(const char* sql)
{
    auto& cache = state_->cache;
    for (auto each = cache.begin(); each != cache.end(); ++each) {
        if (each->sql != sql)
            continue;
        sqlite3_stmt* raw = each->raw;
        *each = cache.back();
        cache.pop_back();
        return lease(*state_, sql, raw);
    }
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(state_->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK)
        return fail();
    return lease(*state_, sql, raw);
}

result<std::int64_t> connection::integer(const char* sql)
{
    result<statement> query = prepare(sql);
    if (!query)
        return query.error();
    const result<bool> row = query->step();
    if (!row)
        return row.error();
    return *row ? query->integer(0) : 0;
}

int connection::changes() const noexcept
{
    return sqlite3_changes(state_->db);
}

std::int64_t connection::last_id() const noexcept
{
    return sqlite3_last_insert_rowid(state_->db);
}

bool connection::in_transaction() const noexcept
{
    return sqlite3_get_autocommit(state_->db) == 0;
}

void connection::rollback() noexcept
{
    if (in_transaction())
        sqlite3_exec(state_->db, "ROLLBACK", nullptr, nullptr, nullptr);
}

error connection::fail() const
{
    return state_->fail();
}

sqlite3* connection::raw() const noexcept
{
    return state_->db;
}

result<void> check_header(const std::filesystem::path& file, const file_kind& kind)
{
    const std::string name = "'" + file.string() + "'";
    const std::string noun(kind.noun);
    const result<std::string> head = read_head(file, 100);
    if (!head)
        return head.error();
    static constexpr std::string_view magic{"SQLite format 3\0", 16};
    const auto* bytes = reinterpret_cast<const unsigned char*>(head->data());
    if (head->size() < 100 || !head->starts_with(magic) || big_endian(bytes + 68) != kind.application_id)
        return error(errc::bad_file, name + " is not a regsweep " + noun + "; name another file or move it away");
    const std::uint32_t version = big_endian(bytes + 60);
    if (version > kind.version)
        return error(errc::newer_version, name + " was written by a newer regsweep (" + noun + " version " +
                                              std::to_string(version) + ", this program knows " +
                                              std::to_string(kind.version) + "); use the newer program");
    if (version == 0)
        return error(errc::bad_file, name + " has no version: it is damaged; " + std::string(kind.repair));
    return {};
}

} // namespace regsweep::sqlite
