// Pruning with the program: on docker-registry, with its garbage collection, and what goes wrong before anything does.
#include "common/fake_registry.hpp"
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/checks.hpp"
#include "integration/program.hpp"

#include "regsweep/core/digest.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <ctime>
#include <set>

using namespace regsweep::test;

namespace json = boost::json;

namespace {

constexpr const char* oci_manifest = "application/vnd.oci.image.manifest.v1+json";

std::string days_ago(int days)
{
    static const std::time_t now = std::time(nullptr); // the same image twice must be the same
    const std::time_t when = now - days * 86400L;
    std::tm utc{};
    gmtime_r(&when, &utc);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return text;
}

blob blob_of(std::string content)
{
    const auto digest = regsweep::digest::of(content).to_string();
    return {std::move(content), digest};
}

/// An image of that age, which shares a layer with all others.
manifest image_of_age(const std::string& name, int days, const std::string& architecture = "amd64")
{
    manifest m = make_image(name, family::oci, architecture);
    auto body = json::parse(m.body).as_object();
    auto& config = body.at("config").as_object();
    for (auto& part : m.blobs) {
        if (part.digest != config.at("digest").as_string())
            continue;
        auto content = json::parse(part.content).as_object();
        content["created"] = days_ago(days);
        part = blob_of(json::serialize(content));
        config["digest"] = part.digest;
        config["size"] = part.content.size();
    }
    m.body = json::serialize(body);
    m.digest = regsweep::digest::of(m.body).to_string();
    return m;
}

/// A manifest about another one, as cosign or oras make them.
manifest about(const manifest& subject, const std::string& name)
{
    manifest m = make_image(name, family::oci);
    auto body = json::parse(m.body).as_object();
    body["subject"] = {{"mediaType", oci_manifest}, {"digest", subject.digest}, {"size", subject.body.size()}};
    m.body = json::serialize(body);
    m.digest = regsweep::digest::of(m.body).to_string();
    return m;
}

std::string tag_of(const manifest& subject, const std::string& suffix = {})
{
    return "sha256-" + subject.digest.substr(7) + suffix;
}

using tag_set = std::set<std::string>;

/// `app`: builds of two branches, a signed one each, a multi-arch release with a platform that is signed; `lib` shares
/// one.
struct filled
{
    filled() : client(registry.address())
    {
        for (int i = 1; i <= 4; ++i)
            client.push("app", image_of_age("main" + std::to_string(i), 100 - i), {"main-" + std::to_string(i)});
        client.push("app", image_of_age("dev", 3), {"dev-1"});
        client.push("app", image_of_age("old", 400), {"1.0.0", "main-0"});
        client.push("lib", image_of_age("main1", 99), {"main-1"});
        const auto arm = image_of_age("multi", 200, "arm64");
        const auto multi = make_index({image_of_age("multi", 200), arm});
        client.push("app", multi, {"2.0.0"});
        client.push("app", make_index({image_of_age("gone", 300), image_of_age("gone", 300, "arm64")}), {"main-multi"});
        sign("app", image_of_age("main1", 99));
        sign("app", image_of_age("main4", 96));
        sign("app", arm);
    }

    void sign(const std::string& repository, const manifest& image)
    {
        client.push(repository, make_image("signature of " + image.digest, family::oci), {tag_of(image, ".sig")});
        client.push(repository, make_index({about(image, "sbom of " + image.digest)}), {tag_of(image)});
    }

    process_result run(std::vector<std::string> args, const std::string& input = {}) const
    {
        args.insert(args.begin(), "prune");
        return home.run(args, {{"REGISTRY", registry.address()}}, input);
    }
    process_result expect(int status, const std::vector<std::string>& args, const std::string& input = {}) const
    {
        auto done = run(args, input);
        BOOST_TEST_REQUIRE(done.exit_code == status,
                           shown(args) << ": exit " << done.exit_code << ": " << done.err << done.out);
        return done;
    }
    std::string policy(const std::string& text) const
    {
        write_file(home.file("policy.yml"), "version: 1\n" + text);
        return home.file("policy.yml").string();
    }

