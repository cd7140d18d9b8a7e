// The examples of policies and scheduled runs work: their commands are run, their YAML is read, the schema takes them.
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/program.hpp"
#include "integration/python.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <regex>

using namespace regsweep::test;

namespace {

namespace fs = std::filesystem;

const fs::path root = fs::path(TEST_DATA_DIR).parent_path();
const fs::path schedule = root / "examples" / "schedule";

std::vector<fs::path> files_in(const fs::path& folder)
{
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(folder))
        all.push_back(entry.path());
    std::sort(all.begin(), all.end());
    BOOST_TEST(!all.empty());
    return all;
}

/// The commands of a file: what follows `regsweep` in a line of a shell, and Kubernetes' lists of arguments.
std::vector<std::string> commands_in(const fs::path& file)
{
    static const std::regex shell(R"((?:^|[ =/])regsweep (prune .*)$)");
    static const std::regex list(R"(args: \[(prune, .*)\])");
    std::vector<std::string> all;
    for (const auto& line : lines(read_file(file))) {
        std::smatch found;
        if (line.starts_with("#"))
            continue;
        if (std::regex_search(line, found, shell))
            all.push_back(found[1]);
        else if (std::regex_search(line, found, list))
            all.push_back(std::regex_replace(found[1].str(), std::regex(", "), " "));
    }
    return all;
}

/// Prints a line for each file that the schema refuses, and fails if one of them is no YAML.
constexpr const char* validator = R"(
import json, sys, yaml, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
check = jsonschema.Draft202012Validator(schema)
for name in sys.argv[2:]:
    for error in check.iter_errors(yaml.safe_load(open(name))):
        print(name, error.message)
        break
)";

std::string refused_by_schema(const std::vector<std::string>& files)
{
    std::vector<std::string> args{python_with("yaml, jsonschema"), "-c", validator,
                                  (root / "docs" / "schema" / "policy.json").string()};
    args.insert(args.end(), files.begin(), files.end());
    const auto done = run({.args = args});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    return done.out;
}

struct quiet_registry
{
    quiet_registry()
    {
        push_client client(registry.address());
        client.push("team-a/app", make_image("one"), {"main-1", "1.0.0"});
        client.push("base/os", make_image("two"), {"1.2"});
    }
    process_result prune(const std::string& file) const
    {
        return home.run({"prune", "--policy", file}, {{"REGISTRY", registry.address()}});
    }

    real_registry registry;
    sandbox home;
};

const std::vector<std::string> bad_policies = {
    "rules: [{keep: {tags: a}}]",
    "version: 1",
    "version: 2\nrules: [{keep: {tags: a}}]",
    "version: 1\nrules: []",
    "version: 1\nrule: []\nrules: [{keep: {tags: a}}]",
    "version: 1\nuntag: 'yes'\nrules: [{keep: {tags: a}}]",
    "version: 1\nreferrers: drop\nrules: [{keep: {tags: a}}]",
    "version: 1\nmax_remove: 101%\nrules: [{keep: {tags: a}}]",
    "version: 1\nprotect: [a/b]\nrules: [{keep: {tags: a}}]",
    "version: 1\nrules: [{name: x}]",
    "version: 1\nrules: [{keep: {}}]",
    "version: 1\nrules: [{keep: {tags: a}, remove: {tags: b}}]",
    "version: 1\nrules: [{kep: {tags: a}}]",
    "version: 1\nrules: [{keep: {tag: a}}]",
    "version: 1\nrules: [{keep: {tags: []}}]",
    "version: 1\nrules: [{keep: {newest: 0}}]",
    "version: 1\nrules: [{keep: {newest: ten}}]",
    "version: 1\nrules: [{keep: {tags: a, group_by: b}}]",
    "version: 1\nrules: [{keep: {newest: 1, order: age}}]",
    "version: 1\nrules: [{remove: {newest: 1}}]",
    "version: 1\nrules: [{remove: {older_than: 30 days}}]",
    "version: 1\nrules: [{remove: {untagged: false}}]",
    "version: 1\nrules: [{remove: {untagged: true, tags: a}}]",
    "version: 1\nrules: [{repositories: 'a:b', keep: {tags: a}}]",
    "version: 1\nrules: [{repositories: {glob: a}, keep: {tags: a}}]",
};

const std::vector<std::string> good_policies = {
    "version: 1\nrules: [{keep: {tags: a}}]",
    "version: 1\nmax_remove: 10\nrules: [{remove: {tags: [a, 'b*'], older_than: 1y}}]",
    "version: 1\nmax_remove: 0%\nrules: [{repositories: [a, /b|c/, {regex: d}], keep: {newest: 1, order: name}}]",
    "version: 1\nrules: [{remove: {untagged: true, labels: [a, b=c], platform: x/y, media_type: '*'}}]",
    "version: 1\nprotect: a\nrules: [{keep: {version: '>1', semver: '*', regex: [a, b], younger_than: 0s}}]",
};

} // namespace

