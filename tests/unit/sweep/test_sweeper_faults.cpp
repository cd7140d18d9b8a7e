// What goes wrong on the way: nothing is lost, and what became of everything is known afterwards.
#include "unit/sweep/sweeping.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sqlite3.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <future>
#include <mutex>
#include <set>
#include <thread>

using namespace regsweep;
using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr auto a_second = 5s; // sanitized programs are slower
#else
constexpr auto a_second = 1s;
#endif

fake_options with(std::function<void(const fake_request&)> hook)
{
    fake_options fake;
    fake.on_request = std::move(hook);
    return fake;
}

/// Waits for a number of deletes to have arrived.
void wait_for_deletes(const sweeping& s, std::size_t count)
{
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (s.deletes() < count && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(1ms);
    BOOST_TEST_REQUIRE(s.deletes() >= count);
}

/// The entries of a run by their states.
std::size_t count(const sweeping& s, std::int64_t run, journal_state state)
{
    std::size_t n = 0;
    for (const auto& entry : s.entries(run))
        n += entry.state == state ? 1U : 0U;
    return n;
}

// Lets the journal have other bytes for an entry.
void spoil_manifest(const sweeping& s, std::int64_t entry)
{
    sqlite3* db = nullptr;
    const auto file = (s.folder / "journal").string();
    BOOST_TEST_REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
    const auto sql = "UPDATE manifest SET bytes = x'7b7d' WHERE id = (SELECT manifest_id FROM entry WHERE id = " +
                     std::to_string(entry) + ")";
    BOOST_TEST(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(db);
}

} // namespace

BOOST_AUTO_TEST_SUITE(sweeper_faults)

BOOST_AUTO_TEST_CASE(deletion_that_is_not_allowed_ends_the_run_at_once)
{
    fake_options fake;
    fake.api.delete_enabled = false;
    sweeping s(fake);
    const plan what = s.fill("a", 300);
    const auto before = s.registry.snapshot();
    auto how = s.options();
    how.delete_rate = 0.5; // whoever waits for a slot must not wait it out
    const auto report = s.sweep(what, how);
    BOOST_TEST_REQUIRE(report.has_error());
    BOOST_TEST(report.error().is(errc::unsupported));
    BOOST_TEST(mentions(report.error().message(), "REGISTRY_STORAGE_DELETE_ENABLED=true"));
    BOOST_TEST(mentions(report.error().message(), "storage.delete.enabled"));
    BOOST_TEST(s.deletes() == 1U);
    BOOST_TEST((s.registry.snapshot() == before));
    BOOST_TEST((s.last_run().state == run_state::interrupted));
    BOOST_TEST(s.last_run().count(journal_state::intended) == 0U);
}

BOOST_AUTO_TEST_CASE(rights_that_are_missing_are_named)
{
    for (const unsigned status : {401U, 403U}) {
        sweeping s;
        const plan what = s.fill("a", 5);
        s.registry.add_rule("DELETE", "", fake_action::answer(status));
        const auto report = s.sweep(what).value();
        BOOST_TEST(report.removed == 0U);
        BOOST_TEST_REQUIRE(report.failed.size() == 5U);
        BOOST_TEST(mentions(report.failed[0].why, std::to_string(status)));
        BOOST_TEST(count(s, report.run, journal_state::failed) == 5U);
        BOOST_TEST((s.last_run().state == run_state::done));
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_kept_is_not_deleted)
{
    sweeping s;
    const plan what = s.fill("a", 4);
    const auto lost = what.steps[1].id.to_string();
    const auto refuse = [&](const fake_action& action) {
        s.registry.add_rule("GET", lost, action);
        s.registry.add_rule("GET", "/v2/a/manifests/" + what.steps[1].tags[0], action);
    };
    refuse(fake_action::answer(500));
    auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 3U);
    BOOST_TEST(report.failed.size() == 1U);
    BOOST_TEST(s.registry.requests("DELETE", "/v2/a/manifests/" + lost) == 0U);
    s.registry.clear_rules();
    // Bytes that are not those of the digest are as bad as none.
    fake_action other;
    other.body = "{}";
    refuse(other);
    report = s.sweep(what).value();
    BOOST_TEST(report.removed == 0U);
    BOOST_TEST(report.failed.size() == 1U);
    BOOST_TEST(s.registry.store().has_manifest("a", lost));
}

BOOST_AUTO_TEST_CASE(a_registry_that_asks_to_slow_down_gets_it)
{
    sweeping s;
    const plan what = s.fill("a", 200);
    s.registry.add_rule(rule_for("DELETE", "", fake_action::answer(429, {{"Retry-After", "1"}}), 50, 20));
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 200U);
    BOOST_TEST(report.failed.empty());
    BOOST_TEST(report.retries >= 20U);
}