    /// Tags of images, not those of what refers to them.
    tag_set tags(const std::string& repository)
    {
        tag_set out;
        for (const auto& tag : client.tags(repository).value_or(std::vector<std::string>()))
            if (!tag.starts_with("sha256-"))
                out.insert(tag);
        return out;
    }
    content everything()
    {
        content all;
        for (const auto& repository : client.catalog())
            for (const auto& tag : client.tags(repository).value_or(std::vector<std::string>()))
                all[repository][tag] = client.resolve(repository, tag);
        return all;
    }

    void pull_all()
    {
        int number = 0;
        for (const auto& [repository, tags] : everything())
            for (const auto& [tag, id] : tags) {
                const auto to = home.file("pulled-" + std::to_string(number++));
                const auto done = regsweep::test::run(
                    {.args = {"skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false",
                              "docker://" + registry.address() + "/" + repository + ":" + tag, "dir:" + to.string()}});
                BOOST_TEST(done.exit_code == 0, repository << ":" << tag << ": " << done.err);
                std::filesystem::remove_all(to);
            }
    }

    void collect_garbage()
    {
        registry.stop();
        registry.garbage_collect();
        registry.start();
    }

    /// What is stored of blobs, manifests included.
    std::uint64_t stored_bytes() const
    {
        std::uint64_t bytes = 0;
        for (const auto& entry :
             std::filesystem::recursive_directory_iterator(registry.storage() / "docker/registry/v2/blobs"))
            if (entry.is_regular_file())
                bytes += entry.file_size();
        return bytes;
    }

    real_registry registry;
    push_client client;
    sandbox home;
};

const std::string branches = "max_remove: 90%\n"
                             "rules:\n"
                             "- keep: {semver: '*'}\n"
                             "- keep: {newest: 2, group_by: '^([a-z]+)-[0-9]+'}\n"
                             "- remove: {tags: '*-*'}\n";

} // namespace

BOOST_AUTO_TEST_SUITE(prune)

BOOST_FIXTURE_TEST_CASE(only_yes_deletes_and_what_stays_pulls_after_garbage_collection, filled)
{
    const auto before = everything();
    const auto file = policy("with_children: true\n" + branches);
    const auto plan = home.file("plan.json").string();
    const auto shown = expect(0, {"--policy", file, "--plan-out", plan});
    check_says(shown.out, {"delete  sha256:", "main-1", "frees "});
    check_says(shown.err, {"--yes deletes", "plan written"});
    const auto kept = json::parse(read_file(plan)).at("kept").as_array();
    BOOST_TEST(std::ranges::any_of(kept, [](const json::value& group) {
        return group.at("repository") == "app" && group.at("tags") == json::array{"1.0.0", "2.0.0"} &&
               group.at("reason").as_string().find("rule 1") != json::string::npos;
    }));
    expect(0, {"--policy", file, "--yes", "--dry-run"});
    BOOST_TEST((everything() == before));

    const auto done = json::parse(expect(0, {"--policy", file, "--yes", "--output", "json"}).out);
    BOOST_TEST(done.at("result").at("failed").as_array().empty());
    BOOST_TEST(done.at("result").at("dropped").as_array().empty());
    // main-0 shares its image with a release. The signature and the SBOM of main-1 have gone with it.
    BOOST_TEST(tags("app") == (tag_set{"main-0", "main-3", "main-4", "dev-1", "1.0.0", "2.0.0"}));
    BOOST_TEST(tags("lib") == (tag_set{"main-1"}));
    BOOST_TEST(everything().at("app").size() == 6U + 4U);
    BOOST_TEST(client.resolve("app", about(image_of_age("main1", 99), "x").digest).empty());
    BOOST_TEST(client.resolve("app", image_of_age("gone", 300).digest).empty());
    const auto after = everything();

    const auto again = json::parse(expect(0, {"--policy", file, "--yes", "--output", "json"}).out);
    BOOST_TEST(again.at("planned").at("digests").to_number<int>() == 0);
    BOOST_TEST((everything() == after));

    BOOST_TEST(home.run({"restore", "last"}, {{"REGISTRY", registry.address()}}).exit_code == 0);
    BOOST_TEST((everything() == before));

    // The plan that was written before does the same.
    BOOST_TEST(home.run({"apply", plan, "--yes"}, {{"REGISTRY", registry.address()}}).exit_code == 0);
    BOOST_TEST((everything() == after));
    const auto full = stored_bytes();
    collect_garbage();
    BOOST_TEST(full - stored_bytes() == done.at("freed_bytes").to_number<std::uint64_t>());
    BOOST_TEST((everything() == after));
    pull_all();
}

