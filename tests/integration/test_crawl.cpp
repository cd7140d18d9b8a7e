// The main job against Debian's docker-registry: a whole crawl, and what the list commands answer from it.
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <set>

using namespace regsweep::test;

namespace {

const std::string longest_tag = "v1." + std::string(125, 'x');

/// A registry with everything that a crawl may meet, filled once for all tests of this program.
class filled_registry
{
public:
    filled_registry() : client(registry.address())
    {
        client_push("plain/docker", make_image("docker"), {"1.2", "1.10", "1.9", "latest"});
        client_push("plain/oci", make_image("oci", family::oci), {"2.0.0-rc1", "2.0.0"});
        client_push("plain/docker", make_image("docker-old"), {"0.9"});

        const auto amd64 = make_image("multi", family::oci);
        const auto arm64 = make_image("multi", family::oci, "arm64");
        client_push("multi/oci", make_index({amd64, arm64}), {"1.0", "latest"});
        client_push("multi/oci", amd64, {"1.0-amd64"});
        const auto list = {make_image("list"), make_image("list", family::docker, "arm64")};
        client_push("multi/docker", make_index(list, family::docker), {"1.0", "latest"});

        for (const char* repository : {"shared/one", "shared/two", "shared/deep/er/than/the/others"})
            client_push(repository, make_image("shared"), {"a", "b"});
        client_push("shared/one", make_image("not-shared"), {"c"});
        client_push("long", make_image("long"), {longest_tag});

        for (int i = 0; i < 150; ++i)
            client_push("bulk/repo-" + std::to_string(1000 + i), make_image("bulk-" + std::to_string(i / 2)),
                        {"v" + std::to_string(i)});

        const auto removed = make_image("removed");
        client.push("emptied", removed, {"gone", "gone-too"});
        if (client.remove("emptied", removed.digest) != 202)
            throw std::runtime_error("the registry does not delete");
    }

    /// Names with at least one tag, sorted.
    std::vector<std::string> repositories() const
    {
        std::vector<std::string> names;
        for (const auto& [name, tags] : pushed)
            names.push_back(name);
        return names;
    }

    std::vector<std::string> image_names() const
    {
        std::vector<std::string> names;
        for (const auto& [repository, tags] : pushed)
            for (const auto& [tag, digest] : tags)
                names.push_back(registry.address() + "/" + repository + ":" + tag);
        std::sort(names.begin(), names.end());
        return names;
    }

    std::size_t tag_count() const
    {
        std::size_t count = 0;
        for (const auto& [repository, tags] : pushed)
            count += tags.size();
        return count;
    }

    std::size_t digest_count() const
    {
        std::set<std::string> digests;
        for (const auto& [repository, tags] : pushed)
            for (const auto& [tag, digest] : tags)
                digests.insert(digest);
        return digests.size();
    }

    real_registry registry;
    push_client client;
    content pushed; ///< the digests as the registry itself gives them for a HEAD

private:
    void client_push(const std::string& repository, const manifest& m, const std::vector<std::string>& tags)
    {
        client.push(repository, m, tags);
        for (const auto& tag : tags)
            pushed[repository][tag] = client.resolve(repository, tag);
    }
};

filled_registry& filled()
{
    static filled_registry one;
    return one;
}

/// Most tests: a home, the registry's address in the environment, and an index in that home.
struct fixture
{
    process_result run(const std::vector<std::string>& args, sandbox::variables env = {}, const std::string& input = {})
    {
        env.emplace("REGISTRY", all.registry.address());
        return home.run(args, env, input);
    }

    /// What a crawl with these further arguments finds, read from the JSON cache that it writes.
    content crawl(std::vector<std::string> args, const sandbox::variables& env = {})
    {
        const auto cache = home.file("crawl.json");
        std::filesystem::remove(cache);
        args.insert(args.begin(), {"refresh", "-c", cache.string()});
        const auto done = run(args, env);
        BOOST_TEST_REQUIRE(done.exit_code == 0, shown(args) << ": exit " << done.exit_code << ": " << done.err);
        return read_json_cache(cache);
    }

