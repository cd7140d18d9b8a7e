#include "regsweep/load/recorder.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(recorder_of_a_load)

BOOST_AUTO_TEST_CASE(measures_from_the_first_request_to_the_last)
{
    const load_recorder::time_point start(100s);
    load_recorder of(operation::remove, 4, start);
    BOOST_TEST(!of.latest());
    of.answered(start + 500ms, start + 600ms, 202);
    of.answered(start + 600ms, start + 800ms, 404);
    error refused(errc::forbidden, "no");
    refused.http_status = 403;
    of.failed(start + 2100ms, start + 2500ms, refused);
    of.failed(start + 2500ms, start + 2600ms, error(errc::cancelled, {}));
    BOOST_TEST_REQUIRE(of.latest().has_value());
    BOOST_TEST(of.latest()->begin == 1); // the second without a request
    BOOST_TEST(of.latest()->requests == 0U);

    const auto got = of.finish(false);
    BOOST_TEST(got.concurrency == 4U);
    BOOST_TEST(got.requests == 3U);
    BOOST_TEST(got.errors == 2U);
    BOOST_TEST(got.seconds == 2.0, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(got.rate == 1.5, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(got.good_rate == 0.5, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(!got.interrupted);
    BOOST_TEST((got.failures() == std::map<std::string, std::uint64_t>{{"http_403", 1}, {"http_404", 1}}));
    BOOST_TEST((got.latency().max() == 400ms));
    BOOST_TEST((got.by_operation[static_cast<std::size_t>(operation::remove)].latency.min() == 100ms));
    BOOST_TEST(!got.first_failure.empty());
    BOOST_TEST_REQUIRE(got.series.size() == 3U);
    BOOST_TEST(got.series[0].requests == 2U);
    BOOST_TEST(got.series[0].errors == 1U);
    BOOST_TEST(got.series[2].requests == 1U);
    BOOST_TEST(got.series[2].seconds == 0.5, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(measures_nothing_of_no_request)
{
    load_recorder of(operation::remove, 1, load_recorder::time_point(1s));
    const auto got = of.finish(true);
    BOOST_TEST(got.interrupted);
    BOOST_TEST(got.requests == 0U);
    BOOST_TEST(got.rate == 0);
    BOOST_TEST(got.series.empty());
}

BOOST_AUTO_TEST_SUITE_END()
