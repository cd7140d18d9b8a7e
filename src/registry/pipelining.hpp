#ifndef REGSWEEP_SRC_REGISTRY_PIPELINING_HPP
#define REGSWEEP_SRC_REGISTRY_PIPELINING_HPP

#include <chrono>
#include <cstdint>

namespace regsweep {

/// Decides how many requests a thread sends together on a connection (HTTP/1.1 pipelining). They are answered one
/// after the other, so that it pays only where system calls, not the registry, are what takes the time: while a thread
/// gets `high_rate` answers a second. Before that, a trial has to show that answers come back in order: requests whose
/// answers are known are sent together. No clock of its own; one thread at a time.
class pipelining
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    static constexpr unsigned deep = 8;
    static constexpr double high_rate = 15'000; ///< answers a second
    static constexpr double low_rate = 5'000;   ///< below this, one by one again

    /// `fixed` requests together from the beginning; 0: as described.
    explicit pipelining(unsigned fixed) noexcept : fixed_(fixed) {}

    /// How many requests to send together now.
    unsigned depth() const noexcept { return fixed_ != 0 ? fixed_ : now_ == phase::together ? deep : 1; }

    /// Tell it of answers.
    void answered(time_point now, unsigned how_many) noexcept;

    /// Whether `deep` requests with known answers should be sent together. True once; tell `tried` what came of it.
    bool take_trial() noexcept;
    void tried(bool same_answers) noexcept { now_ = same_answers ? phase::together : phase::never; }

private:
    enum class phase : std::uint8_t { untried, trial_due, trial, proved, together, never };

    unsigned fixed_;
    phase now_ = phase::untried;
    time_point window_begin_{};
    std::uint64_t answers_ = 0; // in this window
};

} // namespace regsweep

#endif
