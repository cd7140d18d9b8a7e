#include "regsweep/load/histogram.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <sstream>
#include <vector>

using regsweep::histogram;
using namespace std::chrono_literals;

namespace {

using values = std::vector<std::int64_t>;

histogram of(const values& all)
{
    histogram out;
    for (const auto v : all)
        out.record(std::chrono::nanoseconds(v));
    return out;
}

// The percentile by its definition, from sorted values: the smallest that at least `percent` do not exceed.
std::int64_t exact(const values& sorted, double percent)
{
    for (std::size_t i = 0; i != sorted.size(); ++i)
        if (static_cast<double>(i + 1) * 100 >= percent * static_cast<double>(sorted.size()) * (1 - 1e-12))
            return sorted[i];
    return sorted.back();
}

values random_values(std::mt19937_64& random, std::size_t count, int kind)
{
    std::lognormal_distribution<double> skewed(13, 2);
    std::uniform_real_distribution<double> exponent(std::log(1e3), std::log(3.6e12));
    std::uniform_int_distribution<std::int64_t> flat(1000, 5'000'000);
    values out(count);
    for (auto& v : out) {
        const double drawn = kind == 0   ? std::min(skewed(random), 3.6e12)
                             : kind == 1 ? std::exp(exponent(random))
                                         : static_cast<double>(flat(random));
        v = std::max<std::int64_t>(1000, static_cast<std::int64_t>(drawn));
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(buckets)

BOOST_AUTO_TEST_CASE(lie_side_by_side_and_hold_what_they_say)
{
    std::uint64_t next = 0;
    for (std::size_t i = 0; i != histogram::buckets; ++i) {
        BOOST_TEST_REQUIRE(histogram::lowest_in(i) == next);
        BOOST_TEST_REQUIRE(histogram::bucket_of(histogram::lowest_in(i)) == i);
        BOOST_TEST_REQUIRE(histogram::bucket_of(histogram::highest_in(i)) == i);
        next = histogram::highest_in(i) + 1;
    }
    BOOST_TEST(next > histogram::largest);
}

BOOST_AUTO_TEST_CASE(are_at_most_one_percent_wide)
{
    for (std::size_t i = histogram::bucket_of(1000); i != histogram::buckets; ++i) {
        const auto low = static_cast<double>(histogram::lowest_in(i));
        const auto high = static_cast<double>(histogram::highest_in(i));
        BOOST_TEST_REQUIRE((high - low) / low <= 0.01, "bucket " << i);
    }
}

BOOST_AUTO_TEST_CASE(take_a_fixed_and_small_memory)
{
    BOOST_TEST(sizeof(histogram) < 40'000U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(figures)

BOOST_AUTO_TEST_CASE(of_an_empty_one_are_zero)
{
    const histogram none;
    BOOST_TEST(none.empty());
    BOOST_TEST(none.min().count() == 0);
    BOOST_TEST(none.max().count() == 0);
    BOOST_TEST(none.mean() == 0);
    BOOST_TEST(none.standard_deviation() == 0);
    BOOST_TEST(none.percentile(99).count() == 0);
}

BOOST_AUTO_TEST_CASE(of_one_value_are_that_value)
{
    const histogram one = of({123'456'789});
    for (const double p : {0.0, 50.0, 99.9, 100.0})
        BOOST_TEST(one.percentile(p).count() == 123'456'789);
    BOOST_TEST(one.mean() == 123'456'789.0);
}

BOOST_AUTO_TEST_CASE(keep_odd_values_within_the_range)
{
    histogram odd;
    odd.record(-5ns);
    odd.record(0ns);
    odd.record(std::chrono::hours(50));
    BOOST_TEST(odd.count() == 3U);
    BOOST_TEST(odd.min().count() == 0);
    BOOST_TEST((odd.max() == std::chrono::hours(1)));
    BOOST_TEST((odd.percentile(100) == std::chrono::hours(1)));
}

BOOST_AUTO_TEST_CASE(rank_exactly_at_whole_shares)
{
    values all;
    for (int i = 1; i <= 1000; ++i)
        all.push_back(i <= 999 ? 10 : 200);
    const histogram h = of(all);
    BOOST_TEST(h.percentile(99.9).count() == 10);
    BOOST_TEST(h.percentile(99.91).count() == 200);
}

BOOST_AUTO_TEST_CASE(agree_with_sorting_within_one_percent)
{
    std::mt19937_64 random(20);
    for (int round = 0; round != 60; ++round) {
        const std::size_t count = 1 + random() % 3000;
        values all = random_values(random, count, round % 3);
        const histogram h = of(all);
        std::sort(all.begin(), all.end());
        BOOST_TEST_REQUIRE(h.count() == count);
        BOOST_TEST_REQUIRE(h.min().count() == all.front());
        BOOST_TEST_REQUIRE(h.max().count() == all.back());
        double sum = 0;
        for (const auto v : all)
            sum += static_cast<double>(v);
        BOOST_TEST_REQUIRE(std::abs(h.mean() * static_cast<double>(count) / sum - 1) < 1e-9);
        for (const double p : {0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
            const auto expected = static_cast<double>(exact(all, p));
            const auto got = static_cast<double>(h.percentile(p).count());
            BOOST_TEST_REQUIRE(got >= expected, "round " << round << ", p" << p);
            BOOST_TEST_REQUIRE(got <= expected * 1.01, "round " << round << ", p" << p);
        }
    }
}

BOOST_AUTO_TEST_CASE(spread_is_that_of_the_values)
{
    std::mt19937_64 random(21);
    std::normal_distribution<double> normal(5e6, 1e6);
    values all(20'000);
    for (auto& v : all)
        v = static_cast<std::int64_t>(std::max(1000.0, normal(random)));
    BOOST_TEST(of(all).standard_deviation() == 1e6, boost::test_tools::tolerance(0.03));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(merging)

BOOST_AUTO_TEST_CASE(equals_recording_all_in_one_whatever_the_parts)
{
    std::mt19937_64 random(22);
    for (int round = 0; round != 20; ++round) {
        const values all = random_values(random, 500, round % 3);
        std::vector<histogram> parts(1 + random() % 5);
        for (const auto v : all)
            parts[random() % parts.size()].record(std::chrono::nanoseconds(v));
        histogram merged;
        for (const auto& part : parts)
            merged.merge(part);
        BOOST_TEST_REQUIRE((merged == of(all)));
    }
}

BOOST_AUTO_TEST_CASE(with_an_empty_one_changes_nothing)
{
    histogram h = of({1, 2, 3});
    h.merge(histogram());
    BOOST_TEST((h == of({1, 2, 3})));
    h.clear();
    BOOST_TEST((h == histogram()));
}

BOOST_AUTO_TEST_CASE(buckets_can_be_taken_out_and_put_in)
{
    std::mt19937_64 random(23);
    const histogram h = of(random_values(random, 1000, 1));
    histogram copy = histogram::with(h.min(), h.max(), h.sum());
    h.for_each([&](std::size_t bucket, std::uint64_t count) { copy.add(bucket, count); });
    copy.add(histogram::buckets, 5);
    BOOST_TEST((copy == h));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(hgrm)

BOOST_AUTO_TEST_CASE(is_what_the_plotter_reads)
{
    std::mt19937_64 random(24);
    values all = random_values(random, 10'000, 0);
    const histogram h = of(all);
    std::sort(all.begin(), all.end());
    std::istringstream in(regsweep::to_hgrm(h));
    std::string line;
    std::getline(in, line);
    std::istringstream head(line);
    std::vector<std::string> names(4);
    for (auto& name : names)
        head >> name;
    BOOST_TEST((names == std::vector<std::string>{"Value", "Percentile", "TotalCount", "1/(1-Percentile)"}));
    std::getline(in, line);
    BOOST_TEST(line.empty());
    double last_percentile = -1;
    double last_value = 0;
    std::uint64_t last_count = 0;
    std::size_t rows = 0;
    while (std::getline(in, line) && !line.starts_with("#")) {
        std::istringstream row(line);
        double value = 0;
        double percentile = 0;
        std::uint64_t count = 0;
        double inverse = 0;
        row >> value >> percentile >> count;
        BOOST_TEST_REQUIRE(!row.fail(), line);
        BOOST_TEST_REQUIRE((percentile > last_percentile || percentile == 1), line);
        BOOST_TEST_REQUIRE(value >= last_value, line);
        BOOST_TEST_REQUIRE(count >= last_count, line);
        if (row >> inverse)
            BOOST_TEST_REQUIRE(inverse == 1 / (1 - percentile), boost::test_tools::tolerance(0.01));
        else
            BOOST_TEST_REQUIRE(percentile == 1.0, line);
        const double expected = static_cast<double>(exact(all, percentile * 100)) / 1e6;
        BOOST_TEST_REQUIRE(std::abs(value - expected) <= 0.01 * expected + 0.001, line);
        last_percentile = percentile;
        last_value = value;
        last_count = count;
        ++rows;
    }
    BOOST_TEST(rows > 30U);
    BOOST_TEST(last_percentile == 1.0);
    BOOST_TEST(last_count == 10'000U);
    BOOST_TEST(line.starts_with("#[Mean    ="), line);
    std::getline(in, line);
    BOOST_TEST(line.starts_with("#[Max     ="), line);
    BOOST_TEST(line.find("Total count    =        10000]") != std::string::npos, line);
    std::getline(in, line);
    BOOST_TEST(line.starts_with("#[Buckets ="), line);
}

BOOST_AUTO_TEST_CASE(of_nothing_has_no_rows)
{
    const std::string text = regsweep::to_hgrm(histogram());
    BOOST_TEST(std::count(text.begin(), text.end(), '\n') == 5);
}

BOOST_AUTO_TEST_SUITE_END()
