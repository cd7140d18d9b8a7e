#include "crawl/concurrency.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace regsweep {
namespace {

using namespace std::chrono_literals;

// A registry that answers in `latency` while it is not saturated, and `capacity` requests a second at the most.
struct model
{
    double latency = 0.02;
    double capacity = 1e9;

    double rate(unsigned in_flight) const { return std::min(capacity, static_cast<double>(in_flight) / latency); }
};

// Lets simulated time pass; returns the limit at the end.
unsigned run(concurrency_control& control, const model& registry, double seconds, double& now, double allowed = 1e9,
             std::uint64_t* overloads = nullptr)
{
    const auto begin = std::chrono::steady_clock::time_point(1h);
    std::uint64_t none = 0;
    std::uint64_t& busy = overloads ? *overloads : none;
    for (const double end = now + seconds; now < end;) {
        const double rate = registry.rate(control.limit());
        now += 1 / rate;
        if (rate > allowed)
            ++busy;
        control.answered(begin +
                             std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(now)),
                         control.limit(), busy);
    }
    return control.limit();
}

} // namespace

BOOST_AUTO_TEST_SUITE(concurrency)

BOOST_AUTO_TEST_CASE(a_fixed_level_stays)
{
    concurrency_control control({8, 1, 256, true});
    double now = 0;
    BOOST_TEST(run(control, {}, 20, now) == 8U);
}

BOOST_AUTO_TEST_CASE(grows_while_throughput_grows)
{
    concurrency_control control({16, 1, 256, false});
    double now = 0;
    BOOST_TEST(run(control, {}, 5, now) == 256U);
}

BOOST_AUTO_TEST_CASE(settles_within_five_seconds_where_more_brings_nothing)
{
    for (const double knee : {20.0, 50.0, 120.0}) {
        const model registry{0.02, knee / 0.02};
        concurrency_control control({16, 1, 256, false});
        double now = 0;
        const unsigned limit = run(control, registry, 5, now);
        BOOST_TEST(registry.rate(limit) >= 0.8 * registry.capacity);
        BOOST_TEST(limit <= 2 * static_cast<unsigned>(knee));
    }
}

BOOST_AUTO_TEST_CASE(goes_down_when_the_registry_is_too_busy_and_comes_back_slowly)
{
    const model registry{0.02, 1e9};
    concurrency_control control({64, 1, 256, false});
    double now = 0;
    std::uint64_t overloads = 0;
    const unsigned after = run(control, registry, 10, now, 1000, &overloads); // 20 in flight make 1,000 a second
    BOOST_TEST(after <= 22U);
    BOOST_TEST(after >= 10U);
}

BOOST_AUTO_TEST_CASE(goes_down_when_the_rate_falls_at_the_same_level)
{
    concurrency_control control({64, 1, 64, false});
    double now = 0;
    run(control, {0.02, 3000}, 5, now);
    const unsigned before = control.limit();
    run(control, {0.2, 300}, 10, now);
    BOOST_TEST(control.limit() < before);
}

BOOST_AUTO_TEST_CASE(learns_nothing_while_there_is_not_enough_to_do)
{
    concurrency_control control({32, 1, 256, false});
    auto now = std::chrono::steady_clock::time_point(1h);
    for (int i = 0; i != 10'000; ++i)
        control.answered(now += 1ms, 3, 0);
    BOOST_TEST(control.limit() == 32U);
}

BOOST_AUTO_TEST_CASE(stays_within_its_bounds)
{
    concurrency_control control({4, 2, 8, false});
    double now = 0;
    std::uint64_t overloads = 0;
    BOOST_TEST(run(control, {}, 5, now) == 8U);
    BOOST_TEST(run(control, {}, 20, now, 0, &overloads) == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep
