#include "regsweep/auth/token.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using namespace regsweep;
using namespace std::chrono_literals;
using std::chrono::seconds;
using std::chrono::system_clock;

namespace {

const origin https_registry{true, "reg.example", 443};
const origin http_registry{false, "localhost", 5000};

credentials make(credential_kind kind, std::string user, std::string_view secret_text)
{
    credentials out;
    out.kind = kind;
    out.source = "--user";
    out.user = std::move(user);
    out.secret = secret(secret_text);
    return out;
}

token_challenge from(std::string_view header)
{
    return token_challenge::from(parse_challenges(header).challenges.at(0)).value();
}

std::string text(const secret& s)
{
    return std::string(s.reveal());
}

const system_clock::time_point noon = parse_rfc3339("2020-01-01T12:00:00Z").value();

seconds life(std::string_view body)
{
    return parse_token_answer(body, noon).value().life;
}

} // namespace

BOOST_AUTO_TEST_SUITE(scopes)

BOOST_AUTO_TEST_CASE(helpers)
{
    BOOST_TEST(scope_catalog() == "registry:catalog:*");
    BOOST_TEST(scope_pull("a/b") == "repository:a/b:pull");
    BOOST_TEST(scope_delete("a/b") == "repository:a/b:pull,delete");
    BOOST_TEST(scope_push("a/b") == "repository:a/b:pull,push");
    BOOST_TEST(scope_push("a/b", true) == "repository:a/b:pull,push,delete");
}

