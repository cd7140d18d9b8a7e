#include "regsweep/load/limit.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <random>

using namespace regsweep;
using namespace std::chrono_literals;

namespace {

limit_options quick()
{
    limit_options out;
    out.first_rate = 100;
    out.hold_seconds = 10;
    out.probe_seconds = 2;
    return out;
}

// Runs a search against a registry that holds a rate or does not, and returns what it says.
limit_search search(const limit_options& how, const std::function<bool(const limit_search::step&)>& holds)
{
    limit_search out(how);
    for (int i = 0; i != 200; ++i) {
        const auto step = out.next();
        if (!step)
            return out;
        limit_trial trial;
        trial.rate = step->rate;
        trial.seconds = step->seconds;
        trial.held = holds(*step);
        out.tried(trial);
    }
    BOOST_FAIL("the search does not end");
    return out;
}

load_result measured(double rate, double answered, std::uint64_t errors, std::chrono::milliseconds latency)
{
    load_result out;
    out.wanted_rate = rate;
    out.seconds = 10;
    out.rate = answered;
    out.good_rate = answered;
    out.requests = 1000;
    out.errors = errors;
    for (int i = 0; i != 1000; ++i)
        out.by_operation[0].latency.record(latency);
    out.by_operation[0].requests = 1000;
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(searching)

BOOST_AUTO_TEST_CASE(finds_any_limit_within_its_precision)
{
    std::mt19937_64 random(31);
    std::uniform_real_distribution<double> exponent(0.1, 5.5);
    for (int round = 0; round != 200; ++round) {
        const double limit = std::pow(10, exponent(random));
        const auto done = search(quick(), [&](const auto& step) { return step.rate <= limit; });
        BOOST_TEST_REQUIRE(done.found().has_value(), "limit " << limit);
        BOOST_TEST_REQUIRE(*done.found() <= limit);
        BOOST_TEST_REQUIRE(*done.found() >= limit / 1.031, "limit " << limit);
        BOOST_TEST_REQUIRE(done.trials().back().held);
        BOOST_TEST_REQUIRE(done.trials().back().seconds == 10);
        BOOST_TEST_REQUIRE(done.trials().front().seconds == 2);
    }
}

BOOST_AUTO_TEST_CASE(goes_down_where_a_rate_does_not_hold_for_long)
{
    const auto done = search(quick(), [](const auto& step) { return step.rate <= (step.seconds > 5 ? 900 : 1000); });
    BOOST_TEST_REQUIRE(done.found().has_value());
    BOOST_TEST(*done.found() <= 900);
    BOOST_TEST(*done.found() > 700);
}

BOOST_AUTO_TEST_CASE(ends_where_nothing_holds)
{
    BOOST_TEST(!search(quick(), [](const auto&) { return false; }).found().has_value());
    BOOST_TEST(!search(quick(), [](const auto& step) { return step.seconds < 5; }).found().has_value());
}

BOOST_AUTO_TEST_CASE(ends_where_everything_holds)
{
    auto how = quick();
    how.largest_rate = 5000;
    const auto done = search(how, [](const auto&) { return true; });
    BOOST_TEST(done.found().value() == 5000);
}

BOOST_AUTO_TEST_CASE(ends_whatever_the_noise)
{
    std::mt19937_64 random(32);
    for (int round = 0; round != 200; ++round)
        search(quick(), [&](const auto&) { return random() % 2 == 0; });
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(judging)

BOOST_AUTO_TEST_CASE(names_what_did_not_hold)
{
    const auto by = quick();
    BOOST_TEST(judge(measured(100, 100, 0, 50ms), by).held);
    BOOST_TEST(judge(measured(100, 100, 10, 50ms), by).held);
    const auto errors = judge(measured(100, 100, 11, 50ms), by);
    BOOST_TEST(!errors.held);
    BOOST_TEST(errors.why == "1.1 % errors, over 1.0 %");
    const auto slow = judge(measured(100, 100, 0, 150ms), by);
    BOOST_TEST(!slow.held);
    BOOST_TEST(slow.why.starts_with("p99 15"), slow.why);
    const auto lost = judge(measured(100, 90, 0, 50ms), by);
    BOOST_TEST(!lost.held);
    BOOST_TEST(lost.why == "only 90 requests/s were answered");
}

BOOST_AUTO_TEST_CASE(takes_no_request_for_no_success)
{
    load_result nothing;
    nothing.wanted_rate = 100;
    nothing.seconds = 2;
    BOOST_TEST(!judge(nothing, quick()).held);
}

BOOST_AUTO_TEST_SUITE_END()
