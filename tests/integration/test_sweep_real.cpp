// Deleting and restoring with the program: on docker-registry, and on the fake registry what that cannot be made to do.
#include "common/fake_registry.hpp"
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/index_content.hpp"
#include "integration/program.hpp"

#include "regsweep/sweep/journal.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <random>
#include <set>

using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

/// What a registry says that it holds; emptied repositories included.
content content_of(push_client& client)
{
    content all;
    for (const auto& repository : client.catalog()) {
        auto& tags = all[repository];
        if (const auto names = client.tags(repository))
            for (const auto& tag : *names)
                tags[tag] = client.resolve(repository, tag);
    }
    return all;
}

/// As an index gives it: without emptied repositories, which a JSON cache does not hold.
content with_tags(content all)
{
    std::erase_if(all, [](const auto& repository) { return repository.second.empty(); });
    return all;
}

bool mentions(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

struct fixture
{
    fixture() : client(registry.address()) {}

    process_result run(std::vector<std::string> args, const std::string& cache = "index.db")
    {
        args.insert(args.end(), {"-c", home.file(cache).string()});
        return home.run(args, {{"REGISTRY", registry.address()}});
    }
    void expect(int status, const std::vector<std::string>& args, const std::string& cache = "index.db")
    {
        const auto done = run(args, cache);
        BOOST_TEST_REQUIRE(done.exit_code == status,
                           shown(args) << ": exit " << done.exit_code << ": " << done.err << done.out);
    }

    content indexed(const std::string& cache) const
    {
        const auto file = home.file(cache);
        return with_tags(file.extension() == ".json" ? read_json_cache(file) : read_index(file).tags);
    }

    /// Small manifests, one request each: no layers, and all with the same configuration.
    void push_small(const std::string& repository, int count)
    {
        client.put_blob(repository, {"{}", regsweep::digest::of("{}").to_string()});
        for (int i = 0; i != count; ++i) {
            manifest m;
            m.media_type = "application/vnd.oci.image.manifest.v1+json";
            m.body = R"({"schemaVersion":2,"mediaType":")" + m.media_type +
                     R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":")" +
                     regsweep::digest::of("{}").to_string() + R"("},"layers":[],"annotations":{"n":")" +
                     std::to_string(i) + R"("}})";
            m.digest = regsweep::digest::of(m.body).to_string();
            client.put_manifest(repository, "t" + std::to_string(i), m);
        }
    }

    /// Copies every image with all its platforms.
    void pull_all(const content& all)
    {
        int number = 0;
        for (const auto& [repository, tags] : all)
            for (const auto& [tag, id] : tags) {
                const auto to = home.file("pulled-" + std::to_string(number++));
                std::filesystem::remove_all(to);
                const auto done = regsweep::test::run(
                    {.args = {"skopeo", "--insecure-policy", "copy", "--all", "--src-tls-verify=false",
                              "docker://" + registry.address() + "/" + repository + ":" + tag, "dir:" + to.string()}});
                BOOST_TEST(done.exit_code == 0, repository << ":" << tag << ": " << done.err);
            }
    }

    real_registry registry;
    push_client client;
    sandbox home;
};

/// `app`: two tags of one image, one of another, which `lib` has as well; a multi-arch image beside a single one.
struct filled : fixture
{
    filled()
    {
        client.push("app", make_image("one"), {"v1.0", "v1.1"});
        client.push("app", make_image("two"), {"v2.0"});
        client.push("lib", make_image("two"), {"stable"});
        client.push("app", make_index({make_image("m", family::oci), make_image("m", family::oci, "arm64")}),
                    {"multi", "multi-too"});
        client.push("solo", make_image("three"), {"x"});
        before = content_of(client);
    }
    content before;
};

} // namespace

BOOST_AUTO_TEST_SUITE(sweep_real)

BOOST_FIXTURE_TEST_CASE(tags_go_and_come_back_and_the_index_follows, filled)
{
    for (const std::string cache : {"index.db", "index.json"}) {
        expect(0, {"refresh"}, cache);
        const auto gone = run({"remove-tags", "-r", "app", "-re", "v1"}, cache);
        BOOST_TEST_REQUIRE(gone.exit_code == 0, gone.err);
        BOOST_TEST(mentions(gone.out, "removed   1 manifest, 2 tags"), gone.out);
        BOOST_TEST(mentions(gone.out, "not with --delete-untagged"), gone.out);
        content expected = before;
        expected["app"].erase("v1.0");
        expected["app"].erase("v1.1");
        BOOST_TEST((content_of(client) == expected));
        BOOST_TEST((indexed(cache) == expected));
        expect(0, {"restore", "last"}, cache);
        BOOST_TEST((content_of(client) == before));
        BOOST_TEST((indexed(cache) == before));
    }
}

