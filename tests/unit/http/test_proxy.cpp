#include "regsweep/http/proxy.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <map>
#include <string>

using namespace regsweep;
using namespace regsweep::http;

namespace {

origin plain(std::string host, std::uint16_t port = 80)
{
    return {false, std::move(host), port};
}

origin secured(std::string host, std::uint16_t port = 443)
{
    return {true, std::move(host), port};
}

bool excluded(const std::string& list, const origin& server)
{
    return !choose_proxy({"http://p:1", "http://p:1", "", list}, server).value().has_value();
}

// Sets the variables for its life; all others of the kind are unset.
class environment
{
public:
    explicit environment(const std::map<std::string, std::string>& values)
    {
        for (const char* name : names) {
            if (const char* old = std::getenv(name))
                before_[name] = old;
            ::unsetenv(name);
        }
        for (const auto& [name, value] : values)
            ::setenv(name.c_str(), value.c_str(), 1);
    }
    ~environment()
    {
        for (const char* name : names) {
            ::unsetenv(name);
            if (before_.contains(name))
                ::setenv(name, before_[name].c_str(), 1);
        }
    }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;

private:
    static constexpr const char* names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",   "all_proxy",
                                            "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "REQUEST_METHOD"};
    std::map<std::string, std::string> before_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(proxies)

BOOST_AUTO_TEST_CASE(each_scheme_has_its_own)
{
    const proxy_settings both{"http://a:1", "http://b:2", "http://c:3", ""};
    BOOST_TEST(choose_proxy(both, plain("h")).value()->server.authority() == "a:1");
    BOOST_TEST(choose_proxy(both, secured("h")).value()->server.authority() == "b:2");
    const proxy_settings all{"", "", "c:3", ""};
    BOOST_TEST(choose_proxy(all, plain("h")).value()->server.authority() == "c:3");
    BOOST_TEST(choose_proxy(all, secured("h")).value()->server.authority() == "c:3");
    BOOST_TEST(!choose_proxy({}, plain("h")).value().has_value());
    BOOST_TEST(!choose_proxy({"http://a:1", "", "", ""}, secured("h")).value().has_value());
}

BOOST_AUTO_TEST_CASE(forms_of_a_proxy)
{
    const auto of = [](const std::string& text) {
        return choose_proxy({text, "", "", ""}, plain("h")).value().value();
    };
    BOOST_TEST(of("p").server.to_string() == "http://p");
    BOOST_TEST(of("p:3128").server.port == 3128);
    BOOST_TEST(of("http://p:3128/").server.to_string() == "http://p:3128");
    BOOST_TEST(of("http://[::1]:3128").server.authority() == "[::1]:3128");
    BOOST_TEST(of("http://p").authorization.empty());
    // RFC 7617 section 2.
    BOOST_TEST(of("http://Aladdin:open%20sesame@p").authorization == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    BOOST_TEST(of("Aladdin:open%20sesame@p:1").authorization == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

BOOST_AUTO_TEST_CASE(unusable_ones_are_refused_without_their_password)
{
    for (const auto text :
         {"https://u:hunter2@p", "socks5://u:hunter2@p:1080", "http://u:hunter2@", "http://u:hunter2@p q",
          "http://u:hunter2@[::1", "http://u:hunter2@p:abc", "://u:hunter2@p", "http://u:hunter2@p:99999"}) {
        BOOST_TEST_CONTEXT(text)
        {
            const auto got = choose_proxy({text, "", "", ""}, plain("h"));
            BOOST_TEST_REQUIRE(got.has_error());
            BOOST_TEST(got.error().is(errc::bad_address));
            BOOST_TEST(got.error().message().find("hunter2") == std::string::npos);
        }
    }
}

BOOST_AUTO_TEST_CASE(loopback_never_uses_one)
{
    for (const auto host : {"localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "::1"})
        BOOST_TEST(excluded("", plain(host)), host);
    for (const auto host : {"localhost.example.com", "127.example.com", "128.0.0.1", "::2"})
        BOOST_TEST(!excluded("", plain(host)), host);
}

BOOST_AUTO_TEST_CASE(no_proxy_forms)
{
    struct row
    {
        std::string list;
        origin server;
        bool out;
    };
    const row table[] = {
        {"*", plain("h"), true},
        {"h", plain("h"), true},
        {"h", plain("x"), false},
        {"h", plain("xh"), false},
        {"H", plain("h"), true},
        {"example.com", plain("example.com"), true},
        {"example.com", plain("r.example.com"), true},
        {"example.com", plain("rexample.com"), false},
        {".example.com", plain("r.example.com"), true},
        {".example.com", plain("example.com"), true},
        {".example.com", plain("badexample.com"), false},
        {"*.example.com", plain("r.example.com"), true},
        {"*.example.com", plain("badexample.com"), false},
        {"a,b , h", plain("h"), true},
        {",,h,", plain("h"), true},
        {"", plain("h"), false},
        {" , ", plain("h"), false},
        {"h:5000", plain("h", 5000), true},
        {"h:5000", plain("h", 80), false},
        {"h:443", secured("h"), true},
        {"10.0.0.1", plain("10.0.0.1"), true},
        {"10.0.0.1", plain("10.0.0.10"), false},
        {"10.0.0.0/8", plain("10.200.3.4"), true},
        {"10.0.0.0/8", plain("11.0.0.1"), false},
        {"10.1.2.3/16", plain("10.1.9.9"), true},
        {"10.0.0.0/8", plain("10.example.com"), false},
        {"10.0.0.0/33", plain("10.0.0.1"), false},
        {"10.0.0.0/x", plain("10.0.0.1"), false},
        {"0.0.0.0/0", plain("1.2.3.4"), true},
        {"fe80::/10", plain("fe80::5"), true},
        {"fe80::/10", plain("2001:db8::5"), false},
        {"fe80::/10", plain("10.0.0.1"), false},
        {"2001:db8::5", plain("2001:db8::5"), true},
        {"[2001:db8::5]", plain("2001:db8::5"), true},
        {"[2001:db8::5]:5000", plain("2001:db8::5", 5000), true},
        {"[2001:db8::5]:5000", plain("2001:db8::5", 80), false},
        {"[", plain("h"), false},
        {":", plain("h"), false},
        {".", plain("h"), false},
        {"/", plain("10.0.0.1"), false},
    };
    for (const row& r : table)
        BOOST_TEST(excluded(r.list, r.server) == r.out, "'" << r.list << "' for " << r.server.to_string());
}

BOOST_AUTO_TEST_CASE(environment_variables)
{
    {
        const environment set({{"HTTP_PROXY", "a"}, {"HTTPS_PROXY", "b"}, {"ALL_PROXY", "c"}, {"NO_PROXY", "d"}});
        const auto got = proxy_settings::from_environment();
        BOOST_TEST(got.http_proxy == "a");
        BOOST_TEST(got.https_proxy == "b");
        BOOST_TEST(got.all_proxy == "c");
        BOOST_TEST(got.no_proxy == "d");
    }
    {
        const environment set({{"HTTP_PROXY", "a"}, {"http_proxy", "x"}, {"NO_PROXY", "d"}, {"no_proxy", ""}});
        const auto got = proxy_settings::from_environment();
        BOOST_TEST(got.http_proxy == "x");
        BOOST_TEST(got.no_proxy == "");
    }
    { // "httpoxy": a CGI server's client may choose HTTP_PROXY
        const environment set({{"HTTP_PROXY", "a"}, {"HTTPS_PROXY", "b"}, {"REQUEST_METHOD", "GET"}});
        const auto got = proxy_settings::from_environment();
        BOOST_TEST(got.http_proxy == "");
        BOOST_TEST(got.https_proxy == "b");
    }
}

BOOST_AUTO_TEST_SUITE_END()
