#ifndef REGSWEEP_AUTH_CHALLENGE_HPP
#define REGSWEEP_AUTH_CHALLENGE_HPP

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep {

/// Parameters of a challenge or of `Authentication-Info`: lower-case names, values without quotes and escapes.
using auth_parameters = std::vector<std::pair<std::string, std::string>>;

/// The value of `name` (lower case), or nothing.
std::optional<std::string_view> find_parameter(const auth_parameters& parameters, std::string_view name) noexcept;

/// One challenge of a `WWW-Authenticate` header. RFC 9110 §11.3.
struct challenge
{
    std::string scheme;         ///< lower case
    std::string token68;        ///< empty if the challenge has parameters or nothing
    auth_parameters parameters; ///< each name once: the first of several wins

    std::optional<std::string_view> find(std::string_view name) const noexcept
    {
        return find_parameter(parameters, name);
    }
};

/// Bounds on what a server can make us keep. What is over them is not looked at.
struct challenge_limits
{
    std::size_t max_bytes = 32 * 1024; ///< of all header values together
    std::size_t max_challenges = 16;
    std::size_t max_parameters = 32; ///< of one challenge
};

/// What the headers hold. Never a failure: malformed parts are left out and counted.
struct challenge_list
{
    std::vector<challenge> challenges; ///< in the order of the headers
    std::size_t malformed = 0;         ///< parts that are not of the grammar or over a limit

    /// The first challenge of this scheme (lower case), or null.
    const challenge* find(std::string_view scheme) const noexcept;
};

/// Reads all `WWW-Authenticate` (or `Proxy-Authenticate`) values of an answer. RFC 9110 §11.6.1: several challenges in
/// one value, empty list elements, token68, quoted strings. A malformed part never hides a well-formed one after it.
challenge_list parse_challenges(std::span<const std::string_view> values, const challenge_limits& limits = {});

/// The same for a single value.
challenge_list parse_challenges(std::string_view value, const challenge_limits& limits = {});

/// Reads a list of parameters without a scheme: `Authentication-Info`, RFC 7615. Malformed ones are left out.
auth_parameters parse_auth_parameters(std::string_view value, const challenge_limits& limits = {});

/// `text` as a quoted-string, quotes included. RFC 9110 §5.6.4.
std::string quote(std::string_view text);

} // namespace regsweep

#endif
