// What registries do differently, one case each, against the fake.
#include "common/fake_registry.hpp"
#include "common/real_registry.hpp"
#include "common/server_program.hpp"
#include "integration/checks.hpp"
#include "integration/index_content.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>

using namespace regsweep::test;

namespace {

struct fixture : sandbox
{
    void serve(const fake_options& options = {}, int repositories = 3)
    {
        registry = std::make_unique<fake_registry>(options);
        for (int r = 0; r != repositories; ++r)
            for (const char* tag : {"1.0", "1.1"}) {
                const std::string name = "team/app-" + std::to_string(r);
                expected[name][tag] = registry->put_image(name, tag, name + tag);
            }
        registry->start();
    }

    process_result refresh(std::vector<std::string> args = {}, const sandbox::variables& env = {})
    {
        const std::string address = at.empty() ? registry->address() : at;
        args.insert(args.begin(), {"refresh", "-reg", address, "-c", file("i.db").string(), "--retries", "1"});
        return run(args, env);
    }

    void check_finds_all(const std::vector<std::string>& args = {}, const sandbox::variables& env = {})
    {
        const auto done = refresh(args, env);
        BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
        BOOST_TEST((read_index(file("i.db")).tags == expected));
    }

    /// The catalog is refused; told by name, all is found.
    void check_explained(unsigned status, const std::string& body = {}, const std::vector<std::string>& login = {})
    {
        registry->clear_rules();
        registry->add_rule("", "/_catalog", fake_action::answer(status, {}, body));
        const auto refused = refresh(login);
        check_fails(refused, 1, {"_catalog", std::to_string(status), "--repos-from", "--repo"});
        std::string names;
        for (const auto& [name, tags] : expected)
            names += name + "\n";
        write_file(file("names"), names);
        auto args = login;
        args.insert(args.end(), {"--repos-from", file("names").string()});
        check_finds_all(args);
        args = login;
        for (const auto& [name, tags] : expected)
            args.insert(args.end(), {"--repo", name});
        check_finds_all(args);
    }

    std::unique_ptr<fake_registry> registry;
    std::string at; ///< where it is reached; empty: itself
    content expected;
};

fake_options with_login(fake_auth_kind kind, const std::string& user, const std::string& password)
{
    fake_options out;
    out.auth.kind = kind;
    out.auth.user = user;
    out.auth.password = password;
    return out;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(quirks, fixture)

BOOST_AUTO_TEST_CASE(nexus_tells_no_digest_in_a_head)
{
    serve();
    fake_action silent;
    silent.remove_headers = {"Docker-Content-Digest"};
    registry->add_rule("HEAD", "/manifests/", silent);
    check_finds_all();
    registry->add_rule("GET", "/manifests/", silent);
    check_finds_all();
    check_finds_all({"--use-get-manifest"});
}

BOOST_AUTO_TEST_CASE(artifactory_has_a_path_and_links_of_another_scheme)
{
    const std::string prefix = "/artifactory/api/docker/local";
    const auto port = free_port();
    const server_program front(nginx({.upstream = "127.0.0.1:" + std::to_string(port), .prefix = prefix}));
    fake_options options;
    options.port = port;
    options.api.page_cap = 1;
    options.api.link_base = "https://" + front.address() + prefix;
    serve(options);
    at = "http://" + front.address() + prefix;
    check_finds_all();
    BOOST_TEST(registry->requests("GET", fake_endpoint::catalog) >= 3U);
    // Some versions leave the path out of the Link.
    at = "http://" + front.address() + prefix + "/v2/";
    check_finds_all();
}

BOOST_AUTO_TEST_CASE(harbor_and_gitlab_show_the_catalog_to_administrators_only)
{
    serve(with_login(fake_auth_kind::basic, "user", "password"));
    const std::vector<std::string> login = {"-u", "user", "-p", "password"};
    check_explained(401, {}, login);
    check_explained(403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"requested access is denied\"}]}", login);
}

BOOST_AUTO_TEST_CASE(tokens_without_the_catalog)
{
    auto options = with_login(fake_auth_kind::bearer, "user", "password");
    options.auth.actions = {"pull"};
    serve(options);
    const std::vector<std::string> login = {"-u", "user", "-p", "password"};
    check_fails(refresh(login), 1, {"registry:catalog:*", "--repos-from", "user 'user'"});
    check_finds_all(
        {"-u", "user", "-p", "password", "--repo", "team/app-0", "--repo", "team/app-1", "--repo", "team/app-2"});
}

BOOST_AUTO_TEST_CASE(ghcr_and_docker_hub_have_no_catalog)
{
    serve();
    check_explained(404, "404 page not found");
    check_explained(405, "{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\"The operation is unsupported.\"}]}");
}

BOOST_AUTO_TEST_CASE(ecr_refuses_pages_over_a_thousand_and_logs_in_as_aws)
{
    auto options = with_login(fake_auth_kind::basic, "AWS", std::string(2000, 'k')); // a token for 12 hours
    options.api.page_cap = 1000;
    options.api.refuse_large_page = true;
    serve(options);
    check_finds_all({"-u", "AWS"}, {{"REGISTRY_PASSWORD", std::string(2000, 'k')}});
    const auto refused = refresh({"-u", "AWS", "--page-size", "1001"}, {{"REGISTRY_PASSWORD", std::string(2000, 'k')}});
    check_fails(refused, 1, {"PAGINATION_NUMBER_INVALID"});
}

BOOST_AUTO_TEST_CASE(quays_links_have_no_quotes)
{
    fake_options options;
    options.api.link_style = fake_link_style::unquoted;
    options.api.page_cap = 2;
    serve(options, 9);
    fake_action slow = fake_action::wait(std::chrono::milliseconds(100));
    registry->add_rule("", "/_catalog", slow);
    check_finds_all();
    BOOST_TEST(registry->requests("GET", fake_endpoint::catalog) == 5U);
}

BOOST_AUTO_TEST_CASE(docker_hubs_rate_limit_slows_down_before_it_is_used_up)
{
    serve({}, 8);
    for (int left = 14; left >= 0; --left) {
        fake_rule rule;
        rule.count = 1;
        rule.action.set_headers = {{"RateLimit-Limit", "100;w=1"},
                                   {"RateLimit-Remaining", std::to_string(left) + ";w=1"}};
        registry->add_rule(rule);
    }
    const auto done = refresh({"--concurrency", "2", "--threads", "2"});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST((read_index(file("i.db")).tags == expected));
    BOOST_TEST(lines(done.err).size() == 1U, done.err);
    check_says(done.err, {"warning: the registry's rate limit, 100 requests in 1 s, is nearly used up"});
}

BOOST_AUTO_TEST_CASE(requests_that_are_not_counted_are_not_slowed)
{
    fake_options options;
    options.extra_headers = {{"RateLimit-Limit", "100;w=21600"}, {"RateLimit-Remaining", "3;w=21600"}};
    serve(options);
    const auto done = refresh();
    BOOST_TEST(done.exit_code == 0);
    BOOST_TEST(done.err == "");
}

BOOST_AUTO_TEST_CASE(a_warning_is_shown_once)
{
    fake_options options;
    options.extra_headers = {{"Warning", "299 - \"this endpoint goes away\""}};
    serve(options, 20);
    const auto done = refresh({"--threads", "3"});
    BOOST_TEST(done.exit_code == 0);
    BOOST_TEST(lines(done.err).size() == 1U, done.err);
    check_says(done.err, {"warning: the registry warns", "this endpoint goes away"});
}

BOOST_AUTO_TEST_SUITE_END()
