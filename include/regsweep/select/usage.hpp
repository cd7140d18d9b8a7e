#ifndef REGSWEEP_SELECT_USAGE_HPP
#define REGSWEEP_SELECT_USAGE_HPP

#include "regsweep/index/details.hpp"
#include "regsweep/index/index.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep {

/// Index and details in memory, with small numbers for manifests: what leads where, and how large it is.
/// A manifest is present in a repository if a tag there points to it, if an index that is present there lists it, or if
/// the registry told of it as a referrer of something present there.
/// About 100 bytes for each manifest and 16 for each blob. Constant once loaded: any thread.
class content_graph
{
public:
    /// Manifests are numbered from 0, repositories too (sorted by name).
    using number = std::uint32_t;
    static constexpr number none = 0xffffffff;

    static result<content_graph> load(const index& tags, const details_store& facts);

    content_graph(content_graph&&) noexcept;
    content_graph& operator=(content_graph&&) noexcept;
    ~content_graph();

    number manifests() const noexcept; ///< known ones, and those that tags or indexes name
    number unknown() const noexcept;   ///< of these, those whose details are not known
    number repositories() const noexcept;
    std::string_view repository(number which) const noexcept;
    number find_repository(std::string_view name) const noexcept; ///< or `none`

    number find(const digest& d) const noexcept; ///< or `none`
    digest id(number manifest) const noexcept;
    bool known(number manifest) const noexcept; ///< whether its details are known; if not, it leads nowhere
    media_type type(number manifest) const noexcept;
    std::optional<timestamp> created(number manifest) const noexcept;
    const regsweep::platform& platform(number manifest) const noexcept;
    number subject(number manifest) const noexcept; ///< or `none`

    /// The manifest of each tag, in the order of `index::for_each_tag`.
    std::span<const number> tagged(number repository) const noexcept;
    /// What an index lists, in its order.
    std::span<const number> children(number manifest) const noexcept;

    /// Every manifest that is present, each once: those of tags first.
    std::vector<number> present(number repository) const;

    /// Pairs of subject and referrer in a repository, sorted: manifests present there whose `subject` is the first,
    /// those the registry told of, those tagged `sha256-<hex>` or `sha256-<hex>.sig|.att|.sbom`, BuildKit's
    /// attestations.
    std::vector<std::pair<number, number>> referrers(number repository) const;
    /// The same with the result of `present`.
    std::vector<std::pair<number, number>> referrers(number repository, std::span<const number> present_there) const;

    /// Of these, those that the registry told of, which need have no other trace.
    std::span<const std::pair<number, number>> told_referrers(number repository) const noexcept;

    /// Blobs have numbers of their own, below this; some may not be in use.
    number blobs() const noexcept;
    /// The config and layers of a manifest that the registry holds, in its order.
    std::span<const number> blobs(number manifest) const noexcept;
    /// The manifest's own bytes as a blob.
    number blob_of(number manifest) const noexcept;
    std::uint64_t blob_size(number blob) const noexcept; ///< bytes; 0 if unknown

    /// Has the processor fetch the facts of manifests that are asked for next. Numbers of other things are undefined.
    void prefetch(std::span<const number> some) const noexcept;

private:
    friend class graph_loader;
    struct impl;
    explicit content_graph(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

/// Sizes in bytes. Unknown sizes count as 0.
struct repository_usage
{
    content_graph::number repository = content_graph::none;
    std::uint64_t tags = 0;
    std::uint64_t manifests = 0;    ///< present
    std::uint64_t untagged = 0;     ///< of these, without a tag in this repository: children and referrers
    std::uint64_t unknown = 0;      ///< of these, whose details are not known: their size is not in what follows
    std::uint64_t logical_size = 0; ///< of all its blobs, each once: manifests, configs, layers
    std::uint64_t unique_size = 0;  ///< of those that no other repository has
    std::uint64_t shared_size = 0;  ///< of those that another has, too: the difference
};

struct usage_report
{
    std::vector<repository_usage> repositories; ///< those asked for, in their order
    repository_usage total;                     ///< as if they were one repository; its tags are added up
};

/// What each of these repositories uses, beside all others of the graph.
usage_report disk_usage(const content_graph& of, std::span<const content_graph::number> repositories);

/// Of one tag: what it leads to, and what of this no other tag of any repository leads to.
struct tag_usage
{
    std::uint64_t logical_size = 0;
    std::uint64_t unique_size = 0;
    std::uint64_t shared_size = 0;
    std::uint64_t unknown = 0; ///< manifests it leads to whose details are not known
};

/// For every tag of these repositories, in the order of `index::for_each_tag`.
std::vector<std::vector<tag_usage>> tag_usages(const content_graph& of,
                                               std::span<const content_graph::number> repositories);

/// A manifest to be deleted from a repository, by its digest.
struct manifest_deletion
{
    content_graph::number repository = 0;
    content_graph::number manifest = 0;
};

struct freed_space
{
    std::uint64_t bytes = 0;
    std::uint64_t blobs = 0; ///< manifests, configs and layers
    std::uint64_t unknown =
        0; ///< manifests that go or remain and whose details are not known: with some, `bytes` is a guess
};

/// What the registry's garbage collection gives back after `deletions`: the blobs of what goes that no manifest uses
/// which remains in any repository. An index uses its children's manifests, but children and referrers of what is
/// deleted remain unless they are deleted, too, as docker-registry does without --delete-untagged. Manifests
/// without a tag that nothing leads to are not known here: a registry that has such may free less.
freed_space freed_by(const content_graph& of, std::span<const manifest_deletion> deletions);

} // namespace regsweep

#endif
