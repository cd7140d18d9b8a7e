// Authentication over the wire, against the fake registry and its token service.

#include "unit/http/run.hpp"

#include "regsweep/auth/authenticator.hpp"
#include "regsweep/auth/token_cache.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

using namespace regsweep;
using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

credentials alice(const std::string& password = "hunter2")
{
    return {credential_kind::basic, "--user", "alice", secret(password.c_str())};
}

fake_options with_auth(fake_auth_kind kind)
{
    fake_options fake;
    fake.auth.kind = kind;
    fake.auth.user = "alice";
    fake.auth.password = "hunter2";
    fake.auth.refresh_token = "hunter3";
    return fake;
}

struct setup
{
    explicit setup(fake_options fake, credentials who = {}) : setup(std::move(fake), std::move(who), quick_options()) {}
    setup(fake_options fake, credentials who, http::client_options options)
        : registry(std::move(fake)), client(io, std::move(options)),
          auth(client, registry_address::parse(registry.url()).value(), options_for(std::move(who)))
    {
        registry.put_image("a", "1", "one");
        registry.put_image("b", "1", "one");
        registry.start();
    }

    static authenticator_options options_for(credentials who)
    {
        authenticator_options out;
        out.who = std::move(who);
        return out;
    }

    static http::awaitable<exchange> ask(authenticator& auth, std::string repository)
    {
        exchange out;
        http::request rq = get("/v2/" + repository + "/tags/list");
        const std::string name = std::move(repository);
        out.sent = co_await auth.send(rq, out.answer, {access::kind::pull, name});
        // Told as a failure, since Boost.Test's own checks are for one thread only.
        if (!rq.authorization.empty())
            out.sent = error(errc::bad_argument, "the request kept its authorization");
        co_return out;
    }
    exchange ask(const std::string& repository = "a") { return run(io, ask(auth, repository)); }
    std::vector<exchange> ask_at_a_time(int count)
    {
        std::vector<http::awaitable<exchange>> all;
        for (int i = 0; i != count; ++i)
            all.push_back(ask(auth, "a"));
        return run_all(io, std::move(all));
    }

    fake_registry registry;
    boost::asio::io_context io{1};
    http::client client;
    authenticator auth;
};

void check_status(const exchange& e, unsigned status)
{
    BOOST_TEST_REQUIRE(e.sent.has_value(), (e.sent ? "" : e.sent.error().message()));
    BOOST_TEST(e.answer.status == status);
}

void check_silent(const std::string& text)
{
    BOOST_TEST(text.find("hunter") == std::string::npos, text);
    BOOST_TEST(text.find("YWxpY2U6") == std::string::npos, text); // alice:… in base64
}

const std::string basic_header = "Basic YWxpY2U6aHVudGVyMg==";

} // namespace

BOOST_AUTO_TEST_SUITE(authenticators)

BOOST_AUTO_TEST_CASE(no_credentials_where_none_are_wanted)
{
    setup s(with_auth(fake_auth_kind::none));
    check_status(s.ask(), 200);
    BOOST_TEST(s.registry.log().at(0).authorization == "");
}

BOOST_AUTO_TEST_CASE(basic)
{
    setup s(with_auth(fake_auth_kind::basic), alice());
    check_status(s.ask(), 200);
    BOOST_TEST(s.registry.counts().requests == 1U); // no 401 first
    BOOST_TEST(s.registry.log().at(0).authorization == basic_header);
}

BOOST_AUTO_TEST_CASE(wrong_or_missing_basic_is_one_401)
{
    for (const bool anonymous : {false, true}) {
        setup s(with_auth(fake_auth_kind::basic), anonymous ? credentials{} : alice("hunter4"));
        check_status(s.ask(), 401);
        BOOST_TEST(s.registry.counts().requests == 1U);
        const std::string text = s.auth.explain(401, {access::kind::pull, "a"});
        check_silent(text);
        BOOST_TEST(text.find(anonymous ? "no credentials" : "alice") != std::string::npos, text);
    }
}

