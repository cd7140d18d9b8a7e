// Details read from the fake registry.

#include "common/fake_registry.hpp"

#include "regsweep/crawl/details.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <thread>

using namespace regsweep;
using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

const std::string oci_manifest_type(to_string(media_type::oci_manifest));
const std::string oci_index_type(to_string(media_type::oci_index));

details_options details_from(const fake_registry& registry)
{
    details_options out;
    out.how.address = registry_address::parse(registry.url()).value();
    out.how.http.retry.retries = 2;
    out.how.http.retry.first_delay = 1ms;
    out.how.http.retry.max_delay = 5ms;
    return out;
}

std::string put_small_image(fake_registry& registry, const std::string& repository, const std::string& name,
                            const std::string& more = {})
{
    const std::string config =
        R"({"created":"2024-02-29T00:00:00Z","architecture":"arm64","os":"linux","name":")" + name + R"("})";
    const std::string id = registry.store().put_blob(repository, config);
    return registry.put_manifest(
        repository,
        R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":)" +
            std::to_string(config.size()) + R"(,"digest":")" + id + R"("},"layers":[])" + more + "}",
        oci_manifest_type);
}

std::string put_list(fake_registry& registry, const std::string& repository, const std::vector<std::string>& children)
{
    std::string body = R"({"schemaVersion":2,"manifests":[)";
    for (const auto& child : children)
        body += (&child == children.data() ? R"({"size":1,"digest":")" : R"(,{"size":1,"digest":")") + child + R"("})";
    return registry.put_manifest(repository, body + "]}", oci_index_type);
}

digest parsed(const std::string& text)
{
    return digest::parse(text).value();
}

/// An index of all tags.
regsweep::index index_of(const fake_registry& registry)
{
    index_builder_options how;
    how.registry = "https://r:443";
    const auto builder = index_builder::create(how).value();
    for (const auto& [repository, tags] : registry.snapshot()) {
        index_record* record = builder->acquire();
        while (record == nullptr) {
            std::this_thread::yield();
            record = builder->acquire();
        }
        record->repository = repository;
        for (const auto& [tag, id] : tags) {
            record->add(tag);
            record->entries.back().digest = parsed(id);
            record->entries.back().what = index_record::state::resolved;
        }
        record->finished = true;
        builder->push(record);
    }
    return builder->finish().value();
}

fake_action listing(const std::vector<std::string>& digests)
{
    std::string body = R"({"schemaVersion":2,"manifests":[)";
    for (const auto& d : digests)
        body += (&d == digests.data() ? R"({"digest":")" : R"(,{"digest":")") + d + R"("})";
    return fake_action::answer(200, {{"Content-Type", oci_index_type}}, body + "]}");
}

