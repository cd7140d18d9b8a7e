#ifndef REGSWEEP_TESTS_COMMON_FAKE_SYNTHETIC_HPP
#define REGSWEEP_TESTS_COMMON_FAKE_SYNTHETIC_HPP

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct evp_md_ctx_st;
struct evp_md_st;

namespace regsweep::test {

struct fake_synthetic_options
{
    std::size_t repositories = 0;           ///< at most 1,000,000; 0 turns synthetic content off
    std::size_t tags = 0;                   ///< in each repository
    std::string prefix = "synthetic/repo-"; ///< six digits follow it
    /// From 2 on: every `share`-th tag has the content of the tag before it (even repositories) or of the same tag in
    /// the repository before (odd ones). 0: every tag of every repository has its own.
    std::size_t share = 0;
    /// Not 0: only this many different manifests exist, computed beforehand. Saves a SHA-256 in every answer.
    std::size_t variants = 0;
    /// A deleted manifest is gone afterwards (404, its tags missing in lists); else deletes change nothing.
    bool remember_deletes = false;
};

/// Content that is computed from the number of a repository and of a tag instead of being stored, so that a registry
/// with a hundred million tags costs nothing. Manifests are valid, their digests are the SHA-256 of their bytes.
/// Thread-safe.
class fake_synthetic
{
public:
    /// What one thread needs to compute answers without allocating.
    class scratch
    {
    public:
        scratch();
        ~scratch();
        scratch(const scratch&) = delete;
        scratch& operator=(const scratch&) = delete;

    private:
        friend class fake_synthetic;
        evp_md_ctx_st* context_;
        evp_md_st* sha256_;
        std::string bytes_;
        std::string digest_;
        std::string answer_;
    };

    static constexpr const char* media_type = "application/vnd.docker.distribution.manifest.v2+json";

    explicit fake_synthetic(fake_synthetic_options options);

    bool active() const noexcept { return options_.repositories != 0; }
    const fake_synthetic_options& options() const noexcept { return options_; }

    std::string repository_name(std::size_t repository) const;
    std::optional<std::size_t> find_repository(std::string_view name) const noexcept;
    std::optional<std::size_t> find_tag(std::string_view name) const noexcept;
    /// The tag, if the reference is one, or the first tag with this digest.
    std::optional<std::size_t> find_reference(std::size_t repository, std::string_view reference) const;

    /// Up to `limit` names after `last`, in order.
    std::vector<std::string> repositories(std::string_view last, std::size_t limit) const;
    std::vector<std::string> tags(std::size_t repository, std::string_view last, std::size_t limit) const;

    /// The manifest's bytes and digest; valid until the next call with this scratch.
    std::string_view manifest(std::size_t repository, std::size_t tag, scratch& with) const;
    std::string_view digest(std::size_t repository, std::size_t tag, scratch& with) const;

    /// Appends the complete answer to GET, or to HEAD, of `path` and returns true, if it is the manifest of a
    /// synthetic tag. The fast path: everything else about the answer was computed beforehand.
    bool append_answer(std::string_view path, bool head, scratch& with, std::string& out) const;

    /// Whether the repository has this digest and it was not deleted before.
    bool remove(std::size_t repository, const std::string& digest);
    bool removed(std::size_t repository, const std::string& digest) const;
    /// How often each digest was deleted, by `name@digest`; empty unless `remember_deletes`.
    std::map<std::string, std::size_t> deletes() const;

private:
    using digest_table = std::vector<std::pair<std::uint64_t, std::uint32_t>>;

    std::uint64_t content(std::size_t repository, std::size_t tag) const noexcept;
    void compute(std::uint64_t content, scratch& with) const;
    void compute_answer(std::uint64_t content, scratch& with) const;
    std::shared_ptr<const digest_table> digests_of(std::size_t repository) const;

    fake_synthetic_options options_;
    std::string body_template_;
    std::size_t config_at_ = 0;
    std::size_t layer_at_ = 0;
    std::string head_template_;
    std::size_t digest_at_ = 0;
    std::vector<std::string> tag_names_; // in lexical order
    std::vector<std::string> answers_;   // of each variant

    mutable std::mutex mutex_;
    mutable std::unordered_map<std::size_t, std::shared_ptr<const digest_table>> digest_tables_;
    std::unordered_map<std::size_t, std::map<std::string, std::size_t>> removed_;
};

} // namespace regsweep::test

#endif
