#ifndef REGSWEEP_SELECT_POLICY_HPP
#define REGSWEEP_SELECT_POLICY_HPP

#include "regsweep/core/error.hpp"
#include "regsweep/select/version_range.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// Reads `30d`: a whole number and one of the units `s`, `m` (minutes), `h`, `d`, `w`, `y` (365 days).
/// Fails with `errc::bad_argument`.
result<std::chrono::seconds> parse_duration(std::string_view text);

/// How many tags of one repository may go.
struct removal_limit
{
    std::uint64_t value = 50;
    bool percent = true; ///< of the repository's tags, rounded down

    bool allows(std::uint64_t going, std::uint64_t tags) const noexcept
    {
        return percent ? going * 100 <= value * tags : going <= value;
    }
    /// Reads `100` or `50%`. Fails with `errc::bad_argument`.
    static result<removal_limit> parse(std::string_view text);
    friend bool operator==(const removal_limit&, const removal_limit&) = default;
};
/// `100` or `50%`.
std::string to_string(const removal_limit& limit);

enum class newest_order {
    created, ///< by the time the image was made
    version, ///< by `sort_order`
    name,    ///< bytewise
};

/// The newest tags of each group.
struct newest_condition
{
    std::uint64_t count = 0;
    std::string group_by; ///< regular expression whose groups, or match, make the group; empty: all tags are one
    newest_order order = newest_order::created;

    friend bool operator==(const newest_condition&, const newest_condition&) = default;
};

/// What a rule asks of a tag: all that is set must hold.
struct rule_conditions
{
    std::vector<std::string> tags;        ///< globs, one of which matches
    std::vector<std::string> regexes;     ///< of which one matches the whole tag; `regex` in files
    std::optional<version_range> version; ///< loose
    std::optional<version_range> semver;  ///< semantic
    std::optional<newest_condition> newest;
    std::optional<std::chrono::seconds> younger_than;
    std::optional<std::chrono::seconds> older_than;
    std::vector<std::string> labels;      ///< `key` or `key=glob`, all of which the image has
    std::vector<std::string> platforms;   ///< globs of `os/architecture[/variant]`; `platform` in files
    std::vector<std::string> media_types; ///< globs; `media_type` in files
    bool untagged = false;                ///< manifests without tags, and nothing else

    friend bool operator==(const rule_conditions&, const rule_conditions&) = default;
};

enum class rule_action { keep, remove };

/// A repository's name: a glob, or a regular expression that matches all of it.
struct name_pattern
{
    std::string text;
    bool regex = false;

    friend bool operator==(const name_pattern&, const name_pattern&) = default;
};

struct retention_rule
{
    std::string name;                       ///< for people; may be empty
    std::vector<name_pattern> repositories; ///< one of which matches; empty: all
    rule_action action = rule_action::keep;
    rule_conditions when;

    friend bool operator==(const retention_rule&, const retention_rule&) = default;
};

/// What to keep and what to remove. The first rule that matches a tag decides; what no rule matches is kept.
/// docs/retention.md describes it.
struct retention_policy
{
    std::vector<std::string> protect; ///< globs of tags that are kept whatever the rules say
    bool untag = false;               ///< take tags off manifests that other tags keep
    bool with_children = false;       ///< what only indexes list that go, goes too
    bool follow_referrers = true;     ///< signatures and the like go with their image; without it they all stay
    removal_limit max_remove;
    std::vector<retention_rule> rules;

    friend bool operator==(const retention_policy&, const retention_policy&) = default;
};

/// Whether deciding needs more than names and media types: facts from the manifests themselves.
bool needs_details(const retention_policy& p) noexcept;

/// Reads a policy in YAML. `name` is what errors call it. Fails with `errc::bad_file`: one sentence that begins with
/// `name:line:column:` and says what was expected there. At most 1 MiB, no anchors and aliases.
result<retention_policy> parse_policy(std::string_view text, std::string_view name);

/// Reads a file, or standard input for `-`. Fails as `parse_policy` does and with `errc::io`.
result<retention_policy> read_policy(const std::filesystem::path& file);

/// What is wrong with a rule however it was made, in one sentence; nothing if it can be used.
std::optional<std::string> problem_of(const retention_rule& rule);

} // namespace regsweep

#endif
