#ifndef REGSWEEP_HTTP_PACING_HPP
#define REGSWEEP_HTTP_PACING_HPP

#include <atomic>
#include <chrono>
#include <cstdint>

namespace regsweep::http {

/// Spaces requests evenly: a token bucket in the form of the generic cell rate algorithm (ITU-T I.371), which needs
/// one time point instead of a counter that is refilled. No clock of its own; one thread at a time.
class rate_limiter
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// `per_second` 0 means no limit. Unused time is made up for by at most `burst` of it.
    explicit rate_limiter(double per_second = 0, std::chrono::nanoseconds burst = std::chrono::milliseconds(100));

    bool limited() const noexcept { return interval_.count() != 0; }

    /// Takes the next slot and returns when it is: the caller waits until then. `now` must not go back.
    time_point reserve(time_point now) noexcept;

private:
    std::chrono::nanoseconds interval_{0};
    std::chrono::nanoseconds burst_{0};
    time_point next_{};
};

/// The moment before which no request may be sent, because the server asked for a pause. Shared by all threads,
/// lock-free.
class gate
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// Whether requests have to wait at `now`.
    bool closed(time_point now) const noexcept
    {
        return now.time_since_epoch().count() < until_.load(std::memory_order_relaxed);
    }
    time_point until() const noexcept
    {
        return time_point(time_point::duration(until_.load(std::memory_order_relaxed)));
    }
    /// Keeps the gate closed until `when`; never opens it earlier than it was going to.
    void close_until(time_point when) noexcept;

private:
    std::atomic<std::int64_t> until_{0};
};

} // namespace regsweep::http

#endif
