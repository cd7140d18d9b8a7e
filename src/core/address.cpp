#include "regsweep/core/address.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <charconv>

namespace regsweep {
namespace {

namespace urls = boost::urls;

// A name like 127.example.com is none: it may be anywhere, and plain http would show it the password.
bool is_loopback(const urls::url_view& url, std::string_view host)
{
    if (url.host_type() == urls::host_type::ipv4)
        return url.host_ipv4_address().is_loopback();
    if (url.host_type() == urls::host_type::ipv6)
        return url.host_ipv6_address().is_loopback();
    return host == "localhost" || host.ends_with(".localhost");
}

constexpr bool in_host_name(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

std::string lower(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    return out;
}

error bad(std::string_view text, std::string_view why)
{
    // What stands before an @ may be a password.
    const std::string shown = text.find('@') == std::string_view::npos ? "'" + printable(text) + "'" : "the URL";
    return {errc::bad_address, shown + ": " + std::string(why)};
}

// Errors never repeat the text when it may hold user information, which may be a password.
error user_information()
{
    return {errc::bad_address,
            "an address with user information is not accepted; give the user with --user and the password with "
            "REGISTRY_PASSWORD or --password-stdin"};
}

result<origin> parse_origin(const urls::url_view& url, std::string_view shown)
{
    if (url.has_userinfo())
        return user_information();
    origin out;
    if (url.scheme_id() == urls::scheme::http)
        out.tls = false;
    else if (url.scheme_id() != urls::scheme::https)
        return bad(shown, "only http:// and https:// are supported");
    if (url.host_type() == urls::host_type::ipv6)
        out.host = url.host_ipv6_address().to_string(); // one spelling, so that hosts can be compared
    else
        out.host = lower(url.host());
    if (out.host.empty())
        return bad(shown, "the host is missing");
    if (url.host_type() != urls::host_type::ipv6 &&
        (out.host.size() > 253 || !std::all_of(out.host.begin(), out.host.end(), in_host_name)))
        return bad(shown, "the host name has characters that no host name has");
    // Boost.URL 1.81 takes what follows the digits of a port as a path.
    if (!url.encoded_path().empty() && !url.encoded_path().starts_with('/'))
        return bad(shown, "the port is not a number");
    out.port = out.tls ? 443 : 80;
    if (url.has_port() && !url.port().empty()) {
        const std::string port(url.port()); // url.port_number() wraps around
        const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (ec != std::errc() || end != port.data() + port.size() || out.port == 0)
            return bad(shown, "the port is not between 1 and 65535");
    }
    return out;
}

} // namespace

std::string origin::authority() const
{
    std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (tls ? 443 : 80))
        out += ":" + std::to_string(port);
    return out;
}

std::string origin::to_string() const
{
    return (tls ? "https://" : "http://") + authority();
}

result<registry_address> registry_address::parse(std::string_view text)
{
    if (text.empty())
        return bad(text, "the address is empty");
    if (text.find('@') != std::string_view::npos)
        return user_information();
    const std::string scheme_part = lower(text.substr(0, 8));
    const bool has_scheme = scheme_part.starts_with("http://") || scheme_part.starts_with("https://");
    if (!has_scheme && text.find("://") != std::string_view::npos)
        return bad(text, "only http:// and https:// are supported");
    const std::string full = has_scheme ? std::string(text) : "https://" + std::string(text);
    const auto parsed = urls::parse_uri(full);
    if (!parsed)
        return bad(text, "expected host[:port][/prefix], with or without http:// or https://");
    const urls::url_view& url = *parsed;
    auto server = parse_origin(url, text);
    if (!server)
        return server.error();
    if (url.has_query() || url.has_fragment())
        return bad(text, "a registry address has no query and no fragment");
    registry_address out;
    out.server = *std::move(server);
    if (!has_scheme && is_loopback(url, out.server.host)) {
        out.server.tls = false;
        if (!url.has_port() || url.port().empty())
            out.server.port = 80;
    }
    out.prefix = std::string(url.encoded_path());
    std::string_view shown = text;
    if (has_scheme)
        shown.remove_prefix(shown.find("://") + 3);
    const auto shorten = [&](std::size_t by) {
        out.prefix.resize(out.prefix.size() - by);
        shown.remove_suffix(by);
    };
    while (out.prefix.ends_with('/'))
        shorten(1);
    if (out.prefix.ends_with("/v2"))
        shorten(3);
    while (out.prefix.ends_with('/'))
        shorten(1);
    out.name = shown;
    return out;
}

std::string registry_address::canonical() const
{
    const std::string host = server.host.find(':') == std::string::npos ? server.host : "[" + server.host + "]";
    return (server.tls ? "https://" : "http://") + host + ":" + std::to_string(server.port) + prefix;
}

result<url_parts> parse_url(std::string_view text)
{
    const auto parsed = urls::parse_uri(text);
    if (!parsed)
        return bad(text, "not a URL");
    auto server = parse_origin(*parsed, text);
    if (!server)
        return server.error();
    url_parts out;
    out.server = *std::move(server);
    out.target = std::string(parsed->encoded_path());
    if (out.target.empty())
        out.target = "/";
    if (parsed->has_query()) {
        out.target += '?';
        out.target += std::string(parsed->encoded_query());
    }
    return out;
}

} // namespace regsweep
