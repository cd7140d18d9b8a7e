#include "common/fake_registry.hpp"
#include "regsweep/load/generator.hpp"
#include "regsweep/load/sample.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

using namespace regsweep;
using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

struct fixture
{
    fixture()
    {
        registry.start();
        load.address = registry_address::parse(registry.url()).value();
        load.mix = parse_mix("head=1").value();
        load.http.retry.retries = 0;
        load.concurrency = 4;
        load.requests = 100;
    }

    static fake_options options()
    {
        fake_options out;
        out.synthetic.repositories = 3;
        out.synthetic.tags = 10;
        return out;
    }

    load_targets targets() const
    {
        load_targets out("", 100);
        const auto found = read_sample(load, {}).value();
        for (const auto& name : found.repositories)
            out.add_repository(name);
        for (const auto& [name, tag] : found.manifests)
            out.add_manifest(name, tag);
        return out;
    }

    std::size_t heads() const { return registry.requests("HEAD", fake_endpoint::manifests); }

    fake_registry registry{options()};
    load_options load;
};

const operation_result& head_of(const load_result& from)
{
    return from.by_operation[static_cast<std::size_t>(operation::head)];
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(generator, fixture)

BOOST_AUTO_TEST_CASE(sends_as_many_as_asked_on_any_number_of_threads)
{
    const auto all = targets();
    std::size_t before = 0;
    for (const unsigned threads : {1U, 2U, 3U, 9U}) {
        load.threads = threads; // nine is more than there are connections
        const auto out = load_generator(load, all).run();
        BOOST_TEST(out.requests == 100U);
        BOOST_TEST(out.errors == 0U);
        BOOST_TEST(head_of(out).latency.count() == 100U);
        BOOST_TEST(heads() - before == 100U);
        BOOST_TEST(out.connections <= 4U);
        BOOST_TEST(out.bytes > 0U);
        BOOST_TEST(!out.interrupted);
        std::uint64_t in_series = 0;
        for (const auto& second : out.series)
            in_series += second.requests;
        BOOST_TEST(in_series <= 100U);
        BOOST_TEST(!out.series.empty());
        before = heads();
    }
}

BOOST_AUTO_TEST_CASE(ends_at_a_cancel_and_keeps_what_there_is)
{
    const auto all = targets();
    load.requests = 0;
    load.duration = 1h;
    load.threads = 2;
    load_generator run(load, all);
    std::jthread stopper([&] {
        while (heads() < 50)
            std::this_thread::sleep_for(1ms);
        run.cancel();
    });
    const auto out = run.run();
    BOOST_TEST(out.interrupted);
    BOOST_TEST(out.requests >= 46U);
    BOOST_TEST(out.requests <= heads());
    BOOST_TEST(out.errors == 0U);
    BOOST_TEST(out.seconds > 0);
    BOOST_TEST(out.seconds < 3600);
}

BOOST_AUTO_TEST_CASE(cancelled_before_it_runs_does_not_run)
{
    const auto all = targets();
    load_generator run(load, all);
    run.cancel();
    const auto out = run.run();
    BOOST_TEST(out.interrupted);
    BOOST_TEST(heads() <= 4U);
}

BOOST_AUTO_TEST_CASE(gives_up_what_is_not_answered_soon_after_the_end)
{
    const auto all = targets();
    registry.add_rule("HEAD", "", fake_action::wait(60s));
    load.requests = 0;
    load.duration = 50ms;
    load.drain = 50ms;
    const auto out = load_generator(load, all).run();
    BOOST_TEST(out.requests == 4U);
    BOOST_TEST(out.errors == 4U);
    BOOST_TEST(head_of(out).failures.at("timed_out") == 4U);
    BOOST_TEST((head_of(out).latency.min() >= 50ms));
    BOOST_TEST(!out.interrupted);
}

BOOST_AUTO_TEST_CASE(counts_the_wait_of_requests_that_were_due)
{
    const auto all = targets();
    registry.add_rule("HEAD", "", fake_action::wait(300ms), 1);
    load.concurrency = 1;
    load.rate = 100;
    load.requests = 20;
    const auto out = load_generator(load, all).run();
    BOOST_TEST(out.requests == 20U);
    // Twenty are due within 190 ms, all while the first was waited for: the last of them waited for at least 110 ms.
    BOOST_TEST((head_of(out).latency.min() >= 100ms));
    BOOST_TEST((head_of(out).latency.max() >= 300ms));
}

BOOST_AUTO_TEST_CASE(does_not_repeat_a_failure)
{
    const auto all = targets();
    registry.add_rule("HEAD", "", fake_action::answer(503, {{"Retry-After", "60"}}), 10);
    const auto out = load_generator(load, all).run();
    BOOST_TEST(heads() == 100U);
    BOOST_TEST(out.errors == 10U);
    BOOST_TEST(head_of(out).failures.at("http_503") == 10U);
    BOOST_TEST(out.first_failure.find("503") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(keeps_its_own_pace_whatever_the_registry_announces)
{
    auto how = options();
    how.extra_headers = {{"RateLimit-Limit", "100;w=21600"}, {"RateLimit-Remaining", "1"}};
    fake_registry strict(how);
    strict.start();
    load.address = registry_address::parse(strict.url()).value();
    load_targets all("", 100);
    all.add_manifest(strict.synthetic().repository_name(0), "1.0.0");
    const auto out = load_generator(load, all).run(); // at that pace it would take hours
    BOOST_TEST(out.requests == 100U);
}

BOOST_AUTO_TEST_CASE(waits_a_little_where_nobody_listens)
{
    const auto all = targets();
    registry.stop();
    load.requests = 8;
    const auto out = load_generator(load, all).run();
    BOOST_TEST(out.requests == 8U);
    BOOST_TEST(head_of(out).failures.at("connect_failed") == 8U);
    BOOST_TEST(out.good_rate == 0);
    BOOST_TEST(!check_registry(load).has_value());
}

BOOST_AUTO_TEST_CASE(needs_an_end_and_something_to_ask_for)
{
    const auto all = targets();
    const load_targets none("", 100);
    BOOST_CHECK_THROW(load_generator(load, none), failure);
    load.requests = 0;
    BOOST_CHECK_THROW(load_generator(load, all), failure);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(sample, fixture)

BOOST_AUTO_TEST_CASE(holds_what_it_is_limited_to)
{
    sample_options how;
    auto got = read_sample(load, how).value();
    BOOST_TEST(got.repositories.size() == 3U);
    BOOST_TEST(got.manifests.size() == 30U);
    how.repositories = 2;
    how.page_size = 1;
    got = read_sample(load, how).value();
    BOOST_TEST(got.repositories.size() == 2U);
    BOOST_TEST(got.manifests.size() == 2U); // a page of one tag each
    how.patterns = {"*-000002"};
    got = read_sample(load, how).value();
    BOOST_TEST_REQUIRE(got.repositories.size() == 1U);
    BOOST_TEST(got.repositories[0] == "synthetic/repo-000002");
    how.names = {"synthetic/repo-000001", "gone/away"};
    got = read_sample(load, how).value();
    BOOST_TEST(got.repositories == std::vector<std::string>{"synthetic/repo-000001"});
}

BOOST_AUTO_TEST_CASE(names_the_blobs_of_manifests)
{
    registry.put_image("team/app", "1", "one");
    registry.put_image("team/app", "2", "two");
    const auto some = find_blobs(load, {{"team/app", "1"}, {"team/app", "2"}, {"team/app", "none"}}, 1 << 20);
    BOOST_TEST(some.size() >= 2U);
    for (const auto& [name, blob] : some) {
        BOOST_TEST(name == "team/app");
        BOOST_TEST(blob.starts_with("sha256:"));
    }
    BOOST_TEST(find_blobs(load, {{"team/app", "1"}}, 0).empty());
}

BOOST_AUTO_TEST_SUITE_END()
