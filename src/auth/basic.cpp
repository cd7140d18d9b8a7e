#include "regsweep/auth/basic.hpp"

#include "auth/text.hpp"

#include <algorithm>

namespace regsweep {

using namespace auth_text;

result<secret> basic_authorization(const credentials& who)
{
    if (who.kind != credential_kind::basic)
        return error(errc::bad_argument, "Basic authentication wants a user and a password, not " + describe(who));
    if (who.user.find(':') != std::string::npos)
        return error(errc::bad_argument, describe(who) + ": a user name with a colon cannot be sent with Basic "
                                                         "authentication (RFC 7617)");
    if (has_control(who.user) || has_control(who.secret.reveal()))
        return error(errc::bad_argument, describe(who) + ": the user or the password has control characters, perhaps a "
                                                         "line end from a file");
    std::string pair;
    pair.reserve(who.user.size() + 1 + who.secret.size());
    pair += who.user;
    pair += ':';
    pair += who.secret.reveal();
    std::string encoded = base64_encode(pair);
    wipe(pair);
    std::string value;
    value.reserve(6 + encoded.size());
    value += "Basic ";
    value += encoded;
    wipe(encoded);
    return secret(std::move(value));
}

result<secret> bearer_authorization(const secret& token)
{
    const std::string_view text = token.reveal();
    if (text.empty() || std::any_of(text.begin(), text.end(), [](char c) { return c <= 0x20 || c >= 0x7f; }))
        return error(errc::bad_argument, "the bearer token is empty or has characters that no header may have");
    std::string value;
    value.reserve(7 + text.size());
    value += "Bearer ";
    value += text;
    return secret(std::move(value));
}

} // namespace regsweep
