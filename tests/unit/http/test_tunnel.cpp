// Through a forward proxy: a small one of our own, which remembers what it was asked.

#include "common/temp_dir.hpp"
#include "unit/http/run.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <mutex>
#include <thread>

using namespace regsweep;
using namespace regsweep::test;
namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

class forward_proxy
{
public:
    /// Everything is sent to `to`, whatever host a request names.
    forward_proxy(std::uint16_t to, std::string authorization)
        : to_(to), authorization_(std::move(authorization)),
          acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), port_(acceptor_.local_endpoint().port()),
          thread_([this] { serve(); })
    {}
    ~forward_proxy()
    {
        boost::system::error_code ignored;
        stopping_ = true;
        tcp::socket(io_).connect({asio::ip::address_v4::loopback(), port_}, ignored);
        thread_.join();
    }
    forward_proxy(const forward_proxy&) = delete;
    forward_proxy& operator=(const forward_proxy&) = delete;

    std::string url(const std::string& user = {}) const
    {
        return "http://" + user + "127.0.0.1:" + std::to_string(port_);
    }
    std::vector<std::string> heads() const
    {
        const std::scoped_lock lock(mutex_);
        return heads_;
    }

private:
    void serve()
    {
        std::vector<std::jthread> connections;
        while (true) {
            boost::system::error_code ec;
            auto client = std::make_shared<tcp::socket>(acceptor_.accept(ec));
            if (ec || stopping_)
                break;
            clients_.push_back(client);
            connections.emplace_back([this, client] { handle(*client); });
        }
        for (const auto& c : clients_)
            ::shutdown(c->native_handle(), SHUT_RDWR);
    }

    void handle(tcp::socket& client)
    {
        boost::system::error_code ec;
        std::string head;
        asio::read_until(client, asio::dynamic_buffer(head), "\r\n\r\n", ec);
        {
            const std::scoped_lock lock(mutex_);
            heads_.push_back(head);
        }
        const auto answer = [&](const std::string& text) { asio::write(client, asio::buffer(text), ec); };
        if (!authorization_.empty() && head.find("Proxy-Authorization: " + authorization_) == std::string::npos)
            return answer("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 4\r\n\r\nwho?"),
                   hang_up(client);
        tcp::socket server(io_);
        server.connect({asio::ip::address_v4::loopback(), to_}, ec);
        if (ec)
            return answer("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), hang_up(client);
        if (head.starts_with("CONNECT "))
            answer("HTTP/1.1 200 Connection established\r\n\r\n");
        else
            asio::write(server, asio::buffer(head), ec);
        const std::jthread back([&] { pump(server, client); });
        pump(client, server);
    }

    // Closing is left to the end: another thread may be about to shut the same socket down.
    static void hang_up(tcp::socket& client) { ::shutdown(client.native_handle(), SHUT_RDWR); }

    static void pump(tcp::socket& from, tcp::socket& to)
    {
        std::array<char, 4096> data;
        boost::system::error_code ec;
        while (true) {
            const std::size_t n = from.read_some(asio::buffer(data), ec);
            if (ec)
                break;
            asio::write(to, asio::buffer(data, n), ec);
        }
        ::shutdown(to.native_handle(), SHUT_RDWR);
    }

    std::uint16_t to_;
    std::string authorization_;
    asio::io_context io_;
    tcp::acceptor acceptor_;
    std::uint16_t port_;
    std::atomic<bool> stopping_{false};
    mutable std::mutex mutex_;
    std::vector<std::string> heads_;
    std::vector<std::shared_ptr<tcp::socket>> clients_;
    std::thread thread_;
};

const std::string credentials = "Basic YWxpY2U6aHVudGVyMg=="; // alice:hunter2

struct plain_setup
{
    explicit plain_setup(const std::string& wanted = {})
    {
        registry.add_rule("", "", fake_action::answer(200)); // whatever form the target has
        registry.start();
        proxy.emplace(registry.port(), wanted);
    }
    fake_registry registry;
    std::optional<forward_proxy> proxy;
    asio::io_context io{1};
};

} // namespace

BOOST_AUTO_TEST_SUITE(tunnels)

