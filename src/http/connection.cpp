#include "http/connection.hpp"

#include "http/inflate.hpp"
#include "http/response_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace regsweep::http {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;

constexpr asio::use_awaitable_t<executor> awaiting;
constexpr std::size_t read_size = 16 * 1024;
constexpr int max_interim_answers = 8;
constexpr std::chrono::seconds address_lifetime{30};

bool is_end(const error_code& ec) noexcept
{
    return ec == asio::error::eof || ec == ssl::error::stream_truncated;
}

} // namespace

connection::connection(connection_environment& environment, peer& to)
    : environment_(environment), peer_(to), socket_(environment.context),
      buffer_(std::size_t{environment.options.header_limit} + read_size)
{}

connection::~connection()
{
    // OpenSSL resumes no session of a connection that it does not believe closed in order.
    if (!tls_ || !SSL_is_init_finished(tls_->native_handle()))
        return;
    SSL_set_quiet_shutdown(tls_->native_handle(), 1);
    SSL_shutdown(tls_->native_handle());
}

void connection::start_deadlines(std::chrono::milliseconds idle, std::chrono::milliseconds total) noexcept
{
    const auto now = clock::now();
    idle_deadline_ = now + idle;
    total_deadline_ = now + total;
}

void connection::check(clock::time_point now) noexcept
{
    if (now < idle_deadline_ && now < total_deadline_)
        return;
    timed_out_ = true;
    close();
}

void connection::close() noexcept
{
    error_code ignored;
    socket_.close(ignored);
    reusable_ = false;
}

error connection::why(const error_code& ec, const char* doing) const
{
    namespace http = boost::beast::http;
    const std::string host = target().to_string();
    if (environment_.cancelled)
        return {errc::cancelled, {}};
    if (timed_out_)
        return {errc::timed_out, host + " did not answer in time while " + doing + "; see --timeout"};
    if (ec == http::error::header_limit || ec == asio::error::no_buffer_space)
        return {errc::too_large,
                host + ": the answer's header is over " + std::to_string(environment_.options.header_limit) + " bytes"};
    if (ec == http::error::body_limit)
        return {errc::too_large,
                host + ": the answer's body is over " + std::to_string(environment_.options.body_limit) + " bytes"};
    if (ec == http::error::partial_message || ec == http::error::end_of_stream || is_end(ec))
        return {errc::connection_lost, host + " closed the connection while " + doing};
    if (ec.category() == http::make_error_code(http::error::bad_version).category())
        return {errc::bad_response, host + ": the answer is not HTTP (" + ec.message() +
                                        "); is this the registry's port, and is it https?"};
    if (ec.category() == asio::error::get_ssl_category() && tls_)
        return describe_tls_failure(const_cast<ssl::stream<tcp::socket&>&>(*tls_).native_handle(), peer_.server.host,
                                    ec);
    return {errc::connection_lost, host + ": " + ec.message() + " while " + doing};
}

awaitable<result<void>> connection::open()
{
    start_deadlines(environment_.options.connect_timeout, environment_.options.connect_timeout);
    auto done = co_await resolve();
    if (done)
        done = co_await connect_tcp();
    if (done && peer_.server.tls && peer_.through)
        done = co_await tunnel();
    if (done && peer_.server.tls)
        done = co_await handshake();
    if (done)
        ++environment_.stats.connections;
    co_return done;
}

awaitable<result<void>> connection::resolve()
{
    const auto now = clock::now();
    if (!peer_.addresses.empty() && now - peer_.resolved_at < address_lifetime)
        co_return result<void>();
    const origin& host = target();
    error_code ec;
    const auto literal = asio::ip::make_address(host.host, ec);
    if (!ec) {
        peer_.addresses = {tcp::endpoint(literal, host.port)};
        peer_.resolved_at = now;
        co_return result<void>();
    }
    asio::ip::basic_resolver<tcp, executor> resolver(environment_.context);
    const auto found = co_await resolver.async_resolve(
        host.host, std::to_string(host.port), tcp::resolver::numeric_service, asio::redirect_error(awaiting, ec));
    if (timed_out_ || environment_.cancelled)
        co_return why(ec, "resolving its name");
    if (ec)
        co_return error(errc::resolve_failed, "the host name '" + host.host + "' has no address (" + ec.message() +
                                                  "); check the name and the network");
    peer_.addresses.clear();
    for (const auto& entry : found)
        peer_.addresses.push_back(entry.endpoint());
    peer_.resolved_at = now;
    co_return result<void>();
}

