#include "regsweep/auth/digest_auth.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <vector>

using namespace regsweep;

namespace {

using verdict = digest_session::verdict;

credentials login(std::string name, std::string_view password)
{
    credentials out;
    out.kind = credential_kind::basic;
    out.source = "--user";
    out.user = std::move(name);
    out.secret = secret(password);
    return out;
}

std::vector<challenge> parse(std::string_view header)
{
    return parse_challenges(header).challenges;
}

digest_session::cnonce_source always(std::string text)
{
    return [text = std::move(text)] { return text; };
}

// The parameters of an `Authorization` header.
auth_parameters sent(digest_session& session, std::string_view method = "GET", std::string_view target = "/v2/")
{
    const secret header = session.authorization(method, target).value();
    const auto list = parse(header.reveal());
    BOOST_REQUIRE(list.size() == 1u);
    BOOST_REQUIRE(list[0].scheme == "digest");
    return list[0].parameters;
}

std::string get(const auth_parameters& p, std::string_view name)
{
    return std::string(find_parameter(p, name).value_or("(none)"));
}

} // namespace

BOOST_AUTO_TEST_SUITE(digest_authentication)

// RFC 7616 §3.9.1.
constexpr std::string_view rfc7616_md5 =
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, "
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
constexpr std::string_view rfc7616_sha256 =
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
constexpr const char* rfc7616_cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

