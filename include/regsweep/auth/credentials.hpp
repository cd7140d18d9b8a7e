#ifndef REGSWEEP_AUTH_CREDENTIALS_HPP
#define REGSWEEP_AUTH_CREDENTIALS_HPP

#include "regsweep/auth/secret.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// What the secret of `credentials` is, and so where it may be sent.
enum class credential_kind : std::uint8_t {
    none,           ///< anonymous
    basic,          ///< a user and a password: Basic, Digest, or the token endpoint
    identity_token, ///< an OAuth2 refresh token: only ever sent to the token endpoint, by POST
    registry_token, ///< a bearer token to be sent to the registry as it is
};

/// Who we are to one registry.
struct credentials
{
    credential_kind kind = credential_kind::none;
    std::string source; ///< for messages: where they come from, e.g. `--user` or `~/.docker/config.json, auths["x"]`
    std::string user;   ///< may be empty for tokens
    regsweep::secret secret;

    bool anonymous() const noexcept { return kind == credential_kind::none; }
};

/// `user 'alice' (from --user)`, `an identity token (from …)`, `no credentials`. Never the secret.
std::string describe(const credentials& who);

/// A 401 or 403 as far as its explanation needs it.
struct denial
{
    unsigned status = 401;           ///< 401 or 403
    std::string registry;            ///< name of the registry as the user wrote it
    std::string scheme;              ///< `basic`, `digest`, `bearer`; empty if the registry named none
    std::vector<std::string> scopes; ///< scopes of the token that was asked for or used, if any
    bool token_endpoint = false;     ///< it was the token endpoint that answered so
};

/// One or two sentences for a 401 or 403: which credentials were used, what scope was asked, what to do next.
/// Holds no secret and no control characters.
std::string describe(const denial& what, const credentials& who);

} // namespace regsweep

#endif
