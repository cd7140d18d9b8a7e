// The registry changes between plan and delete.
#include "unit/sweep/sweeping.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>

using namespace regsweep;
using namespace regsweep::test;

namespace {

/// Lets the registry change once, right before it answers the first request of a kind.
struct change
{
    std::string method;
    std::string part; ///< of the target
    std::function<void()> apply{};
    std::atomic<bool> over = false;

    std::function<void(const fake_request&)> hook()
    {
        return [this](const fake_request& request) {
            if (apply && request.method == method && mentions(std::string(request.target), part) &&
                !over.exchange(true))
                apply();
        };
    }
};

fake_options with(change& c)
{
    fake_options fake;
    fake.on_request = c.hook();
    return fake;
}

struct before_the_check
{
    change c{"GET", "/tags/list"};
    sweeping s{with(c)};
};

} // namespace

BOOST_AUTO_TEST_SUITE(sweeper_races)

BOOST_FIXTURE_TEST_CASE(a_tag_moves_to_a_planned_digest, before_the_check)
{
    const plan what = s.fill("a", 3);
    s.registry.put_image("a", "release", "another");
    c.apply = [&] { s.registry.tag("a", "release", what.steps[1].id.to_string()); };
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 2U);
    BOOST_TEST_REQUIRE(report.dropped.size() == 1U);
    BOOST_TEST(mentions(report.dropped[0].why, "release"));
    const fake_snapshot expected = {
        {"a", {{"2", what.steps[1].id.to_string()}, {"release", what.steps[1].id.to_string()}}}};
    BOOST_TEST((s.registry.snapshot() == expected));
}

BOOST_FIXTURE_TEST_CASE(a_new_tag_is_pushed_on_a_planned_digest, before_the_check)
{
    const plan what = s.fill("a", 1);
    c.apply = [&] { s.registry.tag("a", "new", what.steps[0].id.to_string()); };
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 0U);
    BOOST_TEST_REQUIRE(report.dropped.size() == 1U);
    BOOST_TEST(mentions(report.dropped[0].why, "new"));
    BOOST_TEST(s.deletes() == 0U);
    BOOST_TEST(s.registry.snapshot().at("a").size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(a_planned_tag_moves_away, before_the_check)
{
    const plan one = s.fill("a", 1);
    const auto id = s.registry.put_image("b", "x", "b");
    s.registry.tag("b", "y", id);
    const auto other = s.registry.put_image("b", "z", "other");
    const plan what = s.plan_of({one.steps[0], removal_of("b", id, {"x", "y"})});
    c.apply = [&] {
        s.registry.put_image("a", "1", "something new");
        s.registry.tag("b", "y", other);
    };
    regsweep::index known = s.crawl();
    const auto report = s.sweep(what, &known).value();
    BOOST_TEST(report.removed == 1U);
    BOOST_TEST(report.removed_tags == 1U);
    BOOST_TEST(report.dropped.size() == 2U);
    const auto now = s.registry.snapshot();
    for (const auto& [repository, tag] : {std::pair("a", "1"), std::pair("b", "y")})
        BOOST_TEST(known.find(repository, tag).value().value().to_string() == now.at(repository).at(tag));
    BOOST_TEST(!known.find("b", "x").value());
    BOOST_TEST(now.at("a").contains("1"));
    BOOST_TEST((now.at("b") == std::map<std::string, std::string>{{"y", other}, {"z", other}}));
    // Only what went is put back.
    BOOST_TEST(s.restore(report.run).tags == 1U);
    BOOST_TEST(s.registry.snapshot().at("b").at("x") == id);
    BOOST_TEST(s.registry.snapshot().at("b").at("y") == other);
}

BOOST_FIXTURE_TEST_CASE(an_index_is_pushed_that_lists_a_planned_digest, before_the_check)
{
    const plan what = s.fill("a", 2);
    c.apply = [&] { put_index(s.registry, "a", "multi", {what.steps[0].id.to_string()}); };
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 1U);
    BOOST_TEST_REQUIRE(report.dropped.size() == 1U);
    BOOST_TEST((report.dropped[0].digest == what.steps[0].id));
    BOOST_TEST(s.registry.store().has_manifest("a", what.steps[0].id.to_string()));
}

