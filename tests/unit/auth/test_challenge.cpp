#include "regsweep/auth/challenge.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

using namespace regsweep;

namespace {

// One line for what was parsed: `scheme token68 name=[value] … | …`.
std::string show(const challenge_list& list)
{
    std::string out;
    for (const challenge& c : list.challenges) {
        if (!out.empty())
            out += " | ";
        out += c.scheme;
        if (!c.token68.empty())
            out += " " + c.token68;
        for (const auto& [name, value] : c.parameters)
            out += " " + name + "=[" + value + "]";
    }
    return out;
}

struct sample
{
    std::string_view text;
    std::string_view expected;
    bool malformed;
};

} // namespace

BOOST_AUTO_TEST_SUITE(challenges)

BOOST_AUTO_TEST_CASE(well_formed_headers_are_read)
{
    const std::vector<sample> samples = {
        {"", "", false},
        {" , ,\t,", "", false},
        {"Negotiate", "negotiate", false},
        {"Basic realm=\"x\"", "basic realm=[x]", false},
        {"bAsIc ReAlM=\"X y\"", "basic realm=[X y]", false},
        {"Basic realm=simple", "basic realm=[simple]", false},
        {"Basic realm = \"x\" , charset\t=\t\"UTF-8\"", "basic realm=[x] charset=[UTF-8]", false},
        {"Bearer realm=\"https://a/t\",service=\"reg\",scope=\"repository:a/b:pull,push\"",
         "bearer realm=[https://a/t] service=[reg] scope=[repository:a/b:pull,push]", false},
        {"Basic realm=\"a\", Bearer realm=\"b\",service=\"c\", Negotiate",
         "basic realm=[a] | bearer realm=[b] service=[c] | negotiate", false},
        {"Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
         "newauth realm=[apps] type=[1] title=[Login to \"apps\"] | basic realm=[simple]", false},
        {"Negotiate YII+/-._~==, Basic realm=\"x\"", "negotiate YII+/-._~== | basic realm=[x]", false},
        {"Custom token68only", "custom token68only", false},
        {",,Basic ,, realm=\"x\",,", "basic realm=[x]", false},
        {"Basic realm=\"\"", "basic realm=[]", false},
        {"Basic realm=\"back\\\\slash\"", "basic realm=[back\\slash]", false},
        {"Basic realm=\"Registre priv\xc3\xa9\"", "basic realm=[Registre priv\xc3\xa9]", false},
        {"Digest realm=\"a\", qop=\"auth, auth-int\", nonce=\"b==\", stale=TRUE",
         "digest realm=[a] qop=[auth, auth-int] nonce=[b==] stale=[TRUE]", false},
    };
    for (const sample& s : samples) {
        const challenge_list list = parse_challenges(s.text);
        BOOST_TEST(show(list) == s.expected, s.text << " gave " << show(list));
        BOOST_TEST((list.malformed != 0) == s.malformed, s.text);
    }
}

BOOST_AUTO_TEST_CASE(malformed_parts_do_not_hide_others)
{
    const std::vector<sample> samples = {
        {"realm=\"x\", Basic realm=\"y\"", "basic realm=[y]", true},
        {"=, Basic realm=\"y\"", "basic realm=[y]", true},
        {"@@@ junk, Basic realm=\"y\"", "basic realm=[y]", true},
        {"@ \"a, b\" c, Basic realm=\"y\"", "basic realm=[y]", true},
        {"Bearer realm=\"https://a, Basic realm=y", "bearer | basic realm=[y]", true},
        {"Bearer realm=\"a\"service=\"b\", Basic realm=y", "bearer realm=[a] service=[b] | basic realm=[y]", true},
        {"Bearer realm=\"a\" service=\"b\"", "bearer realm=[a] service=[b]", true},
        {"Bearer realm=\"a\" Basic realm=\"b\"", "bearer realm=[a] | basic realm=[b]", true},
        {"Bearer realm=https://a/t, service=\"b\", Basic realm=y", "bearer service=[b] | basic realm=[y]", true},
        {"Bearer realm=, service=\"b\", Basic realm=y", "bearer realm= | basic realm=[y]", true}, // a token68
        {"Bearer a=b, realm=, service=\"c\"", "bearer a=[b] service=[c]", true},
        {"Bearer realm=\"a\", realm=\"b\"", "bearer realm=[a]", true},
        {"Bearer realm=\"a\x01\", service=b", "bearer service=[b]", true},
        {"Bearer realm=\"a\\", "bearer", true},
        {"Bearer \"realm\"=\"a\", service=b", "bearer service=[b]", true},
        {"Bearer: realm=a, Basic realm=\"y\"", "basic realm=[y]", true},
        {"\"", "", true},
        {"\"\"\"", "", true},
        {"\xff\xfe, Basic realm=\"y\"", "basic realm=[y]", true},
        {std::string_view("Basic realm=\"a\0b\", Negotiate", 28), "basic | negotiate", true},
    };
    for (const sample& s : samples) {
        const challenge_list list = parse_challenges(s.text);
        BOOST_TEST(show(list) == s.expected, s.text << " gave " << show(list));
        BOOST_TEST((list.malformed != 0) == s.malformed, s.text);
    }
}

