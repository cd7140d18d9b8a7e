// What a message says to do next, where a first try goes wrong in ways that say little by themselves.
#include "common/fake_registry.hpp"
#include "integration/checks.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>

using namespace regsweep::test;

namespace {

struct beginner : sandbox
{
    void serve(const fake_options& options = {})
    {
        registry = std::make_unique<fake_registry>(options);
        registry->put_image("team/api", "1.0", "one");
        registry->put_image("team/api", "stable", "one");
        registry->put_image("prod/api", "1.0", "one");
        registry->start();
    }
    process_result ask(std::vector<std::string> args, const sandbox::variables& env = {},
                       const std::string& input = {}) const
    {
        args.insert(args.begin(), {"-reg", registry->address(), "--retries", "0"});
        return run(args, env, input);
    }
    /// Types what stands behind `undo` into a shell.
    process_result undo(const process_result& done) const
    {
        static const std::string head = "undo      regsweep ";
        auto typed = command({});
        for (const auto& line : lines(done.out))
            if (line.starts_with(head))
                typed.args = {"sh", "-c", program_under_test() + " " + line.substr(head.size())};
        BOOST_TEST_REQUIRE(typed.args.front() == "sh", done.out << done.err);
        return regsweep::test::run(typed);
    }
    std::size_t tags(const std::string& repository) const { return registry->snapshot()[repository].size(); }

