#ifndef REGSWEEP_SRC_INDEX_SQLITE_HPP
#define REGSWEEP_SRC_INDEX_SQLITE_HPP

#include "regsweep/core/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace regsweep::sqlite {

/// What a file of this project is, for telling it from others and for error messages.
struct file_kind
{
    std::string_view noun;   ///< "index": how messages call it
    std::string_view repair; ///< what to do when it is damaged
    std::uint32_t application_id = 0;
    std::uint32_t version = 0; ///< `user_version` this program writes and reads
};

struct connection_state;

/// A prepared statement of a connection, which must outlive it. Text and blobs are bound without a copy: they must live
/// until `reset` or the last `step`.
class statement
{
public:
    statement() = default;
    statement(connection_state& owner, sqlite3_stmt* raw) noexcept : owner_(&owner), raw_(raw) {}
    statement(statement&& other) noexcept;
    statement& operator=(statement&& other) noexcept;
    ~statement();

    statement& bind(int place, std::int64_t value) noexcept;
    statement& bind(int place, std::string_view text) noexcept;
    statement& bind(int place, std::span<const unsigned char> blob) noexcept;

    /// True for a row, false at the end.
    result<bool> step();
    /// The same without the cost of a `result`: SQLITE_ROW, SQLITE_DONE or an error for `connection::fail`.
    int step_raw() noexcept;
    /// One execution of a statement without rows, ready for the next.
    result<void> run();
    void reset() noexcept;

    std::int64_t integer(int column) const noexcept;
    std::string_view text(int column) const noexcept;               ///< lives until the next step
    std::span<const unsigned char> blob(int column) const noexcept; ///< lives until the next step
    bool is_null(int column) const noexcept;

protected:
    connection_state* owner_ = nullptr;
    sqlite3_stmt* raw_ = nullptr;
    int bind_error_ = 0;
};

/// One connection. One thread at a time, unless opened with `shared`.
class connection
{
public:
    enum class mode { read_only, read_write, create };
    /// Whether two threads may use the connection at once (SQLite's own mutex).
    enum class sharing { one_thread, shared };

    /// A statement borrowed from the connection's cache, reset and given back at its end.
    class lease : public statement
    {
    public:
        lease(connection_state& owner, const char* sql, sqlite3_stmt* raw) noexcept : statement(owner, raw), sql_(sql)
        {}
        lease(lease&&) noexcept = default;
        lease& operator=(lease&&) = delete;
        ~lease();

    private:
        const char* sql_;
    };

    connection() noexcept;
    connection(connection&&) noexcept;
    connection& operator=(connection&&) noexcept;
    ~connection();

    /// Opens `file`; an empty name is a private database that lives in memory and spills to a temporary file.
    static result<connection> open(const std::filesystem::path& file, mode how, const file_kind& kind,
                                   sharing threads = sharing::one_thread);

    bool is_open() const noexcept { return state_ != nullptr; }
    result<void> execute(const char* sql);
    /// One statement without result, kept prepared under its address as `cached` does.
    result<void> run(const char* sql)
    {
        auto prepared = cached(sql);
        return prepared ? prepared->run() : result<void>(prepared.error());
    }
    result<void> execute(const std::string& sql) { return execute(sql.c_str()); }
    result<statement> prepare(const char* sql);
    /// A statement kept prepared. `sql` must be a literal; nested uses of one text get statements of their own.
    result<lease> cached(const char* sql);
    /// The first column of the first row.
    result<std::int64_t> integer(const char* sql);

    int changes() const noexcept;
    std::int64_t last_id() const noexcept;
    bool in_transaction() const noexcept;
    /// Ends a transaction if there is one, taking its changes back.
    void rollback() noexcept;

    /// The connection's last failure as an error.
    error fail() const;

    sqlite3* raw() const noexcept;

private:
    std::unique_ptr<connection_state> state_;
};

/// The error for SQLite's result code `code`.
error make_error(int code, std::string_view message, const std::filesystem::path& file, const file_kind& kind);

/// Looks at the first bytes of `file` without SQLite, which could change a file by rolling its journal back: fails
/// with `errc::bad_file` for a foreign or cut file, `errc::newer_version`, `errc::not_found` or `errc::io`.
result<void> check_header(const std::filesystem::path& file, const file_kind& kind);

} // namespace regsweep::sqlite

#endif
