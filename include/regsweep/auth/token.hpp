#ifndef REGSWEEP_AUTH_TOKEN_HPP
#define REGSWEEP_AUTH_TOKEN_HPP

#include "regsweep/auth/challenge.hpp"
#include "regsweep/auth/credentials.hpp"
#include "regsweep/core/address.hpp"
#include "regsweep/core/error.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

// Bearer tokens as registries use them. Sources: the distribution project's "Token Authentication Specification",
// "Token Scope Documentation" and "OAuth2 Token Authentication".

/// `registry:catalog:*`
std::string scope_catalog();
/// `repository:NAME:pull`
std::string scope_pull(std::string_view repository);
/// `repository:NAME:pull,delete`
std::string scope_delete(std::string_view repository);
/// `repository:NAME:pull,push`, or with `delete` too
std::string scope_push(std::string_view repository, bool with_delete = false);

/// One canonical list from several: sorted, each resource once with all its actions (pull, push, delete, then others).
/// Equal sets of rights give equal lists. Text that is no scope is kept as it is.
std::vector<std::string> merge_scopes(const std::vector<std::string>& scopes);

/// A Bearer challenge, understood.
struct token_challenge
{
    std::string realm;               ///< absolute URL of the token endpoint, not checked yet
    std::string service;             ///< may be empty
    std::vector<std::string> scopes; ///< canonical; empty if the registry named none
    std::string error;               ///< `invalid_token`, `insufficient_scope`, or empty

    /// Fails with `errc::unauthorized` if it is no Bearer challenge or names no realm.
    static result<token_challenge> from(const challenge& c);
};

/// How a user and a password are given to the token endpoint.
enum class token_grant : unsigned char {
    basic_get,    ///< GET with Basic, the registry specification's way
    password_post ///< POST of an OAuth2 password grant, for endpoints that offer nothing else
};

/// A request to a token endpoint, ready to be sent.
struct token_request
{
    std::string method;       ///< `GET` or `POST`
    std::string url;          ///< absolute, with the query; holds no secret
    origin server;            ///< the URL's first part
    std::string target;       ///< the URL's path and query
    secret authorization;     ///< value of `Authorization`; empty: send none
    std::string content_type; ///< of the body; empty with GET
    secret body;              ///< empty with GET
};

/// Builds the request for a token with these scopes (merged with the challenge's own).
/// - Nothing but what the protocol gives goes to the realm's host: the user and the password as Basic or in the form,
///   or the identity token in the form. Registry tokens never go there.
/// - Fails with `errc::redirect_refused` for a realm over plain http when the registry is https, `errc::bad_address`
/// for
///   a realm that is no http(s) URL with a host, `errc::bad_argument` for credentials that cannot be sent.
result<token_request> make_token_request(const token_challenge& from, const credentials& who,
                                         const std::vector<std::string>& scopes, const origin& registry,
                                         token_grant grant = token_grant::basic_get);

/// Bounds on a token endpoint's answer.
struct token_limits
{
    std::size_t max_body = 1024 * 1024;    ///< bytes of JSON
    std::size_t max_token = 64 * 1024;     ///< bytes of the token; it has to fit into a request's header
    std::chrono::seconds default_life{60}; ///< where `expires_in` is missing, as the specification says
    /// Tokens are never taken to live shorter: the specification tells servers not to hand such tokens out, and
    /// servers that do reckon with clients that assume this. A 401 puts a wrong guess right.
    std::chrono::seconds minimum_life{60};
    std::chrono::seconds maximum_life{30 * 24 * 3600};
};

/// What a token endpoint answered.
struct token_answer
{
    secret token;
    std::chrono::seconds life{60}; ///< how long it is good from the moment of receipt
};

/// Reads `{"token" or "access_token", "expires_in", "issued_at"}`. `received` is when the answer came: an `issued_at`
/// in its future, or so old that hardly a tenth of its life would be left, shows that the clocks differ and is not
/// believed. Fails with `errc::too_large` or `errc::bad_response`; the error holds nothing of the body.
result<token_answer> parse_token_answer(std::string_view body, std::chrono::system_clock::time_point received,
                                        const token_limits& limits = {});

/// RFC 3339 to a time; nothing if it is malformed.
std::optional<std::chrono::system_clock::time_point> parse_rfc3339(std::string_view text);

} // namespace regsweep

#endif
