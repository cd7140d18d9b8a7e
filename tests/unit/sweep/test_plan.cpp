#include "regsweep/sweep/plan.hpp"

#include "common/temp_dir.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace regsweep {
namespace {

using strings = std::vector<std::string>;
using test::temp_dir;

digest d_of(std::string_view name)
{
    return digest::of(name);
}

/// `a:1=x a:2=y`: repository, tag, and a name for the digest.
index index_of(const std::string& text)
{
    boost::json::object all;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        const auto colon = word.find(':');
        const auto equal = word.find('=');
        auto& tags = all[word.substr(0, colon)];
        if (!tags.is_object())
            tags.emplace_object();
        tags.as_object()[word.substr(colon + 1, equal - colon - 1)] = d_of(word.substr(equal + 1)).to_string();
    }
    const temp_dir folder;
    const std::filesystem::path file = folder.path() / "cache.json";
    std::ofstream(file) << boost::json::serialize(all);
    return index::open(file).value();
}

plan plan_of(const std::string& text, const selection_options& options, plan_header header = {})
{
    const index from = index_of(text);
    return make_plan(select_tags(from, options).value(), std::move(header)).value();
}

/// `delete a x 1,2`
std::string short_text(const plan_step& step, const strings& names)
{
    std::string text = (step.kind == step_kind::remove ? "delete " : "untag ") + step.repository + " ";
    const auto name = std::ranges::find_if(names, [&](const auto& n) { return d_of(n) == step.id; });
    text += name == names.end() ? "?" : *name;
    for (const auto& tag : step.tags)
        text += (&tag == &step.tags.front() ? " " : ",") + tag;
    return text;
}

strings short_texts(const plan& p)
{
    strings all;
    for (const plan_step& step : p.steps)
        all.push_back(short_text(step, {"x", "y", "z"}));
    return all;
}

plan_step removal(std::string_view name, strings tags, const strings& children = {})
{
    plan_step step;
    step.repository = "a";
    step.id = d_of(name);
    step.tags = std::move(tags);
    for (const auto& child : children)
        step.children.push_back(d_of(child));
    return step;
}

plan_step untagging(std::string_view name, const std::string& tag)
{
    plan_step step = removal(name, {tag});
    step.kind = step_kind::untag;
    return step;
}

live_repository live_of(const std::map<std::string, std::string>& tags,
                        const std::map<std::string, strings>& indexes = {})
{
    live_repository live;
    for (const auto& [tag, name] : tags)
        live.tags[tag] = d_of(name);
    for (const auto& [name, children] : indexes) {
        for (const auto& child : children)
            live.indexes[d_of(name)].push_back(d_of(child));
    }
    return live;
}

step_verdict verdict_of(const plan_step& step, const live_repository& live)
{
    return verify(std::vector<plan_step>{step}, live).at(0);
}

bool contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

} // namespace

BOOST_AUTO_TEST_SUITE(making)

BOOST_AUTO_TEST_CASE(a_selection_becomes_a_step_for_each_repository_and_digest)
{
    const plan p = plan_of("b:1=x a:1=x a:2=y", {.repositories = {"b", "a"}, .regexes = {"[12]"}},
                           {.registry = "https://r:443", .created_at = 5, .command = "remove"});
    const strings expected{"delete a x 1", "delete a y 2", "delete b x 1"};
    auto steps = short_texts(p);
    BOOST_TEST(steps.back() == expected.back());
    std::ranges::sort(steps);
    BOOST_TEST(steps == expected, boost::test_tools::per_element());
    BOOST_TEST(p.header.registry == "https://r:443");
    BOOST_TEST(!p.steps[0].why.empty());
    const plan_counts counts = count(p);
    BOOST_TEST(counts.repositories == 2u);
    BOOST_TEST(counts.tags == 3u);
    BOOST_TEST(counts.digests == 3u);
}

