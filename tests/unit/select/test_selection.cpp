#include "regsweep/select/selection.hpp"

#include "registry_model.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace regsweep {
namespace {

using test::digest_of;
using test::make_index;
using test::registry_model;
using strings = std::vector<std::string>;

/// `a:1=x a:2=y`: repository, tag, and a name for the digest.
registry_model model_of(const std::string& text)
{
    registry_model model;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        const auto colon = word.find(':');
        const auto equal = word.find('=');
        model[word.substr(0, colon)][word.substr(colon + 1, equal - colon - 1)] = digest_of(word.substr(equal + 1));
    }
    return model;
}

selection select(const std::string& text, const selection_options& options)
{
    return select_tags(make_index(model_of(text)), options).value();
}

decision decision_of(const selection& from, const std::string& name)
{
    for (std::size_t i = 0; i != from.size(); ++i) {
        if (from[i].id() == digest_of(name))
            return from[i];
    }
    throw std::runtime_error("no decision about " + name);
}

strings names_of(std::span<const tag_use> uses)
{
    strings names;
    for (const tag_use& use : uses)
        names.push_back(std::string(use.repository()) + ":" + std::string(use.tag()));
    return names;
}

/// `a:1,a:2` for every target.
strings targets_of(const selection& from)
{
    strings all;
    for (const target& t : from.targets().value()) {
        std::string text;
        for (const std::string& name : names_of(t.tags))
            text += (text.empty() ? "" : ",") + name;
        all.push_back(text);
    }
    return all;
}

bool contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(selecting_tags)

BOOST_AUTO_TEST_CASE(a_digest_goes_when_all_its_tags_are_selected)
{
    const selection s = select("a:1=x a:2=x a:3=y", {.repositories = {"a"}, .tags = {"1", "2"}});
    BOOST_TEST(s.size() == 1u);
    BOOST_TEST((s[0].why() == reason::all_selected));
    BOOST_TEST(s[0].repository() == "a");
    BOOST_TEST(targets_of(s) == strings{"a:1,a:2"}, boost::test_tools::per_element());
    BOOST_TEST(s.counts().in == 1u);
    BOOST_TEST(s.counts().tags == 2u);
}

BOOST_AUTO_TEST_CASE(an_outside_tag_keeps_its_digest)
{
    const selection s = select("a:1=x a:2=x a:3=y", {.repositories = {"a"}, .tags = {"1", "3"}});
    const decision kept = decision_of(s, "x");
    BOOST_TEST((kept.why() == reason::outside_tag));
    BOOST_TEST(contains(reason_text(kept), "a:2"), reason_text(kept));
    BOOST_TEST(!contains(reason_text(kept), "a:1"), reason_text(kept));
    BOOST_TEST(targets_of(s) == strings{"a:3"}, boost::test_tools::per_element());
    BOOST_TEST(s.check().has_value());
}

BOOST_AUTO_TEST_CASE(an_outside_tag_is_a_conflict_on_request)
{
    const selection s = select("a:1=x a:2=x", {.repositories = {"a"}, .tags = {"1"}, .raise_intersecting_tag = true});
    BOOST_TEST((s[0].why() == reason::conflict_tag));
    BOOST_TEST(s.check().error().is(errc::conflict));
    BOOST_TEST(s.targets().error().is(errc::conflict));
    BOOST_TEST(contains(s.check().error().detail, digest_of("x").to_string() + " is also used by a:2"),
               s.check().error().detail);
}

BOOST_AUTO_TEST_CASE(another_repository_is_a_conflict_or_keeps_the_digest)
{
    selection_options options{.repositories = {"a"}, .tags = {"1"}};
    const selection conflict = select("a:1=x b:9=x", options);
    BOOST_TEST((conflict[0].why() == reason::conflict_repository));
    BOOST_TEST(contains(conflict.check().error().detail, "b:9"), conflict.check().error().detail);
    options.raise_intersecting_repo = false;
    const selection kept = select("a:1=x b:9=x", options);
    BOOST_TEST((kept[0].why() == reason::outside_repository));
    BOOST_TEST(targets_of(kept).empty());
}

