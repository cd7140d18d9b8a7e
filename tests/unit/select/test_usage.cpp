#include "registry_model.hpp"

#include "regsweep/select/usage.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <random>

namespace regsweep::test {

namespace {

using number = content_graph::number;
using names = std::set<std::string>;

// A registry in plain sets, and the answers worked out from them the slow way.
struct usage_model
{
    struct image
    {
        std::uint64_t size = 0;
        std::vector<std::string> blobs;
        std::vector<std::string> children;
        bool known = true;
    };
    std::map<std::string, std::uint64_t> blob_sizes;
    std::map<std::string, image> images;
    std::map<std::string, std::map<std::string, std::string>> tags; // repository → tag → image
    std::map<std::pair<std::string, std::string>, names> told;      // repository, subject → referrers

    names reached(const std::string& repository, const names& from) const
    {
        names out;
        const std::function<void(const std::string&)> reach = [&](const std::string& name) {
            if (!out.insert(name).second)
                return;
            if (images.at(name).known)
                for (const auto& child : images.at(name).children)
                    reach(child);
            if (const auto all = told.find({repository, name}); all != told.end())
                for (const auto& each : all->second)
                    reach(each);
        };
        for (const auto& name : from)
            reach(name);
        return out;
    }
    names present(const std::string& repository) const
    {
        names roots;
        for (const auto& [tag, name] : tags.at(repository))
            roots.insert(name);
        return reached(repository, roots);
    }
    std::map<std::string, std::uint64_t> blobs_of(const names& some) const
    {
        std::map<std::string, std::uint64_t> out;
        for (const auto& name : some) {
            const image& i = images.at(name);
            out["manifest " + name] = i.size;
            if (i.known)
                for (const auto& b : i.blobs)
                    out[b] = blob_sizes.at(b);
        }
        return out;
    }
    std::uint64_t size_of(const names& some) const
    {
        std::uint64_t sum = 0;
        for (const auto& [name, size] : blobs_of(some))
            sum += size;
        return sum;
    }
    std::uint64_t size_without(const names& some, const names& others) const
    {
        const auto taken = blobs_of(others);
        std::uint64_t sum = 0;
        for (const auto& [name, size] : blobs_of(some))
            sum += taken.contains(name) ? 0 : size;
        return sum;
    }
    names elsewhere(const names& repositories) const
    {
        names out;
        for (const auto& [name, all] : tags)
            if (!repositories.contains(name))
                out.merge(present(name));
        return out;
    }
    std::uint64_t freed(const std::set<std::pair<std::string, std::string>>& deleted) const
    {
        names stays;
        for (const auto& [repository, all] : tags)
            for (const auto& name : present(repository))
                if (!deleted.contains({repository, name}))
                    stays.insert(name);
        auto used = blobs_of(stays);
        for (const auto& name : stays)
            if (images.at(name).known)
                for (const auto& child : images.at(name).children)
                    used["manifest " + child] = 0;
        names goes;
        for (const auto& [repository, name] : deleted)
            if (!stays.contains(name))
                goes.insert(name);
        std::uint64_t sum = 0;
        for (const auto& [name, size] : blobs_of(goes))
            sum += used.contains(name) ? 0 : size;
        return sum;
    }

    index make_tags() const
    {
        registry_model model;
        for (const auto& [repository, all] : tags)
            for (const auto& [tag, name] : all)
                model[repository][tag] = digest_of("manifest " + name);
        return make_index(model);
    }
    details_store make_details() const
    {
        auto store = details_store::open({}).value();
        for (const auto& [name, i] : images) {
            if (!i.known)
                continue;
            manifest_details m;
            m.digest = digest_of("manifest " + name);
            m.size = i.size;
            for (const auto& b : i.blobs)
                m.layers.push_back({digest_of(b), blob_sizes.at(b), {}});
            for (const auto& child : i.children)
                m.children.push_back(
                    {digest_of("manifest " + child), images.at(child).size, media_type::oci_manifest, {}, {}});
            store.put({&m, 1}).value();
        }
        for (const auto& [where, all] : told) {
            std::vector<digest> list;
            for (const auto& each : all)
                list.push_back(digest_of("manifest " + each));
            store.put_referrers(where.first, digest_of("manifest " + where.second), list).value();
        }
        return store;
    }
};

struct loaded
{
    explicit loaded(const usage_model& from)
        : tags(from.make_tags()), store(from.make_details()), graph(content_graph::load(tags, store).value())
    {}
    number at(const std::string& name) const { return graph.find(digest_of("manifest " + name)); }
    number repository(const std::string& name) const { return graph.find_repository(name); }

