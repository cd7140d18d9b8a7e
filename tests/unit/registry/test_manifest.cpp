#include "regsweep/registry/manifest.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace regsweep;

namespace {

const std::string one = digest::of("one").to_string();
const std::string two = digest::of("two", digest::algorithm::sha512).to_string();

std::string descriptor(const std::string& id, const std::string& type)
{
    return R"({"mediaType":")" + type + R"(","size":1,"digest":")" + id + R"(","platform":{"os":"linux"}})";
}

errc code_of(const std::string& body)
{
    const auto got = parse_children(body);
    BOOST_TEST_REQUIRE(got.has_error(), body.substr(0, 100));
    return static_cast<errc>(got.error().code.value());
}

} // namespace

BOOST_AUTO_TEST_SUITE(manifest_children)

BOOST_AUTO_TEST_CASE(an_index_gives_its_manifests_in_order)
{
    const auto got = parse_children(R"({"schemaVersion":2,"manifests":[)" +
                                    descriptor(two, "application/vnd.oci.image.index.v1+json") + "," +
                                    descriptor(one, "application/vnd.docker.distribution.manifest.v2+json") + "," +
                                    descriptor(one, "application/vnd.odd") + R"(,{"digest":")" + one + R"("}]})")
                         .value();
    BOOST_TEST_REQUIRE(got.size() == 4U);
    BOOST_TEST(got[0].digest.to_string() == two);
    BOOST_TEST((got[0].type == media_type::oci_index));
    BOOST_TEST(got[1].digest.to_string() == one);
    BOOST_TEST((got[1].type == media_type::docker_manifest));
    BOOST_TEST((got[2].type == media_type::unknown));
    BOOST_TEST((got[3].type == media_type::unknown));
}

BOOST_AUTO_TEST_CASE(names_count_in_any_letter_case)
{
    const auto got = parse_children(R"({"Manifests":[{"Digest":")" + one + R"("}],"manifests":[{"digest":")" + two +
                                    R"(","MEDIATYPE":"application/vnd.oci.image.index.v1+json"}]})")
                         .value();
    BOOST_TEST_REQUIRE(got.size() == 2U);
    BOOST_TEST(got[0].digest.to_string() == one);
    BOOST_TEST(got[1].digest.to_string() == two);
    BOOST_TEST((got[1].type == media_type::oci_index));
}

BOOST_AUTO_TEST_CASE(other_manifests_have_none)
{
    for (const char* const body : {"{}", R"({"schemaVersion":2,"config":{},"layers":[{"digest":"no"}]})",
                                   R"({"manifests":null})", R"({"manifests":[]})"})
        BOOST_TEST(parse_children(body).value().empty(), body);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_understood_is_no_empty_index)
{
    for (const char* const body :
         {"", " ", "null", "[]", "\"x\"", "{", "{} {}", "\xff\xfe", R"({"manifests":{}})", R"({"manifests":"x"})",
          R"({"manifests":[1]})", R"({"manifests":[null]})", R"({"manifests":[[]]})"})
        BOOST_TEST((code_of(body) == errc::bad_json), body);
    for (const std::string& body : std::vector<std::string>{
             std::string(R"({"manifests":[{}]})"), std::string(R"({"manifests":[{"digest":1}]})"),
             std::string(R"({"manifests":[{"digest":"sha256:00"}]})"),
             R"({"manifests":[)" + descriptor(one, "x") + "," + descriptor("blake3:" + one.substr(7), "x") + "]}"})
        BOOST_TEST((code_of(body) == errc::bad_digest), body);
}

