#include "regsweep/http/proxy.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <boost/url/parse.hpp>

#include <algorithm>
#include <cstdlib>

namespace regsweep::http {
namespace {

namespace ip = boost::asio::ip;

std::string variable(const char* lower, const char* upper)
{
    if (const char* value = std::getenv(lower))
        return value;
    if (upper == nullptr)
        return {};
    const char* value = std::getenv(upper);
    return value ? value : "";
}

std::string base64(std::string_view text)
{
    namespace codec = boost::beast::detail::base64;
    std::string out(codec::encoded_size(text.size()), '\0');
    out.resize(codec::encode(out.data(), text.data(), text.size()));
    return out;
}

bool in_network(std::string_view entry, const std::string& host)
{
    boost::system::error_code ec;
    const ip::address address = ip::make_address(host, ec);
    if (ec)
        return false;
    if (address.is_v4()) {
        const auto net = ip::make_network_v4(std::string(entry), ec);
        return !ec && net.canonical() == ip::network_v4(address.to_v4(), net.prefix_length()).canonical();
    }
    const auto net = ip::make_network_v6(std::string(entry), ec);
    return !ec && net.canonical() == ip::network_v6(address.to_v6(), net.prefix_length()).canonical();
}

bool excluded_by(std::string_view entry, const origin& server)
{
    while (!entry.empty() && entry.front() == ' ')
        entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ')
        entry.remove_suffix(1);
    if (entry.empty())
        return false;
    if (entry == "*")
        return true;
    if (entry.find('/') != std::string_view::npos)
        return in_network(entry, server.host);
    std::string name(entry);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    const bool ipv6 = name.find(':') != name.rfind(':') && name.front() != '[';
    const std::size_t colon = ipv6 ? std::string::npos : name.rfind(':');
    if (colon != std::string::npos && name.find(']', colon) == std::string::npos) {
        if (name.substr(colon + 1) != std::to_string(server.port))
            return false;
        name.resize(colon);
    }
    if (name.size() > 2 && name.front() == '[')
        name = name.substr(1, name.size() - 2);
    if (name.starts_with("*."))
        name.erase(0, 1);
    if (name.starts_with('.'))
        return server.host.ends_with(name) || server.host == std::string_view(name).substr(1);
    return server.host == name || server.host.ends_with("." + name);
}

bool excluded(const std::string& list, const origin& server)
{
    if (server.host == "localhost" || server.host.ends_with(".localhost"))
        return true;
    boost::system::error_code ec;
    const ip::address address = ip::make_address(server.host, ec);
    if (!ec && address.is_loopback())
        return true;
    std::string_view rest = list;
    while (!rest.empty()) {
        const std::size_t comma = rest.find(',');
        if (excluded_by(rest.substr(0, comma), server))
            return true;
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    return false;
}

} // namespace

proxy_settings proxy_settings::from_environment()
{
    proxy_settings out;
    out.http_proxy = variable("http_proxy", std::getenv("REQUEST_METHOD") ? nullptr : "HTTP_PROXY");
    out.https_proxy = variable("https_proxy", "HTTPS_PROXY");
    out.all_proxy = variable("all_proxy", "ALL_PROXY");
    out.no_proxy = variable("no_proxy", "NO_PROXY");
    return out;
}

result<std::optional<proxy>> choose_proxy(const proxy_settings& settings, const origin& server)
{
    std::string text = server.tls ? settings.https_proxy : settings.http_proxy;
    if (text.empty())
        text = settings.all_proxy;
    if (text.empty() || excluded(settings.no_proxy, server))
        return std::optional<proxy>();
    if (text.find("://") == std::string::npos)
        text = "http://" + text;
    // The text may hold a password: it is never shown.
    const auto url = boost::urls::parse_uri(text);
    if (!url || url->host().empty())
        return error(
            errc::bad_address,
            "the proxy given by the environment is not http://host:port; correct http_proxy, https_proxy or all_proxy");
    if (url->scheme_id() != boost::urls::scheme::http)
        return error(
            errc::bad_address,
            "the proxy given by the environment is not an http:// one; no other kind is supported, correct http_proxy, "
            "https_proxy or all_proxy");
    const auto rest =
        parse_url("http://" + std::string(url->encoded_host_and_port()) + std::string(url->encoded_path()));
    if (!rest)
        return error(
            errc::bad_address,
            "the proxy given by the environment is not http://host:port; correct http_proxy, https_proxy or all_proxy");
    proxy out;
    out.server = rest->server;
    if (url->has_userinfo())
        out.authorization = "Basic " + base64(url->user() + ":" + url->password());
    return std::optional<proxy>(std::move(out));
}

} // namespace regsweep::http