    index tags;
    details_store store;
    content_graph graph;
};

usage_model small_model()
{
    usage_model m;
    m.blob_sizes = {{"base", 1000}, {"a", 10}, {"b", 20}, {"arm", 5}};
    m.images["a"] = {1, {"base", "a"}, {}};
    m.images["b"] = {2, {"base", "b"}, {}};
    m.images["arm"] = {3, {"arm", "arm"}, {}};
    m.images["list"] = {4, {}, {"a", "arm"}};
    m.tags["one"] = {{"1", "list"}, {"2", "list"}};
    m.tags["two"] = {{"1", "b"}, {"2", "a"}};
    return m;
}

usage_model random_model(std::mt19937& random)
{
    const auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
    usage_model m;
    const auto pick = [&](const auto& from) {
        return std::next(from.begin(), static_cast<std::ptrdiff_t>(below(from.size())))->first;
    };
    for (std::size_t i = 0; i != 12; ++i)
        m.blob_sizes["blob " + std::to_string(i)] = 1 + below(1000);
    for (std::size_t i = 0; i != 10; ++i) {
        usage_model::image made{1 + below(100), {}, {}, true};
        for (std::size_t n = below(4); n != 0; --n)
            made.blobs.push_back(pick(m.blob_sizes));
        // Children and referrers are older, as their digests make it so.
        for (std::size_t n = m.images.size() > 3 && below(3) == 0 ? 1 + below(3) : 0; n != 0; --n)
            made.children.push_back(pick(m.images));
        m.images["image " + std::to_string(i)] = std::move(made);
    }
    for (std::size_t r = 0; r != 4; ++r) {
        const std::string name = "repository" + std::to_string(r);
        for (std::size_t n = below(5); n != 0; --n)
            m.tags[name]["tag" + std::to_string(below(20))] = pick(m.images);
        m.tags[name];
        if (below(2) == 0)
            m.told[{name, pick(m.images)}].insert(pick(m.images));
    }
    return m;
}

void check_usage(const repository_usage& u, const usage_model& m, const names& repositories)
{
    names present;
    std::uint64_t unknown = 0;
    for (const auto& r : repositories)
        present.merge(m.present(r));
    for (const auto& name : present)
        unknown += m.images.at(name).known ? 0U : 1U;
    BOOST_TEST(u.manifests == present.size());
    BOOST_TEST(u.unknown == unknown);
    BOOST_TEST(u.logical_size == m.size_of(present));
    BOOST_TEST(u.unique_size == m.size_without(present, m.elsewhere(repositories)));
    BOOST_TEST(u.shared_size == u.logical_size - u.unique_size);
}

} // namespace

BOOST_AUTO_TEST_SUITE(usage)

BOOST_AUTO_TEST_CASE(the_graph_knows_what_leads_where)
{
    auto model = small_model();
    model.images["odd"] = {9, {"arm"}, {}, false};
    model.images["signature"] = {7, {}, {}};
    model.tags["two"]["3"] = "odd";
    model.told[{"two", "b"}] = {"signature"};
    const std::string hex = digest_of("manifest a").to_string().substr(7);
    model.tags["two"]["sha256-" + hex + ".sig"] = "odd";
    const loaded l(model);
    BOOST_TEST(l.graph.repositories() == 2U);
    BOOST_TEST(l.graph.repository(l.repository("two")) == "two");
    BOOST_TEST(l.repository("three") == content_graph::none);
    BOOST_TEST(l.graph.find(digest_of("nothing")) == content_graph::none);
    BOOST_TEST(l.graph.known(l.at("list")));
    BOOST_TEST(!l.graph.known(l.at("odd")));
    const auto children = l.graph.children(l.at("list"));
    BOOST_TEST((std::vector<number>(children.begin(), children.end()) == std::vector{l.at("a"), l.at("arm")}));
    BOOST_TEST((l.graph.id(l.at("arm")) == digest_of("manifest arm")));
    const auto tagged = l.graph.tagged(l.repository("one"));
    BOOST_TEST((std::vector<number>(tagged.begin(), tagged.end()) == std::vector{l.at("list"), l.at("list")}));
    BOOST_TEST(l.graph.present(l.repository("one")).size() == 3U);
    BOOST_TEST(l.graph.present(l.repository("two")).size() == 4U);
    std::vector<std::pair<number, number>> expected{{l.at("b"), l.at("signature")}, {l.at("a"), l.at("odd")}};
    std::sort(expected.begin(), expected.end());
    BOOST_TEST((l.graph.referrers(l.repository("two")) == expected));
    BOOST_TEST(l.graph.referrers(l.repository("one")).empty());
}

BOOST_AUTO_TEST_CASE(referrers_by_subject_and_attestations)
{
    auto store = details_store::open({}).value();
    manifest_details signature;
    signature.digest = digest_of("signature");
    signature.subject = digest_of("image");
    manifest_details list;
    list.digest = digest_of("list");
    list.type = media_type::oci_index;
    list.children = {{digest_of("image"), 1, media_type::oci_manifest, {}, {}},
                     {digest_of("attestation"), 1, media_type::oci_manifest, {}, digest_of("image")}};
    list.created = timestamp{5, 6};
    list.platform = {"linux", "arm", ""};
    store.put(std::vector{signature, list}).value();
    const index tags = make_index(
        {{"a", {{"1", digest_of("list")}, {"s", digest_of("signature")}}}, {"b", {{"1", digest_of("list")}}}});
    const auto graph = content_graph::load(tags, store).value();
    const number image = graph.find(digest_of("image"));
    const number attestation = graph.find(digest_of("attestation"));
    const number signed_by = graph.find(digest_of("signature"));
    BOOST_TEST(graph.subject(signed_by) == image);
    BOOST_TEST(graph.subject(image) == content_graph::none);
    BOOST_TEST((graph.created(graph.find(digest_of("list"))) == timestamp{5, 6}));
    BOOST_TEST(!graph.created(image).has_value());
    BOOST_TEST(graph.platform(graph.find(digest_of("list"))).architecture == "arm");
    std::vector<std::pair<number, number>> both{{image, attestation}, {image, signed_by}};
    std::sort(both.begin(), both.end());
    BOOST_TEST((graph.referrers(graph.find_repository("a")) == both));
    BOOST_TEST((graph.referrers(graph.find_repository("b")) == std::vector{std::pair(image, attestation)}));
}

BOOST_AUTO_TEST_CASE(sizes_of_repositories_and_tags)
{
    const loaded l(small_model());
    const std::vector<number> both{l.repository("one"), l.repository("two")};
    const auto u = disk_usage(l.graph, both);
    BOOST_TEST(u.repositories[0].tags == 2U);
    BOOST_TEST(u.repositories[0].manifests == 3U);
    BOOST_TEST(u.repositories[0].untagged == 2U);
    BOOST_TEST(u.repositories[0].logical_size == 4U + 1 + 1000 + 10 + 3 + 5);
    BOOST_TEST(u.repositories[0].unique_size == 4U + 3 + 5);
    BOOST_TEST(u.repositories[1].logical_size == 1U + 2 + 1000 + 10 + 20);
    BOOST_TEST(u.repositories[1].unique_size == 2U + 20);
    BOOST_TEST(u.total.tags == 4U);
    BOOST_TEST(u.total.manifests == 4U);
    BOOST_TEST(u.total.untagged == 1U); // `a` has a tag in the other
    BOOST_TEST(u.total.logical_size == 1045U);
    BOOST_TEST(u.total.unique_size == 1045U);
    const auto tags = tag_usages(l.graph, both);
    BOOST_TEST(tags[0].size() == 2U);
    BOOST_TEST(tags[0][0].logical_size == 1023U);
    BOOST_TEST(tags[0][0].unique_size == 0U); // the other tag leads to all of it
    BOOST_TEST(tags[1][0].logical_size == 1022U);
    BOOST_TEST(tags[1][0].unique_size == 22U);
}

BOOST_AUTO_TEST_CASE(what_deletions_free)
{
    const loaded l(small_model());
    const auto freed = [&](std::vector<std::pair<std::string, std::string>> all) {
        std::vector<manifest_deletion> deletions;
        for (const auto& [repository, name] : all)
            deletions.push_back({l.repository(repository), l.at(name)});
        return freed_by(l.graph, deletions);
    };
    BOOST_TEST(freed({}).bytes == 0U);
    BOOST_TEST(freed({{"two", "b"}}).bytes == 22U);
    BOOST_TEST(freed({{"two", "b"}}).blobs == 2U);
    BOOST_TEST(freed({{"two", "a"}}).bytes == 0U);    // a child in the other repository
    BOOST_TEST(freed({{"one", "list"}}).bytes == 4U); // children remain
    BOOST_TEST(freed({{"one", "list"}, {"one", "arm"}}).bytes == 4U + 3 + 5);
    BOOST_TEST(freed({{"one", "arm"}}).bytes == 5U); // the index still names the manifest's bytes
    BOOST_TEST(freed({{"one", "list"}, {"one", "arm"}, {"one", "a"}, {"two", "a"}}).bytes == 4U + 3 + 5 + 1 + 10);
    BOOST_TEST(freed({{"one", "list"}, {"one", "arm"}, {"one", "a"}, {"two", "a"}, {"two", "b"}, {"two", "b"}}).bytes ==
               1045U);
}

BOOST_AUTO_TEST_CASE(random_registries_against_the_model)
{
    std::mt19937 random(20);
    for (int round = 0; round != 150; ++round) {
        auto model = random_model(random);
        if (round % 3 == 0) {
            model.images["image 2"].known = false;
            model.images["image 2"].size = 0; // a tag does not tell it
        }
        const loaded l(model);
        BOOST_TEST_CONTEXT("round " << round)
        {
            names all;
            std::vector<number> some;
            names chosen;
            for (const auto& [name, tags] : model.tags) {
                // A repository without tags is not in a JSON cache.
                if (l.repository(name) == content_graph::none)
                    continue;
                all.insert(name);
                if (random() % 2 == 0) {
                    some.push_back(l.repository(name));
                    chosen.insert(name);
                }
                const std::vector<number> alone{l.repository(name)};
                const auto u = disk_usage(l.graph, alone);
                check_usage(u.repositories.at(0), model, {name});
                const auto of_tags = tag_usages(l.graph, alone).at(0);
                std::size_t i = 0;
                for (const auto& [tag, image] : tags) {
                    names others;
                    for (const auto& [r, there] : model.tags)
                        for (const auto& [t, other] : there)
                            if (r != name || t != tag)
                                others.merge(model.reached(r, {other}));
                    const auto mine = model.reached(name, {image});
                    BOOST_TEST(of_tags.at(i).logical_size == model.size_of(mine));
                    BOOST_TEST(of_tags.at(i).unique_size == model.size_without(mine, others));
                    ++i;
                }
            }
            check_usage(disk_usage(l.graph, some).total, model, chosen);
            for (int plan = 0; plan != 4; ++plan) {
                std::set<std::pair<std::string, std::string>> deleted;
                std::vector<manifest_deletion> deletions;
                for (const auto& name : all)
                    for (const auto& image : model.present(name))
                        if (random() % 3 == 0) {
                            deleted.emplace(name, image);
                            deletions.push_back({l.repository(name), l.at(image)});
                        }
                std::shuffle(deletions.begin(), deletions.end(), random);
                BOOST_TEST(freed_by(l.graph, deletions).bytes == model.freed(deleted));
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep::test