    std::unique_ptr<fake_registry> registry;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(hints, beginner)

BOOST_AUTO_TEST_CASE(plain_http_on_a_tls_port)
{
    serve();
    registry->add_rule("", "/_catalog",
                       fake_action::answer(400, {}, "Client sent an HTTP request to an HTTPS server.\n"));
    check_fails(ask({"refresh"}), 1, {"if this port is https, write https://" + registry->address(), "doctor"});
}

BOOST_AUTO_TEST_CASE(a_missing_login_is_all_that_is_told)
{
    fake_options options;
    options.auth.kind = fake_auth_kind::basic;
    options.auth.user = "user";
    options.auth.password = "password";
    serve(options);
    const auto done = ask({"refresh"});
    check_fails(done, 1, {"no credentials were found", "--user"});
    BOOST_TEST(done.err.find("--repos-from") == std::string::npos, done.err);
}

BOOST_AUTO_TEST_CASE(a_plan_without_steps_says_why)
{
    serve();
    const auto none = ask({"remove-tags", "-r", "team/api", "-t", "2.0", "--dry-run"});
    BOOST_TEST(none.exit_code == 0);
    check_says(none.err, {"nothing in the index matches", "list-tag-names"});
    const auto kept = ask({"remove-tags", "-r", "team/api", "-t", "1.0", "--dry-run", "--no-raise-intersecting-repo"});
    BOOST_TEST(kept.exit_code == 0);
    check_says(kept.err, {"what matches has to stay", "query-tags", "--explain"});
    const std::vector<std::vector<std::string>> some = {
        {"remove-tags", "-r", "team/api", "prod/api", "-re", "", "--dry-run"},
        {"remove-tags", "-r", "team/api", "-t", "stable", "--untag", "--dry-run"},
        {"remove-tags", "-r", "team/api", "-t", "stable", "--untag", "--yes"}};
    for (const auto& args : some) {
        const auto done = ask(args);
        BOOST_TEST(done.exit_code == 0, shown(args) << ": " << done.err);
        BOOST_TEST(done.err.find("matches") == std::string::npos, shown(args) << ": " << done.err);
    }
}

BOOST_AUTO_TEST_CASE(words_that_select_nothing_are_told)
{
    serve();
    const std::vector<std::pair<std::string, std::string>> words = {
        {"<", "'<' is neither"},
        {"", "'' is neither"},
        {"<>1", "'<>1' is neither a tag nor a version; write"},
        {"> 1", "'> 1' is neither"},
        {"=1.0", "'=1.0' is neither a tag nor a version (did you mean '==1.0'?)"},
        {"=>1.0", "(did you mean '>=1.0'?)"},
        {"=<1.0", "(did you mean '<=1.0'?)"},
        {"dev-*", "'dev-*' is neither"}};
    for (const auto& [word, said] : words)
        for (const std::string option : {"-t", "-x"}) {
            const auto done = ask(
                {"query-tags", "-r", "team/api", option, word, "-re", "no-such-tag", "--no-raise-intersecting-repo"});
            BOOST_TEST(done.exit_code == 0, done.err);
            check_says(done.err, {"warning: " + option + ": ", said, "as in '>=1.2'"});
        }
    for (const std::string word : {"1.0", "<1", ">=v1", "<=2.0.0-rc.2", "==latest", ">A", "_x", "<1.2+b"}) {
        const auto done = ask({"query-tags", "-r", "nope", "-t", word, "-x", word});
        BOOST_TEST(done.err.find("is neither") == std::string::npos, done.err);
    }
}

BOOST_AUTO_TEST_CASE(every_command_warns_of_an_unknown_repository)
{
    serve();
    const std::vector<std::vector<std::string>> commands = {{"list-tag-names", "team/api", "nope"},
                                                            {"query-repos", "-r", "nope"}};
    for (const auto& args : commands) {
        const auto done = ask(args);
        BOOST_TEST(done.exit_code == 0, done.err);
        check_says(done.err, {"warning: the index has no repository 'nope'; list-repo-names"});
        BOOST_TEST(done.err.find("'team/api'") == std::string::npos, done.err);
    }
}

BOOST_AUTO_TEST_CASE(a_part_of_nothing_is_refused)
{
    serve();
    check_fails(ask({"--repo", "", "refresh"}), 2, {"--repo: is empty", "'team/*'"});
    write_file(file("names"), "# team/api\n\n  \n");
    check_fails(ask({"--repos-from", "names", "refresh"}), 1,
                {"--repos-from: names names no repository", "one a line"});
    check_fails(ask({"--repos-from", "-", "refresh"}), 1, {"standard input names no repository"});
    check_fails(ask({"--repos-from", "/", "refresh"}), 1, {"--repos-from: / cannot be read", "folder"});
    BOOST_TEST(!std::filesystem::exists(cache_folder()));
    BOOST_TEST(registry->requests("", "/") == 0U);
}

BOOST_AUTO_TEST_CASE(undo_is_of_the_journal_that_has_the_run)
{
    serve();
    registry->put_image("solo", "1", "two");
    BOOST_TEST(ask({"remove-repos", "-r", "solo"}).exit_code == 0); // run 1 of the whole registry
    write_file(file("names"), "team/api\n");
    write_file(file("config.yaml"), "registries: {mine: {address: '" + registry->url() + "', repos: 'team/*'}}\n");
    std::filesystem::permissions(file("config.yaml"), std::filesystem::perms::owner_read);
    const sandbox::variables elsewhere = {{"XDG_CACHE_HOME", file("it's a cache").string()}};
    const std::vector<std::vector<std::string>> parts = {{"--repo", "team/*"},
                                                         {"--repos-from", "names"},
                                                         {"--repos-from", "-"},
                                                         {"--repo", "t*", "-c", "x.db"},
                                                         {"-c", "None", "--repo", "team/*"},
                                                         {"-reg", "mine", "--config", "config.yaml"}};
    for (auto args : parts)
        BOOST_TEST_CONTEXT(shown(args))
        {
            args.insert(args.end(), {"remove-tags", "-r", "team/api", "-re", "", "--no-raise-intersecting-repo"});
            const bool named = args.front() == "-reg";
            const auto done = named ? run(args, elsewhere) : ask(args, elsewhere, "team/api\n");
            BOOST_TEST(done.exit_code == 0, done.err);
            BOOST_TEST(tags("team/api") == 0U, done.err);
            const auto undone = undo(done);
            BOOST_TEST(undone.exit_code == 0, undone.err);
            BOOST_TEST(tags("team/api") == 2U, undone.out << undone.err);
            BOOST_TEST(tags("solo") == 0U);
        }
}

BOOST_AUTO_TEST_CASE(restore_last_again_takes_back_the_run_before)
{
    serve();
    for (const std::string name : {"one", "two"}) {
        registry->put_image(name, "1", "image " + name);
        BOOST_TEST(ask({"remove-repos", "-r", name, "--refresh", "--no-raise-intersecting-repo"}).exit_code == 0);
        BOOST_TEST(tags(name) == 0U);
    }
    for (int again = 0; again != 2; ++again) {
        BOOST_TEST(ask({"restore", "2"}).exit_code == 0);
        BOOST_TEST(tags("two") == 1U);
        BOOST_TEST(tags("one") == 0U);
    }
    BOOST_TEST(ask({"restore", "last"}).exit_code == 0);
    BOOST_TEST(tags("one") == 1U);
}

BOOST_AUTO_TEST_CASE(a_plan_that_cannot_be_read_says_why)
{
    serve();
    write_file(file("plan.json"), "{}");
    const std::vector<std::pair<std::string, std::string>> plans = {{"nowhere.json", "No such file or directory"},
                                                                    {".", "Is a directory; name a file, not a folder"},
                                                                    {"plan.json/x", "Not a directory"}};
    for (const auto& [name, why] : plans) {
        check_fails(ask({"apply", name}), 1, {"'" + name + "'", why});
        check_fails(ask({"bench", "--op", "delete", "--yes-delete", "--plan", name}), 1, {"'" + name + "'", why});
    }
    BOOST_TEST(registry->requests("DELETE", "/") == 0U);
}

BOOST_AUTO_TEST_CASE(a_wrong_expression_is_wrong_usage)
{
    serve();
    for (const std::string command : {"query-tags", "remove-tags"})
        for (const std::string option : {"-re", "-xre"})
            check_fails(ask({"-q", command, "-r", "team/api", option, "(", "-t", "1.0"}), 2,
                        {"regular expression \"(\"", "offset 1", "parenthesis"});
}

BOOST_AUTO_TEST_CASE(a_conflict_names_the_option)
{
    serve();
    check_fails(ask({"-q", "query-tags", "-r", "team/api", "-re", ""}), 1,
                {"prod/api:1.0", "--no-raise-intersecting-repo"});
}

BOOST_AUTO_TEST_SUITE_END()
