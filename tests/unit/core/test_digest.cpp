#include "regsweep/core/digest.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <unordered_set>
#include <vector>

using regsweep::digest;
using regsweep::errc;

namespace {

// FIPS 180-4 example values of "abc".
const std::string abc256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const std::string abc512 = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                           "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

} // namespace

BOOST_AUTO_TEST_SUITE(digests)

BOOST_AUTO_TEST_CASE(known_values)
{
    BOOST_TEST(digest::of("abc").to_string() == abc256);
    BOOST_TEST(digest::of("abc", digest::algorithm::sha512).to_string() == abc512);
    BOOST_TEST(digest::of("").to_string() == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    BOOST_TEST(digest::of(std::string("a\0b", 3)).to_string() != digest::of("a").to_string());
}

BOOST_AUTO_TEST_CASE(text_and_back)
{
    for (const auto& text : {abc256, abc512}) {
        const auto parsed = digest::parse(text);
        BOOST_TEST_REQUIRE(parsed.has_value());
        BOOST_TEST(parsed->to_string() == text);
        BOOST_TEST(!parsed->empty());
        const auto copy = digest::from_bytes(parsed->bytes());
        BOOST_TEST_REQUIRE(copy.has_value());
        BOOST_TEST((*copy == *parsed));
    }
    BOOST_TEST((digest::parse(abc256)->how() == digest::algorithm::sha256));
    BOOST_TEST((digest::parse(abc512)->how() == digest::algorithm::sha512));
    std::string upper = abc256;
    for (std::size_t i = 7; i != upper.size(); ++i)
        upper[i] = upper[i] >= 'a' ? static_cast<char>(upper[i] - 32) : upper[i];
    BOOST_TEST((digest::parse(upper).value() == digest::of("abc")));
}

BOOST_AUTO_TEST_CASE(junk_is_refused)
{
    const std::string hex = abc256.substr(7);
    const std::string table[] = {
        "",
        "sha256:",
        "sha256:" + hex.substr(1),
        "sha256:" + hex + "0",
        "sha256:" + hex.substr(1) + "g",
        "sha256:" + hex.substr(1) + " ",
        "SHA256:" + hex,
        "sha512:" + hex,
        "sha384:" + hex + hex,
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        hex,
        " " + abc256,
        abc256 + "\n",
    };
    for (const auto& text : table) {
        const auto got = digest::parse(text);
        BOOST_TEST_REQUIRE(got.has_error(), "'" << text << "' was taken");
        BOOST_TEST(got.error().is(errc::bad_digest));
        BOOST_TEST(got.error().message().find('\n') == std::string::npos);
    }
    for (const std::size_t size : {0U, 31U, 33U, 63U, 65U}) {
        const std::vector<unsigned char> raw(size);
        BOOST_TEST(digest::from_bytes(raw).error().is(errc::bad_digest));
    }
}

BOOST_AUTO_TEST_CASE(is_a_regular_type)
{
    const digest none;
    BOOST_TEST(none.empty());
    BOOST_TEST(none.to_string().empty());
    BOOST_TEST((none == digest()));
    const digest a = digest::of("a");
    const digest b = digest::of("b");
    BOOST_TEST((a != b));
    BOOST_TEST((none < a));
    BOOST_TEST(((a < b) != (b < a)));
    BOOST_TEST((a < digest::of("a", digest::algorithm::sha512)));
    BOOST_TEST(((a < b) == (a.to_string() < b.to_string())));
    const std::unordered_set<digest> set{a, b, a, none};
    BOOST_TEST(set.size() == 3U);
}

BOOST_AUTO_TEST_SUITE_END()