BOOST_AUTO_TEST_CASE(lost_and_remaining_tags_are_shown)
{
    const plan p = plan_of("a:1=x a:2=x b:9=x", {.repositories = {"a"}, .tags = {"1"}, .match_all_tags = false});
    BOOST_TEST_REQUIRE(p.steps.size() == 1u);
    BOOST_TEST(p.steps[0].tags == (strings{"1", "2"}), boost::test_tools::per_element());
    BOOST_TEST(p.steps[0].unasked_tags == strings{"2"}, boost::test_tools::per_element());
    BOOST_TEST_REQUIRE(p.steps[0].also_used_by.size() == 1u);
    BOOST_TEST((p.steps[0].also_used_by[0] == image_name{"b", "9"}));
}

BOOST_AUTO_TEST_CASE(a_conflict_makes_no_plan)
{
    const index from = index_of("a:1=x b:1=x");
    const auto made = make_plan(select_tags(from, {.repositories = {"a"}, .tags = {"1"}}).value(), {});
    BOOST_TEST(made.error().is(errc::conflict));
}

BOOST_AUTO_TEST_CASE(names_that_no_registry_may_use_make_no_plan)
{
    const index bad_tag = index_of("a:..=x");
    BOOST_TEST(make_plan(select_tags(bad_tag, {.repositories = {"a"}, .regexes = {"."}}).value(), {})
                   .error()
                   .is(errc::bad_argument));
    const index bad_name = index_of("A:1=x");
    BOOST_TEST(make_plan(select_tags(bad_name, {.repositories = {"A"}, .regexes = {"."}}).value(), {})
                   .error()
                   .is(errc::bad_argument));
}

BOOST_AUTO_TEST_CASE(untagging_takes_selected_tags_only)
{
    const plan p =
        plan_of("a:1=x a:2=x a:3=x a:4=y b:4=y", {.repositories = {"a"}, .tags = {"1", "2", "4"}}, {.untag = true});
    auto steps = short_texts(p);
    std::ranges::sort(steps);
    const strings expected{"delete a y 4", "untag a x 1", "untag a x 2"};
    BOOST_TEST(steps == expected, boost::test_tools::per_element());
    const auto untag = std::ranges::find(p.steps, step_kind::untag, &plan_step::kind);
    BOOST_TEST_REQUIRE(untag->also_used_by.size() == 1u);
    BOOST_TEST(untag->also_used_by[0].tag == "3");
    const auto removed = std::ranges::find(p.steps, step_kind::remove, &plan_step::kind);
    BOOST_TEST_REQUIRE(removed->also_used_by.size() == 1u);
    BOOST_TEST(removed->also_used_by[0].repository == "b");
}

