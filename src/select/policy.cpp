#include "regsweep/select/policy.hpp"

#include "regsweep/core/names.hpp"
#include "regsweep/select/matcher.hpp"
#include "select/yaml_reader.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <span>
#include <utility>

namespace regsweep {
namespace {

using detail::found_text;
using detail::whole_number;
using detail::yaml_kind;
using detail::yaml_node;

constexpr std::size_t policy_limit = 1024 * 1024 + 1; // one more than the parser takes, so that it says so

/// Reads a policy out of a tree; the first mistake is thrown, and caught before anybody sees it.
class policy_reader : detail::yaml_reader
{
public:
    using detail::yaml_reader::mistake;
    using detail::yaml_reader::yaml_reader;

    retention_policy read(const yaml_node& root)
    {
        retention_policy out;
        bool version = false;
        const fields known = {
            {"version", [&](const yaml_node& n) { version = read_format(n); }},
            {"protect", [&](const yaml_node& n) { out.protect = tag_globs(n); }},
            {"untag", [&](const yaml_node& n) { out.untag = yes_or_no(n); }},
            {"with_children", [&](const yaml_node& n) { out.with_children = yes_or_no(n); }},
            {"referrers", [&](const yaml_node& n) { out.follow_referrers = one_of(n, {"follow", "keep"}) == 0; }},
            {"max_remove",
             [&](const yaml_node& n) { out.max_remove = parsed<removal_limit>(n, removal_limit::parse); }},
            {"rules", [&](const yaml_node& n) { out.rules = rules(n); }},
        };
        read_fields(root, "the policy", known);
        if (!version)
            fail(root, "expected 'version: 1', the format that this file is written in");
        if (out.rules.empty())
            fail(root, "expected 'rules', a list with at least one rule");
        return out;
    }

private:
    std::vector<std::string> tag_globs(const yaml_node& node) const
    {
        std::vector<std::string> out;
        for_each_item(node, "tag patterns", [&](const yaml_node& item) {
            out.push_back(word(item, "a tag pattern such as 'v1.*'"));
            if (out.back().find_first_of("/: \t") != std::string::npos)
                fail(item, "expected a tag pattern, found " + found_text(item) +
                               ": no tag has a slash, colon or blank; repositories have a key of their own");
        });
        return out;
    }

    std::vector<std::string> patterns(const yaml_node& node) const
    {
        std::vector<std::string> out;
        for_each_item(node, "regular expressions", [&](const yaml_node& item) {
            out.push_back(word(item, "a regular expression"));
            check_regex(item, out.back());
        });
        return out;
    }

    void check_regex(const yaml_node& at, const std::string& pattern) const
    {
        const auto compiled = regex_matcher::create(pattern, regex_matcher::extent::whole);
        if (!compiled)
            fail(at, compiled.error().detail);
    }

    bool read_format(const yaml_node& node) const
    {
        if (number(node) != 1)
            fail(node, "expected version 1, the only format that this program reads, found " + found_text(node));
        return true;
    }

    std::vector<retention_rule> rules(const yaml_node& node) const
    {
        if (node.kind != yaml_kind::list)
            fail(node, "expected a list of rules, each beginning with '- ', found " + found_text(node));
        std::vector<retention_rule> out;
        out.reserve(node.items.size());
        for (const auto& item : node.items)
            out.push_back(rule(item));
        return out;
    }

    retention_rule rule(const yaml_node& node) const
    {
        retention_rule out;
        const yaml_node* action = nullptr;
        const auto decides = [&](rule_action what, const yaml_node& n) {
            if (action != nullptr)
                fail(n, "a rule either keeps or removes: expected one of keep and remove, found both");
            action = &n;
            out.action = what;
            out.when = conditions(n);
        };
        const fields known = {
            {"name", [&](const yaml_node& n) { out.name = word(n, "a name"); }},
            {"repositories", [&](const yaml_node& n) { out.repositories = repositories(n); }},
            {"keep", [&](const yaml_node& n) { decides(rule_action::keep, n); }},
            {"remove", [&](const yaml_node& n) { decides(rule_action::remove, n); }},
        };
        read_fields(node, "a rule", known);
        if (action == nullptr)
            fail(node, "expected 'keep' or 'remove' in this rule, found neither");
        if (const auto problem = problem_of(out))
            fail(*action, *problem);
        return out;
    }

    std::vector<name_pattern> repositories(const yaml_node& node) const
    {
        std::vector<name_pattern> out;
        for_each_item(node, "repositories", [&](const yaml_node& item) { out.push_back(repository(item)); });
        return out;
    }

    name_pattern repository(const yaml_node& node) const
    {
        if (node.kind == yaml_kind::map) {
            name_pattern out{{}, true};
            const fields known = {{"regex", [&](const yaml_node& n) { out.text = word(n, "a regular expression"); }}};
            read_fields(node, "a repository's pattern", known);
            check_regex(node, out.text);
            return out;
        }
        const std::string& text = word(node, "a repository's name, glob, /regex/ or {regex: ...}");
        if (text.size() > 2 && text.front() == '/' && text.back() == '/') {
            name_pattern out{text.substr(1, text.size() - 2), true};
            check_regex(node, out.text);
            return out;
        }
        if (text.find_first_of(": \t") != std::string::npos)
            fail(node, "expected a repository's name or glob, found " + found_text(node) +
                           ": no repository has a colon or blank; tags have a key of their own");
        return {text, false};
    }

