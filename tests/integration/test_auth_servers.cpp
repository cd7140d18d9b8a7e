// Logins at real servers: docker-registry with htpasswd and with tokens, and Apache's Digest before it.
#include "common/server_program.hpp"
#include "common/token_server.hpp"
#include "integration/checks.hpp"
#include "integration/round_trip.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <set>

using namespace regsweep::test;

namespace {

const std::string user = "alice";
const std::string password = "pass:word with, \"all\" kinds";

/// docker-registry that takes tokens of a server of ours, with the sample in it.
struct token_registry
{
    explicit token_registry(token_server_options options, int repositories = 3)
        : tokens(std::move(options)), registry({.auth = tokens.registry_auth()})
    {
        real_registry open;
        push_client client(open.address());
        pushed = push_sample(client, repositories);
        copy_storage(open, registry);
    }

    std::vector<std::string> login() const { return {"-reg", registry.address(), "-u", user, "-p", password}; }

    token_server tokens;
    real_registry registry;
    content pushed;
};

std::set<std::string> scopes_of(const token_server& server)
{
    std::set<std::string> all;
    for (const auto& token : server.issued())
        all.insert(token.scopes.begin(), token.scopes.end());
    return all;
}

std::string only_error(const process_result& done)
{
    BOOST_TEST(done.exit_code == 1);
    BOOST_TEST(count_errors(done.err) == 1U, done.err);
    return done.err;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(htpasswd, sandbox)

BOOST_AUTO_TEST_CASE(crawl_remove_and_restore)
{
    real_registry registry({.users = {{user, password}}});
    push_client client(registry.address(), user, password);
    const auto pushed = push_sample(client);
    check_round_trip(*this, {"-reg", registry.address(), "-u", user, "-p", password}, pushed);
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_told_with_its_user_and_source)
{
    const real_registry registry({.users = {{user, password}}});
    const std::string error =
        only_error(run({"refresh", "-reg", registry.address(), "-u", user}, {{"REGISTRY_PASSWORD", "not-the-one"}}));
    check_says(error, {"user 'alice'", "--user", registry.address(), "check the user and the password"});
    BOOST_TEST(error.find("not-the-one") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(without_credentials_a_login_is_explained)
{
    const real_registry registry({.users = {{user, password}}});
    const std::string error = only_error(run({"refresh", "-reg", registry.address()}));
    check_says(error, {"no credentials were found", "--user", "docker login " + registry.address()});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(tokens, sandbox)

BOOST_AUTO_TEST_CASE(crawl_remove_and_restore)
{
    const token_registry all({.users = {{user, password}}});
    check_round_trip(*this, all.login(), all.pushed);
    const auto scopes = scopes_of(all.tokens);
    for (const char* scope : {"registry:catalog:*", "repository:multi:pull", "repository:removable:pull,delete"})
        BOOST_TEST(scopes.contains(scope), scope << " was not asked for");
    for (const auto& token : all.tokens.issued())
        BOOST_TEST(token.user == user);
}

BOOST_AUTO_TEST_CASE(a_crawl_outlives_several_tokens)
{
    // 20 requests at 6 a second, with tokens that really live between one second and two.
    const token_registry all({.users = {{user, password}}, .life = std::chrono::seconds(1)}, 3);
    auto args = all.login();
    args.insert(args.begin(), "refresh");
    args.insert(args.end(), {"-c", file("i.db").string(), "--rate", "6"});
    const auto done = run(args);
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST((read_index(file("i.db")).tags == all.pushed));
    BOOST_TEST(all.tokens.refused() == 0U);
}

BOOST_AUTO_TEST_CASE(an_identity_token_goes_to_the_token_server_only)
{
    const token_registry all({.users = {}, .identity_token = "the-identity-token"});
    write_file(file("auth.json"),
               "{\"auths\": {\"" + all.registry.address() + "\": {\"identitytoken\": \"the-identity-token\"}}}");
    check_round_trip(*this, {"-reg", all.registry.address()}, all.pushed,
                     {{"REGISTRY_AUTH_FILE", file("auth.json").string()}});
    for (const auto& token : all.tokens.issued())
        BOOST_TEST(token.method == "POST");
}

BOOST_AUTO_TEST_CASE(anonymous_tokens_read_and_the_error_of_a_delete_says_so)
{
    const token_registry all({.users = {}, .anonymous_pull = true});
    write_file(file("names"), "removable\nmulti\n");
    const std::vector<std::string> common = {"-reg",         all.registry.address(), "-c", file("i.db").string(),
                                             "--repos-from", file("names").string()};
    auto args = common;
    args.insert(args.begin(), "refresh");
    const auto done = run(args);
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    content expected = all.pushed;
    std::erase_if(expected, [](const auto& r) { return r.first != "removable" && r.first != "multi"; });
    BOOST_TEST((read_index(file("i.db")).tags == expected));

    args = common;
    args.insert(args.begin(), {"remove-tags", "-r", "removable", "-t", "old", "--yes"});
    const auto refused = run(args);
    BOOST_TEST(refused.exit_code == 3);
    check_says(refused.err, {"repository:removable:", "delete", "no credentials"});
}

BOOST_AUTO_TEST_CASE(a_user_without_the_right_to_delete_is_told)
{
    const token_registry all({.users = {{user, password}}, .refused_actions = {"delete"}});
    auto args = all.login();
    args.insert(args.begin(), {"remove-tags", "-r", "removable", "-t", "old", "--yes", "-c", file("i.db").string()});
    const auto refused = run(args);
    BOOST_TEST(refused.exit_code == 3);
    check_says(refused.err, {"user 'alice'", "repository:removable:pull,delete"});
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_the_token_servers_no)
{
    const token_registry all({.users = {{user, "another"}}});
    auto args = all.login();
    args.insert(args.begin(), "refresh");
    const std::string error = only_error(run(args));
    check_says(error, {"the token server of " + all.registry.address(), "user 'alice'", "registry:catalog:*"});
    BOOST_TEST(all.tokens.refused() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(digest, sandbox)

BOOST_AUTO_TEST_CASE(crawl_remove_and_restore_through_apache)
{
    const plain_registry behind;
    const server_program apache(
        apache_digest({.upstream = behind.registry.address(), .digest = {user, "digest-password"}}));
    check_round_trip(*this, {"-reg", apache.address(), "-u", user, "-p", "digest-password", "--digest-auth"},
                     behind.pushed);
}

BOOST_AUTO_TEST_CASE(a_crawl_outlives_several_nonces)
{
    const plain_registry behind;
    const server_program apache(apache_digest(
        {.upstream = behind.registry.address(), .digest = {user, "digest-password"}, .nonce_seconds = 1}));
    const auto done = run({"refresh", "-reg", apache.address(), "-u", user, "-p", "digest-password", "-c",
                           file("i.db").string(), "--rate", "6"},
                          {{"REGISTRY_USE_DIGEST_AUTH", "1"}});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST((read_index(file("i.db")).tags == behind.pushed));
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_told)
{
    const plain_registry behind;
    const server_program apache(
        apache_digest({.upstream = behind.registry.address(), .digest = {user, "digest-password"}}));
    const std::string error =
        only_error(run({"refresh", "-reg", apache.address(), "-u", user, "-p", "wrong", "--digest-auth", "yes"}));
    check_says(error, {"user 'alice'", "check the user and the password"});
}

BOOST_AUTO_TEST_SUITE_END()
