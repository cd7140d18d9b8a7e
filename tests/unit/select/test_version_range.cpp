#include "regsweep/select/version_range.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace regsweep;

namespace {

bool semver(const std::string& range, const std::string& tag)
{
    return version_range::parse(range, version_scheme::semantic).value().matches(tag);
}

bool loose(const std::string& range, const std::string& tag)
{
    return version_range::parse(range, version_scheme::loose).value().matches(tag);
}

} // namespace

BOOST_AUTO_TEST_SUITE(version_ranges)

// The examples of semver.org 2.0.0, items 9 to 11, each list in ascending order.
BOOST_AUTO_TEST_CASE(precedence_is_that_of_semver_org)
{
    const std::vector<std::string> sorted = {
        "0.9.9",
        "1.0.0-0.3.7",
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-0a",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.2",
        "1.0.0-alpha.10",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0-x.7.z.92",
        "1.0.0-x-y-z.--",
        "1.0.0",
        "1.9.0",
        "1.10.0",
        "1.11.0",
        "2.0.0",
        "2.1.0",
        "2.1.1",
        "99999999999999999999.0.0",
        "100000000000000000000.0.0",
    };
    for (std::size_t i = 0; i != sorted.size(); ++i)
        for (std::size_t j = 0; j != sorted.size(); ++j) {
            const auto a = semantic_version::parse(sorted[i]);
            const auto b = semantic_version::parse(sorted[j]);
            BOOST_TEST_REQUIRE((a && b), sorted[i] << " or " << sorted[j] << " is not read");
            BOOST_TEST((precedence(*a, *b) == (i <=> j)), sorted[i] << " and " << sorted[j]);
        }
}

BOOST_AUTO_TEST_CASE(what_is_a_semantic_version)
{
    for (const std::string good :
         {"0.0.4", "1.2.3", "v1.2.3", "10.20.30", "1.1.2-prerelease+meta", "1.1.2+meta", "1.1.2_meta", "1.0.0-alpha",
          "1.0.0-alpha0.valid", "1.0.0-rc.1+build.1", "1.0.0-0A.is.legal", "2.0.0+build.1848",
          "1.0.0+0.build.1-rc.10000aaa-kk-0.1", "1.2.3----RC-SNAPSHOT.12.9.1--.12", "999999999999999999999.0.0"})
        BOOST_TEST(semantic_version::parse(good).has_value(), good);
    for (const std::string bad :
         {"",           "1",        "1.2",       "1.2.3-",       "1.2.3-0123", "1.2.3-0123.0123",
          "1.1.2+.123", "+invalid", "-invalid",  "alpha",        "alpha.beta", "01.1.1",
          "1.01.1",     "1.1.01",   "1.2.3.DEV", "1.2-SNAPSHOT", "1.2.3+a+b",  "-1.0.3",
          "1.2.3.4",    "1.2.",     ".2.3",      "1..3",         "V1.2.3",     "1.0.0-a..b",
          "1.0.0-a.",   "vv1.0.0",  "1.0.0 "})
        BOOST_TEST(!semantic_version::parse(bad).has_value(), bad);
    const auto meta = semantic_version::parse("v1.0.0-rc.1_b2").value();
    BOOST_TEST(meta.prerelease == "rc.1");
    BOOST_TEST(meta.build == "b2");
    BOOST_TEST((precedence(*semantic_version::parse("1.0.0+a"), *semantic_version::parse("1.0.0+b")) == 0));
}

