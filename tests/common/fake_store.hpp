#ifndef REGSWEEP_TESTS_COMMON_FAKE_STORE_HPP
#define REGSWEEP_TESTS_COMMON_FAKE_STORE_HPP

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::test {

/// Repository → tag → digest.
using fake_snapshot = std::map<std::string, std::map<std::string, std::string>>;

struct fake_manifest
{
    std::string media_type;
    std::string bytes;
    std::string digest;
};

/// The content a fake registry keeps: repositories with manifests, tags and blobs. Digests are text. Thread-safe:
/// every function is one step under the store's mutex.
class fake_store
{
public:
    /// Stores a manifest, makes the repository if it is new, and returns the digest (SHA-256 unless one is given).
    std::string put_manifest(const std::string& repository, std::string bytes, std::string media_type,
                             const std::string& digest = {});

    /// Points the tag at a digest, which need not exist: dangling tags are worth testing.
    void tag(const std::string& repository, const std::string& tag, const std::string& digest);

    /// Stores a small valid Docker schema 2 manifest that no other text gives, tags it and returns its digest. The
    /// blobs it names are stored too.
    std::string put_image(const std::string& repository, const std::string& tag, const std::string& text);

    std::string put_blob(const std::string& repository, std::string bytes, const std::string& digest = {});

    /// Whether there was such a tag.
    bool remove_tag(const std::string& repository, const std::string& tag);

    /// Removes the manifest and every tag that points to it; whether it was there.
    bool remove_manifest(const std::string& repository, const std::string& digest);
    /// The next deletions by request break off as docker-registry's do while a tag is being pushed: the manifest goes,
    /// its tags stay in the list.
    void break_deletes(std::size_t how_many);
    /// Carries such a deletion out, if there is one left.
    bool break_delete(const std::string& repository, const std::string& digest);

    bool remove_blob(const std::string& repository, const std::string& digest);

    void add_repository(const std::string& repository);
    bool has_repository(const std::string& repository) const;

    /// All tags, for comparing what was there before and after.
    fake_snapshot snapshot() const;

    /// By tag or by digest.
    std::optional<fake_manifest> find_manifest(const std::string& repository, const std::string& reference) const;
    std::optional<std::string> find_blob(const std::string& repository, const std::string& digest) const;
    bool has_blob(const std::string& repository, const std::string& digest) const;
    bool has_manifest(const std::string& repository, const std::string& digest) const;

    /// Up to `limit` names that come after `last`, in order; with `only_tagged`, without emptied repositories.
    std::vector<std::string> repositories(const std::string& last, std::size_t limit, bool only_tagged = false) const;

    /// The same for tags; empty optional if there is no such repository.
    std::optional<std::vector<std::string>> tags(const std::string& repository, const std::string& last,
                                                 std::size_t limit) const;

    /// Blob uploads. `append` and `finish` tell whether there is such an upload.
    std::string start_upload(const std::string& repository);
    std::optional<std::size_t> append(const std::string& upload, std::string_view bytes);
    std::optional<std::string> finish(const std::string& upload);

private:
    struct repository_content
    {
        std::map<std::string, fake_manifest> manifests;
        std::map<std::string, std::string> tags;
        std::map<std::string, std::string> blobs;
    };
    const repository_content* find(const std::string& repository) const;

    mutable std::mutex mutex_;
    std::size_t deletes_to_break_ = 0;
    std::map<std::string, repository_content> repositories_;
    std::map<std::string, std::string> uploads_;
    std::size_t next_upload_ = 1;
};

} // namespace regsweep::test

#endif
