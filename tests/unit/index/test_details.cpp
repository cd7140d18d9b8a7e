#include "support.hpp"

#include "common/temp_dir.hpp"
#include "regsweep/index/details.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

namespace regsweep::test {

namespace {

manifest_details image(std::string_view name)
{
    manifest_details m;
    m.digest = digest_of(name);
    m.type = media_type::oci_manifest;
    m.media_type_name = to_string(m.type);
    m.size = 500;
    m.created = timestamp{1'709'208'000, 5};
    m.platform = {"linux", "amd64", "v2"};
    m.config = blob_descriptor{digest_of("config of " + std::string(name)), 70, "application/config"};
    m.layers.push_back({digest_of("base"), 1000, "application/layer"});
    m.layers.push_back({digest_of("layer of " + std::string(name)), std::nullopt, "application/other", true});
    m.annotations = {{"a", "1"}, {"b", ""}};
    m.labels = {{"a", "label"}, {"z", "last"}};
    return m;
}

manifest_details index_of(std::string_view name, const std::vector<std::string>& children)
{
    manifest_details m;
    m.digest = digest_of(name);
    m.type = media_type::oci_index;
    m.media_type_name = to_string(m.type);
    m.size = 300;
    for (const auto& child : children)
        m.children.push_back(
            {digest_of(child), 500, media_type::oci_manifest, {"linux", "arm64", ""}, digest_of("about")});
    return m;
}

void check_same(const manifest_details& a, const manifest_details& b)
{
    BOOST_TEST((a.digest == b.digest));
    BOOST_TEST((a.type == b.type));
    BOOST_TEST(a.media_type_name == b.media_type_name);
    BOOST_TEST(a.size == b.size);
    BOOST_TEST(a.artifact_type == b.artifact_type);
    BOOST_TEST((a.created == b.created));
    BOOST_TEST((a.platform == b.platform));
    BOOST_TEST((a.subject == b.subject));
    BOOST_TEST((a.annotations == b.annotations));
    BOOST_TEST((a.labels == b.labels));
    const auto same = [](const blob_descriptor& x, const blob_descriptor& y) {
        return x.digest == y.digest && x.size == y.size && x.media_type == y.media_type && x.foreign == y.foreign;
    };
    BOOST_TEST(a.config.has_value() == b.config.has_value());
    BOOST_TEST((!a.config || !b.config || same(*a.config, *b.config)));
    BOOST_TEST(std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(), same));
    BOOST_TEST(std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                          [](const child_descriptor& x, const child_descriptor& y) {
                              return x.digest == y.digest && x.size == y.size && x.type == y.type &&
                                     x.platform == y.platform && x.describes == y.describes;
                          }));
}

std::set<std::string> unknown(const details_store& store, const index& tags)
{
    std::set<std::string> out;
    store
        .for_each_unknown(tags,
                          [&](const digest& d, std::string_view repository) {
                              out.insert(std::string(repository) + "@" + d.to_string());
                              return true;
                          })
        .value();
    return out;
}

std::string at(std::string_view repository, std::string_view name)
{
    return std::string(repository) + "@" + digest_of(name).to_string();
}

} // namespace

BOOST_AUTO_TEST_SUITE(details)

BOOST_AUTO_TEST_CASE(what_is_put_is_found)
{
    const temp_dir folder;
    const std::filesystem::path file = folder / "x.details";
    auto signature = image("signature");
    signature.subject = digest_of("image");
    signature.artifact_type = "application/signature";
    signature.created.reset();
    signature.config.reset();
    signature.platform = {};
    const std::vector<manifest_details> all{image("image"), index_of("list", {"image", "later"}), signature};
    {
        auto store = details_store::open(file).value();
        store.put(all).value();
        store.put(all).value(); // known: stays as it is
    }
    const auto store = details_store::open(file).value();
    BOOST_TEST(store.manifests().value() == 3U);
    for (const auto& m : all)
        check_same(store.find(m.digest).value().value(), m);
    BOOST_TEST(!store.find(digest_of("later")).value().has_value());
    BOOST_TEST(!store.find(digest_of("base")).value().has_value());
    BOOST_TEST(store.knows(digest_of("list")).value());
    BOOST_TEST(!store.knows(digest_of("nothing")).value());
    std::vector<digest> parents;
    store.for_each_parent(digest_of("later"), [&](const digest& d) { return parents.push_back(d), true; }).value();
    BOOST_TEST((parents == std::vector{digest_of("list")}));
    std::vector<digest> about;
    store.for_each_with_subject(digest_of("image"), [&](const digest& d) { return about.push_back(d), true; }).value();
    BOOST_TEST((about == std::vector{digest_of("signature")}));
}

