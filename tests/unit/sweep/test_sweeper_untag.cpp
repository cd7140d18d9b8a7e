// One tag goes, and whatever else uses its manifest stays, on registries that cannot do that too.
#include "unit/sweep/sweeping.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <thread>

using namespace regsweep;
using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

/// An image under the tags `x`, `y` and `z`.
struct three_tags
{
    explicit three_tags(fake_options fake = {}) : s(std::move(fake))
    {
        id = s.registry.put_image("a", "x", "one");
        s.registry.tag("a", "y", id);
        s.registry.tag("a", "z", id);
        before = s.registry.snapshot();
    }

    plan both() const { return sweeping::plan_of({untag_of("a", id, "x"), untag_of("a", id, "y")}); }
    plan one() const { return sweeping::plan_of({untag_of("a", id, "x")}); }
    std::map<std::string, std::string> now() const { return s.registry.snapshot().at("a"); }

    sweeping s;
    std::string id;
    fake_snapshot before;
};

const std::string by_digest = "/manifests/sha256:";

} // namespace

BOOST_AUTO_TEST_SUITE(sweeper_untag)

BOOST_AUTO_TEST_CASE(where_tags_can_be_deleted_nothing_is_pushed)
{
    fake_options fake;
    fake.api.delete_by_tag = true;
    three_tags t(fake);
    auto known = t.s.crawl();
    const auto report = t.s.sweep(t.both(), &known).value();
    BOOST_TEST(report.untagged == 2U);
    BOOST_TEST(report.removed == 0U);
    BOOST_TEST((t.now() == std::map<std::string, std::string>{{"z", t.id}}));
    BOOST_TEST(t.s.registry.requests("PUT", fake_endpoint::manifests) == 0U);
    BOOST_TEST((t.s.content(known) == t.s.registry.snapshot()));
    BOOST_TEST(t.s.restore(report.run, &known).tags == 2U);
    BOOST_TEST((t.s.registry.snapshot() == t.before));
    BOOST_TEST((t.s.content(known) == t.before));
}

BOOST_AUTO_TEST_CASE(elsewhere_a_placeholder_takes_the_tag)
{
    three_tags t;
    const auto report = t.s.sweep(t.both()).value();
    BOOST_TEST(report.untagged == 2U);
    BOOST_TEST((t.now() == std::map<std::string, std::string>{{"z", t.id}}));
    for (const auto& entry : t.s.entries(report.run))
        if (entry.kind == journal_kind::untag)
            BOOST_TEST(!t.s.registry.store().has_manifest("a", entry.placeholder.to_string()));
    BOOST_TEST(t.s.restore(report.run).tags == 2U);
    BOOST_TEST((t.s.registry.snapshot() == t.before));
}

BOOST_AUTO_TEST_CASE(a_404_for_a_tag_that_is_there_leads_to_the_placeholder)
{
    three_tags t;
    t.s.registry.add_rule(rule_for("DELETE", "/manifests/[^:]*$", fake_action::answer(404)));
    BOOST_TEST(t.s.sweep(t.both()).value().untagged == 2U);
    BOOST_TEST((t.now() == std::map<std::string, std::string>{{"z", t.id}}));
}

BOOST_AUTO_TEST_CASE(a_registry_that_takes_the_manifest_with_its_tag_is_noticed)
{
    fake_registry* registry = nullptr;
    std::string id;
    fake_options fake;
    fake.on_request = [&](const fake_request& request) {
        if (request.method == "DELETE" && !mentions(std::string(request.target), "sha256:"))
            registry->store().remove_manifest("a", id);
    };
    three_tags t(fake);
    registry = &t.s.registry;
    id = t.id;
    t.s.registry.add_rule(rule_for("DELETE", "/manifests/[^:]*$", fake_action::answer(202)));
    const auto report = t.s.sweep(t.both());
    BOOST_TEST_REQUIRE(report.has_error());
    BOOST_TEST(report.error().is(errc::unsupported));
    BOOST_TEST(mentions(report.error().message(), "--untag"));
    BOOST_TEST((t.s.registry.snapshot() == t.before));
    BOOST_TEST(t.s.deletes() == 1U);
    BOOST_TEST((t.s.last_run().state == run_state::interrupted));
    BOOST_TEST(t.s.last_run().count(journal_state::intended) == 0U);
}

