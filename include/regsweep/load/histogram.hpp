#ifndef REGSWEEP_LOAD_HISTOGRAM_HPP
#define REGSWEEP_LOAD_HISTOGRAM_HPP

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace regsweep {

/// Counts durations in buckets whose width grows with their value: 128 buckets from each power of two to the next, so
/// that what is read from it is at most 1/128 (0.79 %) above what was recorded, in 37 KiB whatever is recorded. The
/// arrangement of HdrHistogram (hdrhistogram.org). One thread at a time.
class histogram
{
public:
    using duration = std::chrono::nanoseconds;

    static constexpr unsigned sub_bits = 7;
    static constexpr std::uint64_t sub_buckets = std::uint64_t{1} << sub_bits; ///< from a power of two to the next
    static constexpr std::uint64_t largest = 3'600'000'000'000;                ///< an hour, in ns; more counts as this

    /// The bucket of a number of nanoseconds.
    static constexpr std::size_t bucket_of(std::uint64_t ns) noexcept
    {
        if (ns < 2 * sub_buckets)
            return static_cast<std::size_t>(ns);
        const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - sub_bits - 1;
        return static_cast<std::size_t>((std::uint64_t{shift} << sub_bits) + (ns >> shift));
    }
    /// The smallest and the largest number of nanoseconds in a bucket.
    static constexpr std::uint64_t lowest_in(std::size_t bucket) noexcept
    {
        if (bucket < 2 * sub_buckets)
            return bucket;
        const unsigned shift = static_cast<unsigned>(bucket >> sub_bits) - 1;
        return (sub_buckets + (bucket & (sub_buckets - 1))) << shift;
    }
    static constexpr std::uint64_t highest_in(std::size_t bucket) noexcept { return lowest_in(bucket + 1) - 1; }

    static constexpr std::size_t buckets = (34U << sub_bits) + (largest >> 34) + 1;

    /// Counts one duration; a negative one as 0.
    void record(duration d) noexcept
    {
        const auto given = d.count();
        const auto ns = given < 0 ? 0 : static_cast<std::uint64_t>(given);
        const std::uint64_t kept = ns < largest ? ns : largest;
        ++counts_[bucket_of(kept)];
        ++count_;
        sum_ += kept;
        if (kept < min_)
            min_ = kept;
        if (kept > max_)
            max_ = kept;
    }

    /// Adds everything that `other` has counted.
    void merge(const histogram& other) noexcept;
    void clear() noexcept;

    std::uint64_t count() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    duration min() const noexcept;                      ///< exact; 0 if empty
    duration max() const noexcept;                      ///< exact; 0 if empty
    double mean() const noexcept;                       ///< ns, exact; 0 if empty
    double standard_deviation() const noexcept;         ///< ns, within the width of the buckets
    std::uint64_t sum() const noexcept { return sum_; } ///< ns; good for 5 billion times an hour

    /// The smallest duration that at least `percent` (0 to 100) of those counted do not exceed: the upper end of its
    /// bucket, never more than `max`. 0 if empty.
    duration percentile(double percent) const noexcept;

    /// Calls `visit` with the number of each bucket that is not empty and its count, in order.
    void for_each(const std::function<void(std::size_t bucket, std::uint64_t count)>& visit) const;

    /// A histogram with these exact figures, to be filled by `add`: for reading one that was stored.
    static histogram with(duration min, duration max, std::uint64_t sum) noexcept;
    /// Adds to one bucket's count and to nothing else; does nothing for a bucket that does not exist.
    void add(std::size_t bucket, std::uint64_t count) noexcept;

    friend bool operator==(const histogram&, const histogram&) = default;

private:
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t min_ = UINT64_MAX;
    std::uint64_t max_ = 0;
    std::array<std::uint64_t, buckets> counts_{};
};

static_assert(histogram::bucket_of(histogram::largest) + 1 == histogram::buckets);

/// The distribution as HdrHistogram prints it, in milliseconds; its plotter reads this. Source:
/// org.HdrHistogram.AbstractHistogram.outputPercentileDistribution, five steps for each halving of what is left.
std::string to_hgrm(const histogram& of);

} // namespace regsweep

#endif
