#include "regsweep/select/matcher.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <vector>

namespace regsweep {
namespace {

using strings = std::vector<std::string>;

tag_matcher make(const strings& selectors, const strings& regexes = {})
{
    return tag_matcher::create(selectors, regexes).value();
}

bool selects(const std::string& selector, std::string_view tag)
{
    return make({selector}).match(tag).value().has_value();
}

bool matches(const std::string& regex, std::string_view tag)
{
    return make({}, {regex}).match(tag).value().has_value();
}

error regex_error(const std::string& regex)
{
    const auto made = tag_matcher::create({}, strings{regex});
    BOOST_REQUIRE_MESSAGE(!made, regex << " was accepted");
    return made.error();
}

} // namespace

BOOST_AUTO_TEST_SUITE(matcher)

BOOST_AUTO_TEST_CASE(nothing_matches_nothing)
{
    tag_matcher none = make({});
    BOOST_TEST(none.size() == 0u);
    BOOST_TEST(!none.match("latest").value().has_value());
}

BOOST_AUTO_TEST_CASE(other_selectors_are_the_tag_itself)
{
    BOOST_TEST(selects("latest", "latest"));
    BOOST_TEST(!selects("latest", "latest2"));
    BOOST_TEST(!selects("1.0", "01.0"));
    BOOST_TEST(!selects("=1.0", "1.0"));
}

BOOST_AUTO_TEST_CASE(operators_compare_versions)
{
    BOOST_TEST(selects(">1.9", "1.10"));
    BOOST_TEST(!selects(">1.9", "1.9"));
    BOOST_TEST(selects(">=1.9", "01.9"));
    BOOST_TEST(selects("<1.9", "1.2"));
    BOOST_TEST(!selects("<1.9", "1.10"));
    BOOST_TEST(selects("<=1.9", "1.9"));
    BOOST_TEST(selects("==1.0", "01.0"));
    BOOST_TEST(!selects("==1.0", "1.0.0"));
    BOOST_TEST(selects(">99999999999999999999999", "100000000000000000000000"));
}

BOOST_AUTO_TEST_CASE(tags_that_cannot_be_compared_match_no_operator)
{
    for (const char* selector : {"<1.9", "<=1.9", ">1.9", ">=1.9", "==1.9"})
        BOOST_TEST(!selects(selector, "latest"), selector);
    BOOST_TEST(selects(">=a", "latest"));
}

BOOST_AUTO_TEST_CASE(an_operator_needs_an_operand)
{
    BOOST_TEST(selects("<", "<"));
    BOOST_TEST(selects("==", "=="));
    BOOST_TEST(!selects("==", ""));
    BOOST_TEST(selects(">=", "a")); // greater than `=`
    BOOST_TEST(!selects(">=", "1"));
    BOOST_TEST(selects(">=\n5", "a"));
    BOOST_TEST(selects(">1\nx", "2"));
    BOOST_TEST(selects("==\n", "==\n"));
}

BOOST_AUTO_TEST_CASE(the_first_item_of_a_kind_that_matches_is_told)
{
    tag_matcher several = make({"latest", ">1", ">=2", "latest"}, {"^v", "v1"});
    BOOST_TEST(several.size() == 6u);
    BOOST_TEST(several.match("latest").value().value() == 0u);
    BOOST_TEST(several.match("3").value().value() == 1u);
    BOOST_TEST(several.match("v1").value().value() == 4u);
    BOOST_TEST(several.item(4) == "^v");
    BOOST_TEST(!several.match("0").value().has_value());
}

BOOST_AUTO_TEST_CASE(it_can_be_moved)
{
    tag_matcher first = make({"a"}, {"v\\d"});
    tag_matcher second = std::move(first);
    BOOST_TEST(second.match("a").value().has_value());
    BOOST_TEST(second.match("v1").value().has_value());
    first = std::move(second);
    BOOST_TEST(first.match("v1").value().has_value());
}

BOOST_AUTO_TEST_CASE(regular_expressions_are_anchored_at_the_beginning_only)
{
    BOOST_TEST(matches("dev", "dev-1"));
    BOOST_TEST(!matches("dev", "my-dev"));
    BOOST_TEST(!matches("x|dev", "my-dev"));
    BOOST_TEST(!matches("x|dev$", "dev-1"));
    BOOST_TEST(matches("", "anything"));
    BOOST_TEST(!matches("$", "anything"));
    BOOST_TEST(matches("(?!latest).*", "stable"));
    BOOST_TEST(!matches("(?!latest).*", "latest"));
}

BOOST_AUTO_TEST_CASE(what_python_writes_differently_is_read_as_python_does)
{
    BOOST_TEST(matches("(?P<m>\\d+)\\.(?P=m)", "10.10"));
    BOOST_TEST(!matches("(?P<m>\\d+)\\.(?P=m)$", "10.11"));
    BOOST_TEST(matches("a$", "a\n"));
    BOOST_TEST(!matches("a\\Z", "a\n"));
    BOOST_TEST(matches("a\\Z", "a"));
    BOOST_TEST(!matches("a\\\\Z", "a"));
    BOOST_TEST(matches("a{,2}$", "aa"));
    BOOST_TEST(!matches("a{,2}$", "aaa"));
    BOOST_TEST(matches("a{,}$", "aaa"));
    BOOST_TEST(matches("a\\{,2}", "a{,2}"));
    BOOST_TEST(matches("[{,2}]$", ","));
    BOOST_TEST(matches("a{x", "a{x"));
    BOOST_TEST(matches("\\u0061\\U00000062[\\u0063]", "abc"));
    BOOST_TEST(matches("(?ai)A(?u:b)(?a)", "ab"));
    BOOST_TEST(matches("(?i-s:A)b", "ab"));
    BOOST_TEST(matches("[[:alpha:]]", "a]"));
    BOOST_TEST(!matches("[[:alpha:]]", "b]"));
    BOOST_TEST(matches("[]a]]", "a]"));
    BOOST_TEST(matches("[^]a]", "b"));
    BOOST_TEST(!matches("\\v", "\n"));
    BOOST_TEST(matches("\\v", "\x0b"));
    BOOST_TEST(matches("(a)?(?(1)b|c)", "ab"));
    BOOST_TEST(matches("a++b", "aab"));
    BOOST_TEST(matches("[(*]", "*"));
}

BOOST_AUTO_TEST_CASE(text_is_utf8_unless_the_pattern_is_not)
{
    BOOST_TEST(matches("^.$", "\xc3\xa4"));
    BOOST_TEST(matches("\xe4", "\xe4"));
    BOOST_TEST(!matches("^.$", "\xff\xfe\xfd"));
    BOOST_TEST(!matches("a", ""));
}

BOOST_AUTO_TEST_CASE(a_bad_pattern_is_named_with_place_and_reason)
{
    const error open = regex_error("abc(def");
    BOOST_TEST(open.is(errc::bad_regex));
    BOOST_TEST(open.detail.find("\"abc(def\"") != std::string::npos, open.detail);
    BOOST_TEST(open.detail.find("offset 7") != std::string::npos, open.detail);
    BOOST_TEST(open.detail.find("parenthesis") != std::string::npos, open.detail);
    for (const char* pattern : {"*a", "[a", "(?P<n>a)(?P<n>b)", "a{2,1}", "\\", "(?P=x)", "(?L)a", "\\C"})
        BOOST_TEST(regex_error(pattern).is(errc::bad_regex), pattern);
}

BOOST_AUTO_TEST_CASE(the_place_is_that_in_the_pattern_as_given)
{
    const std::string detail = regex_error("\\u0061\\v{,2}(").detail;
    BOOST_TEST(detail.find("offset 13") != std::string::npos, detail);
}

BOOST_AUTO_TEST_CASE(orders_to_the_library_are_refused)
{
    BOOST_TEST(regex_error("(*LIMIT_MATCH=1)a").is(errc::bad_regex));
    BOOST_TEST(regex_error("a(*ACCEPT)").is(errc::bad_regex));
}

BOOST_AUTO_TEST_CASE(a_slow_pattern_ends_in_a_match_limit)
{
    tag_matcher slow = make({}, {"(a+)+$"});
    BOOST_TEST(slow.match("aaaa").value().has_value());
    const std::string tag = std::string(60, 'a') + "b";
    const auto answer = slow.match(tag);
    BOOST_REQUIRE(!answer);
    BOOST_TEST(answer.error().is(errc::match_limit));
    BOOST_TEST(answer.error().detail.find("(a+)+$") != std::string::npos, answer.error().detail);
    BOOST_TEST(answer.error().detail.find(tag) != std::string::npos, answer.error().detail);
    BOOST_TEST(slow.match("aaaa").value().has_value());
}

BOOST_AUTO_TEST_CASE(a_lower_limit_is_kept)
{
    const matcher_limits limits{.match_steps = 10};
    tag_matcher strict = tag_matcher::create({}, strings{"(a|b|ab)*[cd]"}, limits).value();
    BOOST_TEST(strict.match("ababababababababab").error().is(errc::match_limit));
}

BOOST_AUTO_TEST_CASE(selectors_are_tried_before_expressions)
{
    tag_matcher both = make({std::string(60, 'a') + "b"}, {"(a+)+$"});
    BOOST_TEST(both.match(std::string(60, 'a') + "b").value().value() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep
