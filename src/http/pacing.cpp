#include "regsweep/http/pacing.hpp"

#include <algorithm>
#include <cmath>

namespace regsweep::http {

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

void gate::close_until(time_point when) noexcept
{
    const std::int64_t wanted = when.time_since_epoch().count();
    std::int64_t current = until_.load(std::memory_order_relaxed);
    while (current < wanted && !until_.compare_exchange_weak(current, wanted, std::memory_order_relaxed)) {
    }
}

} // namespace regsweep::http
