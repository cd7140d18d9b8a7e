#include "regsweep/registry/health.hpp"

#include "regsweep/core/digest.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep;

namespace {

using headers = std::vector<std::pair<std::string, std::string>>;

http::response answer(unsigned status, const headers& with = {}, std::string body = {})
{
    http::response out;
    out.status = status;
    out.body = std::move(body);
    for (const auto& [name, value] : with)
        out.add_header(name, value);
    return out;
}

registry_address at(std::string_view text)
{
    return registry_address::parse(text).value();
}

credentials alice()
{
    credentials out;
    out.kind = credential_kind::basic;
    out.user = "alice";
    out.secret = secret("hunter2");
    out.source = "--user";
    return out;
}

void check(const finding& f, condition how, std::string_view found, std::string_view advice = {})
{
    BOOST_TEST((f.how == how), f.check << ": " << to_string(f.how) << ": " << f.found);
    BOOST_TEST((f.found.find(found) != std::string::npos), f.found << " has no " << found);
    BOOST_TEST((f.advice.find(advice) != std::string::npos), f.advice << " has no " << advice);
    BOOST_TEST((advice.empty() == f.advice.empty()), f.advice);
    BOOST_TEST((f.found.find("hunter2") == std::string::npos));
}

http::probe_report with_certificate(std::int64_t until)
{
    http::probe_report out;
    out.tls = http::tls_facts{"TLSv1.3", "CN=registry", "CN=authority", 0, until};
    return out;
}

constexpr std::int64_t now = 1'700'000'000;
constexpr std::int64_t day = 86'400;

} // namespace

BOOST_AUTO_TEST_SUITE(health)

BOOST_AUTO_TEST_CASE(an_address_without_tls_is_worth_a_warning_where_others_listen)
{
    check(judge_address(at("registry.example.com"), "--registry"), condition::ok,
          "https://registry.example.com:443, from --registry");
    check(judge_address(at("localhost:5000"), "--registry"), condition::ok, "http://localhost:5000");
    check(judge_address(at("http://127.0.0.9:5000"), "--registry"), condition::ok, "http://127.0.0.9:5000");
    check(judge_address(at("http://registry.example.com"), "--registry"), condition::warning, "without TLS",
          "https://");
}

BOOST_AUTO_TEST_CASE(a_proxys_password_is_not_told)
{
    check(judge_proxy(std::nullopt), condition::ok, "none");
    const http::proxy used{{false, "proxy", 3128}, "Basic hunter2"};
    check(judge_proxy(used), condition::ok, "http://proxy:3128, with a login");
}

BOOST_AUTO_TEST_CASE(every_address_counts)
{
    http::probe_report seen;
    seen.unresolved = error(errc::resolve_failed, "the host name 'x' has no address");
    check(judge_name("x", seen), condition::problem, "has no address", "DNS");
    seen = {};
    seen.addresses = {{"192.0.2.1:443", "", std::chrono::microseconds(2500)},
                      {"[2001:db8::1]:443", "", std::chrono::microseconds(1)}};
    check(judge_name("x", seen), condition::ok, "x is 192.0.2.1:443, [2001:db8::1]:443");
    check(judge_connection(seen), condition::ok, "192.0.2.1:443 answers in 3 ms, [2001:db8::1]:443 answers in 1 ms");
    seen.addresses[1].failure = "Connection refused";
    check(judge_connection(seen), condition::warning, "[2001:db8::1]:443: Connection refused", "DNS");
    seen.addresses[0].failure = "Connection refused";
    check(judge_connection(seen), condition::problem, "192.0.2.1:443: Connection refused", "firewalls");
}

BOOST_AUTO_TEST_CASE(a_certificate_has_days_left)
{
    const origin server{true, "x", 443};
    check(judge_tls({false, "x", 80}, {}, true, now), condition::not_checked, "http://");
    check(judge_tls(server, with_certificate(now + 100 * day), true, now), condition::ok,
          "TLSv1.3, certificate of CN=registry, signed by CN=authority, until 2024-02-22T22:13:20Z, 100 days left");
    check(judge_tls(server, with_certificate(now + 13 * day), true, now), condition::warning, "13 days left", "renew");
    check(judge_tls(server, with_certificate(now + day), true, now), condition::warning, "1 day left", "renew");
    check(judge_tls(server, with_certificate(now - 1), false, now), condition::warning, "expired; not verified",
          "--verify");
    auto untrusted = with_certificate(now + 100 * day);
    untrusted.tls_failure = error(errc::tls_failed, "signed by an unknown authority: give it with --verify FILE");
    check(judge_tls(server, untrusted, true, now), condition::problem, "signed by CN=authority");
    http::probe_report none;
    none.tls_failure = error(errc::tls_failed, "x does not speak TLS");
    check(judge_tls(server, none, true, now), condition::problem, "x does not speak TLS");
}

