// `regsweep bench` against the fake registry: what it says it did is what the registry saw.
#include "common/fake_registry.hpp"
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
