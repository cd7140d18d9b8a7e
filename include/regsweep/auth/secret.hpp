#ifndef REGSWEEP_AUTH_SECRET_HPP
#define REGSWEEP_AUTH_SECRET_HPP

#include <openssl/crypto.h>

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>

namespace regsweep {

/// Overwrites the text's memory, spare capacity included, and leaves it empty.
inline void wipe(std::string& text) noexcept
{
    text.resize(text.capacity()); // never allocates
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
}

/// A password, token, or header made from one. It cannot be printed, and its memory is overwritten when it is
/// destroyed, assigned to, or moved from. `reveal()` is the one way out, and easy to search for.
class secret
{
public:
    secret() = default;
    /// Takes the text; the argument's own memory is overwritten.
    explicit secret(std::string&& text) : value_(text) { wipe(text); }
    explicit secret(std::string_view text) : value_(text) {}
    explicit secret(const char* text) : value_(text) {}

    secret(const secret&) = default;
    secret(secret&& other) noexcept : value_(std::move(other.value_)) { wipe(other.value_); }
    secret& operator=(const secret& other)
    {
        if (this != &other)
            *this = secret(other);
        return *this;
    }
    secret& operator=(secret&& other) noexcept
    {
        if (this != &other) {
            wipe(value_);
            value_ = std::move(other.value_);
            wipe(other.value_);
        }
        return *this;
    }
    ~secret() { wipe(value_); }

    bool empty() const noexcept { return value_.empty(); }
    std::size_t size() const noexcept { return value_.size(); }

    /// The text itself, valid until this object changes. Only for the wire and for hashing.
    std::string_view reveal() const noexcept { return value_; }

    /// Takes as long for a near miss as for a far one; the lengths may show.
    friend bool operator==(const secret& a, const secret& b) noexcept
    {
        return a.size() == b.size() && CRYPTO_memcmp(a.value_.data(), b.value_.data(), a.size()) == 0;
    }

private:
    std::string value_;
};

/// `***`, whatever the secret is.
inline std::string to_string(const secret&)
{
    return "***";
}

std::ostream& operator<<(std::ostream&, const secret&) = delete;

} // namespace regsweep

#endif
