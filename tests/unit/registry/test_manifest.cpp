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