awaitable<result<void>> connection::connect_tcp()
{
    error_code ec = asio::error::host_not_found;
    const std::vector<tcp::endpoint> addresses = peer_.addresses;
    for (const auto& address : addresses) {
        timed_out_ = false;
        start_deadlines(environment_.options.connect_timeout, environment_.options.connect_timeout);
        error_code ignored;
        socket_.close(ignored);
        co_await socket_.async_connect(address, asio::redirect_error(awaiting, ec));
        if (environment_.cancelled)
            co_return why(ec, "connecting");
        if (!ec)
            break;
    }
    if (ec) {
        peer_.addresses.clear();
        const std::string reason = timed_out_ ? "no answer in time" : ec.message();
        co_return error(errc::connect_failed, target().to_string() + ": cannot connect (" + reason +
                                                  "); check the address, the port and that it is up");
    }
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.non_blocking(true, ignored);
    co_return result<void>();
}

awaitable<result<void>> connection::tunnel()
{
    const std::string to = peer_.server.host.find(':') == std::string::npos
                               ? peer_.server.host + ":" + std::to_string(peer_.server.port)
                               : "[" + peer_.server.host + "]:" + std::to_string(peer_.server.port);
    head = "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\nUser-Agent: " + environment_.options.user_agent + "\r\n";
    if (!peer_.through->authorization.empty())
        head += "Proxy-Authorization: " + peer_.through->authorization + "\r\n";
    head += "\r\n";
    response answer;
    auto got = co_await exchange(std::string_view(), true, answer); // no body in a 2xx (RFC 9110 section 9.3.6)
    if (!got)
        co_return got;
    if (answer.status == 407 || answer.status == 401) // tinyproxy's way
        co_return error(errc::connect_failed, "the proxy " + peer_.through->server.to_string() +
                                                  " wants other credentials; give them in the proxy variable");
    if (answer.status / 100 != 2)
        co_return error(errc::connect_failed,
                        "the proxy " + peer_.through->server.to_string() + " refused a tunnel to " + to + " (HTTP " +
                            std::to_string(answer.status) + "); allow it there, or put the host into no_proxy");
    buffer_.clear();
    co_return result<void>();
}

awaitable<result<void>> connection::handshake()
{
    tls_.emplace(socket_, *peer_.tls);
    SSL* handle = tls_->native_handle();
    prepare_tls(handle, peer_.server.host, environment_.options.tls.verify);
    keep_sessions(handle, &peer_.session);
    if (peer_.session)
        SSL_set_session(handle, peer_.session.get());
    error_code ec;
    co_await tls_->async_handshake(ssl::stream_base::client, asio::redirect_error(awaiting, ec));
    if (ec && (timed_out_ || environment_.cancelled))
        co_return why(ec, "making the TLS handshake");
    if (ec && (is_end(ec) || ec.category() == boost::system::system_category()))
        co_return why(ec, "making the TLS handshake");
    if (ec)
        co_return describe_tls_failure(handle, peer_.server.host, ec);
    ++(SSL_session_reused(handle) ? environment_.stats.resumptions : environment_.stats.handshakes);
    co_return result<void>();
}

// The socket's buffer nearly always takes a request whole: no suspension, no wake-up.
std::size_t connection::write_at_once(std::string_view body, error_code& ec)
{
    if (tls_)
        return 0;
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head), asio::buffer(body.data(), body.size())};
    const std::size_t sent = body.empty() ? socket_.write_some(buffers[0], ec) : socket_.write_some(buffers, ec);
    if (ec == asio::error::would_block)
        ec.clear();
    return sent;
}

