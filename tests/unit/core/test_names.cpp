#include "regsweep/core/names.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

using namespace regsweep;

BOOST_AUTO_TEST_SUITE(names)

// distribution-spec, "Pulling manifests".
BOOST_AUTO_TEST_CASE(repository_names)
{
    for (const std::string_view good : {"a", "0", "a/b", "a/b/c/d/e", "a.b", "a_b", "a__b", "a-b", "a--b", "a-----b",
                                        "library/alpine", "0/1", "a1.b2_c3__d4-e5/f6"})
        BOOST_TEST(valid_repository(good), good << " was refused");
    for (const std::string_view bad :
         {"",     "/",     "a/",   "/a",   "a//b", "A",   "a/B", ".a",  "a.", "_a",     "a_",   "-a",       "a-",
          "a..b", "a___b", "a._b", "a-.b", "a_-b", "a b", "a:b", "a@b", "..", "a/../b", "a\nb", "\xc3\xa4", "a%2fb"})
        BOOST_TEST(!valid_repository(bad), bad << " was taken");
    BOOST_TEST(!valid_repository(std::string_view("a\0b", 3)));
    BOOST_TEST(valid_repository(std::string(255, 'a')));
    BOOST_TEST(!valid_repository(std::string(256, 'a')));
}

BOOST_AUTO_TEST_CASE(tags)
{
    for (const std::string_view good : {"a", "A", "0", "_", "_a", "latest", "1.0", "v1.0-rc_1", "a.", "a-", "__"})
        BOOST_TEST(valid_tag(good), good << " was refused");
    for (const std::string_view bad : {"", ".", "-", ".a", "-a", "a b", "a/b", "a:b", "a+b", "a@b", "\xc3\xa4", "a\n"})
        BOOST_TEST(!valid_tag(bad), bad << " was taken");
    BOOST_TEST(valid_tag(std::string(128, 'a')));
    BOOST_TEST(!valid_tag(std::string(129, 'a')));
}

BOOST_AUTO_TEST_CASE(globs)
{
    struct row
    {
        std::string_view pattern;
        std::string_view text;
        bool hit;
    };
    const row table[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"a", "a", true},
        {"a", "A", false},
        {"*", "", true},
        {"*", "a/b/c", true},
        {"**", "a", true},
        {"a*", "a", true},
        {"a*", "ba", false},
        {"*a", "bba", true},
        {"*a", "bab", false},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXcYb", false},
        {"team/*", "team/a/b", true},
        {"team/*", "team", false},
        {"team/*/x", "team/a/b/x", true},
        {"?", "a", true},
        {"?", "", false},
        {"?", "ab", false},
        {"a?c", "abc", true},
        {"a?c", "a/c", true},
        {"[a-c]", "b", true},
        {"[a-c]", "d", false},
        {"[!a-c]", "d", true},
        {"[!a-c]", "b", false},
        {"[^a-c]", "d", true},
        {"[abx]y", "xy", true},
        {"[]]", "]", true},
        {"[!]]", "]", false},
        {"[a-]", "-", true},
        {"[-a]", "-", true},
        {"[a-c]*", "banana", true},
        {"*[0-9]", "v1", true},
        {"*[0-9]", "v", false},
        // Not closed: an ordinary character.
        {"[", "[", true},
        {"[a", "[a", true},
        {"[a", "a", false},
        {"a[", "a[", true},
        // Nothing but these is special.
        {"a.c", "abc", false},
        {"a+", "aa", false},
        {"\\*", "\\x", true},
    };
    for (const row& r : table)
        BOOST_TEST(glob_match(r.pattern, r.text) == r.hit, "'" << r.pattern << "' on '" << r.text << "'");
}

// A pattern that makes a backtracking matcher take exponential time: the test ends at all.
BOOST_AUTO_TEST_CASE(many_stars_end)
{
    std::string pattern;
    for (int i = 0; i != 50; ++i)
        pattern += "*a";
    pattern += "*b";
    BOOST_TEST(!glob_match(pattern, std::string(5000, 'a')));
}

BOOST_AUTO_TEST_CASE(media_types)
{
    for (int i = 1; i != 7; ++i) {
        const auto type = static_cast<media_type>(i);
        const std::string name(to_string(type));
        BOOST_TEST_REQUIRE(!name.empty());
        BOOST_TEST((parse_media_type(name) == type));
        BOOST_TEST((parse_media_type(name + "; charset=utf-8") == type));
        BOOST_TEST((parse_media_type(name + " ;x") == type));
        BOOST_TEST((parse_media_type(name + "x") == media_type::unknown));
        BOOST_TEST((parse_media_type(name.substr(1)) == media_type::unknown));
        std::string upper = name;
        for (char& c : upper)
            c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
        BOOST_TEST((parse_media_type(upper) == type));
        BOOST_TEST(is_index(type) == (type == media_type::docker_list || type == media_type::oci_index));
    }
    BOOST_TEST((parse_media_type("") == media_type::unknown));
    BOOST_TEST((parse_media_type("application/json") == media_type::unknown));
    BOOST_TEST(to_string(media_type::unknown).empty());
    BOOST_TEST(to_string(static_cast<media_type>(200)).empty());
}

// Stored in indexes: other numbers would give old ones another meaning.
BOOST_AUTO_TEST_CASE(media_type_numbers_stay)
{
    BOOST_TEST(static_cast<int>(parse_media_type("application/vnd.docker.distribution.manifest.v2+json")) == 1);
    BOOST_TEST(static_cast<int>(parse_media_type("application/vnd.docker.distribution.manifest.list.v2+json")) == 2);
    BOOST_TEST(static_cast<int>(parse_media_type("application/vnd.oci.image.manifest.v1+json")) == 3);
    BOOST_TEST(static_cast<int>(parse_media_type("application/vnd.oci.image.index.v1+json")) == 4);
    BOOST_TEST(static_cast<int>(parse_media_type("application/vnd.docker.distribution.manifest.v1+json")) == 5);
    BOOST_TEST(static_cast<int>(parse_media_type("application/vnd.docker.distribution.manifest.v1+prettyjws")) == 6);
}

BOOST_AUTO_TEST_SUITE_END()