BOOST_AUTO_TEST_CASE(merging_is_canonical)
{
    const auto merged = merge_scopes({"repository:b:pull", "repository:a:delete,pull", "repository:a:push", "",
                                      "repository:b:pull,pull", "registry:catalog:*", "odd", "odd"});
    const std::vector<std::string> expected = {"odd", "registry:catalog:*", "repository:a:pull,push,delete",
                                               "repository:b:pull"};
    BOOST_TEST(merged == expected, boost::test_tools::per_element());
    BOOST_TEST((merge_scopes(merged) == merged));
    BOOST_TEST(merge_scopes({"repository:host:5000/a:pull", "repository:host:5000/a:delete"}).at(0) ==
               "repository:host:5000/a:pull,delete");
    BOOST_TEST(merge_scopes({"repository:a:*", "repository:a:pull"}).at(0) == "repository:a:pull,*");
    BOOST_TEST(merge_scopes({}).empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(token_requests)

BOOST_AUTO_TEST_CASE(challenge_is_understood)
{
    const token_challenge c = from("Bearer realm=\"https://auth.example/token\",service=\"reg.example\","
                                   "scope=\"repository:b:pull repository:a:delete,pull\",error=\"invalid_token\"");
    BOOST_TEST(c.realm == "https://auth.example/token");
    BOOST_TEST(c.service == "reg.example");
    BOOST_TEST(c.error == "invalid_token");
    const std::vector<std::string> expected = {"repository:a:pull,delete", "repository:b:pull"};
    BOOST_TEST(c.scopes == expected, boost::test_tools::per_element());
    for (const char* bad : {"Bearer", "Bearer service=x", "Bearer realm=\"\"", "Basic realm=\"https://a/\""})
        BOOST_TEST(token_challenge::from(parse_challenges(bad).challenges.at(0)).error().is(errc::unauthorized), bad);
}

BOOST_AUTO_TEST_CASE(anonymous_get)
{
    const auto r = make_token_request(from("Bearer realm=\"https://auth.example/token\",service=\"My Service\""),
                                      credentials(), {scope_pull("a/b"), scope_catalog()}, https_registry)
                       .value();
    BOOST_TEST(r.method == "GET");
    BOOST_TEST(r.url == "https://auth.example/token?service=My%20Service&scope=registry%3Acatalog%3A%2A&"
                        "scope=repository%3Aa%2Fb%3Apull");
    BOOST_TEST(r.server.host == "auth.example");
    BOOST_TEST(r.server.to_string() + r.target == r.url);
    BOOST_TEST(r.authorization.empty());
    BOOST_TEST(r.body.empty());
    BOOST_TEST(r.content_type.empty());
}

BOOST_AUTO_TEST_CASE(scopes_of_the_challenge_are_merged)
{
    const auto r = make_token_request(from("Bearer realm=\"https://a/t?x=1\",scope=\"repository:a:delete\""),
                                      credentials(), {scope_pull("a")}, https_registry)
                       .value();
    BOOST_TEST(r.target == "/t?x=1&scope=repository%3Aa%3Apull%2Cdelete");
    for (const char* realm : {"https://a", "https://a/"})
        BOOST_TEST(make_token_request({realm, "s", {}, ""}, credentials(), {}, https_registry).value().target ==
                   "/?service=s");
    BOOST_TEST(make_token_request({"https://a/t?", "s", {}, ""}, credentials(), {}, https_registry).value().target ==
               "/t?service=s");
    BOOST_TEST(make_token_request({"https://a/t", "", {}, ""}, credentials(), {}, https_registry).value().target ==
               "/t");
}

BOOST_AUTO_TEST_CASE(user_and_password_go_as_basic_and_never_into_the_url)
{
    const auto r =
        make_token_request(from("Bearer realm=\"https://other.example/t\",service=s"),
                           make(credential_kind::basic, "alice", "hunter2"), {scope_pull("a")}, https_registry)
            .value();
    BOOST_TEST(r.method == "GET");
    BOOST_TEST(text(r.authorization) == "Basic YWxpY2U6aHVudGVyMg==");
    BOOST_TEST(r.url.find("hunter2") == std::string::npos);
    BOOST_TEST(r.url.find("alice") == std::string::npos);
    BOOST_TEST(r.body.empty());
}

BOOST_AUTO_TEST_CASE(identity_token_goes_into_the_form_alone)
{
    const auto r = make_token_request(from("Bearer realm=\"https://auth.example/token\",service=\"s&x\""),
                                      make(credential_kind::identity_token, "", "id+tok/en="), {scope_delete("a/b")},
                                      https_registry)
                       .value();
    BOOST_TEST(r.method == "POST");
    BOOST_TEST(r.url == "https://auth.example/token");
    BOOST_TEST(r.authorization.empty());
    BOOST_TEST(r.content_type == "application/x-www-form-urlencoded");
    BOOST_TEST(text(r.body) == "grant_type=refresh_token&service=s%26x&client_id=regsweep&access_type=online&"
                               "scope=repository%3Aa%2Fb%3Apull%2Cdelete&refresh_token=id%2Btok%2Fen%3D");
}

BOOST_AUTO_TEST_CASE(password_grant)
{
    const auto r = make_token_request(from("Bearer realm=\"https://auth.example/token\",service=s"),
                                      make(credential_kind::basic, "al ice", "p&w"), {scope_pull("b"), scope_pull("a")},
                                      https_registry, token_grant::password_post)
                       .value();
    BOOST_TEST(r.method == "POST");
    BOOST_TEST(r.authorization.empty());
    BOOST_TEST(text(r.body) == "grant_type=password&service=s&client_id=regsweep&access_type=online&"
                               "scope=repository%3Aa%3Apull%20repository%3Ab%3Apull&username=al%20ice&password=p%26w");
}

BOOST_AUTO_TEST_CASE(realm_policy)
{
    const auto ask = [](std::string realm, const origin& registry) {
        return make_token_request({std::move(realm), "s", {}, ""}, make(credential_kind::basic, "u", "hunter2"), {},
                                  registry);
    };
    BOOST_TEST(ask("http://auth.example/t", https_registry).error().is(errc::redirect_refused));
    BOOST_TEST(ask("HTTP://reg.example/t", https_registry).error().is(errc::redirect_refused));
    BOOST_TEST(ask("http://auth.example/t", http_registry).has_value());
    BOOST_TEST(ask("https://auth.example/t", http_registry).has_value());
    BOOST_TEST(ask("https://elsewhere.example:8443/t", https_registry).value().server.port == 8443);
    for (const char* bad : {"", "/token", "auth.example/token", "https:///token", "https://", "ftp://a/t",
                            "file:///etc/passwd", "https://u:hunter2@a/t", "https://a/t#f", "https://a/t\r\nX: y",
                            "https://a b/", "https://a:b", "https://1.2.3.4.evil/t", "javascript:1"}) {
        const auto refused = ask(bad, https_registry);
        BOOST_REQUIRE_MESSAGE(refused.has_error(), bad);
        BOOST_TEST(refused.error().message().find("hunter2") == std::string::npos, bad);
    }
}

BOOST_AUTO_TEST_CASE(registry_tokens_are_not_sent_to_the_realm)
{
    const auto refused = make_token_request({"https://a/t", "s", {}, ""},
                                            make(credential_kind::registry_token, "", "hunter2"), {}, https_registry);
    BOOST_REQUIRE(refused.has_error());
    BOOST_TEST(refused.error().message().find("hunter2") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(token_answers)

BOOST_AUTO_TEST_CASE(both_names_of_the_token)
{
    BOOST_TEST(text(parse_token_answer(R"({"token":"a.b"})", noon).value().token) == "a.b");
    BOOST_TEST(text(parse_token_answer(R"({"access_token":"c"})", noon).value().token) == "c");
    BOOST_TEST(text(parse_token_answer(R"({"token":"a","access_token":"c"})", noon).value().token) == "a");
    BOOST_TEST(text(parse_token_answer(R"({"token":"","access_token":"c"})", noon).value().token) == "c");
    BOOST_TEST(text(parse_token_answer(R"({"token":null,"access_token":"c"})", noon).value().token) == "c");
}

BOOST_AUTO_TEST_CASE(life_of_a_token)
{
    BOOST_TEST((life(R"({"token":"t"})") == 60s));
    BOOST_TEST((life(R"({"token":"t","expires_in":300})") == 300s));
    BOOST_TEST((life(R"({"token":"t","expires_in":300.7})") == 300s));
    BOOST_TEST((life(R"({"token":"t","expires_in":"300"})") == 300s));
    for (const char* value : {"2", "0", "-5", "null", "\"x\"", "{}", "-1e300", "true"})
        BOOST_TEST((life(R"({"token":"t","expires_in":)" + std::string(value) + "}") == 60s), value);
    for (const char* value : {"1e300", "9223372036854775807", "18446744073709551615", "1e10"})
        BOOST_TEST((life(R"({"token":"t","expires_in":)" + std::string(value) + "}") == seconds(30 * 24 * 3600)),
                   value);
    token_limits honest;
    honest.minimum_life = 1s;
    BOOST_TEST((parse_token_answer(R"({"token":"t","expires_in":2})", noon, honest).value().life == 2s));
}

BOOST_AUTO_TEST_CASE(issued_at_shortens_life_unless_the_clocks_differ)
{
    const auto with = [](std::string_view issued) {
        return life(R"({"token":"t","expires_in":300,"issued_at":")" + std::string(issued) + "\"}");
    };
    BOOST_TEST((with("2020-01-01T12:00:00Z") == 300s));
    BOOST_TEST((with("2020-01-01T11:59:00Z") == 240s));
    BOOST_TEST((with("2020-01-01T13:59:00.123456789+02:00") == 240s));
    BOOST_TEST((with("2020-01-01T12:10:00Z") == 300s));
    BOOST_TEST((with("2020-01-01T11:00:00Z") == 300s));
    BOOST_TEST((with("1970-01-01T00:00:00Z") == 300s));
    BOOST_TEST((with("0001-01-01T00:00:00Z") == 300s));
    BOOST_TEST((with("9999-01-01T00:00:00Z") == 300s));
    BOOST_TEST((with("yesterday") == 300s));
    BOOST_TEST((with("") == 300s));
}

BOOST_AUTO_TEST_CASE(rfc_3339)
{
    const auto unix = [](std::string_view s) {
        const auto t = parse_rfc3339(s);
        return t ? std::chrono::duration_cast<seconds>(t->time_since_epoch()).count() : -1;
    };
    BOOST_TEST(unix("1970-01-01T00:00:00Z") == 0);
    BOOST_TEST(unix("2009-02-13T23:31:30Z") == 1234567890);
    BOOST_TEST(unix("2009-02-14T01:01:30.999+01:30") == 1234567890);
    BOOST_TEST(unix("2009-02-13t15:31:30-08:00") == 1234567890);
    BOOST_TEST(unix("2016-12-31T23:59:60Z") == 1483228800);
    for (const char* bad :
         {"", "2009", "2009-02-30T00:00:00Z", "2009-13-01T00:00:00Z", "2009-02-13T24:00:00Z", "2009-02-13T23:31:30",
          "2009-02-13 23:31:30Z", "2009-02-13T23:31:30.Z", "2009-02-13T23:31:30+0100", "2009-02-13T23:31:30+24:00",
          "2009-02-13T23:31:30Zx", "+009-02-13T23:31:30Z", "2009-2-13T23:31:30Z"})
        BOOST_TEST(!parse_rfc3339(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(bad_answers_are_one_error_without_the_body)
{
    const std::vector<std::string> bad = {"",
                                          "hunter2",
                                          "<html>hunter2</html>",
                                          R"(["hunter2"])",
                                          R"("hunter2")",
                                          R"({"token":)",
                                          R"({"token":"hunter2")",
                                          R"({"token":["hunter2"]})",
                                          R"({"token":{"a":"hunter2"}})",
                                          R"({"token":12})",
                                          R"({"token":""})",
                                          R"({"Token":"hunter2"})",
                                          R"({"token":"hunter2\r\nX-Evil: 1"})",
                                          R"({"token":"hunter2 x"})",
                                          "{\"token\":\"hunter2\xc3\xa9\"}",
                                          R"({"token":"hunter2\u0000"})",
                                          R"({"details":"hunter2"})",
                                          std::string(100, '['),
                                          "{\"token\":\"" + std::string(70'000, 'x') + "\"}",
                                          std::string(2'000'000, ' ')};
    for (const std::string& body : bad) {
        const auto refused = parse_token_answer(body, noon);
        BOOST_REQUIRE_MESSAGE(refused.has_error(), body.substr(0, 100));
        const std::string message = refused.error().message();
        BOOST_TEST(message.find("hunter2") == std::string::npos, message);
        BOOST_TEST((refused.error().is(errc::bad_response) || refused.error().is(errc::too_large)), message);
    }
}

BOOST_AUTO_TEST_SUITE_END()
