#include "regsweep/http/retry.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

using namespace regsweep;
using namespace regsweep::http;
using namespace std::chrono_literals;

namespace {

// RFC 9110 section 5.6.7: the one moment that its three examples name.
const auto example = std::chrono::system_clock::from_time_t(784111777);

} // namespace

BOOST_AUTO_TEST_SUITE(retrying)

BOOST_AUTO_TEST_CASE(which_statuses_are_transient)
{
    const std::set<unsigned> transient{408, 429, 500, 502, 503, 504};
    for (unsigned status = 0; status != 700; ++status)
        BOOST_TEST(retry_policy::transient(status) == transient.contains(status), status);
}

BOOST_AUTO_TEST_CASE(which_failures_are_transient)
{
    for (int i = 1; i <= static_cast<int>(errc::cancelled); ++i) {
        const auto code = static_cast<errc>(i);
        const bool expected = code == errc::connection_lost || code == errc::timed_out ||
                              code == errc::connect_failed || code == errc::resolve_failed;
        BOOST_TEST(retry_policy::transient(error(code, {})) == expected, error(code, {}).message());
    }
}

BOOST_AUTO_TEST_CASE(delays_grow_up_to_their_bound)
{
    retry_policy policy({.retries = 30, .first_delay = 100ms, .max_delay = 1000ms, .max_retry_after = 60s}, 42);
    for (unsigned attempt = 1; attempt <= 30; ++attempt) {
        const auto bound = std::min(1000ms, 100ms * (1 << std::min(attempt - 1, 10U)));
        auto least = 10000ms;
        auto most = 0ms;
        for (int i = 0; i != 500; ++i) {
            const auto delay = policy.delay(attempt, std::nullopt);
            BOOST_TEST_REQUIRE(delay.has_value());
            least = std::min(least, *delay);
            most = std::max(most, *delay);
        }
        // Full jitter: from nothing to the bound.
        BOOST_TEST(least.count() >= 0);
        BOOST_TEST(least <= bound / 10);
        BOOST_TEST(most <= bound);
        BOOST_TEST(most >= bound * 9 / 10);
    }
}

BOOST_AUTO_TEST_CASE(attempts_end)
{
    retry_policy policy({.retries = 2}, 1);
    BOOST_TEST(policy.delay(1, std::nullopt).has_value());
    BOOST_TEST(policy.delay(2, std::nullopt).has_value());
    BOOST_TEST(!policy.delay(3, std::nullopt).has_value());
    BOOST_TEST(!policy.delay(3, 0ms).has_value());
    retry_policy none({.retries = 0}, 1);
    BOOST_TEST(!none.delay(1, std::nullopt).has_value());
}

BOOST_AUTO_TEST_CASE(the_servers_wish_counts_up_to_its_limit)
{
    retry_policy policy({.retries = 5, .first_delay = 10ms, .max_delay = 10ms, .max_retry_after = 60s}, 1);
    BOOST_TEST(policy.delay(1, 5000ms).value() == 5000ms);
    BOOST_TEST(policy.delay(1, 60000ms).value() == 60000ms);
    BOOST_TEST(!policy.delay(1, 60001ms).has_value());
    BOOST_TEST(policy.delay(1, 0ms).value() <= 10ms);
}

BOOST_AUTO_TEST_CASE(same_seed_same_delays)
{
    retry_policy a({}, 7);
    retry_policy b({}, 7);
    for (int i = 0; i != 20; ++i)
        BOOST_TEST((a.delay(5, std::nullopt) == b.delay(5, std::nullopt)));
}

BOOST_AUTO_TEST_CASE(retry_after_in_seconds)
{
    BOOST_TEST(parse_retry_after("0", example).value() == 0ms);
    BOOST_TEST(parse_retry_after("7", example).value() == 7000ms);
    BOOST_TEST(parse_retry_after("007", example).value() == 7000ms);
    BOOST_TEST(parse_retry_after("4294967295", example).value() == 4294967295000ms);
    // More than any number: still a long wait, not none.
    BOOST_TEST(parse_retry_after("4294967296", example).value() > 24h);
    BOOST_TEST(parse_retry_after("99999999999999999999999999999999", example).value() > 24h);
}

BOOST_AUTO_TEST_CASE(retry_after_as_a_date)
{
    for (const auto text :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
        BOOST_TEST_CONTEXT(text)
        {
            BOOST_TEST_REQUIRE(parse_retry_after(text, example - 90s).has_value());
            BOOST_TEST(parse_retry_after(text, example - 90s).value() == 90s);
            BOOST_TEST(parse_retry_after(text, example).value() == 0ms);
            BOOST_TEST(parse_retry_after(text, example + 1000h).value() == 0ms); // past
            // Never too early.
            BOOST_TEST(parse_retry_after(text, example - 1500ms).value() >= 1500ms);
            BOOST_TEST(parse_retry_after(text, example - 1500ms).value() <= 2s);
        }
    }
}

BOOST_AUTO_TEST_CASE(retry_after_in_years_that_a_clock_cannot_hold)
{
    BOOST_TEST(parse_retry_after("Fri, 31 Dec 9999 23:59:59 GMT", example).value() > 24h * 365 * 5000);
    BOOST_TEST(parse_retry_after("Mon, 01 Jan 0001 00:00:00 GMT", example).value() == 0ms);
}

BOOST_AUTO_TEST_CASE(retry_after_that_is_neither)
{
    for (const std::string_view text : {"", " ", "-1", "+1", "1.5", "1s", "0x10", "soon", "Sun, 06 Nov 1994 08:49:37",
                                        "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nov 1994 08:49:37 GMT and more",
                                        "Sun, 99 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"})
        BOOST_TEST(!parse_retry_after(text, example).has_value(), "'" << text << "'");
    BOOST_TEST(!parse_retry_after(std::string(100000, '9'), example).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
