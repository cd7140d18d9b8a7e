#include "common/fake_auth.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace regsweep::test {

namespace {

std::string base64(const std::string& text)
{
    std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::string opaque_token()
{
    static constexpr char digits[] = "0123456789abcdef";
    std::array<unsigned char, 24> raw{};
    RAND_bytes(raw.data(), static_cast<int>(raw.size()));
    std::string out;
    for (const auto byte : raw) {
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

/// The value after `Scheme `; empty if the header has another scheme.
std::string_view credentials(const fake_request& request, std::string_view scheme)
{
    const auto value = request.header("Authorization");
    if (value.size() <= scheme.size() || !equal_no_case(value.substr(0, scheme.size()), scheme) ||
        value[scheme.size()] != ' ')
        return {};
    return value.substr(scheme.size() + 1);
}

std::vector<std::string> split(const std::string& text, char at)
{
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= text.size();) {
        const auto to = std::min(text.find(at, from), text.size());
        if (to != from)
            parts.push_back(text.substr(from, to - from));
        from = to + 1;
    }
    return parts;
}

/// `repository:a/b:pull,push` as one scope an action. The name may hold colons (host:port), the actions cannot.
std::vector<std::string> single_actions(const std::string& scope)
{
    std::vector<std::string> all;
    const auto colon = scope.rfind(':');
    if (colon == std::string::npos)
        return all;
    for (const auto& action : split(scope.substr(colon + 1), ','))
        all.push_back(scope.substr(0, colon + 1) + action);
    return all;
}

std::string action_of(const std::string& single_scope)
{
    return single_scope.substr(single_scope.rfind(':') + 1);
}

std::string now_text()
{
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

fake_reply unauthorized(std::string challenge)
{
    auto reply = registry_error(401, "UNAUTHORIZED", "authentication required");
    reply.set("WWW-Authenticate", std::move(challenge));
    return reply;
}

} // namespace

std::string scope_of(const fake_request& request)
{
    const auto path = request.path;
    if (path == "/v2/_catalog")
        return "registry:catalog:*";
    auto end = std::string_view::npos;
    for (const std::string_view mark : {"/manifests/", "/blobs/", "/tags/list", "/referrers/"})
        if (end == std::string_view::npos)
            end = path.rfind(mark);
    constexpr std::size_t name_at = 4; // after `/v2/`
    if (end == std::string_view::npos || end <= name_at)
        return {};
    const auto prefix = "repository:" + std::string(path.substr(name_at, end - name_at)) + ":";
    if (request.method == "DELETE")
        return prefix + "delete";
    return prefix + (request.method == "GET" || request.method == "HEAD" ? "pull" : "pull,push");
}

bool fake_auth::password_is_right(const fake_request& request) const
{
    return credentials(request, "Basic") == base64(options_.user + ":" + options_.password);
}

std::optional<fake_reply> fake_auth::refuse(const fake_request& request, const std::string& base) const
{
    switch (options_.kind) {
    case fake_auth_kind::none: return std::nullopt;
    case fake_auth_kind::basic: return refuse_basic(request);
    case fake_auth_kind::bearer: return refuse_bearer(request, base);
    }
    return std::nullopt;
}

std::optional<fake_reply> fake_auth::refuse_basic(const fake_request& request) const
{
    if (password_is_right(request))
        return std::nullopt;
    return unauthorized("Basic realm=\"" + options_.basic_realm + "\"");
}

std::optional<fake_reply> fake_auth::refuse_bearer(const fake_request& request, const std::string& base) const
{
    const auto scope = scope_of(request);
    const auto token = credentials(request, "Bearer");
    std::string error;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = grants_.find(token);
        if (found == grants_.end() || found->second.until <= clock::now()) {
            error = token.empty() ? "" : "invalid_token";
        } else {
            const auto needed = single_actions(scope);
            const auto& given = found->second.scopes;
            if (std::all_of(needed.begin(), needed.end(), [&](const auto& s) { return given.contains(s); }))
                return std::nullopt;
            error = "insufficient_scope";
        }
    }
    auto challenge = "Bearer realm=\"" + (options_.realm.empty() ? base + "/token" : options_.realm) + "\"";
    if (!options_.service.empty())
        challenge += ",service=\"" + options_.service + "\"";
    if (options_.scope_in_challenge && !scope.empty())
        challenge += ",scope=\"" + scope + "\"";
    if (!error.empty())
        challenge += ",error=\"" + error + "\"";
    return unauthorized(std::move(challenge));
}

fake_reply fake_auth::token(const fake_request& request)
{
    const bool post = request.method == "POST";
    if (post && !options_.oauth2)
        return registry_error(404, "NOT_FOUND", "this token service takes only GET");
    const auto fields = form_fields(post ? request.body : request.query);
    std::vector<std::string> scopes;
    for (const auto& [name, value] : fields)
        if (name == "scope")
            for (auto& one : split(value, ' '))
                scopes.push_back(std::move(one));
    const auto field = [&](std::string_view name) { return find_field(fields, name).value_or(""); };
    if (!post) {
        const bool known = password_is_right(request);
        const bool anonymous = !known && request.header("Authorization").empty() && options_.anonymous_pull;
        if (!known && !anonymous)
            return unauthorized("Basic realm=\"token service\"");
        return issue(scopes, anonymous, field("offline_token") == "true");
    }
    const auto grant_type = field("grant_type");
    const bool refreshed = grant_type == "refresh_token" && field("refresh_token") == options_.refresh_token;
    const bool logged_in =
        grant_type == "password" && field("username") == options_.user && field("password") == options_.password;
    if (!refreshed && !logged_in)
        return registry_error(401, "UNAUTHORIZED", "invalid grant");
    return issue(scopes, false, refreshed || field("access_type") == "offline");
}

fake_reply fake_auth::issue(const std::vector<std::string>& scopes, bool anonymous, bool with_refresh)
{
    grant made;
    made.until = clock::now() + options_.lifetime;
    for (const auto& scope : scopes)
        for (auto& single : single_actions(scope))
            if (options_.actions.contains(action_of(single)) && (!anonymous || action_of(single) == "pull"))
                made.scopes.insert(std::move(single));
    const auto text = opaque_token();
    {
        const std::scoped_lock lock(mutex_);
        grants_[text] = std::move(made);
        ++issued_;
    }
    std::string members;
    const auto add = [&](std::string_view name, const std::string& value) {
        members += (members.empty() ? "" : ",") + json_quoted(name) + ":" + value;
    };
    if (options_.token_field == "both") {
        add("token", json_quoted(text));
        add("access_token", json_quoted(text));
    } else {
        add(options_.token_field, json_quoted(text));
    }
    if (options_.expires_in)
        add("expires_in", std::to_string(*options_.expires_in));
    if (options_.issued_at)
        add("issued_at", json_quoted(now_text()));
    if (with_refresh)
        add("refresh_token", json_quoted(options_.refresh_token));
    fake_reply reply;
    reply.set("Content-Type", "application/json");
    reply.body = "{" + members + "}";
    return reply;
}

std::size_t fake_auth::tokens_issued() const
{
    const std::scoped_lock lock(mutex_);
    return issued_;
}

void fake_auth::revoke_all()
{
    const std::scoped_lock lock(mutex_);
    grants_.clear();
}

} // namespace regsweep::test