// One by one, and sent together.
BOOST_DATA_TEST_CASE(errors_and_cut_connections_lose_nothing, boost::unit_test::data::make({1U, 8U}), pipeline)
{
    sweeping s;
    const plan what = s.fill("a", 300);
    const auto before = s.registry.snapshot();
    auto known = s.crawl();
    auto broken = rule_for("", "/manifests/", fake_action::answer(502));
    broken.probability = 0.2;
    s.registry.add_rule(broken);
    // The delete is done, but nobody hears of it: the repetition finds nothing any more.
    auto cut = rule_for("DELETE", "", fake_action::reset_after(0));
    cut.probability = 0.3;
    cut.seed = 2;
    s.registry.add_rule(cut);
    auto how = s.options();
    how.http.retry.retries = 30;
    how.pipeline = pipeline;
    const auto report = s.sweep(what, how, &known).value();
    s.registry.clear_rules();
    BOOST_TEST(report.failed.empty());
    BOOST_TEST(report.removed + report.gone == 300U);
    BOOST_TEST((report.gone > 0U || pipeline != 1U));
    BOOST_TEST(s.registry.snapshot().at("a").empty());
    BOOST_TEST((s.content(known) == s.registry.snapshot()));
    const auto back = s.restore(report.run, &known);
    BOOST_TEST(back.manifests == 300U);
    BOOST_TEST((s.registry.snapshot() == before));
    BOOST_TEST((s.content(known) == before));
}

BOOST_AUTO_TEST_CASE(a_delete_without_an_answer_is_looked_up)
{
    sweeping s;
    const plan what = s.fill("a", 3);
    // Carried out, and answered with nothing, however often it is repeated.
    s.registry.add_rule("DELETE", what.steps[0].id.to_string(), fake_action::reset_after(0));
    // Never carried out.
    auto nothing = fake_action::reset_after(0);
    nothing.effect = false;
    s.registry.add_rule("DELETE", what.steps[1].id.to_string(), nothing);
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 2U);
    BOOST_TEST_REQUIRE(report.failed.size() == 1U);
    BOOST_TEST((report.failed[0].digest == what.steps[1].id));
    BOOST_TEST(s.restore(report.run).manifests == 2U);
    BOOST_TEST(s.registry.snapshot().at("a").size() == 3U);
}

// The same where others are sent with it: what is left of them is asked for again.
BOOST_AUTO_TEST_CASE(deletes_without_an_answer_among_others_are_looked_up)
{
    sweeping s;
    const plan what = s.fill("a", 8);
    const auto before = s.registry.snapshot();
    s.registry.add_rule(rule_for("DELETE", what.steps[2].id.to_string(), fake_action::reset_after(0), 0, 1));
    auto how = s.options();
    how.pipeline = 8;
    const auto report = s.sweep(what, how).value();
    BOOST_TEST(report.removed == 8U);
    BOOST_TEST(report.failed.empty());
    BOOST_TEST(s.deletes() == 8U);
    for (const auto& entry : s.entries(report.run))
        BOOST_TEST(entry.message.empty() == (entry.digest != what.steps[2].id), entry.message);
    BOOST_TEST(s.restore(report.run).manifests == 8U);
    BOOST_TEST((s.registry.snapshot() == before));
}

