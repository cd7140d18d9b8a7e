// Details of manifests from Debian's docker-registry: read once, shown by du and inspect, and what deletions free.
#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/program.hpp"
#include "regsweep/index/details.hpp"
#include "regsweep/select/usage.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <random>
#include <set>

using namespace regsweep::test;
using regsweep::content_graph;
using regsweep::details_store;

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using number = content_graph::number;

json::object run_json(const sandbox& home, const real_registry& registry, std::vector<std::string> args)
{
    args.insert(args.end(), {"--output", "json", "-c", "index.db"});
    const auto done = home.run(args, {{"REGISTRY", registry.url()}});
    BOOST_TEST_REQUIRE(done.exit_code == 0, shown(args) << ": " << done.err);
    return json::parse(done.out).as_object();
}

blob make_blob(std::string content)
{
    std::string digest = regsweep::digest::of(content).to_string();
    return {std::move(content), std::move(digest)};
}

std::string descriptor(const blob& b, const std::string& type)
{
    return R"({"mediaType":")" + type + R"(","size":)" + std::to_string(b.content.size()) + R"(,"digest":")" +
           b.digest + R"("})";
}

manifest make_plain(const blob& config, const std::vector<blob>& layers)
{
    manifest m;
    m.media_type = "application/vnd.oci.image.manifest.v1+json";
    m.body = R"({"schemaVersion":2,"mediaType":")" + m.media_type + R"(","config":)" +
             descriptor(config, "application/vnd.oci.image.config.v1+json") + R"(,"layers":[)";
    for (const auto& layer : layers)
        m.body +=
            (&layer == layers.data() ? "" : ",") + descriptor(layer, "application/vnd.oci.image.layer.v1.tar+gzip");
    m.body += "]}";
    m.digest = regsweep::digest::of(m.body).to_string();
    m.blobs = layers;
    m.blobs.push_back(config);
    m.architecture = "amd64";
    return m;
}

std::uint64_t stored_bytes(const real_registry& registry)
{
    std::uint64_t sum = 0;
    for (const auto& entry : fs::recursive_directory_iterator(registry.storage() / "docker/registry/v2/blobs"))
        if (entry.path().filename() == "data")
            sum += entry.file_size();
    return sum;
}

// A registry that is filled and emptied at random; small blobs are shared at random.
class random_content
{
public:
    random_content(real_registry& registry, unsigned seed) : registry_(registry), random_(seed)
    {
        for (std::size_t i = 0; i != 15; ++i)
            layers_.push_back(make_blob("layer " + std::to_string(i) + std::string(below(2000), 'x')));
    }

    void push_some(int count)
    {
        push_client client(registry_.address());
        for (; count != 0; --count) {
            const std::string repository = "team/app" + std::to_string(below(4));
            const std::string tag = "v" + std::to_string(tags_++); // a moved one would leave a manifest behind
            if (below(3) != 0) {
                client.push(repository, next_image(), {tag});
                continue;
            }
            std::vector<manifest> children;
            for (std::size_t n = 1 + below(3); n != 0; --n)
                children.push_back(next_image());
            client.push(repository, make_index(std::move(children)), {tag});
        }
    }

    bool chance(std::size_t one_of) { return below(one_of) == 0; }

private:
    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

    // Now and then one that has been pushed before, so that repositories share manifests, too.
    manifest next_image()
    {
        if (!images_.empty() && below(3) == 0)
            return images_[below(images_.size())];
        std::vector<blob> layers;
        for (std::size_t n = 1 + below(3); n != 0; --n)
            layers.push_back(layers_[below(layers_.size())]);
        const std::string name = std::to_string(images_.size());
        images_.push_back(
            make_plain(make_blob(R"({"architecture":"amd64","os":"linux","name":")" + name + R"("})"), layers));
        return images_.back();
    }

    real_registry& registry_;
    std::mt19937 random_;
    std::vector<blob> layers_;
    std::vector<manifest> images_;
    std::size_t tags_ = 0;
};

// What the program has read, in memory.
struct known_content
{
    explicit known_content(const fs::path& file)
        : tags(regsweep::index::open(file).value()), facts(details_store::open(details_store::beside(file)).value()),
          graph(content_graph::load(tags, facts).value())
    {}
    regsweep::index tags;
    details_store facts;
    content_graph graph;
};

using deletion = std::pair<std::string, std::string>; // repository, digest