BOOST_AUTO_TEST_CASE(many_headers_are_one_list)
{
    const std::array<std::string_view, 3> values = {"Basic realm=\"a\"", "broken=\"", "Bearer realm=\"b\""};
    const challenge_list list = parse_challenges(values);
    BOOST_TEST(show(list) == "basic realm=[a] | bearer realm=[b]");
    BOOST_TEST(list.malformed == 1u);
    BOOST_REQUIRE(list.find("bearer") != nullptr);
    BOOST_TEST(list.find("bearer")->find("realm").value_or("") == "b");
    BOOST_TEST(!list.find("bearer")->find("service").has_value());
    BOOST_TEST(list.find("digest") == nullptr);
}

// A parameter that begins a header of its own does not belong to the challenge of the header before.
BOOST_AUTO_TEST_CASE(parameters_do_not_cross_headers)
{
    const std::array<std::string_view, 2> values = {"Bearer realm=\"a\"", "service=\"evil\""};
    const challenge_list list = parse_challenges(values);
    BOOST_TEST(show(list) == "bearer realm=[a]");
    BOOST_TEST(list.malformed == 1u);
}

BOOST_AUTO_TEST_CASE(limits_hold)
{
    const std::string big(40'000, 'a');
    BOOST_TEST(parse_challenges("Basic realm=" + big).challenges.empty());
    BOOST_TEST(parse_challenges("Basic realm=" + big).malformed == 1u);

    std::string many;
    for (int i = 0; i != 1000; ++i)
        many += "Basic realm=a, ";
    BOOST_TEST(parse_challenges(many).challenges.size() == 16u);

    std::string wide = "Basic a0=b";
    for (int i = 1; i != 1000; ++i)
        wide += ", a" + std::to_string(i) + "=b";
    const challenge_list list = parse_challenges(wide);
    BOOST_REQUIRE(list.challenges.size() == 1u);
    BOOST_TEST(list.challenges[0].parameters.size() == 32u);

    // Parameters of a challenge over the limit go to nobody.
    challenge_limits one;
    one.max_challenges = 1;
    BOOST_TEST(show(parse_challenges("Basic realm=a, Bearer realm=b, service=c", one)) == "basic realm=[a]");
}

// Every prefix and every one-byte change of a good header is read without a crash, and a good challenge set behind it
// after a comma in a header of its own is always found.
BOOST_AUTO_TEST_CASE(any_damage_leaves_the_next_header_whole)
{
    const std::string good = "Digest realm=\"a, b\", nonce=\"x\\\"y\", qop=\"auth\", Negotiate abc==";
    std::vector<std::string> damaged;
    for (std::size_t i = 0; i <= good.size(); ++i)
        damaged.push_back(good.substr(0, i));
    for (std::size_t i = 0; i != good.size(); ++i)
        for (const char c : {'"', ',', '=', '\\', ' ', '\0', '\x7f', '\xff'}) {
            damaged.push_back(good);
            damaged.back()[i] = c;
        }
    for (const std::string& text : damaged) {
        const std::array<std::string_view, 2> values = {text, "Bearer realm=\"r\""};
        const challenge* found = parse_challenges(values).find("bearer");
        BOOST_REQUIRE_MESSAGE(found != nullptr, text);
    }
}

BOOST_AUTO_TEST_CASE(authentication_info_is_read)
{
    const auth_parameters p = parse_auth_parameters("nextnonce=\"n,2\", qop=auth, broken, rspauth=\"ab\", nc=00000001");
    BOOST_TEST(find_parameter(p, "nextnonce").value_or("") == "n,2");
    BOOST_TEST(find_parameter(p, "nc").value_or("") == "00000001");
    BOOST_TEST(p.size() == 4u);
}

BOOST_AUTO_TEST_CASE(quoting_is_undone_by_parsing)
{
    for (const std::string_view text : {"", "a", "a\"b", "\\", "a\\\"b\\", "x, y=\"z\""}) {
        const auto p = parse_auth_parameters("v=" + quote(text));
        BOOST_TEST(find_parameter(p, "v").value_or("?") == text);
    }
}

BOOST_AUTO_TEST_SUITE_END()
