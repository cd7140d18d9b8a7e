#include "regsweep/auth/token.hpp"

#include "auth/text.hpp"
#include "regsweep/auth/basic.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

namespace regsweep {
namespace {

using namespace auth_text;
namespace json = boost::json;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr std::size_t max_scope_text = 8 * 1024;

std::string repository_scope(std::string_view repository, std::string_view actions)
{
    std::string out = "repository:";
    out += repository;
    out += ':';
    out += actions;
    return out;
}

int rank(std::string_view action)
{
    if (action == "pull")
        return 0;
    if (action == "push")
        return 1;
    return action == "delete" ? 2 : 3;
}

bool action_less(std::string_view a, std::string_view b)
{
    return rank(a) != rank(b) ? rank(a) < rank(b) : a < b;
}

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(separator), text.size());
        if (end != 0)
            out.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

std::string join(const std::vector<std::string>& actions)
{
    std::string out;
    for (const std::string& a : actions)
        out += (out.empty() ? "" : ",") + a;
    return out;
}

void add_field(std::string& out, std::string_view name, std::string_view value)
{
    std::string encoded = percent_encode(value);
    if (out.capacity() < out.size() + name.size() + encoded.size() + 2) {
        // A growing string would leave copies of a secret behind.
        std::string larger;
        larger.reserve(2 * (out.size() + name.size() + encoded.size()) + 256);
        larger += out;
        wipe(out);
        out = std::move(larger);
    }
    if (!out.empty())
        out += '&';
    out += name;
    out += '=';
    out += encoded;
    wipe(encoded);
}

result<url_parts> check_realm(const std::string& realm, const origin& registry)
{
    const auto url = parse_url(realm);
    if (!url || !url->target.starts_with('/') || has_control(realm) || realm.find('#') != std::string::npos) {
        const bool show = realm.find('@') == std::string::npos;
        return error(errc::bad_address, "the registry names a token server whose address is not usable" +
                                            (show ? ": '" + printable(realm) + "'" : std::string()) +
                                            "; its realm setting must be an http(s) URL");
    }
    if (registry.tls && !url->server.tls)
        return error(errc::redirect_refused,
                     "the registry is reached by https but names a token server by plain http (" +
                         url->server.to_string() +
                         "); credentials are not sent there. Its realm setting must be https");
    return *url;
}

// The body of an OAuth2 request, for an identity token or a password.
secret form(const token_challenge& from, const credentials& who, const std::vector<std::string>& scopes)
{
    std::string joined;
    for (const std::string& s : scopes)
        joined += (joined.empty() ? "" : " ") + s;
    std::string out;
    const bool identity = who.kind == credential_kind::identity_token;
    add_field(out, "grant_type", identity ? "refresh_token" : "password");
    add_field(out, "service", from.service);
    add_field(out, "client_id", "regsweep");
    add_field(out, "access_type", "online");
    if (!joined.empty())
        add_field(out, "scope", joined);
    if (identity) {
        add_field(out, "refresh_token", who.secret.reveal());
    } else {
        add_field(out, "username", who.user);
        add_field(out, "password", who.secret.reveal());
    }
    return secret(std::move(out));
}

std::string query(const token_challenge& from, const std::vector<std::string>& scopes)
{
    std::string out;
    if (!from.service.empty())
        add_field(out, "service", from.service);
    for (const std::string& s : scopes)
        add_field(out, "scope", s);
    return out;
}

error bad_answer(const char* why)
{
    return {errc::bad_response, std::string("the token server's answer is not usable: ") + why};
}

const json::string* find_text(const json::object& object, std::string_view name)
{
    const json::value* v = object.if_contains(name);
    return v ? v->if_string() : nullptr;
}

// Seconds, or nothing if the member is missing, not positive or no number.
std::optional<double> find_life(const json::object& object)
{
    const json::value* v = object.if_contains("expires_in");
    if (!v)
        return std::nullopt;
    double out = 0;
    if (const auto* i = v->if_int64())
        out = static_cast<double>(*i);
    else if (const auto* u = v->if_uint64())
        out = static_cast<double>(*u);
    else if (const auto* d = v->if_double())
        out = *d;
    else if (const auto* s = v->if_string())
        std::from_chars(s->data(), s->data() + s->size(), out);
    if (!std::isfinite(out) || out < 1)
        return std::nullopt;
    return out;
}

seconds life_from(const json::object& object, const token_limits& limits)
{
    const auto given = find_life(object);
    if (!given)
        return std::max(limits.default_life, limits.minimum_life);
    const double capped = std::min(*given, static_cast<double>(limits.maximum_life.count()));
    return std::max(seconds(static_cast<seconds::rep>(capped)), limits.minimum_life);
}

// What is left of `life` at `received`.
seconds left(seconds life, const json::object& object, system_clock::time_point received, const token_limits& limits)
{
    const json::string* text = find_text(object, "issued_at");
    const auto issued = text ? parse_rfc3339(std::string_view(text->data(), text->size())) : std::nullopt;
    if (!issued || *issued >= received || *issued < received - limits.maximum_life)
        return life;
    const seconds rest = life - std::chrono::duration_cast<seconds>(received - *issued);
    // A token that has hardly any life left when it comes is one of a server with another clock.
    return rest < life / 10 ? life : rest;
}

// A number of exactly `width` digits at the front of `text`; takes it.
std::optional<int> take_number(std::string_view& text, std::size_t width)
{
    if (text.size() < width)
        return std::nullopt;
    int out = 0;
    for (const char c : text.substr(0, width)) {
        if (c < '0' || c > '9')
            return std::nullopt;
        out = out * 10 + (c - '0');
    }
    text.remove_prefix(width);
    return out;
}

bool take(std::string_view& text, char wanted, char other = '\0')
{
    if (text.empty() || (text.front() != wanted && (other == '\0' || text.front() != other)))
        return false;
    text.remove_prefix(1);
    return true;
}

// `Z` or `+hh:mm`, as minutes; the end of the text.
std::optional<std::chrono::minutes> take_offset(std::string_view text)
{
    if (text == "Z" || text == "z")
        return std::chrono::minutes(0);
    const bool negative = text.starts_with('-');
    if (!take(text, '+', '-'))
        return std::nullopt;
    const auto hours = take_number(text, 2);
    if (!hours || !take(text, ':'))
        return std::nullopt;
    const auto minutes = take_number(text, 2);
    if (!minutes || !text.empty() || *hours > 23 || *minutes > 59)
        return std::nullopt;
    const std::chrono::minutes out(*hours * 60 + *minutes);
    return negative ? -out : out;
}

} // namespace