// Untagged manifests that nothing leads to any more when these are gone: the registry keeps them, unseen.
std::set<deletion> left_behind(const known_content& known, const std::set<deletion>& deleted)
{
    std::set<deletion> out;
    for (number r = 0; r != known.graph.repositories(); ++r) {
        const std::string repository(known.graph.repository(r));
        const auto name = [&](number m) { return deletion(repository, known.graph.id(m).to_string()); };
        std::set<number> stays;
        for (const number m : known.graph.tagged(r))
            if (!deleted.contains(name(m)))
                stays.insert(m);
        for (const number m : std::set(stays))
            for (const number child : known.graph.children(m))
                stays.insert(child);
        for (const number m : known.graph.present(r))
            if (!stays.contains(m) && !deleted.contains(name(m)))
                out.insert(name(m));
    }
    return out;
}

// Some manifests of every repository, but no child of an index that stays: that would break it.
std::vector<regsweep::manifest_deletion> random_plan(const content_graph& graph, random_content& random)
{
    std::vector<regsweep::manifest_deletion> plan;
    for (number r = 0; r != graph.repositories(); ++r) {
        const auto present = graph.present(r);
        std::set<number> chosen;
        std::copy_if(present.begin(), present.end(), std::inserter(chosen, chosen.end()),
                     [&](number) { return random.chance(5); });
        for (const number m : present)
            for (const number child : graph.children(m))
                if (!chosen.contains(m))
                    chosen.erase(child);
        for (const number m : chosen)
            plan.push_back({r, m});
    }
    return plan;
}

void remove_all(const real_registry& registry, const std::set<deletion>& all)
{
    push_client client(registry.address());
    for (const auto& [repository, digest] : all)
        BOOST_TEST(client.remove(repository, digest) == 202U);
}

} // namespace

BOOST_AUTO_TEST_SUITE(details)

BOOST_AUTO_TEST_CASE(nothing_known_is_read_again)
{
    const real_registry registry;
    const sandbox home;
    push_client client(registry.address());
    const auto amd = make_image("one", family::oci, "amd64");
    const auto arm = make_image("one", family::oci, "arm64");
    client.push("app/web", make_index({amd, arm}), {"1.0", "latest"});
    client.push("app/web", make_image("docker"), {"old"});
    client.push("app/copy", amd, {"1.0"});
    const auto first = run_json(home, registry, {"refresh", "--details"});
    const auto& details = first.at("details").as_object();
    BOOST_TEST(details.at("manifests").as_int64() == 4);
    BOOST_TEST(details.at("configs").as_int64() == 3);
    BOOST_TEST(details.at("failed").as_int64() == 0);
    BOOST_TEST(details.at("referrers_api").as_bool() == false);
    BOOST_TEST(details.at("requests").as_int64() == 4 + 3 + 1); // the last one asks for referrers
    const auto second = run_json(home, registry, {"refresh", "--details"});
    BOOST_TEST(second.at("details").at("manifests").as_int64() == 0);
    BOOST_TEST(second.at("details").at("requests").as_int64() == 1);
    client.push("app/web", make_image("new"), {"new"});
    client.remove("app/web", make_image("docker").digest);
    const auto third = run_json(home, registry, {"refresh", "--details"});
    BOOST_TEST(third.at("details").at("manifests").as_int64() == 1);
    BOOST_TEST(third.at("details").at("forgotten").as_int64() == 1);
}

