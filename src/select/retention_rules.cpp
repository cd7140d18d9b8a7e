#include "select/retention_rules.hpp"

#include <algorithm>
#include <unordered_set>

namespace regsweep::detail {
namespace {

// Nothing that is in a registry was made before; reproducible builds write 0001-01-01, 1970-01-01 or 1980-01-01.
constexpr std::int64_t first_time = 315532802; // 1980-01-01T00:00:02Z

bool any_matches(const std::vector<std::string>& globs, std::string_view text)
{
    return std::ranges::any_of(globs, [&](const std::string& glob) { return glob_match(glob, text); });
}

answer yes_if(bool condition) noexcept
{
    return condition ? answer::yes : answer::no;
}

bool label_matches(const std::pair<std::string, std::string>& label, std::string_view wanted)
{
    const std::size_t equals = wanted.find('=');
    if (label.first != wanted.substr(0, equals))
        return false;
    return equals == std::string_view::npos || glob_match(wanted.substr(equals + 1), label.second);
}

/// Calls `visit` for a manifest and all that it lists, each once.
template<class Visit>
void for_family(const retention_repository& of, std::uint32_t manifest, const Visit& visit)
{
    if (of.manifests[manifest].children.empty()) {
        visit(of.manifests[manifest]);
        return;
    }
    std::vector<std::uint32_t> family{manifest};
    std::unordered_set<std::uint32_t> seen{manifest};
    for (std::size_t i = 0; i != family.size(); ++i) {
        const retention_manifest& next = of.manifests[family[i]];
        visit(next);
        for (const std::uint32_t child : next.children)
            if (seen.insert(child).second)
                family.push_back(child);
    }
}

std::optional<timestamp> told_time(const retention_manifest& m) noexcept
{
    return m.created && m.created->seconds >= first_time ? m.created : std::nullopt;
}

} // namespace

std::optional<timestamp> manifest_facts::created(std::uint32_t manifest) const
{
    if (const auto own = told_time(at(manifest)); own || at(manifest).children.empty())
        return own;
    std::optional<timestamp> newest;
    for_family(*of_, manifest, [&](const retention_manifest& m) { newest = std::max(newest, told_time(m)); });
    return newest;
}

std::optional<std::int64_t> manifest_facts::age(std::uint32_t manifest) const
{
    const auto when = created(manifest);
    if (!when)
        return std::nullopt;
    return now_.seconds - when->seconds - (now_.nanoseconds < when->nanoseconds ? 1 : 0);
}

answer manifest_facts::has_platform(std::uint32_t manifest, const std::vector<std::string>& globs,
                                    rule_action action) const
{
    bool some = false;
    bool all = true;
    bool unknown = false;
    for_family(*of_, manifest, [&](const retention_manifest& m) {
        if (is_index(m.type) && m.known)
            return;
        if (m.platform == "unknown/unknown") // an attestation, which runs nowhere
            return;
        const bool matches = any_matches(globs, m.platform);
        unknown = unknown || m.platform.empty();
        some = some || matches;
        all = all && matches;
    });
    if (action == rule_action::keep)
        return some ? answer::yes : unknown ? answer::unknown : answer::no;
    if (unknown)
        return answer::unknown;
    return yes_if(some && all);
}

answer manifest_facts::has_label(std::uint32_t manifest, std::string_view label) const
{
    bool found = false;
    bool unknown = false;
    for_family(*of_, manifest, [&](const retention_manifest& m) {
        unknown = unknown || !m.known;
        found = found || std::ranges::any_of(m.labels, [&](const auto& own) { return label_matches(own, label); });
    });
    return found ? answer::yes : unknown ? answer::unknown : answer::no;
}

answer manifest_facts::has_media_type(std::uint32_t manifest, const std::vector<std::string>& globs) const
{
    const media_type type = at(manifest).type;
    return type == media_type::unknown ? answer::unknown : yes_if(any_matches(globs, to_string(type)));
}

result<compiled_rule> compiled_rule::create(const retention_rule& rule)
{
    if (const auto problem = problem_of(rule))
        return error(errc::bad_argument, *problem);
    compiled_rule out;
    out.rule_ = &rule;
    for (const auto& pattern : rule.repositories) {
        out.repositories_.emplace_back();
        if (!pattern.regex)
            continue;
        auto compiled = regex_matcher::create(pattern.text, regex_matcher::extent::whole);
        if (!compiled)
            return compiled.error();
        out.repositories_.back() = std::move(*compiled);
    }
    for (const auto& pattern : rule.when.regexes) {
        auto compiled = regex_matcher::create(pattern, regex_matcher::extent::whole);
        if (!compiled)
            return compiled.error();
        out.names_.push_back(std::move(*compiled));
    }
    if (rule.when.newest && !rule.when.newest->group_by.empty()) {
        auto compiled = regex_matcher::create(rule.when.newest->group_by, regex_matcher::extent::beginning);
        if (!compiled)
            return compiled.error();
        out.group_ = std::move(*compiled);
    }
    return out;
}

result<bool> compiled_rule::has_repository(std::string_view name)
{
    if (rule_->repositories.empty())
        return true;
    for (std::size_t i = 0; i != repositories_.size(); ++i) {
        if (!repositories_[i]) {
            if (glob_match(rule_->repositories[i].text, name))
                return true;
            continue;
        }
        const auto matched = repositories_[i]->match(name);
        if (!matched || *matched)
            return matched;
    }
    return false;
}

result<bool> compiled_rule::has_name(std::string_view tag)
{
    const rule_conditions& when = rule_->when;
    if (!when.tags.empty() && !any_matches(when.tags, tag))
        return false;
    if ((when.version && !when.version->matches(tag)) || (when.semver && !when.semver->matches(tag)))
        return false;
    for (auto& pattern : names_) {
        const auto matched = pattern.match(tag);
        if (!matched || *matched)
            return matched;
    }
    return names_.empty();
}

answer compiled_rule::has_facts(const manifest_facts& facts, std::uint32_t manifest) const
{
    const rule_conditions& when = rule_->when;
    answer all = answer::yes;
    const auto ask = [&](answer next) { all = std::min(all, next); };
    if (!when.media_types.empty())
        ask(facts.has_media_type(manifest, when.media_types));
    if (!when.platforms.empty())
        ask(facts.has_platform(manifest, when.platforms, rule_->action));
    for (const auto& label : when.labels)
        ask(facts.has_label(manifest, label));
    if (when.younger_than || when.older_than) {
        const auto age = facts.age(manifest);
        if (!age)
            ask(answer::unknown);
        else
            ask(yes_if((!when.younger_than || *age < when.younger_than->count()) &&
                       (!when.older_than || *age >= when.older_than->count())));
    }
    return all;
}

bool compiled_rule::asks_time() const noexcept
{
    const rule_conditions& when = rule_->when;
    return when.younger_than || when.older_than || (when.newest && when.newest->order == newest_order::created);
}

result<std::optional<std::string>> compiled_rule::group(std::string_view tag)
{
    if (!group_)
        return std::optional<std::string>(std::in_place);
    const auto matched = group_->match(tag);
    if (!matched)
        return matched.error();
    if (!*matched)
        return std::optional<std::string>();
    if (group_->groups() == 0)
        return std::optional<std::string>(group_->group(0));
    std::string name;
    for (std::size_t i = 1; i <= group_->groups(); ++i)
        (name += i == 1 ? "" : "\n") += group_->group(i); // no tag has a line feed
    return std::optional<std::string>(std::move(name));
}

} // namespace regsweep::detail
