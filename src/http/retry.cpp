#include "regsweep/http/retry.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <string>

namespace regsweep::http {

retry_policy::retry_policy(retry_options options, std::uint64_t seed) : options_(options), random_(seed) {}

bool retry_policy::transient(unsigned status) noexcept
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

bool retry_policy::transient(const error& e) noexcept
{
    return e.is(errc::connection_lost) || e.is(errc::timed_out) || e.is(errc::connect_failed) ||
           e.is(errc::resolve_failed);
}

std::optional<std::chrono::milliseconds> retry_policy::delay(unsigned attempt,
                                                             std::optional<std::chrono::milliseconds> retry_after)
{
    if (attempt > options_.retries)
        return std::nullopt;
    if (retry_after && *retry_after > options_.max_retry_after)
        return std::nullopt;
    // Full jitter: "Exponential Backoff And Jitter", AWS Architecture Blog.
    const unsigned doublings = std::min(attempt - 1, 20U);
    const std::int64_t bound =
        std::min<std::int64_t>(options_.max_delay.count(), options_.first_delay.count() << doublings);
    const std::chrono::milliseconds jitter(std::uniform_int_distribution<std::int64_t>(0, bound)(random_));
    return retry_after ? std::max(jitter, *retry_after) : jitter;
}

std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           std::chrono::system_clock::time_point now)
{
    if (value.empty() || value.size() > 64)
        return std::nullopt;
    std::uint32_t seconds = 0;
    const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (end == value.data() + value.size()) {
        // A number too large for the type is still a wish to wait for very long.
        return std::chrono::seconds(ec == std::errc::result_out_of_range ? 0x7fffffffU : seconds);
    }
    const std::string text(value);
    for (const char* format : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
        std::tm parts{};
        const char* rest = strptime(text.c_str(), format, &parts);
        if (rest == nullptr || *rest != '\0')
            continue;
        // In seconds: the clock's own unit cannot hold the years that a header can name.
        const std::chrono::seconds when(timegm(&parts));
        const auto wait = when - std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
        return std::max(std::chrono::seconds(0), wait);
    }
    return std::nullopt;
}

} // namespace regsweep::http
