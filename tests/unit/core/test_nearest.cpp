#include "regsweep/core/nearest.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>

using regsweep::nearest;

BOOST_AUTO_TEST_SUITE(nearest_word)

constexpr std::array<std::string_view, 5> known = {"refresh", "restore", "remove-tags", "remove-repos", "du"};

BOOST_AUTO_TEST_CASE(a_mistyped_word_means_the_nearest)
{
    BOOST_TEST(nearest("refesh", known) == "refresh");
    BOOST_TEST(nearest("refrsh", known) == "refresh");
    BOOST_TEST(nearest("restroe", known) == "restore");
    BOOST_TEST(nearest("remove-tag", known) == "remove-tags");
    BOOST_TEST(nearest("removerepos", known) == "remove-repos");
    BOOST_TEST(nearest("ud", known) == ""); // both letters have to be changed
    BOOST_TEST(nearest("dd", known) == "du");
    BOOST_TEST(nearest("refresh", known) == "refresh");
}

BOOST_AUTO_TEST_CASE(a_word_that_is_like_none_means_none)
{
    BOOST_TEST(nearest("frobnicate", known) == "");
    BOOST_TEST(nearest("", known) == "");
    BOOST_TEST(nearest("x", known) == "");
    BOOST_TEST(nearest("refresh", {}) == "");
}

BOOST_AUTO_TEST_CASE(only_the_beginning_of_a_long_word_is_looked_at)
{
    BOOST_TEST(nearest(std::string(1 << 20, 'r'), known) == "");
}

BOOST_AUTO_TEST_SUITE_END()
