#ifndef REGSWEEP_TESTS_COMMON_TOKEN_SERVER_HPP
#define REGSWEEP_TESTS_COMMON_TOKEN_SERVER_HPP

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace regsweep::test {

struct token_server_options
{
    std::map<std::string, std::string> users; ///< user and password; without credentials, tokens are for nobody
    std::string identity_token{};             ///< accepted by POST, as an OAuth2 refresh token; empty: none
    /// How long docker-registry really accepts a token: it grants 60 seconds more than the token says, which are taken
    /// off here. Whole seconds, since tokens count in them; the real life is up to one more.
    std::chrono::seconds life{60};
    bool anonymous_pull = false; ///< without credentials, tokens that can pull
    std::vector<std::string> refused_actions{};
};

/// A token that was handed out.
struct issued_token
{
    std::string method; ///< of the request for it
    std::string user;   ///< empty: anonymous
    std::vector<std::string> scopes;
};

/// A token server for docker-registry, which signs real tokens (JWT, RS256, with its certificate in `x5c`), on a free
/// port of 127.0.0.1. Runs on a thread of its own from the constructor on. Any thread may call it.
class token_server
{
public:
    explicit token_server(token_server_options options);
    ~token_server();
    token_server(const token_server&) = delete;
    token_server& operator=(const token_server&) = delete;

    /// `http://127.0.0.1:port/token`
    std::string realm() const;
    /// For `real_registry_options::auth`.
    std::string registry_auth() const;
    std::vector<issued_token> issued() const;
    /// Requests refused with 401.
    std::size_t refused() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace regsweep::test

#endif
