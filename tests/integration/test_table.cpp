// `--output table`: what is in the columns, that they are aligned, and who knows it.
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/checks.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep::test;

namespace {

using row = std::vector<std::string>;

/// The cells of a line: they are two blanks apart, or more.
row cells(const std::string& line)
{
    row all;
    std::size_t begin = 0;
    while ((begin = line.find_first_not_of(' ', begin)) != std::string::npos) {
        const auto end = line.find("  ", begin);
        all.push_back(line.substr(begin, end == std::string::npos ? end : end - begin));
        begin = end == std::string::npos ? line.size() : end;
    }
    return all;
}

std::vector<row> rows_of(const std::string& text)
{
    std::vector<row> all;
    for (const auto& line : lines(text))
        all.push_back(cells(line));
    return all;
}

struct tables : sandbox
{
    tables()
    {
        push_client client(registry.address());
        client.push("team/api", one, {"1.0", "1.1"});
        client.push("a/very/long/name/of/a/repository", two, {"2.0"});
    }

    process_result ask(std::vector<std::string> args) const
    {
        args.insert(args.begin(), {"-reg", registry.address(), "-q"});
        return run(args);
    }
    std::string table(std::vector<std::string> args) const
    {
        args.insert(args.end(), {"--output", "table"});
        const auto done = ask(args);
        BOOST_TEST(done.exit_code == 0, done.err);
        return done.out;
    }
    static std::string shortened(const manifest& m) { return m.digest.substr(0, 19); }

    const manifest one = make_image("one");
    const manifest two = make_image("two");
    real_registry registry;
};

const std::string long_name = "a/very/long/name/of/a/repository";

} // namespace

BOOST_FIXTURE_TEST_SUITE(table_output, tables)

BOOST_AUTO_TEST_CASE(lists_have_a_header_and_aligned_columns)
{
    BOOST_TEST((rows_of(table({"list-repo-names"})) ==
                std::vector<row>{{"repository", "tags"}, {long_name, "1"}, {"team/api", "2"}}));
    const auto out = lines(table({"list-tag-names"}));
    BOOST_TEST_REQUIRE(out.size() == 4U);
    BOOST_TEST(out[0].find("digest") == out[1].find(shortened(two)));
    BOOST_TEST(out[0].find("digest") == out[2].find(shortened(one)));
    BOOST_TEST(out[0].find("tag") == out[3].find("1.1"));
    BOOST_TEST((cells(out[1]) == row{long_name, "2.0", shortened(two)}));
    BOOST_TEST(
        lines(table({"list-tag-names", "--image-names"}))[2].starts_with(registry.address() + "/team/api:1.0  "));
    BOOST_TEST(table({"list-tag-names", "--count"}).ends_with("\nNumber of tags: 3\n"));
}

BOOST_AUTO_TEST_CASE(ages_and_sizes_are_shown_once_they_are_known)
{
    BOOST_TEST(ask({"refresh", "--details"}).exit_code == 0);
    const auto out = rows_of(table({"list-tag-names", "team/api"}));
    BOOST_TEST_REQUIRE(out.size() == 3U);
    BOOST_TEST((out[0] == row{"repository", "tag", "digest", "age", "size"}));
    BOOST_TEST_REQUIRE(out[1].size() == 5U);
    BOOST_TEST(std::string("smhdwy").find(out[1][3].back()) != std::string::npos, out[1][3]);
    // The same as du says, which counts in its own way.
    const auto du = rows_of(table({"du", "-r", "team/api", "--tags"}));
    BOOST_TEST_REQUIRE(du.size() == 5U);
    BOOST_TEST(du[2][0] == ":1.0");
    BOOST_TEST(out[1][4] == du[2][1]);
    const auto chosen = rows_of(table({"query-tags", "-r", "team/api", "-re", "1"}));
    BOOST_TEST_REQUIRE(chosen.size() == 3U);
    BOOST_TEST((chosen[1] == out[1]));
    BOOST_TEST((rows_of(table({"query-repos", "-r", "team/api"})) == chosen));
}

