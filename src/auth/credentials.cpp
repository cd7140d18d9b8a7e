#include "regsweep/auth/credentials.hpp"

#include "regsweep/core/error.hpp"

#include <algorithm>

namespace regsweep {
namespace {

bool asks_catalog(const std::vector<std::string>& scopes)
{
    return std::any_of(scopes.begin(), scopes.end(), [](const std::string& s) { return s.starts_with("registry:"); });
}

bool asks_action(const std::vector<std::string>& scopes, std::string_view action)
{
    return std::any_of(scopes.begin(), scopes.end(), [&](const std::string& s) {
        const std::size_t colon = s.rfind(':');
        return colon != std::string::npos && s.find(action, colon) != std::string::npos;
    });
}

std::string asked(const std::vector<std::string>& scopes)
{
    if (scopes.empty())
        return {};
    std::string out = scopes.size() == 1 ? ", scope asked: " : ", scopes asked: ";
    for (std::size_t i = 0; i != scopes.size(); ++i) {
        if (i == 4) {
            out += " and " + std::to_string(scopes.size() - i) + " more";
            break;
        }
        if (i != 0)
            out += ' ';
        out += printable(scopes[i]);
    }
    return out;
}

std::string after_401(const denial& what, const credentials& who, const std::string& registry)
{
    switch (who.kind) {
    case credential_kind::none:
        return "give --user with --password-stdin or REGISTRY_PASSWORD, or run 'docker login " + registry + "'";
    case credential_kind::basic:
        if (what.scheme == "digest")
            return "check the user and the password";
        return "check the user and the password (a registry with two-factor login wants an access token as password)";
    case credential_kind::identity_token:
    case credential_kind::registry_token: return "it may have expired: run 'docker login " + registry + "' again";
    }
    return {};
}

std::string after_403(const denial& what, const credentials& who, const std::string& registry)
{
    if (asks_catalog(what.scopes))
        return "listing all repositories is for administrators here: name the repositories in a file and give it with "
               "--repos-from";
    if (who.anonymous())
        return after_401(what, who, registry);
    if (asks_action(what.scopes, "delete") || asks_action(what.scopes, "*"))
        return "the user needs the right to delete in this repository";
    if (asks_action(what.scopes, "push"))
        return "the user needs the right to push to this repository";
    return "the user needs the right to read this, or it does not exist";
}

} // namespace

std::string describe(const credentials& who)
{
    std::string out;
    switch (who.kind) {
    case credential_kind::none: return "no credentials";
    case credential_kind::basic: out = "user '" + printable(who.user) + "'"; break;
    case credential_kind::identity_token: out = "an identity token"; break;
    case credential_kind::registry_token: out = "a registry token"; break;
    }
    if (who.kind != credential_kind::basic && !who.user.empty())
        out += " of user '" + printable(who.user) + "'";
    if (!who.source.empty())
        out += " (from " + printable(who.source, 600) + ")";
    return out;
}

std::string describe(const denial& what, const credentials& who)
{
    const std::string registry = printable(what.registry);
    const std::string server = (what.token_endpoint ? "the token server of " : "") + registry;
    std::string out;
    if (what.status == 403)
        out = server + " does not allow this to " + (who.anonymous() ? "anonymous users" : describe(who));
    else if (who.anonymous())
        out = server + " asks for a login and no credentials were found";
    else
        out = server + " did not accept " + describe(who);
    out += asked(what.scopes);
    out += "; ";
    out += what.status == 403 ? after_403(what, who, registry) : after_401(what, who, registry);
    return out;
}

} // namespace regsweep
