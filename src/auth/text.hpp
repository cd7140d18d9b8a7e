#ifndef REGSWEEP_SRC_AUTH_TEXT_HPP
#define REGSWEEP_SRC_AUTH_TEXT_HPP

#include <optional>
#include <string>
#include <string_view>

// Not in regsweep itself: other layers have helpers of the same names.
namespace regsweep::auth_text {

constexpr bool ascii_alnum(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string ascii_lower(std::string_view text);

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// Whether there is a byte below 0x20 or 0x7f, which may stand in no header.
bool has_control(std::string_view text) noexcept;

/// Standard alphabet, padded.
std::string base64_encode(std::string_view raw);

/// Standard or URL alphabet, with or without padding; nothing if it is neither.
std::optional<std::string> base64_decode(std::string_view text);

/// RFC 3986: everything but the unreserved characters as `%XX`. Fit for queries and for form bodies.
std::string percent_encode(std::string_view text);

} // namespace regsweep::auth_text

#endif