BOOST_AUTO_TEST_SUITE(schedules)

BOOST_FIXTURE_TEST_CASE(the_policies_work_and_the_schema_takes_them, quiet_registry)
{
    std::vector<std::string> files;
    for (const auto& file : files_in(root / "examples" / "policies"))
        files.push_back(file.string());
    for (const auto& file : files) {
        const auto done = prune(file);
        BOOST_TEST(done.exit_code == 0, file << ": " << done.err);
    }
    BOOST_TEST(refused_by_schema(files) == "");
}

BOOST_FIXTURE_TEST_CASE(schema_and_program_refuse_the_same, quiet_registry)
{
    std::vector<std::string> good;
    std::vector<std::string> bad;
    const auto file = [&](std::vector<std::string>& list, const std::string& text) {
        list.push_back(home.file((&list == &good ? "good-" : "bad-") + std::to_string(list.size()) + ".yml").string());
        write_file(list.back(), text + "\n");
        return prune(list.back());
    };
    for (const auto& text : good_policies) {
        const auto done = file(good, text);
        BOOST_TEST((done.exit_code == 0 || done.err.find("max-remove") != std::string::npos), text << ": " << done.err);
    }
    for (const auto& text : bad_policies) {
        const auto done = file(bad, text);
        BOOST_TEST(done.exit_code == 1, text);
        BOOST_TEST((done.err.find(bad.back() + ":") != std::string::npos), text << ": " << done.err);
    }
    BOOST_TEST(refused_by_schema(good) == "");
    const auto refused = refused_by_schema(bad);
    for (std::size_t i = 0; i != bad.size(); ++i)
        BOOST_TEST((refused.find(bad[i] + " ") != std::string::npos), "the schema takes: " << bad_policies[i]);
}

BOOST_FIXTURE_TEST_CASE(the_commands_of_the_schedules_run, quiet_registry)
{
    write_file(home.file("in-use.txt"), registry.address() + "/base/os:1.2");
    std::size_t count = 0;
    for (const auto& file : files_in(schedule)) {
        for (auto command : commands_in(file)) {
            ++count;
            const auto folder = home.file("").string();
            command = std::regex_replace(command, std::regex("(/etc/regsweep/|registry-)policy.yml"),
                                         (root / "examples" / "policies" / "branches.yml").string());
            command = std::regex_replace(command, std::regex("(/[a-z-]+)+/([a-z-]+[.](lock|prom|txt))"), folder + "$2");
            auto shell = home.command({}, {{"REGISTRY", registry.address()}});
            shell.args = {"sh", "-c", program_under_test() + " " + command};
            const auto done = run(shell);
            BOOST_TEST(done.exit_code == 0, file << ": " << shell.args.back() << ": " << done.err);
        }
    }
    BOOST_TEST(count == 6U);
}

BOOST_AUTO_TEST_CASE(the_schedules_are_yaml)
{
    std::vector<std::string> args{python_with("yaml"), "-c",
                                  "import sys, yaml\nfor f in sys.argv[1:]:\n"
                                  "    assert all(isinstance(d, dict) for d in yaml.safe_load_all(open(f))), f"};
    for (const auto& file : files_in(schedule))
        if (file.extension() == ".yml")
            args.push_back(file.string());
    BOOST_TEST(args.size() == 3U + 3U);
    const auto done = run({.args = args});
    BOOST_TEST(done.exit_code == 0, done.err);
}

BOOST_AUTO_TEST_CASE(the_policy_in_the_cluster_works)
{
    const quiet_registry at;
    const auto out = run({.args = {python_with("yaml"), "-c",
                                   "import sys, yaml\nfor d in yaml.safe_load_all(open(sys.argv[1])):\n"
                                   "    if d['kind'] == 'ConfigMap': print(d['data']['policy.yml'])",
                                   (schedule / "kubernetes.yml").string()}})
                         .out;
    write_file(at.home.file("policy.yml"), out);
    const auto done = at.prune(at.home.file("policy.yml").string());
    BOOST_TEST(done.exit_code == 0, done.err);
}

BOOST_AUTO_TEST_CASE(systemd_takes_the_units)
{
    const sandbox home;
    if (run({.args = {"sh", "-c", "command -v systemd-analyze"}}).exit_code != 0)
        return;
    std::vector<std::string> args{"systemd-analyze", "verify", "--man=no"};
    for (const std::string name : {"regsweep-prune.service", "regsweep-prune.timer"}) {
        const auto text =
            std::regex_replace(read_file(schedule / name), std::regex("/usr/bin/regsweep"), program_under_test());
        write_file(home.file(name), text);
        args.push_back(home.file(name).string());
    }
    const auto done = run({.args = args});
    BOOST_TEST(done.exit_code == 0, done.err);
    BOOST_TEST(done.err.find("regsweep-prune") == std::string::npos, done.err);
}

BOOST_AUTO_TEST_SUITE_END()
