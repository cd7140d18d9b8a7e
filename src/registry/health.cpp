#include "regsweep/registry/health.hpp"

#include "regsweep/auth/challenge.hpp"
#include "regsweep/core/digest.hpp"
#include "regsweep/core/timestamp.hpp"
#include "regsweep/http/retry.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace regsweep {
namespace {

constexpr std::int64_t day = 24 * 60 * 60;
constexpr std::int64_t few_days = 14;
constexpr std::int64_t bearable_seconds = 60; // tokens are good for as long at least

std::string count(std::size_t number, std::string_view what)
{
    return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

std::string http_status(unsigned status)
{
    return "HTTP " + std::to_string(status);
}

bool loopback(const std::string& host)
{
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool page_of_html(const http::response& answer)
{
    return answer.header("content-type").starts_with("text/html");
}

std::string milliseconds(std::chrono::microseconds took)
{
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(took).count();
    return std::to_string(whole) + " ms";
}

// `basic`, or for tokens where they come from.
std::string kinds_of_login(const challenge_list& asked)
{
    std::string out;
    for (const auto& c : asked.challenges) {
        out += (out.empty() ? "" : " or ") + printable(c.scheme, 40);
        if (const auto realm = c.find("realm"); realm && c.scheme == "bearer")
            out += " (tokens of " + printable(*realm, 200) + ")";
    }
    return out;
}

// `100;w=21600` is 100 in six hours.
std::optional<std::uint64_t> leading_number(std::string_view text)
{
    std::uint64_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    return ec == std::errc() ? std::optional(number) : std::nullopt;
}

} // namespace

std::string_view to_string(condition v) noexcept
{
    switch (v) {
    case condition::ok: return "ok";
    case condition::warning: return "warning";
    case condition::problem: return "problem";
    case condition::not_checked: break;
    }
    return "not checked";
}

finding judge_failure(std::string check, const error& why)
{
    return {std::move(check), condition::problem, why.message(), {}};
}

finding judge_address(const registry_address& address, std::string_view source)
{
    finding out{"address", condition::ok, address.canonical() + ", from " + std::string(source), {}};
    if (!address.server.tls && !loopback(address.server.host)) {
        out.how = condition::warning;
        out.found += ": without TLS everyone on the way can read passwords and change what is sent";
        out.advice = "write https:// if the registry has it";
    }
    return out;
}

finding judge_proxy(const std::optional<http::proxy>& used)
{
    if (!used)
        return {"proxy", condition::ok, "none", {}};
    return {"proxy",
            condition::ok,
            used->server.to_string() + (used->authorization.empty() ? "" : ", with a login") +
                "; no_proxy names hosts that need none",
            {}};
}

finding judge_name(const std::string& host, const http::probe_report& seen)
{
    if (seen.unresolved)
        return {"name", condition::problem, seen.unresolved->detail,
                "check how the name is written, the network, and the DNS servers in /etc/resolv.conf"};
    std::string all;
    for (const auto& one : seen.addresses)
        all += (all.empty() ? "" : ", ") + one.address;
    return {"name", condition::ok, host + " is " + all, {}};
}

finding judge_connection(const http::probe_report& seen)
{
    std::string reached;
    std::string failed;
    for (const auto& one : seen.addresses) {
        if (one.failure.empty())
            reached += (reached.empty() ? "" : ", ") + one.address + " answers in " + milliseconds(one.took);
        else
            failed += (failed.empty() ? "" : ", ") + one.address + ": " + one.failure;
    }
    if (failed.empty())
        return {"connection", condition::ok, reached, {}};
    if (reached.empty())
        return {"connection", condition::problem, failed,
                "check the port, whether the registry is up, and the firewalls and proxies on the way"};
    return {"connection", condition::warning, reached + "; " + failed,
            "connections try the addresses in turn: make all of them answer, or take those that do not out of the DNS"};
}

finding judge_tls(const origin& server, const http::probe_report& seen, bool verify, std::int64_t now)
{
    if (!server.tls)
        return {"TLS", condition::not_checked, "the address is http://", {}};
    std::string facts;
    if (seen.tls)
        facts = seen.tls->version + ", certificate of " + seen.tls->subject + ", signed by " + seen.tls->issuer +
                ", until " + to_string(timestamp{seen.tls->not_after, 0});
    if (seen.tls_failure)
        return {"TLS", condition::problem, seen.tls_failure->detail + (facts.empty() ? "" : " (" + facts + ")"), {}};
    const std::int64_t left = seen.tls->not_after - now;
    facts += left < 0 ? ", expired" : ", " + count(static_cast<std::size_t>(left / day), "day") + " left";
    if (!verify)
        return {"TLS", condition::warning, facts + "; not verified",
                "leave --insecure out and name the certificate's authority with --verify FILE"};
    if (left < few_days * day)
        return {"TLS", condition::warning, facts, "renew the certificate"};
    return {"TLS", condition::ok, facts, {}};
}

finding judge_api(const registry_address& address, const http::response& answer)
{
    const std::string where = address.canonical() + "/v2/";
    const std::string status = http_status(answer.status);
    if (answer.status == 400 && !address.server.tls)
        return {"API", condition::problem,
                where + ": " + status + " (" +
                    printable(answer.body.substr(0, answer.body.find_first_of("\r\n")), 100) + ")",
                "this may be a TLS port: write https://"};
    if ((answer.status != 200 && answer.status != 401) || (answer.status == 200 && page_of_html(answer)))
        return {"API", condition::problem,
                where + ": " + status + (page_of_html(answer) ? ", a page for people" : "") + ", no registry API here",
                "check host, port and path; some products need a path, as in host/artifactory/api/docker/NAME"};
    const auto version = answer.header("docker-distribution-api-version");
    if (version.empty())
        return {"API", condition::ok, status + ", without a version header (not all registries send it)", {}};
    if (version.find("registry/2.") == std::string_view::npos)
        return {"API", condition::warning, status + ", version " + printable(version, 60), "registry/2.0 is expected"};
    return {"API", condition::ok, status + ", version " + printable(version, 60), {}};
}

finding judge_login(const http::response& asked, const http::response& answer, const credentials& who,
                    std::string_view explanation)
{
    std::string kinds = "none is asked for";
    if (asked.status == 401) {
        kinds = kinds_of_login(parse_challenges(asked.headers("www-authenticate")));
        if (kinds.empty())
            return {"login", condition::problem, "HTTP 401 without a WWW-Authenticate header that can be understood",
                    "a proxy in front of the registry may ask for a login of its own, or take the header out"};
    }
    if (answer.status == 200)
        return {"login", condition::ok, kinds + "; in with " + describe(who), {}};
    if (answer.status == 401 || answer.status == 403)
        return {"login", condition::problem, kinds + "; " + std::string(explanation), {}};
    return {"login", condition::problem, kinds + "; with " + describe(who) + ": " + http_status(answer.status),
            "look into the registry's log"};
}

finding judge_clock(std::string_view date, std::chrono::system_clock::time_point now)
{
    // A delay from 1970 on is a time.
    const auto when = date.find(' ') == std::string_view::npos
                          ? std::nullopt
                          : http::parse_retry_after(date, std::chrono::system_clock::time_point());
    if (!when)
        return {"clock", condition::not_checked, "the answers have no Date header", {}};
    const auto apart = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) -
                       std::chrono::duration_cast<std::chrono::seconds>(*when);
    const std::int64_t seconds = apart.count();
    const std::string difference = count(static_cast<std::size_t>(std::abs(seconds)), "second");
    if (std::abs(seconds) <= bearable_seconds)
        return {"clock", condition::ok, "the registry's and this machine's agree (" + difference + " apart)", {}};
    return {"clock", condition::warning,
            "this machine's is " + difference + (seconds > 0 ? " ahead of" : " behind") + " the registry's",
            "set both by NTP: tokens and certificates are good for a time only"};
}

finding judge_limits(const http::response& answer)
{
    static constexpr std::array<std::array<std::string_view, 2>, 3> names = {{
        {"ratelimit-limit", "ratelimit-remaining"},
        {"x-ratelimit-limit", "x-ratelimit-remaining"},
        {"x-rate-limit-limit", "x-rate-limit-remaining"},
    }};
    for (const auto& [limit, remaining] : names) {
        if (!answer.has_header(limit) && !answer.has_header(remaining))
            continue;
        const std::string found =
            "limit " + printable(answer.header(limit), 60) + ", left " + printable(answer.header(remaining), 60);
        const auto most = leading_number(answer.header(limit));
        const auto left = leading_number(answer.header(remaining));
        if (left && (*left == 0 || (most && *left < *most / 10)))
            return {"limits", condition::warning, found, "wait, log in, or ask for less at a time with --rate R"};
        return {"limits", condition::ok, found, {}};
    }
    return {"limits", condition::ok, "none told", {}};
}

finding judge_list(std::string check, const list_facts& seen, std::string_view of)
{
    std::string found = count(seen.names, "name") + std::string(of);
    found += seen.more ? ", more in further pages" : ", all in one page";
    if (seen.more && seen.names < seen.wanted)
        found += "; the registry gives " + std::to_string(seen.names) + " where " + std::to_string(seen.wanted) +
                 " are asked for";
    return {std::move(check), condition::ok, found, {}};
}

finding judge_no_catalog(unsigned status, bool named, std::string_view explanation)
{
    std::string found = http_status(status);
    if (!explanation.empty())
        found += ": " + std::string(explanation);
    if (named)
        return {"catalog", condition::ok, "not allowed (" + found + "), and not needed: repositories are named", {}};
    return {"catalog", condition::problem, found,
            "the registry does not list its repositories to this user, or to nobody (as Docker Hub, GHCR, GitLab and "
            "Harbor do): name them with --repo NAME or --repos-from FILE"};
}

finding judge_paging(std::string check, const paging_facts& seen)
{
    if (seen.known < 2)
        return {std::move(check), condition::not_checked, "one page holds all there is", {}};
    if (seen.first > 1)
        return {std::move(check),
                condition::ok,
                "the registry does not page: " + std::to_string(seen.first) + " names where 1 was asked for",
                {}};
    static constexpr std::string_view incomplete = "what is beyond a page would not be seen: use a --page-size that is "
                                                   "larger than any list, or mend the proxy that takes the Link header "
                                                   "out";
    if (!seen.more)
        return {std::move(check), condition::problem, "a page of 1 name has no Link to the next one",
                std::string(incomplete)};
    if (seen.second == 0)
        return {std::move(check), condition::problem, "the page after the first is empty", std::string(incomplete)};
    if (seen.repeated)
        return {std::move(check), condition::problem, "the Link leads to the same page again", std::string(incomplete)};
    return {std::move(check), condition::ok, "Link leads from page to page", {}};
}

finding judge_head(const http::response& answer, bool fallback)
{
    static constexpr std::string_view advice = "use --use-get-manifest: it saves the request that is in vain";
    if (fallback)
        return {"HEAD", condition::not_checked, "--use-get-manifest is given", {}};
    if (answer.status != 200)
        return {"HEAD", answer.status == 404 ? condition::problem : condition::warning,
                "a manifest is answered with " + http_status(answer.status) +
                    (answer.status == 404 ? " though its tag is listed" : ""),
                std::string(answer.status == 404 ? "the tag may be broken, or a proxy does not pass HEAD on: try "
                                                   "--use-get-manifest"
                                                 : advice)};
    const auto id = answer.header("docker-content-digest");
    if (id.empty())
        return {"HEAD", condition::warning, "a manifest's HEAD has no Docker-Content-Digest header",
                std::string(advice)};
    if (!digest::parse(id))
        return {"HEAD", condition::problem, "'" + printable(id, 100) + "' is no digest", "use --use-get-manifest"};
    return {"HEAD", condition::ok, "tells the digest", {}};
}

finding judge_digest(const http::response& answer, std::string_view head_digest)
{
    if (answer.status != 200)
        return {"digest", condition::problem, "GET of a manifest: " + http_status(answer.status),
                "look into the registry's log"};
    const auto type = parse_media_type(answer.header("content-type"));
    const std::string kind = printable(answer.header("content-type"), 80);
    const auto told = answer.header("docker-content-digest");
    if (!told.empty() && !head_digest.empty() && told != head_digest)
        return {"digest", condition::problem, "HEAD and GET of the same tag tell different digests",
                "the tag may have been pushed just now: try again; if it stays so, a proxy answers from its cache"};
    if (type == media_type::schema1 || type == media_type::schema1_signed)
        return {"digest", condition::warning, "the manifest is of schema 1 (" + kind + ")",
                "such old images have signed digests, which cannot be checked: push them again"};
    const std::string_view expected = told.empty() ? head_digest : told;
    const auto id = digest::parse(expected);
    if (expected.empty())
        return {"digest", condition::warning, "no Docker-Content-Digest header: digests are made from the manifests",
                "use --use-get-manifest"};
    if (!id || digest::of(answer.body, id->how()) != *id)
        return {"digest", condition::problem, "the manifest does not hash to " + printable(expected, 100),
                "something on the way changes manifests, or the storage is damaged: ask the registry directly"};
    if (type == media_type::unknown)
        return {"digest", condition::warning, "right, but the type '" + kind + "' is not known", {}};
    return {"digest", condition::ok, "HEAD, GET and the content agree (" + kind + ")", {}};
}

finding judge_index(std::string_view image, const http::response* answer, std::size_t tags)
{
    if (answer == nullptr)
        return {"multi-arch", condition::not_checked, "none among the first " + count(tags, "tag"), {}};
    const std::string name = printable(image, 200);
    if (answer->status != 200 || !is_index(parse_media_type(answer->header("content-type"))))
        return {"multi-arch", condition::problem,
                name + ": an index by HEAD, but " + http_status(answer->status) + " " +
                    printable(answer->header("content-type"), 80) + " by GET",
                "something on the way does not pass the Accept header on"};
    return {"multi-arch", condition::ok, name + " is served as " + printable(answer->header("content-type"), 80), {}};
}

finding judge_deletion(unsigned status, std::string_view code, std::string_view explanation)
{
    const std::string said = http_status(status) + (code.empty() ? "" : " " + printable(code, 60));
    if (status == 401 || status == 403)
        return {"deletion", condition::warning, said + ": " + std::string(explanation),
                "listing and queries work; to delete, log in as a user who may"};
    if (status == 405 || code == "UNSUPPORTED")
        return {"deletion", condition::warning, "not enabled (" + said + ")",
                "listing and queries work; docker-registry needs storage.delete.enabled: true, or the variable "
                "REGISTRY_STORAGE_DELETE_ENABLED=true"};
    if (status == 404 && code != "NAME_UNKNOWN")
        return {
            "deletion", condition::ok, "enabled (a digest that does not exist: " + said + "); nothing was deleted", {}};
    return {"deletion", condition::warning, "a digest that does not exist was answered with " + said,
            "it cannot be told whether deletion works: try one image with --dry-run first"};
}

finding judge_referrers(const http::response& answer)
{
    if (answer.status == 200 && parse_media_type(answer.header("content-type")) == media_type::oci_index)
        return {"referrers", condition::ok, "told by the registry (OCI 1.1)", {}};
    return {"referrers",
            condition::ok,
            "not told by this registry (" + http_status(answer.status) +
                "): signatures are known by their tags and by the subjects of manifests",
            {}};
}

} // namespace regsweep
