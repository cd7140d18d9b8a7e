#ifndef REGSWEEP_SELECT_RETENTION_HPP
#define REGSWEEP_SELECT_RETENTION_HPP

#include "regsweep/core/digest.hpp"
#include "regsweep/core/error.hpp"
#include "regsweep/core/manifest_details.hpp"
#include "regsweep/core/names.hpp"
#include "regsweep/core/timestamp.hpp"
#include "regsweep/select/in_use.hpp"
#include "regsweep/select/policy.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep {

/// A manifest of a repository, with or without tags, and the facts that policies ask for.
struct retention_manifest
{
    regsweep::digest id;
    media_type type = media_type::unknown;
    bool known = false;               ///< whether what follows is known
    std::optional<timestamp> created; ///< nothing for an index that does not tell: its newest child's counts then
    std::string platform;             ///< `linux/arm64/v8`
    string_pairs labels;
    std::vector<std::uint32_t> children; ///< of an index: their places in `retention_repository::manifests`
};

struct retention_tag
{
    std::string name;
    std::uint32_t manifest = 0; ///< its place in `retention_repository::manifests`
};

/// What a decision about one repository needs, in any order.
struct retention_repository
{
    std::string name;
    std::vector<retention_tag> tags;
    std::vector<retention_manifest> manifests; ///< each once
    /// Subject and referrer, by place. What tags such as `sha256-<hex>.sig` say need not be here.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> referrers;
};

enum class tag_fate : std::uint8_t {
    keep,
    remove, ///< with its manifest
    untag,  ///< alone
};

/// Why a tag stays or goes.
enum class fate_reason : std::uint8_t {
    no_rule,     ///< no rule matches it
    by_rule,     ///< a rule keeps or removes it
    unsure,      ///< kept: what a rule that keeps asks for is not known of it
    protected_,  ///< kept by `protect`
    in_use,      ///< kept: it is in use
    holds_used,  ///< kept: its manifest is in use, or lists what is
    shared,      ///< kept although a rule removes it: another tag keeps the manifest
    listed,      ///< kept although a rule removes it: an index that stays lists its manifest
    refers,      ///< kept: its manifest refers to one that stays
    orphan,      ///< kept: it is named for a manifest that is not known here
    referrer,    ///< kept: policy keeps what refers to others
    with_subject ///< goes: its manifest refers to one that goes
};

struct tag_decision
{
    static constexpr std::uint32_t none = 0xffffffff;

    tag_fate fate = tag_fate::keep;
    fate_reason reason = fate_reason::no_rule;
    std::uint32_t rule = none;  ///< that decided: its place in the policy's rules
    std::uint32_t other = none; ///< `shared`: a tag; `listed`, `refers`, `with_subject`: a manifest
    bool untimed = false;       ///< kept, and a rule asked for its time, which is not known
};

/// Why a manifest without tags goes.
struct manifest_decision
{
    bool stays = true;
    std::uint32_t rule = tag_decision::none; ///< without tags: the rule for untagged manifests that took it
    std::uint32_t because =
        tag_decision::none; ///< without tags: the manifest that goes and listed it, or was its subject
};

struct repository_decision
{
    std::vector<tag_decision> tags;           ///< as the repository's
    std::vector<manifest_decision> manifests; ///< as the repository's
    std::uint64_t kept = 0;                   ///< tags
    std::uint64_t removed = 0;                ///< tags that go with their manifests
    std::uint64_t untagged = 0;               ///< tags that go alone
    std::uint64_t manifests_removed = 0;
    std::uint64_t untimed = 0; ///< tags of `kept`, see `tag_decision::untimed`
};

/// A policy, ready to decide. Times are compared with `now`. What is not known of a manifest counts for keeping: it
/// meets the condition of a rule that keeps and misses that of a rule that removes. A time up to
/// 1980-01-01T00:00:01Z, as reproducible builds write, counts as not known.
///
/// An index has the labels of all that it lists. Of its platforms one must match for a rule that keeps, and all for one
/// that removes. Movable; one thread at a time.
class retention
{
public:
    /// Fails with `errc::bad_argument` and `errc::bad_regex`.
    static result<retention> create(retention_policy policy, timestamp now, in_use_references used = {});

    retention(retention&&) noexcept;
    retention& operator=(retention&&) noexcept;
    ~retention();

    const retention_policy& policy() const noexcept;

    /// Decides about every tag and manifest of a repository; the order of what is in it does not matter.
    /// Fails with `errc::match_limit`.
    result<repository_decision> decide(const retention_repository& of);

    /// A rule for people: its number, name and what it does.
    std::string rule_text(std::uint32_t rule) const;

    /// Why a tag stays or goes, in one sentence.
    std::string why(const retention_repository& of, const repository_decision& decided, std::size_t tag) const;
    /// Why a manifest without tags goes.
    std::string why_manifest(const retention_repository& of, const repository_decision& decided,
                             std::size_t manifest) const;

    /// Fails with `errc::over_limit` if more tags would go than the policy's `max_remove` allows.
    result<void> check_limit(const retention_repository& of, const repository_decision& decided) const;

private:
    struct impl;
    explicit retention(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
