#ifndef REGSWEEP_SRC_INDEX_JSON_CACHE_HPP
#define REGSWEEP_SRC_INDEX_JSON_CACHE_HPP

#include "index/sqlite.hpp"

#include <cstdint>
#include <filesystem>

namespace regsweep::json_cache {

inline constexpr std::uintmax_t max_file_size = std::uintmax_t{4} << 30;

/// Whether `file` begins, after white space, with `{`.
result<bool> looks_like_one(const std::filesystem::path& file);

/// Reads docker-registry-util's cache into the empty tables of `db`, without holding more than a piece of the file.
/// Fails with `errc::bad_json` (naming line and column), `errc::too_large`, `errc::io`.
result<void> read(const std::filesystem::path& file, sqlite::connection& db);

/// Writes what Python's `json.dump(…, ensure_ascii=False)` gives for the complete repositories that have tags.
/// Fails with `errc::bad_digest` for a digest that is not SHA-256.
result<void> write(sqlite::connection& db, const std::filesystem::path& file);

/// The error for a digest that the format cannot hold.
error unfit_digest(std::string_view repository, std::string_view tag);

} // namespace regsweep::json_cache

#endif
