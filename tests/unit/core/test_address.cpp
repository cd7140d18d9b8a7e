#include "regsweep/core/address.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

using regsweep::errc;
using regsweep::origin;
using regsweep::parse_url;
using regsweep::registry_address;

BOOST_AUTO_TEST_SUITE(address)

BOOST_AUTO_TEST_CASE(what_users_write)
{
    struct row
    {
        std::string_view text;
        std::string_view canonical;
        std::string_view authority;
        std::string_view name;
    };
    const row table[] = {
        {"r.example.com", "https://r.example.com:443", "r.example.com", "r.example.com"},
        {"r.example.com/", "https://r.example.com:443", "r.example.com", "r.example.com"},
        {"R.Example.COM", "https://r.example.com:443", "r.example.com", "R.Example.COM"},
        {"r.example.com:5000", "https://r.example.com:5000", "r.example.com:5000", "r.example.com:5000"},
        {"r.example.com:443", "https://r.example.com:443", "r.example.com", "r.example.com:443"},
        {"http://r.example.com", "http://r.example.com:80", "r.example.com", "r.example.com"},
        {"HTTP://r.example.com:8080", "http://r.example.com:8080", "r.example.com:8080", "r.example.com:8080"},
        {"https://r.example.com:80", "https://r.example.com:80", "r.example.com:80", "r.example.com:80"},
        {"r.example.com:", "https://r.example.com:443", "r.example.com", "r.example.com:"},
        {"my_registry:5000", "https://my_registry:5000", "my_registry:5000", "my_registry:5000"},
        {"10.1.2.3:5000", "https://10.1.2.3:5000", "10.1.2.3:5000", "10.1.2.3:5000"},
        // Loopback without a scheme is http.
        {"localhost", "http://localhost:80", "localhost", "localhost"},
        {"LOCALHOST:5000", "http://localhost:5000", "localhost:5000", "LOCALHOST:5000"},
        {"a.localhost:5000", "http://a.localhost:5000", "a.localhost:5000", "a.localhost:5000"},
        {"127.0.0.1:5000", "http://127.0.0.1:5000", "127.0.0.1:5000", "127.0.0.1:5000"},
        {"127.9.9.9", "http://127.9.9.9:80", "127.9.9.9", "127.9.9.9"},
        {"[::1]:5000", "http://[::1]:5000", "[::1]:5000", "[::1]:5000"},
        {"[0:0:0:0:0:0:0:1]", "http://[::1]:80", "[::1]", "[0:0:0:0:0:0:0:1]"},
        {"https://localhost", "https://localhost:443", "localhost", "localhost"},
        // Names that only look like loopback are not.
        {"127.example.com", "https://127.example.com:443", "127.example.com", "127.example.com"},
        {"localhost.example.com", "https://localhost.example.com:443", "localhost.example.com",
         "localhost.example.com"},
        // IPv6.
        {"[2001:DB8::5]", "https://[2001:db8::5]:443", "[2001:db8::5]", "[2001:DB8::5]"},
        {"http://[2001:db8:0::5]:81", "http://[2001:db8::5]:81", "[2001:db8::5]:81", "[2001:db8:0::5]:81"},
        // Path prefixes.
        {"https://h/artifactory/api/docker/x", "https://h:443/artifactory/api/docker/x", "h",
         "h/artifactory/api/docker/x"},
        {"https://h/artifactory/api/docker/x//", "https://h:443/artifactory/api/docker/x", "h",
         "h/artifactory/api/docker/x"},
        {"h:5000/p", "https://h:5000/p", "h:5000", "h:5000/p"},
        {"https://h/v2/", "https://h:443", "h", "h"},
        {"https://h/p/v2", "https://h:443/p", "h", "h/p"},
        {"https://h/p//v2", "https://h:443/p", "h", "h/p"},
    };
    for (const row& r : table) {
        BOOST_TEST_CONTEXT(r.text)
        {
            const auto got = registry_address::parse(r.text);
            BOOST_TEST_REQUIRE(got.has_value());
            BOOST_TEST(got->canonical() == r.canonical);
            BOOST_TEST(got->server.authority() == r.authority);
            BOOST_TEST(got->name == r.name);
            // The canonical form is one of itself.
            const auto again = registry_address::parse(got->canonical());
            BOOST_TEST_REQUIRE(again.has_value());
            BOOST_TEST(again->canonical() == r.canonical);
        }
    }
}

