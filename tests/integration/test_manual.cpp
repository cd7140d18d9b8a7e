// The manual's pages and the shells' completions come from the program's own commands and options.
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>
#include <set>

using namespace regsweep::test;

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

const fs::path root = fs::path(TEST_DATA_DIR).parent_path();

bool installed(const std::string& program)
{
    return run({.args = {"sh", "-c", "command -v " + program}}).exit_code == 0;
}

/// What `--help` names: options without -h and --help, and commands.
std::set<std::string> in_help(const std::string& text, const std::regex& what)
{
    std::set<std::string> all;
    for (const auto& line : lines(text)) {
        if (!line.starts_with("  -"))
            continue;
        const std::string names = line.substr(2, line.find("  ", 2) - 2).substr(0, line.find_first_of(" {", 2) - 2);
        for (std::sregex_iterator i(names.begin(), names.end(), what), end; i != end; ++i)
            all.insert(i->str());
    }
    all.erase("--help");
    return all;
}

std::vector<std::string> commands_of(const std::string& help)
{
    std::vector<std::string> all;
    static const std::regex command("^  ([a-z][a-z-]*) .*");
    std::smatch match;
    for (const auto& line : lines(help.substr(help.find("\nSubcommands:\n"))))
        if (std::regex_match(line, match, command))
            all.push_back(match[1].str());
    return all;
}

struct pages
{
    pages()
    {
        fs::create_directory(home.file("man"));
        const auto done = home.run({"__manual", (root / "docs" / "regsweep.1").string(), home.file("man").string()});
        BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    }

    std::string read(const std::string& name) const { return read_file(home.file("man") / name); }

    sandbox home;
};

/// A shell that has read the program's script.
struct shells
{
    shells()
    {
        push_client client(registry.address());
        client.push("team/api", make_image("one"), {"1.0", "1.1"});
        client.push("team/web", make_image("two"), {"2.0"});
        const auto done = home.run({"refresh", "-reg", registry.address()});
        BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
        for (const char* shell : {"bash", "zsh", "fish"})
            write_file(home.file(shell), home.run({"completion", shell}).out);
    }

    /// What bash offers for the last of these words, cut as bash cuts them.
    std::set<std::string> bash(const std::vector<std::string>& words, const std::string& registry_variable = {}) const
    {
        std::string script = "source ./bash; COMP_WORDS=(" + program_under_test();
        for (const auto& word : words)
            script += " '" + word + "'";
        script += "); COMP_CWORD=" + std::to_string(words.size()) +
                  "; _regsweep; for r in \"${COMPREPLY[@]}\"; do echo \"$r\"; done";
        auto options = home.command({}, {{"PATH", "/usr/bin:/bin"}, {"REGISTRY", registry_variable}});
        options.args = {"bash", "--norc", "-c", script};
        const auto done = run(options);
        BOOST_TEST(done.exit_code == 0, done.err);
        BOOST_TEST(done.err == "");
        const auto all = lines(done.out);
        return {all.begin(), all.end()};
    }

    /// What zsh is given to offer, where `compadd` and its like, which need a line being edited, print instead.
    std::set<std::string> zsh(const std::vector<std::string>& words) const
    {
        std::string script = "compdef() { }; _files() { print files }; compset() { }\n"
                             "compadd() { print -l -- \"${(P@)argv[-1]}\" }\n"
                             "source ./zsh; words=(" +
                             program_under_test();
        for (const auto& word : words)
            script += " '" + word + "'";
        script += "); CURRENT=" + std::to_string(words.size() + 1) + "; PREFIX='" + words.back() + "'; _regsweep";
        return offered({"zsh", "-f", "-c", script});
    }

    /// What fish offers for a line, without the descriptions.
    std::set<std::string> fish(const std::string& line) const
    {
        return offered(
            {"fish", "--no-config", "-c",
             "source ./fish; complete -C '" + program_under_test() + " " + line + "' | string replace -r '\\t.*' ''"});
    }

    std::set<std::string> offered(const std::vector<std::string>& shell) const
    {
        auto options = home.command({}, {{"PATH", "/usr/bin:/bin"}});
        options.args = shell;
        const auto done = run(options);
        BOOST_TEST(done.err == "");
        const auto all = lines(done.out);
        return {all.begin(), all.end()};
    }

