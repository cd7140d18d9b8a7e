// No secret is written anywhere: every login, at every log level and in every form of output, on paths that succeed
// and paths that fail.
#include "common/fake_registry.hpp"
#include "common/server_program.hpp"
#include "integration/checks.hpp"

#include <boost/test/unit_test.hpp>

#include <openssl/evp.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>

using namespace regsweep::test;

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

const std::string user = "alice";
const std::string password = "pa55-of-alice";
const std::string wrong = "wr0ng-of-alice";
const std::string identity = "identity-t0ken";
const std::string ready_made = "registry-t0ken";
const std::string passphrase = "pa55-of-the-key";
const std::string proxy_password = "pa55-of-the-proxy";

/// A login, and how the registry takes it.
struct scenario
{
    std::string name;
    fake_auth_kind kind;
    std::vector<std::string> args;
    sandbox::variables env;
};

struct fixture : sandbox
{
    fixture()
    {
        write_file(file("identity.json"), auths("{\"identitytoken\": \"" + identity + "\"}"));
        write_file(file("token.json"), auths("{\"registrytoken\": \"" + ready_made + "\"}"));
        write_file(file("login.json"), auths("{\"auth\": \"" + base64(user + ":" + password) + "\"}"));
        secrets = {password,
                   wrong,
                   base64(user + ":" + password),
                   base64(user + ":" + wrong),
                   identity,
                   ready_made,
                   passphrase,
                   proxy_password,
                   base64("proxy:" + proxy_password)};
    }

    /// For every registry on this machine, whatever its port.
    std::string auths(const std::string& entry) const { return "{\"auths\": {\"{address}\": " + entry + "}}"; }

    void serve(fake_auth_kind kind)
    {
        fake_options options;
        options.auth.kind = kind;
        options.auth.user = user;
        options.auth.password = password;
        options.auth.refresh_token = identity;
        registry = std::make_unique<fake_registry>(options);
        registry->put_image("a", "1", "one");
        registry->put_image("a", "2", "two");
        registry->start();
        for (const char* name : {"identity.json", "token.json", "login.json"}) {
            std::string text = read_file(file(name));
            const auto place = text.find("{address}");
            if (place != std::string::npos)
                text.replace(place, 9, registry->address());
            write_file(file(std::string("now-") + name), text);
        }
    }

    void check_text(const std::string& text, const std::string& where)
    {
        for (const auto& one : secrets)
            BOOST_TEST(text.find(one) == std::string::npos, "'" << one << "' is in " << where << " of " << shown(last));
    }

    void check_run(std::vector<std::string> args, const sandbox::variables& env)
    {
        args.insert(args.end(), {"-reg", registry->address(), "-c", file("i.db").string(), "--retries", "0"});
        last = args;
        const auto done = run(args, env);
        ++(done.exit_code == 0 ? good : bad);
        // Tokens that were handed out meanwhile are secrets, too.
        for (const auto& request : registry->log())
            if (request.authorization.starts_with("Bearer "))
                secrets.insert(request.authorization.substr(7));
        registry->clear_log();
        check_text(done.out, "standard output");
        check_text(done.err, "standard error");
    }

    void check_files()
    {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(file("."))) {
            if (!entry.is_regular_file() || entry.path().extension() == ".json")
                continue;
            check_text(read_file(entry.path()), entry.path().filename().string());
            ++files;
        }
        for (const char* name : {"plan.json", "cache.json"})
            if (std::filesystem::exists(file(name)))
                check_text(read_file(file(name)), name);
    }

    void check_scenario(const scenario& one)
    {
        serve(one.kind);
        const auto all = [&](std::vector<std::string> command) {
            command.insert(command.end(), one.args.begin(), one.args.end());
            return command;
        };
        for (const char* level : {"debug", "info", "warning", "error"})
            check_run(all({"refresh", "-l", level}), one.env);
        for (const char* form : {"text", "json"}) {
            check_run(all({"refresh", "--output", form, "-l", "debug"}), one.env);
            check_run(all({"remove-tags", "-r", "a", "-t", "1", "--yes", "--output", form, "-l", "debug", "--plan-out",
                           file("plan.json").string()}),
                      one.env);
            check_run(all({"journal", "--output", form, "-l", "debug"}), one.env);
            check_run(all({"restore", "last", "--output", form, "-l", "debug"}), one.env);
            check_files();
        }
        // Requests that fail in other ways: a redirect elsewhere, nonsense, an end in the middle.
        for (const auto& action :
             {fake_action::redirect(302, "http://127.0.0.1:1/elsewhere"), fake_action::answer(500, {}, "no"),
              fake_action::answer(403), fake_action::close_after(10), fake_action::answer(200, {}, "{")}) {
            registry->clear_rules();
            registry->add_rule("", "/v2/", action);
            check_run(all({"refresh", "-l", "debug"}), one.env);
        }
        registry->clear_rules();
    }

    std::unique_ptr<fake_registry> registry;
    std::set<std::string> secrets;
    std::vector<std::string> last;
    int good = 0;
    int bad = 0;
    int files = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(secrets, fixture)

