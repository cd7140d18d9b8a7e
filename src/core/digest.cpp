#include "regsweep/core/digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

namespace regsweep {
namespace {

// The value of a hexadecimal digit, 0xff for anything else: a crawl reads 64 of them for every tag.
constexpr std::array<std::uint8_t, 256> nibbles = [] {
    std::array<std::uint8_t, 256> out{};
    out.fill(0xff);
    for (std::uint8_t i = 0; i != 16; ++i)
        out[static_cast<unsigned char>("0123456789abcdef"[i])] =
            out[static_cast<unsigned char>("0123456789ABCDEF"[i])] = i;
    return out;
}();

std::uint8_t nibble(char c) noexcept
{
    return nibbles[static_cast<unsigned char>(c)];
}

// Looking an algorithm up takes OpenSSL longer than hashing a manifest: done once, kept for the process's life.
const EVP_MD* algorithm_named(const char* name)
{
    return EVP_MD_fetch(nullptr, name, nullptr);
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
    unsigned wrong = 0;
    for (std::size_t i = 0; i != out.size_; ++i) {
        const unsigned high = nibble(hex[2 * i]);
        const unsigned low = nibble(hex[2 * i + 1]);
        wrong |= high | low;
        out.bytes_[i] = static_cast<unsigned char>(high << 4U | (low & 15U));
    }
    if (wrong > 15)
        return error(errc::bad_digest, "'" + printable(text, 160) + "' is not hexadecimal");
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
    static const EVP_MD* const sha256 = algorithm_named("SHA256");
    static const EVP_MD* const sha512 = algorithm_named("SHA512");
    digest out;
    out.size_ = how == algorithm::sha512 ? 64 : 32;
    const EVP_MD* const with = how == algorithm::sha512 ? sha512 : sha256;
    if (EVP_Digest(content.data(), content.size(), out.bytes_.data(), nullptr, with, nullptr) != 1)
        throw failure(error(errc::io, "OpenSSL cannot compute a digest; check its configuration"));
    return out;
}

std::string digest::to_string() const
{
    static constexpr char hex[] = "0123456789abcdef";
    if (empty())
        return {};
    const std::string_view prefix = how() == algorithm::sha512 ? "sha512:" : "sha256:";
    std::string out(prefix.size() + 2 * std::size_t{size_}, '\0');
    char* to = std::ranges::copy(prefix, out.data()).out;
    for (const unsigned char b : bytes()) {
        *to++ = hex[b >> 4];
        *to++ = hex[b & 15];
    }
    return out;
}

} // namespace regsweep
