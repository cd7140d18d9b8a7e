#ifndef REGSWEEP_SRC_INDEX_INDEX_IMPL_HPP
#define REGSWEEP_SRC_INDEX_INDEX_IMPL_HPP

#include "core/files.hpp"
#include "index/sqlite.hpp"
#include "regsweep/index/index.hpp"

#include <filesystem>
#include <utility>

namespace regsweep {

struct index::impl
{
    /// A finished index in `db`; `file` is empty where changes are not to reach a file.
    impl(sqlite::connection connected, std::filesystem::path name) : file(std::move(name)), db(std::move(connected)) {}

    std::filesystem::path file;
    file_lock lock; // declared before `db`: given back when that is closed
    sqlite::connection db;
    int visits = 0; // running visit functions
    bool grouped = false;

    /// Makes `db` fit for changes.
    result<void> open_for_writing();
    result<void> put(std::string_view repository, std::string_view tag, const digest& d, media_type type);
    result<std::uint64_t> remove(std::string_view repository, std::span<const digest> which);
    result<void> remove_one(std::string_view repository, std::string_view tag);
    result<std::int64_t> find_or_add(std::string_view repository);
    result<void> count_tags(std::int64_t repository, std::int64_t more);
    result<void> count_digests(std::int64_t more);
    result<bool> in_use(const digest& d);
    result<std::optional<digest>> find(std::string_view repository, std::string_view tag);

    /// Runs `change` as one transaction, or as one step of the group.
    template<class Change>
    auto apply(Change change) -> decltype(change());
};

namespace json_cache {
/// Whether a file of this name is to be a JSON cache.
bool is_json_name(const std::filesystem::path& file);
} // namespace json_cache

} // namespace regsweep

#endif