BOOST_AUTO_TEST_CASE(walks_see_everything)
{
    auto store = details_store::open({}).value();
    store.put(std::vector{image("image"), index_of("list", {"image", "later"})}).value();
    std::size_t manifests = 0;
    store
        .for_each_content([&](const content_view& c) {
            BOOST_TEST(c.known == store.knows(c.digest).value());
            if (!c.known)
                return true;
            ++manifests;
            const auto whole = store.find(c.digest).value().value();
            BOOST_TEST((c.created == whole.created));
            BOOST_TEST((*c.platform == whole.platform));
            BOOST_TEST(c.size.value() == whole.size);
            return true;
        })
        .value();
    BOOST_TEST(manifests == 2U);
    std::string labels;
    store
        .for_each_label([&](const digest& d, std::string_view key, std::string_view value) {
            BOOST_TEST((d == digest_of("image")));
            labels += std::string(key) + "=" + std::string(value) + " ";
            return true;
        })
        .value();
    BOOST_TEST(labels == "a=label z=last ");
    std::size_t blobs = 0;
    std::size_t children = 0;
    store.for_each_blob_link([&](const link_view& l) { return blobs += l.foreign ? 10U : 1U, true; }).value();
    store.for_each_child_link([&](const link_view& l) { return children += l.describes != 0 ? 1U : 0U, true; }).value();
    BOOST_TEST(blobs == 12U);
    BOOST_TEST(children == 2U);
}

BOOST_AUTO_TEST_CASE(long_values_are_cut_between_characters)
{
    auto store = details_store::open({}).value();
    auto m = image("image");
    m.labels.clear();
    m.labels.emplace_back("long", std::string(details_store::value_limit - 1, 'x') + "\xc3\xa4");
    m.annotations.clear();
    for (std::size_t i = 0; i != 2 * details_store::pairs_limit; ++i)
        m.annotations.emplace_back("key" + std::to_string(i), "v");
    store.put({&m, 1}).value();
    const auto found = store.find(m.digest).value().value();
    BOOST_TEST(found.labels.at(0).second == std::string(details_store::value_limit - 1, 'x'));
    BOOST_TEST(found.annotations.size() == details_store::pairs_limit);
}

BOOST_AUTO_TEST_CASE(unknown_digests_have_a_repository)
{
    auto store = details_store::open({}).value();
    const index tags = build({{"a", {{"1", digest_of("list")}, {"2", digest_of("list")}}},
                              {"b", {{"1", digest_of("list")}, {"2", digest_of("image")}}}});
    BOOST_TEST((unknown(store, tags) == std::set{at("a", "list"), at("b", "image")}));
    store.put(std::vector{index_of("list", {"inner"}), image("image")}).value();
    BOOST_TEST((unknown(store, tags) == std::set{at("a", "inner")}));
    store.put(std::vector{index_of("inner", {"innermost", "image"})}).value();
    BOOST_TEST((unknown(store, tags) == std::set{at("a", "innermost")}));
    store.put_absent(digest_of("innermost")).value();
    BOOST_TEST(unknown(store, tags).empty());
    store.forget_absent().value();
    BOOST_TEST((unknown(store, tags) == std::set{at("a", "innermost")}));
    store.put(std::vector{image("innermost")}).value();
    const std::vector<digest> told{digest_of("signature")};
    store.put_referrers("b", digest_of("image"), told).value();
    BOOST_TEST((unknown(store, tags) == std::set{at("b", "signature")}));
}

BOOST_AUTO_TEST_CASE(referrers_are_replaced)
{
    auto store = details_store::open({}).value();
    const auto dump = [&] {
        std::set<std::string> all;
        store
            .for_each_referrer([&](std::string_view repository, const digest& subject, const digest& referrer) {
                BOOST_TEST((subject == digest_of("image")));
                all.insert(at(repository, referrer == digest_of("s1") ? "s1" : "s2"));
                return true;
            })
            .value();
        return all;
    };
    BOOST_TEST(!store.asked_referrers("a", digest_of("image")).value());
    store.put_referrers("a", digest_of("image"), {}).value();
    BOOST_TEST(store.asked_referrers("a", digest_of("image")).value());
    BOOST_TEST(!store.asked_referrers("b", digest_of("image")).value());
    store.put_referrers("a", digest_of("image"), std::vector{digest_of("s1"), digest_of("s2")}).value();
    store.put_referrers("b", digest_of("image"), std::vector{digest_of("s1")}).value();
    BOOST_TEST((dump() == std::set{at("a", "s1"), at("a", "s2"), at("b", "s1")}));
    store.put_referrers("a", digest_of("image"), std::vector{digest_of("s2")}).value();
    BOOST_TEST((dump() == std::set{at("a", "s2"), at("b", "s1")}));
}

