#include "regsweep/report/report.hpp"

#include "regsweep/index/builder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <set>
#include <sstream>
#include <thread>

using namespace regsweep;
namespace json = boost::json;

namespace {

using image_tags = std::vector<std::pair<std::string, std::string>>; ///< tag and what its digest is made of

regsweep::index make_index(const std::vector<std::pair<std::string, image_tags>>& all)
{
    auto builder = index_builder::create({.file = {}, .registry = "https://r", .scope = {}}).value();
    for (const auto& [repository, tags] : all) {
        index_record* record = builder->acquire();
        for (; record == nullptr; record = builder->acquire())
            std::this_thread::yield();
        record->repository = repository;
        for (const auto& [tag, image] : tags) {
            record->add(tag);
            record->entries.back().what = index_record::state::resolved;
            record->entries.back().digest = digest::of(image);
        }
        record->finished = true;
        builder->push(record);
    }
    return builder->finish().value();
}

manifest_details image_of(const std::string& name, std::uint64_t layer_size)
{
    manifest_details m;
    m.digest = digest::of(name);
    m.type = media_type::oci_manifest;
    m.size = 100;
    m.layers.push_back({digest::of("layer of " + name), layer_size, "", false});
    return m;
}

plan_step step_of(step_kind kind, const std::string& repository, const std::string& image,
                  std::vector<std::string> tags)
{
    plan_step step;
    step.kind = kind;
    step.repository = repository;
    step.id = digest::of(image);
    step.tags = std::move(tags);
    step.why = "why " + image;
    return step;
}

/// All that a page is made of.
struct material
{
    regsweep::index tags;
    details_store facts = details_store::open({}).value();
    plan planned{};
    std::vector<std::string> shown{}; ///< none: all

    std::string page(bool with_plan = false) const
    {
        const auto graph = content_graph::load(tags, facts).value();
        registry_report of;
        of.registry = "https://r";
        of.tags = &tags;
        of.facts = &facts;
        of.graph = &graph;
        of.planned = with_plan ? &planned : nullptr;
        of.made_at = 1'700'000'000;
        for (content_graph::number r = 0; r != graph.repositories(); ++r)
            if (shown.empty() || std::ranges::find(shown, graph.repository(r)) != shown.end())
                of.repositories.push_back(r);
        std::ostringstream out;
        write_html(out, of).value();
        return out.str();
    }
    json::value data(bool with_plan = false) const
    {
        const auto text = page(with_plan);
        const std::string open = "id=\"report\">";
        const auto begin = text.find(open) + open.size();
        return json::parse(text.substr(begin, text.find("</script>", begin) - begin));
    }
};

std::string text_of(const json::value& from)
{
    return json::serialize(from);
}

} // namespace

BOOST_AUTO_TEST_SUITE(registry_page)