BOOST_AUTO_TEST_CASE(basic)
{
    check_scenario({"options", fake_auth_kind::basic, {"-u", user, "-p", password}, {}});
    BOOST_TEST(good >= 12);
    BOOST_TEST(bad >= 5);
    BOOST_TEST(files > 0);
}

BOOST_AUTO_TEST_CASE(basic_wrong)
{
    check_scenario({"wrong", fake_auth_kind::basic, {"-u", user}, {{"REGISTRY_PASSWORD", wrong}}});
    BOOST_TEST(bad >= 10);
}

BOOST_AUTO_TEST_CASE(tokens)
{
    check_scenario({"token", fake_auth_kind::bearer, {"-u", user, "-p", password}, {}});
    BOOST_TEST(good >= 12);
    BOOST_TEST(secrets.size() > 10U, "no token was seen");
}

BOOST_AUTO_TEST_CASE(tokens_wrong)
{
    check_scenario({"wrong", fake_auth_kind::bearer, {"-u", user}, {{"REGISTRY_PASSWORD", wrong}}});
    BOOST_TEST(bad >= 10);
}

BOOST_AUTO_TEST_CASE(files_of_docker)
{
    check_scenario(
        {"identity", fake_auth_kind::bearer, {}, {{"REGISTRY_AUTH_FILE", file("now-identity.json").string()}}});
    BOOST_TEST(good >= 12);
    check_scenario({"login", fake_auth_kind::basic, {}, {{"REGISTRY_AUTH_FILE", file("now-login.json").string()}}});
    BOOST_TEST(good >= 24);
    check_scenario(
        {"ready made", fake_auth_kind::basic, {}, {{"REGISTRY_AUTH_FILE", file("now-token.json").string()}}});
}

BOOST_AUTO_TEST_CASE(files_that_are_broken_and_helpers_that_talk)
{
    serve(fake_auth_kind::basic);
    for (const std::string& text :
         {"{\"auths\": {\"x\": {\"auth\": \"" + base64(user + ":" + password) + "\"}",
          "{\"auths\": {\"" + registry->address() + "\": {\"auth\": \"" + password + "!!\"}}}",
          "{\"auths\": {\"" + registry->address() + "\": {\"identitytoken\": [\"" + identity + "\"]}}}"}) {
        write_file(file("broken.json"), text);
        check_run({"refresh", "-l", "debug"}, {{"REGISTRY_AUTH_FILE", file("broken.json").string()}});
    }
    write_file(file("helper.json"), "{\"credsStore\": \"loud\"}");
    for (const std::string& script : {"echo '{\"Username\": \"alice\", \"Secret\": \"" + wrong + "\"}'\n",
                                      "echo '{\"Username\": \"alice\", \"Secret\": \"" + wrong + "\"'\n",
                                      "echo '{\"Secret\": \"" + wrong + "\"}' >&2; exit 1\n"}) {
        std::filesystem::create_directories(file("bin"));
        const auto program = file("bin") / "docker-credential-loud";
        write_file(program, "#!/bin/sh\n" + script);
        std::filesystem::permissions(program, std::filesystem::perms::owner_all);
        check_run({"refresh", "-l", "debug"}, {{"REGISTRY_AUTH_FILE", file("helper.json").string()},
                                               {"PATH", file("bin").string() + ":/usr/bin:/bin"}});
    }
    BOOST_TEST(bad == 6);
}

BOOST_AUTO_TEST_CASE(addresses_and_proxies_with_passwords)
{
    serve(fake_auth_kind::none);
    const auto check = [&](const std::string& address, const sandbox::variables& env) {
        last = {"refresh", "-reg", address};
        const auto done = run({"refresh", "-reg", address, "-c", "None", "-l", "debug", "--retries", "0"}, env);
        BOOST_TEST(done.exit_code != 0);
        check_text(done.out, "standard output");
        check_text(done.err, "standard error");
    };
    check("http://alice:" + password + "@" + registry->address(), {});
    check("alice:" + password + "@" + registry->address(), {});
    check("https://alice:" + password + "@[broken", {});
    const std::string elsewhere = "http://0x7f.1:" + std::to_string(registry->port());
    for (const char* proxy : {"http://proxy:{}@127.0.0.1:1", "socks5://proxy:{}@127.0.0.1:1", "http://proxy:{}@[broken",
                              "proxy:{}@127.0.0.1:x"}) {
        std::string value = proxy;
        value.replace(value.find("{}"), 2, proxy_password);
        check(elsewhere, {{"http_proxy", value}});
    }
    const server_program front(tinyproxy({"proxy", "another"}));
    check(elsewhere, {{"http_proxy", "http://proxy:" + proxy_password + "@" + front.address()}});
}

BOOST_AUTO_TEST_SUITE_END()
