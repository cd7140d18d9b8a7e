#ifndef REGSWEEP_SRC_INDEX_DETAILS_IMPL_HPP
#define REGSWEEP_SRC_INDEX_DETAILS_IMPL_HPP

#include "index/sqlite.hpp"
#include "regsweep/index/details.hpp"

#include <cstdint>
#include <string>
#include <unordered_map>

namespace regsweep {

/// 'rswd' in ASCII. docs/index.md describes version 1.
inline constexpr sqlite::file_kind details_kind{
    "details file", "remove it: what it held is read from the registry again", 0x72737764, 1};

inline media_type stored_media_type(std::int64_t value) noexcept
{
    const bool known = value >= 0 && value <= static_cast<std::int64_t>(media_type::schema1_signed);
    return known ? static_cast<media_type>(value) : media_type::unknown;
}

inline std::optional<timestamp> stored_time(const sqlite::statement& row, int seconds, int nanoseconds)
{
    if (row.is_null(seconds))
        return std::nullopt;
    return timestamp{row.integer(seconds), static_cast<std::uint32_t>(row.integer(nanoseconds))};
}

inline std::optional<std::uint64_t> stored_size(const sqlite::statement& row, int column)
{
    if (row.is_null(column) || row.integer(column) < 0)
        return std::nullopt;
    return static_cast<std::uint64_t>(row.integer(column));
}

inline platform stored_platform(const sqlite::statement& row, int first)
{
    return {std::string(row.text(first)), std::string(row.text(first + 1)), std::string(row.text(first + 2))};
}

/// Runs through the rows of a query until `visit` returns false.
template<class Visit>
result<void> walk(sqlite::statement& query, Visit visit)
{
    while (true) {
        const result<bool> row = query.step();
        if (!row)
            return row.error();
        if (!*row)
            return {};
        const result<bool> more = visit(query);
        if (!more)
            return more.error();
        if (!*more)
            return {};
    }
}

/// Calls `read` within a transaction: the one that is open, or one of its own, which also saves locking the file for
/// each query.
template<class Read>
result<void> read_in_transaction(sqlite::connection& db, Read read)
{
    if (db.in_transaction())
        return read();
    if (const auto begun = db.execute("BEGIN"); !begun)
        return begun;
    const result<void> done = read();
    db.rollback();
    return done;
}

struct details_store::impl
{
    impl(sqlite::connection connected, std::filesystem::path name) : file(std::move(name)), db(std::move(connected)) {}

    std::filesystem::path file; // empty for memory
    mutable sqlite::connection db;
    bool grouped = false;
    std::unordered_map<std::string, std::int64_t> texts; // rows of `text`, as far as they were needed

    error damaged(std::string_view what) const;

    /// The row of a digest; 0 if it has none.
    result<std::int64_t> row_of(const digest& d) const;
    result<digest> digest_at(std::int64_t row) const;
    result<bool> knows(std::int64_t row) const;

    result<std::int64_t> put_digest(const digest& d, std::optional<std::uint64_t> size);
    result<std::int64_t> put_text(std::string_view value);
    result<std::int64_t> put_platform(const platform& p);
    result<std::int64_t> put_repository(std::string_view name);
    result<void> put(const manifest_details& one);
    result<void> put_links(std::int64_t row, const manifest_details& one);
    result<void> put_pairs(std::int64_t row, int kind, const string_pairs& pairs);

    /// Runs `change` as one transaction, or as one step of the group.
    template<class Change>
    result<void> apply(Change change)
    {
        if (const auto begun = db.execute(grouped ? "SAVEPOINT change" : "BEGIN IMMEDIATE"); !begun)
            return begun;
        result<void> done = change();
        if (done)
            done = db.execute(grouped ? "RELEASE change" : "COMMIT");
        if (done)
            return done;
        texts.clear(); // some of their rows may be taken back
        if (!grouped)
            db.rollback();
        else if (db.in_transaction())
            static_cast<void>(db.execute("ROLLBACK TO change; RELEASE change"));
        else
            grouped = false; // SQLite took back the whole group, as it must on a full disk
        return done;
    }
};

} // namespace regsweep

#endif