BOOST_AUTO_TEST_CASE(an_api_is_told_from_a_web_page)
{
    const headers version = {{"Docker-Distribution-Api-Version", "registry/2.0"}};
    check(judge_api(at("localhost:5000"), answer(200, version)), condition::ok, "HTTP 200, version registry/2.0");
    check(judge_api(at("localhost:5000"), answer(401, version)), condition::ok, "HTTP 401, version registry/2.0");
    check(judge_api(at("localhost:5000"), answer(200)), condition::ok, "without a version header");
    check(judge_api(at("localhost:5000"), answer(200, {{"Docker-Distribution-Api-Version", "registry/3.0"}})),
          condition::warning, "registry/3.0", "expected");
    check(judge_api(at("x/p"), answer(404)), condition::problem, "https://x:443/p/v2/: HTTP 404", "path");
    check(judge_api(at("x"), answer(200, {{"Content-Type", "text/html; charset=utf-8"}})), condition::problem,
          "a page for people", "path");
    check(judge_api(at("http://x"), answer(400, {}, "Client sent an HTTP request to an HTTPS server.\n")),
          condition::problem, "an HTTPS server", "https://");
}

BOOST_AUTO_TEST_CASE(a_login_is_told_with_its_kind_and_its_source)
{
    const auto open = answer(200);
    const auto basic = answer(401, {{"WWW-Authenticate", "Basic realm=\"r\""}});
    const auto bearer =
        answer(401, {{"WWW-Authenticate", "Bearer realm=\"https://auth.example.com/token\",service=\"s\""}});
    check(judge_login(open, open, {}, {}), condition::ok, "none is asked for; in with no credentials");
    check(judge_login(basic, open, alice(), {}), condition::ok, "basic; in with user 'alice' (from --user)");
    check(judge_login(bearer, open, {}, {}), condition::ok, "bearer (tokens of https://auth.example.com/token)");
    check(judge_login(basic, basic, alice(), "it did not accept user 'alice'"), condition::problem, "did not accept");
    check(judge_login(open, basic, alice(), "it did not accept user 'alice'"), condition::problem, "did not accept");
    check(judge_login(answer(401), answer(401), alice(), {}), condition::problem, "WWW-Authenticate", "proxy");
    check(judge_login(basic, answer(500), alice(), {}), condition::problem, "HTTP 500", "log");
}

BOOST_AUTO_TEST_CASE(clocks_may_differ_by_a_minute)
{
    const auto when = [](std::int64_t seconds) {
        return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
    };
    const auto* const date = "Tue, 14 Nov 2023 22:13:20 GMT"; // `now`
    check(judge_clock(date, when(now)), condition::ok, "0 seconds");
    check(judge_clock(date, when(now + 60)), condition::ok, "60 seconds");
    check(judge_clock(date, when(now + 61)), condition::warning, "61 seconds ahead of", "NTP");
    check(judge_clock(date, when(now - day)), condition::warning, "86400 seconds behind", "NTP");
    check(judge_clock("", when(now)), condition::not_checked, "no Date");
    check(judge_clock("12345", when(now)), condition::not_checked, "no Date");
    check(judge_clock("yesterday at noon", when(now)), condition::not_checked, "no Date");
}

BOOST_AUTO_TEST_CASE(limits_are_told_before_they_are_reached)
{
    check(judge_limits(answer(200)), condition::ok, "none told");
    check(judge_limits(answer(200, {{"RateLimit-Limit", "100;w=21600"}, {"RateLimit-Remaining", "76;w=21600"}})),
          condition::ok, "limit 100;w=21600, left 76;w=21600");
    check(judge_limits(answer(200, {{"X-RateLimit-Limit", "5000"}, {"X-RateLimit-Remaining", "499"}})),
          condition::warning, "left 499", "--rate");
    check(judge_limits(answer(200, {{"RateLimit-Remaining", "0"}})), condition::warning, "left 0", "--rate");
    check(judge_limits(answer(200, {{"RateLimit-Limit", "99999999999999999999"}})), condition::ok, "limit 9999");
}

BOOST_AUTO_TEST_CASE(a_catalog_is_needed_unless_repositories_are_named)
{
    check(judge_list("catalog", {1000, 1, false}, {}), condition::ok, "1 name, all in one page");
    check(judge_list("tags", {1000, 1000, true}, " in web"), condition::ok, "1000 names in web, more in further pages");
    check(judge_list("catalog", {1000, 100, true}, {}), condition::ok, "gives 100 where 1000 are asked for");
    check(judge_no_catalog(401, false, "no right"), condition::problem, "HTTP 401: no right", "--repos-from");
    check(judge_no_catalog(404, true, {}), condition::ok, "not needed");
}