BOOST_AUTO_TEST_CASE(a_repository_without_a_selected_tag_is_outside_though_it_was_named)
{
    const selection s = select("a:1=x b:9=x", {.repositories = {"a", "b"}, .tags = {"1"}});
    BOOST_TEST((s[0].why() == reason::conflict_repository));
}

BOOST_AUTO_TEST_CASE(the_first_repository_by_name_decides)
{
    // In `a` a tag is outside, in `c` all are: with the order of names the first rule is met first.
    const selection s = select("a:1=x a:2=x c:1=x", {.repositories = {"a"}, .tags = {"1"}});
    BOOST_TEST((s[0].why() == reason::outside_tag));
    BOOST_TEST(contains(reason_text(s[0]), "a:2, c:1"), reason_text(s[0]));
}

BOOST_AUTO_TEST_CASE(a_shared_digest_is_deleted_in_every_selected_repository_and_printed_once)
{
    const selection s = select("a:1=x b:1=x c:2=y", {.repositories = {"b", "a"}, .tags = {"1"}});
    BOOST_TEST(s.size() == 1u);
    BOOST_TEST(s[0].repository() == "b");
    const strings expected{"a:1", "b:1"};
    BOOST_TEST(targets_of(s) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_excluded_tag_keeps_its_digest)
{
    const selection s = select("a:1=x a:v1=x a:2=y",
                               {.repositories = {"a"}, .regexes = {".*"}, .exclude = {"7"}, .exclude_regexes = {"v"}});
    const decision kept = decision_of(s, "x");
    BOOST_TEST((kept.why() == reason::excluded));
    BOOST_TEST(kept.excluded_tag() == "v1");
    BOOST_TEST(kept.excluded_by() == "v");
    BOOST_TEST(targets_of(s) == strings{"a:2"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(without_the_reverse_check_the_lost_tags_are_shown)
{
    const selection s = select("a:1=x a:2=x b:1=x", {.repositories = {"a"}, .tags = {"1"}, .match_all_tags = false});
    BOOST_TEST((s[0].why() == reason::others_ignored));
    BOOST_TEST(targets_of(s) == strings{"a:1,a:2"}, boost::test_tools::per_element());
    BOOST_TEST(contains(reason_text(s[0]), "a:2, b:1"), reason_text(s[0]));
}

BOOST_AUTO_TEST_CASE(without_the_reverse_check_the_first_repository_still_must_be_selected)
{
    const selection s = select("a:1=x b:1=x", {.repositories = {"b"}, .tags = {"1"}, .match_all_tags = false});
    BOOST_TEST((s[0].why() == reason::conflict_repository));
}

BOOST_AUTO_TEST_CASE(without_the_reverse_check_only_repositories_with_a_selected_tag_lose_it)
{
    // `a` takes part through tag 1 of another digest; its tag 9 of x was never selected.
    const selection s =
        select("a:1=y a:9=x b:1=x", {.repositories = {"a", "b"}, .tags = {"1"}, .match_all_tags = false});
    BOOST_TEST(decision_of(s, "x").in());
    const strings expected{"a:1", "b:1"};
    BOOST_TEST(targets_of(s) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(without_the_reverse_check_an_excluded_tag_survives_in_every_repository)
{
    const selection s =
        select("a:1=x b:1=x b:keep=x",
               {.repositories = {"b", "a"}, .tags = {"1"}, .exclude = {"keep"}, .match_all_tags = false});
    BOOST_TEST(s[0].in());
    BOOST_TEST(s[0].repository() == "b");
    BOOST_TEST(targets_of(s) == strings{"a:1"}, boost::test_tools::per_element());
    const strings lines = explain(s[0]);
    BOOST_TEST(std::ranges::any_of(lines, [](const auto& line) { return contains(line, "stays in b"); }));
}

BOOST_AUTO_TEST_CASE(repositories_may_repeat_or_be_unknown)
{
    const selection s = select("a:1=x", {.repositories = {"a", "no", "a", "no"}, .tags = {"1"}});
    BOOST_TEST(s.size() == 1u);
    BOOST_TEST(s.unknown_repositories().size() == 1u);
    BOOST_TEST(s.unknown_repositories()[0] == "no");
    BOOST_TEST(s.incomplete_repositories().empty());
}

BOOST_AUTO_TEST_CASE(bad_and_slow_expressions_are_errors)
{
    const index from = make_index(model_of("a:" + std::string(60, 'a') + "b=x"));
    const auto error_of = [&](const selection_options& options) { return select_tags(from, options).error(); };
    BOOST_TEST(error_of({.repositories = {"a"}, .regexes = {"("}}).is(errc::bad_regex));
    BOOST_TEST(error_of({.repositories = {"a"}, .exclude_regexes = {"("}}).is(errc::bad_regex));
    BOOST_TEST(error_of({.repositories = {"a"}, .regexes = {"(a+)+$"}}).is(errc::match_limit));
    BOOST_TEST(
        error_of({.repositories = {"a"}, .regexes = {".*"}, .exclude_regexes = {"(a+)+$"}}).is(errc::match_limit));
}

BOOST_AUTO_TEST_CASE(a_selection_can_be_moved)
{
    selection first = select("a:1=x b:1=x", {.repositories = {"a", "b"}, .tags = {"1"}});
    const selection second = std::move(first);
    const strings expected{"a:1", "b:1"};
    BOOST_TEST(targets_of(second) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_long_conflict_is_cut_and_counted)
{
    std::string text;
    for (int i = 0; i != 30; ++i)
        text += " b:t" + std::to_string(i) + "=x";
    text += " a:1=x a:2=y b:y=y";
    const selection s = select(text, {.repositories = {"a"}, .regexes = {"."}});
    const std::string detail = s.check().error().detail;
    BOOST_TEST(contains(detail, "2 digests are"), detail);
    BOOST_TEST(contains(detail, "b:t0, "), detail);
    BOOST_TEST(contains(detail, " and 11 more, 1 of the digests unnamed"), detail);
}

BOOST_AUTO_TEST_CASE(json_has_the_documented_keys)
{
    const selection s = select("a:1=x a:2=x b:1=y", {.repositories = {"a", "b"}, .tags = {"1"}});
    const auto kept = to_json(decision_of(s, "x"));
    BOOST_TEST(kept.at("digest").as_string() == digest_of("x").to_string());
    BOOST_TEST(!kept.at("in").as_bool());
    BOOST_TEST(!kept.at("conflict").as_bool());
    BOOST_TEST(kept.at("reason").as_string() == "outside-tag");
    BOOST_TEST(boost::json::serialize(kept.at("repositories")) == R"(["a"])");
    BOOST_TEST(boost::json::serialize(kept.at("selected_tags")) == R"([{"repository":"a","tag":"1"}])");
    BOOST_TEST(boost::json::serialize(kept.at("other_tags")) == R"([{"repository":"a","tag":"2"}])");
    BOOST_TEST(kept.at("deletes").as_array().empty());
    BOOST_TEST(!kept.contains("excluded_by"));
    const auto gone = to_json(decision_of(s, "y"));
    BOOST_TEST(gone.at("in").as_bool());
    BOOST_TEST(boost::json::serialize(gone.at("deletes")) == R"([{"repository":"b","tags":["1"]}])");
}

BOOST_AUTO_TEST_CASE(an_explanation_names_digest_reason_and_every_tag)
{
    const selection s = select("a:1=x b:1=x", {.repositories = {"a", "b"}, .tags = {"1"}});
    const strings expected{digest_of("x").to_string() + " in: every tag that uses it is selected",
                           "  would be deleted in a", "  would be deleted in b", "  a:1 (selected)",
                           "  b:1 (selected)"};
    BOOST_TEST(explain(s[0]) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(selecting_repositories)

BOOST_AUTO_TEST_CASE(whole_repositories_go_except_for_what_others_use)
{
    const index from = make_index(model_of("a:1=x a:2=y b:1=y"));
    selection_options options{.repositories = {"a"}, .raise_intersecting_repo = false};
    const selection kept = select_repositories(from, options).value();
    BOOST_TEST((decision_of(kept, "y").why() == reason::outside_repository));
    BOOST_TEST(targets_of(kept) == strings{"a:1"}, boost::test_tools::per_element());
    options.raise_intersecting_repo = true;
    BOOST_TEST(select_repositories(from, options).value().check().error().is(errc::conflict));
    options.repositories = {"b", "a"};
    const selection both = select_repositories(from, options).value();
    const strings expected{"a:2", "a:1", "b:1"};
    BOOST_TEST(targets_of(both) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// docker-registry-util's rules again, in the plainest way: what a selection must agree with.
struct oracle
{
    bool ok = true;
    std::set<std::pair<std::string, digest>> printed;
};

class plain_rules
{
public:
    plain_rules(const registry_model& model, const selection_options& options) : model_(model), options_(options) {}

    oracle run()
    {
        std::set<digest> tested;
        for (const auto& repository : options_.repositories) {
            for (const auto& [tag, d] : tags(repository)) {
                if (!included(repository, tag) || !tested.insert(d).second)
                    continue;
                if (complete(d))
                    answer_.printed.emplace(repository, d);
            }
        }
        return answer_;
    }

    bool included(const std::string& repository, const std::string& tag) const
    {
        return std::ranges::count(options_.repositories, repository) != 0 && is_in(options_.tags, tag);
    }
    bool excluded(const std::string& tag) const { return is_in(options_.exclude, tag); }

private:
    static bool is_in(const strings& names, const std::string& name) { return std::ranges::count(names, name) != 0; }

    std::map<std::string, digest> tags(const std::string& repository) const
    {
        const auto found = model_.find(repository);
        return found == model_.end() ? std::map<std::string, digest>() : found->second;
    }

    bool complete(const digest& d)
    {
        for (const auto& [repository, all] : model_) {
            bool used = false, any_selected = false, outside = false, forbidden = false;
            for (const auto& [tag, other] : all) {
                any_selected |= included(repository, tag);
                if (other != d)
                    continue;
                used = true;
                outside |= !included(repository, tag);
                forbidden |= excluded(tag);
            }
            if (!used)
                continue;
            if (!any_selected)
                return no(options_.raise_intersecting_repo);
            if (!options_.match_all_tags)
                return !forbidden;
            if (outside)
                return no(options_.raise_intersecting_tag);
            if (forbidden)
                return false;
        }
        return true;
    }

    bool no(bool raise)
    {
        answer_.ok &= !raise;
        return false;
    }

    const registry_model& model_;
    const selection_options& options_;
    oracle answer_;
};

class random_registry
{
public:
    explicit random_registry(unsigned seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

    registry_model model()
    {
        registry_model made;
        for (const char* repository : {"a", "b", "c/d"}) {
            for (std::size_t i = below(6); i != 0; --i)
                made[repository]["t" + std::to_string(below(6))] = digest_of(std::to_string(below(5)));
        }
        return made;
    }

    selection_options options()
    {
        return {.repositories = some({"c/d", "a", "b", "a", "missing"}),
                .tags = some({"t0", "t1", "t2", "t3", "t4"}),
                .exclude = below(2) == 0 ? strings{} : some({"t3", "t4", "t5"}),
                .match_all_tags = below(3) != 0,
                .raise_intersecting_repo = below(2) == 0,
                .raise_intersecting_tag = below(3) == 0};
    }

private:
    strings some(const strings& all)
    {
        strings chosen;
        for (const auto& one : all) {
            if (below(3) != 0)
                chosen.push_back(one);
        }
        std::ranges::shuffle(chosen, random_);
        return chosen;
    }

    std::mt19937 random_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(properties)

BOOST_AUTO_TEST_CASE(selections_obey_the_rules_and_targets_are_safe)
{
    random_registry random(4);
    for (int round = 0; round != 1500; ++round) {
        const registry_model model = random.model();
        const selection_options options = random.options();
        plain_rules rules(model, options);
        const oracle expected = rules.run();
        const selection s = select_tags(make_index(model), options).value();
        BOOST_REQUIRE_EQUAL(s.check().has_value(), expected.ok);

        std::set<std::pair<std::string, digest>> printed;
        for (std::size_t i = 0; i != s.size(); ++i) {
            if (s[i].in())
                printed.emplace(s[i].repository(), s[i].id());
        }
        BOOST_REQUIRE(printed == expected.printed);
        if (!expected.ok)
            continue;
        for (const target& t : s.targets().value()) {
            const auto& tags = model.at(std::string(t.repository));
            const auto uses = std::ranges::count_if(tags, [&](const auto& entry) { return entry.second == *t.id; });
            BOOST_REQUIRE_EQUAL(t.tags.size(), static_cast<std::size_t>(uses));
            BOOST_REQUIRE(std::ranges::any_of(t.tags, &tag_use::selected));
            for (const tag_use& use : t.tags) {
                const std::string tag(use.tag());
                BOOST_REQUIRE(!rules.excluded(tag));
                BOOST_REQUIRE_EQUAL(use.selected(), rules.included(std::string(t.repository), tag));
                BOOST_REQUIRE(use.selected() || !options.match_all_tags);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(many_candidates_are_decided_as_few_are)
{
    random_registry random(6);
    registry_model model;
    for (const char* repository : {"a", "b", "c/d"}) {
        for (std::size_t i = 0; i != 3000; ++i)
            model[repository]["t" + std::to_string(random.below(6)) + "-" + std::to_string(i)] =
                digest_of(std::to_string(random.below(6000)));
    }
    const index from = make_index(model);
    const selection_options many{
        .repositories = {"b", "a"}, .regexes = {"t[0-4]"}, .exclude_regexes = {"t4"}, .raise_intersecting_repo = false};
    const selection all = select_tags(from, many).value();
    BOOST_TEST_REQUIRE(all.size() > 2000u);
    std::map<digest, std::vector<std::pair<std::string, std::string>>> uses;
    for (const auto& [repository, tags] : model) {
        for (const auto& [tag, d] : tags)
            uses[d].emplace_back(repository, tag);
    }
    std::size_t in = 0;
    for (std::size_t i = 0; i != all.size(); ++i) {
        const decision d = all[i];
        std::vector<std::pair<std::string, std::string>> found;
        for (const tag_use& use : d.uses())
            found.emplace_back(use.repository(), use.tag());
        BOOST_REQUIRE(found == uses.at(d.id()));
        const bool expected =
            std::ranges::all_of(found, [](const auto& use) { return use.first != "c/d" && use.second[1] < '4'; });
        BOOST_REQUIRE_EQUAL(d.in(), expected);
        in += static_cast<std::size_t>(d.in());
        if (i % 50 != 0)
            continue;
        // The same digest, found through one tag: asked for on its own.
        const auto tag = std::ranges::find_if(d.uses(), &tag_use::selected);
        const selection few = select_tags(from, {.repositories = {std::string(tag->repository())},
                                                 .tags = {std::string(tag->tag())},
                                                 .raise_intersecting_repo = false})
                                  .value();
        BOOST_REQUIRE_EQUAL(few.size(), 1u);
        BOOST_REQUIRE(std::ranges::equal(few[0].uses(), d.uses(), {}, &tag_use::tag, &tag_use::tag));
    }
    BOOST_TEST(in > 100u);
}

BOOST_AUTO_TEST_CASE(whole_repositories_never_take_what_others_use)
{
    random_registry random(5);
    for (int round = 0; round != 300; ++round) {
        const registry_model model = random.model();
        selection_options options = random.options();
        options.raise_intersecting_repo = false;
        const selection s = select_repositories(make_index(model), options).value();
        std::set<digest> deleted;
        for (const target& t : s.targets().value())
            deleted.insert(*t.id);
        for (const auto& [repository, tags] : model) {
            if (std::ranges::count(options.repositories, repository) != 0)
                continue;
            for (const auto& [tag, d] : tags)
                BOOST_REQUIRE(!deleted.contains(d));
        }
        for (std::size_t i = 0; i != s.size(); ++i)
            BOOST_REQUIRE_EQUAL(s[i].in(), deleted.contains(s[i].id()));
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep
