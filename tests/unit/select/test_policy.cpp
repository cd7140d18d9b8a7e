#include "regsweep/select/policy.hpp"

#include "common/temp_dir.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <tuple>
#include <vector>

using namespace regsweep;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

/// The detail of the error that a policy gives; empty if it can be read.
std::string problem(const std::string& text)
{
    const auto read = parse_policy(text, "p.yml");
    if (read)
        return {};
    BOOST_TEST(read.error().is(errc::bad_file));
    return read.error().detail;
}

std::string with_rule(const std::string& rule)
{
    return "version: 1\nrules:\n  - " + rule + "\n";
}

retention_rule rule_of(const std::string& rule)
{
    return parse_policy(with_rule(rule), "p.yml").value().rules.at(0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(policies)

BOOST_AUTO_TEST_CASE(everything_is_read)
{
    const auto p = parse_policy(R"(
version: 1
protect: [latest, "stable-*"]
untag: true
with_children: true
referrers: keep
max_remove: 10%
rules:
  - name: releases
    repositories: [team/*, /prod\/.+/, {regex: "a|b"}]
    keep:
      tags: v*
      regex: ["v[0-9]+", "w"]
      version: ">=1.2 <2"
      semver: ">=1.2.0-0"
      newest: 10
      group_by: ^(.+)-[0-9]+$
      order: version
      younger_than: 30d
      older_than: 1h
      labels: [keep, "team=web*"]
      platform: linux/arm64*
      media_type: application/vnd.oci.*
  - remove:
      untagged: true
)",
                                "p.yml")
                       .value();
    BOOST_TEST((p.protect == std::vector<std::string>{"latest", "stable-*"}));
    BOOST_TEST(p.untag);
    BOOST_TEST(p.with_children);
    BOOST_TEST(!p.follow_referrers);
    BOOST_TEST((p.max_remove == removal_limit{10, true}));
    BOOST_TEST_REQUIRE(p.rules.size() == 2U);
    const auto& first = p.rules[0];
    BOOST_TEST(first.name == "releases");
    BOOST_TEST(
        (first.repositories == std::vector<name_pattern>{{"team/*", false}, {"prod\\/.+", true}, {"a|b", true}}));
    BOOST_TEST((first.action == rule_action::keep));
    BOOST_TEST((first.when.tags == std::vector<std::string>{"v*"}));
    BOOST_TEST((first.when.regexes == std::vector<std::string>{"v[0-9]+", "w"}));
    BOOST_TEST(first.when.version->text() == ">=1.2 <2");
    BOOST_TEST(first.when.semver->text() == ">=1.2.0-0");
    BOOST_TEST((first.when.newest == newest_condition{10, "^(.+)-[0-9]+$", newest_order::version}));
    BOOST_TEST((first.when.younger_than == 720h));
    BOOST_TEST((first.when.older_than == 1h));
    BOOST_TEST((first.when.labels == std::vector<std::string>{"keep", "team=web*"}));
    BOOST_TEST((first.when.platforms == std::vector<std::string>{"linux/arm64*"}));
    BOOST_TEST((first.when.media_types == std::vector<std::string>{"application/vnd.oci.*"}));
    BOOST_TEST((p.rules[1].action == rule_action::remove));
    BOOST_TEST(p.rules[1].when.untagged);
}

BOOST_AUTO_TEST_CASE(what_is_left_out_has_its_default)
{
    const auto p = parse_policy(with_rule("remove: {tags: 'x'}"), "p.yml").value();
    BOOST_TEST(p.protect.empty());
    BOOST_TEST(!p.untag);
    BOOST_TEST(!p.with_children);
    BOOST_TEST(p.follow_referrers);
    BOOST_TEST((p.max_remove == removal_limit{50, true}));
    BOOST_TEST(p.rules[0].repositories.empty());
    BOOST_TEST((rule_of("keep: {newest: 3}").when.newest == newest_condition{3, "", newest_order::created}));
}

BOOST_AUTO_TEST_CASE(mistakes_name_line_and_column_and_what_was_expected)
{
    const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
        {"", "p.yml:1:1: ", "expected 'version: 1'"},
        {"# nothing\n", "p.yml:1:1: ", "empty"},
        {"version: 1\n", "p.yml:1:1: ", "expected 'rules'"},
        {"rules: [{keep: {tags: a}}]\n", "p.yml:1:1: ", "expected 'version: 1'"},
        {"version: 2\nrules: [{keep: {tags: a}}]\n", "p.yml:1:10: ", "expected version 1"},
        {"version: one\n", "p.yml:1:10: ", "whole number"},
        {"- a\n", "p.yml:1:1: ", "found a list"},
        {"just words\n", "p.yml:1:1: ", "found 'just words'"},
        {"version: 1\nrules:\n", "p.yml:2:1: ", "found nothing"},
        {"version: 1\nrules: []\n", "p.yml:1:1: ", "at least one rule"},
        {"version: 1\nruels: []\n", "p.yml:2:1: ", "did you mean rules?"},
        {"version: 1\nuntag: yes\n", "p.yml:2:8: ", "expected one of true, false, found 'yes'"},
        {"version: 1\nuntag: [true]\n", "p.yml:2:8: ", "found a list"},
        {"version: 1\nreferrers: drop\n", "p.yml:2:12: ", "expected one of follow, keep"},
        {"version: 1\nmax_remove: 101%\n", "p.yml:2:13: ", "expected a number of tags"},
        {"version: 1\nprotect: []\n", "p.yml:2:10: ", "empty list"},
        {"version: 1\nprotect: [team/app:latest]\n", "p.yml:2:11: ", "no tag has a slash"},
        {"version: 1\nversion: 1\n", "p.yml:2:1: ", "second time, first in line 1"},
        {"version: 1\n---\nversion: 1\n", "p.yml:2:1: ", "second document"},
        {"version: 1\nrules: [\n", "p.yml:3:1: ", "no YAML"},
        {"version: 1\n\tuntag: true\n", "p.yml:2:1: ", "no YAML"},
        {"version: &a 1\n", "p.yml:1:10: ", "anchors"},
        {"version: *a\n", "p.yml:1:10: ", "no YAML"},
        {"version: !!int 1\n", "p.yml:1:10: ", "explicit types"},
        {"? [a]\n: 1\n", "p.yml:1:3: ", "expected a word as a key"},
        {with_rule("keep: {tags: a}\n    remove: {tags: b}"), "p.yml:4:13: ", "found both"},
        {with_rule("name: x"), "p.yml:3:5: ", "found neither"},
        {with_rule("kep: {tags: a}"), "p.yml:3:5: ", "did you mean keep?"},
        {with_rule("keep:"), "p.yml:3:5: ", "found nothing"},
        {with_rule("keep: {}"), "p.yml:3:11: ", "at least one condition"},
        {with_rule("keep: {tag: a}"), "p.yml:3:12: ", "did you mean tags?"},
        {with_rule("keep: {tags: ''}"), "p.yml:3:18: ", "an empty word"},
        {with_rule("keep: {tags: {a: b}}"), "p.yml:3:18: ", "keys with values"},
        {with_rule("keep: {regex: '('}"), "p.yml:3:19: ", "regular expression"},
        {with_rule("keep: {regex: '(*LIMIT_MATCH=1)a'}"), "p.yml:3:19: ", "regular expression"},
        {with_rule("keep: {version: '>='}"), "p.yml:3:21: ", "no version range"},
        {with_rule("keep: {semver: '>=1.x'}"), "p.yml:3:20: ", "no version of semver.org"},
        {with_rule("keep: {newest: -1}"), "p.yml:3:20: ", "whole number"},
        {with_rule("keep: {newest: 0}"), "p.yml:3:11: ", "1 or more"},
        {with_rule("keep: {newest: 99999999999999999999}"), "p.yml:3:20: ", "whole number"},
        {with_rule("keep: {tags: a, group_by: 'x'}"), "p.yml:3:31: ", "belong to 'newest"},
        {with_rule("keep: {tags: a, order: name}"), "p.yml:3:28: ", "belong to 'newest"},
        {with_rule("keep: {newest: 1, order: age}"), "p.yml:3:30: ", "created, version, name"},
        {with_rule("remove: {newest: 1}"), "p.yml:3:13: ", "what to keep"},
        {with_rule("remove: {older_than: 30}"), "p.yml:3:26: ", "duration such as"},
        {with_rule("remove: {older_than: 1month}"), "p.yml:3:26: ", "duration such as"},
        {with_rule("remove: {untagged: false}"), "p.yml:3:24: ", "expected true"},
        {with_rule("remove: {untagged: true, tags: a}"), "p.yml:3:13: ", "no names"},
        {with_rule("repositories: 'a:b'\n    keep: {tags: a}"), "p.yml:3:19: ", "no repository has a colon"},
        {with_rule("repositories: {glob: a}\n    keep: {tags: a}"), "p.yml:3:20: ", "expected one of regex"},
        {with_rule("repositories: /(/\n    keep: {tags: a}"), "p.yml:3:19: ", "regular expression"},
        {"version: 1\n# \0"s + "\n", "p.yml:2:3: ", "NUL"},
    };
    for (const auto& [text, place, expected] : cases) {
        const auto found = problem(text);
        BOOST_TEST(found.starts_with(place), "'" << text << "' gave: " << found);
        BOOST_TEST((found.find(expected) != std::string::npos), "'" << text << "' gave: " << found);
    }
}

BOOST_AUTO_TEST_CASE(what_is_meant_to_overwhelm_is_refused)
{
    BOOST_TEST(problem(std::string(2 * 1024 * 1024, ' ')).find("1 MiB") != std::string::npos);
    for (const std::string open : {"[", "{a: ", "- ", "? "}) {
        std::string text;
        while (text.size() < 100'000)
            text += open;
        BOOST_TEST(!problem(text).empty(), open);
    }
    std::string bomb = "a: &a [x, x]\n";
    for (char c = 'b'; c <= 'z'; ++c)
        bomb += std::string(1, c) + ": &" + c + " [*" + char(c - 1) + ", *" + char(c - 1) + "]\n";
    BOOST_TEST(problem(bomb).find("anchors") != std::string::npos);
    std::string many = "version: 1\nprotect: [";
    for (int i = 0; i != 120'000; ++i)
        many += "a,";
    BOOST_TEST(problem(many + "a]\n").find("values") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(nothing_escapes_whatever_the_bytes)
{
    const std::string good = with_rule("repositories: [a, /b/]\n    keep: {tags: ['v*'], newest: 3, group_by: '(.)'}");
    std::mt19937 random(20240229);
    for (int i = 0; i != 3000; ++i) {
        std::string text = good;
        for (unsigned n = random() % 4; n != static_cast<unsigned>(-1); --n) {
            const std::size_t at = random() % text.size();
            static const std::string signs = "[]{}:,-?&*!|>'\"%@`#\n\t \\~";
            switch (random() % 3) {
            case 0: text[at] = signs[random() % signs.size()]; break;
            case 1: text.erase(at, 1 + random() % 5); break;
            default: text.insert(at, 1, static_cast<char>(random() % 256));
            }
            if (text.empty())
                text = " ";
        }
        const auto read = parse_policy(text, "p.yml"); // must neither throw nor hang
        BOOST_TEST((read || read.error().detail.starts_with("p.yml:")), text);
    }
}

BOOST_AUTO_TEST_CASE(durations)
{
    BOOST_TEST((parse_duration("0s").value() == 0s));
    BOOST_TEST((parse_duration("90m").value() == 90min));
    BOOST_TEST((parse_duration("12h").value() == 12h));
    BOOST_TEST((parse_duration("30d").value() == 720h));
    BOOST_TEST((parse_duration("2w").value() == 336h));
    BOOST_TEST((parse_duration("1y").value() == 8760h));
    for (const std::string bad : {"", "d", "30", "-1d", "1.5d", "1 d", "30D", "1dd", "1d2h", "99999999999y", "20000y"})
        BOOST_TEST(!parse_duration(bad), bad);
}

BOOST_AUTO_TEST_CASE(limits)
{
    const auto half = removal_limit::parse("50%").value();
    BOOST_TEST(half.allows(5, 10));
    BOOST_TEST(!half.allows(6, 10));
    BOOST_TEST(half.allows(0, 1));
    BOOST_TEST(!half.allows(1, 1));
    const auto three = removal_limit::parse("3").value();
    BOOST_TEST(three.allows(3, 3));
    BOOST_TEST(!three.allows(4, 100));
    BOOST_TEST(to_string(half) == "50%");
    BOOST_TEST(to_string(three) == "3");
    for (const std::string bad : {"", "%", "-1", "1.5%", "a", "200%", "5 %"})
        BOOST_TEST(!removal_limit::parse(bad), bad);
}

BOOST_AUTO_TEST_CASE(details_are_needed_for_what_names_do_not_tell)
{
    const auto needs = [](const std::string& rule) {
        return needs_details(parse_policy(with_rule(rule), "p").value());
    };
    BOOST_TEST(!needs("keep: {tags: a, regex: b, version: '*', semver: '*', media_type: '*'}"));
    BOOST_TEST(!needs("keep: {newest: 1, order: version}"));
    for (const std::string rule : {"keep: {newest: 1}", "keep: {younger_than: 1d}", "remove: {older_than: 1d}",
                                   "keep: {labels: a}", "keep: {platform: a}", "remove: {untagged: true}"})
        BOOST_TEST(needs(rule), rule);
    BOOST_TEST(needs_details(parse_policy("with_children: true\n" + with_rule("remove: {tags: a}"), "p").value()));
}

BOOST_AUTO_TEST_CASE(files)
{
    const test::temp_dir folder;
    BOOST_TEST(read_policy(folder / "none.yml").error().is(errc::io));
    BOOST_TEST(read_policy(folder.path()).error().is(errc::io));
    test::write_file(folder / "p.yml", with_rule("keep: {tags: a}"));
    BOOST_TEST(read_policy(folder / "p.yml").has_value());
    test::write_file(folder / "bad.yml", with_rule("kep: {tags: a}"));
    BOOST_TEST((read_policy(folder / "bad.yml").error().detail.find("bad.yml:3:5: ") != std::string::npos));
}

BOOST_AUTO_TEST_SUITE_END()
