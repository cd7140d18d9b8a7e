#include "regsweep/registry/lists.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace regsweep;

namespace {

std::vector<std::string> names_of(const result<name_list>& got)
{
    BOOST_TEST_REQUIRE(got.has_value(), (got ? "" : got.error().message()));
    std::vector<std::string> out;
    for (std::size_t i = 0; i != got->size(); ++i)
        out.emplace_back((*got)[i]);
    return out;
}

using names = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_SUITE(lists)

BOOST_AUTO_TEST_CASE(ordinary_answers)
{
    BOOST_TEST((names_of(parse_catalog(R"({"repositories":["a","b/c"]})")) == names{"a", "b/c"}));
    BOOST_TEST((names_of(parse_catalog(R"({"repositories":[]})")) == names{}));
    BOOST_TEST((names_of(parse_catalog(" {\n\t\"repositories\" : [ \"a\" ] }\r\n")) == names{"a"}));
    BOOST_TEST((names_of(parse_tags(R"({"name":"a","tags":["1","latest"]})")) == names{"1", "latest"}));
    BOOST_TEST((names_of(parse_tags(R"({"tags":["1"],"name":"a"})")) == names{"1"}));
    BOOST_TEST(
        (names_of(parse_tags(R"({"name":"a","child":["x"],"manifest":{"sha256:1":{"tag":["y"]}},"tags":["1"]})")) ==
         names{"1"}));
}

BOOST_AUTO_TEST_CASE(nothing_is_an_empty_list)
{
    BOOST_TEST(names_of(parse_tags(R"({"name":"a","tags":null})")).empty());
    BOOST_TEST(names_of(parse_tags(R"({"name":"a"})")).empty());
    BOOST_TEST(names_of(parse_tags("{}")).empty());
    BOOST_TEST(names_of(parse_catalog(R"({"repositories":null})")).empty());
    // A catalog without the list is none.
    BOOST_TEST(parse_catalog("{}").error().is(errc::bad_json));
    BOOST_TEST(parse_catalog(R"({"tags":["a"]})").error().is(errc::bad_json));
}

BOOST_AUTO_TEST_CASE(garbage)
{
    for (const std::string_view text :
         {"", " ", "null", "true", "7", "\"tags\"", "[]", "[\"a\"]", "<html>", "{", "{\"tags\"",
          "{\"tags\":", "{\"tags\":[", "{\"tags\":[\"a", "{\"tags\":[\"a\"", "{\"tags\":[\"a\"]", "{\"tags\":[\"a\",]}",
          "{\"tags\":[\"a\" \"b\"]}", "{\"tags\":[\"a\"]} x", "{\"tags\":[\"a\"]}{}", "{'tags':['a']}",
          "{\"tags\":[\"\xff\"]}", "{\"tags\":[\"\\ud800\"]}", "{\"tags\":[\"a\n\"]}", "\xef\xbb\xbf{\"tags\":[]}",
          // wrong types
          "{\"tags\":{}}", "{\"tags\":\"a\"}", "{\"tags\":7}", "{\"tags\":true}", "{\"tags\":[1]}", "{\"tags\":[null]}",
          "{\"tags\":[true]}", "{\"tags\":[[\"a\"]]}", "{\"tags\":[{\"a\":1}]}", "{\"tags\":[\"a\",1.5]}"}) {
        const auto got = parse_tags(text);
        BOOST_TEST_REQUIRE(got.has_error(), text);
        BOOST_TEST(got.error().is(errc::bad_json), text);
        BOOST_TEST(!got.error().detail.empty());
    }
    BOOST_TEST(parse_tags(std::string_view("{\"tags\":[\"a\"]}\0", 15)).has_error());
}

BOOST_AUTO_TEST_CASE(deep_nesting)
{
    const std::string deep(100'000, '[');
    BOOST_TEST(parse_tags(deep).has_error());
    BOOST_TEST(parse_tags("{\"x\":" + deep).has_error());
    BOOST_TEST(parse_tags("{\"x\":[[[{\"tags\":[\"no\"]}]]],\"tags\":[\"1\"]}").value().size() == 1U);
    // A key of that name further in is another one.
    BOOST_TEST(parse_tags(R"({"x":{"tags":["no"]}})").value().empty());
}

BOOST_AUTO_TEST_CASE(escapes)
{
    BOOST_TEST((names_of(parse_tags(R"({"tags":["\u0061\u002d1"]})")) == names{"a-1"}));
    BOOST_TEST((names_of(parse_catalog(R"({"repositories":["a\/b"]})")) == names{"a/b"}));
    BOOST_TEST((names_of(parse_tags(R"({"t\u0061gs":["1"]})")) == names{"1"}));
    BOOST_TEST((names_of(parse_tags(R"({"tags":["\u00e4"]})")) == names{"\xc3\xa4"}));
}

BOOST_AUTO_TEST_CASE(duplicates_are_kept_for_the_caller_to_see)
{
    BOOST_TEST((names_of(parse_tags(R"({"tags":["1","1"]})")) == names{"1", "1"}));
}

BOOST_AUTO_TEST_CASE(names_that_no_registry_may_use)
{
    for (const std::string_view name : {"", "..", ".", "../x", "a/../b", "a/..", "./a", "a//b", "/a", "a/", "a b",
                                        "a\\u0000", "a\\nb", "\\u001b[2J", "a\\u007f", "a\\tb"}) {
        const auto got = parse_catalog("{\"repositories\":[\"ok\",\"" + std::string(name) + "\"]}");
        BOOST_TEST_REQUIRE(got.has_error(), name);
        BOOST_TEST(got.error().is(errc::bad_response), got.error().message());
        BOOST_TEST(got.error().message().find('\x1b') == std::string::npos);
        BOOST_TEST(parse_tags("{\"tags\":[\"" + std::string(name) + "\"]}").has_error(), name);
    }
    BOOST_TEST((names_of(parse_catalog(R"({"repositories":["a..b","...","a/.b"]})")) == names{"a..b", "...", "a/.b"}));
}

BOOST_AUTO_TEST_CASE(long_names)
{
    const auto catalog = [](std::size_t size) {
        return parse_catalog("{\"repositories\":[\"" + std::string(size, 'a') + "\"]}");
    };
    BOOST_TEST(catalog(1024).value()[0].size() == 1024U);
    BOOST_TEST(catalog(1025).error().is(errc::bad_response));
    BOOST_TEST(catalog(5'000'000).error().message().size() < 2000U);
    BOOST_TEST(parse_tags("{\"tags\":[\"" + std::string(256, 'a') + "\"]}").has_value());
    BOOST_TEST(parse_tags("{\"tags\":[\"" + std::string(257, 'a') + "\"]}").has_error());
    // Elsewhere, length is no matter.
    BOOST_TEST(parse_tags("{\"" + std::string(5000, 'k') + "\":\"" + std::string(5000, 'v') + "\",\"tags\":[\"1\"]}")
                   .value()
                   .size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_million_names)
{
    std::string text = "{\"name\":\"a\",\"tags\":[";
    for (int i = 0; i != 1'000'000; ++i)
        text += (i == 0 ? "\"v" : ",\"v") + std::to_string(i) + '"';
    text += "]}";
    const auto got = parse_tags(text);
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST(got->size() == 1'000'000U);
    BOOST_TEST((*got)[0] == "v0");
    BOOST_TEST((*got)[999'999] == "v999999");
    // Cut anywhere, it is an error.
    for (const std::size_t size : {text.size() - 1, text.size() - 2, text.size() / 2, std::size_t{1}})
        BOOST_TEST(parse_tags(std::string_view(text).substr(0, size)).has_error());
}

BOOST_AUTO_TEST_SUITE_END()
