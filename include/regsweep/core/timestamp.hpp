#ifndef REGSWEEP_CORE_TIMESTAMP_HPP
#define REGSWEEP_CORE_TIMESTAMP_HPP

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace regsweep {

/// A moment in UTC, to the nanosecond, of the years 0 to 9999.
struct timestamp
{
    std::int64_t seconds = 0;      ///< since 1970, negative before it
    std::uint32_t nanoseconds = 0; ///< below 1,000,000,000

    friend auto operator<=>(const timestamp&, const timestamp&) = default;
};

/// Reads a time as RFC 3339 writes it (`2024-02-29T23:59:60.5+01:00`): any zone, digits of a fraction after the ninth
/// are cut off, a leap second is the first moment of the next minute. Nothing for any other text, or a day or hour that
/// does not exist.
std::optional<timestamp> parse_timestamp(std::string_view text) noexcept;

/// `2024-02-29T23:59:59Z`, with as many digits of the fraction as it has (3, 6 or 9).
std::string to_string(const timestamp& when);

} // namespace regsweep

#endif