    real_registry registry;
    sandbox home;
};

using words = std::set<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(manual, pages)

BOOST_AUTO_TEST_CASE(every_command_has_a_page_with_the_options_of_its_help)
{
    static const std::regex long_name("--[a-z][a-z0-9-]*");
    const auto help = home.run({"--help"}).out;
    const auto commands = commands_of(help);
    BOOST_TEST(commands.size() > 10U);
    const auto shown_in = [&](std::string page) {
        page = std::regex_replace(page, std::regex(R"(\\-)"), "-");
        std::set<std::string> all;
        std::string before;
        for (const auto& line : lines(page)) {
            if (before == ".TP" && line.starts_with("\\fB-"))
                for (std::sregex_iterator i(line.begin(), line.end(), long_name), end; i != end; ++i)
                    all.insert(i->str());
            before = line;
        }
        all.erase("--help");
        return all;
    };
    BOOST_TEST(shown_in(read("regsweep.1")) == in_help(help, long_name), boost::test_tools::per_element());
    for (const auto& command : commands) {
        const auto page = read("regsweep-" + command + ".1");
        auto options = in_help(home.run({command, "--help"}).out, long_name);
        if (command == "journal")
            options.merge(in_help(home.run({command, "prune", "--help"}).out, long_name));
        BOOST_TEST(shown_in(page) == options, command);
        const auto name = std::regex_replace(command, std::regex("-"), R"(\-)");
        BOOST_TEST((read("regsweep.1").find(".BR regsweep\\-" + name + " (1)") != std::string::npos), command);
    }
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& file : fs::directory_iterator(home.file("man")))
        ++count;
    BOOST_TEST(count == commands.size() + 1);
}

BOOST_AUTO_TEST_CASE(the_pages_have_no_errors)
{
    for (const auto& file : fs::directory_iterator(home.file("man"))) {
        const std::string name = file.path().string();
        const auto done = run({.args = {"man", "--warnings", "-l", name}, .env = {{"LC_ALL", "C.UTF-8"}}});
        BOOST_TEST(done.exit_code == 0, name);
        BOOST_TEST(done.err == "", name);
        if (!installed("mandoc"))
            continue;
        const auto linted = run({.args = {"mandoc", "-Tlint", "-Werror", name}});
        BOOST_TEST(linted.exit_code == 0, linted.out);
    }
}