BOOST_AUTO_TEST_CASE(what_such_a_registry_takes_can_be_restored_even_after_a_kill)
{
    fake_registry* registry = nullptr;
    std::string id;
    fake_options fake;
    fake.on_request = [&](const fake_request& request) {
        if (request.method == "DELETE")
            registry->store().remove_manifest("a", id);
    };
    three_tags t(fake);
    registry = &t.s.registry;
    id = t.id;
    t.s.registry.add_rule("DELETE", "", fake_action::wait(60s));
    sweeper run(t.s.options());
    auto outcome = std::async(std::launch::async, [&] { return run.run(t.one(), t.s.records, nullptr); });
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (t.s.registry.snapshot() == t.before && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(1ms);
    run.cancel();
    BOOST_TEST(outcome.get().error().is(errc::cancelled));
    BOOST_TEST(t.now().empty());
    t.s.registry.clear_rules();
    t.s.restore(t.s.last_run().id);
    BOOST_TEST((t.s.registry.snapshot() == t.before));
}

BOOST_AUTO_TEST_CASE(a_placeholder_that_a_kill_leaves_is_taken_away_by_the_next_run)
{
    for (const bool by_restore : {false, true}) {
        three_tags t;
        auto known = t.s.crawl();
        auto hang = fake_action::wait(60s);
        hang.effect = false;
        t.s.registry.add_rule("DELETE", by_digest, hang);
        sweeper run(t.s.options());
        auto outcome = std::async(std::launch::async, [&] { return run.run(t.one(), t.s.records, &known); });
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (t.s.deletes() < 2 && std::chrono::steady_clock::now() < end) // by tag, then of the placeholder
            std::this_thread::sleep_for(1ms);
        run.cancel();
        BOOST_TEST(outcome.get().error().is(errc::cancelled));
        t.s.registry.clear_rules();
        BOOST_TEST_REQUIRE(t.now().contains("x"));
        BOOST_TEST(t.now().at("x") != t.id); // the placeholder
        const auto first = t.s.last_run().id;
        if (!by_restore) {
            BOOST_TEST(t.s.sweep(t.s.plan_of({}), &known).value().repaired == 1U);
            BOOST_TEST((t.now() == std::map<std::string, std::string>{{"y", t.id}, {"z", t.id}}));
            BOOST_TEST((t.s.content(known) == t.s.registry.snapshot()));
        }
        BOOST_TEST(t.s.restore(first, &known).tags == 1U);
        BOOST_TEST((t.s.registry.snapshot() == t.before));
        BOOST_TEST((t.s.content(known) == t.before));
    }
}

BOOST_AUTO_TEST_CASE(a_placeholder_that_cannot_be_deleted_gives_the_tag_back)
{
    for (const unsigned status : {403U, 500U}) {
        three_tags t;
        t.s.registry.add_rule("DELETE", by_digest, fake_action::answer(status));
        const auto report = t.s.sweep(t.both()).value();
        BOOST_TEST(report.untagged == 0U);
        BOOST_TEST(report.failed.size() == 2U);
        BOOST_TEST((t.s.registry.snapshot() == t.before));
        BOOST_TEST(t.s.last_run().count(journal_state::intended) == 0U);
    }
}

BOOST_AUTO_TEST_CASE(deletion_that_is_not_allowed_ends_the_run_at_once)
{
    for (const bool tags_are_400 : {false, true}) {
        fake_options fake;
        fake.api.delete_enabled = false;
        three_tags t(fake);
        if (tags_are_400)
            t.s.registry.add_rule(rule_for("DELETE", "/manifests/[^:]*$", fake_action::answer(400)));
        const auto report = t.s.sweep(t.both());
        BOOST_TEST_REQUIRE(report.has_error());
        BOOST_TEST(mentions(report.error().message(), "REGISTRY_STORAGE_DELETE_ENABLED=true"));
        BOOST_TEST((t.s.registry.snapshot() == t.before));
    }
}

BOOST_AUTO_TEST_CASE(without_the_right_to_push_it_says_so)
{
    three_tags t;
    t.s.registry.add_rule("PUT", "/manifests/", fake_action::answer(403));
    const auto report = t.s.sweep(t.one()).value();
    BOOST_TEST_REQUIRE(report.failed.size() == 1U);
    BOOST_TEST(mentions(report.failed[0].why, "right to push"));
    BOOST_TEST((t.s.registry.snapshot() == t.before));
}

BOOST_AUTO_TEST_CASE(a_registry_that_misnames_the_placeholder_loses_nothing)
{
    three_tags t;
    fake_action lie;
    lie.set_headers = {{"Docker-Content-Digest", t.id}}; // of the image that is to stay
    t.s.registry.add_rule("PUT", "/manifests/x", lie);
    const auto report = t.s.sweep(t.one());
    BOOST_TEST(t.now().at("y") == t.id);
    BOOST_TEST(t.s.registry.store().has_manifest("a", t.id));
}

BOOST_AUTO_TEST_CASE(a_tag_that_the_placeholder_leaves_behind_goes_too)
{
    sweeping s;
    const auto id = s.registry.put_image("a", "stays", "one");
    s.registry.tag("a", "goes", id);
    s.registry.store().break_deletes(2);
    const auto report = s.sweep(s.plan_of({untag_of("a", id, "goes")})).value();
    BOOST_TEST(report.untagged == 1U);
    BOOST_TEST(report.failed.empty());
    BOOST_TEST((s.registry.snapshot().at("a") == std::map<std::string, std::string>{{"stays", id}}));
    BOOST_TEST(s.restore(report.run).tags == 1U);
}

// docker-registry breaks off in the middle of a delete while another tag is being pushed.
BOOST_AUTO_TEST_CASE(nothing_is_deleted_in_a_repository_while_a_placeholder_is_pushed)
{
    sweeping s;
    plan what = s.fill("a", 40);
    const auto id = s.registry.put_image("a", "stays", "one");
    for (int i = 0; i != 40; ++i) {
        s.registry.tag("a", "t" + std::to_string(i), id);
        what.steps.push_back(untag_of("a", id, "t" + std::to_string(i)));
    }
    s.registry.clear_log();
    BOOST_TEST(s.sweep(what).value().untagged == 40U);
    std::string order;
    for (const auto& request : s.registry.log())
        if (request.target.find("/manifests/") != std::string::npos &&
            (request.method == "PUT" || (request.method == "DELETE" && mentions(request.target, "sha256:"))))
            order += request.method.front();
    std::string expected;
    for (int i = 0; i != 40; ++i)
        expected += "PD";
    BOOST_TEST(order == expected + std::string(40, 'D'));
}

BOOST_AUTO_TEST_CASE(many_tags_at_once)
{
    for (const bool by_tag : {false, true}) {
        fake_options fake;
        fake.api.delete_by_tag = by_tag;
        sweeping s(fake);
        const auto id = s.registry.put_image("a", "stays", "one");
        std::vector<plan_step> steps;
        for (int i = 0; i != 600; ++i) {
            s.registry.tag("a", "t" + std::to_string(i), id);
            steps.push_back(untag_of("a", id, "t" + std::to_string(i)));
        }
        const auto before = s.registry.snapshot();
        const auto report = s.sweep(s.plan_of(std::move(steps))).value();
        BOOST_TEST(report.untagged == 600U);
        BOOST_TEST((s.registry.snapshot().at("a") == std::map<std::string, std::string>{{"stays", id}}));
        BOOST_TEST(s.restore(report.run).tags == 600U);
        BOOST_TEST((s.registry.snapshot() == before));
    }
}

BOOST_AUTO_TEST_SUITE_END()
