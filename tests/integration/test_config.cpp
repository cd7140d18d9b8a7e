// The configuration file: named registries, what wins over them, passwords, and files that are refused.
#include "common/fake_registry.hpp"
#include "integration/checks.hpp"
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep::test;

namespace {

namespace fs = std::filesystem;

fake_options with_login()
{
    fake_options options;
    options.auth.kind = fake_auth_kind::basic;
    options.auth.user = "ci";
    options.auth.password = "s3cret-word";
    return options;
}

/// A registry with a login, and a home with a configuration.
struct configured
{
    configured()
    {
        registry.put_image("a", "1", "one");
        registry.put_image("b", "1", "two");
        registry.start();
    }

    fs::path write(const std::string& text, fs::perms mode = fs::perms::owner_read | fs::perms::owner_write) const
    {
        const auto file = home.file(".config/regsweep/config.yaml");
        fs::create_directories(file.parent_path());
        write_file(file, text);
        fs::permissions(file, mode);
        return file;
    }

    /// The keys of registry `prod`, each a line, after its address and user.
    fs::path write_prod(const std::string& keys, const std::string& before = {}) const
    {
        return write(before + "registries:\n  prod:\n    address: " + registry.url() + "\n    user: ci\n" + keys);
    }

    process_result run(const std::vector<std::string>& args, const sandbox::variables& env = {}) const
    {
        const auto done = home.run(args, env);
        BOOST_TEST(done.out.find("s3cret") == std::string::npos);
        BOOST_TEST(done.err.find("s3cret") == std::string::npos, done.err);
        return done;
    }

    std::string names(std::vector<std::string> args, const sandbox::variables& env = {}) const
    {
        args.insert(args.begin(), {"--refresh", "list-repo-names"});
        const auto done = run(args, env);
        BOOST_TEST(done.exit_code == 0, shown(args) << ": " << done.err);
        return done.out;
    }

    fake_registry registry{with_login()};
    sandbox home;
};

const std::string password = "    password: s3cret-word\n";
constexpr auto readable = fs::perms::owner_all | fs::perms::group_read | fs::perms::others_read;

} // namespace

BOOST_AUTO_TEST_SUITE(configuration)

BOOST_FIXTURE_TEST_CASE(a_name_stands_for_the_registry, configured)
{
    write_prod(password);
    BOOST_TEST(names({"-reg", "prod"}) == "a\nb\n");
    BOOST_TEST(names({}, {{"REGISTRY", "prod"}}) == "a\nb\n");
    check_fails(run({"list-repo-names"}), 2, {"no registry given"});
    write_prod(password, "default: prod\n");
    BOOST_TEST(names({}) == "a\nb\n");
}

BOOST_FIXTURE_TEST_CASE(passwords_come_from_files_and_commands, configured)
{
    write_file(home.file("secret"), "s3cret-word\r\nanother line\n");
    const auto in_place = home.file(".config/regsweep/secret");
    fs::create_directories(in_place.parent_path());
    write_file(in_place, "s3cret-word\n");
    for (const std::string key : {"password_file: ~/secret", "password_file: secret", "password_command: cat secret"}) {
        write_prod("    " + key + "\n");
        BOOST_TEST(names({"-reg", "prod"}) == "a\nb\n", key);
    }
    write_prod("    password_file: none-there\n");
    check_fails(run({"-reg", "prod", "list-repo-names", "--refresh"}), 1, {"password_file", "none-there"});
    write_prod("    password_command: exit 3\n");
    check_fails(run({"-reg", "prod", "list-repo-names", "--refresh"}), 1, {"password_command of 'prod' failed"});
    write_prod("    password_command: 'true'\n");
    check_fails(run({"-reg", "prod", "list-repo-names", "--refresh"}), 1, {"printed nothing"});
}

BOOST_FIXTURE_TEST_CASE(a_list_from_the_index_asks_for_no_password, configured)
{
    write_prod(password);
    names({"-reg", "prod"});
    write_prod("    password_command: touch ran\n");
    BOOST_TEST(run({"-reg", "prod", "list-repo-names"}).out == "a\nb\n");
    BOOST_TEST(!fs::exists(home.file("ran")));
}

BOOST_FIXTURE_TEST_CASE(options_and_variables_win, configured)
{
    write_prod(password + "    repos: [a]\n    cache: here.db\n    rate: 0.001\n    concurrency: 1\n");
    BOOST_TEST(names({"-reg", "prod", "--rate", "0"}) == "a\n");
    BOOST_TEST(fs::exists(home.file(".config/regsweep/here.db")));
    BOOST_TEST(names({"-reg", "prod", "--rate", "0", "--repo", "b", "-c", "None"}) == "b\n");
    const auto other = home.file("other.db").string();
    BOOST_TEST(names({"-reg", "prod"}, {{"DOCKER_UTIL_CACHEFILE", other}, {"REGSWEEP_RATE", "0"}}) == "a\n");
    BOOST_TEST(fs::exists(other));
    // The password belongs to the file's user.
    const auto alice = run({"-reg", "prod", "--rate", "0", "--user", "alice", "--refresh", "list-repo-names"});
    check_fails(alice, 2, {"no password for user 'alice'"});
}