BOOST_AUTO_TEST_CASE(pages_lead_to_the_next)
{
    check(judge_paging("p", {1, 1, false, 0, false}), condition::not_checked, "one page");
    check(judge_paging("p", {2, 1, true, 1, false}), condition::ok, "from page to page");
    check(judge_paging("p", {5, 5, false, 0, false}), condition::ok, "does not page");
    check(judge_paging("p", {2, 1, false, 0, false}), condition::problem, "no Link", "--page-size");
    check(judge_paging("p", {2, 1, true, 0, false}), condition::problem, "empty", "--page-size");
    check(judge_paging("p", {2, 1, true, 1, true}), condition::problem, "same page", "--page-size");
}

BOOST_AUTO_TEST_CASE(digests_agree)
{
    const std::string body = "{}";
    const std::string right = digest::of(body).to_string();
    const std::string wrong = digest::of("[]").to_string();
    const std::string type = "application/vnd.oci.image.manifest.v1+json";
    check(judge_head(answer(200, {{"Docker-Content-Digest", right}}), false), condition::ok, "tells the digest");
    check(judge_head(answer(200), false), condition::warning, "no Docker-Content-Digest", "--use-get-manifest");
    check(judge_head(answer(405), false), condition::warning, "HTTP 405", "--use-get-manifest");
    check(judge_head(answer(404), false), condition::problem, "HTTP 404", "--use-get-manifest");
    check(judge_head(answer(200, {{"Docker-Content-Digest", "md5:1\n"}}), false), condition::problem, "'md5:1\\x0a'",
          "--use-get-manifest");
    check(judge_head({}, true), condition::not_checked, "--use-get-manifest");

    const auto got = [&](const std::string& id, const std::string& kind) {
        return answer(200, {{"Docker-Content-Digest", id}, {"Content-Type", kind}}, body);
    };
    check(judge_digest(got(right, type), right), condition::ok, "agree (" + type + ")");
    check(judge_digest(got(right, type), {}), condition::ok, "agree");
    check(judge_digest(answer(200, {{"Content-Type", type}}, body), right), condition::ok, "agree");
    check(judge_digest(got(wrong, type), wrong), condition::problem, "does not hash to " + wrong, "changes manifests");
    check(judge_digest(got(right, type), wrong), condition::problem, "different digests", "cache");
    check(judge_digest(answer(200, {{"Content-Type", type}}, body), {}), condition::warning, "no Docker-Content-Digest",
          "--use-get-manifest");
    check(judge_digest(got(wrong, "application/vnd.docker.distribution.manifest.v1+prettyjws"), wrong),
          condition::warning, "schema 1", "push");
    check(judge_digest(answer(500), right), condition::problem, "HTTP 500", "log");
    const auto odd = judge_digest(got(right, "text/plain"), right);
    check(odd, condition::warning, "'text/plain' is not known");
}

BOOST_AUTO_TEST_CASE(an_index_is_served_as_such)
{
    const auto index = answer(200, {{"Content-Type", "application/vnd.oci.image.index.v1+json"}});
    const auto single = answer(200, {{"Content-Type", "application/vnd.oci.image.manifest.v1+json"}});
    check(judge_index("web:1", &index, 10), condition::ok, "web:1 is served as application/vnd.oci.image.index");
    check(judge_index("web:1", &single, 10), condition::problem, "by GET", "Accept");
    check(judge_index({}, nullptr, 3), condition::not_checked, "the first 3 tags");
}

BOOST_AUTO_TEST_CASE(deletion_is_known_by_what_a_digest_of_nothing_is_answered_with)
{
    check(judge_deletion(404, "MANIFEST_UNKNOWN", {}), condition::ok, "enabled");
    check(judge_deletion(404, {}, {}), condition::ok, "enabled");
    check(judge_deletion(405, "UNSUPPORTED", {}), condition::warning, "not enabled", "storage.delete.enabled");
    check(judge_deletion(400, "UNSUPPORTED", {}), condition::warning, "not enabled", "storage.delete.enabled");
    check(judge_deletion(403, "DENIED", "bob may not"), condition::warning, "bob may not", "log in");
    check(judge_deletion(401, {}, "bob may not"), condition::warning, "bob may not", "log in");
    check(judge_deletion(404, "NAME_UNKNOWN", {}), condition::warning, "HTTP 404 NAME_UNKNOWN", "--dry-run");
    check(judge_deletion(202, {}, {}), condition::warning, "HTTP 202", "--dry-run");
}

BOOST_AUTO_TEST_CASE(referrers_may_be_missing)
{
    check(judge_referrers(answer(200, {{"Content-Type", "application/vnd.oci.image.index.v1+json"}})), condition::ok,
          "OCI 1.1");
    check(judge_referrers(answer(404)), condition::ok, "not told by this registry (HTTP 404)");
    check(judge_referrers(answer(200, {{"Content-Type", "text/html"}})), condition::ok, "not told");
}

BOOST_AUTO_TEST_SUITE_END()
