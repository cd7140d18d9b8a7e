#ifndef REGSWEEP_SRC_INDEX_SCHEMA_HPP
#define REGSWEEP_SRC_INDEX_SCHEMA_HPP

#include "index/sqlite.hpp"

#include <cstdint>
#include <string_view>

namespace regsweep::schema {

/// 'rswi' in ASCII. docs/index.md describes version 1.
inline constexpr sqlite::file_kind index_kind{"index", "crawl again to build a new one", 0x72737769, 1};

/// Makes the tables of an index that is being built, in one transaction.
result<void> create(sqlite::connection& db);
/// Adds the secondary index (fast only when all tags are there), checks it against the repositories' tag counts and
/// marks the index as finished, in one transaction. `finished_at` in seconds since 1970, 0 for unknown.
result<void> finish(sqlite::connection& db, std::int64_t finished_at);

/// Whether the tables are those of a finished index. Reads nothing but the schema and one row.
result<void> check_finished(sqlite::connection& db, std::string_view name);

/// The value under `key` in `meta`; empty if there is none.
result<std::string> meta(sqlite::connection& db, std::string_view key);
result<void> set_meta(sqlite::connection& db, std::string_view key, std::string_view value);
result<void> set_meta(sqlite::connection& db, std::string_view key, std::int64_t value);

} // namespace regsweep::schema

#endif
