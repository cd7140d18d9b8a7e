#include "regsweep/select/version.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace regsweep {
namespace {

// Every pair of these, as Python 3.11's LooseVersion orders row to column; `x` where it raises TypeError.
const std::vector<std::string> sample_tags = {"1",
                                              "1.0",
                                              "01.0",
                                              "1..0",
                                              "1.10",
                                              "1.9",
                                              "1.9a",
                                              "1.9-alpine",
                                              "2.0.0-rc.2",
                                              "2.0.0-rc1",
                                              "v1.0",
                                              "V1.0",
                                              "_x",
                                              ".",
                                              "10",
                                              "A",
                                              "a",
                                              "latest",
                                              "2024-01-01",
                                              "20240101",
                                              "1.a",
                                              "1.A",
                                              "99999999999999999999999999999999",
                                              "100000000000000000000000000000000",
                                              "00",
                                              "0",
                                              "1-",
                                              "1--",
                                              "1.0."};
constexpr std::array sample_orders = {
    "=<<<<<<<<<xxx><xxx<<<<<<>><<<", ">===<<<<<<xxx><xxx<<xx<<>>xx=", ">===<<<<<<xxx><xxx<<xx<<>>xx=",
    ">===<<<<<<xxx><xxx<<xx<<>>xx=", ">>>>=>>><<xxx><xxx<<xx<<>>xx>", ">>>><=<<<<xxx><xxx<<xx<<>>xx>",
    ">>>><>=><<xxx><xxx<<xx<<>>xx>", ">>>><><=<<xxx><xxx<<xx<<>>xx>", ">>>>>>>>=>xxx><xxx<<>><<>>>>>",
    ">>>>>>>><=xxx><xxx<<>><<>>>>>", "xxxxxxxxxx=>>>x>>>xxxxxxxxxxx", "xxxxxxxxxx<=<>x><<xxxxxxxxxxx",
    "xxxxxxxxxx<>=>x><<xxxxxxxxxxx", "<<<<<<<<<<<<<=<<<<<<<<<<<<<<<", ">>>>>>>>>>xxx>=xxx<<>><<>>>>>",
    "xxxxxxxxxx<<<>x=<<xxxxxxxxxxx", "xxxxxxxxxx<>>>x>=<xxxxxxxxxxx", "xxxxxxxxxx<>>>x>>=xxxxxxxxxxx",
    ">>>>>>>>>>xxx>>xxx=<>><<>>>>>", ">>>>>>>>>>xxx>>xxx>=>><<>>>>>", ">xxxxxxx<<xxx><xxx<<=><<>>>>x",
    ">xxxxxxx<<xxx><xxx<<<=<<>>>>x", ">>>>>>>>>>xxx>>xxx>>>>=<>>>>>", ">>>>>>>>>>xxx>>xxx>>>>>=>>>>>",
    "<<<<<<<<<<xxx><xxx<<<<<<==<<<", "<<<<<<<<<<xxx><xxx<<<<<<==<<<", ">xxxxxxx<<xxx><xxx<<<<<<>>=<x",
    ">xxxxxxx<<xxx><xxx<<<<<<>>>=x", ">===<<<<<<xxx><xxx<<xx<<>>xx="};
const std::vector<std::string> sample_sorted = {".",
                                                "00",
                                                "0",
                                                "1",
                                                "1.0",
                                                "01.0",
                                                "1..0",
                                                "1.0.",
                                                "1.9",
                                                "1.9-alpine",
                                                "1.9a",
                                                "1.10",
                                                "1-",
                                                "1--",
                                                "1.A",
                                                "1.a",
                                                "2.0.0-rc1",
                                                "2.0.0-rc.2",
                                                "10",
                                                "2024-01-01",
                                                "20240101",
                                                "99999999999999999999999999999999",
                                                "100000000000000000000000000000000",
                                                "A",
                                                "V1.0",
                                                "_x",
                                                "a",
                                                "latest",
                                                "v1.0"};
const std::vector<std::string> sample_reversed = {"v1.0",
                                                  "latest",
                                                  "a",
                                                  "_x",
                                                  "V1.0",
                                                  "A",
                                                  "100000000000000000000000000000000",
                                                  "99999999999999999999999999999999",
                                                  "20240101",
                                                  "2024-01-01",
                                                  "10",
                                                  "2.0.0-rc.2",
                                                  "2.0.0-rc1",
                                                  "1.a",
                                                  "1.A",
                                                  "1--",
                                                  "1-",
                                                  "1.10",
                                                  "1.9a",
                                                  "1.9-alpine",
                                                  "1.9",
                                                  "1.0",
                                                  "01.0",
                                                  "1..0",
                                                  "1.0.",
                                                  "1",
                                                  "00",
                                                  "0",
                                                  "."};

char letter(std::optional<std::weak_ordering> order)
{
    if (!order)
        return 'x';
    return *order < 0 ? '<' : *order > 0 ? '>' : '=';
}

std::string random_tag(std::mt19937& random)
{
    static constexpr std::string_view letters = "01129aabz.._-AZ";
    std::uniform_int_distribution<std::size_t> length(1, 7);
    std::uniform_int_distribution<std::size_t> place(0, letters.size() - 1);
    std::string tag(length(random), ' ');
    for (char& c : tag)
        c = letters[place(random)];
    return tag;
}

std::weak_ordering order_of(const std::string& a, const std::string& b)
{
    return sort_order(loose_version(a), loose_version(b));
}

} // namespace