// While its children wait for their turn, an index is pushed again: one that was deleted, and one that was gone before.
BOOST_AUTO_TEST_CASE(an_index_that_is_pushed_again_keeps_its_children)
{
    for (const bool there_at_first : {true, false}) {
        std::atomic<int> looks = 0;
        std::function<void()> push;
        fake_options fake;
        fake.on_request = [&](const fake_request& request) {
            if (request.method == "GET" && mentions(std::string(request.target), "/tags/list") && ++looks == 2)
                push();
        };
        sweeping s(fake);
        const std::vector<std::string> children{put_untagged(s.registry, "a", "one"),
                                                put_untagged(s.registry, "a", "two")};
        push = [&] { put_index(s.registry, "a", "latest", children); };
        const auto id = put_index(s.registry, "a", "latest", children);
        std::vector<plan_step> steps{removal_of("a", id, {"latest"})};
        for (const auto& child : children) {
            steps[0].children.push_back(digest::parse(child).value());
            steps.push_back(removal_of("a", child, {}));
        }
        if (!there_at_first)
            s.registry.store().remove_manifest("a", id);
        auto how = s.options();
        how.check_again = std::chrono::milliseconds(0);
        how.delete_rate = 2;
        const auto report = s.sweep(s.plan_of(std::move(steps)), how).value();
        // The index; else the first child, for which the first look is new enough.
        BOOST_TEST(report.removed == 1U);
        BOOST_TEST(report.dropped.size() == (there_at_first ? 2U : 1U));
        BOOST_TEST(s.registry.store().has_manifest("a", children.front()) == there_at_first);
        BOOST_TEST(s.registry.store().has_manifest("a", children.back()));
    }
}

BOOST_AUTO_TEST_CASE(what_waits_long_for_its_turn_is_checked_again)
{
    change c{"DELETE", "/manifests/"};
    sweeping s(with(c));
    const plan what = s.fill("a", 4);
    // The first delete is on its way when somebody begins to use the others.
    c.apply = [&] {
        for (const auto& step : what.steps)
            s.registry.tag("a", "release-" + step.tags[0], step.id.to_string());
    };
    auto how = s.options();
    how.delete_rate = 2;
    how.concurrency = 1;
    how.check_again = std::chrono::milliseconds(0);
    const auto report = s.sweep(what, how).value();
    BOOST_TEST(report.removed == 1U);
    BOOST_TEST(report.dropped.size() == 3U);
    BOOST_TEST(report.failed.empty());
    BOOST_TEST(s.deletes() == 1U);
    for (const auto& entry : s.entries(report.run))
        BOOST_TEST((entry.state == journal_state::done || entry.state == journal_state::failed));
}

// The registry lets the delete wait for longer than its check is good for, and somebody begins to use the manifest.
BOOST_AUTO_TEST_CASE(what_the_registry_lets_wait_is_checked_again)
{
    change c{"DELETE", "/manifests/"};
    sweeping s(with(c));
    const plan what = s.fill("a", 1);
    c.apply = [&] { s.registry.tag("a", "release", what.steps[0].id.to_string()); };
    s.registry.add_rule(rule_for("DELETE", "", fake_action::answer(429, {{"Retry-After", "3"}}), 0, 1));
    auto how = s.options();
    how.check_again = std::chrono::milliseconds(100); // or twenty times what the check took
    const auto report = s.sweep(what, how).value();
    BOOST_TEST(report.removed == 0U);
    BOOST_TEST_REQUIRE(report.dropped.size() == 1U);
    BOOST_TEST(mentions(report.dropped[0].why, "release"));
    BOOST_TEST(s.deletes() == 1U);
    BOOST_TEST(s.registry.snapshot().at("a").size() == 2U);
}

// Deletes are sent together, the connection breaks at the third, and somebody begins to use what is left.
BOOST_AUTO_TEST_CASE(what_got_no_answer_with_others_is_looked_at_again)
{
    std::atomic<int> deletes = 0;
    plan what;
    sweeping* home = nullptr;
    fake_options fake;
    fake.on_request = [&](const fake_request& request) {
        if (request.method == "DELETE" && ++deletes == 3)
            for (const auto& step : what.steps)
                home->registry.tag("a", "release-" + step.tags[0], step.id.to_string());
    };
    sweeping s(fake);
    home = &s;
    what = s.fill("a", 8);
    auto broken = fake_action::reset_after(0);
    broken.effect = false;
    s.registry.add_rule(rule_for("DELETE", "", broken, 2, 1));
    auto how = s.options();
    how.pipeline = 8;
    const auto report = s.sweep(what, how).value();
    BOOST_TEST(report.removed == 2U);
    BOOST_TEST(report.dropped.size() == 6U);
    BOOST_TEST(report.failed.empty());
    BOOST_TEST(s.deletes() == 3U);
    const auto now = s.registry.snapshot().at("a");
    for (int i = 3; i <= 8; ++i)
        BOOST_TEST(now.contains("release-" + std::to_string(i)));
    // Whether a delete without an answer is yet carried out is for the next run to see.
    std::size_t open = 0;
    for (const auto& entry : s.entries(report.run))
        open += entry.state == journal_state::intended ? 1U : 0U;
    BOOST_TEST(open == 6U);
    BOOST_TEST(s.sweep(s.plan_of({}), how).has_value());
    for (const auto& entry : s.entries(report.run))
        BOOST_TEST((entry.state == journal_state::done || entry.state == journal_state::failed));
}

