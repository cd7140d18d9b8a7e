#ifndef REGSWEEP_HTTP_PROBE_HPP
#define REGSWEEP_HTTP_PROBE_HPP

#include "regsweep/core/address.hpp"
#include "regsweep/http/proxy.hpp"
#include "regsweep/http/tls.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace regsweep::http {

/// What a handshake agreed on and what the server's certificate says.
struct tls_facts
{
    std::string version; ///< e.g. `TLSv1.3`
    std::string subject; ///< RFC 2253, printable
    std::string issuer;
    std::int64_t not_before = 0; ///< seconds since 1970
    std::int64_t not_after = 0;
};

/// One address of the host, tried.
struct address_probe
{
    std::string address; ///< `192.0.2.1:443`, `[2001:db8::1]:443`
    std::string failure; ///< why it cannot be connected to; empty if it can
    std::chrono::microseconds took{0};
};

/// How far one gets on the way to a server.
struct probe_report
{
    std::optional<error> unresolved;      ///< why the name has no address
    std::vector<address_probe> addresses; ///< of the server, or of the proxy on the way to it
    std::optional<tls_facts> tls;         ///< for a TLS server with which a handshake can be made, trusted or not
    std::optional<error> tls_failure;     ///< why the handshake failed, or the certificate is not trusted
};

/// Resolves the name, connects to every address, and makes a TLS handshake over the first one that answers; sends no
/// request, but CONNECT to a proxy. Each step may take `limit`, the system's resolver its own
/// time. Blocks, apart from all clients; any thread.
probe_report probe(const origin& server, const std::optional<proxy>& through, const tls_options& tls,
                   std::chrono::milliseconds limit);

} // namespace regsweep::http

#endif