BOOST_AUTO_TEST_CASE(plain_http)
{
    plain_setup s(credentials);
    http::client_options options = quick_options();
    options.proxies.http_proxy = s.proxy->url("alice:hunter2@");
    http::client client(s.io, options);
    for (int i = 0; i != 3; ++i) {
        const auto got = run(s.io, send(client, {false, "registry.invalid", 8080}, get("/v2/?x=1")));
        BOOST_TEST_REQUIRE(got.sent.has_value());
        BOOST_TEST(got.answer.status == 200U);
    }
    const auto heads = s.proxy->heads();
    BOOST_TEST_REQUIRE(heads.size() == 1U); // kept alive
    BOOST_TEST(heads[0].starts_with("GET http://registry.invalid:8080/v2/?x=1 HTTP/1.1\r\n"));
    BOOST_TEST(heads[0].find("\r\nHost: registry.invalid:8080\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(plain_http_without_credentials_is_told_so)
{
    plain_setup s(credentials);
    http::client_options options = quick_options();
    options.proxies.http_proxy = s.proxy->url();
    http::client client(s.io, options);
    const auto got = run(s.io, send(client, {false, "registry.invalid", 80}, get("/v2/")));
    BOOST_TEST(got.sent.has_value());
    BOOST_TEST(got.answer.status == 407U);
}

BOOST_AUTO_TEST_CASE(https_goes_through_a_tunnel)
{
    fake_certificate_options named;
    named.names = {"registry.invalid"};
    const auto made = make_certificates(named);
    const temp_dir folder;
    write_file(folder / "ca.pem", made.ca);
    fake_options fake;
    fake.certificate = made.server_certificate;
    fake.key = made.server_key;
    fake_registry registry(fake);
    registry.start();
    const forward_proxy proxy(registry.port(), credentials);
    asio::io_context io{1};
    http::client_options options = quick_options();
    options.tls.trusted = {folder / "ca.pem"};
    options.proxies.https_proxy = proxy.url("alice:hunter2@");
    http::client client(io, options);
    http::request rq = get("/v2/");
    rq.authorization = "Basic eA==";
    for (int i = 0; i != 3; ++i) {
        const auto got = run(io, send(client, {true, "registry.invalid", 443}, rq));
        BOOST_TEST_REQUIRE(got.sent.has_value(), (got.sent ? "" : got.sent.error().message()));
        BOOST_TEST(got.answer.status == 200U);
    }
    BOOST_TEST(client.stats().connections == 1U);
    const auto heads = proxy.heads();
    BOOST_TEST_REQUIRE(heads.size() == 1U);
    BOOST_TEST(heads[0].starts_with("CONNECT registry.invalid:443 HTTP/1.1\r\nHost: registry.invalid:443\r\n"));
    BOOST_TEST(heads[0].find("\r\nAuthorization") == std::string::npos);
    // The registry learns nothing of the proxy's credentials.
    const auto log = registry.log();
    BOOST_TEST_REQUIRE(log.size() == 3U);
    BOOST_TEST(log[0].authorization == "Basic eA==");
    BOOST_TEST(log[0].target == "/v2/");
}

BOOST_AUTO_TEST_CASE(tunnels_that_are_refused)
{
    for (const bool wrong_user : {true, false}) {
        std::uint16_t closed = 0;
        {
            const fake_registry gone;
            closed = gone.port();
        }
        const forward_proxy proxy(closed, credentials);
        asio::io_context io{1};
        http::client_options options = quick_options();
        options.retry.retries = 0;
        options.proxies.all_proxy = proxy.url(wrong_user ? "alice:hunter3@" : "alice:hunter2@");
        http::client client(io, options);
        const auto got = run(io, send(client, {true, "registry.invalid", 443}, get("/v2/")));
        BOOST_TEST_REQUIRE(got.sent.has_error());
        const std::string text = got.sent.error().message();
        BOOST_TEST(got.sent.error().is(errc::connect_failed));
        BOOST_TEST(text.find("hunter") == std::string::npos);
        BOOST_TEST(text.find(wrong_user ? "credentials" : "502") != std::string::npos, text);
    }
}

BOOST_AUTO_TEST_CASE(loopback_and_excluded_hosts_go_straight)
{
    plain_setup s;
    http::client_options options = quick_options();
    options.proxies.all_proxy = s.proxy->url();
    http::client client(s.io, options);
    BOOST_TEST(run(s.io, send(client, origin_of(s.registry), get("/v2/"))).sent.has_value());
    BOOST_TEST(s.proxy->heads().empty());
}

BOOST_AUTO_TEST_CASE(unusable_proxies_are_found_when_an_origin_is_first_used)
{
    asio::io_context io{1};
    http::client_options options = quick_options();
    options.proxies.all_proxy = "socks5://alice:hunter2@p:1";
    http::client client(io, options);
    BOOST_CHECK_EXCEPTION(client.at({true, "h", 443}), failure, [](const failure& f) {
        return f.why().is(errc::bad_address) && std::string(f.what()).find("hunter2") == std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()
