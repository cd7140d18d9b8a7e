// What is asked on a terminal: whether to delete, a password, the passphrase of a key; and what a pipe is to bring.
#include "common/fake_registry.hpp"
#include "integration/program.hpp"
#include "integration/pseudo_terminal.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <thread>

using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* interrupt = "\x03";

struct fixture : sandbox
{
    void serve(fake_options options = {})
    {
        registry = std::make_unique<fake_registry>(std::move(options));
        for (const char* tag : {"1", "2", "3"})
            registry->put_image("app", tag, tag);
        registry->start();
    }

    process_options program(std::vector<std::string> args, const sandbox::variables& env = {})
    {
        args.insert(args.end(), {"--registry", registry->url(), "--cache", file("i.db").string(), "--retries", "0"});
        return command(args, env);
    }

    process_options removal() { return program({"remove-tags", "-r", "app", "-t", "2", "--refresh"}); }

    bool holds(const std::string& tag) { return registry->snapshot()["app"].contains(tag); }
    std::size_t deletions() { return registry->requests("DELETE", "/"); }

    std::unique_ptr<fake_registry> registry;
};

fake_options with_password()
{
    fake_options out;
    out.auth.kind = fake_auth_kind::basic;
    out.auth.user = "alice";
    out.auth.password = "open-sesame";
    return out;
}