BOOST_AUTO_TEST_CASE(bearer)
{
    setup s(with_auth(fake_auth_kind::bearer), alice());
    for (int i = 0; i != 5; ++i)
        check_status(s.ask(), 200);
    BOOST_TEST(s.registry.auth().tokens_issued() == 1U);
    // A 401, the token, the request again and the four others.
    BOOST_TEST(s.registry.counts().requests == 7U);
    BOOST_TEST(s.registry.requests("GET", "/token") == 1U);
    for (const auto& r : s.registry.log())
        if (r.target.starts_with("/token")) {
            BOOST_TEST(r.authorization == basic_header);
            BOOST_TEST(r.target.find("scope=repository") != std::string::npos);
            BOOST_TEST(r.target.find("hunter") == std::string::npos);
        }
}

BOOST_AUTO_TEST_CASE(both_names_of_the_token_field)
{
    for (const std::string field : {"token", "access_token", "both"}) {
        fake_options fake = with_auth(fake_auth_kind::bearer);
        fake.auth.token_field = field;
        fake.auth.issued_at = true;
        fake.auth.expires_in = 300;
        setup s(fake, alice());
        check_status(s.ask(), 200);
    }
}

BOOST_AUTO_TEST_CASE(one_token_however_many_wait)
{
    setup s(with_auth(fake_auth_kind::bearer), alice());
    s.registry.add_rule("", "/token", fake_action::wait(50ms));
    for (const auto& e : s.ask_at_a_time(30))
        check_status(e, 200);
    BOOST_TEST(s.registry.auth().tokens_issued() == 1U);
    BOOST_TEST(s.registry.requests("", fake_endpoint::token) == 1U);
}

BOOST_AUTO_TEST_CASE(one_failure_however_many_wait)
{
    setup s(with_auth(fake_auth_kind::bearer), alice("hunter4"));
    s.registry.add_rule("", "/token", fake_action::wait(50ms));
    for (const auto& e : s.ask_at_a_time(30)) {
        BOOST_TEST_REQUIRE(e.sent.has_error());
        BOOST_TEST(e.sent.error().is(errc::unauthorized));
        check_silent(e.sent.error().message());
    }
    BOOST_TEST(s.registry.requests("", fake_endpoint::token) == 1U);
}

// Threads with a client each share what they know.
BOOST_AUTO_TEST_CASE(one_token_for_all_threads)
{
    fake_registry registry(with_auth(fake_auth_kind::bearer));
    registry.put_image("a", "1", "one");
    registry.start();
    registry.add_rule("", "/token", fake_action::wait(50ms));
    authenticator_options options;
    options.who = alice();
    options.tokens = make_token_store();
    const auto address = registry_address::parse(registry.url()).value();
    std::atomic<int> served{0};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t != 4; ++t)
            threads.emplace_back([&] {
                boost::asio::io_context io{1};
                http::client client(io, quick_options());
                authenticator auth(client, address, options);
                std::vector<http::awaitable<exchange>> all;
                for (int i = 0; i != 8; ++i)
                    all.push_back(setup::ask(auth, "a"));
                for (const auto& e : run_all(io, std::move(all)))
                    served += e.sent && e.answer.status == 200 ? 1 : 0;
            });
    }
    BOOST_TEST(served == 32);
    BOOST_TEST(registry.auth().tokens_issued() == 1U);
}

BOOST_AUTO_TEST_CASE(scopes_are_for_each_repository)
{
    setup s(with_auth(fake_auth_kind::bearer), alice());
    for (int i = 0; i != 3; ++i) {
        check_status(s.ask("a"), 200);
        check_status(s.ask("b"), 200);
    }
    BOOST_TEST(s.registry.auth().tokens_issued() == 2U);
}

BOOST_AUTO_TEST_CASE(challenges_without_a_scope)
{
    fake_options fake = with_auth(fake_auth_kind::bearer);
    fake.auth.scope_in_challenge = false;
    setup s(fake, alice());
    check_status(s.ask("a"), 200);
    check_status(s.ask("b"), 200);
    BOOST_TEST(s.registry.auth().tokens_issued() == 2U);
}

