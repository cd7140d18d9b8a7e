#ifndef REGSWEEP_SRC_LOAD_TALLY_HPP
#define REGSWEEP_SRC_LOAD_TALLY_HPP

#include "load/series.hpp"
#include "regsweep/load/generator.hpp"

namespace regsweep {

/// One request, when it is over.
struct finished_request
{
    operation op = operation::ping;
    bool measured = true;
    send_schedule::time_point intended{};
    send_schedule::time_point sent{};
    send_schedule::time_point ended{};
    unsigned status = 0;     ///< 0 without an answer
    errc failure = errc::io; ///< without an answer: why
    std::size_t body_bytes = 0;
};

/// The kind of a failure, as far as it is one of the project's own.
errc kind_of(const error& e) noexcept;

/// What one thread has counted. No clock, no allocation but for its own.
class tally
{
public:
    using time_point = send_schedule::time_point;

    tally(time_point measured_from, time_point end) : from_(measured_from), end_(end) {}

    void add(const finished_request& what) noexcept;

    /// What was counted since the last time it was taken.
    interval_part take_interval(double seconds);

    /// Adds all of it to `into`, but for what concerns the measurement as a whole.
    void add_to(load_result& into) const;

    double answered() const noexcept { return answered_; } ///< within the measurement, parts of requests included
    double good() const noexcept { return good_; }         ///< of those, without an error
    time_point last() const noexcept { return last_; }     ///< when the last request ended

private:
    static constexpr std::size_t statuses = 600;
    static constexpr std::size_t kinds = 32;
    struct counts
    {
        histogram latency;
        std::uint64_t errors = 0;
        std::uint64_t body_bytes = 0;
        std::array<std::uint64_t, statuses> by_status{};
        std::array<std::uint64_t, kinds> by_kind{};
    };
    double part_inside(const finished_request& what) const noexcept;

    time_point from_;
    time_point end_;
    time_point last_{};
    double answered_ = 0;
    double good_ = 0;
    std::uint64_t warmup_ = 0;
    std::array<counts, operations> by_operation_;
    interval_part interval_;
};

} // namespace regsweep

#endif
