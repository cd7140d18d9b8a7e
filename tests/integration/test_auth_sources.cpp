// Where credentials come from: options, environment, Docker's and podman's files, credential helpers.
#include "common/fake_registry.hpp"
#include "integration/checks.hpp"

#include <boost/test/unit_test.hpp>

#include <openssl/evp.h>

using namespace regsweep::test;

namespace {

const std::string user = "alice";
const std::string password = "s3cret:with colon";

std::string base64(const std::string& text)
{
    std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
    const int size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

/// A registry with Basic that knows one user.
struct fixture : sandbox
{
    fixture() : registry(options())
    {
        registry.put_image("a", "1", "one");
        registry.start();
    }

    static fake_options options()
    {
        fake_options out;
        out.auth.kind = fake_auth_kind::basic;
        out.auth.user = user;
        out.auth.password = password;
        return out;
    }

    process_result refresh(std::vector<std::string> args = {}, const sandbox::variables& env = {},
                           const std::string& input = {})
    {
        registry.clear_log();
        args.insert(args.begin(), {"refresh", "-reg", registry.address(), "-c", file("i.db").string()});
        return run(args, env, input);
    }

    void check_works(const std::vector<std::string>& args, const sandbox::variables& env = {},
                     const std::string& input = {})
    {
        const auto done = refresh(args, env, input);
        BOOST_TEST(done.exit_code == 0, shown(args) << ": " << done.err);
        BOOST_TEST(done.err == "");
    }

    /// Whether the first request had credentials, which nobody had asked for yet.
    bool sent_unasked() const { return !registry.log().at(0).authorization.empty(); }

    /// `auths` of a configuration file with this entry for the registry.
    std::string auths(const std::string& entry) const
    {
        return "{\"auths\": {\"" + registry.address() + "\": " + entry + "}}";
    }
    std::string login() const { return auths("{\"auth\": \"" + base64(user + ":" + password) + "\"}"); }

    std::string folder(const std::string& name)
    {
        std::filesystem::create_directories(file(name));
        return file(name).string();
    }

    /// A credential helper in a folder of its own; returns the PATH that has it.
    std::string helper(const std::string& name, const std::string& script)
    {
        const auto program = std::filesystem::path(folder("bin")) / ("docker-credential-" + name);
        write_file(program, "#!/bin/sh\n" + script);
        std::filesystem::permissions(program, std::filesystem::perms::owner_all);
        return folder("bin") + ":/usr/bin:/bin";
    }

    fake_registry registry;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(options_and_environment, fixture)

BOOST_AUTO_TEST_CASE(user_and_password)
{
    check_works({"-u", user, "-p", password});
    check_works({"--user", user, "--password", password});
    check_works({}, {{"REGISTRY_USER", user}, {"REGISTRY_PASSWORD", password}});
    check_works({"-u", user}, {{"REGISTRY_USER", "bob"}, {"REGISTRY_PASSWORD", password}});
    check_works({"-u", user, "-p", password}, {{"REGISTRY_PASSWORD", "wrong"}});
}

BOOST_AUTO_TEST_CASE(password_from_standard_input)
{
    for (const char* end : {"", "\n", "\r\n"})
        check_works({"-u", user, "--password-stdin"}, {}, password + end);
    check_works({"-u", user, "--password-stdin"}, {{"REGISTRY_PASSWORD", "wrong"}}, password);
    check_fails(refresh({"-u", user, "--password-stdin"}), 2, {"no password for user 'alice'"});
    check_fails(refresh({"--password-stdin"}, {}, password), 2, {"--password-stdin", "--user"});
    check_fails(refresh({"-u", user, "--password-stdin", "--repos-from", "-"}, {}, password), 2, {"standard input"});
}

BOOST_AUTO_TEST_CASE(a_user_without_password_is_asked_for_one)
{
    check_fails(refresh({"-u", user}), 2, {"no password for user 'alice'", "REGISTRY_PASSWORD", "--password-stdin"});
}

BOOST_AUTO_TEST_CASE(basic_goes_out_at_once_unless_digest_is_wanted)
{
    const std::vector<std::string> who = {"-u", user, "-p", password};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), who.begin(), who.end());
        return more;
    };
    for (const auto& args : {who, with({"--digest-auth", "no"}), with({"--digest-auth=false"})}) {
        check_works(args);
        BOOST_TEST(sent_unasked(), shown(args));
    }
    check_works(who, {{"REGISTRY_USE_DIGEST_AUTH", "0"}});
    check_works(with({"--digest-auth", "no"}), {{"REGISTRY_USE_DIGEST_AUTH", "1"}});
    for (const auto& args : {with({"--digest-auth"}), with({"--digest-auth", "yes"}), with({"--digest-auth=1"}),
                             with({"--digest-auth", "--count"})}) {
        check_fails(refresh(args), 1, {"another login than HTTP Digest", "leave --digest-auth out"});
        BOOST_TEST(!sent_unasked(), shown(args));
    }
    BOOST_TEST(refresh(who, {{"REGISTRY_USE_DIGEST_AUTH", "yes"}}).exit_code == 1);
    BOOST_TEST(!sent_unasked());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(files, fixture)

BOOST_AUTO_TEST_CASE(each_file_in_its_place)
{
    write_file(std::filesystem::path(folder("docker")) / "config.json", login());
    check_works({}, {{"DOCKER_CONFIG", file("docker").string()}});
    check_works({}, {{"REGISTRY_AUTH_FILE", (file("docker") / "config.json").string()}});
    write_file(std::filesystem::path(folder("run/containers")) / "auth.json", login());
    check_works({}, {{"XDG_RUNTIME_DIR", file("run").string()}});
    write_file(std::filesystem::path(folder("config/containers")) / "auth.json", login());
    check_works({}, {{"XDG_CONFIG_HOME", file("config").string()}});
    write_file(std::filesystem::path(folder(".docker")) / "config.json", login());
    check_works({});
}

BOOST_AUTO_TEST_CASE(options_come_first)
{
    write_file(std::filesystem::path(folder(".docker")) / "config.json",
               auths("{\"username\": \"alice\", \"password\": \"wrong\"}"));
    check_works({"-u", user, "-p", password});
    check_fails(refresh(), 1, {"user 'alice'", ".docker/config.json", "auths[\"" + registry.address() + "\"]"});
}

BOOST_AUTO_TEST_CASE(a_missing_or_broken_file)
{
    check_fails(refresh({}, {{"REGISTRY_AUTH_FILE", file("none.json").string()}}), 1, {file("none.json").string()});
    write_file(file("broken.json"), "{\"auths\": {\n  \"x\": tru");
    check_fails(refresh({}, {{"REGISTRY_AUTH_FILE", file("broken.json").string()}}), 1,
                {file("broken.json").string(), "line 2"});
}

BOOST_AUTO_TEST_CASE(a_registry_token_is_sent_as_it_is)
{
    write_file(file("auth.json"), auths("{\"registrytoken\": \"ready-made\"}"));
    check_fails(refresh({}, {{"REGISTRY_AUTH_FILE", file("auth.json").string()}}), 1,
                {"a registry token", "it may have expired"});
    BOOST_TEST(registry.log().at(0).authorization == "Bearer ready-made");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(helpers, fixture)

BOOST_AUTO_TEST_CASE(for_one_registry_and_for_all)
{
    const std::string path =
        helper("vault", "read server\n[ \"$1\" = get ] || exit 1\n[ \"$server\" = " + registry.address() +
                            " ] || { echo credentials not found; exit 1; }\n"
                            "echo '{\"Username\": \"alice\", \"Secret\": \"" +
                            password + "\"}'\n");
    write_file(file("one.json"), "{\"credHelpers\": {\"" + registry.address() + "\": \"vault\"}}");
    write_file(file("all.json"), "{\"credsStore\": \"vault\"}");
    for (const char* name : {"one.json", "all.json"})
        check_works({}, {{"REGISTRY_AUTH_FILE", file(name).string()}, {"PATH", path}});
}

BOOST_AUTO_TEST_CASE(one_that_knows_nothing_leaves_the_file)
{
    const std::string path = helper("empty", "echo 'credentials not found in native keychain'; exit 1\n");
    write_file(file("auth.json"), "{\"credsStore\": \"empty\", \"auths\": {\"" + registry.address() +
                                      "\": {\"auth\": \"" + base64(user + ":" + password) + "\"}}}");
    check_works({}, {{"REGISTRY_AUTH_FILE", file("auth.json").string()}, {"PATH", path}});
}

BOOST_AUTO_TEST_CASE(one_that_fails_or_is_missing)
{
    write_file(file("auth.json"), "{\"credsStore\": \"broken\"}");
    const std::string path = helper("broken", "echo 'the keychain is locked' >&2; exit 1\n");
    check_fails(refresh({}, {{"REGISTRY_AUTH_FILE", file("auth.json").string()}, {"PATH", path}}), 1,
                {"docker-credential-broken", "the keychain is locked"});
    check_fails(refresh({}, {{"REGISTRY_AUTH_FILE", file("auth.json").string()}, {"PATH", "/usr/bin:/bin"}}), 1,
                {"docker-credential-broken"});
}

BOOST_AUTO_TEST_SUITE_END()