BOOST_AUTO_TEST_CASE(semantic_ranges)
{
    BOOST_TEST(semver(">=1.2 <2", "1.2.0"));
    BOOST_TEST(semver(">=1.2 <2", "v1.99.3"));
    BOOST_TEST(!semver(">=1.2 <2", "1.1.9"));
    BOOST_TEST(!semver(">=1.2 <2", "2.0.0"));
    BOOST_TEST(!semver(">=1.2 <2", "latest"));
    BOOST_TEST(semver("<=1.2", "1.2.9"));
    BOOST_TEST(!semver(">1.2", "1.2.9"));
    BOOST_TEST(semver(">1.2", "1.3.0"));
    BOOST_TEST(semver("1.2", "1.2.7"));
    BOOST_TEST(semver("= 1.2.7", "1.2.7"));
    BOOST_TEST(!semver("==1.2.7", "1.2.8"));
    BOOST_TEST(semver(">=1.0.0,<1.1.0 || 3", "3.1.4"));
    BOOST_TEST(semver("*", "0.0.1"));
}

BOOST_AUTO_TEST_CASE(a_prerelease_matches_only_where_the_range_names_one)
{
    BOOST_TEST(!semver("*", "1.0.0-rc.1"));
    BOOST_TEST(!semver(">=1.0.0", "1.5.0-rc.1"));
    BOOST_TEST(semver(">=1.0.0-0", "1.5.0-rc.1"));
    BOOST_TEST(semver(">=1.0.0-0", "1.0.0-alpha"));
    BOOST_TEST(semver(">=1.0.0-beta <2", "1.0.0-rc"));
    BOOST_TEST(!semver(">=1.0.0-beta <2", "1.0.0-alpha"));
    BOOST_TEST(!semver(">=1.0.0-beta <2", "2.0.0-rc.1"));
    BOOST_TEST(!semver(">=1.0.0-beta <2.0.0", "2.0.0-rc.1"));
    BOOST_TEST(semver(">=1.0.0-beta <2", "1.9.0-rc.1"));
    BOOST_TEST(semver(">=1.0.0-beta <=2.0.0", "2.0.0-rc.1"));
    BOOST_TEST(!semver(">=2.0.0 <9.0.0-0", "2.0.0-rc.1"));
    BOOST_TEST(!semver("2.0.0 || <1.0.0-0", "2.0.0-rc.1"));
    BOOST_TEST(!semver(">=1.0.0-0 <1.1 || >=3", "3.1.0-rc"));
    BOOST_TEST(semver("=1.0.0-rc.1", "1.0.0-rc.1+build"));
}

BOOST_AUTO_TEST_CASE(loose_ranges_take_any_tag)
{
    BOOST_TEST(loose(">=1.2 <2", "1.10-alpine"));
    BOOST_TEST(!loose(">=1.2 <2", "1.1"));
    BOOST_TEST(!loose(">=1.2 <2", "2"));
    BOOST_TEST(!loose(">=1.2 <2", "v1.5")); // text and number do not compare
    BOOST_TEST(loose(">=v1.2", "v1.5"));
    BOOST_TEST(loose("*", "anything"));
    BOOST_TEST(loose("<1 || >2", "3"));
    BOOST_TEST(!loose("<1 || >2", "1.5"));
    const auto copy = [] {
        const auto first = version_range::parse(">=1.2", version_scheme::loose).value();
        return version_range(first);
    }();
    BOOST_TEST(copy.matches("1.3")); // what a copy views outlives the first
    BOOST_TEST(copy.text() == ">=1.2");
}

BOOST_AUTO_TEST_CASE(bad_ranges_say_what_was_expected)
{
    for (const auto scheme : {version_scheme::loose, version_scheme::semantic})
        for (const std::string bad :
             {"", " ", ">=", "|| 1", "1 ||", ">=1.2 ||", "=> 1", ">< 1", "~1.2", "^1", ">= >= 1"}) {
            const auto range = version_range::parse(bad, scheme);
            BOOST_TEST(!range, bad);
            BOOST_TEST((!range && range.error().detail.find("expected one such as") != std::string::npos), bad);
        }
    for (const std::string bad : {"1.2.3.4", "01.2", "1.2-rc", "latest", "1.x"})
        BOOST_TEST(!version_range::parse(bad, version_scheme::semantic), bad);
}

BOOST_AUTO_TEST_SUITE_END()
