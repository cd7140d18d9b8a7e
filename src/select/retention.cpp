#include "regsweep/select/retention.hpp"

#include "select/retention_judge.hpp"
#include "select/retention_rules.hpp"

#include <array>

namespace regsweep {
namespace {

using detail::compiled_rule;

std::string range_part(const char* key, const std::optional<version_range>& range)
{
    return range ? std::string(key) + " " + range->text() : std::string();
}

std::string duration_text(std::chrono::seconds span)
{
    const std::int64_t n = span.count();
    if (n != 0 && n % 86400 == 0)
        return std::to_string(n / 86400) + "d";
    if (n != 0 && n % 3600 == 0)
        return std::to_string(n / 3600) + "h";
    return std::to_string(n) + "s";
}

std::string newest_part(const newest_condition& newest)
{
    constexpr std::array<const char*, 3> orders = {"created", "version", "name"};
    return "the newest " + std::to_string(newest.count) + " by " + orders.at(static_cast<std::size_t>(newest.order)) +
           (newest.group_by.empty() ? "" : " of each group of " + newest.group_by);
}

std::string conditions_text(const rule_conditions& when)
{
    std::string out;
    const auto part = [&](const std::string& text) {
        if (!text.empty())
            out += (out.empty() ? "" : ", ") + text;
    };
    const auto list = [&](const char* key, const std::vector<std::string>& values) {
        std::string text;
        for (const auto& value : values)
            text += (text.empty() ? std::string(key) + " " : " ") + value;
        part(text);
    };
    part(when.untagged ? "untagged" : "");
    list("tags", when.tags);
    list("regex", when.regexes);
    part(range_part("version", when.version));
    part(range_part("semver", when.semver));
    part(when.younger_than ? "younger than " + duration_text(*when.younger_than) : "");
    part(when.older_than ? "older than " + duration_text(*when.older_than) : "");
    list("labels", when.labels);
    list("platform", when.platforms);
    list("media type", when.media_types);
    part(when.newest ? newest_part(*when.newest) : "");
    return out;
}

std::string rule_description(const retention_rule& rule, std::size_t number)
{
    return "rule " + std::to_string(number + 1) + (rule.name.empty() ? "" : " '" + printable(rule.name, 100) + "'") +
           " (" + (rule.action == rule_action::keep ? "keep" : "remove") + " " +
           printable(conditions_text(rule.when), 300) + ")";
}

} // namespace

struct retention::impl
{
    retention_policy policy;
    timestamp now;
    in_use_references used;
    std::vector<compiled_rule> rules;
    std::vector<std::string> texts; ///< of rules
};

retention::retention(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
retention::retention(retention&&) noexcept = default;
retention& retention::operator=(retention&&) noexcept = default;
retention::~retention() = default;

result<retention> retention::create(retention_policy policy, timestamp now, in_use_references used)
{
    auto made = std::make_unique<impl>();
    made->policy = std::move(policy);
    made->now = now;
    made->used = std::move(used);
    for (std::size_t i = 0; i != made->policy.rules.size(); ++i) {
        auto compiled = compiled_rule::create(made->policy.rules[i]);
        if (!compiled)
            return compiled.error();
        made->rules.push_back(std::move(*compiled));
        made->texts.push_back(rule_description(made->policy.rules[i], i));
    }
    return retention(std::move(made));
}

const retention_policy& retention::policy() const noexcept
{
    return impl_->policy;
}

result<repository_decision> retention::decide(const retention_repository& of)
{
    return detail::judge_repository(impl_->policy, impl_->rules, impl_->now, impl_->used, of);
}

std::string retention::rule_text(std::uint32_t rule) const
{
    return impl_->texts.at(rule);
}

std::string retention::why(const retention_repository& of, const repository_decision& decided, std::size_t tag) const
{
    const tag_decision& what = decided.tags.at(tag);
    const auto by_rule = [&] { return what.rule == tag_decision::none ? std::string() : rule_text(what.rule); };
    const auto manifest = [&] { return of.manifests.at(what.other).id.to_string(); };
    const auto although = [&] { return what.rule == tag_decision::none ? "" : ", although " + by_rule() + " matches"; };
    switch (what.reason) {
    case fate_reason::no_rule: return what.untimed ? "no rule matches; its time is not known" : "no rule matches";
    case fate_reason::by_rule: return by_rule() + (what.fate == tag_fate::untag ? "; its manifest stays" : "");
    case fate_reason::unsure:
        return by_rule() +
               (what.untimed ? " asks for its time, which is not known" : " asks for what is not known of it");
    case fate_reason::protected_: return "the policy protects it";
    case fate_reason::in_use: return "it is in use";
    case fate_reason::holds_used: return "its manifest, or one that it lists, is in use" + although();
    case fate_reason::shared: return "the tag " + of.tags.at(what.other).name + " keeps its manifest" + although();
    case fate_reason::listed: return "an index that stays lists its manifest: " + manifest() + although();
    case fate_reason::refers: return "it refers to a manifest that stays: " + manifest() + although();
    case fate_reason::orphan: return "it is named for a manifest that is not known here";
    case fate_reason::referrer: return "the policy keeps what refers to others";
    case fate_reason::with_subject: return "it refers to a manifest that goes: " + manifest();
    }
    return {};
}

std::string retention::why_manifest(const retention_repository& of, const repository_decision& decided,
                                    std::size_t manifest) const
{
    const manifest_decision& what = decided.manifests.at(manifest);
    if (what.rule != tag_decision::none)
        return rule_text(what.rule);
    if (what.because == tag_decision::none)
        return {};
    return "goes with " + of.manifests.at(what.because).id.to_string();
}

result<void> retention::check_limit(const retention_repository& of, const repository_decision& decided) const
{
    const std::uint64_t going = decided.removed + decided.untagged;
    if (impl_->policy.max_remove.allows(going, of.tags.size()))
        return {};
    return error(errc::over_limit,
                 "the policy takes " + std::to_string(going) + " of the " + std::to_string(of.tags.size()) +
                     " tags of repository '" + of.name + "', more than " + to_string(impl_->policy.max_remove) +
                     ": nothing is deleted; look at --explain, then raise --max-remove or give --force");
}

} // namespace regsweep