BOOST_FIXTURE_TEST_CASE(repositories_go_without_what_others_use, filled)
{
    const auto conflict = run({"remove-repos", "-r", "app"});
    BOOST_TEST(conflict.exit_code == 1);
    BOOST_TEST((content_of(client) == before));
    expect(0, {"remove-repos", "-r", "app", "solo", "--no-raise-intersecting-repo"});
    content expected = before;
    expected["app"] = {{"v2.0", before["app"]["v2.0"]}};
    expected["solo"] = {};
    BOOST_TEST((content_of(client) == expected));
    BOOST_TEST((indexed("index.db") == with_tags(expected)));
    expect(0, {"restore", "last", "-r", "solo"});
    expected["solo"] = before["solo"];
    BOOST_TEST((content_of(client) == expected));
    expect(0, {"restore", "last"});
    BOOST_TEST((content_of(client) == before));
}

BOOST_FIXTURE_TEST_CASE(a_tag_alone, filled)
{
    const auto done = run({"remove-tags", "-r", "app", "-t", "v1.0", "multi", "--untag"});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST(mentions(done.out, "regsweep restore"), done.out);
    BOOST_TEST(!mentions(done.out, "garbage"), done.out); // nothing that takes space has gone
    content expected = before;
    expected["app"].erase("v1.0");
    expected["app"].erase("multi");
    BOOST_TEST((content_of(client) == expected));
    BOOST_TEST((indexed("index.db") == expected));
    pull_all(expected);
    expect(0, {"restore", "last"});
    BOOST_TEST((content_of(client) == before));
}

// The list has nothing that leads to nothing: pushing and deleting at once makes docker-registry forget to untag.
BOOST_FIXTURE_TEST_CASE(many_tags_of_one_manifest_alone, fixture)
{
    const auto image = make_image("one");
    client.push("app", image, {"keep"});
    for (int i = 0; i != 60; ++i)
        client.put_manifest("app", "v" + std::to_string(i), image);
    push_small("app", 60);
    const auto done = run({"remove-tags", "-r", "app", "-re", "v", "t", "--untag"});
    BOOST_TEST(done.exit_code == 0, done.err);
    BOOST_TEST((client.tags("app") == std::vector<std::string>{"keep"}));
    expect(0, {"restore", "last"});
    BOOST_TEST(client.tags("app")->size() == 121U);
    BOOST_TEST(content_of(client).at("app").size() == 121U);
}

BOOST_FIXTURE_TEST_CASE(an_index_with_its_children, filled)
{
    const auto arm = make_image("m", family::oci, "arm64").digest;
    const auto amd = make_image("m", family::oci).digest;
    client.put_manifest("app", "keeps-arm", make_image("m", family::oci, "arm64"));
    before = content_of(client);
    const auto hint = run({"remove-tags", "-r", "app", "-re", "multi", "--dry-run"});
    BOOST_TEST(mentions(hint.err, "--with-children"), hint.err);
    expect(0, {"remove-tags", "-r", "app", "-re", "multi", "--with-children"});
    BOOST_TEST(client.resolve("app", arm) == arm); // a tag of its own
    BOOST_TEST(client.resolve("app", amd).empty());
    expect(0, {"restore", "last"});
    BOOST_TEST((content_of(client) == before));
    pull_all(before);
}