/// Waits until the program is so far that it has to see to signals itself.
bool blocks_interruptions(process& of)
{
    const auto both = (1UL << (SIGINT - 1)) | (1UL << (SIGTERM - 1));
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (of.running() && std::chrono::steady_clock::now() < end) {
        std::ifstream status("/proc/" + std::to_string(of.pid()) + "/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("SigBlk:") && (std::stoul(line.substr(7), nullptr, 16) & both) == both)
                return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(prompts, fixture)

BOOST_AUTO_TEST_CASE(nothing_is_deleted_unless_the_answer_is_yes)
{
    serve();
    for (const char* answer : {"n\n", "\n", "no\n", "yep\n", "\x04"}) {
        on_terminal asked(removal());
        BOOST_TEST_REQUIRE(asked.wait_for("? [y/N] "), asked.shown());
        BOOST_TEST(asked.shown().find("Delete 1 ") != std::string::npos, asked.shown());
        BOOST_TEST(deletions() == 0U);
        asked.type(answer);
        BOOST_TEST(asked.wait() == 1, asked.shown());
        BOOST_TEST(asked.shown().find("nothing was deleted") != std::string::npos, asked.shown());
        BOOST_TEST(deletions() == 0U);
        BOOST_TEST(holds("2"));
    }
}

BOOST_AUTO_TEST_CASE(yes_goes_on)
{
    for (const char* answer : {"y\n", "Y\n", "yes\n"}) {
        serve();
        on_terminal asked(removal());
        BOOST_TEST_REQUIRE(asked.wait_for("? [y/N] "), asked.shown());
        BOOST_TEST(deletions() == 0U);
        asked.type(answer);
        BOOST_TEST(asked.wait() == 0, asked.shown());
        BOOST_TEST(deletions() == 1U);
        BOOST_TEST(!holds("2"));
        BOOST_TEST(holds("1"));
    }
}

BOOST_AUTO_TEST_CASE(an_interruption_is_no_answer)
{
    serve();
    on_terminal asked(removal());
    BOOST_TEST_REQUIRE(asked.wait_for("? [y/N] "), asked.shown());
    asked.type(interrupt);
    BOOST_TEST(asked.wait() == 130, asked.shown());
    BOOST_TEST(deletions() == 0U);
}

BOOST_AUTO_TEST_CASE(an_interruption_ends_the_wait_for_a_pipe)
{
    serve();
    const std::string pipe = file("pipe").string();
    BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    const int silent = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC); // so that it neither blocks nor ends
    BOOST_TEST_REQUIRE(silent >= 0);
    const std::vector<std::vector<std::string>> waiting = {
        {"refresh", "--repos-from", "-"},
        {"refresh", "--repos-from", pipe},
        {"refresh", "--user", "alice", "--password-stdin"},
        {"prune", "--policy", "-", "--yes"},
        {"prune", "--policy", pipe, "--yes"},
        {"prune", "--remove", "*", "--in-use", "-", "--yes"},
        {"apply", pipe, "--yes"},
        {"bench", "--op", "delete", "--plan", pipe, "--yes-delete"},
        {"bench", "--compare", pipe},
    };
    for (const auto& args : waiting)
        for (const int number : {SIGINT, SIGTERM}) {
            auto shell = program(args);
            shell.args.insert(shell.args.begin(), {"sh", "-c", "exec \"$0\" \"$@\" <'" + pipe + "'"});
            process reader(shell);
            BOOST_TEST_REQUIRE(blocks_interruptions(reader), shown(args));
            reader.signal(number);
            const auto done = reader.wait(20s);
            BOOST_TEST(!done.killed, shown(args));
            BOOST_TEST(done.exit_code == 130, shown(args) << ": " << done.err);
        }
    ::close(silent);
    BOOST_TEST(registry->requests("", "/") == 0U);
    BOOST_TEST(!std::filesystem::exists(file("i.db")));
}

BOOST_AUTO_TEST_CASE(nobody_is_asked_who_has_said_yes)
{
    serve();
    auto args = removal();
    args.args.emplace_back("--yes");
    on_terminal asked(args);
    BOOST_TEST(asked.wait() == 0, asked.shown());
    BOOST_TEST(asked.shown().find("[y/N]") == std::string::npos, asked.shown());
    BOOST_TEST(!holds("2"));
}

BOOST_AUTO_TEST_CASE(a_password_is_not_shown)
{
    serve(with_password());
    on_terminal asked(program({"refresh", "--user", "alice"}));
    BOOST_TEST_REQUIRE(asked.wait_for("Password of alice at "), asked.shown());
    BOOST_TEST(!asked.echoes());
    asked.type("open-sesame\n");
    BOOST_TEST(asked.wait() == 0, asked.shown());
    BOOST_TEST(asked.shown().find("open-sesame") == std::string::npos, asked.shown());
    BOOST_TEST(registry->requests("HEAD", "/v2/app/manifests/") == 3U);
}

BOOST_AUTO_TEST_CASE(a_wrong_password_is_not_shown_either)
{
    serve(with_password());
    on_terminal asked(program({"refresh", "--user", "alice"}));
    BOOST_TEST_REQUIRE(asked.wait_for("Password of alice at "), asked.shown());
    asked.type("close-sesame\n");
    BOOST_TEST(asked.wait() == 1, asked.shown());
    BOOST_TEST(asked.shown().find("close-sesame") == std::string::npos, asked.shown());
}

BOOST_AUTO_TEST_CASE(an_interruption_gives_the_echo_back)
{
    serve(with_password());
    // The shell keeps the terminal open, and tells the program's exit status.
    auto args = program({"refresh", "--user", "alice"});
    args.args.insert(args.args.begin(), {"sh", "-c", "trap : INT; \"$0\" \"$@\"; echo status $?; read line"});
    on_terminal asked(args);
    BOOST_TEST_REQUIRE(asked.wait_for("Password of alice at "), asked.shown());
    BOOST_TEST(!asked.echoes());
    asked.type(interrupt);
    BOOST_TEST(asked.wait_for("status 130"), asked.shown());
    BOOST_TEST(asked.echoes());
    BOOST_TEST(registry->requests("", "/") == 0U);
}

BOOST_AUTO_TEST_CASE(a_passphrase_is_not_shown)
{
    const auto made = make_certificates();
    write_file(file("ca.pem"), made.ca);
    write_file(file("client.pem"), made.client_certificate);
    write_file(file("client.key"), made.client_key);
    const auto locked =
        regsweep::test::run({.args = {"openssl", "pkcs8", "-topk8", "-v2", "aes256", "-in", file("client.key").string(),
                                      "-out", file("locked.key").string(), "-passout", "pass:open-sesame"}});
    BOOST_TEST_REQUIRE(locked.exit_code == 0, locked.err);
    fake_options options;
    options.certificate = made.server_certificate;
    options.key = made.server_key;
    options.client_ca = made.ca;
    serve(options);
    on_terminal asked(program({"refresh", "--verify", file("ca.pem").string(), "--client-cert",
                               file("client.pem").string(), "--client-key", file("locked.key").string()}));
    BOOST_TEST_REQUIRE(asked.wait_for("Passphrase of " + file("locked.key").string()), asked.shown());
    BOOST_TEST(!asked.echoes());
    asked.type("open-sesame\n");
    BOOST_TEST(asked.wait() == 0, asked.shown());
    BOOST_TEST(asked.shown().find("open-sesame") == std::string::npos, asked.shown());
    BOOST_TEST(registry->requests("HEAD", "/v2/app/manifests/") == 3U);
}

BOOST_AUTO_TEST_SUITE_END()