std::set<std::string> told(const details_store& store)
{
    std::set<std::string> out;
    store
        .for_each_referrer([&](std::string_view repository, const digest& subject, const digest& referrer) {
            out.insert(std::string(repository) + " " + subject.to_string() + " " + referrer.to_string());
            return true;
        })
        .value();
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(details_crawls)

BOOST_AUTO_TEST_CASE(everything_is_read_once)
{
    for (const unsigned threads : {1U, 3U}) {
        for (const unsigned concurrency : {0U, 1U, 8U}) {
            fake_registry registry;
            std::vector<std::string> images;
            for (int i = 0; i != 40; ++i) {
                const std::string repository = "app" + std::to_string(i % 4);
                images.push_back(put_small_image(registry, repository, std::to_string(i / 2)));
                registry.tag(repository, "v" + std::to_string(i), images.back());
            }
            const auto inner = put_list(registry, "app0", {images[0], images[4]});
            registry.tag("app0", "list", put_list(registry, "app0", {inner, images[0]}));
            registry.start();
            const auto tags = index_of(registry);
            auto store = details_store::open({}).value();
            auto options = details_from(registry);
            options.how.threads = threads;
            options.how.concurrency = concurrency;
            BOOST_TEST(details_missing(tags, store).value());
            details_crawler job(options);
            const auto report = job.run(tags, store).value();
            BOOST_TEST(report.manifests == 22U);
            BOOST_TEST(report.configs == 20U);
            BOOST_TEST(report.failed == 0U);
            BOOST_TEST(report.absent == 0U);
            BOOST_TEST(!report.told);
            BOOST_TEST(registry.requests("GET", fake_endpoint::manifests) == 22U);
            BOOST_TEST(registry.requests("GET", fake_endpoint::blobs) == 20U);
            BOOST_TEST(job.progress().manifests == 22U);
            const auto facts = store.find(parsed(images[3])).value().value();
            BOOST_TEST(to_string(facts.created.value()) == "2024-02-29T00:00:00Z");
            BOOST_TEST(to_string(facts.platform) == "linux/arm64");
            BOOST_TEST(store.find(parsed(inner)).value()->children.size() == 2U);
            BOOST_TEST(!details_missing(tags, store).value());
            details_crawler again(options);
            BOOST_TEST(again.run(tags, store).value().requests == 0U);
        }
    }
}

BOOST_AUTO_TEST_CASE(referrers_are_told)
{
    fake_registry registry;
    const auto image = put_small_image(registry, "app", "image");
    const auto signature = put_small_image(registry, "app", "signature", R"(,"subject":{"digest":")" + image + R"("})");
    const auto of_signature = put_small_image(registry, "app", "of signature");
    const auto list = put_list(registry, "app", {image});
    registry.tag("app", "list", list);
    registry.tag("copy", "image", put_small_image(registry, "copy", "image"));
    registry.add_rule("GET", "/v2/app/referrers/" + image, listing({signature}));
    registry.add_rule("GET", "/v2/app/referrers/" + signature, listing({of_signature}));
    registry.add_rule("GET", "/referrers/", listing({}));
    registry.start();
    const auto tags = index_of(registry);
    auto store = details_store::open({}).value();
    auto options = details_from(registry);
    const auto first = details_crawler(options).run(tags, store).value();
    BOOST_TEST(first.told);
    BOOST_TEST(first.manifests == 4U);
    BOOST_TEST(first.referrers == 5U); // list, image, signature and its own in app; image in copy
    BOOST_TEST((told(store) == std::set{"app " + image + " " + signature, "app " + signature + " " + of_signature}));
    BOOST_TEST(store.find(parsed(signature)).value()->subject.to_string() == image);
    BOOST_TEST(!details_missing(tags, store).value());
    BOOST_TEST(details_crawler(options).run(tags, store).value().requests == 0U);
    registry.clear_rules();
    registry.add_rule("GET", "/referrers/", listing({}));
    options.again = true;
    const auto later = details_crawler(options).run(tags, store).value();
    BOOST_TEST(later.manifests == 0U);
    BOOST_TEST(later.referrers == 3U);
    BOOST_TEST(!told(store).contains("app " + image + " " + signature));
}

BOOST_AUTO_TEST_CASE(a_registry_without_referrers_is_asked_once)
{
    for (const auto& answer :
         {fake_action::answer(404, {}, "404 page not found"), fake_action::answer(200, {}, "<html></html>"),
          fake_action::answer(405), fake_action::answer(400, {}, "{}")}) {
        fake_registry registry;
        for (int i = 0; i != 20; ++i)
            registry.tag("app", "v" + std::to_string(i), put_small_image(registry, "app", std::to_string(i)));
        const auto rule = registry.add_rule("GET", "/referrers/", answer);
        registry.start();
        const auto tags = index_of(registry);
        auto store = details_store::open({}).value();
        auto options = details_from(registry);
        const auto report = details_crawler(options).run(tags, store).value();
        BOOST_TEST(report.manifests == 20U);
        BOOST_TEST(!report.told);
        BOOST_TEST(registry.rule_hits(rule) == 1U);
        static_cast<void>(details_crawler(options).run(tags, store).value());
        BOOST_TEST(registry.rule_hits(rule) == 1U);
        options.again = true;
        static_cast<void>(details_crawler(options).run(tags, store).value());
        BOOST_TEST(registry.rule_hits(rule) == 2U);
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_remembered)
{
    fake_registry registry;
    const auto image = put_small_image(registry, "app", "image");
    const auto missing = digest::of("missing").to_string();
    registry.tag("app", "list", put_list(registry, "app", {image, missing}));
    registry.tag("a-stale", "image", put_small_image(registry, "a-stale", "elsewhere"));
    registry.tag("fresh", "image", put_small_image(registry, "fresh", "elsewhere"));
    const auto stale = registry.add_rule("GET", "/v2/a-stale/manifests/", fake_action::answer(404));
    registry.start();
    const auto tags = index_of(registry);
    auto store = details_store::open({}).value();
    auto options = details_from(registry);
    const auto report = details_crawler(options).run(tags, store).value();
    BOOST_TEST(report.manifests == 3U);
    BOOST_TEST(report.absent == 1U);
    BOOST_TEST(report.failed == 0U);
    BOOST_TEST(registry.rule_hits(stale) == 1U);
    BOOST_TEST(store.is_absent(parsed(missing)).value());
    BOOST_TEST(details_crawler(options).run(tags, store).value().requests == 0U);
    options.again = true;
    BOOST_TEST(details_crawler(options).run(tags, store).value().absent == 1U);
}

BOOST_AUTO_TEST_CASE(failures_are_named_and_do_not_end_it)
{
    fake_registry registry;
    std::vector<std::string> images;
    for (int i = 0; i != 10; ++i) {
        images.push_back(put_small_image(registry, "app", std::to_string(i)));
        registry.tag("app", "v" + std::to_string(i), images.back());
    }
    registry.tag("app", "odd", registry.put_manifest("app", R"({"layers":7})", oci_manifest_type));
    registry.tag("app", "list", put_list(registry, "app", {images[0], images[1]}));
    registry.add_rule("GET", "/manifests/" + images[0], fake_action::answer(500));
    registry.add_rule("GET", "/manifests/" + images[1], fake_action::answer(200, {}, "{}")); // another digest
    registry.start();
    const auto tags = index_of(registry);
    auto store = details_store::open({}).value();
    const auto report = details_crawler(details_from(registry)).run(tags, store).value();
    BOOST_TEST(report.manifests == 9U);
    BOOST_TEST(report.failed == 3U);
    BOOST_TEST_REQUIRE(report.problems.size() == 3U);
    std::set<std::string> named;
    for (const auto& [name, why] : report.problems) {
        named.insert(name);
        BOOST_TEST(!why.empty());
    }
    BOOST_TEST(named.contains("app@" + images[0]));
    BOOST_TEST(named.contains("app@" + images[1]));
    registry.clear_rules();
    const auto later = details_crawler(details_from(registry)).run(tags, store).value();
    BOOST_TEST(later.manifests == 2U);
    BOOST_TEST(later.failed == 1U);
}

BOOST_AUTO_TEST_CASE(configs_that_cannot_be_read_leave_their_facts_unknown)
{
    fake_registry registry;
    const auto no_json = registry.store().put_blob("app", "no JSON");
    const auto image = [&](const std::string& config, const std::string& size) {
        return registry.put_manifest(
            "app",
            R"({"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":)" + size + R"(,"digest":")" +
                config + R"("},"annotations":{"org.opencontainers.image.created":"2020-01-01T00:00:00Z"}})",
            oci_manifest_type);
    };
    registry.tag("app", "1", image(no_json, "7"));
    registry.tag("app", "2", image(digest::of("missing").to_string(), "7"));
    registry.tag("app", "3", image(no_json, "100000000"));
    registry.start();
    const auto tags = index_of(registry);
    auto store = details_store::open({}).value();
    const auto report = details_crawler(details_from(registry)).run(tags, store).value();
    BOOST_TEST(report.manifests == 3U);
    BOOST_TEST(report.configs == 0U);
    BOOST_TEST(report.failed == 0U);
    store
        .for_each_content([](const content_view& c) {
            BOOST_TEST((!c.known || to_string(c.created.value()) == "2020-01-01T00:00:00Z"));
            return true;
        })
        .value();
}

