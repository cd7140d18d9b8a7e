#include "regsweep/load/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace regsweep {
namespace {

constexpr double steps_per_half = 5;
constexpr double ns_per_ms = 1e6;

// Where HdrHistogram's percentile iterator stops next: the steps get finer as what is left gets less.
double next_level(double percent) noexcept
{
    const double halves = std::floor(std::log2(100.0 / (100.0 - percent))) + 1;
    return percent + 100.0 / (steps_per_half * std::exp2(halves));
}

template<class... T>
void print(std::string& into, const char* format, T... values)
{
    char text[160];
    const int n = std::snprintf(text, sizeof text, format, values...);
    into.append(text, static_cast<std::size_t>(std::clamp(n, 0, static_cast<int>(sizeof text) - 1)));
}

} // namespace

void histogram::merge(const histogram& other) noexcept
{
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    for (std::size_t i = 0; i != buckets; ++i)
        counts_[i] += other.counts_[i];
}

void histogram::clear() noexcept
{
    *this = histogram();
}

histogram::duration histogram::min() const noexcept
{
    return duration(empty() ? 0 : static_cast<std::int64_t>(min_));
}

histogram::duration histogram::max() const noexcept
{
    return duration(static_cast<std::int64_t>(max_));
}

double histogram::mean() const noexcept
{
    return empty() ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

double histogram::standard_deviation() const noexcept
{
    if (empty())
        return 0;
    const double centre = mean();
    double squares = 0;
    for (std::size_t i = 0; i != buckets; ++i) {
        if (counts_[i] == 0)
            continue;
        const double middle = static_cast<double>(lowest_in(i) + highest_in(i)) / 2;
        squares += static_cast<double>(counts_[i]) * (middle - centre) * (middle - centre);
    }
    return std::sqrt(squares / static_cast<double>(count_));
}

histogram::duration histogram::percentile(double percent) const noexcept
{
    if (empty())
        return duration(0);
    const double share = std::clamp(percent, 0.0, 100.0) / 100;
    // 99.9 % of 1000 is 999 though it comes out as 999.0000000000001: a rank must not be rounded up for that.
    const double exact = share * static_cast<double>(count_);
    const double rank = std::max(1.0, std::ceil(exact - exact * 1e-12));
    const auto wanted = std::min(count_, static_cast<std::uint64_t>(rank));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i != buckets; ++i) {
        seen += counts_[i];
        if (seen >= wanted)
            return duration(static_cast<std::int64_t>(std::clamp(highest_in(i), min_, max_)));
    }
    return max();
}

void histogram::for_each(const std::function<void(std::size_t, std::uint64_t)>& visit) const
{
    for (std::size_t i = 0; i != buckets; ++i)
        if (counts_[i] != 0)
            visit(i, counts_[i]);
}

histogram histogram::with(duration min, duration max, std::uint64_t sum) noexcept
{
    histogram out;
    out.min_ = static_cast<std::uint64_t>(std::max<std::int64_t>(0, min.count()));
    out.max_ = static_cast<std::uint64_t>(std::max<std::int64_t>(0, max.count()));
    out.sum_ = sum;
    return out;
}

void histogram::add(std::size_t bucket, std::uint64_t count) noexcept
{
    if (bucket >= buckets)
        return;
    counts_[bucket] += count;
    count_ += count;
}

std::string to_hgrm(const histogram& of)
{
    std::string out;
    print(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    std::uint64_t seen = 0;
    double level = 0;
    const auto total = static_cast<double>(of.count());
    of.for_each([&](std::size_t bucket, std::uint64_t count) {
        seen += count;
        const double reached = 100 * static_cast<double>(seen) / total;
        const double ms =
            std::min(static_cast<double>(histogram::highest_in(bucket)), static_cast<double>(of.max().count())) /
            ns_per_ms;
        while (seen != of.count() && level <= reached) {
            print(out, "%12.3f %2.12f %10llu %14.2f\n", ms, level / 100, static_cast<unsigned long long>(seen),
                  100 / (100 - level));
            level = next_level(level);
        }
        if (seen == of.count()) {
            // One bucket may hold many of the last levels; a count is at the most as fine as its last step.
            const double finest = 100 - 100 / total;
            for (; level < finest; level = next_level(level))
                print(out, "%12.3f %2.12f %10llu %14.2f\n", ms, level / 100, static_cast<unsigned long long>(seen),
                      100 / (100 - level));
            print(out, "%12.3f %2.12f %10llu\n", ms, 1.0, static_cast<unsigned long long>(seen));
        }
    });
    print(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", of.mean() / ns_per_ms,
          of.standard_deviation() / ns_per_ms);
    print(out, "#[Max     = %12.3f, Total count    = %12llu]\n", static_cast<double>(of.max().count()) / ns_per_ms,
          static_cast<unsigned long long>(of.count()));
    print(out, "#[Buckets = %12u, SubBuckets     = %12u]\n",
          static_cast<unsigned>(histogram::buckets / histogram::sub_buckets),
          static_cast<unsigned>(2 * histogram::sub_buckets));
    return out;
}

} // namespace regsweep