BOOST_AUTO_TEST_CASE(an_image_is_shown_by_its_parts)
{
    const auto out = rows_of(table({"inspect", "team/api:1.0"}));
    BOOST_TEST((out[0] == row{"part", "digest", "size", "what"}));
    row parts;
    for (const auto& r : out)
        parts.push_back(r.front());
    BOOST_TEST((parts == row{"part", "manifest", "config", "layer", "tag", "tag", "total"}));
    BOOST_TEST(out[1][1] == shortened(one));
    BOOST_TEST((out[4] == row{"tag", "-", "-", "team/api:1.0"}));
}

BOOST_AUTO_TEST_CASE(the_journal_is_shown_by_runs_and_entries)
{
    BOOST_TEST((rows_of(table({"journal"})).size()) == 1U); // the header alone
    BOOST_TEST(ask({"remove-tags", "-r", "team/api", "-re", "1", "--yes"}).exit_code == 0);
    const auto runs = rows_of(table({"journal"}));
    BOOST_TEST_REQUIRE(runs.size() == 2U);
    BOOST_TEST((runs[0] == row{"run", "age", "state", "done", "gone", "failed", "restored", "open", "command"}));
    BOOST_TEST(runs[1][0] == "1");
    BOOST_TEST(runs[1][2] == "done");
    BOOST_TEST(runs[1][3] == "1");
    BOOST_TEST((rows_of(table({"journal", "1"})) ==
                std::vector<row>{{"repository", "kind", "digest", "state", "tags", "message"},
                                 {"team/api", "delete", shortened(one), "done", "1.0 1.1", "-"}}));
}

BOOST_AUTO_TEST_CASE(wide_characters_take_two_columns)
{
    write_file(file("config.yaml"), "registries:\n  名前: {address: '" + registry.url() + "'}\n");
    const auto done = run({"--config", "config.yaml", "-reg", "名前", "doctor", "--output", "table"});
    const auto out = lines(done.out);
    const auto found =
        std::find_if(out.begin(), out.end(), [](const auto& line) { return line.find("名前") != std::string::npos; });
    BOOST_TEST_REQUIRE((found != out.end()), done.out << done.err);
    BOOST_TEST((cells(out[0]) == row{"verdict", "check", "found", "do"}));
    BOOST_TEST_REQUIRE(found->ends_with("-"), *found);
    BOOST_TEST(found->size() - 1 - 2 == out[0].find("do")); // each of the two has three bytes and takes two columns
    BOOST_TEST(done.out.find("\nusable: ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_load_is_shown_by_operations)
{
    const auto out =
        rows_of(table({"bench", "--op", "mix", "--mix", "head=1,tags=1", "--concurrency", "1,2", "--requests", "40"}));
    BOOST_TEST_REQUIRE(out.size() == 7U);
    BOOST_TEST(out[0].front() == "connections");
    BOOST_TEST(out[3][1] == "all");
    BOOST_TEST(out[3][2] == "40");
    BOOST_TEST(out[6][0] == "2");
}

BOOST_AUTO_TEST_CASE(lines_are_cut_on_a_terminal_only)
{
    const std::string command =
        program_under_test() + " -reg " + registry.address() + " list-tag-names --output table 2>/dev/null";
    auto on_terminal = this->command({});
    on_terminal.args = {"script", "-qec", "stty cols 30; " + command, "/dev/null"};
    const auto cut = lines(regsweep::test::run(on_terminal).out);
    BOOST_TEST_REQUIRE(cut.size() == 4U);
    BOOST_TEST(cut[1].starts_with(long_name.substr(0, 29) + "…"), cut[1]);
    const auto whole = lines(table({"list-tag-names"}));
    BOOST_TEST(whole[1].ends_with(shortened(two)));
}

BOOST_AUTO_TEST_CASE(commands_without_rows_say_so)
{
    for (row command : {row{"refresh"}, row{"apply", "plan.json"}, row{"prune"}, row{"restore", "last"},
                        row{"remove-tags", "-r", "a", "-t", "b"}, row{"remove-repos", "-r", "a"},
                        row{"journal", "prune", "--older-than", "1d"}}) {
        command.insert(command.end(), {"--output", "table"});
        check_fails(ask(command), 2, {"--output table: ", "has no table", "use text or json"});
    }
    check_fails(ask({"query-tags", "-r", "team/api", "-t", "1.0", "--explain", "--output", "table"}), 2, {"--explain"});
}

BOOST_AUTO_TEST_SUITE_END()
