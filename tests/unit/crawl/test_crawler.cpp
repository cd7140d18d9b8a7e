// Whole crawls against the fake registry.

#include "common/fake_registry.hpp"
#include "common/temp_dir.hpp"

#include "regsweep/crawl/crawler.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <thread>

using namespace regsweep;
using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

crawl_options options_for(const fake_registry& registry)
{
    crawl_options out;
    out.address = registry_address::parse(registry.url()).value();
    out.http.retry.retries = 3;
    out.http.retry.first_delay = 1ms;
    out.http.retry.max_delay = 5ms;
    return out;
}

struct outcome
{
    result<crawl_report> report;
    fake_snapshot found;
    std::map<std::string, std::string> incomplete; // with the reason
};

index_builder_options in_memory()
{
    index_builder_options out;
    out.registry = "https://r:443";
    return out;
}

fake_snapshot content_of(const regsweep::index& from)
{
    fake_snapshot out;
    BOOST_TEST(from.for_each_repository([&](const repository_info& r) {
                       auto& tags = out[r.name];
                       BOOST_TEST(from.for_each_tag(r.name,
                                                    [&](const tag_view& t) {
                                                        tags[std::string(t.tag)] = t.digest.to_string();
                                                        return true;
                                                    })
                                      .has_value());
                       return true;
                   })
                   .has_value());
    return out;
}

outcome crawl(crawl_options options)
{
    const auto builder = index_builder::create(in_memory()).value();
    crawler job(std::move(options));
    outcome out;
    out.report = job.run(*builder);
    if (!out.report)
        return out;
    const auto built = builder->finish();
    BOOST_TEST_REQUIRE(built.has_value());
    out.found = content_of(*built);
    BOOST_TEST(built
                   ->for_each_repository([&](const repository_info& r) {
                       if (!r.complete)
                           out.incomplete[r.name] = r.problem;
                       return true;
                   })
                   .has_value());
    return out;
}

void check_whole(const outcome& got)
{
    BOOST_TEST_REQUIRE(got.report.has_value(), (got.report ? "" : got.report.error().message()));
    BOOST_TEST(got.incomplete.empty());
    BOOST_TEST(got.report->incomplete == 0U);
}

void fill(fake_registry& registry, int repositories = 12)
{
    for (int r = 0; r != repositories; ++r) {
        const std::string name = "team" + std::to_string(r % 3) + "/app" + std::to_string(r);
        registry.store().add_repository(name);
        for (int t = 0; t != r * 5; ++t)
            registry.put_image(name, "v" + std::to_string(t), std::to_string(r % 2) + "-" + std::to_string(t / 2));
    }
}

void check_error(const outcome& got, errc code)
{
    BOOST_TEST_REQUIRE(got.report.has_error());
    BOOST_TEST(got.report.error().is(code), got.report.error().message());
}

} // namespace

BOOST_AUTO_TEST_SUITE(crawls)