    filled_registry& all = filled();
    sandbox home;
    std::string index = home.file("index.db").string();
};

void check_same(const content& got, const content& expected)
{
    for (const auto& [repository, tags] : expected) {
        const auto found = got.find(repository);
        if (found == got.end()) {
            BOOST_ERROR(repository << " is missing");
            continue;
        }
        BOOST_TEST((found->second == tags), repository << " has other tags or digests");
    }
    for (const auto& [repository, tags] : got)
        BOOST_TEST((tags.empty() || expected.contains(repository)), repository << " was never pushed");
}

void check_failed(const process_result& done, int exit_code, const std::string& names)
{
    BOOST_TEST(done.exit_code == exit_code);
    BOOST_TEST(done.out == "");
    BOOST_TEST(count_errors(done.err) == 1U, done.err);
    BOOST_TEST(done.err.find(names) != std::string::npos, done.err << "does not name " << names);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(crawl, fixture)

BOOST_AUTO_TEST_CASE(finds_every_tag_with_the_digest_that_the_registry_gives)
{
    check_same(crawl({}), all.pushed);
}

BOOST_AUTO_TEST_CASE(a_multi_arch_tag_is_its_index)
{
    const auto found = crawl({});
    const auto index_digest = make_index({make_image("multi", family::oci), make_image("multi", family::oci, "arm64")});
    BOOST_TEST(found.at("multi/oci").at("latest") == index_digest.digest);
    BOOST_TEST(found.at("multi/oci").at("1.0-amd64") == index_digest.children.front().digest);
}

BOOST_AUTO_TEST_CASE(small_pages_and_few_connections_find_the_same)
{
    check_same(crawl({"--page-size", "20"}), all.pushed);
    check_same(crawl({"--page-size", "1", "--concurrency", "1"}), all.pushed);
    check_same(crawl({"--page-size", "3", "--threads", "2", "--concurrency", "64"}), all.pushed);
}

BOOST_AUTO_TEST_CASE(requests_sent_together_find_the_same)
{
    for (const char* depth : {"2", "8", "64"}) {
        check_same(crawl({"--pipeline", depth}), all.pushed);
        check_same(crawl({"--pipeline", depth, "--concurrency", "8", "--use-get-manifest"}), all.pushed);
    }
}

BOOST_AUTO_TEST_CASE(manifests_by_get_have_the_same_digests)
{
    check_same(crawl({"--use-get-manifest"}), all.pushed);
    check_same(crawl({}, {{"DOCKER_UTIL_GET_MANIFEST", "1"}}), all.pushed);
}

BOOST_AUTO_TEST_CASE(a_part_of_the_registry)
{
    content expected;
    for (const char* repository : {"shared/one", "shared/two", "shared/deep/er/than/the/others"})
        expected[repository] = all.pushed.at(repository);
    check_same(crawl({"--repo", "shared/*"}), expected);

    write_file(home.file("names"), "shared/one\nshared/two\n");
    expected.erase("shared/deep/er/than/the/others");
    check_same(crawl({"--repos-from", home.file("names").string()}), expected);
}

BOOST_AUTO_TEST_CASE(refresh_sums_up)
{
    const auto done = run({"refresh", "-c", index});
    BOOST_TEST(done.exit_code == 0);
    BOOST_TEST(done.err == "");
    const std::size_t with_the_emptied_one = all.pushed.size() + 1;
    for (const auto count : {with_the_emptied_one, all.tag_count(), all.digest_count()})
        BOOST_TEST(done.out.find(std::to_string(count)) != std::string::npos, done.out << "lacks " << count);
}

BOOST_AUTO_TEST_CASE(quiet_says_nothing_on_stderr)
{
    const auto done = run({"refresh", "-c", index, "--quiet"});
    BOOST_TEST(done.exit_code == 0);
    BOOST_TEST(done.err == "");
}

BOOST_AUTO_TEST_CASE(lists_repositories_with_tags)
{
    const auto done = run({"list-repo-names", "--quiet", "-c", index});
    BOOST_TEST(done.exit_code == 0);
    BOOST_TEST(done.err == "");
    BOOST_TEST(lines(done.out) == all.repositories(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(lists_tags_as_image_names)
{
    const auto done = run({"list-tag-names", "--image-names", "-c", index});
    BOOST_TEST(done.exit_code == 0);
    BOOST_TEST(sorted_lines(done.out) == all.image_names(), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(lists_tags_of_one_repository_in_version_order)
{
    const std::vector<std::string> up{"plain/docker  0.9", "plain/docker  1.2", "plain/docker  1.9",
                                      "plain/docker  1.10", "plain/docker  latest"};
    auto done = run({"list-tag-names", "-c", index, "plain/docker"});
    BOOST_TEST(lines(done.out) == up, boost::test_tools::per_element());

    const std::vector<std::string> down(up.rbegin(), up.rend());
    done = run({"list-tag-names", "--reverse-sort", "-c", index, "plain/docker"});
    BOOST_TEST(lines(done.out) == down, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(pads_to_the_longest_name_shown)
{
    const auto done = run({"list-tag-names", "-c", index, "long", "plain/oci"});
    const std::vector<std::string> expected{"long       " + longest_tag, "plain/oci  2.0.0", "plain/oci  2.0.0-rc1"};
    BOOST_TEST(sorted_lines(done.out) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_empty_result_prints_nothing_and_succeeds)
{
    for (const char* repository : {"emptied", "never/seen"}) {
        const auto done = run({"list-tag-names", "--quiet", "-c", index, repository});
        BOOST_TEST(done.exit_code == 0);
        BOOST_TEST(done.out == "");
        BOOST_TEST(done.err == "");
    }
}

BOOST_AUTO_TEST_CASE(count_closes_the_list)
{
    const auto done = run({"list-repo-names", "--count", "-c", index});
    const auto printed = lines(done.out);
    BOOST_TEST_REQUIRE(printed.size() == all.pushed.size() + 2);
    const std::string expected = "Number of repositories: " + std::to_string(all.pushed.size());
    BOOST_TEST(printed.back() == expected);
    BOOST_TEST(printed[printed.size() - 2] == std::string(expected.size(), '-'));
}

BOOST_AUTO_TEST_CASE(json_output_parses_and_holds_the_same)
{
    auto done = run({"--output", "json", "list-repo-names", "-c", index});
    BOOST_TEST_REQUIRE(done.exit_code == 0);
    BOOST_CHECK_NO_THROW(boost::json::parse(done.out));

    done = run({"--output", "json", "list-tag-names", "-c", index});
    BOOST_TEST_REQUIRE(done.exit_code == 0);
    content found;
    const auto parsed = boost::json::parse(done.out);
    for (const auto& entry : parsed.at("tags").as_array())
        found[std::string(entry.at("repository").as_string())][std::string(entry.at("tag").as_string())] =
            std::string(entry.at("digest").as_string());
    BOOST_TEST((found == all.pushed));

    done = run({"--output", "json", "refresh", "-c", index});
    BOOST_TEST_REQUIRE(done.exit_code == 0);
    BOOST_CHECK_NO_THROW(boost::json::parse(done.out));
}

BOOST_AUTO_TEST_CASE(options_before_or_after_the_command_and_from_the_environment)
{
    const auto expected = all.repositories();
    const auto address = all.registry.address();
    const sandbox::variables cache{{"DOCKER_UTIL_CACHEFILE", home.file("env.db").string()}};
    const std::vector<std::pair<std::vector<std::string>, sandbox::variables>> ways{
        {{"--registry", address, "--cache", home.file("1.db").string(), "list-repo-names"}, {}},
        {{"list-repo-names", "--registry", address, "--cache", home.file("2.db").string()}, {}},
        {{"-reg", address, "list-repo-names", "-c", home.file("3.db").string()}, {}},
        {{"list-repo-names", "-reg", all.registry.url(), "-c", home.file("4.db").string()}, {}},
        {{"-reg", address, "list-repo-names"}, cache},
        {{"list-repo-names"}, {{"REGISTRY", address}, {"DOCKER_UTIL_CACHEFILE", home.file("5.db").string()}}}};
    for (const auto& [args, env] : ways) {
        const auto done = home.run(args, env);
        BOOST_TEST(done.exit_code == 0, shown(args) << ": " << done.err);
        BOOST_TEST(lines(done.out) == expected, boost::test_tools::per_element());
    }
    for (const char* file : {"1.db", "2.db", "3.db", "4.db", "env.db", "5.db"})
        BOOST_TEST(std::filesystem::exists(home.file(file)), file << " was not written");
}

BOOST_AUTO_TEST_CASE(an_option_wins_over_the_environment)
{
    const auto done = run({"list-repo-names", "-c", index, "-reg", all.registry.address()},
                          {{"REGISTRY", "127.0.0.1:1"}, {"DOCKER_UTIL_CACHEFILE", home.file("other.db").string()}});
    BOOST_TEST(done.exit_code == 0, done.err);
    BOOST_TEST(!std::filesystem::exists(home.file("other.db")));
}

BOOST_AUTO_TEST_CASE(the_index_is_kept_in_the_cache_folder_unless_told_otherwise)
{
    BOOST_TEST(run({"list-repo-names"}).exit_code == 0);
    std::size_t indexes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(home.cache_folder() / "regsweep"))
        indexes += entry.path().extension() == ".db" ? 1U : 0U;
    BOOST_TEST(indexes == 1U);
}

BOOST_AUTO_TEST_CASE(no_cache_leaves_no_file)
{
    const auto done = run({"list-repo-names", "-c", "None"});
    BOOST_TEST(done.exit_code == 0);
    BOOST_TEST(lines(done.out) == all.repositories(), boost::test_tools::per_element());
    BOOST_TEST(!std::filesystem::exists(home.file("None")));
    BOOST_TEST(!std::filesystem::exists(home.cache_folder()));
}

BOOST_AUTO_TEST_CASE(a_second_run_answers_from_the_index)
{
    const auto first = run({"list-tag-names", "-c", index});
    BOOST_TEST_REQUIRE(first.exit_code == 0);
    all.registry.stop();
    const auto second = run({"list-tag-names", "-c", index});
    const auto forced = run({"list-tag-names", "-c", index, "--refresh", "--retries", "0"});
    const auto after = run({"list-tag-names", "-c", index});
    all.registry.start();

    BOOST_TEST(second.exit_code == 0);
    BOOST_TEST((second.out == first.out));
    check_failed(forced, 1, all.registry.address());
    BOOST_TEST((after.out == first.out), "a failed refresh changed the index");
}

BOOST_AUTO_TEST_CASE(refresh_sees_what_was_pushed_since)
{
    BOOST_TEST(run({"list-repo-names", "-c", index}).exit_code == 0);
    all.client.push("plain/later", make_image("later"), {"1"});
    BOOST_TEST(run({"list-tag-names", "-c", index, "plain/later"}).out == "");
    const auto done = run({"list-tag-names", "-c", index, "plain/later", "--refresh"});
    BOOST_TEST(all.client.remove("plain/later", make_image("later").digest) == 202U);
    BOOST_TEST(done.out == "plain/later  1\n");
}

BOOST_AUTO_TEST_CASE(a_registry_that_is_down_is_named)
{
    const std::string nobody = "127.0.0.1:" + std::to_string(free_port());
    check_failed(run({"refresh", "-c", index, "-reg", nobody, "--retries", "0"}), 1, nobody);
    BOOST_TEST(!std::filesystem::exists(index));
}

BOOST_AUTO_TEST_CASE(wrong_usage)
{
    const std::vector<std::vector<std::string>> wrong{
        {},
        {"no-such-command"},
        {"list-repo-names", "--no-such-option"},
        {"refresh", "--concurrency", "many"},
        {"refresh", "--concurrency", "0"},
        {"refresh", "--page-size", "-1"},
        {"refresh", "--repo", ""},
        {"refresh", "--repo", "a", "--repo", ""},
        {"refresh", "--repos-from", ""},
        {"list-repo-names", "--output", "xml"},
        {"list-repo-names", "-reg", "http://user:secret@host"},
    };
    for (const auto& args : wrong) {
        BOOST_TEST_CONTEXT("regsweep " << shown(args))
        {
            const auto done = run(args, {{"DOCKER_UTIL_CACHEFILE", index}});
            BOOST_TEST(done.exit_code == 2);
            BOOST_TEST(done.out == "");
            BOOST_TEST(done.err != "");
            BOOST_TEST(done.err.find("secret") == std::string::npos, done.err);
        }
    }
    const auto nowhere = home.run({"list-repo-names"});
    BOOST_TEST(nowhere.exit_code == 2);
    BOOST_TEST(nowhere.err.find("REGISTRY") != std::string::npos, nowhere.err);
}

BOOST_AUTO_TEST_CASE(help_and_version)
{
    BOOST_TEST(run({"--version"}).out.find("regsweep") != std::string::npos);
    const auto help = run({"--help"});
    BOOST_TEST(help.exit_code == 0);
    for (const char* command : {"refresh", "list-repo-names", "list-tag-names"}) {
        BOOST_TEST(help.out.find(command) != std::string::npos, command << " is not in --help");
        const auto own = run({command, "--help"});
        BOOST_TEST(own.exit_code == 0);
        BOOST_TEST(own.out.find(command) != std::string::npos, own.out);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(password)

BOOST_AUTO_TEST_CASE(from_option_environment_and_standard_input)
{
    real_registry registry({.users = {{"sweeper", "s3cret word"}}});
    push_client(registry.address(), "sweeper", "s3cret word").push("a", make_image("a"), {"1"});
    const sandbox home;
    const std::vector<std::string> list{"list-tag-names", "-c", "None", "-reg", registry.address(), "--retries", "0"};
    const auto with = [&list](std::vector<std::string> more) {
        more.insert(more.begin(), list.begin(), list.end());
        return more;
    };

    BOOST_TEST(home.run(with({"-u", "sweeper", "-p", "s3cret word"})).out == "a  1\n");
    BOOST_TEST(home.run(list, {{"REGISTRY_USER", "sweeper"}, {"REGISTRY_PASSWORD", "s3cret word"}}).out == "a  1\n");
    BOOST_TEST(home.run(with({"-u", "sweeper", "--password-stdin"}), {}, "s3cret word\n").out == "a  1\n");

    for (const auto& done : {home.run(list), home.run(with({"-u", "sweeper", "-p", "wr0ng word"}))}) {
        check_failed(done, 1, registry.address());
        BOOST_TEST(done.err.find("401") != std::string::npos, done.err);
        BOOST_TEST(done.err.find("wr0ng") == std::string::npos, done.err);
    }
}

BOOST_AUTO_TEST_SUITE_END()
