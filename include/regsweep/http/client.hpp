#ifndef REGSWEEP_HTTP_CLIENT_HPP
#define REGSWEEP_HTTP_CLIENT_HPP

#include "regsweep/core/address.hpp"
#include "regsweep/http/pacing.hpp"
#include "regsweep/http/proxy.hpp"
#include "regsweep/http/retry.hpp"
#include "regsweep/http/tls.hpp"
#include "regsweep/http/types.hpp"

#include <functional>
#include <memory>
#include <span>

namespace regsweep::http {

struct client_options
{
    std::chrono::milliseconds connect_timeout{10'000}; ///< for each address: TCP, proxy and TLS handshake together
    std::chrono::milliseconds idle_timeout{30'000};    ///< without one byte of the answer
    std::chrono::milliseconds total_timeout{300'000};  ///< for one whole answer, however it drips
    std::uint32_t header_limit = 64 * 1024;            ///< bytes of an answer's header
    std::uint64_t body_limit = 256 * 1024 * 1024;      ///< bytes of an answer's body, after decompression too
    unsigned redirects = 5;                            ///< followed for GET and HEAD
    double rate = 0;                                   ///< requests a second of this client; 0 without a limit
    std::string user_agent = "regsweep";
    retry_options retry;
    tls_options tls;
    proxy_settings proxies;
    std::shared_ptr<gate> pause;                        ///< shared by the clients of all threads; made if null
    std::function<void(const std::string&)> on_warning; ///< a sentence for people; called on the client's thread
};

/// What a client has done so far.
struct client_stats
{
    std::uint64_t requests = 0;    ///< sent, repetitions included
    std::uint64_t retries = 0;     ///< repetitions after a failure
    std::uint64_t connections = 0; ///< opened
    std::uint64_t handshakes = 0;  ///< TLS handshakes made in full
    std::uint64_t resumptions = 0; ///< TLS handshakes shortened by a known session
    std::uint64_t bytes_in = 0;    ///< of headers and bodies, as received
};

/// Is told the number of a request while its answer is there.
using answer_sink = std::function<void(std::size_t)>;

/// An HTTP/1.1 client: keep-alive connections to any number of origins, TLS, proxy, redirects, retries, pacing.
/// Belongs to one io_context run by one thread, which alone may call it.
class client
{
public:
    /// Keep-alive connections to one origin. Owned by the client, valid as long as it.
    class endpoint;

    /// Throws `failure` if a certificate, key or proxy setting is unusable.
    client(boost::asio::io_context& context, client_options options);
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    endpoint& at(const origin& server);

    /// Sends `rq` until there is an answer that is not transient or the retries are used up, and fills `rs` with
    /// the last answer, whatever its status. Fails only where there is no whole answer: `errc::connection_lost`,
    /// `timed_out`, `connect_failed`, `resolve_failed`, `tls_failed`, `bad_response`, `too_large`,
    /// `redirect_refused`, `cancelled`. Both must live until it returns.
    awaitable<result<void>> send(endpoint& to, const request& rq, response& rs);

    /// Sends requests without a body, all GET, all HEAD or all DELETE, together on one connection that is open already
    /// (pipelining, RFC 9112 section 9.3.2: idempotent methods only), and gives each whole answer, filled into `rs`, to
    /// `take` with the place of its request. Does not wait, redirect or repeat: what `take` was not told of, or could
    /// not use, is for `send`. False if nothing was carried out: there was no idle connection, `ready` is false, or,
    /// but for DELETE, the connection had been closed. Fails as `send` does if an answer did not come whole. All must
    /// live until it returns.
    awaitable<result<bool>> send_together(endpoint& to, std::span<const request> rqs, response& rs,
                                          const answer_sink& take);

    /// Whether a request may be sent again after a failure (`retry_options::retries`).
    bool may_repeat() const noexcept;

    /// Whether a request would be sent at once: there is neither a rate limit nor a pause.
    bool ready() const noexcept;
    /// Waits for the turn of one request, as `send` does unless `request::has_turn` says that it was done: for requests
    /// with credentials that may expire while they wait. Fails with `errc::cancelled`.
    awaitable<result<void>> take_turn();

    /// Waits until `when`, or less if the client is cancelled.
    awaitable<void> wait_until(clock::time_point when);

    /// Ends everything in flight with `errc::cancelled`, and all that is sent later.
    void cancel();
    bool cancelled() const noexcept;

    const client_stats& stats() const noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// The error for an answer whose status means failure: the status, the registry's own code and message.
error status_error(const request& rq, const response& rs);

} // namespace regsweep::http

#endif
