#ifndef REGSWEEP_SRC_REGISTRY_PIPELINING_HPP
#define REGSWEEP_SRC_REGISTRY_PIPELINING_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace regsweep {

/// Decides how many requests a thread sends together on a connection (HTTP/1.1 pipelining). They are answered one
/// after the other, so that it pays only where system calls, not the registry, are what takes the time: while a thread
/// gets that many answers a second. Before that, a trial has to show that answers come back in order: requests whose
/// answers are known are sent together. No clock of its own; one thread at a time.
class pipelining
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    static constexpr unsigned deep = 8;
    static constexpr unsigned connections = 4;  ///< to be kept busy
    static constexpr double high_rate = 15'000; ///< answers a second

    /// `fixed` requests together from the beginning; 0: as described, from `rate` answers a second, and one by one
    /// again below a third of that.
    explicit pipelining(unsigned fixed, double rate = high_rate) noexcept : fixed_(fixed), high_(rate), low_(rate / 3)
    {}

    /// How many requests to send together now, where there may be `at_once` (at least 1) in flight: of their own accord
    /// no more than leave several connections busy.
    unsigned depth(unsigned at_once) const noexcept
    {
        if (fixed_ != 0)
            return std::min(fixed_, at_once);
        return now_ == phase::together ? std::clamp(at_once / connections, 1U, deep) : 1;
    }

    /// Tell it of answers.
    void answered(time_point now, unsigned how_many) noexcept;

    /// Whether `deep` requests with known answers should be sent together. True once; tell `tried` what came of it.
    bool take_trial() noexcept;
    void tried(bool same_answers) noexcept { now_ = same_answers ? phase::together : phase::never; }

private:
    enum class phase : std::uint8_t { untried, trial_due, trial, proved, together, never };

    unsigned fixed_;
    double high_;
    double low_;
    phase now_ = phase::untried;
    time_point window_begin_{};
    std::uint64_t answers_ = 0; // in this window
};

} // namespace regsweep

#endif
