#ifndef REGSWEEP_AUTH_AUTHENTICATOR_HPP
#define REGSWEEP_AUTH_AUTHENTICATOR_HPP

#include "regsweep/auth/credentials.hpp"
#include "regsweep/core/address.hpp"
#include "regsweep/http/client.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace regsweep {

/// What a request wants to do, and so which rights its token needs.
struct access
{
    enum class kind : std::uint8_t { ping, catalog, pull, remove, push };
    kind what = kind::ping;
    std::string_view repository; ///< for `pull`, `remove` and `push`
};

/// The bearer tokens of one registry, shared by the authenticators of all threads. Thread-safe.
class token_store;
std::shared_ptr<token_store> make_token_store();

struct authenticator_options
{
    credentials who;
    bool digest = false;                 ///< wait for a Digest challenge instead of sending Basic at once
    std::shared_ptr<token_store> tokens; ///< made if null
};

/// Sends requests to a registry with the credentials it asks for: Basic, Digest or a bearer token, learnt from its
/// challenges. Belongs to the thread of its HTTP client.
class authenticator
{
public:
    /// `connection` must outlive it. Throws `failure` for credentials that cannot be sent.
    authenticator(http::client& connection, const registry_address& registry, authenticator_options options);
    ~authenticator();

    /// Sends `rq` with what `rights` needs and fills `rs`. Answers 401 once by what the registry asks for; the
    /// 401 that is left then is for the caller to tell, see `explain`. Sets `rq.authorization` for its own time only.
    /// Fails as `http::client::send`, and where a token cannot be had (`errc::unauthorized`, `errc::redirect_refused`).
    http::awaitable<result<void>> send(http::request& rq, http::response& rs, access rights);

    /// The value of `Authorization` for requests of these rights, empty for none, if they can be sent this moment
    /// without asking anybody first; `http::client::send_together` may be used then. Valid until a request is sent.
    std::optional<std::string_view> standing(access rights) const;

    /// What to say of a 401 or 403: whose credentials were used, what was asked for, what to do. Never a secret.
    std::string explain(unsigned status, access rights) const;

    /// Where `send` sends to.
    http::client::endpoint& endpoint() noexcept;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
