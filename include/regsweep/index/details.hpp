#ifndef REGSWEEP_INDEX_DETAILS_HPP
#define REGSWEEP_INDEX_DETAILS_HPP

#include "regsweep/core/manifest_details.hpp"
#include "regsweep/index/index.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace regsweep {

/// A digest in a walk through all that manifests are or lead to. The pointer lives as long as the walk.
struct content_view
{
    std::int64_t row = 0; ///< of the digest within the store: what `link_view` names
    regsweep::digest digest;
    std::optional<std::uint64_t> size; ///< bytes
    bool known = false;                ///< it is a manifest whose facts are known; the rest is only for these
    media_type type = media_type::unknown;
    std::optional<timestamp> created;
    const regsweep::platform* platform = nullptr;
};

/// One manifest's link to something else, by rows.
struct link_view
{
    std::int64_t from = 0;
    std::int64_t to = 0;
    bool foreign = false;       ///< of blobs: the registry need not hold it
    std::int64_t describes = 0; ///< of children: row of what an attestation is about; 0 for others
};

/// The facts of manifests, by digest: a SQLite file beside the index that outlives it, for a digest's facts never
/// change. What changes, the referrers that a registry told of, is kept by repository and subject.
/// One thread at a time; processes may share a file. Functions fail with `errc::io`, `errc::bad_file`, `errc::locked`
/// (another process writes for long). docs/index.md describes the file.
class details_store
{
public:
    /// Longer values of labels and annotations are cut, more of them left out.
    static constexpr std::size_t value_limit = 4096; ///< bytes
    static constexpr std::size_t pairs_limit = 256;  ///< of a manifest

    /// `<index file>.details`; empty for an index in memory.
    static std::filesystem::path beside(const std::filesystem::path& index_file);

    /// Opens the store, makes it if it is not there; an empty name keeps it in memory. A file that is foreign, newer
    /// (`errc::newer_version`) or damaged is left as it is.
    static result<details_store> open(const std::filesystem::path& file);

    details_store(details_store&&) noexcept;
    details_store& operator=(details_store&&) noexcept;
    ~details_store();

    /// All that is known of a manifest, or nothing.
    result<std::optional<manifest_details>> find(const digest& d) const;
    result<bool> knows(const digest& d) const;

    /// Calls `read`, which may call what only reads here: all of it sees the store as it was at one moment, whatever
    /// other processes write meanwhile. Returns what `read` does.
    result<void> read_together(const std::function<result<void>()>& read) const;

    /// Calls `visit` for every digest that a manifest is or leads to, in the order of rows. `visit` returns false to
    /// stop.
    result<void> for_each_content(const std::function<bool(const content_view&)>& visit) const;
    /// Calls `visit` for every label of every manifest (its digest, key, value), by manifest, then key.
    result<void>
    for_each_label(const std::function<bool(const digest&, std::string_view, std::string_view)>& visit) const;
    /// Calls `visit` for every index that lists `d`.
    result<void> for_each_parent(const digest& d, const std::function<bool(const digest&)>& visit) const;
    /// Calls `visit` for every manifest whose `subject` is `d`, wherever it is.
    result<void> for_each_with_subject(const digest& d, const std::function<bool(const digest&)>& visit) const;
    /// Calls `visit` for the referrers that the registry told of: repository, subject, referrer; sorted by repository.
    result<void>
    for_each_referrer(const std::function<bool(std::string_view, const digest&, const digest&)>& visit) const;

    /// Calls `visit` for those of one subject: repository, referrer; sorted.
    result<void> for_each_referrer_of(const digest& subject,
                                      const std::function<bool(std::string_view, const digest&)>& visit) const;

    /// Walks through links, in the order of the rows that they come from: blobs of manifests (config, then layers),
    /// children of indexes, subjects.
    result<void> for_each_blob_link(const std::function<bool(const link_view&)>& visit) const;
    result<void> for_each_child_link(const std::function<bool(const link_view&)>& visit) const;
    result<void> for_each_subject_link(const std::function<bool(const link_view&)>& visit) const;

    /// Calls `visit` for every digest that tags point to, or that children or referrers of them have, and that is
    /// not known here, with a repository that should have it. Those that were put as absent are left out. `visit` may
    /// put what it found; what is named thereby is not visited.
    result<void> for_each_unknown(const index& tags,
                                  const std::function<bool(const digest&, std::string_view repository)>& visit) const;

    /// Remembers that the registry does not have a manifest that is named somewhere, so that nobody asks again.
    result<void> put_absent(const digest& d);
    result<bool> is_absent(const digest& d) const;
    result<void> forget_absent();

    /// Whether the registry was found to know the referrers API; nothing if it was never asked.
    result<std::optional<bool>> tells_referrers() const;
    result<void> set_tells_referrers(bool does);

    /// Adds manifests, all or none; those known already stay as they are.
    result<void> put(std::span<const manifest_details> some);

    /// Replaces what is known of the referrers of `subject` in `repository`.
    result<void> put_referrers(std::string_view repository, const digest& subject, std::span<const digest> referrers);
    /// Calls `visit` for every digest and repository of `tags` that the registry was not asked for the referrers of.
    /// `visit` may put what it found.
    result<void> for_each_unasked(const index& tags,
                                  const std::function<bool(const digest&, std::string_view repository)>& visit) const;
    /// Whether the registry was ever asked for them.
    result<bool> asked_referrers(std::string_view repository, const digest& subject) const;

    /// Groups what is put between `begin` and `commit`: it becomes durable together, and far faster.
    result<void> begin();
    result<void> commit();

    /// Forgets what no tag of `tags` leads to any more: by children or referrers, of either kind. Returns how many
    /// manifests. Only for an index of the whole registry.
    result<std::uint64_t> prune(const index& tags);

    result<std::uint64_t> manifests() const; ///< how many are known

private:
    struct impl;
    explicit details_store(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