awaitable<error_code> connection::write_rest(std::string_view body, std::size_t sent)
{
    const asio::const_buffer all[] = {asio::buffer(head), asio::buffer(body.data(), body.size())};
    error_code ec;
    for (const asio::const_buffer& whole : all) {
        const asio::const_buffer part = whole + sent;
        sent -= std::min(sent, whole.size());
        if (part.size() == 0)
            continue;
        if (tls_)
            co_await asio::async_write(*tls_, part, asio::redirect_error(awaiting, ec));
        else
            co_await asio::async_write(socket_, part, asio::redirect_error(awaiting, ec));
        if (ec)
            break;
    }
    co_return ec;
}

// Gives what has been received to the parser; need_more is no error.
error_code connection::feed(response_parser& parser)
{
    error_code ec;
    while (buffer_.size() != 0 && !parser.is_done()) {
        const std::size_t taken = parser.put(buffer_.data(), ec);
        buffer_.consume(taken);
        if (ec == boost::beast::http::error::need_more) {
            ec.clear();
            break;
        }
        if (ec)
            break;
    }
    return ec;
}

bool connection::spoilt() noexcept
{
    char byte = 0;
    const auto n = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    // TLS may have to say something of its own at any time.
    return n == 0 || (n > 0 && !tls_) || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

awaitable<result<void>> connection::exchange_all(std::size_t count, std::string_view body, bool head_only, response& rs,
                                                 const answer_sink* take)
{
    const client_options& options = environment_.options;
    touched_ = false;
    reusable_ = false;
    error_code unsent;
    if (const std::size_t sent = write_at_once(body, unsent); !unsent && sent != head.size() + body.size())
        unsent = co_await write_rest(body, sent);
    // A server may answer and close before it has read all of the request: the answer counts.
    if (unsent && body.empty())
        co_return why(unsent, "sending the request");
    error_code ec;
    int interim = 0;
    for (std::size_t taken = 0; taken != count;) {
        rs.clear();
        response_parser parser(rs, options.header_limit, options.body_limit, head_only);
        ec = feed(parser);
        while (!ec && !parser.is_done()) {
            if (buffer_.size() + read_size > buffer_.max_size())
                co_return error(errc::too_large, peer_.server.to_string() + ": the answer's header is over " +
                                                     std::to_string(options.header_limit) + " bytes");
            const auto room = buffer_.prepare(read_size);
            std::size_t n = 0;
            if (tls_)
                n = co_await tls_->async_read_some(room, asio::redirect_error(awaiting, ec));
            else
                n = co_await socket_.async_read_some(room, asio::redirect_error(awaiting, ec));
            buffer_.commit(n);
            environment_.stats.bytes_in += n;
            if (n != 0) {
                touched_ = true;
                if (!ec)
                    ec = feed(parser);
                if (!parser.is_done())
                    idle_deadline_ = clock::now() + options.idle_timeout;
                continue;
            }
            if (is_end(ec) && parser.got_some()) {
                ec.clear();
                parser.put_eof(ec);
                if (!ec && !parser.is_done())
                    ec = boost::beast::http::error::partial_message;
                break;
            }
        }
        if (ec || environment_.cancelled || timed_out_)
            co_return why(ec, "sending its answer");
        used_ = true;
        if (rs.status / 100 == 1 && rs.status != 101) { // 100 Continue and the like (RFC 9110 section 15.2)
            if (++interim == max_interim_answers)
                co_return error(errc::bad_response, peer_.server.to_string() + ": interim answers without end");
            continue;
        }
        const std::string_view coding = rs.header("content-encoding");
        if (!rs.body.empty() && (coding == "gzip" || coding == "x-gzip" || coding == "deflate"))
            if (const auto done = inflate(rs.body, options.body_limit); !done)
                co_return done;
        if (take != nullptr)
            (*take)(taken);
        ++taken;
        if (!parser.keep_alive() && taken != count)
            co_return why(asio::error::eof, "sending its answer");
        // Bytes after the last answer belong to nothing that was asked.
        reusable_ = taken == count && parser.keep_alive() && buffer_.size() == 0 && !unsent;
    }
    co_return result<void>();
}

} // namespace regsweep::http
