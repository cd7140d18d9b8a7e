#include "unit/http/run.hpp"

#include "regsweep/registry/client.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep;
using namespace regsweep::test;

namespace {

struct setup
{
    explicit setup(fake_options fake = {}, const std::string& prefix = {}, registry_options options = {})
        : registry(std::move(fake)), connection(io, quick_options()),
          client(connection, registry_address::parse(registry.url() + prefix).value(), std::move(options))
    {
        registry.start();
    }

    auto resolve(const std::string& reference) { return run(io, client.resolve("a", reference, buffers)); }
    auto manifest_of(const std::string& reference) { return run(io, client.get_manifest("a", reference, buffers)); }

    fake_registry registry;
    boost::asio::io_context io{1};
    http::client connection;
    registry_client client;
    registry_buffers buffers;
};

fake_action without_digest()
{
    fake_action action;
    action.remove_headers = {"Docker-Content-Digest"};
    return action;
}

const std::string oci_index = "application/vnd.oci.image.index.v1+json";
const std::string signed_schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";

} // namespace

BOOST_AUTO_TEST_SUITE(client)

BOOST_AUTO_TEST_CASE(a_digest_is_what_the_registry_says)
{
    setup s;
    const auto image = s.registry.put_image("a", "1", "one");
    const auto got = s.resolve("1");
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST_REQUIRE(got->has_value());
    BOOST_TEST((*got)->digest.to_string() == image);
    BOOST_TEST(((*got)->type == media_type::docker_manifest));
    BOOST_TEST(s.registry.requests("HEAD", fake_endpoint::manifests) == 1U);
    BOOST_TEST(s.registry.requests("GET", fake_endpoint::manifests) == 0U);
    // By digest too.
    BOOST_TEST(s.resolve(image).value().value().digest.to_string() == image);
    const auto log = s.registry.log();
    for (int type = 1; type != 7; ++type)
        BOOST_TEST(log[0].accept.find(to_string(static_cast<media_type>(type))) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(together_one_sees_what_one_sees_alone)
{
    setup s;
    s.registry.put_image("a", "1", "one");
    s.registry.put_image("a", "2", "two");
    s.registry.put_image("a", "refused", "three");
    s.registry.add_rule("", "/manifests/refused", fake_action::answer(403));
    for (const bool by_get : {false, true}) {
        registry_options options;
        options.use_get_manifest = by_get;
        registry_client client(s.connection, registry_address::parse(s.registry.url()).value(), options);
        std::vector<resolution> wanted = {{"1"}, {"none"}, {"refused"}, {"2"}};
        BOOST_TEST(run(s.io, client.ping(s.buffers)).has_value()); // opens the connection
        const auto connections = s.registry.counts().connections;
        std::size_t together = 0;
        run(s.io, [&]() -> http::awaitable<result<void>> {
            together = co_await client.resolve_all("a", wanted, s.buffers);
            co_return result<void>();
        }());
        BOOST_TEST(together == 3U); // a refusal is asked for again alone, for what there is to say of it
        BOOST_TEST(s.registry.counts().connections == connections);
        BOOST_TEST((wanted[0].found->value().digest == s.resolve("1").value().value().digest));
        BOOST_TEST(!wanted[1].found->has_value());
        BOOST_TEST_REQUIRE(wanted[2].found.has_error());
        BOOST_TEST(wanted[2].found.error().is(errc::forbidden));
        BOOST_TEST((wanted[3].found->value().digest == s.resolve("2").value().value().digest));
    }
}

BOOST_AUTO_TEST_CASE(what_never_works_together_is_not_sent_together_for_ever)
{
    setup s;
    s.registry.put_image("a", "1", "one");
    s.registry.put_image("b", "1", "one");
    s.registry.add_rule("", "/v2/a/manifests/1", fake_action::redirect(307, "/v2/b/manifests/1"));
    BOOST_TEST(run(s.io, s.client.ping(s.buffers)).has_value());
    for (int i = 0; i != 20; ++i) {
        std::vector<resolution> wanted = {{"1"}, {"1"}};
        run(s.io, [&]() -> http::awaitable<result<void>> {
            co_await s.client.resolve_all("a", wanted, s.buffers);
            co_return result<void>();
        }());
        BOOST_TEST(wanted[0].found->has_value());
        BOOST_TEST(wanted[1].found->has_value());
    }
    // Two answers each to what was sent alone, one to what was sent together.
    BOOST_TEST(s.registry.requests("HEAD", "/v2/a/") == 40U + 8U * 2U);
}

BOOST_AUTO_TEST_CASE(a_connection_that_ends_between_answers_loses_none)
{
    for (const auto& action : {fake_action::close_after(0), fake_action::reset_after(20), fake_action::answer(503)}) {
        setup s;
        for (int t = 0; t != 6; ++t)
            s.registry.put_image("a", std::to_string(t), "image " + std::to_string(t));
        s.registry.add_rule("", "/manifests/3", action, 1);
        BOOST_TEST(run(s.io, s.client.ping(s.buffers)).has_value());
        std::vector<resolution> wanted = {{"0"}, {"1"}, {"2"}, {"3"}, {"4"}, {"5"}};
        run(s.io, [&]() -> http::awaitable<result<void>> {
            co_await s.client.resolve_all("a", wanted, s.buffers);
            co_return result<void>();
        }());
        for (const auto& one : wanted) {
            BOOST_TEST_REQUIRE(one.found.has_value());
            BOOST_TEST((one.found->value().digest == s.resolve(std::string(one.reference)).value().value().digest));
        }
    }
}

BOOST_AUTO_TEST_CASE(indexes_are_named_as_such)
{
    setup s;
    const std::string bytes = R"({"schemaVersion":2,"manifests":[]})";
    s.registry.tag("a", "multi", s.registry.put_manifest("a", bytes, oci_index));
    BOOST_TEST((s.resolve("multi").value().value().type == media_type::oci_index));
}

BOOST_AUTO_TEST_CASE(what_is_not_there)
{
    setup s;
    s.registry.put_image("a", "1", "one");
    BOOST_TEST(!s.resolve("2").value().has_value());
    BOOST_TEST(!s.manifest_of("2").value().has_value());
    BOOST_TEST(!run(s.io, s.client.tags("none", s.client.tags_target("none", 10), s.buffers)).value().has_value());
}

BOOST_AUTO_TEST_CASE(without_the_header_the_body_is_hashed)
{
    setup s;
    const auto image = s.registry.put_image("a", "1", "one");
    s.registry.put_image("a", "2", "two");
    s.registry.add_rule("", "/manifests/", without_digest());
    BOOST_TEST(s.resolve("1").value().value().digest.to_string() == image);
    BOOST_TEST(s.registry.requests("HEAD", fake_endpoint::manifests) == 1U);
    // Once known, HEAD is not tried again.
    BOOST_TEST(s.resolve("2").has_value());
    BOOST_TEST(s.registry.requests("HEAD", fake_endpoint::manifests) == 1U);
    BOOST_TEST(s.registry.requests("GET", fake_endpoint::manifests) == 2U);
}

BOOST_AUTO_TEST_CASE(where_head_is_refused_get_is_used)
{
    for (const unsigned status : {400U, 405U, 501U}) {
        setup s;
        const auto image = s.registry.put_image("a", "1", "one");
        s.registry.add_rule("HEAD", "/manifests/", fake_action::answer(status));
        BOOST_TEST(s.resolve("1").value().value().digest.to_string() == image);
    }
}

BOOST_AUTO_TEST_CASE(get_can_be_asked_for)
{
    registry_options options;
    options.use_get_manifest = true;
    setup s({}, {}, options);
    const auto image = s.registry.put_image("a", "1", "one");
    BOOST_TEST(s.resolve("1").value().value().digest.to_string() == image);
    BOOST_TEST(s.registry.requests("HEAD", fake_endpoint::manifests) == 0U);
    BOOST_TEST(!s.resolve("2").value().has_value());
}

BOOST_AUTO_TEST_CASE(content_that_does_not_hash_to_its_digest)
{
    registry_options options;
    options.use_get_manifest = true;
    setup s({}, {}, options);
    const auto image = s.registry.put_image("a", "1", "one");
    fake_action lie;
    lie.body = "{}";
    s.registry.add_rule("GET", "/manifests/1", lie);
    BOOST_TEST(s.resolve("1").error().is(errc::digest_mismatch));
    BOOST_TEST(s.manifest_of("1").error().is(errc::digest_mismatch));
    BOOST_TEST(s.manifest_of("1").error().request == "GET /v2/a/manifests/1");
    // Asked for by digest, and another one comes, true to itself.
    fake_action other;
    other.body = "{}";
    other.set_headers = {{"Docker-Content-Digest", digest::of("{}").to_string()}};
    s.registry.add_rule("GET", "/manifests/sha256", other);
    BOOST_TEST(s.manifest_of(image).error().is(errc::digest_mismatch));
    // The same, with nothing announced.
    s.registry.clear_rules();
    fake_action silent = without_digest();
    silent.body = "{}";
    s.registry.add_rule("GET", "/manifests/sha256", silent);
    BOOST_TEST(s.manifest_of(image).error().is(errc::digest_mismatch));
}

BOOST_AUTO_TEST_CASE(a_header_that_is_no_digest)
{
    for (const std::string text : {"sha256:abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "x"}) {
        setup s;
        s.registry.put_image("a", "1", "one");
        fake_action junk;
        junk.set_headers = {{"Docker-Content-Digest", text}};
        s.registry.add_rule("", "/manifests/", junk);
        BOOST_TEST(s.resolve("1").error().is(errc::bad_digest));
        BOOST_TEST(s.manifest_of("1").error().is(errc::bad_digest));
    }
}

BOOST_AUTO_TEST_CASE(signed_schema_1_is_taken_at_its_word)
{
    registry_options options;
    options.use_get_manifest = true;
    setup s({}, {}, options);
    const std::string payload_digest = digest::of("the payload without its signature").to_string();
    s.registry.store().put_manifest("a", R"({"schemaVersion":1,"signatures":[]})", signed_schema1, payload_digest);
    s.registry.tag("a", "old", payload_digest);
    const auto got = s.resolve("old");
    BOOST_TEST_REQUIRE(got.has_value(), (got ? "" : got.error().message()));
    BOOST_TEST(got->value().digest.to_string() == payload_digest);
    BOOST_TEST((got->value().type == media_type::schema1_signed));
    s.registry.add_rule("GET", "/manifests/", without_digest());
    BOOST_TEST(s.resolve("old").error().is(errc::bad_response));
}

BOOST_AUTO_TEST_CASE(sha512)
{
    const std::string bytes = R"({"schemaVersion":2})";
    const std::string name = digest::of(bytes, digest::algorithm::sha512).to_string();
    for (const bool by_get : {false, true}) {
        registry_options options;
        options.use_get_manifest = by_get;
        setup s({}, {}, options);
        s.registry.store().put_manifest("a", bytes, oci_index, name);
        s.registry.tag("a", "1", name);
        BOOST_TEST(s.resolve("1").value().value().digest.to_string() == name);
        BOOST_TEST(s.manifest_of(name).value().value().body == bytes);
    }
}

BOOST_AUTO_TEST_CASE(statuses_become_errors)
{
    for (const auto& [status, code] : {std::pair{401U, errc::unauthorized},
                                       {403U, errc::forbidden},
                                       {410U, errc::http_status},
                                       {500U, errc::http_status}}) {
        setup s;
        s.registry.put_image("a", "1", "one");
        s.registry.add_rule("", "/v2/", fake_action::answer(status));
        BOOST_TEST(s.resolve("1").error().is(code), status);
        BOOST_TEST(s.resolve("1").error().http_status == status);
        BOOST_TEST(s.manifest_of("1").error().is(code));
        BOOST_TEST(run(s.io, s.client.catalog(s.client.catalog_target(5), s.buffers)).error().is(code));
        BOOST_TEST(run(s.io, s.client.tags("a", s.client.tags_target("a", 5), s.buffers)).error().is(code));
        BOOST_TEST(run(s.io, s.client.ping(s.buffers)).error().is(code));
    }
}

BOOST_AUTO_TEST_CASE(manifests_come_byte_for_byte)
{
    setup s;
    const std::string bytes = "{ \"schemaVersion\" : 2,\n\t\"manifests\":[ ] }\n";
    const auto name = s.registry.put_manifest("a", bytes, oci_index);
    const auto got = s.manifest_of(name);
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST((*got)->body == bytes);
    BOOST_TEST((*got)->content_type == oci_index);
    BOOST_TEST((*got)->digest.to_string() == name);
}

BOOST_AUTO_TEST_CASE(pages)
{
    for (const auto style : {fake_link_style::standard, fake_link_style::unquoted, fake_link_style::several}) {
        fake_options fake;
        fake.api.link_style = style;
        setup s(fake);
        for (int i = 0; i != 7; ++i)
            s.registry.put_image("a", "t" + std::to_string(i), "x");
        std::string target = s.client.tags_target("a", 3);
        std::string all;
        int count = 0;
        for (; !target.empty(); ++count) {
            const auto page = run(s.io, s.client.tags("a", target, s.buffers)).value().value();
            for (std::size_t i = 0; i != page.names.size(); ++i)
                all += std::string(page.names[i]) + " ";
            target = page.next;
        }
        BOOST_TEST(all == "t0 t1 t2 t3 t4 t5 t6 ");
        BOOST_TEST(count == 3);
    }
}

BOOST_AUTO_TEST_CASE(links_to_another_host_are_refused)
{
    fake_options fake;
    fake.api.link_base = "https://evil.example";
    setup s(fake);
    for (int i = 0; i != 3; ++i)
        s.registry.put_image("a" + std::to_string(i), "1", "x");
    const auto got = run(s.io, s.client.catalog(s.client.catalog_target(2), s.buffers));
    BOOST_TEST(got.error().is(errc::redirect_refused));
    BOOST_TEST(got.error().message().find("evil.example") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(deleting)
{
    setup s;
    const auto image = s.registry.put_image("a", "1", "one");
    s.registry.tag("a", "2", image);
    const auto name = digest::parse(image).value();
    BOOST_TEST(run(s.io, s.client.delete_manifest("a", name, s.buffers)).value());
    BOOST_TEST(s.registry.snapshot().at("a").empty());
    BOOST_TEST(!run(s.io, s.client.delete_manifest("a", name, s.buffers)).value());
}

BOOST_AUTO_TEST_CASE(deleting_where_it_is_not_allowed)
{
    fake_options fake;
    fake.api.delete_enabled = false;
    setup s(fake);
    const auto image = s.registry.put_image("a", "1", "one");
    const auto got = run(s.io, s.client.delete_manifest("a", digest::parse(image).value(), s.buffers));
    BOOST_TEST(got.error().is(errc::unsupported));
    BOOST_TEST(s.registry.snapshot().at("a").size() == 1U);
}

BOOST_AUTO_TEST_CASE(deleting_tags)
{
    fake_options fake;
    fake.api.delete_by_tag = true;
    setup s(fake);
    const auto image = s.registry.put_image("a", "1", "one");
    s.registry.tag("a", "2", image);
    BOOST_TEST(run(s.io, s.client.delete_tag("a", "1", s.buffers)).value());
    BOOST_TEST(s.registry.snapshot().at("a").contains("2"));
    BOOST_TEST(!run(s.io, s.client.delete_tag("a", "1", s.buffers)).value());

    setup old; // docker-registry 2.x: 400 DIGEST_INVALID
    old.registry.put_image("a", "1", "one");
    BOOST_TEST(run(old.io, old.client.delete_tag("a", "1", old.buffers)).error().is(errc::unsupported));
}

BOOST_AUTO_TEST_CASE(putting_manifests_and_blobs)
{
    setup s;
    const std::string config = "{}";
    BOOST_TEST(run(s.io, s.client.put_blob("a", config, s.buffers)).has_value());
    BOOST_TEST(s.registry.store().has_blob("a", digest::of(config).to_string()));
    // It is there: no second upload.
    const auto uploads = s.registry.requests("POST", fake_endpoint::uploads);
    BOOST_TEST(run(s.io, s.client.put_blob("a", config, s.buffers)).has_value());
    BOOST_TEST(s.registry.requests("POST", fake_endpoint::uploads) == uploads);

    const std::string bytes = R"({"schemaVersion":2,"manifests":[]})";
    const auto put = run(s.io, s.client.put_manifest("a", "new", oci_index, bytes, s.buffers));
    BOOST_TEST_REQUIRE(put.has_value(), (put ? "" : put.error().message()));
    BOOST_TEST((*put == digest::of(bytes)));
    BOOST_TEST(s.registry.snapshot().at("a").at("new") == put->to_string());
    BOOST_TEST(s.manifest_of("new").value().value().content_type == oci_index);

    s.registry.add_rule("PUT", "", fake_action::answer(403));
    BOOST_TEST(run(s.io, s.client.put_manifest("a", "x", oci_index, bytes, s.buffers)).error().is(errc::forbidden));
    BOOST_TEST(run(s.io, s.client.put_blob("a", "other", s.buffers)).error().is(errc::forbidden));
}

BOOST_AUTO_TEST_CASE(uploads_that_lead_elsewhere)
{
    for (const std::string location : {"", "https://evil.example/upload"}) {
        setup s;
        fake_action away;
        away.set_headers = {{"Location", location}};
        s.registry.add_rule("POST", "/uploads/", away);
        BOOST_TEST(run(s.io, s.client.put_blob("a", "x", s.buffers)).error().is(errc::bad_response));
    }
}

BOOST_AUTO_TEST_CASE(names_are_escaped)
{
    setup s;
    BOOST_TEST(s.client.tags_target("a/b", 5) == "/v2/a/b/tags/list?n=5");
    BOOST_TEST(s.client.tags_target("a b?c#d%", 5) == "/v2/a%20b%3Fc%23d%25/tags/list?n=5");
    BOOST_TEST(s.client.catalog_target(7) == "/v2/_catalog?n=7");
    setup prefixed({}, "/artifactory/api");
    BOOST_TEST(prefixed.client.tags_target("a", 5) == "/artifactory/api/v2/a/tags/list?n=5");
}

BOOST_AUTO_TEST_SUITE_END()
