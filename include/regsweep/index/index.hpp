#ifndef REGSWEEP_INDEX_INDEX_HPP
#define REGSWEEP_INDEX_INDEX_HPP

#include "regsweep/core/digest.hpp"
#include "regsweep/core/error.hpp"
#include "regsweep/core/names.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// What a crawl found out about a registry as a whole. Stored with the index.
struct index_summary
{
    std::string registry;           ///< `registry_address::canonical()`; empty for a JSON cache
    std::string scope;              ///< the patterns the crawl was limited to; empty for the whole registry
    std::int64_t finished_at = 0;   ///< seconds since 1970, UTC; 0 if unknown
    std::uint64_t repositories = 0; ///< with or without tags
    std::uint64_t tags = 0;
    std::uint64_t digests = 0;    ///< distinct ones
    std::uint64_t incomplete = 0; ///< repositories that could not be read completely
};

/// A repository as the index knows it.
struct repository_info
{
    std::string name;
    std::uint64_t tags = 0;
    bool complete = true; ///< false: the crawl could not read all of it
    std::string problem;  ///< why it is not complete
};

/// One tag. The views live as long as the callback that is given them.
struct tag_view
{
    std::string_view repository;
    std::string_view tag;
    regsweep::digest digest;
    media_type type = media_type::unknown;
};

/// The two-way index: tag → digest, digest → every tag that uses it. A SQLite file, or memory.
/// One thread at a time. Functions fail with `errc::io`, `errc::bad_file`, `errc::newer_version`, and those that change
/// it with `errc::locked` while another process changes or builds the same index. A file is opened for reading only;
/// the first change opens it for writing and takes `<file>.lock` until the index is closed. `visit` functions may
/// ask the index, not change it (`errc::bad_argument`). docs/index.md describes the file.
class index
{
public:
    /// Opens a finished index. A file that begins with `{` is read as docker-registry-util's JSON cache into
    /// memory, anything else must be an index written by `index_builder`. A missing file is `errc::not_found`.
    /// A file that is neither, or newer, is left as it is, byte for byte. Takes no longer for a larger index, JSON
    /// apart. Changes to what was read from JSON stay in memory: store them with `write_json`.
    /// Reading JSON fails with `errc::bad_json` (naming line and column) and `errc::too_large` (above 4 GiB).
    static result<index> open(const std::filesystem::path& file);

    index(index&&) noexcept;
    index& operator=(index&&) noexcept;
    ~index();

    result<index_summary> summary() const;

    /// Calls `visit` for every repository, sorted by name (bytewise), those without tags included.
    /// `visit` returns false to stop.
    result<void> for_each_repository(const std::function<bool(const repository_info&)>& visit) const;

    /// The repository, or nothing if the index does not know it.
    result<std::optional<repository_info>> find_repository(std::string_view name) const;

    /// Calls `visit` for every tag of one repository, sorted by tag (bytewise); none if it is unknown.
    result<void> for_each_tag(std::string_view repository, const std::function<bool(const tag_view&)>& visit) const;

    /// Calls `visit` for every tag in any repository that points to `d`, sorted by repository and tag.
    result<void> for_each_use(const digest& d, const std::function<bool(const tag_view&)>& visit) const;

    /// Calls `visit` once for every digest and repository in which a tag points to it, sorted by digest (bytewise).
    result<void> for_each_digest(const std::function<bool(const digest&, std::string_view repository)>& visit) const;

    /// What `repository:tag` points to, or nothing.
    result<std::optional<digest>> find(std::string_view repository, std::string_view tag) const;

    /// Takes all tags of `repository` that point to `d` out of the index; returns how many.
    result<std::uint64_t> remove_digest(std::string_view repository, const digest& d)
    {
        return remove_digests(repository, {&d, 1});
    }
    /// The same for several digests, all or none of them; faster than one by one.
    result<std::uint64_t> remove_digests(std::string_view repository, std::span<const digest> which);
    /// Takes one tag out; does nothing if it is not there.
    result<void> remove_tag(std::string_view repository, std::string_view tag);
    /// Adds a tag or lets it point to another digest; adds the repository if it is new: as incomplete, for the
    /// registry was not asked what else it holds. Fails with `errc::bad_argument` for an empty digest or name.
    result<void> put_tag(std::string_view repository, std::string_view tag, const digest& d, media_type type);

    /// Groups changes: all between `begin` and `commit` become visible and durable together. A change that fails in
    /// the file takes the whole group back and ends it. Fail with `errc::bad_argument` out of turn.
    result<void> begin();
    result<void> commit();
    /// Takes back all since `begin`; so does the end of the index.
    void rollback() noexcept;

    /// Writes docker-registry-util's JSON cache: `{repo: {tag: "sha256:…"}}`, incomplete repositories left out.
    /// Written beside `file` and renamed into place. Fails with `errc::bad_digest` for a digest that is not SHA-256,
    /// which the format cannot hold, and with `errc::io`.
    result<void> write_json(const std::filesystem::path& file) const;

private:
    friend class index_builder;
    struct impl;
    explicit index(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
