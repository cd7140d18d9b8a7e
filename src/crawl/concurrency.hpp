#ifndef REGSWEEP_SRC_CRAWL_CONCURRENCY_HPP
#define REGSWEEP_SRC_CRAWL_CONCURRENCY_HPP

#include <chrono>
#include <cstdint>

namespace regsweep {

/// Finds how many requests in flight serve a registry best: it doubles them while that raises the throughput, takes
/// the last step back when it does not, and tries again now and then. When the registry says that it is too much, it
/// goes down at once and comes back slowly: additive increase, multiplicative decrease (Chiu and Jain, "Analysis of
/// the Increase and Decrease Algorithms for Congestion Avoidance in Computer Networks"). No clock of its own; one
/// thread at a time.
class concurrency_control
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    struct limits
    {
        unsigned first = 32; ///< where it begins
        unsigned least = 1;  ///< never below
        unsigned most = 256; ///< never above
        bool fixed = false;  ///< `first` for ever
    };

    explicit concurrency_control(limits within);

    /// How many requests may be in flight now.
    unsigned limit() const noexcept { return limit_; }

    /// Tell it of every answer, with the number of requests in flight before it and how often so far the registry
    /// was too busy (429, 503, timeouts). While less is in flight than may be, nothing can be learnt from the rate.
    /// True if the limit has changed.
    bool answered(time_point now, unsigned in_flight, std::uint64_t overloads);

private:
    enum class phase : std::uint8_t { climbing, holding, recovering };

    bool evaluate(double rate);
    bool change(unsigned to) noexcept;
    void begin_window(time_point now) noexcept;

    limits within_;
    unsigned limit_;
    phase phase_ = phase::climbing;
    time_point window_begin_{};
    std::uint64_t answers_ = 0; // in this window
    std::uint64_t overloads_ = 0;
    bool settling_ = true;   // the window after a change still holds answers of before
    double rate_before_ = 0; // of the level below the one being tried; 0: there is none
    double rate_held_ = 0;   // of the level held, on a moving average
    unsigned windows_held_ = 0;
    unsigned patience_ = 0; // windows to hold before the next try
};

} // namespace regsweep

#endif
