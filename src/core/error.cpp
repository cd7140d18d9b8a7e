#include "regsweep/core/error.hpp"

#include <cstdint>

namespace regsweep {
namespace {

class category_impl final : public boost::system::error_category
{
public:
    const char* name() const noexcept override { return "regsweep"; }

    std::string message(int value) const override
    {
        switch (static_cast<errc>(value)) {
        case errc::bad_argument: return "invalid argument";
        case errc::bad_address: return "invalid address";
        case errc::bad_digest: return "invalid digest";
        case errc::bad_json: return "malformed JSON";
        case errc::bad_response: return "malformed answer";
        case errc::bad_file: return "unusable file";
        case errc::newer_version: return "file of a newer version";
        case errc::io: return "file error";
        case errc::locked: return "in use";
        case errc::resolve_failed: return "unknown host";
        case errc::connect_failed: return "cannot connect";
        case errc::tls_failed: return "TLS failed";
        case errc::connection_lost: return "connection lost";
        case errc::expired: return "too late";
        case errc::timed_out: return "timed out";
        case errc::too_large: return "too large";
        case errc::redirect_refused: return "redirect refused";
        case errc::page_loop: return "pagination loops";
        case errc::http_status: return "request failed";
        case errc::unauthorized: return "authentication required";
        case errc::forbidden: return "access denied";
        case errc::not_found: return "not found";
        case errc::unsupported: return "unsupported by the registry";
        case errc::digest_mismatch: return "digest mismatch";
        case errc::bad_regex: return "invalid regular expression";
        case errc::match_limit: return "regular expression too expensive";
        case errc::conflict: return "selection conflict";
        case errc::over_limit: return "too much would go";
        case errc::incomplete: return "index incomplete";
        case errc::cancelled: return "interrupted";
        }
        return "unknown error";
    }
};

} // namespace

const boost::system::error_category& category() noexcept
{
    static const category_impl instance;
    return instance;
}

std::string error::message() const
{
    std::string text;
    if (!request.empty())
        text += printable(request) + ": ";
    text += code.message();
    if (http_status != 0)
        text += " (HTTP " + std::to_string(http_status) + ")";
    if (!registry_code.empty() || !registry_message.empty()) {
        text += ": " + printable(registry_code);
        if (!registry_code.empty() && !registry_message.empty())
            text += ", ";
        text += printable(registry_message);
    }
    if (!detail.empty())
        text += ": " + printable(detail, 1000);
    return text;
}

failure::failure(regsweep::error e) : std::runtime_error(e.message()), error_(std::move(e)) {}

void throw_exception_from_error(const error& e, const boost::source_location&)
{
    throw failure(e);
}

namespace {

// The length of the UTF-8 character at the front of `text`; 0 if it is none, or a control character (C0, DEL, C1), or
// one that changes the direction of what follows it.
std::size_t harmless_character(std::string_view text) noexcept
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80)
        return first >= 0x20 && first != 0x7f ? 1 : 0;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length)
        return 0;
    std::uint32_t code = first & (0x7fU >> length);
    for (std::size_t i = 1; i != length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U)
            return 0;
        code = code << 6 | (byte(i) & 0x3fU);
    }
    const bool too_long = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool no_scalar = (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff;
    const bool direction = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    return too_long || no_scalar || code < 0xa0 || direction ? 0 : length;
}

} // namespace

std::string printable(std::string_view text, std::size_t limit)
{
    static constexpr char hex[] = "0123456789abcdef";
    std::string out;
    std::size_t i = 0;
    while (i < text.size() && i < limit) {
        const std::size_t length = harmless_character(text.substr(i));
        if (length > limit - i)
            break;
        if (length != 0) {
            out += text.substr(i, length);
            i += length;
            continue;
        }
        const auto byte = static_cast<unsigned char>(text[i++]);
        out += "\\x";
        out += hex[byte >> 4];
        out += hex[byte & 15];
    }
    if (i < text.size())
        out += "...";
    return out;
}

} // namespace regsweep