BOOST_AUTO_TEST_CASE(junk_is_refused_by_name)
{
    const std::string_view table[] = {
        "",
        " ",
        "/",
        ":5000",
        "http://",
        "https:///x",
        "ftp://host",
        "unix:///var/run/x",
        "host name",
        "host\n",
        "host:0",
        "host:65536",
        "host:65537",
        "host:99999",
        "host:99999999999999999999",
        "host:abc",
        "host:5000a",
        "host:5000:6/x",
        "host:-1",
        "[::1",
        "[::g]",
        "::1",
        "host?x=y",
        "host/p?x=y",
        "host/p#f",
        "ho%2fst",
        "ho%00st",
        "ho%40st",
        "ho%3ast",
        "h\xc3\xb6st",
        "[v1.x]",
    };
    for (const auto text : table) {
        BOOST_TEST_CONTEXT("'" << text << "'")
        {
            const auto got = registry_address::parse(text);
            BOOST_TEST_REQUIRE(got.has_error());
            BOOST_TEST(got.error().is(errc::bad_address));
            BOOST_TEST(!got.error().detail.empty());
        }
    }
    BOOST_TEST(registry_address::parse(std::string(300, 'a')).has_error());
    BOOST_TEST(registry_address::parse(std::string(1 << 20, '[')).has_error());
}

BOOST_AUTO_TEST_CASE(ports_at_the_limits)
{
    BOOST_TEST(registry_address::parse("h:1").value().server.port == 1);
    BOOST_TEST(registry_address::parse("h:65535").value().server.port == 65535);
}

BOOST_AUTO_TEST_CASE(user_information_is_refused_and_never_repeated)
{
    const std::string_view table[] = {
        "alice:hunter2@host",       "https://alice:hunter2@host/p", "http://alice:hunter2@localhost:5000",
        "ftp://alice:hunter2@host", "alice:hunter2/@host",          "alice:1/hunter2@host",
        "alice:hunter2?@host",      "alice:hunter2#@host",          "alice:hunter2 @host",
        "https://hunter2@host",     "alice:hunter2%zz@host",        "gopher://x:hunter2@",
    };
    for (const auto text : table) {
        BOOST_TEST_CONTEXT(text)
        {
            const auto got = registry_address::parse(text);
            BOOST_TEST_REQUIRE(got.has_error());
            BOOST_TEST(got.error().is(errc::bad_address));
            BOOST_TEST(got.error().message().find("hunter2") == std::string::npos);
            BOOST_TEST(got.error().message().find("--user") != std::string::npos);

            const auto url = parse_url(text);
            if (url.has_error())
                BOOST_TEST(url.error().message().find("hunter2") == std::string::npos);
        }
    }
}

BOOST_AUTO_TEST_CASE(urls)
{
    const auto plain = parse_url("https://Auth.example.com/token?service=a&scope=b%20c");
    BOOST_TEST_REQUIRE(plain.has_value());
    BOOST_TEST(plain->server.to_string() == "https://auth.example.com");
    BOOST_TEST(plain->target == "/token?service=a&scope=b%20c");

    BOOST_TEST(parse_url("http://h").value().target == "/");
    BOOST_TEST(parse_url("http://h?x").value().target == "/?x");
    BOOST_TEST(parse_url("http://h/a#f").value().target == "/a");
    BOOST_TEST(parse_url("http://h/a?b@c").value().target == "/a?b@c");
    BOOST_TEST(parse_url("http://[::1]:81/a").value().server.authority() == "[::1]:81");

    for (const auto text : {"", "h", "/p", "//h/p", "ftp://h/", "http://u@h/", "http://u:p@h/", "http:///p",
                            "http://h:70000/", "http://h/a b", "http://h/\r\nX: y"})
        BOOST_TEST(parse_url(text).has_error(), "'" << text << "' was taken");
}

BOOST_AUTO_TEST_CASE(origins_compare_as_a_whole)
{
    const origin a{true, "h", 443};
    BOOST_TEST((a == origin{true, "h", 443}));
    BOOST_TEST((a != origin{false, "h", 443}));
    BOOST_TEST((a != origin{true, "h", 444}));
    BOOST_TEST((a != origin{true, "i", 443}));
    BOOST_TEST((origin{false, "h", 80}.to_string() == "http://h"));
    BOOST_TEST((origin{false, "h", 443}.to_string() == "http://h:443"));
}

BOOST_AUTO_TEST_SUITE_END()
