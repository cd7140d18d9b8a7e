// Random registries, selections and options: nothing goes that was not selected, and what went can be put back.
#include "unit/sweep/sweeping.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <set>

using namespace regsweep;
using namespace regsweep::test;

namespace {

using random_source = std::mt19937;

std::size_t below(random_source& random, std::size_t limit)
{
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
}

bool one_in(random_source& random, std::size_t n)
{
    return below(random, n) == 0;
}

enum class tag_deletion { refused_400, refused_405, accepted };

/// All manifests of a registry with what they list.
using manifests = std::map<std::string, std::map<std::string, std::vector<std::string>>>;

fake_options kind_of(tag_deletion kind)
{
    fake_options fake;
    fake.api.delete_by_tag = kind == tag_deletion::accepted;
    fake.api.missing_reference_status = 400;
    return fake;
}

manifests fill(fake_registry& registry, random_source& random)
{
    manifests all;
    const std::size_t repositories = 1 + below(random, 3);
    for (std::size_t r = 0; r != repositories; ++r) {
        const std::string repository = "team/" + std::string(1, static_cast<char>('a' + r));
        auto& mine = all[repository];
        std::vector<std::string> known;
        const std::size_t images = 1 + below(random, 6);
        for (std::size_t i = 0; i != images; ++i) // the same few texts everywhere: digests are shared
            known.push_back(put_untagged(registry, repository, "image " + std::to_string(below(random, 8))));
        for (const auto& id : known)
            mine[id];
        const std::size_t indexes = below(random, 5);
        for (std::size_t i = 0; i != indexes; ++i) {
            std::vector<std::string> children;
            for (std::size_t c = 1 + below(random, 3); c != 0; --c)
                children.push_back(known[below(random, known.size())]); // an index, too: they nest
            const auto id = put_index(registry, repository, "", children, one_in(random, 2) ? "x" : "");
            known.push_back(id);
            mine[id] = children;
        }
        const std::size_t tags = 1 + below(random, 9);
        for (std::size_t t = 0; t != tags; ++t)
            registry.tag(repository, (one_in(random, 2) ? "v1." : "dev-") + std::to_string(t),
                         known[below(random, known.size())]);
    }
    return all;
}

/// An index that no tag and no other index leads to cannot be known, and so not be protected: tags them.
void tag_orphans(fake_registry& registry, const manifests& all)
{
    const fake_snapshot tagged = registry.snapshot();
    for (const auto& [repository, mine] : all) {
        std::set<std::string> led_to;
        for (const auto& [tag, id] : tagged.at(repository))
            led_to.insert(id);
        for (const auto& [id, children] : mine)
            led_to.insert(children.begin(), children.end());
        int number = 0;
        for (const auto& [id, children] : mine)
            if (!children.empty() && !led_to.contains(id))
                registry.tag(repository, "orphan-" + std::to_string(number++), id);
    }
}

selection_options random_selection(random_source& random, const manifests& all)
{
    selection_options out;
    for (const auto& [repository, mine] : all)
        if (!one_in(random, 4))
            out.repositories.push_back(repository);
    static const std::vector<std::string> patterns = {".*", "v1", "dev-", ".*[02468]$", ".*[0-5]$", "orphan"};
    out.regexes = {patterns[below(random, patterns.size())], patterns[below(random, patterns.size())]};
    if (one_in(random, 3))
        out.exclude_regexes = {".*3$"};
    out.match_all_tags = !one_in(random, 3);
    out.raise_intersecting_repo = false;
    return out;
}

std::set<std::pair<std::string, std::string>> tags_of(const plan& what)
{
    std::set<std::pair<std::string, std::string>> out;
    for (const auto& step : what.steps)
        for (const auto& tag : step.tags)
            out.emplace(step.repository, tag);
    return out;
}

std::set<std::pair<std::string, std::string>> tags_of(const std::vector<sweep_exception>& list)
{
    std::set<std::pair<std::string, std::string>> out;
    for (const auto& e : list)
        for (const auto& tag : e.tags)
            out.emplace(e.repository, tag);
    return out;
}

void check_one(unsigned seed)
{
    random_source random(seed);
    const auto kind = static_cast<tag_deletion>(below(random, 3));
    sweeping s(kind_of(kind));
    if (kind == tag_deletion::refused_405)
        s.registry.add_rule(rule_for("DELETE", "/manifests/[^:]*$", fake_action::answer(405)));
    const manifests all = fill(s.registry, random);
    tag_orphans(s.registry, all);
    const fake_snapshot before = s.registry.snapshot();
    auto known = s.crawl();
    plan_header header;
    header.registry = s.address.canonical();
    header.command = "random";
    header.untag = one_in(random, 2);
    plan what = make_plan(select_tags(known, random_selection(random, all)).value(), header).value();
    auto how = s.options();
    how.concurrency = one_in(random, 3) ? 1 : 16;
    how.page_size = one_in(random, 2) ? 2 : 1000;
    how.pipeline = one_in(random, 2) ? 3 : 0;
    how.check_again = std::chrono::milliseconds(one_in(random, 2) ? 0 : 5000);
    if (one_in(random, 2))
        sweeper(how).add_children(what).value();
    const std::string where = "seed " + std::to_string(seed);

    const auto report = s.sweep(what, how, &known);
    BOOST_TEST_REQUIRE(report.has_value(), where << ": " << (report ? "" : report.error().message()));
    BOOST_TEST(report->failed.empty(), where);
    const auto planned = tags_of(what);
    const auto dropped = tags_of(report->dropped);
    const fake_snapshot after = s.registry.snapshot();
    for (const auto& [repository, tags] : before)
        for (const auto& [tag, id] : tags) {
            const auto& now = after.at(repository);
            const bool stays = !planned.contains({repository, tag}) || dropped.contains({repository, tag});
            BOOST_TEST(now.contains(tag) == stays, where << ": " << repository << ":" << tag);
            if (now.contains(tag))
                BOOST_TEST(now.at(tag) == id, where);
        }
    for (const auto& [repository, mine] : all)
        for (const auto& [id, children] : mine)
            if (s.registry.store().has_manifest(repository, id))
                for (const auto& child : children)
                    BOOST_TEST(s.registry.store().has_manifest(repository, child),
                               where << ": " << repository << " has lost " << child << " of " << id);
    BOOST_TEST((s.content(known) == after), where << ": the index does not follow");

    const auto again = s.sweep(what, how, &known);
    BOOST_TEST_REQUIRE(again.has_value(), where);
    // What stayed for the sake of a nested index may go once nothing leads to that one any more.
    if (report->dropped.empty()) {
        BOOST_TEST(again->removed + again->untagged == 0U, where);
        BOOST_TEST((s.registry.snapshot() == after), where << ": a second time changes something");
    } else {
        s.restore(again->run, &known);
        BOOST_TEST((s.registry.snapshot() == after), where << ": a second time cannot be undone");
    }

    const auto back = s.restore(report->run, &known);
    BOOST_TEST(back.failed.empty(), where << ": " << (back.failed.empty() ? "" : back.failed.front().why));
    BOOST_TEST((s.registry.snapshot() == before), where << ": it is not what it was");
    for (const auto& [repository, mine] : all)
        for (const auto& [id, children] : mine) {
            const auto found = s.registry.store().find_manifest(repository, id);
            BOOST_TEST_REQUIRE(found.has_value(), where << ": " << repository << "@" << id << " did not come back");
            BOOST_TEST((parse_media_type(found->media_type) != media_type::unknown), where);
        }
    BOOST_TEST((s.content(known) == before), where << ": the index does not follow the restore");
    BOOST_TEST(s.restore(report->run, &known).manifests == 0U, where);
}

} // namespace

BOOST_AUTO_TEST_SUITE(sweeper_properties)

BOOST_AUTO_TEST_CASE(only_what_was_selected_goes_and_all_comes_back)
{
    const unsigned first = std::random_device{}();
    BOOST_TEST_MESSAGE("first seed " << first);
    for (unsigned i = 0; i != 150; ++i)
        check_one(first + i);
}

BOOST_AUTO_TEST_SUITE_END()