BOOST_FIXTURE_TEST_CASE(options_make_a_policy_and_every_tag_is_explained, filled)
{
    const auto got = expect(0, {"--keep-younger-than", "98d", "--keep", "?.0.0", "--remove", "*", "-r", "ap*",
                                "--max-remove", "100%", "--explain"});
    check_says(got.out,
               {"  keep    1.0.0: rule 1 (keep tags ?.0.0)", "  keep    main-3: rule 2 (keep younger than 98d)",
                "  remove  main-1: rule 3 (remove tags *)",
                "  keep    main-0: the tag 1.0.0 keeps its manifest, although rule 3 (remove tags *) matches"});
    BOOST_TEST(got.out.find("lib") == std::string::npos);
    const auto alone = json::parse(expect(0, {"--remove", "main-0", "--untag", "--yes", "--output", "json"}).out);
    BOOST_TEST(alone.at("repositories").at(0).at("untagged").to_number<int>() == 1);
    BOOST_TEST(!tags("app").contains("main-0"));
    BOOST_TEST(tags("app").contains("1.0.0"));
}

BOOST_FIXTURE_TEST_CASE(what_runs_stays, filled)
{
    const auto file = policy("max_remove: 100%\nwith_children: true\nrules: [{remove: {tags: '*'}}]\n");
    const auto arm = image_of_age("multi", 200, "arm64").digest;
    const auto got = expect(0, {"--policy", file, "--in-use", "-", "--yes"},
                            registry.address() + "/app:main-2 docker-pullable://" + registry.address() + "/app@" + arm +
                                "\nquay.io/other/app:dev-1 docker.io/library/app:dev-1\n");
    check_says(got.out, {"in use    2 references of this registry, 2 of others"});
    BOOST_TEST(tags("app") == (tag_set{"main-2", "2.0.0"}));
    BOOST_TEST(tags("lib").empty());
    collect_garbage();
    pull_all();

    const auto all = everything();
    check_fails(run({"--policy", file, "--in-use", "-", "--yes", "-q"}, "quay.io/a/b:c\n"), 1,
                {"none of the 1 references", "--force"});
    check_fails(run({"--policy", file, "--in-use", "-", "--yes", "-q"}, ""), 1, {"expected image references"});
    check_fails(run({"--policy", file, "--in-use", "-", "--yes", "-q"}, "a:b\nA$:c\n"), 1, {"standard input:2: "});
    BOOST_TEST((everything() == all));
    expect(0, {"--policy", file, "--in-use", "-", "--yes", "--force"}, "quay.io/a/b:c\n");
    BOOST_TEST(tags("app").empty());
}

BOOST_FIXTURE_TEST_CASE(what_is_wrong_does_nothing, filled)
{
    const auto before = everything();
    check_fails(run({"--policy", policy("rules:\n  - kep: {tags: a}\n"), "--yes"}), 1,
                {"policy.yml:3:5: ", "did you mean keep?"});
    check_fails(run({"--policy", home.file("none.yml").string(), "--yes"}), 1, {"none.yml"});
    const auto all = policy("rules: [{remove: {tags: '*'}}]\n");
    const auto plan = home.file("never.json");
    const auto refused = run({"--policy", all, "--yes", "-q", "--plan-out", plan.string()});
    BOOST_TEST(refused.exit_code == 1);
    check_says(refused.err, {"takes 13 of the 15 tags of repository 'app', more than 50%", "--force"});
    BOOST_TEST(!std::filesystem::exists(plan));
    BOOST_TEST(run({"--policy", all, "--max-remove", "3"}).exit_code == 1);
    for (const std::vector<std::string>& bad : {std::vector<std::string>{},
                                                {"--keep-newest", "3"},
                                                {"--remove", "*", "--policy", all},
                                                {"--group-by", "x", "--remove", "*"},
                                                {"--remove", "*", "--keep-younger-than", "30"},
                                                {"--remove", "*", "--max-remove", "x"},
                                                {"--remove", "*", "--keep-newest", "1", "--group-by", "("},
                                                {"--keep-newest", "0", "--remove", "*"},
                                                {"--policy", "-", "--in-use", "-"}})
        BOOST_TEST(run(bad).exit_code == 2, shown(bad));
    BOOST_TEST((everything() == before));
}