BOOST_AUTO_TEST_SUITE(version)

BOOST_AUTO_TEST_CASE(parts_are_digits_letters_and_the_rest)
{
    using component = loose_version::component;
    const loose_version version("v01.10-RC2..b_");
    const std::vector<component> expected = {{"v", false}, {"1", true},  {"10", true}, {"-RC", false},
                                             {"2", true},  {"b", false}, {"_", false}};
    BOOST_TEST(std::ranges::equal(version.components(), expected));
    BOOST_TEST(loose_version("...").components().empty());
}

BOOST_AUTO_TEST_CASE(compares_as_python_does)
{
    for (std::size_t row = 0; row != sample_tags.size(); ++row) {
        std::string orders;
        for (const std::string& other : sample_tags)
            orders += letter(compare(loose_version(sample_tags[row]), loose_version(other)));
        BOOST_TEST(orders == sample_orders[row],
                   sample_tags[row] << ": " << orders << " is not " << sample_orders[row]);
    }
}

BOOST_AUTO_TEST_CASE(sorts_as_python_does_in_both_directions)
{
    auto tags = sample_tags;
    sort_tags(tags);
    BOOST_TEST(tags == sample_sorted, boost::test_tools::per_element());
    tags = sample_tags;
    sort_tags(tags, true);
    BOOST_TEST(tags == sample_reversed, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(views_are_sorted_as_strings_are)
{
    std::vector<std::string_view> views(sample_tags.begin(), sample_tags.end());
    sort_tags(views);
    BOOST_TEST(std::ranges::equal(views, sample_sorted));
}

BOOST_AUTO_TEST_CASE(the_sort_order_is_a_weak_order)
{
    std::mt19937 random(1);
    std::vector<std::string> tags;
    for (int i = 0; i != 90; ++i)
        tags.push_back(random_tag(random));
    for (const auto& a : tags) {
        BOOST_TEST((order_of(a, a) == 0));
        for (const auto& b : tags) {
            const auto ab = order_of(a, b);
            BOOST_REQUIRE_MESSAGE((ab < 0) == (order_of(b, a) > 0), a << " and " << b);
            for (const auto& c : tags) {
                if (ab <= 0 && order_of(b, c) <= 0)
                    BOOST_REQUIRE_MESSAGE(order_of(a, c) <= 0, a << ", " << b << ", " << c);
                if (ab == 0 && order_of(b, c) == 0)
                    BOOST_REQUIRE_MESSAGE(order_of(a, c) == 0, a << ", " << b << ", " << c);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(where_tags_compare_both_orders_agree)
{
    std::mt19937 random(2);
    for (int i = 0; i != 20'000; ++i) {
        const std::string a = random_tag(random);
        const std::string b = random_tag(random);
        const auto order = compare(loose_version(a), loose_version(b));
        if (order)
            BOOST_REQUIRE_MESSAGE((*order == order_of(a, b)), a << " and " << b);
        else
            BOOST_REQUIRE_MESSAGE(order_of(a, b) != 0, a << " and " << b);
    }
}

BOOST_AUTO_TEST_CASE(many_tags_are_sorted)
{
    std::mt19937 random(3);
    std::vector<std::string> tags;
    for (int i = 0; i != 100'000; ++i)
        tags.push_back(random_tag(random));
    sort_tags(tags);
    BOOST_TEST(std::ranges::is_sorted(tags, [](const auto& a, const auto& b) { return order_of(a, b) < 0; }));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep
