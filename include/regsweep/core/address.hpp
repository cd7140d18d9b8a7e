#ifndef REGSWEEP_CORE_ADDRESS_HPP
#define REGSWEEP_CORE_ADDRESS_HPP

#include "regsweep/core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace regsweep {

/// Scheme, host and port: what a connection is made to and what credentials belong to.
struct origin
{
    bool tls = true;
    std::string host; ///< lower case; an IPv6 literal without brackets
    std::uint16_t port = 443;

    /// `host`, or `host:port` where the port is not the scheme's own; IPv6 literals in brackets. Fit for `Host:`.
    std::string authority() const;
    /// `https://` or `http://` and the authority.
    std::string to_string() const;

    friend bool operator==(const origin&, const origin&) = default;
};

/// Where a registry is, from what a user writes.
struct registry_address
{
    origin server;
    std::string prefix; ///< path before `/v2/`, without a slash at its end: "" or e.g. `/artifactory/api/docker/x`
    std::string name;   ///< as the user wrote it, without scheme and slash at the end: what image names begin with

    /// Reads `host[:port][/prefix]` with or without `http://` or `https://`. Without a scheme it is https, or http
    /// when the host is `localhost` or a loopback address. Fails with `errc::bad_address`.
    static result<registry_address> parse(std::string_view text);

    /// The address in one canonical form, for comparing and storing: `https://host:port/prefix`, port always given.
    std::string canonical() const;
};

/// An absolute http or https URL, split. Fails with `errc::bad_address`; user information is refused.
struct url_parts
{
    origin server;
    std::string target; ///< path and query, at least `/`
};
result<url_parts> parse_url(std::string_view text);

} // namespace regsweep

#endif
