#include "web/page.hpp"

#include "regsweep/core/digest.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>

using namespace regsweep;

namespace {

std::string page_with(web::page_kind kind, std::string_view json)
{
    std::ostringstream out;
    web::page_writer page(out, kind);
    page.begin_data("facts");
    page.json(json);
    page.end_data();
    page.finish();
    return out.str();
}

std::string between(const std::string& text, const std::string& open, const std::string& close)
{
    const auto begin = text.find(open) + open.size();
    return text.substr(begin, text.find(close, begin) - begin);
}

std::string base64(std::span<const unsigned char> bytes)
{
    static const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    int held = 0;
    for (const unsigned char byte : bytes) {
        bits = bits << 8 | byte;
        for (held += 8; held >= 6; held -= 6)
            out += alphabet[bits >> (held - 6) & 63];
    }
    if (held != 0)
        out += alphabet[bits << (6 - held) & 63];
    return out + std::string((4 - out.size() % 4) % 4, '=');
}

} // namespace

BOOST_AUTO_TEST_SUITE(page)

BOOST_AUTO_TEST_CASE(the_policy_names_the_pages_own_style_and_script_alone)
{
    for (const auto kind : {web::page_kind::bench, web::page_kind::report}) {
        const auto text = page_with(kind, "{}");
        const auto policy = between(text, "content=\"default-src 'none';", "\">");
        const auto source = [](const std::string& of) { return " 'sha256-" + base64(digest::of(of).bytes()) + "';"; };
        BOOST_TEST(policy == " style-src" + source(between(text, "<style>", "</style>")) + " script-src" +
                                 source(between(text, "<script type=\"module\">", "</script>")) +
                                 " base-uri 'none'; form-action 'none'");
        BOOST_TEST(text.find('@' + std::string("DATA")) == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(nothing_in_the_data_ends_their_element)
{
    const auto text = page_with(web::page_kind::bench, R"(["<","a<b","</script><script>alert(1)</script>","<!--"])");
    BOOST_TEST(between(text, "id=\"facts\">", "</script>") ==
               R"(["\u003c","a\u003cb","\u003c/script>\u003cscript>alert(1)\u003c/script>","\u003c!--"])");
}

BOOST_AUTO_TEST_SUITE_END()