BOOST_FIXTURE_TEST_CASE(a_plan_is_shown_written_and_applied, filled)
{
    const auto plan = home.file("plan.json").string();
    const auto dry = run({"remove-tags", "-r", "app", "-re", "v1", "--dry-run", "--plan-out", plan});
    BOOST_TEST_REQUIRE(dry.exit_code == 0, dry.err);
    BOOST_TEST(mentions(dry.out, "plan      1 manifest and 2 tags in 1 repository"), dry.out);
    const auto counts =
        boost::json::parse(run({"remove-tags", "-r", "app", "-re", "v1", "-n", "--output", "json"}).out);
    BOOST_TEST(counts.at("planned").at("tags").to_number<int>() == 2);
    BOOST_TEST((content_of(client) == before));

    // What is written while it is shown is what is written before it is carried out.
    const auto other = home.file("other.json").string();
    expect(0, {"remove-tags", "-r", "app", "-re", "v9", "--plan-out", other});
    BOOST_TEST(boost::json::parse(read_file(other)).at("steps").as_array().empty());

    expect(0, {"apply", plan, "--dry-run"});
    BOOST_TEST((content_of(client) == before));
    real_registry elsewhere;
    const auto refused = home.run({"apply", plan, "-reg", elsewhere.address(), "-c", home.file("e.db").string()});
    BOOST_TEST(refused.exit_code == 1);
    BOOST_TEST(mentions(refused.err, "is a plan for"), refused.err);

    expect(0, {"apply", plan});
    content expected = before;
    expected["app"].erase("v1.0");
    expected["app"].erase("v1.1");
    BOOST_TEST((content_of(client) == expected));
    const auto again = boost::json::parse(run({"apply", plan, "--output", "json"}).out);
    BOOST_TEST(again.at("removed").to_number<int>() == 0);
    BOOST_TEST(again.at("gone").to_number<int>() == 1);
    BOOST_TEST((content_of(client) == expected));
    BOOST_TEST((indexed("index.db") == expected));
    expect(0, {"restore", "last"});
    BOOST_TEST((content_of(client) == before));
}

BOOST_FIXTURE_TEST_CASE(wrong_uses_change_nothing, filled)
{
    expect(2, {"remove-tags", "-t", "v1.0"});
    expect(2, {"remove-tags", "-r", "app"});
    expect(2, {"restore"});
    expect(2, {"restore", "yesterday"});
    expect(1, {"restore", "7"});
    expect(1, {"journal", "7"});
    expect(1, {"restore", "last"});
    expect(1, {"apply", home.file("nothing.json").string()});
    BOOST_TEST((content_of(client) == before));
}

BOOST_FIXTURE_TEST_CASE(images_pull_after_garbage_collection, filled)
{
    expect(0, {"remove-tags", "-r", "app", "-t", "v1.0", "v1.1"});
    const auto left = content_of(client);
    registry.stop();
    registry.garbage_collect();
    registry.start();
    pull_all(left);
    const auto back = run({"restore", "last"});
    BOOST_TEST(back.exit_code == 3, back.err);
    BOOST_TEST(mentions(back.err, "garbage collection"), back.err);
    BOOST_TEST((content_of(client) == left));

    expect(0, {"remove-tags", "-r", "app", "-re", "multi", "--with-children"});
    expect(0, {"restore", "last"});
    registry.stop();
    registry.garbage_collect();
    registry.start();
    BOOST_TEST((content_of(client) == left));
    pull_all(left);
}

BOOST_FIXTURE_TEST_CASE(a_registry_that_starts_again_during_a_run, fixture)
{
    push_small("many", 300);
    const auto before = content_of(client);
    expect(0, {"refresh"});
    process sweep(home.command({"remove-repos", "-r", "many", "--delete-rate", "200", "-c",
                                home.file("index.db").string(), "-reg", registry.address(), "--retries", "20"}));
    sweep.wait_for_end(900ms);
    registry.restart();
    const auto done = sweep.wait();
    BOOST_TEST(done.exit_code == 0, done.err);
    push_client later(registry.address());
    // Ended in the middle of a deletion, the registry may leave a tag in its list whose manifest is gone.
    for (const auto& [repository, tags] : content_of(later))
        for (const auto& [tag, id] : tags)
            BOOST_TEST(id.empty(), repository << ":" << tag << " is still there: " << id);
    expect(0, {"restore", "last"});
    BOOST_TEST((content_of(later) == before));
}

