// Through a forward proxy from Debian, for http and (CONNECT) for https.
#include "common/server_program.hpp"
#include "integration/checks.hpp"
#include "integration/round_trip.hpp"

#include "common/fake_tls.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep::test;

namespace {

/// Another spelling of 127.0.0.1, which the proxy's resolver knows. Names that are plainly loopback are never sent
/// through a proxy, and a test must not need a name that a machine may not have.
constexpr const char* host = "0x7f.1";

struct fixture : sandbox
{
    std::string plain() const { return "http://" + host_and(behind.registry.port()); }

    static std::string host_and(std::uint16_t port) { return std::string(host) + ":" + std::to_string(port); }

    static std::string url(const server_program& proxy, const std::string& who = {})
    {
        return "http://" + who + proxy.address();
    }

    /// How often the proxy was asked for something of the registry.
    static std::size_t asked(const server_program& proxy, const std::string& what)
    {
        std::size_t count = 0;
        for (const auto& line : lines(proxy.log()))
            count += line.find(what) != std::string::npos ? 1U : 0U;
        return count;
    }

    process_result refresh(const std::string& registry, const sandbox::variables& env,
                           std::vector<std::string> args = {})
    {
        args.insert(args.begin(), {"refresh", "-reg", registry, "-c", file("i.db").string(), "--retries", "0"});
        return run(args, env);
    }

    plain_registry behind;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(forward_proxy, fixture)

BOOST_AUTO_TEST_CASE(crawl_remove_and_restore_over_http)
{
    const server_program proxy(tinyproxy());
    check_round_trip(*this, {"-reg", plain()}, behind.pushed, {{"http_proxy", url(proxy)}});
    BOOST_TEST(asked(proxy, plain() + "/v2/_catalog") > 0U, proxy.log());
}

BOOST_AUTO_TEST_CASE(crawl_remove_and_restore_over_connect)
{
    const auto certificates = make_certificates({.names = {host}});
    const server_program front(nginx({.upstream = behind.registry.address(),
                                      .certificate = certificates.server_certificate,
                                      .key = certificates.server_key}));
    const server_program proxy(tinyproxy({"proxy-user", "proxy-password"}));
    write_file(file("ca.pem"), certificates.ca);
    const std::string registry = host_and(front.port());
    check_round_trip(*this, {"-reg", registry, "-v", file("ca.pem").string()}, behind.pushed,
                     {{"HTTPS_PROXY", url(proxy, "proxy-user:proxy-password@")}});
    BOOST_TEST(asked(proxy, "CONNECT " + registry) > 0U, proxy.log());

    const auto refused = refresh(registry, {{"https_proxy", url(proxy, "proxy-user:wrong@")}});
    check_fails(refused, 1, {"the proxy http://" + proxy.address(), "wants other credentials", "proxy variable"});
    BOOST_TEST(refused.err.find("wrong") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(credentials_for_http)
{
    const server_program proxy(tinyproxy({"proxy-user", "proxy-password"}));
    BOOST_TEST(refresh(plain(), {{"ALL_PROXY", url(proxy, "proxy-user:proxy-password@")}}).exit_code == 0);
    BOOST_TEST((read_index(file("i.db")).tags == behind.pushed));
    const auto refused = refresh(plain(), {{"all_proxy", url(proxy)}});
    check_fails(refused, 1, {"407", "the proxy wants other credentials", "http_proxy"});
}

BOOST_AUTO_TEST_CASE(variables_in_both_cases)
{
    const server_program proxy(tinyproxy());
    const std::string nowhere = "http://127.0.0.1:1";
    const auto goes_through = [&](const sandbox::variables& env) {
        const auto before = asked(proxy, plain());
        const auto done = refresh(plain(), env);
        BOOST_TEST(done.exit_code == 0, done.err);
        return asked(proxy, plain()) > before;
    };
    for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"})
        BOOST_TEST(goes_through({{name, url(proxy)}}), name << " is not used");
    BOOST_TEST(goes_through({{"http_proxy", url(proxy)}, {"HTTP_PROXY", nowhere}}));
    BOOST_TEST(goes_through({{"http_proxy", url(proxy)}, {"all_proxy", nowhere}}));
    for (const std::string& list :
         {std::string(host), std::string("*"), host_and(behind.registry.port()), "example.org, " + std::string(host)})
        for (const char* name : {"no_proxy", "NO_PROXY"})
            BOOST_TEST(!goes_through({{"http_proxy", url(proxy)}, {name, list}}), name << "=" << list);
    BOOST_TEST(!goes_through({{"https_proxy", nowhere}}), "the proxy for https was used for http");
    BOOST_TEST(!goes_through({}));
}

BOOST_AUTO_TEST_CASE(docker_hub_has_its_api_under_another_name)
{
    // A proxy that lets nobody in: nothing of this leaves the machine.
    const server_program proxy(tinyproxy({"proxy-user", "proxy-password"}));
    for (const char* name : {"docker.io", "index.docker.io", "registry-1.docker.io"}) {
        const auto before = asked(proxy, "CONNECT registry-1.docker.io:443");
        check_fails(refresh(name, {{"https_proxy", url(proxy)}}), 1, {"wants other credentials"});
        BOOST_TEST(asked(proxy, "CONNECT registry-1.docker.io:443") > before, name);
    }
}

BOOST_AUTO_TEST_CASE(loopback_needs_no_proxy)
{
    const auto done = refresh(behind.registry.address(), {{"http_proxy", "http://127.0.0.1:1"}});
    BOOST_TEST(done.exit_code == 0, done.err);
}

BOOST_AUTO_TEST_CASE(a_proxy_that_is_down_or_wrong)
{
    check_fails(refresh(plain(), {{"http_proxy", "http://127.0.0.1:1"}}), 1, {"http://127.0.0.1:1", "cannot connect"});
    const auto socks = refresh(plain(), {{"http_proxy", "socks5://user:hidden@127.0.0.1:1"}});
    check_fails(socks, 2, {"proxy", "http://"});
    BOOST_TEST(socks.err.find("hidden") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
