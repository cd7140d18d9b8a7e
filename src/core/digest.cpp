#include "regsweep/core/digest.hpp"

#include <openssl/sha.h>

namespace regsweep {
namespace {

int nibble(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

} // namespace

result<digest> digest::parse(std::string_view text)
{
    digest out;
    std::string_view hex;
    if (text.starts_with("sha256:") && text.size() == 7 + 64)
        hex = text.substr(7), out.size_ = 32;
    else if (text.starts_with("sha512:") && text.size() == 7 + 128)
        hex = text.substr(7), out.size_ = 64;
    else
        return error(errc::bad_digest,
                     "'" + printable(text, 160) + "' is neither sha256:<64 hex> nor sha512:<128 hex>");
    for (std::size_t i = 0; i != out.size_; ++i) {
        const int high = nibble(hex[2 * i]);
        const int low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return error(errc::bad_digest, "'" + printable(text, 160) + "' is not hexadecimal");
        out.bytes_[i] = static_cast<unsigned char>(high * 16 + low);
    }
    return out;
}

result<digest> digest::from_bytes(std::span<const unsigned char> raw)
{
    if (raw.size() != 32 && raw.size() != 64)
        return error(errc::bad_digest, std::to_string(raw.size()) + " bytes are no SHA-256 or SHA-512");
    digest out;
    out.size_ = static_cast<std::uint8_t>(raw.size());
    std::memcpy(out.bytes_.data(), raw.data(), raw.size());
    return out;
}

digest digest::of(std::string_view content, algorithm how)
{
    digest out;
    const auto* data = reinterpret_cast<const unsigned char*>(content.data());
    if (how == algorithm::sha512) {
        out.size_ = 64;
        SHA512(data, content.size(), out.bytes_.data());
    } else {
        out.size_ = 32;
        SHA256(data, content.size(), out.bytes_.data());
    }
    return out;
}

std::string digest::to_string() const
{
    static constexpr char hex[] = "0123456789abcdef";
    if (empty())
        return {};
    std::string out = how() == algorithm::sha512 ? "sha512:" : "sha256:";
    out.reserve(7 + 2 * std::size_t{size_});
    for (const unsigned char b : bytes()) {
        out += hex[b >> 4];
        out += hex[b & 15];
    }
    return out;
}

} // namespace regsweep
