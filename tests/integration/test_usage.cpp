// What a mistyped command line is answered with: one line that names what was most likely meant.
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep::test;

namespace {

struct mistake
{
    std::vector<std::string> args;
    std::string said;
};

} // namespace

BOOST_AUTO_TEST_SUITE(usage)

BOOST_AUTO_TEST_CASE(the_nearest_command_option_or_value_is_suggested)
{
    const std::vector<mistake> mistakes = {
        {{"refrsh"}, "unknown command 'refrsh': did you mean 'refresh'? "},
        {{"frobnicate"}, "unknown command 'frobnicate'; "},
        {{"--regisrty", "localhost", "refrsh"}, "unknown option '--regisrty': did you mean '--registry'? "},
        {{"-reg", "localhost", "refresh", "--resme"}, "unknown option '--resme': did you mean '--resume'? "},
        {{"refresh", "--otput=json"}, "unknown option '--otput': did you mean '--output'? "},
        {{"remove-tags", "-r", "a", "-t", "b", "--dryrun"}, "unknown option '--dryrun': did you mean '--dry-run'? "},
        {{"refresh", "-z"}, "unknown option '-z'; "},
        {{"refresh", "extra"}, "unexpected argument 'extra' of refresh; "},
        {{"refresh", "--output", "jsn"}, "--output: 'jsn' is none of table, text, json: did you mean 'json'? "},
        {{"refresh", "--output", "xml"}, "--output: 'xml' is none of table, text, json; "},
        {{"refresh", "--output", "1"}, "--output: '1' is none of table, text, json; "},
        {{"-l", "wrning", "refresh"},
         "--log-level: 'wrning' is none of debug, info, warning, error: did you mean 'warning'? "},
        {{"du", "--sort", "uniqe"}, "--sort: 'uniqe' is none of size, unique, name, tags: did you mean 'unique'? "},
        {{"bench", "--op", "gett"},
         "--op: 'gett' is none of ping, catalog, tags, head, get, blob, delete, mix: did "
         "you mean 'get'? "},
        {{"bench", "--output", "hgr"}, "--output: 'hgr' is none of table, text, json, hgrm: did you mean 'hgrm'? "},
        {{"bench", "--order", "listd"}, "--order: 'listd' is none of random, listed: did you mean 'listed'? "},
        {{"journal", "prne"}, "run: 'prne' cannot be used: did you mean 'prune'? "},
        {{"refresh", "--output"}, "--output needs a value: table|text|json; "},
        {{}, "no command given; "},
        {{"refresh\n\x1b[31m"}, "unknown command 'refresh\\x0a\\x1b[31m'; "},
    };
    for (const auto& [args, said] : mistakes) {
        const sandbox home;
        const auto done = home.run(args);
        BOOST_TEST(done.exit_code == 2, shown(args));
        BOOST_TEST(done.out == "");
        BOOST_TEST(done.err ==
                   "regsweep: error: " + said + (said.ends_with("? ") ? "See" : "see") + " regsweep --help\n");
    }
}

BOOST_AUTO_TEST_CASE(numbers_are_finite_and_rates_not_without_end)
{
    const sandbox home;
    const auto refused = [&](const std::vector<std::string>& args, const std::string& said,
                             const sandbox::variables& env = {}) {
        const auto done = home.run(args, env);
        BOOST_TEST(done.exit_code == 2, shown(args) << ": " << done.err);
        BOOST_TEST(done.err.find(said) != std::string::npos, shown(args) << ": " << done.err);
    };
    for (const std::string value : {"nan", "-nan", "inf", "-1", "many", "1e300"}) {
        const std::string said = ": '" + value + "' is no number from ";
        for (const std::string option : {"--rate", "--timeout"})
            refused({option, value, "-reg", "localhost:1", "refresh"}, option + said);
        for (const std::string option : {"--duration", "--warmup", "--slo-p99", "--hold"})
            refused({"-reg", "localhost:1", "bench", option, value}, option + said);
        refused({"-reg", "localhost:1", "apply", "plan.json", "--delete-rate", value}, "--delete-rate" + said);
        refused({"-reg", "localhost:1", "refresh"}, "--timeout" + said, {{"REGSWEEP_TIMEOUT", value}});
        refused({"-reg", "localhost:1", "apply", "x"}, "--delete-rate" + said, {{"REGSWEEP_DELETE_RATE", value}});
    }
    for (const std::string rate : {"1e-300", "0.000001"}) {
        refused({"-reg", "localhost:1", "--rate", rate, "refresh"}, "nor 0 for no limit");
        refused({"-reg", "localhost:1", "apply", "x", "--delete-rate", rate}, "nor 0 for no limit");
    }
    for (const std::string rate : {"0", "0.00001", "1000000"})
        BOOST_TEST(home.run({"__parse", "--rate", rate, "apply", "x", "--delete-rate", rate}).exit_code == 0, rate);
}

BOOST_AUTO_TEST_CASE(values_may_be_in_any_case)
{
    const sandbox home;
    for (const auto& args : std::vector<std::vector<std::string>>{{"-l", "CRITICAL", "list-repo-names"},
                                                                  {"--output", "JSON", "list-repo-names"}}) {
        const auto done = home.run(args);
        BOOST_TEST(done.err.find("no registry given") != std::string::npos, done.err);
    }
}

BOOST_AUTO_TEST_SUITE_END()