// What was sent and cannot be checked again may be carried out late: the next run sees what became of it.
BOOST_AUTO_TEST_CASE(deletes_without_an_answer_that_cannot_be_checked_again_stay_open)
{
    sweeping s;
    const plan what = s.fill("a", 8);
    auto lost = fake_action::reset_after(0);
    lost.effect = false;
    s.registry.add_rule(rule_for("DELETE", "", lost, 2, 1));
    s.registry.add_rule(rule_for("GET", "/tags/list", fake_action::answer(500), 1));
    auto how = s.options();
    how.pipeline = 8;
    const auto report = s.sweep(what, how).value();
    BOOST_TEST(report.removed == 2U);
    BOOST_TEST(report.failed.size() == 6U);
    BOOST_TEST(count(s, report.run, journal_state::intended) == 6U);
    s.registry.clear_rules();
    for (std::size_t i = 2; i != 8; ++i) // late
        s.registry.store().remove_manifest("a", what.steps[i].id.to_string());
    BOOST_TEST(s.restore(report.run).manifests == 8U);
    BOOST_TEST(s.registry.snapshot().at("a").size() == 8U);
}

BOOST_AUTO_TEST_CASE(tags_that_a_delete_leaves_behind_go_too)
{
    for (const unsigned together : {1U, 8U}) {
        sweeping s;
        const plan what = s.fill("a", 8);
        const auto before = s.registry.snapshot();
        s.registry.store().break_deletes(2);
        auto how = s.options();
        how.pipeline = together;
        const auto report = s.sweep(what, how).value();
        BOOST_TEST(report.removed == 8U);
        BOOST_TEST(report.failed.empty());
        BOOST_TEST(s.registry.snapshot().at("a").empty());
        BOOST_TEST(s.restore(report.run).manifests == 8U);
        BOOST_TEST((s.registry.snapshot() == before));
    }
}

BOOST_AUTO_TEST_CASE(tags_that_stay_behind_are_named)
{
    sweeping s;
    const plan what = s.fill("a", 2);
    const auto before = s.registry.snapshot();
    s.registry.add_rule("PUT", "", fake_action::answer(403));
    s.registry.store().break_deletes(1);
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 2U);
    BOOST_TEST_REQUIRE(report.failed.size() == 1U);
    BOOST_TEST(mentions(report.failed[0].why, "lead to nothing"));
    BOOST_TEST(report.failed[0].tags.size() == 1U);
    s.registry.clear_rules();
    BOOST_TEST(s.restore(report.run).manifests == 2U);
    BOOST_TEST((s.registry.snapshot() == before));
}

BOOST_AUTO_TEST_CASE(a_journal_with_another_content_puts_nothing_back)
{
    sweeping s;
    const plan what = s.fill("a", 2);
    const auto run = s.sweep(what).value().run;
    for (const auto& entry : s.entries(run))
        if (entry.digest == what.steps[0].id)
            spoil_manifest(s, entry.id);
    const auto back = s.restore(run);
    BOOST_TEST(back.manifests == 1U);
    BOOST_TEST_REQUIRE(back.failed.size() == 1U);
    BOOST_TEST(mentions(back.failed[0].why, "something else"));
    BOOST_TEST(s.registry.snapshot().at("a").size() == 1U);
}