BOOST_AUTO_TEST_CASE(a_registry_that_is_gone_ends_it)
{
    details_options options;
    {
        fake_registry registry;
        options = details_from(registry);
    }
    fake_registry content;
    for (int i = 0; i != 30; ++i)
        content.tag("app", "v" + std::to_string(i), put_small_image(content, "app", std::to_string(i)));
    const auto tags = index_of(content);
    auto store = details_store::open({}).value();
    const auto report = details_crawler(options).run(tags, store);
    BOOST_TEST_REQUIRE(report.has_error());
    BOOST_TEST(report.error().is(errc::connect_failed), report.error().message());
}

BOOST_AUTO_TEST_CASE(what_was_read_before_a_cancel_is_kept)
{
    fake_options slow;
    slow.latency = 2ms;
    fake_registry registry(slow);
    for (int i = 0; i != 400; ++i)
        registry.tag("app", "v" + std::to_string(i), put_small_image(registry, "app", std::to_string(i)));
    registry.start();
    const auto tags = index_of(registry);
    auto store = details_store::open({}).value();
    auto options = details_from(registry);
    options.how.concurrency = 2;
    details_crawler job(options);
    std::thread stop([&] {
        while (job.progress().manifests < 20)
            std::this_thread::sleep_for(1ms);
        job.cancel();
    });
    const auto report = job.run(tags, store);
    stop.join();
    BOOST_TEST_REQUIRE(report.has_error());
    BOOST_TEST(report.error().is(errc::cancelled));
    const auto kept = store.manifests().value();
    BOOST_TEST(kept >= 20U);
    BOOST_TEST(kept < 400U);
    const auto rest = details_crawler(options).run(tags, store).value();
    BOOST_TEST(rest.manifests == 400U - kept);
}

BOOST_AUTO_TEST_SUITE_END()
