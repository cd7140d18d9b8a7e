#ifndef REGSWEEP_HTTP_PROXY_HPP
#define REGSWEEP_HTTP_PROXY_HPP

#include "regsweep/core/address.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace regsweep::http {

/// A forward proxy.
struct proxy
{
    origin server;             ///< always plain http
    std::string authorization; ///< value of `Proxy-Authorization`; empty without credentials. A secret.
};

/// Which proxy to use, in the words of the environment variables of the same names.
struct proxy_settings
{
    std::string http_proxy;  ///< for http origins
    std::string https_proxy; ///< for https origins
    std::string all_proxy;   ///< for both, where the other is empty
    std::string
        no_proxy; ///< comma list: host names (with their subdomains), `.domain`, addresses, CIDR, `host:port`, `*`

    /// Reads the upper and lower case variables; lower case wins, and HTTP_PROXY in upper case is ignored where
    /// REQUEST_METHOD is set, since a CGI server would let a client choose it.
    static proxy_settings from_environment();
};

/// The proxy for `server`, or none. Loopback hosts never use one. Fails with `errc::bad_address`.
result<std::optional<proxy>> choose_proxy(const proxy_settings& settings, const origin& server);

} // namespace regsweep::http

#endif
