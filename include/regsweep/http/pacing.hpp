#ifndef REGSWEEP_HTTP_PACING_HPP
#define REGSWEEP_HTTP_PACING_HPP

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

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

/// What a server says of its rate limit: so many requests in a window, and how many of them are left.
struct rate_limit_status
{
    std::uint64_t limit = 0;
    std::uint64_t remaining = 0;
    std::chrono::seconds window{0};
};

/// Reads `RateLimit-Limit` and `RateLimit-Remaining` in Docker Hub's form, `100;w=21600`. Nothing where one of them is
/// missing or malformed, or tells no window.
std::optional<rate_limit_status> parse_rate_limit(std::string_view limit, std::string_view remaining) noexcept;

/// Decides, before a server's rate limit is used up, how far apart requests are to be sent. No clock; one thread at a
/// time.
class rate_limit_watch
{
public:
    /// The time between requests from now on: zero while more than a tenth of the limit is left, then the pace that the
    /// limit grants for ever. Nothing, to go on as before, where little is left and does not fall: some requests are
    /// not counted (HEAD of a manifest at Docker Hub).
    std::optional<std::chrono::nanoseconds> update(const rate_limit_status& now) noexcept;

private:
    std::optional<std::uint64_t> last_;
};

/// The moment before which no request may be sent, because the server asked for a pause, and the time to leave between
/// requests, because its rate limit is nearly used up. Shared by all threads, lock-free.
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

    /// Requests are sent so far apart from now on; zero: without a space.
    void space(std::chrono::nanoseconds between) noexcept;
    bool spaced() const noexcept { return between_.load(std::memory_order_relaxed) != 0; }
    /// Takes the next slot and returns when it is: the caller waits until then.
    time_point reserve(time_point now) noexcept;

private:
    std::atomic<std::int64_t> until_{0};
    std::atomic<std::int64_t> between_{0};
    std::atomic<std::int64_t> next_{0};
};

} // namespace regsweep::http

#endif