// The delete is carried out and its answer lost; the repetition is refused.
BOOST_AUTO_TEST_CASE(a_refused_repetition_does_not_hide_that_it_was_done)
{
    for (const unsigned status : {401U, 403U, 429U}) {
        sweeping s;
        const plan what = s.fill("a", 2);
        const auto before = s.registry.snapshot();
        s.registry.add_rule(rule_for("DELETE", what.steps[0].id.to_string(), fake_action::reset_after(0), 0, 1));
        s.registry.add_rule("DELETE", what.steps[0].id.to_string(), fake_action::answer(status));
        const auto report = s.sweep(what).value();
        BOOST_TEST(report.removed == 2U);
        BOOST_TEST(report.failed.empty());
        BOOST_TEST(s.restore(report.run).manifests == 2U);
        BOOST_TEST((s.registry.snapshot() == before));
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_looked_up_stays_open_for_the_next_run)
{
    sweeping s;
    const plan what = s.fill("a", 2);
    const auto id = what.steps[0].id.to_string();
    s.registry.add_rule("DELETE", id, fake_action::reset_after(0));
    s.registry.add_rule("HEAD", id, fake_action::answer(500));
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.failed.size() == 1U);
    BOOST_TEST(count(s, report.run, journal_state::intended) == 1U);
    // As long as the registry does not say, it stays open, and is named.
    const auto second = s.sweep(s.plan_of({})).value();
    BOOST_TEST(second.repaired == 0U);
    BOOST_TEST(second.failed.size() == 1U);
    s.registry.clear_rules();
    BOOST_TEST(s.restore(report.run, nullptr, true).manifests == 2U); // a dry run settles nothing
    BOOST_TEST(count(s, report.run, journal_state::intended) == 1U);
    const auto back = s.restore(report.run);
    BOOST_TEST(back.repaired == 1U);
    BOOST_TEST(back.manifests == 2U);
    BOOST_TEST(s.registry.snapshot().at("a").size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_404_for_what_is_there_is_a_failure)
{
    sweeping s;
    const plan what = s.fill("a", 2);
    auto known = s.crawl();
    s.registry.add_rule("DELETE", what.steps[0].id.to_string(), fake_action::answer(404));
    const auto report = s.sweep(what, &known).value();
    BOOST_TEST(report.removed == 1U);
    BOOST_TEST(report.gone == 0U);
    BOOST_TEST(report.failed.size() == 1U);
    BOOST_TEST((s.content(known) == s.registry.snapshot()));
}

BOOST_AUTO_TEST_CASE(what_is_gone_already_is_no_failure)
{
    sweeping s;
    const plan what = s.fill("a", 3);
    auto known = s.crawl();
    s.registry.store().remove_manifest("a", what.steps[0].id.to_string());
    const auto report = s.sweep(what, &known).value();
    BOOST_TEST(report.removed == 2U);
    BOOST_TEST(report.gone == 1U);
    BOOST_TEST((s.content(known) == s.registry.snapshot()));
}

BOOST_AUTO_TEST_CASE(max_failures_stops_the_run)
{
    sweeping s;
    const plan what = s.fill("a", 1000);
    s.registry.add_rule("DELETE", "", fake_action::answer(403));
    auto how = s.options();
    how.max_failures = 3;
    how.concurrency = 4;
    const auto report = s.sweep(what, how).value();
    BOOST_TEST(report.stopped);
    BOOST_TEST(report.failed.size() >= 3U);
    BOOST_TEST(report.failed.size() < 20U);
    BOOST_TEST(s.deletes() == report.failed.size()); // what was not tried has not failed
    BOOST_TEST((s.last_run().state == run_state::interrupted));
    BOOST_TEST(s.last_run().count(journal_state::intended) == 0U);
}

BOOST_AUTO_TEST_CASE(the_rate_is_kept)
{
    constexpr double rate = 200;
    constexpr int images = 601;
    double best = 0; // of a busy machine: too late is its fault, too early is not
    for (int attempt = 0; attempt != 5 && best < rate * 0.98; ++attempt) {
        std::mutex guard;
        std::vector<std::chrono::steady_clock::time_point> times;
        sweeping s(with([&](const fake_request& request) {
            const std::lock_guard lock(guard);
            if (request.method == "DELETE")
                times.push_back(std::chrono::steady_clock::now());
        }));
        const plan what = s.fill("a", images);
        auto how = s.options();
        how.delete_rate = rate;
        BOOST_TEST(s.sweep(what, how).value().removed == static_cast<std::uint64_t>(images));
        const double seconds = std::chrono::duration<double>(times.back() - times.front()).count();
        const double measured = (images - 1) / seconds;
        BOOST_TEST(measured <= rate * 1.02);
        best = std::max(best, measured);
        // No burst over a second's worth.
        for (std::size_t i = 0; i + static_cast<std::size_t>(rate) * 2 + 1 < times.size(); ++i)
            BOOST_TEST((times[i + static_cast<std::size_t>(rate) * 2 + 1] - times[i] > 1s));
    }
    BOOST_TEST(best >= rate * 0.98);
}

// Where each waits for its turn, none waits for another one's answer, whatever may be sent together.
BOOST_AUTO_TEST_CASE(deletes_with_a_rate_for_all_requests_go_side_by_side)
{
    constexpr auto latency = 300ms;
    std::mutex guard;
    std::vector<std::chrono::steady_clock::time_point> times;
    auto fake = with([&](const fake_request& request) {
        const std::lock_guard lock(guard);
        if (request.method == "DELETE")
            times.push_back(std::chrono::steady_clock::now());
    });
    fake.latency = latency;
    sweeping s(fake);
    const plan what = s.fill("a", 32);
    auto how = s.options();
    how.concurrency = 32;
    how.pipeline = 8;
    how.http.rate = 1000;
    BOOST_TEST(s.sweep(what, how).value().removed == 32U);
    BOOST_TEST(std::ranges::count_if(times, [&](auto t) { return t - times.front() < latency; }) > 4);
}

BOOST_AUTO_TEST_CASE(a_cancelled_run_ends_at_once_and_the_next_one_settles_it)
{
    sweeping s;
    const plan what = s.fill("a", 600);
    const auto before = s.registry.snapshot();
    auto known = s.crawl();
    s.registry.add_rule(rule_for("DELETE", "", fake_action::wait(60s), 100)); // carried out, not answered
    sweeper run(s.options());
    auto outcome = std::async(std::launch::async, [&] { return run.run(what, s.records, &known); });
    wait_for_deletes(s, 120);
    const auto begin = std::chrono::steady_clock::now();
    run.cancel();
    const auto report = outcome.get();
    BOOST_TEST((std::chrono::steady_clock::now() - begin < a_second));
    BOOST_TEST_REQUIRE(report.has_error());
    BOOST_TEST(report.error().is(errc::cancelled));
    BOOST_TEST((s.last_run().state == run_state::interrupted));
    const auto first = s.last_run().id;
    const auto open = s.records.unfinished(s.address.canonical()).value();
    BOOST_TEST(!open.empty());
    BOOST_TEST(open.size() <= 32U);

    s.registry.clear_rules();
    const auto next = s.sweep(what, &known).value();
    BOOST_TEST(next.repaired == open.size());
    BOOST_TEST(next.failed.empty());
    BOOST_TEST(s.records.unfinished().value().empty());
    BOOST_TEST(s.registry.snapshot().at("a").empty());
    BOOST_TEST((s.content(known) == s.registry.snapshot()));
    BOOST_TEST(s.restore(next.run, &known).failed.empty());
    BOOST_TEST(s.restore(first, &known).failed.empty());
    BOOST_TEST((s.registry.snapshot() == before));
    BOOST_TEST((s.content(known) == before));
}

BOOST_AUTO_TEST_CASE(a_cancel_does_not_wait_for_a_slow_rate)
{
    sweeping s;
    const plan what = s.fill("a", 50);
    auto how = s.options();
    how.delete_rate = 0.01;
    sweeper run(how);
    auto outcome = std::async(std::launch::async, [&] { return run.run(what, s.records, nullptr); });
    wait_for_deletes(s, 1);
    run.cancel();
    BOOST_TEST(outcome.get().error().is(errc::cancelled));
    BOOST_TEST(s.deletes() == 1U);
}

BOOST_AUTO_TEST_CASE(without_a_journal_nothing_is_deleted)
{
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit whole{};
    getrlimit(RLIMIT_FSIZE, &whole);
    std::atomic<bool> full = false;
    sweeping s(with([&](const fake_request& request) {
        if (request.method != "DELETE" || full.exchange(true))
            return;
        // As a full disk does, it fails every write that makes a file longer.
        const rlimit none{1, whole.rlim_max};
        setrlimit(RLIMIT_FSIZE, &none);
    }));
    const plan what = s.fill("a", 4000);
    const auto before = s.registry.snapshot();
    auto how = s.options();
    const auto report = s.sweep(what, how);
    setrlimit(RLIMIT_FSIZE, &whole);
    BOOST_TEST_REQUIRE(report.has_error());
    BOOST_TEST(report.error().is(errc::io));
    std::set<std::string> recorded;
    for (const auto& run : s.records.runs().value())
        for (const auto& entry : s.entries(run.id))
            recorded.insert(entry.digest.to_string());
    const auto left = s.registry.snapshot().at("a");
    BOOST_TEST(left.size() > 2000U);
    for (const auto& step : what.steps)
        if (!left.contains(step.tags[0]))
            BOOST_TEST(recorded.contains(step.id.to_string()), "deleted without a record: " << step.tags[0]);

    // The run is over for this object, though it could not write that down; another process sees it so.
    const auto run = s.records.runs().value().back().id;
    s.records = journal::open(s.folder / "journal").value();
    const auto back = s.restore(run);
    BOOST_TEST(back.failed.empty());
    BOOST_TEST((s.registry.snapshot() == before));
}

BOOST_AUTO_TEST_CASE(one_repository_that_fails_leaves_the_others)
{
    sweeping s;
    const plan one = s.fill("a", 3);
    const plan two = s.fill("b", 3);
    plan what = one;
    what.steps.insert(what.steps.end(), two.steps.begin(), two.steps.end());
    s.registry.add_rule("GET", "/v2/a/tags/list", fake_action::answer(500));
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 3U);
    BOOST_TEST(report.failed.size() == 3U);
    BOOST_TEST(s.registry.snapshot().at("a").size() == 3U);
}

