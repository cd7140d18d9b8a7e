// WWW-Authenticate headers, one a line, and all that is built from them.

#include "fuzz/fuzz.hpp"
#include "regsweep/auth/challenge.hpp"
#include "regsweep/auth/digest_auth.hpp"
#include "regsweep/auth/token.hpp"

#include <string>

using namespace regsweep;
using fuzz::require;

namespace {

constexpr std::string_view password = "hunter2 of the fuzzer";

credentials someone(credential_kind kind)
{
    credentials out;
    out.kind = kind;
    out.source = "--user";
    out.user = "alice";
    out.secret = secret(password);
    return out;
}

std::string write(const challenge& c)
{
    std::string out = c.scheme;
    if (!c.token68.empty())
        out += " " + c.token68;
    const char* before = " ";
    for (const auto& [name, value] : c.parameters) {
        out += before + name + "=" + quote(value);
        before = ", ";
    }
    return out;
}

void check_list(const challenge_list& list)
{
    const challenge_limits limits;
    require(list.challenges.size() <= limits.max_challenges);
    for (const challenge& c : list.challenges) {
        require(!c.scheme.empty());
        require(c.token68.empty() || c.parameters.empty());
        require(c.parameters.size() <= limits.max_parameters);
        const challenge_list again = parse_challenges(write(c), {1 << 20, 1, 32});
        require(again.malformed == 0 && again.challenges.size() == 1);
        require(again.challenges[0].scheme == c.scheme && again.challenges[0].token68 == c.token68);
        require(again.challenges[0].parameters == c.parameters);
    }
}

void check_digest(const challenge_list& list)
{
    digest_session session(someone(credential_kind::basic), [] { return std::string("cnonce"); });
    if (!session.on_challenge(list.challenges))
        return;
    const secret header = session.authorization("GET", "/v2/").value();
    const challenge_list sent = parse_challenges(header.reveal(), {1 << 20, 16, 32});
    require(sent.malformed == 0 && sent.challenges.size() == 1);
    require(header.reveal().find(password) == std::string_view::npos);
    session.on_success(list.challenges.front().find("realm").value_or(""));
}

void check_token(const challenge& c, bool tls)
{
    const auto from = token_challenge::from(c);
    if (!from)
        return;
    for (const auto kind : {credential_kind::none, credential_kind::basic, credential_kind::identity_token}) {
        const auto request = make_token_request(*from, someone(kind), {scope_pull("a/b")}, {tls, "reg.example", 443});
        if (!request) {
            require(!fuzz::has_control(request.error().message()));
            continue;
        }
        require(!tls || request->server.tls);
        require(!request->server.host.empty());
        require(request->target.starts_with('/') && !fuzz::has_control(request->target));
        require(request->url == request->server.to_string() + request->target);
        require(request->url.find("hunter2%20of%20the%20fuzzer") == std::string::npos);
        require(request->authorization.empty() == (kind != credential_kind::basic));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (fuzz::text(data, size).find("hunter2") != std::string_view::npos)
        return 0; // found in the program's comparisons; the server may of course write what it likes
    const auto values = fuzz::split(fuzz::text(data, size), '\n');
    const challenge_list list = parse_challenges(values);
    check_list(list);
    check_digest(list);
    for (const challenge& c : list.challenges)
        for (const bool tls : {true, false})
            check_token(c, tls);
    parse_auth_parameters(values[0]);
    return 0;
}