BOOST_AUTO_TEST_CASE(untagging_leaves_excluded_digests_alone)
{
    const plan p = plan_of("a:1=x a:keep=x a:2=y", {.repositories = {"a"}, .regexes = {".*"}, .exclude = {"keep"}},
                           {.untag = true});
    BOOST_TEST(short_texts(p) == strings{"delete a y 2"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(untagging_leaves_excluded_digests_alone_whatever_else_uses_them)
{
    const selection_options some{.repositories = {"b"}, .regexes = {"[0-9]|keep"}, .exclude = {"keep"}};
    for (const auto* const text : {"b:1=x b:keep=x b:other=x b:2=y b:z=y", "a:1=x b:keep=x b:1=x b:2=y a:2=y",
                                   "b:keep=x b:1=x c:1=x b:2=y c:2=y"}) {
        for (const bool raise : {false, true}) {
            auto asked = some;
            asked.raise_intersecting_repo = raise;
            const plan p = plan_of(text, asked, {.untag = true});
            BOOST_TEST(p.steps.size() == 1u, text);
            BOOST_TEST((p.steps.at(0).id == d_of("y")), text);
        }
    }
}

BOOST_AUTO_TEST_CASE(many_remaining_tags_are_cut_and_counted)
{
    std::string text = "a:1=x";
    for (int i = 0; i != 130; ++i)
        text += " a:t" + std::to_string(i) + "=x";
    const plan p = plan_of(text, {.repositories = {"a"}, .tags = {"1"}}, {.untag = true});
    BOOST_TEST_REQUIRE(p.steps.size() == 1u);
    BOOST_TEST(p.steps[0].also_used_by.size() == 100u);
    BOOST_TEST(p.steps[0].also_used_by_more == 30u);
}

BOOST_AUTO_TEST_CASE(an_index_is_deleted_before_its_children_and_restored_after_them)
{
    std::vector<plan_step> steps{removal("child", {}), removal("other", {"o"}), removal("inner", {}, {"child"}),
                                 removal("outer", {"1"}, {"inner", "child"})};
    order_for_delete(steps);
    const auto place = [&](std::string_view name) {
        return std::ranges::find(steps, d_of(name), &plan_step::id) - steps.begin();
    };
    BOOST_TEST(steps.size() == 4u);
    BOOST_TEST(place("outer") < place("inner"));
    BOOST_TEST(place("inner") < place("child"));
    BOOST_TEST(place("other") < place("outer"));
}

BOOST_AUTO_TEST_CASE(a_ring_of_indexes_loses_no_step)
{
    std::vector<plan_step> steps{removal("p", {}, {"q"}), removal("q", {}, {"p"}), removal("self", {}, {"self"})};
    order_for_delete(steps);
    BOOST_TEST(steps.size() == 3u);
    BOOST_TEST((steps[0].id == d_of("self")));
}

BOOST_AUTO_TEST_CASE(children_are_those_of_the_same_repository)
{
    std::vector<plan_step> steps{removal("child", {"1"}), removal("index", {"2"}, {"child"})};
    steps[1].repository = "b";
    order_for_delete(steps);
    BOOST_TEST((steps[0].id == d_of("child")));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

plan full_plan()
{
    plan p;
    p.header = {.registry = "https://r:443",
                .created_at = 1700000000,
                .command = "remove-tags \"a\"\n",
                .with_children = true,
                .untag = true};
    plan_step first = removal("x", {"1", "2"}, {"c1", "c2"});
    first.type = media_type::oci_index;
    first.unasked_tags = {"2"};
    first.also_used_by = {{"b/c", "9"}};
    first.also_used_by_more = 4;
    first.why = "because";
    p.steps = {first, untagging("y", "3"), removal("z", {})};
    p.kept = {{"a", {"4", "5"}, "a rule"}, {"b", {"6"}, "another"}};
    return p;
}

std::string json_of(const plan& p)
{
    std::ostringstream out;
    plan_writer writer(out);
    writer.begin(p.header).value();
    for (const plan_step& step : p.steps)
        writer.add(step).value();
    for (const auto& tags : p.kept)
        writer.keep(tags);
    writer.finish().value();
    return out.str();
}

result<plan> parse(const std::string& text, const plan_limits& limits = {})
{
    std::istringstream in(text);
    return read_plan(in, limits);
}

/// The error for a plan with one part replaced.
error error_with(const std::string& from, const std::string& to)
{
    std::string text = json_of(full_plan());
    const auto place = text.find(from);
    BOOST_TEST_REQUIRE(place != std::string::npos, from);
    const auto read = parse(text.replace(place, from.size(), to));
    BOOST_REQUIRE_MESSAGE(!read, to << " was accepted");
    return read.error();
}

} // namespace

BOOST_AUTO_TEST_SUITE(file_format)

BOOST_AUTO_TEST_CASE(what_was_written_is_read_again)
{
    const plan p = full_plan();
    BOOST_TEST((parse(json_of(p)).value() == p));
    plan empty;
    empty.header.registry = "https://r:443";
    BOOST_TEST((parse(json_of(empty)).value() == empty));
}

BOOST_AUTO_TEST_CASE(it_is_one_json_document_with_a_step_a_line)
{
    const std::string text = json_of(full_plan());
    const auto value = boost::json::parse(text);
    BOOST_TEST(value.at("format").as_string() == "regsweep-plan");
    BOOST_TEST(value.at("version").as_int64() == 1);
    BOOST_TEST(value.at("steps").as_array().size() == 3u);
    BOOST_TEST(value.at("steps").at(0).at("kind").as_string() == "delete");
    BOOST_TEST(value.at("steps").at(0).at("media_type").as_string() == to_string(media_type::oci_index));
    BOOST_TEST(contains(text, "\n    {\"kind\":\"untag\""));
    BOOST_TEST((parse(boost::json::serialize(value)).value() == full_plan()), "another layout is read too");
}

BOOST_AUTO_TEST_CASE(steps_that_were_put_together_are_sorted_by_repository)
{
    plan p = full_plan();
    p.steps[0].repository = "b";
    p.steps[1].repository = "a";
    p.steps[2].repository = "b";
    const plan read = parse(json_of(p)).value();
    BOOST_TEST_REQUIRE(read.steps.size() == 3U);
    BOOST_TEST((read.steps[0] == p.steps[1]));
    BOOST_TEST((read.steps[1] == p.steps[0]));
    BOOST_TEST((read.steps[2] == p.steps[2]));
}

BOOST_AUTO_TEST_CASE(a_file_is_replaced_whole)
{
    const temp_dir folder;
    const auto file = folder.path() / "plan.json";
    write_plan(file, full_plan()).value();
    write_plan(file, full_plan()).value();
    BOOST_TEST((read_plan(file).value() == full_plan()));
    const auto files = std::distance(std::filesystem::directory_iterator(folder.path()), {});
    BOOST_TEST(files == 1);
    BOOST_TEST(write_plan(folder.path() / "no" / "plan.json", full_plan()).error().is(errc::io));
    BOOST_TEST(read_plan(folder.path() / "missing").error().is(errc::io));
}

BOOST_AUTO_TEST_CASE(texts_that_are_no_utf8_do_not_spoil_the_plan)
{
    plan p = full_plan();
    p.header.command = "x \xff \xc3\xa4";
    p.steps[0].why = "\xe4";
    const plan read = parse(json_of(p)).value();
    BOOST_TEST(read.header.command == "x ? ??");
    BOOST_TEST(read.steps[0].why == "?");
}

BOOST_AUTO_TEST_CASE(what_is_no_plan_is_refused)
{
    for (const char* text : {"", "[]",
                             "\x7f"
                             "ELF",
                             "{}", R"({"a":{"1":"sha256:00"}})"})
        BOOST_TEST(!parse(text), text);
    BOOST_TEST(parse("").error().is(errc::bad_file));
    BOOST_TEST(parse("{}").error().is(errc::bad_file));
    BOOST_TEST(error_with("regsweep-plan", "other").is(errc::bad_file));
}

BOOST_AUTO_TEST_CASE(a_newer_version_is_told_before_anything_else)
{
    const error newer = error_with("\"version\": 1,", "\"version\": 2, \"unheard-of\": [,");
    BOOST_TEST(newer.is(errc::newer_version), newer.message());
    BOOST_TEST(error_with("\"version\": 1", "\"version\": 0").is(errc::bad_json));
    BOOST_TEST(error_with("\"version\": 1", "\"version\": \"1\"").is(errc::bad_json));
}

BOOST_AUTO_TEST_CASE(mistakes_are_named_with_their_place)
{
    const std::string x = d_of("x").to_string();
    const struct
    {
        std::string from, to, place;
    } mistakes[] = {
        {"\"registry\": ", "\"registri\": ", "registri"},
        {"\"https://r:443\"", "\"\"", "registry"},
        {"1700000000", "-1", "created_at"},
        {"1700000000", "\"x\"", "created_at"},
        {"\"untag\": true", "\"untag\": 1", "untag"},
        {"\"with_children\": true", "\"untag\": true", "there twice"},
        {"{\"kind\":\"delete\"", "{\"kind\":\"destroy\"", "line 10: steps[0].kind"},
        {"{\"kind\":\"untag\"", "{\"kind\":7", "line 11: steps[1].kind"},
        {"\"repository\":\"a\"", "\"repository\":\"../a\"", "steps[0].repository"},
        {"\"repository\":\"a\",", "", "steps[0].repository: missing"},
        {x, "sha256:12", "steps[0].digest"},
        {x, d_of("z").to_string(), "steps[2].digest: an earlier step deletes it"},
        {x, d_of("y").to_string(), "steps[1].digest: it is both deleted and untagged"},
        {"\"1\",\"2\"", "\"1\",2", "steps[0].tags[1]"},
        {"\"1\",\"2\"", "\"1\",\"a/b\"", "steps[0].tags[1]"},
        {"\"1\",\"2\"", "\"2\",\"2\"", "steps[0].tags"},
        {"\"1\",\"2\"", "\"3\",\"2\"", "steps[1].tags: an earlier step has the tag a:3"},
        {"[\"1\",\"2\"]", "{}", "steps[0].tags"},
        {"\"tags\":[\"3\"]", "\"tags\":[]", "steps[1].tags"},
        {"\"tags\":[\"3\"]", "\"tags\":[\"3\",\"4\"]", "steps[1].tags"},
        {"\"unasked_tags\":[\"2\"]", "\"unasked_tags\":[\"7\"]", "steps[0].unasked_tags"},
        {"\"b/c\"", "\"B\"", "also_used_by[0].repository"},
        {"\"tag\":\"9\"", "\"tug\":\"9\"", "also_used_by[0].tug"},
        {"\"also_used_by_more\":4", "\"also_used_by_more\":-4", "steps[0].also_used_by_more"},
        {"image.index", "image.undex", "steps[0].media_type"},
        {"\"reason\":\"because\"", "\"reason\":null", "steps[0].reason"},
        {d_of("c2").to_string(), "sha1:00", "steps[0].children[1]"},
        {"\"reason\":\"because\"", "\"reason\":\"because\",\"force\":true", "steps[0].force"},
    };
    for (const auto& mistake : mistakes) {
        const error e = error_with(mistake.from, mistake.to);
        BOOST_TEST(e.is(errc::bad_json), mistake.to << ": " << e.message());
        BOOST_TEST(contains(e.detail, mistake.place), mistake.to << ": " << e.detail);
        BOOST_TEST(!contains(e.detail, "\n"), e.detail);
    }
}

BOOST_AUTO_TEST_CASE(no_beginning_of_a_plan_is_a_plan)
{
    const std::string text = json_of(full_plan());
    const std::size_t end = text.rfind('}');
    for (std::size_t length = 0; length <= end; ++length)
        BOOST_REQUIRE_MESSAGE(!parse(text.substr(0, length)), "the first " << length << " bytes were accepted");
    BOOST_TEST(!parse(text + "{}"));
}

BOOST_AUTO_TEST_CASE(malformed_json_names_the_line)
{
    const error e = error_with("{\"kind\":\"untag\"", "{\"kind\" \"untag\"");
    BOOST_TEST(e.is(errc::bad_json));
    BOOST_TEST(contains(e.detail, "line 11"), e.detail);
    BOOST_TEST(error_with("\"steps\": [", "\"steps\": [,").is(errc::bad_json));
    BOOST_TEST(error_with("\"steps\": [", "\"steps\": {").is(errc::bad_json));
    BOOST_TEST(error_with("},\n    {", "}\n    {").is(errc::bad_json));
}

BOOST_AUTO_TEST_CASE(limits_are_kept)
{
    const std::string text = json_of(full_plan());
    BOOST_TEST(parse(text, {.steps = 2}).error().is(errc::too_large));
    BOOST_TEST(parse(text, {.step_bytes = 100}).error().is(errc::too_large));
    BOOST_TEST(parse(text, {.steps = 3}).has_value());
}

BOOST_AUTO_TEST_CASE(random_damage_is_an_error_or_a_valid_plan)
{
    std::mt19937 random(6);
    const std::string text = json_of(full_plan());
    for (int round = 0; round != 3000; ++round) {
        std::string damaged = text;
        for (std::size_t i = 1 + random() % 3; i != 0; --i)
            damaged[random() % damaged.size()] = "{}[]\",:0a\\\n "[random() % 12];
        const auto read = parse(damaged);
        if (!read) {
            BOOST_REQUIRE(!read.error().detail.empty());
            continue;
        }
        for (const plan_step& step : read->steps)
            BOOST_REQUIRE(valid_repository(step.repository) && std::ranges::all_of(step.tags, valid_tag));
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(verifying)

BOOST_AUTO_TEST_CASE(a_deletion_goes_ahead_when_all_is_as_planned)
{
    const step_verdict v = verdict_of(removal("x", {"1", "2"}), live_of({{"1", "x"}, {"2", "x"}, {"3", "y"}}));
    BOOST_TEST(v.go());
    BOOST_TEST(v.text() == "");
}

BOOST_AUTO_TEST_CASE(a_tag_outside_of_the_plan_keeps_the_digest)
{
    const step_verdict v = verdict_of(removal("x", {"1"}), live_of({{"1", "x"}, {"new", "x"}}));
    BOOST_TEST((v.what == verdict::outside_tag));
    BOOST_TEST(v.outside_tags == strings{"new"}, boost::test_tools::per_element());
    BOOST_TEST(contains(v.text(), "new"));
    BOOST_TEST(!verdict_of(removal("x", {}), live_of({{"new", "x"}})).go());
}

BOOST_AUTO_TEST_CASE(a_tag_that_moved_is_named_and_does_not_stop_the_others)
{
    const step_verdict v = verdict_of(removal("x", {"1", "2"}), live_of({{"1", "x"}, {"2", "y"}}));
    BOOST_TEST(v.go());
    BOOST_TEST((v.moved_tags == std::vector<moved_tag>{{"2", d_of("y")}}));
    BOOST_TEST(contains(v.text(), "2 to " + d_of("y").to_string()), v.text());
}

BOOST_AUTO_TEST_CASE(without_a_tag_left_there_is_nothing_to_delete)
{
    const step_verdict moved = verdict_of(removal("x", {"1", "2"}), live_of({{"1", "y"}}));
    BOOST_TEST((moved.what == verdict::moved));
    BOOST_TEST(contains(moved.text(), "1 to " + d_of("y").to_string()));
    const step_verdict gone = verdict_of(removal("x", {"1"}), live_of({{"9", "y"}}));
    BOOST_TEST((gone.what == verdict::gone));
    BOOST_TEST(gone.text() == "already gone");
}

BOOST_AUTO_TEST_CASE(an_untag_needs_its_tag_where_it_was)
{
    BOOST_TEST(verdict_of(untagging("x", "1"), live_of({{"1", "x"}, {"2", "x"}})).go());
    BOOST_TEST((verdict_of(untagging("x", "1"), live_of({{"1", "y"}})).what == verdict::moved));
    BOOST_TEST((verdict_of(untagging("x", "1"), live_of({{"2", "x"}})).what == verdict::gone));
}

BOOST_AUTO_TEST_CASE(a_child_of_an_index_that_stays_is_kept)
{
    const auto live = live_of({{"1", "x"}, {"multi", "index"}}, {{"index", {"x", "z"}}});
    const step_verdict v = verdict_of(removal("x", {"1"}), live);
    BOOST_TEST((v.what == verdict::child_of_index));
    BOOST_TEST(contains(v.text(), d_of("index").to_string()));
    BOOST_TEST(verdict_of(untagging("x", "1"), live).go());
}

BOOST_AUTO_TEST_CASE(a_child_goes_with_its_index)
{
    const auto live = live_of({{"1", "x"}, {"multi", "index"}}, {{"index", {"x"}}});
    const auto verdicts = verify(std::vector<plan_step>{removal("x", {"1"}), removal("index", {"multi"})}, live);
    BOOST_TEST(verdicts[0].go());
    BOOST_TEST(verdicts[1].go());
}

BOOST_AUTO_TEST_CASE(what_keeps_an_index_keeps_all_below_it)
{
    const std::vector<plan_step> steps{removal("leaf", {}), removal("inner", {}, {"leaf"}),
                                       removal("outer", {"1"}, {"inner"})};
    const auto verdicts = verify(steps, live_of({{"1", "outer"}, {"new", "outer"}}));
    BOOST_TEST((verdicts[2].what == verdict::outside_tag));
    BOOST_TEST((verdicts[1].what == verdict::child_of_index));
    BOOST_TEST((verdicts[0].what == verdict::child_of_index));
    BOOST_TEST((verdicts[0].index == d_of("inner")));
}

BOOST_AUTO_TEST_CASE(children_of_an_index_that_is_gone_may_go)
{
    const std::vector<plan_step> steps{removal("outer", {"1"}, {"leaf"}), removal("leaf", {})};
    BOOST_TEST(verify(steps, live_of({})).at(1).go());
    BOOST_TEST(!verify(steps, live_of({}, {{"outer", {"leaf"}}})).at(1).go());
}

BOOST_AUTO_TEST_CASE(an_index_that_is_there_after_its_step_has_ended_keeps_its_children)
{
    const std::vector<plan_step> steps{removal("outer", {"1"}, {"leaf"}), removal("leaf", {})};
    const auto live = live_of({{"1", "outer"}}, {{"outer", {"leaf"}}});
    for (const step_end end : {step_end::taken, step_end::stayed})
        BOOST_TEST((verify(steps, live, std::vector{end, step_end::open}).at(1).what == verdict::child_of_index));
    BOOST_TEST(verify(steps, live, std::vector(2, step_end::open)).at(1).go());
    BOOST_TEST(verify(steps, live_of({}), std::vector{step_end::taken, step_end::open}).at(1).go());
    const std::vector<plan_step> untagged{removal("outer", {}, {"leaf"}), removal("leaf", {})};
    BOOST_TEST(verify(untagged, live_of({}), std::vector{step_end::taken, step_end::open}).at(1).go());
    BOOST_TEST(!verify(untagged, live_of({}), std::vector{step_end::stayed, step_end::open}).at(1).go());
}

BOOST_AUTO_TEST_CASE(an_untagged_index_keeps_its_children)
{
    std::vector<plan_step> steps{untagging("index", "1"), removal("leaf", {})};
    const auto live = live_of({{"1", "index"}, {"2", "index"}}, {{"index", {"leaf"}}});
    BOOST_TEST(verify(steps, live).at(0).go());
    BOOST_TEST((verify(steps, live).at(1).what == verdict::child_of_index));
}

BOOST_AUTO_TEST_CASE(long_lists_are_cut_in_the_text_only)
{
    std::map<std::string, std::string> tags{{"1", "x"}};
    for (int i = 0; i != 30; ++i)
        tags["t" + std::to_string(i)] = "x";
    const step_verdict v = verdict_of(removal("x", {"1"}), live_of(tags));
    BOOST_TEST(v.outside_tags.size() == 30u);
    BOOST_TEST(contains(v.text(), " and 10 more"), v.text());
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// A repository that deletes as registries do: by digest, with every tag of it.
struct model
{
    std::map<std::string, digest> tags;
    std::set<digest> manifests;
    std::map<digest, std::vector<digest>> indexes;

    void execute(const plan_step& step)
    {
        if (step.kind == step_kind::untag) {
            tags.erase(step.tags.front());
            return;
        }
        manifests.erase(step.id);
        indexes.erase(step.id);
        std::erase_if(tags, [&](const auto& entry) { return entry.second == step.id; });
    }

    live_repository live() const
    {
        live_repository now;
        now.tags.insert(tags.begin(), tags.end());
        now.indexes.insert(indexes.begin(), indexes.end());
        return now;
    }
};

class random_sweep
{
public:
    explicit random_sweep(unsigned seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

    model registry()
    {
        model made;
        for (std::size_t i = 0; i != 8; ++i)
            made.manifests.insert(id(i));
        for (std::size_t i = 0; i != 3; ++i) { // only later ones are listed: no rings
            for (std::size_t n = below(3); n != 0; --n)
                made.indexes[id(i)].push_back(id(i + 1 + below(7 - i)));
        }
        for (std::size_t n = 3 + below(8); n != 0; --n)
            made.tags[tag()] = id(below(8));
        return made;
    }

    /// Steps for some of what there is, as planned before anybody else changed something.
    std::vector<plan_step> steps(const model& registry)
    {
        std::vector<plan_step> made;
        for (const digest& d : registry.manifests) {
            const std::size_t what = below(4);
            plan_step step;
            step.repository = "a";
            step.id = d;
            for (const auto& [name, id] : registry.tags) {
                if (id == d)
                    step.tags.push_back(name);
            }
            if (what == 0 || (what == 1 && step.tags.empty()))
                continue;
            if (const auto children = registry.indexes.find(d); children != registry.indexes.end() && below(2) == 0)
                step.children = children->second;
            if (what == 1) {
                step.kind = step_kind::untag;
                step.tags.resize(1);
            }
            made.push_back(step);
        }
        std::ranges::shuffle(made, random_);
        return made;
    }

    void disturb(model& registry)
    {
        for (std::size_t n = below(4); n != 0; --n) {
            if (below(3) == 0)
                registry.tags.erase(tag());
            else
                registry.tags[tag()] = id(below(8));
        }
    }

private:
    static digest id(std::size_t i) { return d_of(std::to_string(i)); }
    std::string tag() { return "t" + std::to_string(below(12)); }

    std::mt19937 random_;
};

bool planned(const std::vector<plan_step>& steps, const std::string& tag, const digest& d)
{
    return std::ranges::any_of(steps, [&](const plan_step& step) {
        return step.id == d && std::ranges::find(step.tags, tag) != step.tags.end();
    });
}

} // namespace

BOOST_AUTO_TEST_SUITE(properties)

BOOST_AUTO_TEST_CASE(nothing_outside_of_the_plan_is_lost)
{
    random_sweep random(7);
    std::size_t executed = 0;
    std::size_t dropped = 0;
    for (int round = 0; round != 5000; ++round) {
        model registry = random.registry();
        std::vector<plan_step> steps = random.steps(registry);
        random.disturb(registry);
        order_for_delete(steps);
        const auto verdicts = verify(steps, registry.live());
        BOOST_REQUIRE_EQUAL(verdicts.size(), steps.size());
        const model before = registry;
        for (std::size_t i = 0; i != steps.size(); ++i) {
            ++(verdicts[i].go() ? executed : dropped);
            if (verdicts[i].go())
                registry.execute(steps[i]);
        }
        for (const auto& [tag, d] : before.tags) {
            if (!planned(steps, tag, d))
                BOOST_REQUIRE_MESSAGE(registry.tags.contains(tag) && registry.tags.at(tag) == d, "lost " << tag);
        }
        for (const auto& [index, children] : registry.indexes) {
            for (const digest& child : children)
                BOOST_REQUIRE_MESSAGE(registry.manifests.contains(child), "an index lost a child in " << round);
        }
        for (const auto& [tag, d] : registry.tags)
            BOOST_REQUIRE(registry.manifests.contains(d));
    }
    BOOST_TEST(executed > 1000u);
    BOOST_TEST(dropped > 1000u);
}

BOOST_AUTO_TEST_CASE(an_undisturbed_plan_of_a_selection_goes_ahead_and_takes_what_was_selected)
{
    std::mt19937 random(8);
    for (int round = 0; round != 200; ++round) {
        std::string text = "a:only=q";
        for (int i = 0; i != 8; ++i)
            text += " a:t" + std::to_string(random() % 9) + "=" + std::to_string(random() % 4);
        const index from = index_of(text);
        selection_options options{.repositories = {"a"}, .tags = {"t1", "t2", "t3", "only"}};
        const bool untag = random() % 2 == 0;
        const plan p = make_plan(select_tags(from, options).value(), {.untag = untag}).value();
        model registry;
        from.for_each_tag("a",
                          [&](const tag_view& tag) {
                              registry.tags[std::string(tag.tag)] = tag.digest;
                              return true;
                          })
            .value();
        const model before = registry;
        for (const step_verdict& v : verify(p.steps, registry.live()))
            BOOST_REQUIRE(v.go());
        for (const plan_step& step : p.steps)
            registry.execute(step);
        for (const auto& [tag, d] : before.tags) {
            const bool selected = std::ranges::find(options.tags, tag) != options.tags.end();
            if (!selected || untag)
                BOOST_REQUIRE_EQUAL(registry.tags.contains(tag), !selected);
        }
        BOOST_REQUIRE(!registry.tags.contains("only"));
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep
