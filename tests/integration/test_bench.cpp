// `regsweep bench` against the fake registry: what it says it did is what the registry saw.
#include "common/fake_registry.hpp"
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/index_content.hpp"
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <thread>

using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

fake_options with_content()
{
    fake_options out;
    out.synthetic.repositories = 5;
    out.synthetic.tags = 20;
    return out;
}

/// A registry, and the program run against it without an index.
struct bench_fixture
{
    explicit bench_fixture(fake_options options = with_content()) : registry(std::move(options)) { registry.start(); }

    std::vector<std::string> bench(std::vector<std::string> more) const
    {
        more.insert(more.begin(), {"bench", "-reg", registry.address(), "-c", "None"});
        return more;
    }

    /// Runs it to its end and reads its JSON.
    boost::json::value measure(std::vector<std::string> more, int exit_code = 0) const
    {
        more.insert(more.end(), {"--output", "json"});
        const auto done = home.run(bench(std::move(more)));
        BOOST_TEST_REQUIRE(done.exit_code == exit_code, done.err);
        return boost::json::parse(done.out);
    }

    std::size_t heads() const { return registry.requests("HEAD", fake_endpoint::manifests); }

    sandbox home;
    fake_registry registry;
};

std::size_t number(const boost::json::value& from, const char* key)
{
    return from.at(key).to_number<std::size_t>();
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(bench_counts, bench_fixture)

BOOST_AUTO_TEST_CASE(are_what_the_registry_saw)
{
    const auto report = measure({"--op", "head", "--requests", "500", "--concurrency", "7"});
    const auto& run = report.at("runs").at(0);
    BOOST_TEST(number(run, "requests") == 500U);
    BOOST_TEST(number(run, "errors") == 0U);
    BOOST_TEST(number(run, "connections") <= 7U);
    BOOST_TEST(number(run.at("operations").at("head"), "requests") == 500U);
    BOOST_TEST(run.at("rate").to_number<double>() > 0);
    BOOST_TEST(heads() == 500U);
    BOOST_TEST(registry.counts().max_concurrent <= 8U); // those of the short look at the registry among them
}

BOOST_AUTO_TEST_CASE(of_a_mix_add_up_over_threads)
{
    const auto report =
        measure({"--mix", "head=5,tags=3,catalog=1,get=1", "--requests", "400", "--threads", "2", "--seed", "9"});
    const auto& run = report.at("runs").at(0);
    const auto& by = run.at("operations");
    BOOST_TEST(number(run, "requests") == 400U);
    BOOST_TEST(number(run, "errors") == 0U);
    BOOST_TEST(number(by.at("head"), "requests") == heads());
    BOOST_TEST(number(by.at("get"), "requests") == registry.requests("GET", fake_endpoint::manifests));
    BOOST_TEST(number(by.at("tags"), "requests") == registry.requests("GET", fake_endpoint::tags) - 5);
    BOOST_TEST(number(by.at("catalog"), "requests") == registry.requests("GET", fake_endpoint::catalog) - 1);
}

BOOST_AUTO_TEST_CASE(of_a_warm_up_are_kept_apart)
{
    const auto report = measure({"--op", "head", "--warmup", "0.3", "--requests", "50"});
    const auto& run = report.at("runs").at(0);
    BOOST_TEST(number(run, "requests") == 50U);
    BOOST_TEST(number(run, "warmup_requests") > 0U);
    BOOST_TEST(number(run, "warmup_requests") + 50 == heads());
}

BOOST_AUTO_TEST_CASE(of_failures_are_those_of_the_registry_without_a_repetition)
{
    fake_rule busy;
    busy.method = "HEAD";
    busy.probability = 0.3;
    busy.action = fake_action::answer(429, {{"Retry-After", "30"}});
    const auto rule = registry.add_rule(busy);
    const auto lost = registry.add_rule("HEAD", "", fake_action::close_after(10), 3);
    const auto report = measure({"--op", "head", "--requests", "300"});
    const auto& run = report.at("runs").at(0);
    BOOST_TEST(number(run, "requests") == 300U);
    BOOST_TEST(heads() == 300U);
    BOOST_TEST(number(run.at("failures"), "http_429") == registry.rule_hits(rule));
    BOOST_TEST(number(run.at("failures"), "connection_lost") == registry.rule_hits(lost));
    BOOST_TEST(number(run, "errors") == registry.rule_hits(rule) + registry.rule_hits(lost));
}

BOOST_AUTO_TEST_CASE(of_an_open_loop_are_its_rate_times_its_duration)
{
    const auto report = measure({"--op", "head", "--rate", "200", "--duration", "1", "--threads", "2"});
    const auto& run = report.at("runs").at(0);
    BOOST_TEST(number(run, "requests") + number(run, "unsent") == 200U);
    BOOST_TEST(number(run, "requests") == heads());
    BOOST_TEST(run.at("wanted_rate").to_number<double>() == 200);
    BOOST_TEST(run.at("seconds").to_number<double>() == 1);
}

BOOST_AUTO_TEST_CASE(of_blobs_come_with_their_content)
{
    registry.put_image("team/app", "1", "one");
    const auto report = measure({"--repo", "team/app", "--op", "blob", "--requests", "40"});
    const auto& run = report.at("runs").at(0);
    BOOST_TEST(number(run, "errors") == 0U);
    BOOST_TEST(number(run.at("operations").at("blob"), "body_bytes") > 0U);
    BOOST_TEST(registry.requests("GET", fake_endpoint::blobs) == 40U);
}

BOOST_AUTO_TEST_CASE(come_from_the_index_where_there_is_one)
{
    const auto index = home.file("index.db").string();
    const auto address = registry.address();
    BOOST_TEST_REQUIRE(home.run({"refresh", "-reg", address, "-c", index}).exit_code == 0);
    const auto tags = registry.requests("GET", fake_endpoint::tags);
    registry.clear_log();
    const auto done = home.run({"bench", "-reg", address, "-c", index, "--op", "head", "--order", "listed",
                                "--concurrency", "1", "--requests", "200"});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST(registry.requests("GET", fake_endpoint::tags) == tags);
    std::map<std::string, int> asked;
    for (const auto& record : registry.log())
        if (record.method == "HEAD")
            ++asked[record.target];
    BOOST_TEST(asked.size() == 100U);
    for (const auto& [target, times] : asked)
        BOOST_TEST(times == 2, target);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(bench_results, bench_fixture)

BOOST_AUTO_TEST_CASE(of_levels_stand_side_by_side)
{
    const auto report = measure({"--op", "get", "--concurrency", "1,2,8", "--requests", "60"});
    const auto& runs = report.at("runs").as_array();
    BOOST_TEST_REQUIRE(runs.size() == 3U);
    BOOST_TEST(number(runs[0], "concurrency") == 1U);
    BOOST_TEST(number(runs[2], "concurrency") == 8U);
    BOOST_TEST(number(runs[2], "connections") <= 8U);
    const auto text = home.run(bench({"--op", "get", "--concurrency", "1,2,8", "--requests", "60"}));
    BOOST_TEST(text.out.find("connections") != std::string::npos, text.out);
    BOOST_TEST(text.out.find("most ") != std::string::npos, text.out);
}

BOOST_AUTO_TEST_CASE(are_written_as_page_and_hgrm_and_compared)
{
    const auto file = [&](const char* name) { return home.file(name).string(); };
    const auto first = home.run(bench({"--op", "head", "--requests", "100", "--output", "json"}));
    BOOST_TEST_REQUIRE(first.exit_code == 0, first.err);
    write_file(file("earlier.json"), first.out);
    const auto done = home.run(bench({"--op", "head", "--requests", "100", "--html", file("page.html"), "--hgrm",
                                      file("latency.hgrm"), "--compare", file("earlier.json")}));
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST(done.out.find("compared with") != std::string::npos, done.out);
    BOOST_TEST(done.out.find("p99.9") != std::string::npos, done.out);
    BOOST_TEST(read_file(file("page.html")).find("</html>") != std::string::npos);
    BOOST_TEST(read_file(file("latency.hgrm")).find("#[Max     =") != std::string::npos);
    const auto hgrm = home.run(bench({"--op", "head", "--requests", "10", "--output", "hgrm"}));
    BOOST_TEST(hgrm.out.find("1/(1-Percentile)") != std::string::npos, hgrm.out);
    BOOST_TEST(hgrm.out.find("Total count    =           10]") != std::string::npos, hgrm.out);
}

BOOST_AUTO_TEST_CASE(so_far_are_shown_at_an_interrupt)
{
    process load(home.command(bench({"--op", "head", "--duration", "100", "--output", "json"})));
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (heads() < 100 && std::chrono::steady_clock::now() < end)
        BOOST_TEST_REQUIRE(!load.wait_for_end(5ms), load.err());
    load.signal(SIGINT);
    const auto done = load.wait(20s);
    BOOST_TEST(done.exit_code == 130, done.err);
    const auto report = boost::json::parse(done.out);
    const auto& run = report.at("runs").at(0);
    BOOST_TEST(run.at("interrupted").as_bool());
    BOOST_TEST(number(run, "requests") >= 100U - 32U);
    BOOST_TEST(number(run, "requests") <= heads());
    BOOST_TEST(number(run, "errors") == 0U);
}

BOOST_AUTO_TEST_CASE(are_refused_where_nothing_can_be_measured)
{
    const auto code = [&](std::vector<std::string> more) { return home.run(bench(std::move(more))).exit_code; };
    BOOST_TEST(code({"--op", "push"}) == 2);
    BOOST_TEST(code({"--concurrency", "1,x"}) == 2);
    BOOST_TEST(code({"--find-limit", "--requests", "5"}) == 2);
    BOOST_TEST(code({"--mix", "head"}) == 2);
    BOOST_TEST(code({"--op", "head", "--repo", "nothing/here", "--requests", "1"}) == 1);
    registry.add_rule("HEAD", "", fake_action::answer(500));
    BOOST_TEST(code({"--op", "head", "--requests", "5"}) == 1);
    registry.stop();
    const auto down = home.run(bench({"--op", "ping"}));
    BOOST_TEST(down.exit_code == 1);
    BOOST_TEST(count_errors(down.err) == 1U, down.err);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(bench_limit)

BOOST_AUTO_TEST_CASE(of_a_registry_that_takes_300_a_second_is_near_that)
{
    auto options = with_content();
    options.rate_limit = 300;
    const bench_fixture limited(std::move(options));
    const auto report =
        limited.measure({"--op", "ping", "--find-limit", "--rate", "110", "--hold", "1", "--slo-p99", "2000"});
    const auto& limit = report.at("limit");
    BOOST_TEST_REQUIRE(limit.at("rate").is_number(), boost::json::serialize(limit));
    const auto rate = limit.at("rate").to_number<double>();
    BOOST_TEST(rate > 200, boost::json::serialize(limit));
    BOOST_TEST(rate < 400, boost::json::serialize(limit));
    BOOST_TEST(limit.at("trials").as_array().size() > 3U);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// An index of a registry, and a plan of all of one repository.
struct planned
{
    explicit planned(std::string registry_address) : address(std::move(registry_address)) {}

    process_result run(std::vector<std::string> args) const
    {
        args.insert(args.end(), {"-reg", address, "-c", index()});
        return home.run(args);
    }
    std::string index() const { return home.file("index.db").string(); }
    std::string plan() const { return home.file("plan.json").string(); }
    void make_plan(const std::string& repository) const
    {
        const auto done = run({"remove-repos", "-r", repository, "--dry-run", "--plan-out", plan()});
        BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    }
    std::vector<std::string> deletion(std::vector<std::string> more = {}) const
    {
        more.insert(more.begin(), {"bench", "--op", "delete", "--plan", plan(), "--yes-delete"});
        return more;
    }

    std::string address;
    sandbox home;
};

std::size_t count_tags(const planned& of, const std::string& repository)
{
    const auto all = read_index(of.index()).tags;
    const auto found = all.find(repository);
    return found == all.end() ? 0 : found->second.size();
}

fake_options with_deletable_content()
{
    auto out = with_content();
    out.synthetic.remember_deletes = true;
    return out;
}

struct fake_deletion : bench_fixture, planned
{
    fake_deletion() : bench_fixture(with_deletable_content()), planned(bench_fixture::registry.address())
    {
        make_plan(repository);
    }
    std::size_t deletes() const { return registry.requests("DELETE", fake_endpoint::manifests); }

    const std::string repository = "synthetic/repo-000001";
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(bench_deletion, fake_deletion)

BOOST_AUTO_TEST_CASE(counts_what_the_registry_saw_and_is_journaled_and_indexed)
{
    const auto page = planned::home.file("page.html").string();
    const auto done = run(deletion({"--output", "json", "--concurrency", "4", "--html", page}));
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    const auto report = boost::json::parse(done.out);
    const auto& load = report.at("runs").at(0);
    BOOST_TEST(report.at("mix").as_string() == "delete=1");
    BOOST_TEST(number(load, "requests") == 20U);
    BOOST_TEST(number(load, "errors") == 0U);
    BOOST_TEST(number(load, "concurrency") == 4U);
    BOOST_TEST(number(load.at("operations").at("delete"), "requests") == deletes());
    BOOST_TEST(load.at("rate").to_number<double>() > 0);
    BOOST_TEST(load.at("latency_ms").at("p50").to_number<double>() > 0);
    BOOST_TEST(number(report.at("deletion"), "run") == 1U);
    BOOST_TEST(number(report.at("deletion"), "steps") == 20U);
    BOOST_TEST(number(report.at("deletion"), "settled") == 20U);
    BOOST_TEST(number(report.at("deletion"), "failed") == 0U);
    BOOST_TEST(count_tags(*this, repository) == 0U);
    BOOST_TEST(read_file(page).find("\"deletion\":{\"run\":1") != std::string::npos);
    const auto listed = run({"journal", "--output", "json"});
    BOOST_TEST(boost::json::parse(listed.out).at("runs").as_array().size() == 1U, listed.out);

    const auto again = run(deletion());
    BOOST_TEST(again.exit_code == 0, again.err);
    BOOST_TEST(again.out.find("20 had nothing left to do") != std::string::npos, again.out);
    BOOST_TEST(again.out.find("undo") == std::string::npos, again.out);
    BOOST_TEST(deletes() == 20U);
}

BOOST_AUTO_TEST_CASE(counts_failures_by_status_and_says_how_to_undo_the_rest)
{
    registry.add_rule("DELETE", "", fake_action::answer(403), 3);
    const auto done = run(deletion());
    BOOST_TEST(done.exit_code == 3, done.err);
    BOOST_TEST(done.out.find("http_403 3") != std::string::npos, done.out);
    BOOST_TEST(done.out.find("regsweep restore 1 -reg " + address) != std::string::npos, done.out);
    BOOST_TEST(done.out.find("p99.9") != std::string::npos, done.out);
    BOOST_TEST(count_tags(*this, repository) == 3U);
}

BOOST_AUTO_TEST_CASE(tells_what_there_is_where_the_registry_allows_none)
{
    registry.add_rule("DELETE", "", fake_action::answer(405));
    const auto done = run(deletion({"--output", "json", "--concurrency", "1"}));
    BOOST_TEST(done.exit_code == 1, done.err);
    BOOST_TEST(count_errors(done.err) == 1U, done.err);
    const auto report = boost::json::parse(done.out);
    BOOST_TEST(number(report.at("runs").at(0).at("failures"), "http_405") == 1U);
    BOOST_TEST(count_tags(*this, repository) == 20U);
}

BOOST_AUTO_TEST_CASE(shows_what_there_is_at_an_interrupt_and_keeps_it_in_the_journal)
{
    auto args = deletion({"--output", "json", "--rate", "2"});
    args.insert(args.end(), {"-reg", address, "-c", index()});
    process load(planned::home.command(args));
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (deletes() < 1 && std::chrono::steady_clock::now() < end)
        BOOST_TEST_REQUIRE(!load.wait_for_end(5ms), load.err());
    load.signal(SIGINT);
    const auto done = load.wait(20s);
    BOOST_TEST(done.exit_code == 130, done.err);
    const auto report = boost::json::parse(done.out);
    BOOST_TEST(report.at("runs").at(0).at("interrupted").as_bool());
    BOOST_TEST(number(report.at("runs").at(0), "requests") <= deletes());
    BOOST_TEST(number(report.at("deletion"), "run") == 1U);
    BOOST_TEST(number(report.at("deletion"), "settled") < 20U);
    BOOST_TEST(done.err.find("regsweep restore 1") != std::string::npos, done.err);
}

BOOST_AUTO_TEST_CASE(is_refused_without_plan_and_consent)
{
    const auto refused = [&](std::vector<std::string> args) {
        args.insert(args.begin(), "bench");
        const auto done = run(args);
        BOOST_TEST(done.exit_code == 2, shown(args) << ": " << done.exit_code << ": " << done.err);
        BOOST_TEST(count_errors(done.err) == 1U, done.err);
    };
    refused({"--op", "delete"});
    refused({"--op", "delete", "--yes-delete"});
    refused({"--op", "delete", "--plan", plan()});
    refused({"--op", "head", "--plan", plan(), "--yes-delete"});
    refused({"--yes-delete"});
    refused({"--mix", "head=1,delete=1"});
    for (const auto& more : std::vector<std::vector<std::string>>{
             {"--find-limit"}, {"--concurrency", "1,2"}, {"--requests", "5"}, {"--duration", "1"}, {"--warmup", "1"}}) {
        auto args = deletion(more);
        args.erase(args.begin());
        refused(args);
    }
    const auto other = planned::home.run(
        {"bench", "--op", "delete", "--plan", plan(), "--yes-delete", "-reg", "127.0.0.1:1", "-c", index()});
    BOOST_TEST(other.exit_code == 1);
    BOOST_TEST(other.err.find("is a plan for") != std::string::npos, other.err);
    BOOST_TEST(deletes() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(bench_deletion_for_real)

BOOST_AUTO_TEST_CASE(is_taken_back_by_restore_last)
{
    real_registry registry;
    push_client client(registry.address());
    const planned home(registry.address());
    std::map<std::string, std::string> before;
    for (int i = 0; i != 12; ++i) {
        const auto tag = "1." + std::to_string(i);
        client.push("team/app", make_image(tag), {tag, tag + "-too"});
        before[tag] = before[tag + "-too"] = client.resolve("team/app", tag);
    }
    client.push("team/kept", make_image("kept"), {"1"});
    home.make_plan("team/app");
    const auto done = home.run(home.deletion({"--output", "json"}));
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    const auto report = boost::json::parse(done.out);
    BOOST_TEST(number(report.at("runs").at(0), "requests") == 12U);
    BOOST_TEST(number(report.at("runs").at(0), "errors") == 0U);
    BOOST_TEST(client.resolve("team/app", "1.3").empty());
    BOOST_TEST(!client.resolve("team/kept", "1").empty());
    BOOST_TEST(count_tags(home, "team/app") == 0U);

    const auto back = home.run({"restore", "last"});
    BOOST_TEST_REQUIRE(back.exit_code == 0, back.err);
    for (const auto& [tag, id] : before)
        BOOST_TEST(client.resolve("team/app", tag) == id, tag);
    BOOST_TEST(count_tags(home, "team/app") == 24U);
}

BOOST_AUTO_TEST_SUITE_END()
