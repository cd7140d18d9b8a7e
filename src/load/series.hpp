#ifndef REGSWEEP_SRC_LOAD_SERIES_HPP
#define REGSWEEP_SRC_LOAD_SERIES_HPP

#include "regsweep/load/generator.hpp"

#include <map>
#include <mutex>

namespace regsweep {

/// What one thread saw in one interval.
struct interval_part
{
    double seconds = 0;
    std::uint64_t requests = 0;
    std::uint64_t errors = 0;
    histogram latency;
};

/// Where the threads of a load put their seconds together: once a second each, so that a lock costs nothing.
class interval_board
{
public:
    interval_board(unsigned threads, double warmup_seconds) : threads_(threads), warmup_(warmup_seconds) {}

    /// Adds a thread's part of interval `number`. Intervals last a second, but for the last.
    void publish(std::size_t number, const interval_part& part);
    /// A thread that ends publishes no more.
    void leave();

    std::optional<load_interval> latest() const;
    /// All intervals, once every thread has left.
    std::vector<load_interval> all() const;

private:
    struct sum
    {
        unsigned parts = 0;
        interval_part whole;
    };
    void close(bool everything);

    mutable std::mutex guard_;
    unsigned threads_;
    double warmup_;
    std::map<std::size_t, sum> open_;
    std::vector<load_interval> closed_;
};

} // namespace regsweep

#endif
