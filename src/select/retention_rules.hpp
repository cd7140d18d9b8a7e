#ifndef REGSWEEP_SELECT_RETENTION_RULES_HPP
#define REGSWEEP_SELECT_RETENTION_RULES_HPP

#include "regsweep/select/matcher.hpp"
#include "regsweep/select/retention.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::detail {

enum class answer : std::uint8_t { no, unknown, yes };

/// What a manifest is, for the conditions of a rule: of an index also what its children are.
class manifest_facts
{
public:
    manifest_facts(const retention_repository& of, timestamp now) : of_(&of), now_(now) {}

    /// How long ago it was made, in seconds, rounded down; nothing if that is not known.
    std::optional<std::int64_t> age(std::uint32_t manifest) const;
    std::optional<timestamp> created(std::uint32_t manifest) const;

    answer has_platform(std::uint32_t manifest, const std::vector<std::string>& globs, rule_action action) const;
    answer has_label(std::uint32_t manifest, std::string_view label) const;
    answer has_media_type(std::uint32_t manifest, const std::vector<std::string>& globs) const;

private:
    const retention_manifest& at(std::uint32_t manifest) const { return of_->manifests[manifest]; }

    const retention_repository* of_;
    timestamp now_;
};

/// A rule, ready to ask.
class compiled_rule
{
public:
    static result<compiled_rule> create(const retention_rule& rule);

    const retention_rule& rule() const noexcept { return *rule_; }

    result<bool> has_repository(std::string_view name);
    /// The conditions about a tag's name, `newest` left out.
    result<bool> has_name(std::string_view tag);
    /// The conditions about its manifest.
    answer has_facts(const manifest_facts& facts, std::uint32_t manifest) const;
    bool asks_time() const noexcept;

    /// The group of a tag for `newest`; nothing if `group_by` does not match it.
    result<std::optional<std::string>> group(std::string_view tag);

private:
    const retention_rule* rule_ = nullptr;
    std::vector<std::optional<regex_matcher>> repositories_; ///< nothing where it is a glob
    std::vector<regex_matcher> names_;
    std::optional<regex_matcher> group_;
};

} // namespace regsweep::detail

#endif