BOOST_FIXTURE_TEST_CASE(a_stale_index_is_not_trusted, filled)
{
    const auto file =
        policy("max_remove: 100%\nrules: [{keep: {newest: 1, tags: 'main-?'}}, {remove: {tags: 'main-?'}}]\n");
    expect(0, {"--policy", file, "-r", "lib"});
    client.push("lib", image_of_age("newer", 1), {"main-2"});
    client.push("lib", image_of_age("oldest", 500), {"main-3"});
    expect(0, {"--policy", file, "-r", "lib", "--no-refresh", "--yes"}); // knows main-1 alone
    BOOST_TEST(tags("lib") == (tag_set{"main-1", "main-2", "main-3"}));
    expect(0, {"--policy", file, "-r", "lib", "--yes"});
    BOOST_TEST(tags("lib") == (tag_set{"main-2"}));
}

BOOST_FIXTURE_TEST_CASE(what_lost_its_tag_goes_by_a_rule_for_it, filled)
{
    const auto file = policy("rules: [{remove: {untagged: true}}]\n");
    expect(0, {"--policy", file, "--yes"});
    const auto lost = image_of_age("dev", 3).digest;
    client.push("app", image_of_age("dev again", 2), {"dev-1"});
    BOOST_TEST(client.resolve("app", lost) == lost);
    const auto got = expect(0, {"--policy", file, "--yes"});
    check_says(got.out, {lost + "  without tags"});
    BOOST_TEST(client.resolve("app", lost).empty());
    pull_all();
}

BOOST_FIXTURE_TEST_CASE(metrics_that_cannot_be_written, filled)
{
    const auto file = policy(branches);
    const auto before = everything();
    for (const auto& name : {home.file("none/regsweep.prom").string(), home.file("").string()}) {
        check_fails(run({"--policy", file, "--yes", "--metrics-file", name}), 1,
                    {"--metrics-file: cannot write '", "nothing was deleted"});
        BOOST_TEST((everything() == before));
    }
    const auto done = run({"--policy", file, "--yes", "--metrics-file", "/dev/full"});
    BOOST_TEST(done.exit_code == 3, done.err);
    BOOST_TEST(count_errors(done.err) == 1U, done.err);
    check_says(done.err, {"--metrics-file: ", "/dev/full", "the deletion itself is done"});
    BOOST_TEST((everything() != before));
}

