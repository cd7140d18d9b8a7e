#ifndef REGSWEEP_HTTP_TLS_HPP
#define REGSWEEP_HTTP_TLS_HPP

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace regsweep::http {

/// How servers are checked and what is shown to them.
struct tls_options
{
    bool verify = true;                         ///< check the certificate chain and the host name
    bool system_trust = true;                   ///< trust the system's authorities
    std::vector<std::filesystem::path> trusted; ///< more authorities: PEM bundles or folders of hashed certificates
    std::filesystem::path
        client_cert;                  ///< PEM with the client's chain, for the client's first host only; empty for none
    std::filesystem::path client_key; ///< PEM key; empty: in `client_cert`
    std::function<std::string()> passphrase; ///< asked when the key is encrypted; called at most once
};

} // namespace regsweep::http

#endif
