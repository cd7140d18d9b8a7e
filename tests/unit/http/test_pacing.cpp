#include "regsweep/http/pacing.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <thread>
#include <vector>

using namespace regsweep::http;
using namespace std::chrono_literals;
using time_point = rate_limiter::time_point;

namespace {

const time_point start = time_point() + 1000h;

// Requests that get through in `span` if every slot is taken at once and waited for.
std::size_t through(rate_limiter& limiter, time_point from, std::chrono::nanoseconds span)
{
    std::size_t count = 0;
    for (time_point now = from;; ++count) {
        now = std::max(now, limiter.reserve(now));
        if (now >= from + span)
            return count;
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(pacing)

BOOST_AUTO_TEST_CASE(no_limit)
{
    for (const double rate : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
        rate_limiter limiter(rate);
        BOOST_TEST(!limiter.limited());
        for (int i = 0; i != 1000; ++i)
            BOOST_TEST((limiter.reserve(start) == start));
    }
}

BOOST_AUTO_TEST_CASE(ten_seconds_within_two_percent)
{
    for (const double rate : {3.0, 10.0, 50.0, 333.0, 1000.0, 12345.0}) {
        rate_limiter limiter(rate);
        const auto count = static_cast<double>(through(limiter, start, 10s));
        BOOST_TEST(count >= rate * 10 * 0.98, rate << " a second gave " << count);
        BOOST_TEST(count <= rate * 10 * 1.02 + 1, rate << " a second gave " << count);
    }
}

BOOST_AUTO_TEST_CASE(slots_are_even)
{
    rate_limiter limiter(100);
    for (int i = 0; i != 50; ++i)
        BOOST_TEST((limiter.reserve(start) == start + i * 10ms));
}

BOOST_AUTO_TEST_CASE(a_pause_is_made_up_for_by_the_burst_and_no_more)
{
    rate_limiter limiter(100, 100ms);
    limiter.reserve(start);
    const auto later = start + 1h;
    int at_once = 0;
    while (limiter.reserve(later) <= later)
        ++at_once;
    BOOST_TEST(at_once == 11); // the slot of now and those of 100 ms before it
    rate_limiter strict(100, 0ms);
    strict.reserve(start);
    at_once = 0;
    while (strict.reserve(later) <= later)
        ++at_once;
    BOOST_TEST(at_once == 1);
}

BOOST_AUTO_TEST_CASE(any_second_holds_no_more_than_rate_and_burst)
{
    rate_limiter limiter(50);
    std::vector<time_point> sent;
    time_point now = start;
    for (int round = 0; round != 20; ++round) {
        for (int i = 0; i != 40; ++i) {
            now = std::max(now, limiter.reserve(now));
            sent.push_back(now);
        }
        now += 300ms;
    }
    for (std::size_t i = 0; i + 57 < sent.size(); ++i)
        BOOST_TEST((sent[i + 57] - sent[i] >= 1s)); // 50, the burst's 5 and both ends
}

BOOST_AUTO_TEST_CASE(rates_at_the_ends_of_the_scale)
{
    rate_limiter slow(1e-300);
    BOOST_TEST(slow.limited());
    BOOST_TEST((slow.reserve(start) == start));
    for (int i = 0; i != 1000; ++i)
        BOOST_TEST((slow.reserve(start) > start));
    rate_limiter fast(1e300);
    const auto slot = fast.reserve(start);
    BOOST_TEST((slot <= start));
    BOOST_TEST((fast.reserve(start) - slot <= 1us));
}

BOOST_AUTO_TEST_CASE(gate_stays_closed_until_its_time)
{
    gate g;
    BOOST_TEST(!g.closed(start));
    g.close_until(start + 2s);
    BOOST_TEST(g.closed(start));
    BOOST_TEST(g.closed(start + 1999ms));
    BOOST_TEST(!g.closed(start + 2s));
    g.close_until(start + 1s); // never opens earlier
    BOOST_TEST(g.closed(start + 1500ms));
    BOOST_TEST((g.until() == start + 2s));
    g.close_until(start + 3s);
    BOOST_TEST(g.closed(start + 2500ms));
}

BOOST_AUTO_TEST_CASE(gate_takes_the_latest_of_all_threads)
{
    gate g;
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t)
        threads.emplace_back([&g, t] {
            for (int i = 0; i != 2000; ++i)
                g.close_until(start + std::chrono::milliseconds(i * 4 + t));
        });
    for (auto& t : threads)
        t.join();
    BOOST_TEST((g.until() == start + std::chrono::milliseconds(1999 * 4 + 3)));
}

BOOST_AUTO_TEST_SUITE_END()
