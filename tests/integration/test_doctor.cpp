// What `regsweep doctor` says of registries that work, and of those where a step does not.
#include "common/fake_registry.hpp"
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "common/server_program.hpp"
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep::test;

namespace {

namespace json = boost::json;

struct check
{
    std::string verdict;
    std::string found;
    std::string advice;
};

struct diagnosis
{
    int exit_code = -1;
    std::string err;
    std::string text; ///< all of it
    bool usable = false;
    std::map<std::string, check> checks;
};

diagnosis examine(const sandbox& home, std::vector<std::string> args, const sandbox::variables& env = {})
{
    args.insert(args.begin(), {"doctor", "--output", "json", "--timeout", "5"});
    const auto done = home.run(args, env);
    diagnosis out{done.exit_code, done.err, done.out, false, {}};
    boost::system::error_code failed;
    const auto all = json::parse(done.out, failed);
    BOOST_TEST_REQUIRE(!failed, shown(args) << " prints no JSON: " << done.out << done.err);
    out.usable = all.at("usable").as_bool();
    for (const auto& one : all.at("checks").as_array()) {
        const auto& advice = one.at("advice");
        out.checks[std::string(one.at("check").as_string())] = {
            std::string(one.at("verdict").as_string()), std::string(one.at("found").as_string()),
            advice.is_null() ? "" : std::string(advice.as_string())};
    }
    BOOST_TEST(out.checks.size() == 18U);
    BOOST_TEST(out.exit_code == (out.usable ? 0 : 1));
    return out;
}

void expect(const diagnosis& d, const std::string& name, const std::string& verdict, const std::string& found)
{
    BOOST_TEST_REQUIRE(d.checks.contains(name), name);
    const check& c = d.checks.at(name);
    BOOST_TEST(c.verdict == verdict, name << ": " << c.verdict << ": " << c.found);
    BOOST_TEST((c.found.find(found) != std::string::npos), name << ": " << c.found << " has no " << found);
    BOOST_TEST((verdict != "problem" || !c.found.empty()));
}

/// A registry with two repositories, one of which has an index among its tags.
void fill(push_client& to)
{
    to.push("web", make_image("one"), {"1.0", "1.1"});
    to.push("multi", make_index({make_image("m", family::oci), make_image("m", family::oci, "arm64")}), {"1", "2"});
}

std::map<std::string, std::vector<std::string>> content_of(push_client& of)
{
    std::map<std::string, std::vector<std::string>> out;
    for (const auto& repository : of.catalog()) {
        auto& digests = out[repository];
        for (const auto& tag : of.tags(repository).value_or(std::vector<std::string>()))
            digests.push_back(tag + " " + of.resolve(repository, tag));
    }
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(doctor)

BOOST_AUTO_TEST_CASE(a_registry_that_works)
{
    const real_registry registry;
    push_client client(registry.address());
    fill(client);
    const auto before = content_of(client);
    const sandbox home;
    const auto d = examine(home, {"-reg", registry.address()});
    BOOST_TEST(d.usable, d.text);
    BOOST_TEST(d.err == "");
    expect(d, "address", "ok", registry.url() + ", from --registry");
    expect(d, "proxy", "ok", "none");
    expect(d, "name", "ok", registry.address());
    expect(d, "connection", "ok", registry.address() + " answers in ");
    expect(d, "TLS", "not checked", "http://");
    expect(d, "API", "ok", "HTTP 200, version registry/2.0");
    expect(d, "login", "ok", "none is asked for");
    expect(d, "clock", "ok", "agree");
    expect(d, "limits", "ok", "none");
    expect(d, "catalog", "ok", "2 names, all in one page");
    expect(d, "catalog pages", "ok", "Link leads");
    expect(d, "tags", "ok", "2 names in multi");
    expect(d, "HEAD", "ok", "digest");
    expect(d, "digest", "ok", "agree (application/vnd.oci.image.index.v1+json)");
    expect(d, "multi-arch", "ok", " is served as application/vnd.oci.image.index.v1+json");
    expect(d, "deletion", "ok", "enabled");
    expect(d, "referrers", "ok", "not told by this registry (HTTP 404)");
    BOOST_TEST((content_of(client) == before), "the registry was changed");

    const auto text = home.run({"doctor"}, {{"REGISTRY", registry.address()}});
    BOOST_TEST(text.exit_code == 0);
    BOOST_TEST((text.out.find("\nok           deletion       enabled") != std::string::npos), text.out);
    BOOST_TEST((text.out.find("from the variable REGISTRY") != std::string::npos), text.out);
    BOOST_TEST(lines(text.out).back().starts_with("usable: 0 problems, 0 warnings, "), text.out);
}

BOOST_AUTO_TEST_CASE(a_registry_that_does_not_delete)
{
    const real_registry registry({.allow_delete = false});
    push_client client(registry.address());
    fill(client);
    const sandbox home;
    const auto d = examine(home, {"-reg", registry.address()});
    BOOST_TEST(d.usable, d.text);
    expect(d, "deletion", "warning", "not enabled (HTTP 405 UNSUPPORTED)");
    BOOST_TEST((d.checks.at("deletion").advice.find("storage.delete.enabled") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(an_empty_registry)
{
    const real_registry registry;
    const sandbox home;
    const auto d = examine(home, {"-reg", registry.address()});
    BOOST_TEST(d.usable, d.text);
    expect(d, "catalog", "ok", "0 names");
    expect(d, "catalog pages", "not checked", "one page");
    expect(d, "tags", "not checked", "no repository is known");
    expect(d, "deletion", "not checked", "no repository is known");
}

BOOST_AUTO_TEST_CASE(tls_and_basic_through_nginx)
{
    const real_registry registry;
    push_client client(registry.address());
    fill(client);
    fake_certificate_options validity;
    validity.valid_until = 100 * 86400 + 3600;
    const auto certificates = make_certificates(validity);
    const sandbox home;
    write_file(home.file("ca.pem"), certificates.ca);
    const server_program front(nginx({.upstream = registry.address(),
                                      .certificate = certificates.server_certificate,
                                      .key = certificates.server_key,
                                      .basic = {"alice", "s3cret-word"}}));
    const std::string url = "https://" + front.address();
    const std::string ca = home.file("ca.pem").string();

    const auto right = examine(home, {"-reg", url, "--verify", ca},
                               {{"REGISTRY_USER", "alice"}, {"REGISTRY_PASSWORD", "s3cret-word"}});
    BOOST_TEST(right.usable, right.text);
    expect(right, "TLS", "ok", "TLSv1.");
    expect(right, "TLS", "ok", "certificate of CN=fake registry, signed by CN=fake registry test CA, until ");
    expect(right, "TLS", "ok", ", 100 days left");
    expect(right, "login", "ok", "basic; in with user 'alice' (from --user or REGISTRY_USER)");
    expect(right, "deletion", "ok", "enabled");

    const auto wrong =
        examine(home, {"-reg", url, "--verify", ca}, {{"REGISTRY_USER", "alice"}, {"REGISTRY_PASSWORD", "wr0ng-word"}});
    expect(wrong, "login", "problem", "did not accept user 'alice'");
    expect(wrong, "catalog", "not checked", "a step before");

    const auto nobody = examine(home, {"-reg", url, "--verify", ca});
    expect(nobody, "login", "problem", "no credentials were found");

    const auto untrusted = examine(home, {"-reg", url});
    expect(untrusted, "TLS", "problem", "signed by an unknown authority");
    expect(untrusted, "TLS", "problem", "certificate of ");
    expect(untrusted, "API", "not checked", "a step before");

    const auto insecure =
        examine(home, {"-reg", url, "--insecure"}, {{"REGISTRY_USER", "alice"}, {"REGISTRY_PASSWORD", "s3cret-word"}});
    BOOST_TEST(insecure.usable, insecure.text);
    expect(insecure, "TLS", "warning", "not verified");

    const auto plain = examine(home, {"-reg", "http://" + front.address()});
    expect(plain, "API", "problem", "HTTP 400");
    BOOST_TEST((plain.checks.at("API").advice.find("https://") != std::string::npos));
    const auto other_way = examine(home, {"-reg", "https://" + registry.address()});
    expect(other_way, "TLS", "problem", "does not speak TLS");
    for (const auto* d : {&right, &wrong, &nobody, &untrusted, &insecure})
        for (const char* word : {"s3cret-word", "wr0ng-word"})
            BOOST_TEST(((d->text + d->err).find(word) == std::string::npos), d->text);
}

BOOST_AUTO_TEST_CASE(tokens_and_rights)
{
    fake_options options;
    options.auth.kind = fake_auth_kind::bearer;
    options.auth.actions = {"pull", "*"};
    options.extra_headers = {{"RateLimit-Limit", "100;w=21600"}, {"RateLimit-Remaining", "3;w=21600"}};
    fake_registry registry(options);
    registry.put_image("a", "1", "one");
    registry.put_image("a", "2", "two");
    registry.start();
    const sandbox home;
    const auto d = examine(home, {"-reg", registry.url(), "-u", "user", "-p", "password"});
    BOOST_TEST(d.usable, d.text);
    expect(d, "login", "ok", "bearer (tokens of " + registry.url() + "/token); in with user 'user'");
    expect(d, "limits", "warning", "left 3;w=21600");
    expect(d, "tag pages", "ok", "Link leads");
    expect(d, "multi-arch", "not checked", "the first 2 tags");
    expect(d, "deletion", "warning", "HTTP 40");

    const auto wrong = examine(home, {"-reg", registry.url(), "-u", "user", "-p", "an0ther"});
    expect(wrong, "login", "problem", "user 'user'");
    BOOST_TEST((wrong.text.find("an0ther") == std::string::npos), wrong.text);
}

BOOST_AUTO_TEST_CASE(what_a_registry_does_wrong)
{
    fake_options options;
    options.api.link_style = fake_link_style::none;
    fake_registry registry(options);
    for (const char* name : {"a", "b"})
        for (const char* tag : {"1", "2"})
            registry.put_image(name, tag, std::string(name) + tag);
    registry.add_rule("GET", "/v2/_catalog", fake_action::answer(403));
    fake_action nameless;
    nameless.remove_headers = {"Docker-Content-Digest"};
    registry.add_rule("HEAD", "/manifests/", nameless);
    fake_rule late;
    late.regex = "/v2/$";
    late.action.set_headers = {{"Date", "Tue, 14 Nov 2023 22:13:20 GMT"}};
    registry.add_rule(late);
    registry.start();
    const sandbox home;
    const auto d = examine(home, {"-reg", registry.url()});
    BOOST_TEST(!d.usable);
    expect(d, "clock", "warning", "ahead of the registry's");
    expect(d, "catalog", "problem", "HTTP 403");
    expect(d, "tags", "not checked", "no repository is known");

    const auto named = examine(home, {"-reg", registry.url(), "--repo", "a"});
    expect(named, "catalog", "ok", "not needed");
    expect(named, "tags", "ok", "2 names in a");
    expect(named, "tag pages", "problem", "no Link");
    expect(named, "HEAD", "warning", "no Docker-Content-Digest");
    expect(named, "deletion", "ok", "enabled");
}

BOOST_AUTO_TEST_CASE(content_that_is_not_what_its_digest_says)
{
    fake_registry registry;
    registry.put_image("a", "1", "one");
    fake_action other;
    other.body = "{}";
    registry.add_rule("GET", "/manifests/", other);
    registry.start();
    const sandbox home;
    const auto d = examine(home, {"-reg", registry.url()});
    BOOST_TEST(!d.usable);
    expect(d, "digest", "problem", "does not hash to sha256:");
}

BOOST_AUTO_TEST_CASE(nobody_there)
{
    const sandbox home;
    const auto silent = examine(home, {"-reg", "127.0.0.1:" + std::to_string(free_port())});
    BOOST_TEST(!silent.usable);
    expect(silent, "name", "ok", "127.0.0.1");
    expect(silent, "connection", "problem", "Connection refused");
    expect(silent, "API", "not checked", "a step before");

    const auto unknown = examine(home, {"-reg", "no-such-host.invalid"});
    BOOST_TEST(!unknown.usable);
    expect(unknown, "name", "problem", "no-such-host.invalid");
    expect(unknown, "connection", "not checked", "a step before");

    const auto proxy = examine(home, {"-reg", "registry.invalid"},
                               {{"https_proxy", "http://bob:pr0xy-word@127.0.0.1:" + std::to_string(free_port())}});
    expect(proxy, "proxy", "ok", "http://127.0.0.1:");
    expect(proxy, "connection", "problem", "Connection refused");
    BOOST_TEST((proxy.text.find("pr0xy-word") == std::string::npos), proxy.text);

    fake_registry elsewhere;
    elsewhere.add_rule("GET", "/v2/", fake_action::answer(404, {{"Content-Type", "text/html"}}, "<html>"));
    elsewhere.start();
    const auto page = examine(home, {"-reg", elsewhere.url()});
    expect(page, "API", "problem", "a page for people");
}

BOOST_AUTO_TEST_CASE(through_a_proxy)
{
    const auto certificates = make_certificates();
    const sandbox home;
    write_file(home.file("ca.pem"), certificates.ca);
    const server_program proxy(tinyproxy());
    // The proxy resolves no such name: its refusal is what is seen.
    const auto d = examine(home, {"-reg", "registry.invalid", "--verify", home.file("ca.pem").string()},
                           {{"https_proxy", "http://" + proxy.address()}});
    expect(d, "connection", "ok", proxy.address());
    expect(d, "TLS", "problem", "gives no tunnel to registry.invalid:443");
}

BOOST_AUTO_TEST_SUITE_END()
