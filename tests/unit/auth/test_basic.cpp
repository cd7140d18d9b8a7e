#include "regsweep/auth/basic.hpp"

#include "auth/text.hpp"

#include <boost/test/unit_test.hpp>

#include <concepts>
#include <ostream>
#include <string>
#include <type_traits>

using namespace regsweep;

namespace {

template<class T>
concept printable_type = requires(std::ostream& out, const T& value) { out << value; };
static_assert(!printable_type<secret>, "a secret must not be printable by accident");
static_assert(!std::is_convertible_v<secret, std::string>);
static_assert(!std::is_convertible_v<secret, std::string_view>);
static_assert(!std::is_convertible_v<std::string, secret>);

credentials user(std::string name, std::string_view password)
{
    credentials out;
    out.kind = credential_kind::basic;
    out.source = "--user";
    out.user = std::move(name);
    out.secret = secret(password);
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(basic)

BOOST_AUTO_TEST_CASE(rfc_7617_examples)
{
    BOOST_TEST(basic_authorization(user("Aladdin", "open sesame")).value().reveal() ==
               "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    BOOST_TEST(basic_authorization(user("test", "123\xc2\xa3")).value().reveal() == "Basic dGVzdDoxMjPCow==");
    BOOST_TEST(basic_authorization(user("a", "b:c:d")).value().reveal() == "Basic YTpiOmM6ZA==");
    BOOST_TEST(basic_authorization(user("", "")).value().reveal() == "Basic Og==");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_sent_is_refused_without_the_secret)
{
    for (const auto& who : {user("a:b", "hunter2"), user("a", "hunter2\n"), user("a\r\nX: y", "hunter2")}) {
        const auto refused = basic_authorization(who);
        BOOST_REQUIRE(refused.has_error());
        BOOST_TEST(refused.error().is(errc::bad_argument));
        BOOST_TEST(refused.error().message().find("hunter2") == std::string::npos);
        BOOST_TEST(refused.error().message().find('\n') == std::string::npos);
    }
    credentials token = user("", "hunter2");
    token.kind = credential_kind::identity_token;
    BOOST_TEST(basic_authorization(token).has_error());
}

BOOST_AUTO_TEST_CASE(bearer_header)
{
    BOOST_TEST(bearer_authorization(secret("abc.def")).value().reveal() == "Bearer abc.def");
    for (const char* bad : {"", "a b", "a\r\nX: y", "caf\xc3\xa9", "\x7f"})
        BOOST_TEST(bearer_authorization(secret(bad)).has_error(), bad);
}

BOOST_AUTO_TEST_CASE(secrets_are_values_and_are_wiped_when_moved_from)
{
    std::string source = "short";
    secret a(std::move(source));
    BOOST_TEST(source.empty());
    secret b = a;
    BOOST_TEST((a == b));
    secret c = std::move(a);
    BOOST_TEST(a.empty());
    BOOST_TEST((c == b));
    BOOST_TEST(!(c == secret("shorT")));
    BOOST_TEST(!(c == secret("shor")));
    b = std::move(c);
    b = b;
    BOOST_TEST(b.reveal() == "short");
    BOOST_TEST(to_string(b) == "***");
    std::string text = "abcdef";
    const char* memory = text.data();
    wipe(text);
    for (std::size_t i = 1; i != 6; ++i)
        BOOST_TEST(memory[i] == '\0');
}

BOOST_AUTO_TEST_CASE(base64_both_ways)
{
    using namespace auth_text;
    const std::vector<std::pair<std::string, std::string>> vectors = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [raw, text] : vectors) {
        BOOST_TEST(base64_encode(raw) == text);
        BOOST_TEST(base64_decode(text).value_or("?") == raw);
    }
    std::string all;
    for (int i = 0; i != 256; ++i) {
        all += static_cast<char>(i);
        BOOST_TEST((base64_decode(base64_encode(all)) == all));
    }
    BOOST_TEST(base64_decode("Zg").value_or("?") == "f");
    BOOST_TEST((base64_decode("-_-_") == base64_decode("+/+/")));
    for (const char* bad : {"Z", "Zg=", "Zg===", "Z!==", "Zm9v\n", "=", "Zm=v"})
        BOOST_TEST(!base64_decode(bad).has_value(), bad);
}

BOOST_AUTO_TEST_CASE(percent_encoding)
{
    BOOST_TEST(auth_text::percent_encode("repository:a/b:pull,push") == "repository%3Aa%2Fb%3Apull%2Cpush");
    BOOST_TEST(auth_text::percent_encode("aZ09-._~ &=+%\xc3\xa9") == "aZ09-._~%20%26%3D%2B%25%C3%A9");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(describe_credentials)

BOOST_AUTO_TEST_CASE(every_sentence_names_the_source_and_the_next_step_and_no_secret)
{
    for (const unsigned status : {401u, 403u})
        for (const auto kind : {credential_kind::none, credential_kind::basic, credential_kind::identity_token,
                                credential_kind::registry_token})
            for (const char* scheme : {"", "basic", "digest", "bearer"})
                for (const char* scope : {"", "registry:catalog:*", "repository:a/b:pull", "repository:a/b:pull,delete",
                                          "repository:a/b:pull,push", "nonsense"})
                    for (const bool endpoint : {false, true}) {
                        credentials who = user("al\x1bice", "hunter2-secret");
                        who.kind = kind;
                        who.source = "~/.docker/config.json, auths[\"reg\"]";
                        denial what{status, "reg.example:5000", scheme, {}, endpoint};
                        if (*scope)
                            what.scopes = {scope};
                        const std::string text = describe(what, who);
                        BOOST_TEST(text.find("hunter2") == std::string::npos, text);
                        BOOST_TEST(text.find('\x1b') == std::string::npos, text);
                        BOOST_TEST(text.find("reg.example:5000") != std::string::npos, text);
                        BOOST_TEST(text.find("; ") + 2 < text.size(), text);
                        if (*scope)
                            BOOST_TEST(text.find(scope) != std::string::npos, text);
                        if (kind != credential_kind::none)
                            BOOST_TEST(text.find("config.json") != std::string::npos, text);
                    }
}

BOOST_AUTO_TEST_CASE(sentences)
{
    const credentials alice = user("alice", "pw");
    BOOST_TEST(describe(alice) == "user 'alice' (from --user)");
    BOOST_TEST(describe(credentials()) == "no credentials");
    BOOST_TEST(
        describe(denial{401, "r.example", "bearer", {"repository:a:pull"}, false}, alice) ==
        "r.example did not accept user 'alice' (from --user), scope asked: repository:a:pull; check the user and "
        "the password (a registry with two-factor login wants an access token as password)");
    BOOST_TEST(
        describe(denial{403, "r.example", "bearer", {"registry:catalog:*"}, false}, alice).find("--repos-from") !=
        std::string::npos);
    BOOST_TEST(describe(denial{401, "r.example", "basic", {}, false}, credentials()).find("docker login r.example") !=
               std::string::npos);
    const std::vector<std::string> many(10, "repository:x:pull");
    BOOST_TEST(describe(denial{403, "r", "bearer", many, true}, alice).find("and 6 more") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