BOOST_AUTO_TEST_CASE(a_list_may_be_long_but_not_endless)
{
    const auto of = [](int count) {
        std::string body = R"({"manifests":[)";
        for (int i = 0; i != count; ++i)
            body += (i == 0 ? "" : ",") + (R"({"digest":")" + one + R"("})");
        return body + "]}";
    };
    BOOST_TEST(parse_children(of(100'000)).value().size() == 100'000U);
    BOOST_TEST((code_of(of(100'001)) == errc::too_large));
}

BOOST_AUTO_TEST_CASE(nesting_without_end_is_refused)
{
    BOOST_TEST((code_of(R"({"manifests":)" + std::string(100'000, '[')) == errc::bad_json));
    BOOST_TEST(
        (code_of(std::string(R"({"a":)") + std::string(100, '[') + std::string(100, ']') + "}") == errc::bad_json));
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

const std::string zero_config = R"({"created":"0001-01-01T00:00:00Z"})";

manifest_details with_config(std::string_view config)
{
    auto out = parse_manifest(R"({"schemaVersion":2})").value();
    add_config(config, out).value();
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(manifest_contents)

BOOST_AUTO_TEST_CASE(an_image)
{
    const auto m =
        parse_manifest(R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "artifactType":"application/x","config":{"mediaType":"c","size":7,"digest":")" +
                       one + R"("},"layers":[{"mediaType":"l","size":12345678901,"digest":")" + two +
                       R"("},{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":")" +
                       one + R"(","urls":["http://x"]},{"mediaType":"l","size":-1,"digest":")" + one +
                       R"("}],"subject":{"digest":")" + two + R"(","size":3},"annotations":{"b":"2","a":"1","n":7}})")
            .value();
    BOOST_TEST((m.type == media_type::oci_manifest));
    BOOST_TEST(m.artifact_type == "application/x");
    BOOST_TEST_REQUIRE(m.config.has_value());
    BOOST_TEST(m.config->digest.to_string() == one);
    BOOST_TEST(m.config->size.value() == 7U);
    BOOST_TEST_REQUIRE(m.layers.size() == 3U);
    BOOST_TEST(m.layers[0].digest.to_string() == two);
    BOOST_TEST(m.layers[0].size.value() == 12'345'678'901U);
    BOOST_TEST(!m.layers[0].foreign);
    BOOST_TEST(!m.layers[1].size.has_value());
    BOOST_TEST(m.layers[1].foreign);
    BOOST_TEST(!m.layers[2].size.has_value());
    BOOST_TEST(m.subject.to_string() == two);
    BOOST_TEST((m.annotations == string_pairs{{"a", "1"}, {"b", "2"}}));
    BOOST_TEST(!m.created.has_value());
}

BOOST_AUTO_TEST_CASE(an_index_with_platforms_and_attestations)
{
    const auto m = parse_manifest(R"({"schemaVersion":2,"manifests":[{"digest":")" + one +
                                  R"(","size":5,"platform":{"os":"linux","architecture":"arm64","variant":"v8"}},)" +
                                  R"({"digest":")" + two +
                                  R"(","platform":{"os":"unknown","architecture":"unknown"},"annotations":)" +
                                  R"({"vnd.docker.reference.digest":")" + one + R"("}},{"digest":")" + one +
                                  R"(","platform":"odd","annotations":[]}]})")
                       .value();
    BOOST_TEST_REQUIRE(m.children.size() == 3U);
    BOOST_TEST(to_string(m.children[0].platform) == "linux/arm64/v8");
    BOOST_TEST(m.children[0].size.value() == 5U);
    BOOST_TEST(m.children[0].describes.empty());
    BOOST_TEST(m.children[1].describes.to_string() == one);
    BOOST_TEST(m.children[2].platform.empty());
}

BOOST_AUTO_TEST_CASE(schema_1)
{
    const auto m =
        parse_manifest(R"({"schemaVersion":1,"architecture":"amd64","fsLayers":[{"blobSum":")" + one +
                       R"("},{"blobSum":")" + two +
                       R"("}],"history":[{"v1Compatibility":"{\"created\":\"2015-05-05T01:02:03.4Z\",)" +
                       R"(\"os\":\"linux\",\"architecture\":\"arm\",\"config\":{\"Labels\":{\"l\":\"v\"}}}"},)" +
                       R"({"v1Compatibility":"{\"created\":\"2014-05-05T01:02:03Z\"}"}]})")
            .value();
    BOOST_TEST_REQUIRE(m.layers.size() == 2U);
    BOOST_TEST(m.layers[1].digest.to_string() == two);
    BOOST_TEST(!m.layers[1].size.has_value());
    BOOST_TEST_REQUIRE(m.created.has_value());
    BOOST_TEST(to_string(*m.created) == "2015-05-05T01:02:03.400Z");
    BOOST_TEST(m.platform.architecture == "arm");
    BOOST_TEST((m.labels == string_pairs{{"l", "v"}}));
    BOOST_TEST(!parse_manifest(R"({"fsLayers":[],"history":[{"v1Compatibility":"no JSON"}]})").value().created);
}

