#include "common/fake_http.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>

namespace regsweep::test {

namespace {

char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string_view trimmed(std::string_view text) noexcept
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

bool parse_request_line(std::string_view line, fake_request& out)
{
    const auto first = line.find(' ');
    const auto second = line.rfind(' ');
    if (first == std::string_view::npos || second <= first + 1)
        return false;
    out.method = line.substr(0, first);
    out.target = line.substr(first + 1, second - first - 1);
    const auto version = line.substr(second + 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
        return false;
    out.http_1_0 = version == "HTTP/1.0";
    out.keep_alive = !out.http_1_0;
    const auto mark = out.target.find('?');
    out.path = out.target.substr(0, mark);
    out.query = mark == std::string_view::npos ? std::string_view() : out.target.substr(mark + 1);
    return true;
}

/// Takes in what a header means for the framing of the request.
bool apply_header(std::string_view name, std::string_view value, fake_request& out)
{
    switch (name.size()) {
    case 6:
        if (equal_no_case(name, "Expect"))
            out.expects_continue = equal_no_case(value, "100-continue");
        break;
    case 10:
        if (!equal_no_case(name, "Connection"))
            break;
        if (equal_no_case(value, "close"))
            out.keep_alive = false;
        else if (equal_no_case(value, "keep-alive"))
            out.keep_alive = true;
        break;
    case 14:
        if (equal_no_case(name, "Content-Length")) {
            const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), out.content_length);
            return failed == std::errc() && end == value.data() + value.size();
        }
        break;
    case 17:
        if (equal_no_case(name, "Transfer-Encoding"))
            out.chunked = equal_no_case(value, "chunked");
        break;
    default: break;
    }
    return true;
}

int hex_value(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char small = lower(c);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::string_view reason(unsigned status) noexcept
{
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Status";
    }
}

} // namespace

bool equal_no_case(std::string_view a, std::string_view b) noexcept
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view fake_request::header(std::string_view name) const
{
    for (std::size_t i = 0; i < header_count; ++i)
        if (equal_no_case(headers[i].first, name))
            return headers[i].second;
    return {};
}

std::string fake_request::joined(std::string_view name) const
{
    std::string all;
    for (std::size_t i = 0; i < header_count; ++i) {
        if (!equal_no_case(headers[i].first, name))
            continue;
        if (!all.empty())
            all += ", ";
        all += headers[i].second;
    }
    return all;
}

fake_parse parse_head(std::string_view data, fake_request& out, std::size_t& length)
{
    const auto line_end = data.find("\r\n");
    if (line_end == std::string_view::npos)
        return fake_parse::incomplete;
    if (!parse_request_line(data.substr(0, line_end), out))
        return fake_parse::bad;
    out.body = {};
    out.chunked = false;
    out.expects_continue = false;
    out.content_length = 0;
    out.header_count = 0;
    for (std::size_t at = line_end + 2;;) {
        const auto end = data.find('\n', at);
        if (end == std::string_view::npos)
            return fake_parse::incomplete;
        if (end == at || data[end - 1] != '\r')
            return fake_parse::bad;
        const auto line = data.substr(at, end - 1 - at);
        at = end + 1;
        if (line.empty()) {
            length = at;
            return fake_parse::complete;
        }
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || colon == 0 || out.header_count == fake_request::max_headers)
            return fake_parse::bad;
        const auto name = line.substr(0, colon);
        const auto value = trimmed(line.substr(colon + 1));
        out.headers[out.header_count++] = {name, value};
        if (!apply_header(name, value, out))
            return fake_parse::bad;
    }
}

fake_parse fake_chunks::read(std::string_view raw)
{
    for (;;) {
        const auto line_end = raw.find("\r\n", at_);
        if (line_end == std::string_view::npos)
            return fake_parse::incomplete;
        std::size_t size = 0;
        const auto [end, failed] = std::from_chars(raw.data() + at_, raw.data() + line_end, size, 16);
        if (failed != std::errc() || size > (std::size_t{1} << 40))
            return fake_parse::bad;
        const auto data = line_end + 2;
        if (raw.size() < data + size + 2)
            return fake_parse::incomplete;
        if (raw.substr(data + size, 2) != "\r\n")
            return fake_parse::bad;
        body_.append(raw.substr(data, size));
        at_ = data + size + 2;
        if (size == 0)
            return fake_parse::complete;
    }
}

void fake_reply::set(std::string_view name, std::string value)
{
    for (auto& [known, old] : headers) {
        if (equal_no_case(known, name)) {
            old = std::move(value);
            return;
        }
    }
    headers.emplace_back(name, std::move(value));
}

void fake_reply::remove(std::string_view name)
{
    std::erase_if(headers, [&](const auto& h) { return equal_no_case(h.first, name); });
}

std::string_view fake_reply::get(std::string_view name) const
{
    for (const auto& [known, value] : headers)
        if (equal_no_case(known, name))
            return value;
    return {};
}

fake_reply registry_error(unsigned status, std::string_view code, std::string_view message, std::string_view detail)
{
    fake_reply reply;
    reply.status = status;
    reply.set("Content-Type", "application/json; charset=utf-8");
    reply.body = R"({"errors":[{"code":)" + json_quoted(code) + R"(,"message":)" + json_quoted(message) +
                 R"(,"detail":)" + std::string(detail) + "}]}\n";
    return reply;
}

std::string head_text(const fake_reply& reply, bool http_1_0)
{
    std::string text = http_1_0 ? "HTTP/1.0 " : "HTTP/1.1 ";
    text += std::to_string(reply.status);
    text += ' ';
    text += reason(reply.status);
    text += "\r\n";
    for (const auto& [name, value] : reply.headers) {
        text += name;
        text += ": ";
        text += value;
        text += "\r\n";
    }
    return text += "\r\n";
}

std::string percent_decoded(std::string_view text, bool form)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape =
            text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
        if (escape) {
            out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            out += form && text[i] == '+' ? ' ' : text[i];
        }
    }
    return out;
}

std::string percent_encoded(std::string_view text)
{
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const char small = lower(c);
        if ((small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') || std::strchr("-._~", c) != nullptr) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

fake_headers form_fields(std::string_view text)
{
    fake_headers fields;
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto field = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (field.empty())
            continue;
        const auto equals = field.find('=');
        const auto value = equals == std::string_view::npos ? std::string_view() : field.substr(equals + 1);
        fields.emplace_back(percent_decoded(field.substr(0, equals), true), percent_decoded(value, true));
    }
    return fields;
}

std::optional<std::string> find_field(const fake_headers& fields, std::string_view name)
{
    for (const auto& [known, value] : fields)
        if (known == name)
            return value;
    return std::nullopt;
}

std::string json_quoted(std::string_view text)
{
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += "\\u00";
            out += digits[c >> 4];
            out += digits[c & 15];
        } else {
            out += c;
        }
    }
    return out += '"';
}

std::string http_date(int seconds_from_now)
{
    const std::time_t when = std::time(nullptr) + seconds_from_now;
    std::tm parts{};
    gmtime_r(&when, &parts);
    char text[64];
    const auto length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {text, length};
}

} // namespace regsweep::test
