#include "regsweep/http/probe.hpp"

#include "http/tls_context.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <openssl/x509.h>

#include <ctime>
#include <memory>

namespace regsweep::http {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t tunnel_answer_limit = 16 * 1024;

std::string text_of(const tcp::endpoint& at)
{
    const std::string host = at.address().to_string();
    return (at.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(at.port());
}

std::string text_of(X509_NAME* name)
{
    const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
    if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0)
        return {};
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return printable({data, static_cast<std::size_t>(size)});
}

std::int64_t seconds_of(const ASN1_TIME* time)
{
    std::tm parts{};
    return time != nullptr && ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

tls_facts facts_of(SSL* handle)
{
    tls_facts out;
    out.version = SSL_get_version(handle);
    const std::unique_ptr<X509, void (*)(X509*)> certificate(SSL_get1_peer_certificate(handle), X509_free);
    if (!certificate)
        return out;
    out.subject = text_of(X509_get_subject_name(certificate.get()));
    out.issuer = text_of(X509_get_issuer_name(certificate.get()));
    out.not_before = seconds_of(X509_get0_notBefore(certificate.get()));
    out.not_after = seconds_of(X509_get0_notAfter(certificate.get()));
    return out;
}

/// One attempt to reach the server over a connection of its own; every step is given a time limit.
class attempt
{
public:
    attempt(std::chrono::milliseconds limit) : limit_(limit), socket_(context_) {}

    error_code resolve(const origin& host, std::vector<tcp::endpoint>& into)
    {
        error_code literal;
        if (const auto address = asio::ip::make_address(host.host, literal); !literal) {
            into.emplace_back(address, host.port);
            return {};
        }
        tcp::resolver resolver(context_);
        return within([&](auto done) {
            resolver.async_resolve(host.host, std::to_string(host.port), tcp::resolver::numeric_service,
                                   [&into, done](const error_code& ec, const tcp::resolver::results_type& found) {
                                       for (const auto& entry : found)
                                           into.push_back(entry.endpoint());
                                       done(ec);
                                   });
        });
    }

    error_code connect(const tcp::endpoint& to)
    {
        return within([&](auto done) { socket_.async_connect(to, done); });
    }

    /// Asks the proxy for a way to the server. RFC 9110 section 9.3.6.
    std::optional<error> tunnel(const origin& server, const proxy& through)
    {
        const std::string to = (server.host.find(':') == std::string::npos ? server.host : "[" + server.host + "]") +
                               ":" + std::to_string(server.port);
        std::string text = "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n";
        if (!through.authorization.empty())
            text += "Proxy-Authorization: " + through.authorization + "\r\n";
        text += "\r\n";
        std::string answer;
        auto buffer = asio::dynamic_buffer(answer, tunnel_answer_limit);
        error_code ec = within([&](auto done) {
            asio::async_write(socket_, asio::buffer(text), [done](const error_code& e, std::size_t) { done(e); });
        });
        if (!ec)
            ec = within([&](auto done) {
                asio::async_read_until(socket_, buffer, "\r\n\r\n",
                                       [done](const error_code& e, std::size_t) { done(e); });
            });
        const std::string_view status = std::string_view(answer).substr(0, answer.find('\r'));
        const auto space = status.find(' ');
        if (!ec && space != std::string_view::npos && status.substr(space + 1).starts_with('2'))
            return std::nullopt;
        return error(errc::connect_failed, "the proxy " + through.server.to_string() + " gives no tunnel to " + to +
                                               " (" + (ec ? ec.message() : printable(status, 80)) + ")");
    }

    /// Fills `into` if the handshake is made.
    std::optional<error> handshake(const std::string& host, tls_options options, std::optional<tls_facts>& into)
    {
        const auto context = make_tls_context(options);
        if (!context)
            return context.error();
        ssl::stream<tcp::socket&> stream(socket_, **context);
        prepare_tls(stream.native_handle(), host, options.verify);
        const error_code ec = within([&](auto done) { stream.async_handshake(ssl::stream_base::client, done); });
        if (ec == asio::error::timed_out)
            return error(errc::timed_out, host + " did not answer the TLS handshake in time; see --timeout");
        if (ec)
            return describe_tls_failure(stream.native_handle(), host, ec);
        into = facts_of(stream.native_handle());
        return std::nullopt;
    }

private:
    template<class Start>
    error_code within(const Start& start)
    {
        error_code outcome = asio::error::would_block;
        start([&outcome](const error_code& ec) { outcome = ec; });
        context_.restart();
        context_.run_for(limit_);
        if (context_.stopped())
            return outcome;
        error_code ignored;
        socket_.close(ignored);
        context_.run();
        return asio::error::timed_out;
    }

    std::chrono::milliseconds limit_;
    asio::io_context context_;
    tcp::socket socket_;
};

} // namespace

probe_report probe(const origin& server, const std::optional<proxy>& through, const tls_options& tls,
                   std::chrono::milliseconds limit)
{
    probe_report out;
    const origin& first = through ? through->server : server;
    std::vector<tcp::endpoint> all;
    if (const auto ec = attempt(limit).resolve(first, all); ec || all.empty()) {
        out.unresolved =
            error(errc::resolve_failed, "the host name '" + first.host + "' has no address (" + ec.message() + ")");
        return out;
    }
    std::optional<tcp::endpoint> answering;
    for (const auto& address : all) {
        const auto begin = std::chrono::steady_clock::now();
        const auto ec = attempt(limit).connect(address);
        const auto took = std::chrono::steady_clock::now() - begin;
        out.addresses.push_back({text_of(address), ec ? ec.message() : std::string(),
                                 std::chrono::duration_cast<std::chrono::microseconds>(took)});
        if (!ec && !answering)
            answering = address;
    }
    if (!server.tls || !answering)
        return out;
    const auto secure = [&](const tls_options& options) -> std::optional<error> {
        attempt another(limit);
        if (const auto ec = another.connect(*answering))
            return error(errc::connect_failed, text_of(*answering) + ": " + ec.message());
        if (through)
            if (auto refused = another.tunnel(server, *through))
                return refused;
        return another.handshake(server.host, options, out.tls);
    };
    out.tls_failure = secure(tls);
    if (out.tls_failure && tls.verify) { // whose certificate it is that is not trusted
        tls_options any = tls;
        any.verify = false;
        secure(any);
    }
    return out;
}

} // namespace regsweep::http
