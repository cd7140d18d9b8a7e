#ifndef REGSWEEP_TESTS_COMMON_FAKE_AUTH_HPP
#define REGSWEEP_TESTS_COMMON_FAKE_AUTH_HPP

#include "common/fake_http.hpp"

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace regsweep::test {

enum class fake_auth_kind { none, basic, bearer };

struct fake_auth_options
{
    fake_auth_kind kind = fake_auth_kind::none;
    std::string user = "user";
    std::string password = "password";
    std::string basic_realm = "fake registry";

    // Bearer: the challenge.
    std::string realm; ///< URL of the token service; empty: `/token` of this server
    std::string service = "fake-registry";
    bool scope_in_challenge = true;

    // Bearer: the token service at `/token` (GET) and (POST, as in OAuth 2).
    bool anonymous_pull = false;               ///< without credentials, tokens that can only pull are issued
    bool oauth2 = true;                        ///< false: POST is answered with 404, as by older services
    std::string refresh_token = "refresh";     ///< accepted, and handed out if asked for
    std::string token_field = "token";         ///< or `access_token`; `both` writes the two
    std::chrono::milliseconds lifetime{60000}; ///< how long the tokens really live
    std::optional<long> expires_in;            ///< seconds, as told to the client; absent if not set
    bool issued_at = false;
    std::set<std::string> actions = {"pull", "push", "delete", "*"}; ///< others are left out of the tokens
};

/// Checks credentials, and issues and checks bearer tokens.
/// Source: CNCF distribution, "Token Authentication Specification". Thread-safe.
class fake_auth
{
public:
    explicit fake_auth(fake_auth_options options) : options_(std::move(options)) {}

    bool active() const noexcept { return options_.kind != fake_auth_kind::none; }

    /// The 401 that refuses a request to the API; empty if it is allowed. `base` is this server's URL.
    std::optional<fake_reply> refuse(const fake_request& request, const std::string& base) const;

    /// The token service's answer.
    fake_reply token(const fake_request& request);

    std::size_t tokens_issued() const;
    /// Makes all tokens invalid at once, as a change of the service's key does.
    void revoke_all();

private:
    using clock = std::chrono::steady_clock;
    struct grant
    {
        clock::time_point until;
        std::set<std::string> scopes; // `type:name:action`, one action each
    };

    bool password_is_right(const fake_request& request) const;
    std::optional<fake_reply> refuse_basic(const fake_request& request) const;
    std::optional<fake_reply> refuse_bearer(const fake_request& request, const std::string& base) const;
    fake_reply issue(const std::vector<std::string>& scopes, bool anonymous, bool with_refresh);

    fake_auth_options options_;
    mutable std::mutex mutex_;
    std::map<std::string, grant, std::less<>> grants_;
    std::size_t issued_ = 0;
};

/// The scope a request needs, e.g. `repository:a/b:pull`; empty if any valid token will do.
std::string scope_of(const fake_request& request);

} // namespace regsweep::test

#endif