BOOST_FIXTURE_TEST_CASE(variables_stand_for_options, configured)
{
    write_prod(password);
    check_fails(run({"-reg", "prod", "list-repo-names"}, {{"REGSWEEP_RETRIES", "many"}}), 2, {"--retries", "many"});
    const auto done = run({"-reg", "prod", "list-repo-names"}, {{"REGSWEEP_OUTPUT", "json"}});
    BOOST_TEST(done.out.starts_with("{\"registry\":"), done.out);
    const auto text = run({"-reg", "prod", "list-repo-names", "--output", "text"}, {{"REGSWEEP_OUTPUT", "json"}});
    BOOST_TEST(text.out == "a\nb\n");
}

BOOST_FIXTURE_TEST_CASE(another_file_can_be_named, configured)
{
    const auto file = home.file("mine.yaml");
    fs::rename(write_prod(password), file);
    BOOST_TEST(names({"-reg", "prod", "--config", "mine.yaml"}) == "a\nb\n");
    BOOST_TEST(names({"-reg", "prod"}, {{"REGSWEEP_CONFIG", file.string()}}) == "a\nb\n");
    fs::create_directories(home.file("xdg/regsweep"));
    fs::rename(file, home.file("xdg/regsweep/config.yaml"));
    BOOST_TEST(names({"-reg", "prod"}, {{"XDG_CONFIG_HOME", home.file("xdg").string()}}) == "a\nb\n");
    check_fails(run({"-reg", "prod", "--config", "none.yaml", "list-repo-names"}), 1, {"none.yaml", "cannot be read"});
}

BOOST_FIXTURE_TEST_CASE(files_of_others_are_refused, configured)
{
    const auto file = write_prod(password);
    fs::permissions(file, readable);
    check_fails(run({"-reg", "prod", "list-repo-names"}), 1, {file.string(), "others may read it", "chmod go-r"});
    write_prod("    password_file: x\n");
    for (const auto by : {fs::perms::group_write, fs::perms::others_write}) {
        fs::permissions(file, fs::perms::owner_all | by);
        check_fails(run({"-reg", "prod", "list-repo-names"}), 1, {file.string(), "others may write it", "chmod go-w"});
    }
    fs::permissions(file, readable);
    write_file(home.file("secret"), "x");
    check_fails(run({"--config", home.file("").string(), "-reg", "prod", "list-repo-names"}), 1, {"ordinary file"});
}

BOOST_FIXTURE_TEST_CASE(mistakes_are_told_with_their_place, configured)
{
    const std::string prod = "registries:\n  prod:\n    address: localhost:1\n";
    const std::vector<std::pair<std::string, std::vector<std::string>>> all = {
        {"registris: {}\n", {":1:1:", "did you mean registries?"}},
        {"registries: [prod]\n", {":1:13:", "names of registries"}},
        {"default: test\n" + prod, {":1:10:", "'test'"}},
        {"registries:\n  prod: {user: x}\n", {":2:3:", "'address'"}},
        {"registries:\n  'prod:1': {address: x}\n", {":2:3:", "without colon"}},
        {prod + "    concurency: 3\n", {":4:5:", "did you mean concurrency?"}},
        {prod + "    concurrency: many\n", {":4:18:", "many"}},
        {prod + "    concurrency: 0\n", {":4:18:", "concurrency"}},
        {prod + "    delete_rate: -1\n", {":4:18:", "delete_rate"}},
        {prod + "    delete_rate: nan\n", {":4:18:", "delete_rate"}},
        {prod + "    delete_rate: 1e-300\n", {":4:18:", "delete_rate"}},
        {prod + "    rate: nan\n", {":4:11:", "rate"}},
        {prod + "    timeout: inf\n", {":4:14:", "timeout"}},
        {prod + "    insecure: maybe\n", {":4:15:", "true, false"}},
        {prod + "    password: x\n", {":2:3:", "'user'"}},
        {prod + "    user: x\n    password: x\n    password_file: y\n", {":2:3:", "one of password"}},
        {prod + "    repos: []\n", {":4:12:", "empty list"}},
        {"registries: {a: &x {}}\n", {":1:17:", "anchors"}},
    };
    for (const auto& [text, says] : all)
        BOOST_TEST_CONTEXT(text)
        {
            const auto file = write(text);
            auto parts = says;
            parts.push_back(file.string() + parts.front());
            check_fails(run({"-reg", "prod", "list-repo-names"}), 1, parts);
        }
    write(std::string(2 << 20, '#'));
    check_fails(run({"-reg", "prod", "list-repo-names"}), 1, {"1 MiB"});
}

BOOST_FIXTURE_TEST_CASE(a_mistyped_name_is_told, configured)
{
    const std::string file = write("registries:\n  prod: {address: '" + registry.url() + "'}\n").string();
    const auto done = run({"-reg", "prdo", "--config", file, "journal"}); // which asks no registry
    check_says(done.err, {"'prdo' is not in the configuration file, and is taken for a host: did you mean 'prod'?"});
}

BOOST_AUTO_TEST_SUITE_END()
