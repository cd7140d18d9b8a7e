#ifndef REGSWEEP_HTTP_RETRY_HPP
#define REGSWEEP_HTTP_RETRY_HPP

#include "regsweep/core/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string_view>

namespace regsweep::http {

/// How often and how patiently a request is repeated.
struct retry_options
{
    unsigned retries = 5;                        ///< repetitions after the first attempt
    std::chrono::milliseconds first_delay{200};  ///< upper bound of the first delay
    std::chrono::milliseconds max_delay{20'000}; ///< upper bound of every delay made by back-off
    std::chrono::seconds max_retry_after{300};   ///< a longer `Retry-After` ends the request instead
};

/// Decides whether and when a failed request is repeated: exponential back-off with full jitter.
/// No clock, no socket; one thread at a time.
class retry_policy
{
public:
    explicit retry_policy(retry_options options, std::uint64_t seed = std::random_device{}());

    /// Whether an answer of this status is worth another attempt: 408, 429, 500, 502, 503, 504.
    static bool transient(unsigned status) noexcept;
    /// Whether a failure without an answer is: connection errors, truncated answers, timeouts.
    static bool transient(const error& e) noexcept;

    /// The delay before attempt number `attempt` + 1 (`attempt` counts from 1), or nothing when there is none.
    /// `retry_after` is the server's wish, if it gave one.
    std::optional<std::chrono::milliseconds> delay(unsigned attempt,
                                                   std::optional<std::chrono::milliseconds> retry_after);

private:
    retry_options options_;
    std::mt19937_64 random_;
};

/// The delay that a `Retry-After` header asks for: seconds or an HTTP date (RFC 9110 section 10.2.3), not negative;
/// nothing if it is neither. `now` is the time of day that a date is compared with.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           std::chrono::system_clock::time_point now);

} // namespace regsweep::http

#endif