BOOST_AUTO_TEST_CASE(pruning_keeps_what_tags_lead_to)
{
    auto store = details_store::open({}).value();
    auto by_subject = image("by subject");
    by_subject.subject = digest_of("child");
    auto stray = image("stray");
    stray.subject = digest_of("gone");
    store.put(std::vector{index_of("list", {"child"}), image("child"), by_subject, image("told"), image("gone"), stray})
        .value();
    store.put_referrers("a", digest_of("child"), std::vector{digest_of("told")}).value();
    store.put_referrers("b", digest_of("gone"), std::vector{digest_of("stray")}).value();
    const index tags = build({{"a", {{"1", digest_of("list")}}}});
    BOOST_TEST(store.prune(tags).value() == 2U);
    for (const char* kept : {"list", "child", "by subject", "told"})
        BOOST_TEST(store.knows(digest_of(kept)).value(), kept);
    BOOST_TEST(!store.knows(digest_of("gone")).value());
    BOOST_TEST(!store.knows(digest_of("stray")).value());
    BOOST_TEST(!store.asked_referrers("b", digest_of("gone")).value());
    check_same(store.find(digest_of("child")).value().value(), image("child"));
    BOOST_TEST(store.prune(tags).value() == 0U);
    store.put(std::vector{image("gone")}).value(); // can come back
    check_same(store.find(digest_of("gone")).value().value(), image("gone"));
}

BOOST_AUTO_TEST_CASE(a_group_is_all_or_what_was_committed)
{
    const temp_dir folder;
    const std::filesystem::path file = folder / "x.details";
    {
        auto store = details_store::open(file).value();
        store.begin().value();
        store.put(std::vector{image("kept")}).value();
        store.commit().value();
        store.begin().value();
        store.put(std::vector{image("lost")}).value();
    }
    auto store = details_store::open(file).value();
    BOOST_TEST(store.knows(digest_of("kept")).value());
    BOOST_TEST(!store.knows(digest_of("lost")).value());
    const std::vector<manifest_details> bad{image("fine"), manifest_details()};
    BOOST_TEST(store.put(bad).has_error());
    BOOST_TEST(!store.knows(digest_of("fine")).value());
    BOOST_TEST(store.commit().error().is(errc::bad_argument));
}

BOOST_AUTO_TEST_CASE(what_is_read_together_is_of_one_moment)
{
    const temp_dir folder;
    const std::filesystem::path file = folder / "x.details";
    const auto store = details_store::open(file).value();
    std::atomic<bool> written{false};
    std::jthread other;
    store
        .read_together([&]() -> result<void> {
            BOOST_TEST(!store.knows(digest_of("new")).value());
            std::atomic<bool> begun{false};
            other = std::jthread([&] {
                auto writer = details_store::open(file).value();
                begun = true;
                writer.put(std::vector{image("new")}).value();
                written = true;
            });
            while (!begun)
                std::this_thread::yield();
            std::this_thread::sleep_for(std::chrono::milliseconds(30));
            BOOST_TEST(!store.knows(digest_of("new")).value());
            return {};
        })
        .value();
    other.join();
    BOOST_TEST(written);
    BOOST_TEST(store.knows(digest_of("new")).value());
    const auto failed = store.read_together([] { return result<void>(error(errc::cancelled, {})); });
    BOOST_TEST(failed.error().is(errc::cancelled));
}

BOOST_AUTO_TEST_CASE(other_files_are_left_alone)
{
    const temp_dir folder;
    const std::filesystem::path file = folder / "x.details";
    const auto refused = [&](errc why, const std::string& content) {
        std::ofstream(file, std::ios::binary) << content;
        const auto opened = details_store::open(file);
        BOOST_TEST_REQUIRE(opened.has_error());
        BOOST_TEST(opened.error().is(why), opened.error().message());
        BOOST_TEST((read_file(file) == content));
    };
    refused(errc::bad_file, "{}");
    build(small_registry(), folder / "index");
    refused(errc::bad_file, read_file(folder / "index"));
    std::filesystem::remove(file);
    static_cast<void>(details_store::open(file).value());
    std::string newer = read_file(file);
    newer[63] = 2;
    refused(errc::newer_version, newer);
    newer[63] = 1;
    refused(errc::bad_file, newer.substr(0, 4096));
    std::ofstream(file, std::ios::binary).close(); // a process ended before it wrote anything
    BOOST_TEST(details_store::open(file).has_value());
}

BOOST_AUTO_TEST_CASE(the_name_follows_the_index)
{
    BOOST_TEST(details_store::beside("a/b.db").string() == "a/b.db.details");
    BOOST_TEST(details_store::beside("b.json").string() == "b.json.details");
    BOOST_TEST(details_store::beside({}).empty());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep::test