BOOST_AUTO_TEST_CASE(without_verification_nothing_is_read_again)
{
    sweeping s;
    const plan what = s.fill("a", 3);
    auto how = s.options();
    how.verify = false;
    BOOST_TEST(s.sweep(what, how).value().removed == 3U);
    BOOST_TEST(s.registry.requests("GET", fake_endpoint::tags) == 0U);
}

BOOST_AUTO_TEST_CASE(an_untagged_tag_that_moves_is_left_alone)
{
    change c{"HEAD", "/manifests/x"}; // after the check, before the delete
    sweeping s(with(c));
    const auto id = s.registry.put_image("a", "x", "one");
    s.registry.tag("a", "y", id);
    const auto other = put_untagged(s.registry, "a", "other");
    c.apply = [&] { s.registry.tag("a", "x", other); };
    const auto report = s.sweep(s.plan_of({untag_of("a", id, "x")})).value();
    BOOST_TEST(report.untagged == 0U);
    BOOST_TEST(report.dropped.size() == 1U);
    BOOST_TEST((s.registry.snapshot().at("a") == std::map<std::string, std::string>{{"x", other}, {"y", id}}));
}

BOOST_AUTO_TEST_CASE(a_child_stays_where_its_index_cannot_be_deleted)
{
    sweeping s;
    const auto child = s.registry.put_image("a", "amd64", "child");
    const auto nested = put_index(s.registry, "a", "", {child});
    const auto top = put_index(s.registry, "a", "multi", {nested});
    // Both were asked for by their tags: nothing in the plan says that one lists the other.
    const plan what =
        s.plan_of({removal_of("a", child, {"amd64"}), removal_of("a", nested, {}), removal_of("a", top, {"multi"})});
    s.registry.add_rule("DELETE", top, fake_action::answer(403));
    const auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 0U);
    BOOST_TEST(report.failed.size() == 1U);
    BOOST_TEST(report.dropped.size() == 2U);
    BOOST_TEST(s.deletes() == 1U);
    s.registry.clear_rules();
    s.registry.clear_log();
    BOOST_TEST(s.sweep(what).value().removed == 3U);
    std::vector<std::string> order;
    for (const auto& record : s.registry.log())
        if (record.method == "DELETE")
            order.push_back(record.target.substr(record.target.rfind('/') + 1));
    BOOST_TEST(order == (std::vector<std::string>{top, nested, child}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(children_of_a_nested_index_that_stays_are_no_candidates)
{
    sweeping s;
    const auto leaf = put_untagged(s.registry, "a", "leaf");
    const auto nested = put_index(s.registry, "a", "", {leaf});
    std::vector<plan_step> steps;
    // Whatever the order in which indexes are looked at: many of them.
    for (int i = 0; i != 20; ++i)
        put_index(s.registry, "a", "stays-" + std::to_string(i), {nested}, std::to_string(i));
    const auto goes = put_index(s.registry, "a", "goes", {nested, leaf});
    plan what = s.plan_of({removal_of("a", goes, {"goes"})});
    sweeper(s.options()).add_children(what).value();
    BOOST_TEST(what.steps.size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_index_whose_descriptors_name_no_type_protects_too)
{
    sweeping s;
    const auto leaf = s.registry.put_image("a", "leaf", "leaf");
    const auto nested = put_index(s.registry, "a", "", {leaf});
    s.registry.tag("a", "top",
                   s.registry.put_manifest("a", R"({"schemaVersion":2,"manifests":[{"digest":")" + nested + R"("}]})",
                                           oci_index_type));
    const auto report = s.sweep(s.plan_of({removal_of("a", leaf, {"leaf"})})).value();
    BOOST_TEST(report.removed == 0U);
    BOOST_TEST(report.dropped.size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_index_of_an_unknown_type_that_cannot_be_read_stops_its_repository)
{
    fake_options fake;
    fake.api.negotiate = false;
    sweeping s(fake);
    const plan what = s.fill("a", 2);
    s.registry.tag("a", "odd",
                   s.registry.put_manifest("a", R"({"manifests":[{"digest":"blake3:00"}]})", "application/x-odd"));
    s.registry.tag("a", "plain", s.registry.put_manifest("a", "no JSON at all", "application/x-plain"));
    auto report = s.sweep(what).value();
    BOOST_TEST(report.removed == 0U);
    BOOST_TEST(report.failed.size() == 2U);
    s.registry.remove_tag("a", "odd");
    report = s.sweep(what).value();
    BOOST_TEST(report.removed == 2U);
}

BOOST_AUTO_TEST_CASE(a_list_of_tags_that_breaks_off_stops_its_repository)
{
    sweeping s;
    const plan what = s.fill("a", 5);
    s.registry.tag("a", "zzz", what.steps[0].id.to_string());
    s.registry.add_rule(rule_for("GET", "tags/list.*last=", fake_action::answer(404)));
    auto how = s.options();
    how.page_size = 3;
    const auto report = s.sweep(what, how).value();
    BOOST_TEST(report.removed == 0U);
    BOOST_TEST(report.failed.size() == 5U);
    BOOST_TEST(s.deletes() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
