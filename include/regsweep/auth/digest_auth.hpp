#ifndef REGSWEEP_AUTH_DIGEST_AUTH_HPP
#define REGSWEEP_AUTH_DIGEST_AUTH_HPP

#include "regsweep/auth/challenge.hpp"
#include "regsweep/auth/credentials.hpp"
#include "regsweep/core/error.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace regsweep {

/// From the weakest to the strongest.
enum class digest_algorithm : std::uint8_t { md5, md5_sess, sha256, sha256_sess };

/// A Digest challenge, understood. RFC 7616 §3.3.
struct digest_challenge
{
    digest_algorithm algorithm = digest_algorithm::md5;
    std::string algorithm_text; ///< as the server wrote it, to be sent back; empty if it named none
    std::string realm;
    std::string nonce;
    std::optional<std::string> opaque;
    bool qop_auth = false; ///< false: the server named no `qop` (RFC 2069)
    bool stale = false;

    /// Fails with `errc::unauthorized` if it is no Digest challenge, lacks realm or nonce, or wants an algorithm or a
    /// quality of protection other than those above and `auth`. `userhash` is declined, as a client may.
    static result<digest_challenge> from(const challenge& c);
};

/// The strongest usable Digest challenge; of equals the first. Fails as `digest_challenge::from` does for the first
/// one, or if there is none.
result<digest_challenge> choose_digest(std::span<const challenge> challenges);

/// Answers the challenges of one server for one user: keeps the nonce and counts its uses. A request's number must
/// reach the server in order, so keep one session per connection. Not for use by two threads at once.
class digest_session
{
public:
    /// Makes a fresh client nonce: printable characters, unpredictable, at least 16 of them.
    using cnonce_source = std::function<std::string()>;

    explicit digest_session(credentials who, cnonce_source make_cnonce = random_cnonce);

    /// 128 random bits in hexadecimal.
    static std::string random_cnonce();

    /// What to do after a 401.
    enum class verdict : std::uint8_t {
        retry,   ///< send the request again with a new `authorization`
        refused, ///< the server has refused these credentials: give up
    };

    /// To be told of the challenges of every 401. Fails as `choose_digest` does, or with `errc::unsupported` if OpenSSL
    /// lacks the hash.
    result<verdict> on_challenge(std::span<const challenge> challenges);

    /// To be told of every other answer to an authorised request, with its `Authentication-Info` (empty without one):
    /// takes over `nextnonce`.
    void on_success(std::string_view authentication_info = {});

    /// Whether there has been a challenge, so that requests can be authorised before the server asks again.
    bool ready() const noexcept { return challenge_.has_value(); }

    /// The value of `Authorization` for the next request; each call counts the nonce's use. `target` is the request
    /// target byte for byte as sent (path and query). Fails with `errc::bad_argument` before a challenge, for
    /// credentials without a password, or for a user with control characters.
    result<secret> authorization(std::string_view method, std::string_view target);

private:
    std::string first_hash() const;

    credentials who_;
    cnonce_source make_cnonce_;
    std::optional<digest_challenge> challenge_;
    secret a1_;          ///< H(A1), fixed from one challenge to the next: RFC 7616 §3.4.2
    std::string cnonce_; ///< likewise
    std::uint32_t uses_ = 0;
    unsigned refusals_ = 0; ///< challenges since the last success that authorised requests got
    bool accepted_ = false; ///< there was a success since the last challenge
    bool sent_ = false;     ///< a request was authorised since the last challenge
};

} // namespace regsweep

#endif