    rule_conditions conditions(const yaml_node& node) const
    {
        rule_conditions out;
        newest_condition newest;
        const yaml_node* of_newest = nullptr; // what makes sense with `newest` only
        const auto range = [&](version_scheme scheme) {
            return [scheme](std::string_view text) { return version_range::parse(text, scheme); };
        };
        const auto optional = [&](const yaml_node& n, const yaml_node*& seen) -> const yaml_node& {
            return *(seen = &n);
        };
        const fields known = {
            {"tags", [&](const yaml_node& n) { out.tags = tag_globs(n); }},
            {"regex", [&](const yaml_node& n) { out.regexes = patterns(n); }},
            {"version",
             [&](const yaml_node& n) { out.version = parsed<version_range>(n, range(version_scheme::loose)); }},
            {"semver",
             [&](const yaml_node& n) { out.semver = parsed<version_range>(n, range(version_scheme::semantic)); }},
            {"newest",
             [&](const yaml_node& n) {
                 newest.count = number(n);
                 out.newest = newest;
             }},
            {"group_by",
             [&](const yaml_node& n) {
                 newest.group_by = word(optional(n, of_newest), "a regular expression");
                 check_regex(n, newest.group_by);
             }},
            {"order",
             [&](const yaml_node& n) {
                 newest.order =
                     static_cast<newest_order>(one_of(optional(n, of_newest), {"created", "version", "name"}));
             }},
            {"younger_than",
             [&](const yaml_node& n) { out.younger_than = parsed<std::chrono::seconds>(n, parse_duration); }},
            {"older_than",
             [&](const yaml_node& n) { out.older_than = parsed<std::chrono::seconds>(n, parse_duration); }},
            {"labels", [&](const yaml_node& n) { out.labels = words(n, "labels: key or key=value"); }},
            {"platform", [&](const yaml_node& n) { out.platforms = words(n, "platforms such as linux/arm64*"); }},
            {"untagged", [&](const yaml_node& n) { out.untagged = must_be_true(n); }},
            {"media_type", [&](const yaml_node& n) { out.media_types = words(n, "media types"); }},
        };
        read_fields(node, "keep and remove", known);
        if (of_newest != nullptr && !out.newest)
            fail(*of_newest, "group_by and order belong to 'newest: N', which this rule has not");
        if (out.newest)
            out.newest = newest;
        return out;
    }

    bool must_be_true(const yaml_node& node) const
    {
        if (!yes_or_no(node))
            fail(node, "expected true: rules without 'untagged' are about tags");
        return true;
    }
};

std::string read_all(std::istream& in)
{
    std::string text(policy_limit, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

} // namespace

result<std::chrono::seconds> parse_duration(std::string_view text)
{
    constexpr std::array<std::pair<char, std::int64_t>, 6> units = {
        {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}, {'y', 31536000}}};
    constexpr std::uint64_t most_seconds = std::uint64_t{10000} * 31536000; // all the years that a time can have
    const auto number = whole_number(text.substr(0, text.empty() ? 0 : text.size() - 1));
    const auto* const unit =
        std::ranges::find_if(units, [&](auto u) { return !text.empty() && u.first == text.back(); });
    if (!number || unit == units.end() || *number > most_seconds / static_cast<std::uint64_t>(unit->second))
        return error(errc::bad_argument,
                     "expected a duration such as 12h, 30d, 4w or 1y (units s, m, h, d, w, y), found '" +
                         printable(text, 60) + "'");
    return std::chrono::seconds(static_cast<std::int64_t>(*number) * unit->second);
}

result<removal_limit> removal_limit::parse(std::string_view text)
{
    removal_limit out;
    out.percent = text.ends_with('%');
    const auto number = whole_number(out.percent ? text.substr(0, text.size() - 1) : text);
    if (!number || *number > (out.percent ? 100U : std::uint64_t{1} << 40))
        return error(errc::bad_argument,
                     "expected a number of tags or a part such as 50%, found '" + printable(text, 60) + "'");
    out.value = *number;
    return out;
}

std::string to_string(const removal_limit& limit)
{
    return std::to_string(limit.value) + (limit.percent ? "%" : "");
}

bool needs_details(const retention_policy& p) noexcept
{
    return p.with_children || std::ranges::any_of(p.rules, [](const retention_rule& rule) {
               const rule_conditions& when = rule.when;
               return when.younger_than || when.older_than || !when.labels.empty() || !when.platforms.empty() ||
                      when.untagged || (when.newest && when.newest->order == newest_order::created);
           });
}

std::optional<std::string> problem_of(const retention_rule& rule)
{
    const rule_conditions& when = rule.when;
    if (when == rule_conditions())
        return "expected at least one condition: 'tags: \"*\"' is every tag";
    if (when.newest && rule.action == rule_action::remove)
        return "'newest' says what to keep: expected it below 'keep', with a 'remove' rule for the rest after it";
    if (when.newest && when.newest->count == 0)
        return "expected 'newest' to be 1 or more";
    const bool names = !when.tags.empty() || !when.regexes.empty() || when.version || when.semver || when.newest;
    if (when.untagged && names)
        return "manifests without tags have no names: expected no tags, regex, version, semver or newest beside "
               "untagged";
    return std::nullopt;
}

result<retention_policy> parse_policy(std::string_view text, std::string_view name)
{
    const auto tree = detail::read_yaml(text, name);
    if (!tree)
        return tree.error();
    try {
        return policy_reader(name).read(*tree);
    } catch (const policy_reader::mistake& e) {
        return e.why;
    }
}

result<retention_policy> read_policy(const std::filesystem::path& file)
{
    if (file == "-")
        return parse_policy(read_all(std::cin), "standard input");
    std::ifstream in(file, std::ios::binary);
    std::string text;
    if (in)
        text = read_all(in);
    if (!in && !in.eof())
        return error(errc::io, "the policy '" + printable(file.string()) + "' cannot be read: is it there?");
    return parse_policy(text, file.string());
}

} // namespace regsweep