BOOST_FIXTURE_TEST_CASE(an_interrupt_says_how_to_go_on, fixture)
{
    push_small("many", 100);
    const auto before = content_of(client);
    expect(0, {"refresh"});
    process sweep(home.command({"remove-repos", "-r", "many", "--delete-rate", "20", "-c",
                                home.file("index.db").string(), "-reg", registry.address()}));
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (content_of(client) == before && std::chrono::steady_clock::now() < end)
        BOOST_TEST_REQUIRE(!sweep.wait_for_end(20ms), sweep.err());
    sweep.signal(SIGINT);
    const auto done = sweep.wait();
    BOOST_TEST(done.exit_code == 130, done.err);
    BOOST_TEST(mentions(done.err, "regsweep restore"), done.err);
    BOOST_TEST(mentions(done.err, "error: interrupted; what was deleted until then is in the journal"), done.err);
    BOOST_TEST(!mentions(done.err, "--resume"), done.err);
    BOOST_TEST(mentions(run({"journal"}).out, "interrupted"));
    expect(0, {"restore", "last"});
    BOOST_TEST((content_of(client) == before));
}

BOOST_FIXTURE_TEST_CASE(an_interrupted_restore_says_how_to_go_on, fixture)
{
    push_small("many", 100);
    const auto before = content_of(client);
    expect(0, {"remove-repos", "-r", "many", "--refresh"});
    const auto after = content_of(client);
    process back(home.command(
        {"restore", "last", "--rate", "20", "-c", home.file("index.db").string(), "-reg", registry.address()}));
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (content_of(client) == after && std::chrono::steady_clock::now() < end)
        BOOST_TEST_REQUIRE(!back.wait_for_end(20ms), back.err());
    back.signal(SIGTERM);
    const auto done = back.wait();
    BOOST_TEST(done.exit_code == 130, done.err);
    BOOST_TEST(mentions(done.err, "error: interrupted; what was restored until then stays; "), done.err);
    BOOST_TEST(mentions(done.err, "for run 1,"), done.err);
    expect(0, {"restore", "1"});
    BOOST_TEST((content_of(client) == before));
}

BOOST_FIXTURE_TEST_CASE(killed_at_any_moment_nothing_is_lost, fixture)
{
    constexpr int images = 500;
    constexpr int kills = 50;
    push_small("many", images);
    const auto before = content_of(client);
    const auto plan = home.file("plan.json").string();
    expect(0, {"remove-repos", "-r", "many", "--dry-run", "--plan-out", plan});
    const auto seed = std::random_device{}();
    BOOST_TEST_MESSAGE("seed " << seed);
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> moment(0, 250);
    const auto apply = home.command(
        {"apply", plan, "-c", home.file("index.db").string(), "-reg", registry.address(), "--delete-rate", "300"});

    const auto restore_all = [&] {
        auto records = regsweep::journal::open(home.file("index.db.journal")).value();
        std::set<std::string> taken;
        int with_entries = 0;
        int cut = 0;
        for (const auto& run : records.runs().value()) {
            with_entries += records.entries(run.id, 0, 1).value().empty() ? 0 : 1;
            records
                .for_each_entry(run.id,
                                [&](const regsweep::journal_entry& entry) {
                                    using regsweep::journal_state;
                                    BOOST_TEST((entry.state != journal_state::intended),
                                               "seed " << seed << ": entry " << entry.id << " is open");
                                    cut += mentions(entry.message, "cut short") ? 1 : 0;
                                    if (entry.state == journal_state::failed)
                                        BOOST_TEST(mentions(entry.message, "cut short"), entry.message);
                                    if (entry.state == journal_state::done || entry.state == journal_state::gone)
                                        taken.insert(entry.digest.to_string());
                                    return true;
                                })
                .value();
        }
        BOOST_TEST_MESSAGE(with_entries << " runs got as far as deleting, " << cut << " entries were cut short");
        BOOST_TEST(taken.size() == static_cast<std::size_t>(images), "seed " << seed);
        for (const auto& run : records.runs().value())
            if (run.count(regsweep::journal_state::done) + run.count(regsweep::journal_state::gone) != 0)
                expect(0, {"restore", std::to_string(run.id)});
        BOOST_TEST((content_of(client) == before), "seed " << seed << ": not all has come back");
    };

    // Whether a run has more entries than before says that it deletes.
    const auto entries = [&] {
        const auto file = home.file("index.db.journal");
        std::uint64_t count = 0;
        if (std::filesystem::exists(file))
            for (const auto& run : regsweep::journal::open(file).value().runs().value())
                for (const auto state : run.counts)
                    count += state;
        return count;
    };
    const auto wait_until_journaled = [&](process& sweep) {
        const auto before_it = entries();
        while (entries() == before_it && !sweep.wait_for_end(10ms)) {
        }
    };
    int killed = 0;
    int finished = 0;
    const auto check_end = [&](const process_result& done) {
        BOOST_TEST_REQUIRE(done.exit_code == 0, "seed " << seed << ": " << done.err);
        ++finished;
        BOOST_TEST(with_tags(content_of(client)).empty(), "seed " << seed);
        BOOST_TEST(indexed("index.db").empty(), "seed " << seed);
        restore_all();
    };
    while (killed < kills) {
        process sweep(apply);
        // Most kills while it deletes, some while it looks at what the last kill has left, or at the registry.
        if (killed % 5 != 0)
            wait_until_journaled(sweep);
        sweep.wait_for_end(std::chrono::milliseconds(moment(random)));
        sweep.signal(SIGKILL);
        const auto done = sweep.wait();
        if (done.signal == SIGKILL)
            ++killed;
        else
            check_end(done);
    }
    check_end(regsweep::test::run(apply));
    BOOST_TEST_MESSAGE(finished << " runs finished in spite of " << killed << " kills");
}

