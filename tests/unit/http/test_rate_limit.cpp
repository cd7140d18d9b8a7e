#include "regsweep/http/pacing.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <thread>
#include <vector>

using namespace regsweep::http;
using namespace std::chrono_literals;

namespace {

const gate::time_point begin = gate::time_point() + 1000h;

bool fails(std::string_view limit, std::string_view remaining)
{
    return !parse_rate_limit(limit, remaining).has_value();
}

std::optional<std::chrono::nanoseconds> after(rate_limit_watch& watch, std::uint64_t remaining,
                                              std::uint64_t limit = 100)
{
    return watch.update({limit, remaining, 21600s});
}

} // namespace

BOOST_AUTO_TEST_SUITE(rate_limit)

BOOST_AUTO_TEST_CASE(docker_hubs_headers)
{
    const auto got = parse_rate_limit("100;w=21600", "76;w=21600");
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST(got->limit == 100U);
    BOOST_TEST(got->remaining == 76U);
    BOOST_TEST((got->window == 6h));
}

BOOST_AUTO_TEST_CASE(the_window_may_stand_once)
{
    BOOST_TEST((parse_rate_limit("100;w=60", "7")->window == 60s));
    BOOST_TEST((parse_rate_limit("100", "0;w=60")->window == 60s));
    BOOST_TEST((parse_rate_limit("100; w=60;comment=\"x\"", "7")->window == 60s));
}

BOOST_AUTO_TEST_CASE(what_is_no_limit)
{
    BOOST_TEST(fails("", ""));
    BOOST_TEST(fails("100;w=60", ""));
    BOOST_TEST(fails("", "100;w=60"));
    BOOST_TEST(fails("100", "7")); // no window
    BOOST_TEST(fails("0;w=60", "0;w=60"));
    BOOST_TEST(fails("-1;w=60", "1;w=60"));
    BOOST_TEST(fails("100;w=0", "1;w=0"));
    BOOST_TEST(fails("100;w=x", "1"));
    BOOST_TEST(fails("100;w=60s", "1"));
    BOOST_TEST(fails("100;w=99999999999", "1"));
    BOOST_TEST(fails("99999999999999999999999;w=60", "1"));
    BOOST_TEST(fails("many;w=60", "1"));
}

BOOST_AUTO_TEST_CASE(nothing_is_slowed_while_more_than_a_tenth_is_left)
{
    rate_limit_watch watch;
    for (std::uint64_t left = 100; left != 10; --left)
        BOOST_TEST((after(watch, left) == 0ns), left);
}

BOOST_AUTO_TEST_CASE(the_last_tenth_comes_at_the_pace_of_the_limit)
{
    rate_limit_watch watch;
    after(watch, 11);
    for (std::uint64_t left = 10; left != 0; --left)
        BOOST_TEST((after(watch, left) == 216s), left);
}

BOOST_AUTO_TEST_CASE(requests_that_are_not_counted_are_not_slowed)
{
    rate_limit_watch watch;
    for (int i = 0; i != 10; ++i)
        BOOST_TEST(!after(watch, 3).has_value());
}

BOOST_AUTO_TEST_CASE(it_is_fast_again_in_a_new_window)
{
    rate_limit_watch watch;
    after(watch, 5);
    BOOST_TEST((after(watch, 4) == 216s));
    BOOST_TEST((after(watch, 100) == 0ns));
}

BOOST_AUTO_TEST_CASE(a_limit_beyond_all_numbers)
{
    rate_limit_watch watch;
    after(watch, 2, UINT64_MAX);
    BOOST_TEST((after(watch, 1, UINT64_MAX) >= 0ns));
}

BOOST_AUTO_TEST_CASE(a_gate_without_space_gives_now)
{
    gate one;
    BOOST_TEST(!one.spaced());
    for (int i = 0; i != 3; ++i)
        BOOST_TEST((one.reserve(begin) == begin));
}

BOOST_AUTO_TEST_CASE(a_gate_spaces_requests_and_makes_up_for_nothing)
{
    gate one;
    one.space(10ms);
    BOOST_TEST(one.spaced());
    for (int i = 0; i != 5; ++i)
        BOOST_TEST((one.reserve(begin) == begin + i * 10ms));
    BOOST_TEST((one.reserve(begin + 1h) == begin + 1h));
    BOOST_TEST((one.reserve(begin + 1h) == begin + 1h + 10ms));
    one.space(0ns);
    BOOST_TEST((one.reserve(begin + 1h) == begin + 1h));
}

BOOST_AUTO_TEST_CASE(threads_get_different_slots)
{
    gate one;
    one.space(1ms);
    std::vector<std::vector<gate::time_point>> slots(4);
    {
        std::vector<std::jthread> threads;
        for (auto& mine : slots)
            threads.emplace_back([&one, &mine] {
                for (int i = 0; i != 1000; ++i)
                    mine.push_back(one.reserve(begin));
            });
    }
    std::set<gate::time_point> all;
    for (const auto& mine : slots)
        all.insert(mine.begin(), mine.end());
    BOOST_TEST(all.size() == 4000U);
    BOOST_TEST((*all.rbegin() == begin + 3999ms));
}

BOOST_AUTO_TEST_SUITE_END()