BOOST_AUTO_TEST_CASE(blobs_that_are_gone_are_named)
{
    fake_options fake;
    fake.api.missing_reference_status = 400;
    sweeping s(fake);
    const plan what = s.fill("a", 3);
    const auto report = s.sweep(what).value();
    const auto found = s.entries(report.run).front();
    const auto body = s.records.manifest(found.id).value().value();
    const auto at = body.rfind("sha256:");
    s.registry.store().remove_blob("a", body.substr(at, 71));
    const auto back = s.restore(report.run);
    BOOST_TEST(back.manifests == 2U);
    BOOST_TEST_REQUIRE(back.failed.size() == 1U);
    BOOST_TEST(mentions(back.failed[0].why, "garbage collection"));
}

BOOST_AUTO_TEST_CASE(a_tag_that_is_used_again_is_left_alone)
{
    sweeping s;
    const auto id = s.registry.put_image("a", "x", "one");
    s.registry.tag("a", "y", id);
    const auto report = s.sweep(s.plan_of({removal_of("a", id, {"x", "y"})})).value();
    const auto newer = s.registry.put_image("a", "x", "newer");
    const auto dry = s.restore(report.run, nullptr, true);
    BOOST_TEST(dry.tags == 1U);
    BOOST_TEST(!s.registry.store().has_manifest("a", id));
    const auto back = s.restore(report.run);
    BOOST_TEST(back.tags == 1U);
    BOOST_TEST_REQUIRE(back.failed.size() == 1U);
    BOOST_TEST(mentions(back.failed[0].why, newer));
    BOOST_TEST((s.registry.snapshot().at("a") == std::map<std::string, std::string>{{"x", newer}, {"y", id}}));
}

BOOST_AUTO_TEST_SUITE_END()
