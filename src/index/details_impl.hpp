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