BOOST_AUTO_TEST_CASE(tokens_that_end_are_replaced)
{
    setup s(with_auth(fake_auth_kind::bearer), alice());
    check_status(s.ask(), 200);
    s.registry.auth().revoke_all();
    // Thirty requests meet the old token's end together.
    for (const auto& e : s.ask_at_a_time(30))
        check_status(e, 200);
    BOOST_TEST(s.registry.auth().tokens_issued() == 2U);
}

// Tokens that live much shorter than they say, for a while of many requests.
BOOST_AUTO_TEST_CASE(tokens_that_end_early)
{
    fake_options fake = with_auth(fake_auth_kind::bearer);
    fake.auth.lifetime = 100ms;
    setup s(fake, alice());
    const auto begin = http::clock::now();
    int requests = 0;
    while (http::clock::now() - begin < 450ms) {
        check_status(s.ask(), 200);
        ++requests;
    }
    const auto took = http::clock::now() - begin;
    BOOST_TEST(s.registry.auth().tokens_issued() >= 2U);
    BOOST_TEST(s.registry.auth().tokens_issued() <= static_cast<std::size_t>(took / 100ms) + 1);
}

BOOST_AUTO_TEST_CASE(anonymous_tokens)
{
    fake_options fake = with_auth(fake_auth_kind::bearer);
    fake.auth.anonymous_pull = true;
    setup s(fake);
    check_status(s.ask(), 200);
    for (const auto& r : s.registry.log())
        if (r.target.starts_with("/token"))
            BOOST_TEST(r.authorization == "");
}

BOOST_AUTO_TEST_CASE(identity_tokens_go_to_the_token_service_by_post)
{
    setup s(with_auth(fake_auth_kind::bearer),
            {credential_kind::identity_token, "config.json", "alice", secret("hunter3")});
    check_status(s.ask(), 200);
    std::size_t posts = 0;
    for (const auto& r : s.registry.log()) {
        BOOST_TEST(r.target.find("hunter3") == std::string::npos);
        if (r.target.starts_with("/token")) {
            ++posts;
            BOOST_TEST(r.method == "POST");
            BOOST_TEST(r.content_type == "application/x-www-form-urlencoded");
            BOOST_TEST(r.body.find("refresh_token=hunter3") != std::string::npos);
        } else {
            BOOST_TEST(r.authorization.find("hunter3") == std::string::npos);
        }
    }
    BOOST_TEST(posts == 1U);
}

BOOST_AUTO_TEST_CASE(registry_tokens_are_sent_as_they_are)
{
    setup s(with_auth(fake_auth_kind::bearer), {credential_kind::registry_token, "config.json", "", secret("hunter5")});
    check_status(s.ask(), 401); // the fake does not know it
    BOOST_TEST(s.registry.log().at(0).authorization == "Bearer hunter5");
    BOOST_TEST(s.registry.requests("", fake_endpoint::token) == 0U);
    check_silent(s.auth.explain(401, {access::kind::pull, "a"}));
}

