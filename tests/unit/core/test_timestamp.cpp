#include "regsweep/core/timestamp.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>

using namespace regsweep;

namespace {

std::int64_t seconds_of(std::string_view text)
{
    const auto read = parse_timestamp(text);
    BOOST_REQUIRE_MESSAGE(read, text);
    return read->seconds;
}

} // namespace

BOOST_AUTO_TEST_SUITE(timestamps)

BOOST_AUTO_TEST_CASE(days_and_leap_days)
{
    BOOST_TEST(seconds_of("1970-01-01T00:00:00Z") == 0);
    BOOST_TEST(seconds_of("2024-02-29T12:00:00Z") == 1'709'208'000);
    BOOST_TEST(seconds_of("2000-02-29T00:00:00Z") == 951'782'400);
    BOOST_TEST(seconds_of("2024-03-01T00:00:00Z") - seconds_of("2024-02-28T00:00:00Z") == 2 * 86'400);
    BOOST_TEST(seconds_of("2023-03-01T00:00:00Z") - seconds_of("2023-02-28T00:00:00Z") == 86'400);
    BOOST_TEST(!parse_timestamp("2023-02-29T00:00:00Z").has_value());
    BOOST_TEST(!parse_timestamp("1900-02-29T00:00:00Z").has_value());
    BOOST_TEST(!parse_timestamp("2024-04-31T00:00:00Z").has_value());
    BOOST_TEST(!parse_timestamp("2024-00-10T00:00:00Z").has_value());
    BOOST_TEST(!parse_timestamp("2024-13-10T00:00:00Z").has_value());
    BOOST_TEST(!parse_timestamp("2024-01-00T00:00:00Z").has_value());
}

BOOST_AUTO_TEST_CASE(times_long_ago_and_far_ahead)
{
    BOOST_TEST(seconds_of("0001-01-01T00:00:00Z") == -62'135'596'800);
    BOOST_TEST(seconds_of("1969-12-31T23:59:59Z") == -1);
    BOOST_TEST(seconds_of("2106-02-07T06:28:16Z") == 4'294'967'296);
    BOOST_TEST(seconds_of("9999-12-31T23:59:59Z") == 253'402'300'799);
}

BOOST_AUTO_TEST_CASE(zones)
{
    BOOST_TEST(seconds_of("2024-03-01T00:30:00+01:00") == seconds_of("2024-02-29T23:30:00Z"));
    BOOST_TEST(seconds_of("2023-12-31T19:00:00-05:00") == seconds_of("2024-01-01T00:00:00Z"));
    BOOST_TEST(seconds_of("2024-01-01T05:45:00+05:45") == seconds_of("2024-01-01T00:00:00Z"));
    BOOST_TEST(seconds_of("2024-01-01T00:00:00-00:00") == seconds_of("2024-01-01t00:00:00z"));
    for (const char* bad : {"2024-01-01T00:00:00", "2024-01-01T00:00:00+1:00", "2024-01-01T00:00:00+0100",
                            "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+01:60", "2024-01-01T00:00:00UTC"})
        BOOST_TEST(!parse_timestamp(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(fractions)
{
    BOOST_TEST(parse_timestamp("2024-01-01T00:00:00.5Z")->nanoseconds == 500'000'000U);
    BOOST_TEST(parse_timestamp("2024-01-01T00:00:00.000000001Z")->nanoseconds == 1U);
    BOOST_TEST(parse_timestamp("2024-01-01T00:00:00.123456789987654321+02:00")->nanoseconds == 123'456'789U);
    BOOST_TEST(!parse_timestamp("2024-01-01T00:00:00.Z").has_value());
    BOOST_TEST(!parse_timestamp("2024-01-01T00:00:00,5Z").has_value());
    BOOST_TEST((*parse_timestamp("2024-01-01T00:00:00.1Z") < *parse_timestamp("2024-01-01T00:00:00.2Z")));
    BOOST_TEST((*parse_timestamp("2024-01-01T00:00:00.9Z") < *parse_timestamp("2024-01-01T00:00:01Z")));
}

BOOST_AUTO_TEST_CASE(leap_seconds_end_their_minute)
{
    BOOST_TEST(seconds_of("2016-12-31T23:59:60Z") == seconds_of("2017-01-01T00:00:00Z"));
    BOOST_TEST(parse_timestamp("2016-12-31T23:59:60.75Z")->nanoseconds == 0U);
    BOOST_TEST(!parse_timestamp("2016-12-31T23:59:61Z").has_value());
    BOOST_TEST(!parse_timestamp("2016-12-31T24:00:00Z").has_value());
    BOOST_TEST(!parse_timestamp("2016-12-31T23:60:00Z").has_value());
}

BOOST_AUTO_TEST_CASE(other_texts_are_no_times)
{
    for (const char* bad : {"", "yesterday", "1709208000", "2024-02-29", "24-02-29T12:00:00Z", "2024-2-29T12:00:00Z",
                            "+024-02-29T12:00:00Z", "2024-02-29T12:00Z", " 2024-02-29T12:00:00Z",
                            "2024-02-29T12:00:00Z ", "2024-02-29T12:00:00ZZ", "12024-02-29T12:00:00Z"})
        BOOST_TEST(!parse_timestamp(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(printing_gives_what_was_read)
{
    for (const char* text :
         {"1970-01-01T00:00:00Z", "2024-02-29T23:59:59.5Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.000000001Z",
          "1969-12-31T23:59:59.999Z", "2024-02-29T01:02:03.000004Z"}) {
        const auto read = parse_timestamp(text);
        BOOST_REQUIRE(read);
        BOOST_TEST((parse_timestamp(to_string(*read)) == read), to_string(*read));
    }
    BOOST_TEST(to_string(*parse_timestamp("2024-02-29T23:59:59.5+00:00")) == "2024-02-29T23:59:59.500Z");
    BOOST_TEST(to_string(*parse_timestamp("2024-02-29T23:59:59+01:00")) == "2024-02-29T22:59:59Z");
}

BOOST_AUTO_TEST_SUITE_END()