std::string scope_catalog()
{
    return "registry:catalog:*";
}

std::string scope_pull(std::string_view repository)
{
    return repository_scope(repository, "pull");
}

std::string scope_delete(std::string_view repository)
{
    return repository_scope(repository, "pull,delete");
}

std::string scope_push(std::string_view repository, bool with_delete)
{
    return repository_scope(repository, with_delete ? "pull,push,delete" : "pull,push");
}

std::vector<std::string> merge_scopes(const std::vector<std::string>& scopes)
{
    // The resource's name may hold colons (a port): its type ends at the first one, its actions begin at the last.
    std::map<std::string, std::vector<std::string>> resources;
    std::vector<std::string> out;
    for (const std::string& scope : scopes) {
        const std::size_t last = scope.rfind(':');
        if (last == std::string::npos || scope.find(':') == last) {
            if (!scope.empty())
                out.push_back(scope);
            continue;
        }
        auto& actions = resources[scope.substr(0, last)];
        for (std::string& action : split(std::string_view(scope).substr(last + 1), ','))
            actions.push_back(std::move(action));
    }
    for (auto& [resource, actions] : resources) {
        std::sort(actions.begin(), actions.end(), action_less);
        actions.erase(std::unique(actions.begin(), actions.end()), actions.end());
        out.push_back(resource + ":" + join(actions));
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

result<token_challenge> token_challenge::from(const challenge& c)
{
    if (c.scheme != "bearer")
        return regsweep::error(errc::unauthorized, "the registry does not use tokens");
    const auto realm = c.find("realm");
    if (!realm || realm->empty())
        return regsweep::error(errc::unauthorized,
                               "the registry wants a token but does not say where to get it: its WWW-Authenticate "
                               "header has no realm");
    token_challenge out;
    out.realm = *realm;
    out.service = std::string(c.find("service").value_or(""));
    out.error = std::string(c.find("error").value_or(""));
    if (const auto scope = c.find("scope"); scope && scope->size() <= max_scope_text)
        out.scopes = merge_scopes(split(*scope, ' '));
    return out;
}

result<token_request> make_token_request(const token_challenge& from, const credentials& who,
                                         const std::vector<std::string>& scopes, const origin& registry,
                                         token_grant grant)
{
    if (who.kind == credential_kind::registry_token)
        return error(errc::bad_argument, describe(who) + ": a registry token goes to the registry as it is");
    const auto url = check_realm(from.realm, registry);
    if (!url)
        return url.error();
    std::vector<std::string> all = from.scopes;
    all.insert(all.end(), scopes.begin(), scopes.end());
    all = merge_scopes(all);

    token_request out;
    out.server = url->server;
    out.target = url->target;
    const bool post = who.kind == credential_kind::identity_token ||
                      (who.kind == credential_kind::basic && grant == token_grant::password_post);
    if (post) {
        out.method = "POST";
        out.content_type = "application/x-www-form-urlencoded";
        out.body = form(from, who, all);
    } else {
        out.method = "GET";
        const std::string fields = query(from, all);
        if (!fields.empty()) {
            const bool more = out.target.find('?') != std::string::npos;
            out.target += (!more ? "?" : out.target.ends_with('?') || out.target.ends_with('&') ? "" : "&") + fields;
        }
        if (who.kind == credential_kind::basic) {
            auto basic = basic_authorization(who);
            if (!basic)
                return basic.error();
            out.authorization = *std::move(basic);
        }
    }
    out.url = out.server.to_string() + out.target;
    return out;
}

std::optional<system_clock::time_point> parse_rfc3339(std::string_view text)
{
    const auto year = take_number(text, 4);
    if (!year || !take(text, '-'))
        return std::nullopt;
    const auto month = take_number(text, 2);
    if (!month || !take(text, '-'))
        return std::nullopt;
    const auto day = take_number(text, 2);
    if (!day || !take(text, 'T', 't'))
        return std::nullopt;
    const auto hour = take_number(text, 2);
    if (!hour || !take(text, ':'))
        return std::nullopt;
    const auto minute = take_number(text, 2);
    if (!minute || !take(text, ':'))
        return std::nullopt;
    const auto second = take_number(text, 2);
    if (!second || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    if (take(text, '.')) {
        const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
        if (digits == 0)
            return std::nullopt;
        text.remove_prefix(digits);
    }
    const auto offset = take_offset(text);
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    // Outside these years a 64-bit count of nanoseconds overflows.
    if (!offset || !date.ok() || *year < 1700 || *year > 2200)
        return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + seconds(*second) -
           *offset;
}

result<token_answer> parse_token_answer(std::string_view body, system_clock::time_point received,
                                        const token_limits& limits)
{
    if (body.size() > limits.max_body)
        return error(errc::too_large,
                     "the token server's answer is over its limit of " + std::to_string(limits.max_body) + " bytes");
    json::error_code failed;
    const json::value parsed = json::parse(json::string_view(body.data(), body.size()), failed);
    if (failed)
        return bad_answer("it is no JSON");
    const json::object* object = parsed.if_object();
    if (!object)
        return bad_answer("it is no JSON object");
    const json::string* text = find_text(*object, "token");
    if (!text || text->empty())
        text = find_text(*object, "access_token");
    if (!text || text->empty())
        return bad_answer("it has neither 'token' nor 'access_token'");
    if (text->size() > limits.max_token)
        return error(errc::too_large,
                     "the token server's token is over its limit of " + std::to_string(limits.max_token) + " bytes");
    token_answer out;
    out.token = secret(std::string_view(text->data(), text->size()));
    if (!bearer_authorization(out.token))
        return bad_answer("its token has characters that no header may have");
    out.life = left(life_from(*object, limits), *object, received, limits);
    return out;
}

} // namespace regsweep