BOOST_AUTO_TEST_CASE(rfc_7616_md5)
{
    digest_session session(login("Mufasa", "Circle of Life"), always(rfc7616_cnonce));
    BOOST_REQUIRE(!session.ready());
    BOOST_REQUIRE((session.on_challenge(parse(rfc7616_md5)).value() == verdict::retry));
    BOOST_REQUIRE(session.ready());
    BOOST_TEST(session.authorization("GET", "/dir/index.html").value().reveal() ==
               "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "
               "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", uri=\"/dir/index.html\", algorithm=MD5, "
               "qop=auth, nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", "
               "response=\"8ca523f5e9506fed4657c9700eebdbec\", "
               "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"");
}

BOOST_AUTO_TEST_CASE(rfc_7616_sha256_is_preferred)
{
    for (const bool first : {true, false}) {
        std::vector<challenge> both = parse(first ? rfc7616_sha256 : rfc7616_md5);
        both.push_back(parse(first ? rfc7616_md5 : rfc7616_sha256).front());
        digest_session session(login("Mufasa", "Circle of Life"), always(rfc7616_cnonce));
        BOOST_REQUIRE((session.on_challenge(both).value() == verdict::retry));
        const auth_parameters p = sent(session, "GET", "/dir/index.html");
        BOOST_TEST(get(p, "algorithm") == "SHA-256");
        BOOST_TEST(get(p, "response") == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }
}

BOOST_AUTO_TEST_CASE(rfc_2617_example)
{
    digest_session session(login("Mufasa", "Circle Of Life"), always("0a4f113b"));
    BOOST_REQUIRE((session
                       .on_challenge(parse("Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", "
                                           "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "
                                           "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""))
                       .value() == verdict::retry));
    const auth_parameters p = sent(session, "GET", "/dir/index.html");
    BOOST_TEST(get(p, "response") == "6629fae49393a05397450978507c4ef1");
    BOOST_TEST(get(p, "algorithm") == "(none)");
}

// The same without qop, RFC 2069: H(H(A1):nonce:H(A2)), checked with `openssl md5`.
BOOST_AUTO_TEST_CASE(without_qop)
{
    digest_session session(login("Mufasa", "Circle Of Life"), always("0a4f113b"));
    BOOST_REQUIRE((session
                       .on_challenge(parse("Digest realm=\"testrealm@host.com\", "
                                           "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\""))
                       .value() == verdict::retry));
    const auth_parameters p = sent(session, "GET", "/dir/index.html");
    BOOST_TEST(get(p, "response") == "670fd8c2df070c60b045671b8b24ff02");
    for (const char* absent : {"qop", "nc", "cnonce", "opaque"})
        BOOST_TEST(get(p, absent) == "(none)");
}

// Session variants: A1 = H(user:realm:password):nonce:cnonce, checked with `openssl md5` and `openssl sha256`.
BOOST_AUTO_TEST_CASE(session_algorithms)
{
    const std::vector<std::pair<std::string, std::string>> expected = {
        {"MD5-sess", "8e3825c57e897f5a0dec6c2d4e5059d0"},
        {"sha-256-SESS", "b8822e12417cb7750f4e2b8515f0dcf25b7dd26993e80bee1426201446a7f59b"},
    };
    for (const auto& [algorithm, response] : expected) {
        digest_session session(login("Mufasa", "Circle Of Life"), always("0a4f113b"));
        BOOST_REQUIRE((session
                           .on_challenge(parse("Digest realm=\"testrealm@host.com\", qop=auth, algorithm=" + algorithm +
                                               ", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\""))
                           .value() == verdict::retry));
        const auth_parameters p = sent(session, "GET", "/dir/index.html");
        BOOST_TEST(get(p, "algorithm") == algorithm);
        BOOST_TEST(get(p, "response") == response);
    }
}

BOOST_AUTO_TEST_CASE(nonce_count_goes_up_and_starts_again_with_a_new_nonce)
{
    digest_session session(login("a", "b"));
    BOOST_REQUIRE((session.on_challenge(parse("Digest realm=r, nonce=one, qop=auth")).value() == verdict::retry));
    const auth_parameters first = sent(session);
    const auth_parameters second = sent(session);
    BOOST_TEST(get(first, "nc") == "00000001");
    BOOST_TEST(get(second, "nc") == "00000002");
    BOOST_TEST(get(first, "response") != get(second, "response"));
    session.on_success("qop=auth, nextnonce=\"two\"");
    const auth_parameters third = sent(session);
    BOOST_TEST(get(third, "nonce") == "two");
    BOOST_TEST(get(third, "nc") == "00000001");
    session.on_success("nextnonce=\"two\"");
    BOOST_TEST(get(sent(session), "nc") == "00000002");
    session.on_success("nextnonce=\"\", garbage");
    BOOST_TEST(get(sent(session), "nonce") == "two");
}

BOOST_AUTO_TEST_CASE(stale_nonces_are_replaced_but_not_for_ever)
{
    digest_session session(login("a", "b"));
    BOOST_REQUIRE((session.on_challenge(parse("Digest realm=r, nonce=n0, qop=auth")).value() == verdict::retry));
    for (int i = 1; i <= 3; ++i) {
        sent(session);
        const std::string nonce = "n" + std::to_string(i);
        BOOST_REQUIRE((session.on_challenge(parse("Digest realm=r, qop=auth, stale=TRUE, nonce=" + nonce)).value() ==
                       verdict::retry));
        const auth_parameters p = sent(session);
        BOOST_TEST(get(p, "nonce") == nonce);
        BOOST_TEST(get(p, "nc") == "00000001");
    }
    BOOST_TEST(
        (session.on_challenge(parse("Digest realm=r, qop=auth, stale=true, nonce=n9")).value() == verdict::refused));
}

BOOST_AUTO_TEST_CASE(a_refusal_is_final_unless_the_credentials_were_good_before)
{
    digest_session session(login("a", "b"));
    const auto again = parse("Digest realm=r, nonce=n, qop=auth");
    BOOST_REQUIRE((session.on_challenge(again).value() == verdict::retry));
    sent(session);
    BOOST_TEST((session.on_challenge(again).value() == verdict::refused));

    digest_session good(login("a", "b"));
    BOOST_REQUIRE((good.on_challenge(again).value() == verdict::retry));
    sent(good);
    good.on_success();
    sent(good);
    BOOST_TEST((good.on_challenge(again).value() == verdict::retry));
    sent(good);
    BOOST_TEST((good.on_challenge(again).value() == verdict::refused));
}

BOOST_AUTO_TEST_CASE(values_are_quoted_and_cannot_break_out)
{
    digest_session session(login("a\"b\\c", "p"), always("c"));
    BOOST_REQUIRE((session.on_challenge(parse("Digest realm=\"r\\\", x=\\\"y\", nonce=\"n\\\"\", qop=auth")).value() ==
                   verdict::retry));
    const auth_parameters p = sent(session, "GET", "/v2/?q=\"");
    BOOST_TEST(get(p, "username") == "a\"b\\c");
    BOOST_TEST(get(p, "realm") == "r\", x=\"y");
    BOOST_TEST(get(p, "nonce") == "n\"");
    BOOST_TEST(get(p, "uri") == "/v2/?q=\"");
    BOOST_TEST(get(p, "x") == "(none)");
    BOOST_TEST(session.authorization("GET", "/a\r\nX: y").has_error());
}

BOOST_AUTO_TEST_CASE(challenges_that_cannot_be_answered)
{
    for (const char* header : {
             "Basic realm=r",
             "Digest",
             "Digest realm=r",
             "Digest nonce=n",
             "Digest realm=r, nonce=\"\"",
             "Digest realm=r, nonce=n, algorithm=SHA-512-256",
             "Digest realm=r, nonce=n, algorithm=\"\"",
             "Digest realm=r, nonce=n, qop=\"auth-int\"",
             "Digest realm=r, nonce=n, qop=\"\"",
             "Digest abc==",
         }) {
        digest_session session(login("a", "hunter2"));
        const auto answer = session.on_challenge(parse(header));
        BOOST_REQUIRE_MESSAGE(answer.has_error(), header);
        BOOST_TEST(answer.error().is(errc::unauthorized), header);
        BOOST_TEST(!session.ready());
        BOOST_TEST(session.authorization("GET", "/").has_error());
    }
}

BOOST_AUTO_TEST_CASE(a_bad_challenge_beside_a_good_one_does_not_matter)
{
    const auto both = parse("Digest realm=r, nonce=n, algorithm=SHA-512-256, Digest realm=s, nonce=m, algorithm=MD5");
    BOOST_TEST(choose_digest(both).value().realm == "s");
}

BOOST_AUTO_TEST_CASE(only_a_user_with_a_password_can_answer)
{
    credentials token = login("", "hunter2");
    token.kind = credential_kind::identity_token;
    digest_session session(token);
    BOOST_REQUIRE(session.on_challenge(parse("Digest realm=r, nonce=n")).has_value());
    const auto refused = session.authorization("GET", "/");
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST(refused.error().message().find("hunter2") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(client_nonces_do_not_repeat)
{
    std::set<std::string> seen;
    for (int i = 0; i != 100; ++i)
        seen.insert(digest_session::random_cnonce());
    BOOST_TEST(seen.size() == 100u);
    BOOST_TEST(seen.begin()->size() == 32u);
}

BOOST_AUTO_TEST_SUITE_END()
