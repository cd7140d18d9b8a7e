#ifndef REGSWEEP_SRC_HTTP_TLS_CONTEXT_HPP
#define REGSWEEP_SRC_HTTP_TLS_CONTEXT_HPP

#include "regsweep/core/error.hpp"
#include "regsweep/http/tls.hpp"

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

namespace regsweep::http {

/// A TLS 1.2 or later client context. Fails with `errc::tls_failed` if a file of the options is unusable.
result<std::unique_ptr<boost::asio::ssl::context>> make_tls_context(const tls_options& options);

/// Prepares `ssl` for `host`: server name, certificate check against the name or address.
void prepare_tls(SSL* ssl, const std::string& host, bool verify);

/// One sentence on a handshake that failed: which certificate, why, and what to do.
error describe_tls_failure(SSL* ssl, const std::string& host, const boost::system::error_code& ec);

struct free_session
{
    void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
};
using tls_session = std::unique_ptr<SSL_SESSION, free_session>;

/// Lets sessions that the server offers on `ssl` be kept in `*slot`, which must outlive `ssl`.
void keep_sessions(SSL* ssl, tls_session* slot);

} // namespace regsweep::http

#endif
