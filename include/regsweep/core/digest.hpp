#ifndef REGSWEEP_CORE_DIGEST_HPP
#define REGSWEEP_CORE_DIGEST_HPP

#include "regsweep/core/error.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace regsweep {

/// The content digest of a manifest or blob, binary. A regular type; empty when default-constructed.
/// Source: OCI image-spec, descriptor.md, "Digests"; the two registered algorithms.
class digest
{
public:
    enum class algorithm : std::uint8_t { sha256, sha512 };

    digest() = default;

    /// Reads `sha256:<64 lower-case hex>` or `sha512:<128 lower-case hex>`; upper-case hex is accepted too.
    /// Fails with `errc::bad_digest`.
    static result<digest> parse(std::string_view text);

    /// The digest made of these raw bytes: 32 for SHA-256, 64 for SHA-512. Fails with `errc::bad_digest`.
    static result<digest> from_bytes(std::span<const unsigned char> raw);

    /// The digest of `content`, byte for byte.
    static digest of(std::string_view content, algorithm how = algorithm::sha256);

    bool empty() const noexcept { return size_ == 0; }
    algorithm how() const noexcept { return size_ == 64 ? algorithm::sha512 : algorithm::sha256; }
    std::span<const unsigned char> bytes() const noexcept { return {bytes_.data(), size_}; }

    /// `sha256:…` in lower-case hex; the empty string for an empty digest.
    std::string to_string() const;

    friend bool operator==(const digest& a, const digest& b) noexcept
    {
        return a.size_ == b.size_ && std::memcmp(a.bytes_.data(), b.bytes_.data(), a.size_) == 0;
    }
    friend std::strong_ordering operator<=>(const digest& a, const digest& b) noexcept
    {
        if (a.size_ != b.size_)
            return a.size_ <=> b.size_;
        return std::memcmp(a.bytes_.data(), b.bytes_.data(), a.size_) <=> 0;
    }

    /// A hash of the digest's own (already uniform) bytes.
    std::size_t hash() const noexcept
    {
        std::size_t h = 0;
        std::memcpy(&h, bytes_.data(), sizeof h);
        return h;
    }

private:
    std::uint8_t size_ = 0;
    std::array<unsigned char, 64> bytes_{};
};

} // namespace regsweep

template<>
struct std::hash<regsweep::digest>
{
    std::size_t operator()(const regsweep::digest& d) const noexcept { return d.hash(); }
};

#endif