BOOST_FIXTURE_TEST_CASE(runs_that_nobody_watches, filled)
{
    const auto file = policy(branches);
    const auto lock = home.file("prune.lock").string();
    const auto metrics = home.file("regsweep.prom").string();
    const std::vector<std::string> args{"--policy",    file, "--yes",          "-q",
                                        "--lock-file", lock, "--metrics-file", metrics};
    const auto metric = [&](const std::string& name) -> std::string {
        for (const auto& line : lines(read_file(metrics)))
            if (line.starts_with("regsweep_prune_" + name + "{registry=\"" + registry.url() + "\"} "))
                return line.substr(line.rfind(' ') + 1);
        return "missing";
    };

    const auto before = everything();
    const int held = ::open(lock.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    BOOST_TEST_REQUIRE(::flock(held, LOCK_EX) == 0);
    BOOST_TEST(::write(held, "4711\n", 5) == 5);
    check_fails(run(args), 1, {"another run (process 4711) holds the lock file"});
    BOOST_TEST((everything() == before));
    BOOST_TEST(metric("exit_status") == "1");
    BOOST_TEST(metric("last_success_timestamp_seconds") == "missing");
    ::close(held);

    expect(0, {"--policy", file, "-q", "--metrics-file", metrics});
    BOOST_TEST(metric("dry_run") == "1");
    BOOST_TEST(metric("tags_removed") == "0");
    BOOST_TEST(metric("last_success_timestamp_seconds") == "missing");

    const auto done = expect(0, args);
    BOOST_TEST(done.err == "");
    BOOST_TEST(metric("exit_status") == "0");
    BOOST_TEST(metric("dry_run") == "0");
    BOOST_TEST(metric("failed") == "0");
    const auto gone = before.at("app").size() - everything().at("app").size();
    BOOST_TEST(gone > 3U);
    BOOST_TEST(metric("tags_removed") == std::to_string(gone));
    BOOST_TEST(std::stoull(metric("freed_bytes")) > 1000U);
    const auto success = metric("last_success_timestamp_seconds");
    BOOST_TEST(std::stoll(success) > 1'600'000'000);

    write_file(file, "version: 2\n");
    BOOST_TEST(run(args).exit_code == 1);
    BOOST_TEST(metric("exit_status") == "1");
    BOOST_TEST(metric("last_success_timestamp_seconds") == success);
    BOOST_TEST(!std::filesystem::exists(metrics + ".tmp"));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_left_alone)
{
    fake_registry registry;
    for (const std::string repository : {"a", "b"})
        for (const std::string tag : {"x", "y", "z"})
            registry.put_image(repository, tag, repository + tag);
    registry.start();
    registry.add_rule("", "/v2/a/manifests/y", fake_action::answer(500));
    const sandbox home;
    const auto run = [&](std::vector<std::string> args) {
        args.insert(args.begin(), {"prune", "-reg", registry.address(), "--retries", "0", "--yes"});
        return home.run(args);
    };
    const auto done = run({"--keep", "z", "--remove", "*", "--max-remove", "2"});
    BOOST_TEST(done.exit_code == 3, done.err);
    check_says(done.err, {"repository a is left alone"});
    content left = registry.snapshot();
    BOOST_TEST(left.at("a").size() == 3U);
    BOOST_TEST(left.at("b").size() == 1U);

    // Facts that cannot be read never remove: not one deletion is asked for.
    registry.clear_rules();
    registry.put_image("b", "new", "new");
    registry.add_rule("", "/v2/b/blobs/", fake_action::answer(500));
    const auto unsure = run({"--keep-younger-than", "1s", "--remove", "*", "-r", "b", "--force"});
    BOOST_TEST(unsure.exit_code == 3, unsure.err << unsure.out);
    BOOST_TEST(registry.snapshot().at("b").size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_tag_that_comes_meanwhile_keeps_its_manifest)
{
    fake_registry* here = nullptr;
    std::string id;
    fake_options options;
    options.on_request = [&](const fake_request& request) {
        // After the crawl, when the repository is checked right before the deletion.
        static int listed = 0;
        if (request.target.starts_with("/v2/a/tags/list") && ++listed == 2)
            here->tag("a", "pushed-meanwhile", id);
    };
    fake_registry registry(std::move(options));
    here = &registry;
    id = registry.put_image("a", "old-1", "one");
    registry.put_image("a", "old-2", "two");
    registry.put_image("a", "keep", "three");
    registry.start();
    const sandbox home;
    const auto done =
        home.run({"prune", "-reg", registry.address(), "--remove", "old-*", "--max-remove", "70%", "--yes"});
    BOOST_TEST(done.exit_code == 3, done.err << done.out);
    check_says(done.err, {"pushed-meanwhile"});
    const content left = registry.snapshot();
    BOOST_TEST(left.at("a").contains("old-1"));
    BOOST_TEST(!left.at("a").contains("old-2"));
}

BOOST_AUTO_TEST_SUITE_END()
