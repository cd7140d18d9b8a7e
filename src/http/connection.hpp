#ifndef REGSWEEP_SRC_HTTP_CONNECTION_HPP
#define REGSWEEP_SRC_HTTP_CONNECTION_HPP

#include "http/tls_context.hpp"
#include "regsweep/http/client.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>

#include <optional>

namespace regsweep::http {

class response_parser;

/// What every connection of a client shares.
struct connection_environment
{
    boost::asio::io_context& context;
    const client_options& options;
    client_stats stats;
    bool cancelled = false;
};

/// An origin, the way to it, and what its connections have learnt.
struct peer
{
    origin server;
    boost::asio::ssl::context* tls = nullptr; ///< for TLS origins
    std::optional<proxy> through;
    tls_session session;                                   ///< the latest one offered
    std::vector<boost::asio::ip::tcp::endpoint> addresses; ///< of the server or the proxy, as last resolved
    clock::time_point resolved_at{};
};

/// One TCP or TLS connection and its deadlines. A timer that ticks for all connections calls `check`.
class connection
{
public:
    connection(connection_environment& environment, peer& to);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    /// Opens the connection: every address of the host (or of the proxy) is tried in turn.
    awaitable<result<void>> open();

    /// Sends `head` and `body` and reads the answer into `rs`.
    awaitable<result<void>> exchange(std::string_view body, bool head_only, response& rs)
    {
        return exchange_all(1, body, head_only, rs, nullptr);
    }
    /// Sends `head`, the heads of `count` requests, and `body`, and reads the answers one after the other into `rs`
    /// (RFC 9112 section 9.3.2). `take` is told the number of each while it is there; may be null.
    awaitable<result<void>> exchange_all(std::size_t count, std::string_view body, bool head_only, response& rs,
                                         const answer_sink* take);

    /// The head of the request, or of all of them, to be filled before an exchange.
    std::string head;

    bool used() const noexcept { return used_; }         ///< has carried an exchange before
    bool reusable() const noexcept { return reusable_; } ///< may carry another one
    /// Whether something has come on the idle connection, or it was closed: the next answer would not be the right one.
    bool spoilt() noexcept;
    bool touched() const noexcept { return touched_; } ///< a byte of the current answer has come

    /// Begins the time that the options give an answer; for `exchange` and `exchange_all`.
    void start_deadlines() noexcept
    {
        start_deadlines(environment_.options.idle_timeout, environment_.options.total_timeout);
    }
    /// Ends what is in flight if a deadline has passed.
    void check(clock::time_point now) noexcept;
    void close() noexcept;

private:
    using tcp = boost::asio::ip::tcp;

    awaitable<result<void>> resolve();
    awaitable<result<void>> connect_tcp();
    awaitable<result<void>> tunnel();
    awaitable<result<void>> handshake();
    const origin& target() const noexcept { return peer_.through ? peer_.through->server : peer_.server; }
    std::size_t write_at_once(std::string_view body, boost::system::error_code& ec);
    awaitable<boost::system::error_code> write_rest(std::string_view body, std::size_t sent);
    boost::system::error_code feed(response_parser& parser);
    void start_deadlines(std::chrono::milliseconds idle, std::chrono::milliseconds total) noexcept;
    error why(const boost::system::error_code& ec, const char* doing) const;

    connection_environment& environment_;
    peer& peer_;
    tcp::socket socket_;
    std::optional<boost::asio::ssl::stream<tcp::socket&>> tls_;
    boost::beast::flat_buffer buffer_;
    clock::time_point idle_deadline_ = clock::time_point::max();
    clock::time_point total_deadline_ = clock::time_point::max();
    bool timed_out_ = false;
    bool used_ = false;
    bool reusable_ = false;
    bool touched_ = false;
};

} // namespace regsweep::http

#endif
