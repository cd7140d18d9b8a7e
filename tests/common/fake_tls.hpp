#ifndef REGSWEEP_TESTS_COMMON_FAKE_TLS_HPP
#define REGSWEEP_TESTS_COMMON_FAKE_TLS_HPP

#include <string>
#include <vector>

namespace regsweep::test {

/// What `make_certificates` puts into the server's certificate.
struct fake_certificate_options
{
    std::vector<std::string> names = {"localhost", "127.0.0.1"}; ///< subject alternative names: DNS names and IPs
    long valid_from = -3600;                                     ///< seconds from now
    long valid_until = 86400;                                    ///< seconds from now; negative makes it expired
};

/// A private CA with one certificate for a server and one for a client, all PEM text.
struct fake_certificates
{
    std::string ca;
    std::string server_certificate;
    std::string server_key;
    std::string client_certificate;
    std::string client_key;
};

/// Makes new keys (P-256) and certificates. The CA and the client's certificate are always valid now.
/// Throws `std::runtime_error` if OpenSSL fails.
fake_certificates make_certificates(const fake_certificate_options& options = {});

} // namespace regsweep::test

#endif