BOOST_AUTO_TEST_CASE(a_realm_elsewhere_gets_what_is_its_own_and_no_token_of_the_registry)
{
    fake_registry service(with_auth(fake_auth_kind::bearer));
    service.start();
    fake_options fake = with_auth(fake_auth_kind::bearer);
    fake.auth.realm = service.url() + "/token";
    setup s(fake, alice());
    // The registry does not know the service's tokens, so that a second one is fetched, and no third.
    check_status(s.ask(), 401);
    BOOST_TEST(service.auth().tokens_issued() == 2U);
    for (const auto& r : service.log())
        BOOST_TEST(r.authorization == basic_header);
    BOOST_TEST(s.registry.counts().requests == 3U);
    check_silent(s.auth.explain(401, {access::kind::pull, "a"}));
    BOOST_TEST(s.auth.explain(401, {access::kind::pull, "a"}).find("repository:a:pull") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_token_service_that_sends_us_elsewhere_shows_nobody_the_password)
{
    fake_registry elsewhere;
    elsewhere.start();
    setup s(with_auth(fake_auth_kind::bearer), alice());
    s.registry.add_rule("", "/token", fake_action::redirect(302, elsewhere.url() + "/token"));
    const auto got = s.ask();
    BOOST_TEST(got.sent.has_error());
    for (const auto& r : elsewhere.log())
        BOOST_TEST(r.authorization == "");
}

BOOST_AUTO_TEST_CASE(realms_that_cannot_be_used)
{
    for (const std::string realm :
         {"ftp://h/token", "/token", "https://", "http://alice:hunter2@h/token", "https://h:99999/"}) {
        fake_options fake = with_auth(fake_auth_kind::bearer);
        fake.auth.realm = realm;
        setup s(fake, alice());
        const auto got = s.ask();
        BOOST_TEST_REQUIRE(got.sent.has_error(), realm);
        check_silent(got.sent.error().message());
        for (const auto& e : s.ask_at_a_time(3)) // nobody waits for ever
            BOOST_TEST(e.sent.has_error());
    }
}

// The realm is the first https origin of this client, and its certificates turn out unusable.
BOOST_AUTO_TEST_CASE(a_realm_whose_connection_cannot_be_set_up_is_an_error_for_all)
{
    fake_options fake = with_auth(fake_auth_kind::bearer);
    fake.auth.realm = "https://127.0.0.1:1/token";
    http::client_options options = quick_options();
    options.tls.trusted = {"/nonexistent/ca.pem"};
    setup s(fake, alice(), options);
    for (const auto& e : s.ask_at_a_time(5)) {
        BOOST_TEST_REQUIRE(e.sent.has_error());
        BOOST_TEST(e.sent.error().is(errc::tls_failed), e.sent.error().message());
    }
}

BOOST_AUTO_TEST_CASE(answers_of_a_token_service_that_are_none)
{
    for (const auto& answer : {fake_action::answer(200, {}, "{}"), fake_action::answer(200, {}, "<html>hunter2</html>"),
                               fake_action::answer(404), fake_action::answer(500), fake_action::answer(401),
                               fake_action::answer(403), fake_action::answer(200, {}, "{\"token\":\"\"}"),
                               fake_action::answer(200, {}, "{\"token\":\"a\\nb: c\"}"), fake_action::reset_after(5)}) {
        setup s(with_auth(fake_auth_kind::bearer), alice());
        s.registry.add_rule("", "/token", answer);
        const auto got = s.ask();
        BOOST_TEST_REQUIRE(got.sent.has_error());
        check_silent(got.sent.error().message());
        // It is no state for ever.
        s.registry.clear_rules();
        check_status(s.ask(), 200);
    }
}

BOOST_AUTO_TEST_CASE(a_refusal_of_a_fresh_token_is_one_clear_401)
{
    fake_options fake = with_auth(fake_auth_kind::bearer);
    fake.auth.actions = {}; // tokens without any right
    setup s(fake, alice());
    check_status(s.ask(), 401);
    BOOST_TEST(s.registry.requests("", fake_endpoint::tags) == 3U);
    const std::string text = s.auth.explain(401, {access::kind::pull, "a"});
    BOOST_TEST(text.find("alice") != std::string::npos, text);
    BOOST_TEST(text.find("repository:a:pull") != std::string::npos, text);
    check_silent(text);
}

BOOST_AUTO_TEST_CASE(cancel_wakes_those_who_wait_for_a_token)
{
    setup s(with_auth(fake_auth_kind::bearer), alice());
    s.registry.add_rule("", "/token", fake_action::wait(100s));
    std::vector<http::awaitable<exchange>> all;
    for (int i = 0; i != 5; ++i)
        all.push_back(setup::ask(s.auth, "a"));
    const auto stop = [&]() -> http::awaitable<exchange> {
        while (s.registry.requests("", fake_endpoint::token) == 0)
            co_await s.client.wait_until(http::clock::now() + 2ms);
        s.client.cancel();
        co_return exchange{};
    };
    all.push_back(stop());
    const auto got = run_all(s.io, std::move(all));
    for (std::size_t i = 0; i != 5; ++i) {
        BOOST_TEST_REQUIRE(got[i].sent.has_error());
        BOOST_TEST(got[i].sent.error().is(errc::cancelled), got[i].sent.error().message());
    }
}

BOOST_AUTO_TEST_SUITE_END()