BOOST_AUTO_TEST_CASE(what_is_found_is_what_is_there)
{
    for (const unsigned threads : {1U, 4U}) {
        for (const unsigned concurrency : {1U, 5U, 32U}) {
            for (const unsigned page : {3U, 1000U}) {
                fake_registry registry;
                fill(registry);
                registry.start();
                auto options = options_for(registry);
                options.threads = threads;
                options.concurrency = concurrency;
                options.page_size = page;
                options.pipeline = page == 3U ? 5 : 1;
                const auto got = crawl(options);
                check_whole(got);
                BOOST_TEST((got.found == registry.snapshot()));
                BOOST_TEST(got.report->repositories == 12U);
                BOOST_TEST(got.report->tags == 330U);
                BOOST_TEST(got.report->requests == registry.counts().requests);
                BOOST_TEST(registry.counts().max_concurrent <= concurrency);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(computed_content)
{
    for (const unsigned threads : {1U, 4U}) {
        fake_options fake;
        fake.synthetic.repositories = 50;
        fake.synthetic.tags = 60;
        fake.synthetic.share = 3;
        fake.record = false;
        fake_registry registry(fake);
        registry.start();
        auto options = options_for(registry);
        options.threads = threads;
        const auto got = crawl(options);
        check_whole(got);
        BOOST_TEST(got.found.size() == 50U);
        fake_synthetic::scratch scratch;
        const auto& content = registry.synthetic();
        for (std::size_t r = 0; r != 50; ++r) {
            const auto& tags = got.found.at(content.repository_name(r));
            BOOST_TEST(tags.size() == 60U);
            for (const auto& [tag, name] : tags)
                if (name != content.digest(r, content.find_tag(tag).value(), scratch))
                    BOOST_ERROR("wrong digest of " + tag);
        }
    }
}

BOOST_AUTO_TEST_CASE(registries_that_cap_their_pages)
{
    fake_options fake;
    fake.api.page_cap = 4;
    fake_registry registry(fake);
    fill(registry);
    registry.start();
    const auto got = crawl(options_for(registry));
    check_whole(got);
    BOOST_TEST((got.found == registry.snapshot()));
}

BOOST_AUTO_TEST_CASE(nothing_at_all)
{
    fake_registry registry;
    registry.start();
    const auto got = crawl(options_for(registry));
    check_whole(got);
    BOOST_TEST(got.found.empty());
}

BOOST_AUTO_TEST_CASE(emptied_repositories_and_vanished_tags)
{
    fake_registry registry;
    registry.store().add_repository("empty"); // "tags": null
    registry.put_image("a", "1", "one");
    registry.put_image("a", "2", "two");
    registry.put_image("gone", "1", "one");
    registry.add_rule("", "/gone/tags/list", fake_action::answer(404));
    registry.add_rule("", "/a/manifests/2", fake_action::answer(404));
    registry.start();
    const auto got = crawl(options_for(registry));
    check_whole(got);
    BOOST_TEST(got.report->gone == 1U);
    BOOST_TEST(got.report->repositories == 3U);
    BOOST_TEST(got.found.at("empty").empty());
    BOOST_TEST(got.found.at("gone").empty());
    BOOST_TEST(got.found.at("a").size() == 1U);
}

BOOST_AUTO_TEST_CASE(repositories_that_cannot_be_read_are_named)
{
    for (const unsigned threads : {1U, 3U}) {
        fake_registry registry;
        fill(registry);
        registry.add_rule("", "/team0/app6/tags", fake_action::answer(403));
        registry.add_rule("", "/team1/app7/tags", fake_action::answer(500));
        registry.add_rule("", "/team2/app8/manifests", fake_action::answer(500));
        fake_rule one_tag;
        one_tag.regex = "/team0/app9/manifests/v3$";
        one_tag.action = fake_action::answer(401);
        registry.add_rule(one_tag);
        registry.start();
        auto options = options_for(registry);
        options.threads = threads;
        const auto got = crawl(options);
        BOOST_TEST_REQUIRE(got.report.has_value());
        BOOST_TEST(got.report->incomplete == 4U);
        BOOST_TEST(got.report->problems.size() == 4U);
        const std::map<std::string, std::string> named(got.report->problems.begin(), got.report->problems.end());
        for (const std::string name : {"team0/app6", "team1/app7", "team2/app8", "team0/app9"}) {
            BOOST_TEST(named.contains(name));
            BOOST_TEST(got.incomplete.contains(name));
        }
        BOOST_TEST(got.incomplete.size() == 4U);
        BOOST_TEST(named.at("team0/app6").find("403") != std::string::npos);
        // The others are whole, and so is what could be read of these.
        auto expected = registry.snapshot();
        BOOST_TEST((got.found.at("team1/app10") == expected.at("team1/app10")));
        BOOST_TEST(got.found.at("team0/app9").size() == 44U);
    }
}

BOOST_AUTO_TEST_CASE(catalogs_that_are_refused)
{
    for (const auto& [status, code] : {std::pair{401U, errc::unauthorized},
                                       {403U, errc::forbidden},
                                       {404U, errc::not_found},
                                       {405U, errc::unsupported},
                                       {500U, errc::http_status}}) {
        fake_registry registry;
        fill(registry);
        registry.add_rule("", "/_catalog", fake_action::answer(status));
        registry.start();
        check_error(crawl(options_for(registry)), code);
        // Names given beforehand need none.
        auto options = options_for(registry);
        options.only_names = true;
        options.names = {"team1/app1", "team1/app4", "no/such"};
        const auto got = crawl(options);
        check_whole(got);
        BOOST_TEST(got.found.size() == 3U);
        BOOST_TEST((got.found.at("team1/app4") == registry.snapshot().at("team1/app4")));
    }
}

BOOST_AUTO_TEST_CASE(catalogs_that_are_garbage_or_loop)
{
    {
        fake_registry registry;
        fill(registry);
        registry.add_rule("", "/_catalog", fake_action::answer(200, {}, "{\"repositories\":[\"../x\"]}"));
        registry.start();
        check_error(crawl(options_for(registry)), errc::bad_response);
    }
    {
        fake_options fake;
        fake.api.link_style = fake_link_style::loop;
        fake_registry registry(fake);
        fill(registry);
        registry.start();
        auto options = options_for(registry);
        options.page_size = 5;
        check_error(crawl(options), errc::page_loop);
        // In tag lists it is the repository's own problem.
        options.patterns = {"team2/app11"};
        const auto got = crawl(options);
        BOOST_TEST_REQUIRE(got.report.has_value());
        BOOST_TEST(got.report->incomplete == 1U);
    }
}

BOOST_AUTO_TEST_CASE(patterns)
{
    fake_registry registry;
    fill(registry);
    registry.start();
    auto options = options_for(registry);
    options.patterns = {"team1/*"};
    const auto got = crawl(options);
    check_whole(got);
    BOOST_TEST(got.found.size() == 4U);
    options.patterns = {"team1/app4", "team2/app5"};
    registry.clear_log();
    BOOST_TEST(crawl(options).found.size() == 2U);
    BOOST_TEST(registry.requests("GET", "/v2/_catalog") == 0U);
    BOOST_TEST(crawl_scope(options) == "team1/app4 team2/app5");
    BOOST_TEST(crawl_scope(options_for(registry)) == "");
}

BOOST_AUTO_TEST_CASE(a_registry_that_goes_away)
{
    for (const unsigned threads : {1U, 4U}) {
        fake_options fake;
        fake.synthetic.repositories = 200;
        fake.synthetic.tags = 100;
        fake_registry registry(fake);
        registry.start();
        auto options = options_for(registry);
        options.threads = threads;
        const std::jthread end([&] {
            while (registry.counts().requests < 1000)
                std::this_thread::sleep_for(1ms);
            registry.stop();
        });
        check_error(crawl(options), errc::connect_failed);
    }
}

BOOST_AUTO_TEST_CASE(a_registry_that_is_not_there)
{
    std::optional<fake_registry> registry(std::in_place);
    const auto options = options_for(*registry);
    registry.reset();
    check_error(crawl(options), errc::connect_failed);
}

BOOST_AUTO_TEST_CASE(cancel)
{
    for (const unsigned threads : {1U, 4U}) {
        fake_options fake;
        fake.synthetic.repositories = 100;
        fake.synthetic.tags = 1000;
        fake.latency = 2ms;
        fake_registry registry(fake);
        registry.add_rule("", "manifests/v0", fake_action::wait(100s), 3);
        registry.start();
        auto options = options_for(registry);
        options.threads = threads;
        const temp_dir folder;
        index_builder_options index_options = in_memory();
        index_options.file = folder / "index.db";
        auto builder = index_builder::create(index_options).value();
        crawler job(options);
        auto cancelled_at = http::clock::time_point::max();
        {
            const std::jthread other([&] {
                while (registry.counts().requests < 500)
                    std::this_thread::sleep_for(1ms);
                cancelled_at = http::clock::now();
                job.cancel();
            });
            const auto got = job.run(*builder);
            BOOST_TEST_REQUIRE(got.has_error());
            BOOST_TEST(got.error().is(errc::cancelled));
        }
        BOOST_TEST((http::clock::now() - cancelled_at < 1s));
        // Nothing that was resolved is lost for a crawl that goes on.
        const auto resolved = job.progress().tags;
        BOOST_TEST(resolved > 0U);
        builder.reset();
        index_options.resume = true;
        builder = index_builder::create(index_options).value();
        BOOST_TEST(builder->resumed());
        std::uint64_t kept = 0;
        for (std::size_t r = 0; r != 100; ++r)
            kept += builder->already_resolved(registry.synthetic().repository_name(r)).size();
        BOOST_TEST(kept == resolved);
    }
}

BOOST_AUTO_TEST_CASE(cancel_before_and_after)
{
    fake_registry registry;
    fill(registry);
    registry.start();
    const auto builder = index_builder::create(in_memory()).value();
    crawler job(options_for(registry));
    job.cancel();
    BOOST_TEST(job.run(*builder).error().is(errc::cancelled));
    job.cancel();
}

BOOST_AUTO_TEST_CASE(one_large_repository_keeps_all_connections_busy)
{
    for (const unsigned threads : {1U, 2U}) {
        fake_options fake;
        fake.synthetic.repositories = 1;
        fake.synthetic.tags = threads == 1 ? 20'000 : 4'000;
        fake.synthetic.variants = 50;
        fake.record = false;
        fake_registry registry(fake);
        // A rule keeps the fast path away, so that requests are counted while they are under way.
        registry.add_rule("HEAD", "", fake_action::wait(1ms));
        registry.start();
        auto options = options_for(registry);
        options.threads = threads;
        options.concurrency = 16;
        const auto got = crawl(options);
        check_whole(got);
        BOOST_TEST(got.report->tags == fake.synthetic.tags);
        BOOST_TEST(registry.counts().max_concurrent >= 14U);
        BOOST_TEST(registry.counts().max_concurrent <= 16U);
    }
}

BOOST_AUTO_TEST_CASE(storms_of_429)
{
    for (const unsigned threads : {1U, 2U}) {
        fake_options fake;
        fake.rate_limit = 150;
        fake.retry_after = "1";
        fake_registry registry(fake);
        fill(registry, 10); // 225 tags, 10 lists, the catalog: two seconds of what is allowed
        registry.start();
        auto options = options_for(registry);
        options.threads = threads;
        const auto got = crawl(options);
        check_whole(got);
        BOOST_TEST((got.found == registry.snapshot()));
        BOOST_TEST(registry.counts().rate_limited > 0U);
        BOOST_TEST(registry.counts().rate_limited <= 32U * 4U); // one for each request in flight, not a storm
    }
}

BOOST_AUTO_TEST_CASE(faults_here_and_there_are_outlived)
{
    fake_registry registry;
    fill(registry);
    for (const auto& action : {fake_action::answer(503), fake_action::reset_after(30), fake_action::close_after(0)}) {
        fake_rule rule;
        rule.probability = 0.05;
        rule.action = action;
        registry.add_rule(rule);
    }
    registry.start();
    for (const unsigned pipeline : {1U, 8U}) {
        auto options = options_for(registry);
        options.http.retry.retries = 10;
        options.threads = 2;
        options.pipeline = pipeline;
        const auto got = crawl(options);
        check_whole(got);
        BOOST_TEST((got.found == registry.snapshot()));
        BOOST_TEST(got.report->retries > 0U);
    }
}

BOOST_AUTO_TEST_CASE(requests_sent_together_need_few_connections)
{
    for (const std::size_t served :
         {std::size_t{0}, std::size_t{3}}) { // 3: every connection ends in the middle of what was sent
        fake_options fake;
        fake.requests_per_connection = served;
        fake_registry registry(fake);
        for (int t = 0; t != 400; ++t)
            registry.put_image("one", "v" + std::to_string(t), std::to_string(t / 3));
        registry.start();
        auto options = options_for(registry);
        options.concurrency = 16;
        options.pipeline = 16;
        const auto got = crawl(options);
        check_whole(got);
        BOOST_TEST((got.found == registry.snapshot()));
        if (served == 0)
            BOOST_TEST(registry.counts().connections <= 4U);
    }
}

BOOST_AUTO_TEST_CASE(progress_ends_where_the_report_does)
{
    fake_registry registry;
    fill(registry);
    registry.start();
    const auto builder = index_builder::create(in_memory()).value();
    crawler job(options_for(registry));
    BOOST_TEST(job.progress().tags == 0U);
    const auto got = job.run(*builder);
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST(job.progress().tags == got->tags);
    BOOST_TEST(job.progress().requests == got->requests);
    BOOST_TEST(job.progress().in_flight == 0U);
}

BOOST_AUTO_TEST_CASE(no_concurrency_is_one)
{
    fake_registry registry;
    fill(registry, 4);
    registry.start();
    auto options = options_for(registry);
    options.concurrency = 0;
    options.threads = 0;
    const auto got = crawl(options);
    check_whole(got);
    BOOST_TEST((got.found == registry.snapshot()));
}

// A crawl in which sending requests together is tried as soon as there is a rate, which takes 50 ms. More than one goes
// by one connection when the number of requests in flight is raised, for the first time after at least 150 ms: at 5 ms
// an answer and 32 at a time, these many tags take longer.
namespace {

constexpr std::size_t trial_tags = 3000;

std::string trial_tag(std::size_t number)
{
    return "v" + std::to_string(10000 + number);
}

struct trial
{
    trial()
    {
        fake_options fake;
        fake.latency = 5ms;
        fake.on_request = [this](const fake_request& request) {
            if (again && request.method == "HEAD" && !asked.insert(std::string(request.target)).second)
                registry->add_rule({}, std::string(request.target), *again, 1);
        };
        registry = std::make_unique<fake_registry>(fake);
        for (std::size_t t = 0; t != trial_tags; ++t)
            registry->put_image("app", trial_tag(t), std::to_string(t));
        registry->start();
    }

    outcome run(double rate = 1)
    {
        auto options = options_for(*registry);
        options.max_concurrency = 64;
        options.pipeline_rate = rate;
        return crawl(options);
    }

    /// How many tags were asked for again, and how many requests had others behind them that did not wait for the
    /// answer.
    std::pair<std::size_t, std::size_t> repeated_and_together() const
    {
        std::set<std::string> seen;
        std::size_t repeated = 0;
        std::size_t together = 0;
        for (const auto& one : registry->log()) {
            repeated += one.method == "HEAD" && !seen.insert(one.target).second ? 1U : 0U;
            together += one.more ? 1U : 0U;
        }
        return {repeated, together};
    }

    std::optional<fake_action> again; ///< how a tag is answered that is asked for again, as only the trial does
    std::set<std::string> asked;
    std::unique_ptr<fake_registry> registry;
};

} // namespace

BOOST_FIXTURE_TEST_CASE(requests_are_sent_together_once_a_trial_has_shown_the_right_order, trial)
{
    const auto got = run();
    check_whole(got);
    BOOST_TEST((got.found == registry->snapshot()));
    const auto [repeated, together] = repeated_and_together();
    BOOST_TEST(repeated == 8U);
    BOOST_TEST(together > 7U); // the trial, and more
}

BOOST_FIXTURE_TEST_CASE(a_registry_that_is_not_that_fast_is_not_tried, trial)
{
    const auto got = run(1e9);
    check_whole(got);
    BOOST_TEST((repeated_and_together() == std::pair<std::size_t, std::size_t>(0, 0)));
}

BOOST_FIXTURE_TEST_CASE(other_digests_in_the_trial_keep_requests_apart_and_do_not_count, trial)
{
    again.emplace().set_headers = {{"Docker-Content-Digest", "sha256:" + std::string(64, 'e')}};
    const auto got = run();
    check_whole(got);
    BOOST_TEST((got.found == registry->snapshot()));
    const auto [repeated, together] = repeated_and_together();
    BOOST_TEST(repeated == 8U);
    BOOST_TEST(together <= 7U); // only the trial
}

BOOST_FIXTURE_TEST_CASE(connections_cut_in_the_trial_keep_requests_apart, trial)
{
    again = fake_action::close_after();
    const auto got = run();
    check_whole(got);
    BOOST_TEST((got.found == registry->snapshot()));
    const auto [repeated, together] = repeated_and_together();
    BOOST_TEST(repeated > 0U);
    BOOST_TEST(together <= 7U);
}

BOOST_FIXTURE_TEST_CASE(a_failing_trial_keeps_requests_apart, trial)
{
    again = fake_action::answer(404);
    const auto got = run();
    check_whole(got);
    BOOST_TEST((got.found == registry->snapshot()));
    const auto [repeated, together] = repeated_and_together();
    BOOST_TEST(repeated == 8U);
    BOOST_TEST(together <= 7U);
}

BOOST_AUTO_TEST_SUITE_END()