BOOST_AUTO_TEST_CASE(a_registry_without_deletion_is_explained)
{
    real_registry registry({.allow_delete = false});
    push_client client(registry.address());
    client.push("a", make_image("one"), {"x", "y"});
    const sandbox home;
    for (const bool untag : {false, true}) {
        std::vector<std::string> args = {
            "remove-tags", "-r", "a", "-t", "x", "-reg", registry.address(), "-c", home.file("i.db").string()};
        if (untag)
            args.emplace_back("--untag");
        else
            args.emplace_back("y");
        if (!untag)
            args = {"remove-repos", "-r", "a", "-reg", registry.address(), "-c", home.file("i.db").string()};
        const auto done = home.run(args);
        BOOST_TEST(done.exit_code == 1, done.err);
        BOOST_TEST(mentions(done.err, "REGISTRY_STORAGE_DELETE_ENABLED=true"), done.err);
        BOOST_TEST(!client.resolve("a", "x").empty());
    }
}

BOOST_AUTO_TEST_CASE(an_incomplete_repository_is_refused)
{
    fake_registry registry;
    registry.put_image("a", "x", "one");
    registry.put_image("a", "y", "two");
    registry.put_image("b", "x", "three");
    registry.start();
    registry.add_rule("", "/v2/a/manifests/y", fake_action::answer(500));
    const sandbox home;
    const std::vector<std::string> common = {"-reg", registry.address(), "-c", home.file("i.db").string(), "--retries",
                                             "0"};
    const auto run = [&](std::vector<std::string> args) {
        args.insert(args.end(), common.begin(), common.end());
        return home.run(args);
    };
    BOOST_TEST(run({"refresh"}).exit_code == 3);
    const auto before = registry.snapshot();
    const auto refused = run({"remove-tags", "-r", "a", "-t", "x"});
    BOOST_TEST(refused.exit_code == 1);
    BOOST_TEST(mentions(refused.err, "refresh"), refused.err);
    BOOST_TEST((registry.snapshot() == before));
    BOOST_TEST(registry.requests("DELETE", fake_endpoint::manifests) == 0U);
    // Another repository is not concerned.
    BOOST_TEST(run({"remove-tags", "-r", "b", "-t", "x"}).exit_code == 0);
    BOOST_TEST(registry.snapshot().at("b").empty());
}

BOOST_AUTO_TEST_CASE(what_fails_is_listed_and_the_rest_goes)
{
    fake_registry registry;
    registry.put_image("a", "x", "one");
    const auto stays = registry.put_image("a", "y", "two");
    registry.start();
    registry.add_rule("DELETE", stays, fake_action::answer(403));
    const sandbox home;
    const auto done =
        home.run({"remove-repos", "-r", "a", "-reg", registry.address(), "-c", home.file("i.json").string()});
    BOOST_TEST(done.exit_code == 3);
    BOOST_TEST(mentions(done.out, "failed    1"), done.out);
    BOOST_TEST(count_errors(done.err) == 1U, done.err);
    BOOST_TEST(mentions(done.err, stays), done.err);
    BOOST_TEST((read_json_cache(home.file("i.json")) == registry.snapshot()));
}

BOOST_AUTO_TEST_SUITE_END()