BOOST_AUTO_TEST_CASE(columns_hold_what_index_and_details_know)
{
    material of{make_index({{"a", {{"1", "one"}, {"2", "two"}}}, {"b", {}}, {"c", {{"1", "one"}, {"x", "unread"}}}})};
    auto list = image_of("two", 0);
    list.layers.clear();
    list.type = media_type::oci_index;
    auto child = image_of("child", 5000);
    child.created = timestamp{1'600'000'000, 5};
    child.platform = {"linux", "arm64", ""};
    child.labels = {{"k", "v"}};
    list.children.push_back({child.digest, 100, media_type::oci_manifest, child.platform, {}});
    const std::vector<manifest_details> some = {image_of("one", 3000), list, child};
    of.facts.put(some).value();
    const auto data = of.data();
    BOOST_TEST(text_of(data.at("tags")) ==
               R"({"name":["1","2","1","x"],"manifest":[0,1,0,2],"size":[3100,5200,3100,null],)"
               R"("unique":[0,5200,0,null]})");
    BOOST_TEST(text_of(data.at("repositories")) ==
               R"({"name":["a","b","c"],"tags":[2,0,2],"size":[8300,0,3100],"unique":[5200,0,0],"unknown":[0,0,1]})");
    BOOST_TEST(data.at("manifests").at("digest").at(0).as_string() ==
               json::string(digest::of("one").to_string().substr(7)));
    BOOST_TEST(text_of(data.at("manifests").at("created")) == "[null,1600000000,null]");
    BOOST_TEST(text_of(data.at("manifests").at("index")) == "[0,1,0]");
    BOOST_TEST(text_of(data.at("platforms")) == R"(["","linux/arm64"])");
    BOOST_TEST(text_of(data.at("labels")) == R"({"texts":["k","v"],"of":[[1,0,1]],"left_out":0})");
    BOOST_TEST(data.at("plan").is_null());
}

BOOST_AUTO_TEST_CASE(names_come_through_whole_and_cannot_leave_their_element)
{
    const std::vector<std::string> hostile = {"</script><script>",
                                              "<img src=x onerror=alert(1)>",
                                              "\"'`\\",
                                              "\xe2\x80\xa8\xe2\x80\xa9",
                                              std::string("\x01\t\n\x7f\0", 5),
                                              "<!--",
                                              "\xf0\x9f\x98\x80",
                                              "__proto__",
                                              ""};
    image_tags tags;
    for (const auto& name : hostile)
        tags.emplace_back("t" + name, "image " + name);
    material of{make_index({{"a", tags}, {"r</script>", {{"1", "image "}}}})};
    auto labelled = image_of("image ", 1);
    for (const auto& name : hostile)
        labelled.labels.emplace_back("k" + name, name);
    of.facts.put({&labelled, 1}).value();
    const auto page = of.page();
    std::size_t ends = 0;
    for (auto at = page.find("</script"); at != std::string::npos; at = page.find("</script", at + 1))
        ++ends;
    BOOST_TEST(ends == 2U); // of the data, and of the script
    BOOST_TEST(page.find("<img") == std::string::npos);
    std::set<std::string> names, texts;
    const auto data = of.data();
    for (const auto& name : data.at("tags").at("name").as_array())
        names.emplace(name.as_string());
    for (const auto& text : data.at("labels").at("texts").as_array())
        texts.emplace(text.as_string());
    for (const auto& name : hostile) {
        BOOST_TEST(names.contains("t" + name), name);
        BOOST_TEST(texts.contains("k" + name), name);
        BOOST_TEST(texts.contains(name), name);
    }
    BOOST_TEST(data.at("repositories").at("name").at(1).as_string() == "r</script>");
}

BOOST_AUTO_TEST_CASE(labels_have_limits)
{
    material of{make_index({{"a", {{"1", "one"}}}})};
    auto m = image_of("one", 1);
    const std::string umlauts = [] {
        std::string text = "x";
        for (int i = 0; i != 300; ++i)
            text += "\xc3\xa4";
        return text;
    }();
    for (int i = 0; i != 40; ++i)
        m.labels.emplace_back("key" + std::to_string(100 + i), umlauts);
    of.facts.put({&m, 1}).value();
    const auto data = of.data();
    BOOST_TEST(data.at("labels").at("left_out").as_int64() == 16);
    BOOST_TEST(data.at("labels").at("of").at(0).as_array().size() == 1 + 2 * registry_report::labels_of_image);
    const auto& cut = data.at("labels").at("texts").at(1).as_string();
    BOOST_TEST(cut.size() == 255U + 3); // the last letter is not split
    BOOST_TEST(cut.ends_with("..."));
}

BOOST_AUTO_TEST_CASE(a_plan_is_compared_with_the_index)
{
    material of{make_index({{"a", {{"alone", "e"}, {"both", "b"}, {"gone", "g"}, {"moved", "m"}, {"new", "b"}}},
                            {"b", {{"too", "t"}, {"asked", "t"}, {"kept", "k"}}}})};
    for (const std::string image : {"e", "b", "g", "m", "t", "k", "child"}) {
        const auto m = image_of(image, 1000);
        of.facts.put({&m, 1}).value();
    }
    auto both = step_of(step_kind::remove, "b", "t", {"asked", "too"});
    both.unasked_tags = {"too"};
    of.planned.steps = {step_of(step_kind::untag, "a", "e", {"alone"}),
                        step_of(step_kind::remove, "a", "b", {"both"}),
                        step_of(step_kind::remove, "a", "g", {"gone", "vanished"}),
                        step_of(step_kind::remove, "a", "old", {"moved"}),
                        step_of(step_kind::remove, "a", "child", {}),
                        both};
    of.planned.kept = {{"a", {"new", "alone"}, "a rule"}};
    const auto planned = of.data(true).at("plan");
    // In the order of the index: alone, both, gone, moved, new; asked, kept, too.
    BOOST_TEST(text_of(planned.at("outlook")) == "[3,5,1,4,0,1,0,2]");
    BOOST_TEST(text_of(planned.at("reason")) == "[0,1,2,3,4,6,null,6]");
    BOOST_TEST(text_of(planned.at("reasons")) == R"(["why e","why b","why g","why old","a rule","why child","why t"])");
    BOOST_TEST(planned.at("missing").as_int64() == 1);
    BOOST_TEST(planned.at("untagged_count").as_int64() == 1);
    BOOST_TEST(planned.at("untagged").at(0).at(1).as_string() == json::string(digest::of("child").to_string()));
    // g, t and child.
    BOOST_TEST(planned.at("freed").as_int64() == 3300);

    of.shown = {"b"};
    const auto part = of.data(true).at("plan");
    BOOST_TEST(text_of(part.at("outlook")) == "[1,0,2]");
    BOOST_TEST(part.at("elsewhere").as_int64() == 4);
    BOOST_TEST(part.at("missing").as_int64() == 1);
    BOOST_TEST(part.at("freed").as_int64() == 3300); // what is not shown is judged alike
}

BOOST_AUTO_TEST_CASE(what_an_index_that_stays_lists_stays)
{
    material of{make_index({{"a", {{"inner", "inner"}, {"list", "list"}, {"new", "list"}, {"other", "other"}}}})};
    for (const std::string image : {"one", "two"}) {
        const auto m = image_of(image, 1000);
        of.facts.put({&m, 1}).value();
    }
    const auto put_list = [&](const std::string& name, const std::string& child) {
        manifest_details m;
        m.digest = digest::of(name);
        m.type = media_type::oci_index;
        m.size = 10;
        m.children.push_back({digest::of(child), 100, media_type::oci_manifest, {}, {}});
        of.facts.put({&m, 1}).value();
    };
    put_list("list", "inner");
    put_list("inner", "one");
    put_list("other", "two");
    // A tag that the plan does not know holds `list`, which holds `inner`, which holds `one`.
    of.planned.steps = {step_of(step_kind::remove, "a", "list", {"list"}),
                        step_of(step_kind::remove, "a", "inner", {"inner"}), step_of(step_kind::remove, "a", "one", {}),
                        step_of(step_kind::remove, "a", "other", {"other"}),
                        step_of(step_kind::remove, "a", "two", {})};
    const auto planned = of.data(true).at("plan");
    BOOST_TEST(text_of(planned.at("outlook")) == "[6,5,0,1]");
    BOOST_TEST(planned.at("untagged_count").as_int64() == 1);
    BOOST_TEST(planned.at("untagged").at(0).at(1).as_string() == json::string(digest::of("two").to_string()));
    BOOST_TEST(planned.at("freed").as_int64() == 10 + 1100);
}

BOOST_AUTO_TEST_CASE(a_stream_that_cannot_be_written_is_an_error)
{
    const material of{make_index({{"a", {{"1", "one"}}}})};
    const auto graph = content_graph::load(of.tags, of.facts).value();
    registry_report report;
    report.tags = &of.tags;
    report.facts = &of.facts;
    report.graph = &graph;
    report.repositories = {0};
    std::ostringstream out;
    out.setstate(std::ios::badbit);
    const auto done = write_html(out, report);
    BOOST_TEST_REQUIRE(!done);
    BOOST_TEST(done.error().is(errc::io));
}

BOOST_AUTO_TEST_SUITE_END()