BOOST_AUTO_TEST_CASE(du_and_inspect_show_what_is_there)
{
    const real_registry registry;
    const sandbox home;
    push_client client(registry.address());
    const auto amd = make_image("one", family::oci, "amd64");
    const auto arm = make_image("one", family::oci, "arm64");
    const auto list = make_index({amd, arm});
    client.push("app/web", list, {"1.0", "latest"});
    client.push("app/copy", amd, {"2.0"});
    const auto usage = run_json(home, registry, {"du", "--sort", "name", "--tags"});
    const auto& repositories = usage.at("repositories").as_array();
    BOOST_TEST_REQUIRE(repositories.size() == 2U);
    const auto& copy = repositories[0].as_object();
    const auto& web = repositories[1].as_object();
    const auto size = [](const json::object& of, const char* key) { return of.at(key).to_number<std::uint64_t>(); };
    const auto size_of = [](const manifest& m) {
        std::uint64_t sum = m.body.size();
        for (const auto& b : m.blobs)
            sum += b.content.size();
        return sum;
    };
    BOOST_TEST(copy.at("repository").as_string() == "app/copy");
    BOOST_TEST(size(copy, "logical_size") == size_of(amd));
    BOOST_TEST(size(copy, "unique_size") == 0U);
    BOOST_TEST(size(web, "manifests") == 3U);
    BOOST_TEST(size(web, "untagged") == 2U);
    BOOST_TEST(size(web, "shared_size") == size_of(amd));
    BOOST_TEST(web.at("tag_sizes").as_array().size() == 2U);
    BOOST_TEST(size(usage.at("total").as_object(), "logical_size") == stored_bytes(registry));
    const auto text = home.run({"du", "-c", "index.db"}, {{"REGISTRY", registry.url()}});
    BOOST_TEST(lines(text.out).size() == 4U);
    BOOST_TEST(lines(text.out).at(1).starts_with("app/web"));

    const auto shown_list = run_json(home, registry, {"inspect", "app/web:1.0"});
    BOOST_TEST(shown_list.at("digest").as_string() == list.digest);
    BOOST_TEST(shown_list.at("children").as_array().size() == 2U);
    BOOST_TEST(shown_list.at("tags").as_array().size() == 2U);
    for (const std::string& name : {"app/web@" + amd.digest, "@" + amd.digest, std::string("app/copy:2.0"),
                                    registry.address() + "/app/copy@" + amd.digest}) {
        const auto image = run_json(home, registry, {"inspect", name});
        BOOST_TEST(image.at("digest").as_string() == amd.digest);
        BOOST_TEST(image.at("platform").at("architecture").as_string() == "amd64");
        BOOST_TEST(image.at("parents").as_array().at(0).as_string() == list.digest);
        BOOST_TEST(image.at("tags").as_array().size() == 1U);
        BOOST_TEST(image.at("total_size").to_number<std::uint64_t>() == size_of(amd));
    }
    const auto failed = [&](const std::string& name, int exit_code) {
        const auto done = home.run({"inspect", name, "-c", "index.db"}, {{"REGISTRY", registry.url()}});
        BOOST_TEST(done.exit_code == exit_code, name << ": " << done.err);
        BOOST_TEST(count_errors(done.err) == 1U, done.err);
    };
    failed("app/web:nothing", 1);
    failed("app/copy@" + arm.digest, 1);
    failed("@" + make_image("other").digest, 1);
    failed("app/web", 2);
}

BOOST_AUTO_TEST_CASE(a_manifest_that_cannot_be_read_is_named)
{
    real_registry registry;
    const sandbox home;
    push_client client(registry.address());
    const auto broken = make_image("broken");
    client.push("app", make_image("fine"), {"fine"});
    client.push("app", broken, {"broken"});
    const std::string hex = broken.digest.substr(7);
    // The file of a manifest that the registry can link to and not read.
    const auto file = registry.storage() / "docker/registry/v2/blobs/sha256" / hex.substr(0, 2) / hex / "data";
    run_json(home, registry, {"refresh"});
    write_file(file, "{\"schemaVersion\":2,");
    registry.restart();
    const auto done =
        home.run({"du", "--output", "json", "--retries", "0", "-c", "index.db"}, {{"REGISTRY", registry.url()}});
    BOOST_TEST(done.exit_code == 3, done.err);
    BOOST_TEST((done.err.find("app@" + broken.digest) != std::string::npos), done.err);
    const auto usage = json::parse(done.out);
    BOOST_TEST(usage.at("total").at("unknown").as_int64() == 1);
    BOOST_TEST(usage.at("total").at("manifests").as_int64() == 2);
}

BOOST_AUTO_TEST_CASE(what_deletions_free_is_what_the_disk_loses)
{
    real_registry registry;
    const sandbox home;
    random_content content(registry, 6);
    content.push_some(30);
    std::uint64_t freed_in_all = 0;
    std::set<deletion> orphans;
    for (int round = 0; round != 20; ++round) {
        // Deleted indexes leave manifests that nobody sees: an exact forecast begins without them.
        remove_all(registry, orphans);
        content.push_some(3);
        registry.stop();
        registry.garbage_collect();
        registry.start();
        run_json(home, registry, {"refresh", "--details"});
        const known_content known(home.file("index.db"));
        const std::uint64_t before = stored_bytes(registry);
        const auto plan = random_plan(known.graph, content);
        std::set<deletion> chosen;
        for (const auto& d : plan)
            chosen.emplace(known.graph.repository(d.repository), known.graph.id(d.manifest).to_string());
        const auto expected = regsweep::freed_by(known.graph, plan);
        BOOST_TEST(expected.unknown == 0U);
        remove_all(registry, chosen);
        registry.stop();
        registry.garbage_collect();
        BOOST_TEST(before - stored_bytes(registry) == expected.bytes, "round " << round);
        freed_in_all += expected.bytes;
        registry.start();
        orphans = left_behind(known, chosen);
    }
    BOOST_TEST(freed_in_all > 10'000U);
}

BOOST_AUTO_TEST_SUITE_END()