BOOST_AUTO_TEST_CASE(a_page_says_what_help_and_prose_say)
{
    const auto page = read("regsweep-remove-tags.1");
    BOOST_TEST((page.find("regsweep\\-remove\\-tags \\- delete ") != std::string::npos), page);
    BOOST_TEST((page.find("\\fB\\-t\\fR, \\fB\\-\\-tags\\fR \\fITAG\\fR|\\fIVERSION\\fR ...\n") != std::string::npos));
    BOOST_TEST((page.find("These tags are lost.\n") != std::string::npos)); // the prose of --no-match-all-tags
    BOOST_TEST((page.find(".SH EXIT STATUS\n") != std::string::npos));
    BOOST_TEST(
        (read("regsweep-du.1").find("\\fBsize\\fR|\\fBunique\\fR|\\fBname\\fR|\\fBtags\\fR") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(prose_that_is_none_is_refused)
{
    write_file(home.file("empty.1"), "");
    write_file(home.file("other.1"), ".TH OTHER 1\n.SH NAME\nother\n");
    for (const char* name : {"empty.1", "other.1", "missing.1"}) {
        const auto done = home.run({"__manual", name, "man"});
        BOOST_TEST(done.exit_code == 1, name);
        BOOST_TEST(count_errors(done.err) == 1U, done.err);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(completions, shells)

BOOST_AUTO_TEST_CASE(bash_completes_commands_options_and_values)
{
    BOOST_TEST((bash({"ref"}) == words{"refresh"}));
    BOOST_TEST((bash({"remove-"}) == words{"remove-repos", "remove-tags"}));
    BOOST_TEST((bash({"-q", "jour"}) == words{"journal"}));
    BOOST_TEST((bash({"journal", "pr"}) == words{"prune"}));
    BOOST_TEST((bash({"refresh", "--res"}) == words{"--resume"}));
    BOOST_TEST((bash({"refresh", "--regi"}) == words{"--registry"}));
    BOOST_TEST((bash({"refresh", "-re"}) == words{"-reg"}));
    BOOST_TEST((bash({"query-tags", "-re"}) == words{"-re", "-reg"}));
    BOOST_TEST((bash({"refresh", "--output", ""}) == words{"json", "table", "text"}));
    BOOST_TEST((bash({"refresh", "--output", "=", "j"}) == words{"json"}));
    BOOST_TEST((bash({"refresh", "--output", "="}) == words{"json", "table", "text"}));
    BOOST_TEST((bash({"bench", "--output", "h"}) == words{"hgrm"}));
    BOOST_TEST((bash({"du", "--sort", "u"}) == words{"unique"}));
    BOOST_TEST((bash({"completion", ""}) == words{"bash", "fish", "zsh"}));
    BOOST_TEST((bash({"restore", "l"}) == words{"last"}));
    BOOST_TEST((bash({"refresh", "--resume", "x"}) == words{}));
    BOOST_TEST((bash({"refresh", "--verify", ""}) == words{})); // files, which bash names itself
    BOOST_TEST(bash({""}).contains("doctor"));
}

BOOST_AUTO_TEST_CASE(bash_completes_names_of_the_index)
{
    const std::string at = registry.address();
    const std::vector<std::string> cut = {"-reg", "127.0.0.1", ":", std::to_string(registry.port())};
    const auto with = [&](std::vector<std::string> rest) {
        rest.insert(rest.begin(), cut.begin(), cut.end());
        return bash(rest);
    };
    BOOST_TEST((with({"query-tags", "-r", ""}) == words{"team/api", "team/web"}));
    BOOST_TEST((with({"query-tags", "-r", "team/a"}) == words{"team/api"}));
    BOOST_TEST((with({"query-tags", "-r", "team/api", "team/w"}) == words{"team/web"}));
    BOOST_TEST((with({"query-tags", "--repo", "=", "team/a"}) == words{"team/api"}));
    BOOST_TEST((with({"query-tags", "-r", "team/api", "-t", ""}) == words{"1.0", "1.1"}));
    BOOST_TEST((with({"query-tags", "-r", "team/api", "team/web", "-t", "1.0", "2"}) == words{"2.0"}));
    BOOST_TEST((with({"query-tags", "-t", ""}) == words{})); // of which repository?
    BOOST_TEST((with({"list-tag-names", "team/w"}) == words{"team/web"}));
    BOOST_TEST((with({"inspect", "team/w"}) == words{"team/web:"}));
    BOOST_TEST((with({"inspect", "team/api", ":", "1.1"}) == words{"1.1"}));
    BOOST_TEST((with({"prune", "-r", "team/w"}) == words{"team/web"}));
    BOOST_TEST((bash({"du", "-r", ""}, at) == words{"team/api", "team/web"}));
    const std::string file =
        (home.cache_folder() / "regsweep" / ("127.0.0.1_" + std::to_string(registry.port()) + ".db")).string();
    BOOST_TEST((bash({"du", "-reg", at, "-c", file, "-r", "team/a"}) == words{"team/api"}));
}

BOOST_AUTO_TEST_CASE(a_registry_may_be_named_in_a_configuration_file)
{
    write_file(home.file("config.yaml"), "registries:\n  here: {address: " + registry.address() + "}\n");
    BOOST_TEST((bash({"--config", "config.yaml", "-reg", "here", "du", "-r", "team/a"}) == words{"team/api"}));
}

BOOST_AUTO_TEST_CASE(nothing_is_said_where_there_is_no_index)
{
    BOOST_TEST((bash({"du", "-r", ""}) == words{}));
    BOOST_TEST((bash({"-reg", "127.0.0.1", ":", "1", "du", "-r", ""}) == words{}));
    BOOST_TEST((bash({"-reg", "a b://", "du", "-r", ""}) == words{}));
    write_file(home.file("broken.db"), "no index");
    BOOST_TEST((bash({"-reg", registry.address(), "-c", "broken.db", "du", "-r", ""}) == words{}));
    BOOST_TEST((bash({"-reg", "127.0.0.1:1", "-c", "None", "du", "-r", ""}) == words{}));
    BOOST_TEST((bash({"--frobnicate", "ref"}) == words{"refresh"}));
}

BOOST_AUTO_TEST_CASE(names_that_a_shell_would_run_are_left_out)
{
    json::object hostile;
    const auto put = [&](const char* repository, const char* tag, char fill) {
        hostile[repository].emplace_object()[tag] = "sha256:" + std::string(64, fill);
    };
    put("a$(touch x)", "1", 'a');
    put("b", "`touch x`", 'b');
    put("c", "1;2", 'c');
    write_file(home.file("hostile.json"), json::serialize(hostile));
    BOOST_TEST((bash({"-reg", "127.0.0.1:1", "-c", "hostile.json", "du", "-r", ""}) == words{"b", "c"}));
    BOOST_TEST(
        (bash({"-reg", "127.0.0.1:1", "-c", "hostile.json", "query-tags", "-r", "b", "c", "-t", ""}) == words{}));
}

BOOST_AUTO_TEST_CASE(descriptions_come_with_the_words_of_other_shells)
{
    const auto done = home.run({"__complete", "fish", "ref"});
    BOOST_TEST(done.out.starts_with("words\nrefresh\tCrawl the registry "), done.out);
    BOOST_TEST(home.run({"__complete", "zsh", "--verify=/t"}).out == "files\n");
    BOOST_TEST(home.run({"__complete", "zsh", "refresh", "--output=j"}).out == "words\n--output=json\n");
}

BOOST_AUTO_TEST_CASE(zsh_completes)
{
    BOOST_TEST((zsh({"ref"}) == words{"refresh"}));
    BOOST_TEST((zsh({"refresh", "--res"}) == words{"--resume"}));
    BOOST_TEST((zsh({"refresh", "--output", "j"}) == words{"json"}));
    BOOST_TEST((zsh({"refresh", "--output=j"}) == words{"--output=json"}));
    BOOST_TEST((zsh({"refresh", "--verify", ""}) == words{"files"}));
    BOOST_TEST((zsh({"-reg", registry.address(), "query-tags", "-r", "team/a"}) == words{"team/api"}));
    BOOST_TEST((zsh({"-reg", registry.address(), "inspect", "team/w"}) == words{"team/web:"}));
    BOOST_TEST((zsh({"frobnicate-"}) == words{}));
}

BOOST_AUTO_TEST_CASE(fish_completes)
{
    BOOST_TEST((fish("ref") == words{"refresh"}));
    BOOST_TEST((fish("refresh --res") == words{"--resume"}));
    BOOST_TEST((fish("refresh --output j") == words{"json"}));
    BOOST_TEST((fish("-reg " + registry.address() + " query-tags -r team/a") == words{"team/api"}));
    BOOST_TEST(fish("refresh --verify ./").contains("./fish")); // a file
}

BOOST_AUTO_TEST_CASE(every_shell_completes_names_of_configured_registries)
{
    write_file(home.file("config.yaml"), "registries:\n  prod: {address: 127.0.0.1:1}\n  test: {address: 127.0.0.1:2}\n"
                                         "  'a;b': {address: 127.0.0.1:3}\n");
    BOOST_TEST((bash({"--config", "config.yaml", "-reg", ""}) == words{"prod", "test"}));
    BOOST_TEST((bash({"--config", "config.yaml", "--registry", "=", "p"}) == words{"prod"}));
    BOOST_TEST((zsh({"--config", "config.yaml", "-reg", "t"}) == words{"test"}));
    BOOST_TEST((zsh({"--config", "config.yaml", "--registry=t"}) == words{"--registry=test"}));
    BOOST_TEST((fish("--config config.yaml -reg p") == words{"prod"}));
    fs::create_directories(home.file(".config/regsweep"));
    fs::rename(home.file("config.yaml"), home.file(".config/regsweep/config.yaml"));
    BOOST_TEST((bash({"list-repo-names", "-reg", "p"}) == words{"prod"}));
    write_file(home.file(".config/regsweep/config.yaml"), "registries: [");
    BOOST_TEST((bash({"-reg", ""}) == words{}));
}

BOOST_AUTO_TEST_CASE(the_scripts_parse_in_their_shells)
{
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const auto done = run({.args = {shell, "-n", home.file(shell).string()}});
        BOOST_TEST(done.exit_code == 0, shell << ": " << done.err);
    }
}

BOOST_AUTO_TEST_SUITE_END()
