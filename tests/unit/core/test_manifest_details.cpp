#include "regsweep/core/manifest_details.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep;

BOOST_AUTO_TEST_SUITE(manifest_facts)

BOOST_AUTO_TEST_CASE(platforms_as_text)
{
    BOOST_TEST(to_string(platform{"linux", "arm64", "v8"}) == "linux/arm64/v8");
    BOOST_TEST(to_string(platform{"linux", "amd64", ""}) == "linux/amd64");
    BOOST_TEST(to_string(platform{}).empty());
}

BOOST_AUTO_TEST_CASE(tags_named_for_digests)
{
    const digest d = digest::of("x");
    const std::string head = "sha256-" + d.to_string().substr(7);
    for (const char* tail : {"", ".sig", ".att", ".sbom"})
        BOOST_TEST((referrers_tag_subject(head + tail) == d), tail);
    for (const std::string& other : {std::string("latest"), head + ".txt", head + "0", head.substr(0, 70),
                                     "sha512-" + d.to_string().substr(7), "x" + head, std::string("sha256-")})
        BOOST_TEST(!referrers_tag_subject(other).has_value(), other);
    BOOST_TEST(!referrers_tag_subject("sha256-" + std::string(64, 'g')).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