BOOST_AUTO_TEST_CASE(a_config)
{
    const auto m = with_config(R"({"created":"2024-02-29T23:59:59.123456789+02:00","os":"linux","architecture":"arm",)"
                               R"("variant":"v7","config":{"Labels":{"b":"2","a":"1"}}})");
    BOOST_TEST_REQUIRE(m.created.has_value());
    BOOST_TEST(to_string(*m.created) == "2024-02-29T21:59:59.123456789Z");
    BOOST_TEST(to_string(m.platform) == "linux/arm/v7");
    BOOST_TEST((m.labels == string_pairs{{"a", "1"}, {"b", "2"}}));
    BOOST_TEST(with_config(R"({"created":"2999-01-01T00:00:00Z"})").created.has_value());
    BOOST_TEST(with_config(R"({"config":{"Labels":null}})").labels.empty());
    manifest_details to;
    BOOST_TEST(add_config("[]", to).error().is(errc::bad_json));
    BOOST_TEST(add_config("\x1f\x8b", to).error().is(errc::bad_json));
}

BOOST_AUTO_TEST_CASE(times_that_say_nothing)
{
    for (const char* text : {"0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z",
                             "1980-01-01T00:00:01Z", "2023-02-29T00:00:00Z", "yesterday", ""})
        BOOST_TEST(!with_config(R"({"created":")" + std::string(text) + R"("})").created.has_value(), text);
    BOOST_TEST(!with_config(R"({"created":1709208000})").created.has_value());
    BOOST_TEST(!with_config(R"({"created":null})").created.has_value());
}

BOOST_AUTO_TEST_CASE(the_annotation_counts_where_the_config_says_nothing)
{
    const auto annotated = R"({"annotations":{"org.opencontainers.image.created":"2020-01-01T00:00:00Z"}})";
    const auto time_with = [&](std::string_view config) {
        auto m = parse_manifest(annotated).value();
        add_config(config, m).value();
        return to_string(m.created.value());
    };
    BOOST_TEST(time_with("{}") == "2020-01-01T00:00:00Z");
    BOOST_TEST(time_with(zero_config) == "2020-01-01T00:00:00Z");
    BOOST_TEST(time_with(R"({"created":"2021-01-01T00:00:00Z"})") == "2021-01-01T00:00:00Z");
}

BOOST_AUTO_TEST_CASE(malformed_parts)
{
    const auto refused = [](errc why, const std::string& body) {
        const auto got = parse_manifest(body);
        BOOST_TEST_REQUIRE(got.has_error(), body.substr(0, 100));
        BOOST_TEST(got.error().is(why), got.error().message());
    };
    refused(errc::bad_json, "");
    refused(errc::bad_json, "[]");
    refused(errc::bad_json, R"({"config":7})");
    refused(errc::bad_digest, R"({"config":{}})");
    refused(errc::bad_json, R"({"layers":{}})");
    refused(errc::bad_json, R"({"layers":["x"]})");
    refused(errc::bad_digest, R"({"layers":[{"digest":"sha256:1"}]})");
    refused(errc::bad_digest, R"({"subject":{"digest":"x"}})");
    refused(errc::bad_digest, R"({"manifests":[{"digest":"x"}]})");
    refused(errc::bad_digest, R"({"fsLayers":[{"blobSum":"x"}]})");
    std::string many = R"({"layers":[{})";
    for (int i = 0; i != 100'000; ++i)
        many += ",{}";
    refused(errc::too_large, many + "]}");
}

BOOST_AUTO_TEST_CASE(lists_of_referrers)
{
    const auto got = parse_referrers(R"({"schemaVersion":2,"manifests":[{"digest":")" + one + R"("}]})").value();
    BOOST_TEST_REQUIRE(got.size() == 1U);
    BOOST_TEST(got[0].digest.to_string() == one);
    BOOST_TEST(parse_referrers(R"({"manifests":[]})").value().empty());
    for (const char* bad : {"", "<html>", "{}", R"({"manifests":{}})", "404 page not found"})
        BOOST_TEST(parse_referrers(bad).error().is(errc::bad_json), bad);
}

BOOST_AUTO_TEST_SUITE_END()
