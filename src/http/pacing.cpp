#include "regsweep/http/pacing.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace regsweep::http {
namespace {

constexpr std::uint64_t most_a_window = 1'000'000'000'000'000; // so that it fits the clock's numbers

} // namespace

rate_limiter::rate_limiter(double per_second, std::chrono::nanoseconds burst) : burst_(burst)
{
    constexpr double hour = 3600e9; // however slow: slots must not run off the clock's end
    if (per_second > 0)
        interval_ = std::chrono::nanoseconds(std::llround(std::clamp(1e9 / per_second, 1.0, hour)));
}

rate_limiter::time_point rate_limiter::reserve(time_point now) noexcept
{
    if (!limited())
        return now;
    const time_point slot = next_ == time_point() ? now : std::max(next_, now - burst_);
    next_ = slot + interval_;
    return slot;
}

namespace {

struct rate_limit_field
{
    std::uint64_t count = 0;
    std::chrono::seconds window{0};
};

// `100;w=21600`; the window may be missing.
std::optional<rate_limit_field> parse_field(std::string_view text) noexcept
{
    constexpr std::int64_t longest = 366LL * 86400;
    rate_limit_field out;
    const char* const end = text.data() + text.size();
    const auto [after, ec] = std::from_chars(
        text.data(), end, out.count); // NOLINT(bugprone-suspicious-stringview-data-usage): it has its end
    if (ec != std::errc())
        return std::nullopt;
    const std::string_view rest(after, static_cast<std::size_t>(end - after));
    const std::size_t mark = rest.find("w=");
    if (mark == std::string_view::npos)
        return rest.empty() ? std::optional(out) : std::nullopt;
    std::int64_t seconds = 0;
    const auto [stop, wrong] = std::from_chars(rest.data() + mark + 2, end, seconds);
    if (wrong != std::errc() || (stop != end && *stop != ';' && *stop != ',') || seconds < 1 || seconds > longest)
        return std::nullopt;
    out.window = std::chrono::seconds(seconds);
    return out;
}

} // namespace

std::optional<rate_limit_status> parse_rate_limit(std::string_view limit, std::string_view remaining) noexcept
{
    const auto all = parse_field(limit);
    const auto left = parse_field(remaining);
    if (!all || !left || all->count == 0)
        return std::nullopt;
    const auto window = std::max(all->window, left->window);
    if (window.count() == 0)
        return std::nullopt;
    return rate_limit_status{all->count, left->count, window};
}

std::optional<std::chrono::nanoseconds> rate_limit_watch::update(const rate_limit_status& now) noexcept
{
    const bool falls = last_ && now.remaining < *last_;
    last_ = now.remaining;
    if (now.remaining > now.limit / 10)
        return std::chrono::nanoseconds(0);
    if (!falls || now.limit == 0)
        return std::nullopt;
    return std::chrono::nanoseconds(now.window) / static_cast<std::int64_t>(std::min(now.limit, most_a_window));
}

void gate::space(std::chrono::nanoseconds between) noexcept
{
    between_.store(between.count(), std::memory_order_relaxed);
}

gate::time_point gate::reserve(time_point now) noexcept
{
    const std::int64_t between = between_.load(std::memory_order_relaxed);
    if (between == 0)
        return now;
    const std::int64_t earliest = now.time_since_epoch().count();
    std::int64_t next = next_.load(std::memory_order_relaxed);
    std::int64_t slot = 0;
    do {
        slot = std::max(next, earliest);
    } while (!next_.compare_exchange_weak(next, slot + between, std::memory_order_relaxed));
    return time_point(time_point::duration(slot));
}

void gate::close_until(time_point when) noexcept
{
    const std::int64_t wanted = when.time_since_epoch().count();
    std::int64_t current = until_.load(std::memory_order_relaxed);
    while (current < wanted && !until_.compare_exchange_weak(current, wanted, std::memory_order_relaxed)) {
    }
}

} // namespace regsweep::http
