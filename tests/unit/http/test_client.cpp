// The client against a registry that misbehaves on request.

#include "unit/http/run.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <thread>

using namespace regsweep;
using namespace regsweep::test;
using namespace std::chrono_literals;
using http::method;

namespace {

struct setup
{
    explicit setup(fake_options fake = {}, http::client_options options = quick_options())
        : registry(std::move(fake)), client(io, std::move(options))
    {
        registry.start();
    }

    exchange ask(http::request rq) { return run(io, send(client, origin_of(registry), std::move(rq))); }
    exchange ask(std::string target) { return ask(get(std::move(target))); }

    void harm(fake_action action, std::size_t count = fake_unlimited) { registry.add_rule("", "", action, count); }

    fake_registry registry;
    boost::asio::io_context io{1};
    http::client client;
};

void check_ok(const exchange& e)
{
    BOOST_TEST_REQUIRE(e.sent.has_value(), (e.sent ? "" : e.sent.error().message()));
    BOOST_TEST(e.answer.status == 200U);
}

void check_fails(const exchange& e, errc code)
{
    BOOST_TEST_REQUIRE(e.sent.has_error());
    BOOST_TEST(e.sent.error().is(code), e.sent.error().message());
    BOOST_TEST(!e.sent.error().request.empty());
}

fake_action with_body(std::string body)
{
    return fake_action::answer(200, {}, std::move(body));
}

} // namespace

BOOST_AUTO_TEST_SUITE(client)

BOOST_AUTO_TEST_CASE(one_connection_serves_many_requests)
{
    setup s;
    for (int i = 0; i != 20; ++i)
        check_ok(s.ask(i % 2 == 0 ? get("/v2/") : head("/v2/")));
    BOOST_TEST(s.client.stats().requests == 20U);
    BOOST_TEST(s.client.stats().connections == 1U);
    BOOST_TEST(s.client.stats().retries == 0U);
    BOOST_TEST(s.client.stats().bytes_in > 20 * 50U);
    BOOST_TEST(s.registry.counts().connections == 1U);
}

BOOST_AUTO_TEST_CASE(requests_at_a_time_have_connections_of_their_own_and_these_are_kept)
{
    setup s;
    s.harm(fake_action::wait(20ms));
    for (int round = 0; round != 3; ++round) {
        std::vector<http::awaitable<exchange>> all;
        for (int i = 0; i != 8; ++i)
            all.push_back(send(s.client, origin_of(s.registry), get("/v2/")));
        for (const auto& e : run_all(s.io, std::move(all)))
            check_ok(e);
    }
    BOOST_TEST(s.registry.counts().connections == 8U);
    BOOST_TEST(s.registry.counts().max_concurrent == 8U);
}

BOOST_AUTO_TEST_CASE(what_is_sent)
{
    setup s;
    http::request rq = get("/v2/a/tags/list?n=5");
    rq.accept = "application/json";
    rq.authorization = "Basic eA==";
    s.ask(rq);
    const auto log = s.registry.log();
    BOOST_TEST_REQUIRE(log.size() == 1U);
    BOOST_TEST(log[0].method == "GET");
    BOOST_TEST(log[0].target == "/v2/a/tags/list?n=5");
    BOOST_TEST(log[0].accept == "application/json");
    BOOST_TEST(log[0].authorization == "Basic eA==");
    BOOST_TEST(log[0].user_agent == "regsweep");
    BOOST_TEST(log[0].host == s.registry.address());
}

BOOST_AUTO_TEST_CASE(bodies_are_sent_with_put_and_post)
{
    setup s;
    const std::string content(300'000, 'x');
    http::request rq = get("/other");
    rq.verb = method::put;
    rq.body = content;
    rq.content_type = "text/plain";
    BOOST_TEST(s.ask(rq).sent.has_value());
    rq.verb = method::post;
    rq.body = {};
    BOOST_TEST(s.ask(rq).sent.has_value());
    const auto log = s.registry.log();
    BOOST_TEST_REQUIRE(log.size() == 2U);
    BOOST_TEST(log[0].body == content.substr(0, 4096));
    BOOST_TEST(log[0].content_type == "text/plain");
    BOOST_TEST(log[1].body.empty());
}

BOOST_AUTO_TEST_CASE(a_connection_closed_while_idle_is_replaced_and_not_counted)
{
    fake_options fake;
    fake.idle_timeout = 30ms;
    setup s(fake);
    for (int i = 0; i != 3; ++i) {
        check_ok(s.ask("/v2/"));
        std::this_thread::sleep_for(80ms);
    }
    BOOST_TEST(s.client.stats().retries == 0U);
    BOOST_TEST(s.client.stats().requests == 3U);
    BOOST_TEST(s.registry.counts().connections == 3U);
    BOOST_TEST(s.registry.requests("GET", fake_endpoint::ping) == 3U);
}

BOOST_AUTO_TEST_CASE(a_connection_cut_under_its_second_request_is_replaced_and_not_counted)
{
    http::client_options options = quick_options();
    options.retry.retries = 0;
    for (const auto& harm : {fake_action::reset_after(), fake_action::close_after()}) {
        setup s({}, options);
        check_ok(s.ask("/v2/"));
        s.harm(harm, 1);
        check_ok(s.ask("/v2/"));
        BOOST_TEST(s.client.stats().retries == 0U);
        BOOST_TEST(s.client.stats().requests == 2U);
        BOOST_TEST(s.registry.counts().connections == 2U);
    }
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_cut_is_asked_for_again)
{
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{20}, std::size_t{150}}) {
        for (const auto ending : {fake_ending::reset, fake_ending::close}) {
            BOOST_TEST_CONTEXT("after " << bytes << " bytes")
            {
                setup s;
                fake_action cut = with_body(std::string(5000, 'x'));
                cut.cut_after = bytes;
                cut.ending = ending;
                s.harm(cut, 2);
                check_ok(s.ask("/v2/"));
                BOOST_TEST(s.client.stats().retries == 2U);
                BOOST_TEST(s.client.stats().requests == 3U);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_always_lost_is_an_error)
{
    setup s;
    s.harm(fake_action::reset_after(10));
    check_fails(s.ask("/v2/"), errc::connection_lost);
    BOOST_TEST(s.client.stats().requests == 4U); // one and three repetitions
}

BOOST_AUTO_TEST_CASE(a_content_length_that_is_wrong)
{
    {
        setup s; // more announced than sent, and the connection ends
        fake_action more = with_body("0123456789");
        more.length_error = 5;
        more.ending = fake_ending::close;
        s.harm(more);
        check_fails(s.ask("/x"), errc::connection_lost);
    }
    {
        http::client_options options = quick_options();
        options.idle_timeout = 50ms;
        options.retry.retries = 0;
        setup s({}, options); // and the connection stays
        fake_action more = with_body("0123456789");
        more.length_error = 5;
        s.harm(more);
        check_fails(s.ask("/x"), errc::timed_out);
    }
    {
        setup s; // less announced than sent: what is left over belongs to no answer
        fake_action less = with_body("0123456789");
        less.length_error = -4;
        s.harm(less, 1);
        const auto first = s.ask("/x");
        check_ok(first);
        BOOST_TEST(first.answer.body == "012345");
        check_ok(s.ask("/v2/"));
        BOOST_TEST(s.client.stats().retries == 0U);
    }
}

BOOST_AUTO_TEST_CASE(bodies_over_the_limit)
{
    http::client_options options = quick_options();
    options.body_limit = 100'000;
    {
        setup s({}, options);
        s.harm(with_body(std::string(100'000, 'x')));
        check_ok(s.ask("/x"));
    }
    fake_action endless;
    endless.endless_body = true;
    fake_action chunks = endless;
    chunks.chunked = true;
    for (const auto& harm : {with_body(std::string(100'001, 'x')), endless, chunks}) {
        setup s({}, options);
        s.harm(harm);
        check_fails(s.ask("/x"), errc::too_large);
        BOOST_TEST(s.client.stats().requests == 1U);
        BOOST_TEST(s.client.stats().bytes_in < 300'000U);
    }
}

BOOST_AUTO_TEST_CASE(headers_over_the_limit)
{
    for (const std::size_t size : {std::size_t{70'000}, std::size_t{10'000'000}}) {
        setup s;
        fake_action huge;
        huge.huge_header = size;
        s.harm(huge);
        check_fails(s.ask("/v2/"), errc::too_large);
        BOOST_TEST(s.client.stats().requests == 1U);
        BOOST_TEST(s.client.stats().bytes_in < 200'000U);
    }
    setup s;
    fake_action large;
    large.huge_header = 60'000;
    s.harm(large);
    check_ok(s.ask("/v2/"));
}

BOOST_AUTO_TEST_CASE(servers_that_are_too_slow)
{
    http::client_options options = quick_options();
    options.retry.retries = 1;
    options.idle_timeout = 30ms;
    options.total_timeout = 60ms;
    const fake_action silent = fake_action::wait(10s);
    fake_action header;
    header.header_interval = 5ms;
    fake_action body = with_body(std::string(100'000, 'x'));
    body.body_interval = 5ms;
    for (const auto& harm : {silent, header, body}) {
        setup s({}, options);
        s.harm(harm);
        const auto got = s.ask("/v2/");
        check_fails(got, errc::timed_out);
        BOOST_TEST(got.sent.error().message().find("--timeout") != std::string::npos);
        BOOST_TEST(s.client.stats().requests == 2U);
    }
}

BOOST_AUTO_TEST_CASE(a_slow_answer_within_the_limits_is_waited_for)
{
    http::client_options options = quick_options();
    options.idle_timeout = 2000ms;
    setup s({}, options);
    fake_action slow = with_body("0123456789");
    slow.body_interval = 40ms;
    s.harm(slow);
    const auto got = s.ask("/x");
    check_ok(got);
    BOOST_TEST(got.answer.body == "0123456789");
}

BOOST_AUTO_TEST_CASE(transient_statuses_are_tried_again)
{
    for (const unsigned status : {408U, 429U, 500U, 502U, 503U, 504U}) {
        setup s;
        s.harm(fake_action::answer(status), 2);
        check_ok(s.ask("/v2/"));
        BOOST_TEST(s.client.stats().retries == 2U);
    }
    for (const unsigned status : {400U, 401U, 403U, 404U, 405U, 410U, 501U, 505U}) {
        setup s;
        s.harm(fake_action::answer(status), 2);
        const auto got = s.ask("/v2/");
        BOOST_TEST_REQUIRE(got.sent.has_value());
        BOOST_TEST(got.answer.status == status);
        BOOST_TEST(s.client.stats().retries == 0U);
    }
}

BOOST_AUTO_TEST_CASE(the_last_answer_is_given_when_retries_are_used_up)
{
    setup s;
    s.harm(fake_action::answer(503, {}, "busy"));
    const auto got = s.ask("/v2/");
    BOOST_TEST_REQUIRE(got.sent.has_value());
    BOOST_TEST(got.answer.status == 503U);
    BOOST_TEST(got.answer.body == "busy");
    BOOST_TEST(s.client.stats().requests == 4U);
}

BOOST_AUTO_TEST_CASE(retry_after_closes_the_gate_for_all)
{
    for (const bool as_date : {false, true}) {
        http::client_options options = quick_options();
        options.pause = std::make_shared<http::gate>();
        setup s({}, options);
        boost::asio::io_context other_io{1};
        http::client other(other_io, options); // of another thread: the gate is shared
        const std::string wish = as_date ? http_date(2) : "1";
        s.registry.add_rule("GET", "/limited", fake_action::answer(429, {{"Retry-After", wish}}), 1);
        const auto begin = http::clock::now();
        // The second request is sent while the first one waits.
        const auto late = [&]() -> http::awaitable<exchange> {
            while (!options.pause->closed(http::clock::now()))
                co_await s.client.wait_until(http::clock::now() + 1ms);
            BOOST_TEST(run(other_io, send(other, origin_of(s.registry), get("/v2/"))).sent.has_value());
            co_return co_await send(s.client, origin_of(s.registry), get("/v2/"));
        };
        std::vector<http::awaitable<exchange>> all;
        all.push_back(send(s.client, origin_of(s.registry), get("/limited")));
        all.push_back(late());
        const auto got = run_all(s.io, std::move(all));
        BOOST_TEST(got[0].sent.has_value());
        BOOST_TEST(got[1].sent.has_value());
        BOOST_TEST((http::clock::now() - begin >= 500ms));
        // Nothing was sent between the refusal and the end of the pause.
        BOOST_TEST((options.pause->until() >= begin + 500ms));
        BOOST_TEST(s.registry.counts().requests == 4U);
    }
}

BOOST_AUTO_TEST_CASE(retry_after_in_the_past_or_unreadable_does_not_wait)
{
    for (const std::string wish : {"0", "Sun, 06 Nov 1994 08:49:37 GMT", "soon"}) {
        setup s;
        s.harm(fake_action::answer(503, {{"Retry-After", wish}}), 1);
        check_ok(s.ask("/v2/"));
        BOOST_TEST(s.client.stats().retries == 1U);
    }
}

BOOST_AUTO_TEST_CASE(retry_after_longer_than_the_limit_gives_up)
{
    for (const std::string& wish : {std::string("301"), http_date(4000), std::string("99999999999999")}) {
        setup s;
        s.harm(fake_action::answer(429, {{"Retry-After", wish}}));
        const auto got = s.ask("/v2/");
        BOOST_TEST_REQUIRE(got.sent.has_value());
        BOOST_TEST(got.answer.status == 429U);
        BOOST_TEST(s.client.stats().requests == 1U);
    }
}

// However many share a rate limit, each comes to its turn while the server lets some of them through.
BOOST_AUTO_TEST_CASE(a_rate_limit_that_lets_others_through_fails_nobody)
{
    setup s;
    fake_rule rule;
    rule.probability = 0.85;
    rule.action = fake_action::answer(429);
    s.registry.add_rule(rule);
    std::vector<http::awaitable<exchange>> all;
    for (int i = 0; i != 40; ++i)
        all.push_back(send(s.client, origin_of(s.registry), get("/v2/")));
    std::size_t refused = 0;
    for (const auto& e : run_all(s.io, std::move(all)))
        refused += e.sent && e.answer.status == 429 ? 1U : 0U;
    // Only the last ones, which have nobody beside them any more, may run out of attempts.
    BOOST_TEST(refused <= 6U);
}

BOOST_AUTO_TEST_CASE(the_rate_is_kept)
{
    http::client_options options = quick_options();
    options.rate = 200;
    setup s({}, options);
    const auto begin = http::clock::now();
    for (int i = 0; i != 41; ++i)
        check_ok(s.ask("/v2/"));
    BOOST_TEST((http::clock::now() - begin >= 195ms)); // 40 intervals of 5 ms
}

BOOST_AUTO_TEST_CASE(redirects_on_the_same_origin_keep_authorization)
{
    for (const unsigned status : {301U, 302U, 303U, 307U, 308U}) {
        setup s;
        s.registry.add_rule("", "/from", fake_action::redirect(status, "/v2/?x=1#fragment"));
        http::request rq = get("/from");
        rq.authorization = "Basic eA==";
        check_ok(s.ask(rq));
        rq.verb = method::head;
        check_ok(s.ask(rq));
        const auto log = s.registry.log();
        BOOST_TEST_REQUIRE(log.size() == 4U);
        BOOST_TEST(log[1].target == "/v2/?x=1");
        BOOST_TEST(log[1].authorization == "Basic eA==");
        BOOST_TEST(log[3].method == "HEAD");
    }
}

BOOST_AUTO_TEST_CASE(redirects_to_another_origin_carry_no_authorization)
{
    setup s;
    fake_registry other;
    other.start();
    other.add_rule("", "/back", fake_action::redirect(302, s.registry.url() + "/v2/"));
    s.registry.add_rule("", "/from", fake_action::redirect(302, other.url() + "/back"));
    http::request rq = get("/from");
    rq.authorization = "Basic eA==";
    check_ok(s.ask(rq));
    BOOST_TEST(other.log().at(0).authorization == "");
    // Back on the origin that it belongs to, it stays away: the way there was another's choice.
    BOOST_TEST(s.registry.log().at(1).authorization == "");
}

BOOST_AUTO_TEST_CASE(redirects_end)
{
    setup s;
    s.registry.add_rule("", "/loop", fake_action::redirect(302, "/loop"));
    check_fails(s.ask("/loop"), errc::redirect_refused);
    BOOST_TEST(s.client.stats().requests == 6U);

    // Five are followed.
    for (int i = 0; i != 5; ++i)
        s.registry.add_rule("", "/hop" + std::to_string(i),
                            fake_action::redirect(302, i == 4 ? "/v2/" : "/hop" + std::to_string(i + 1)));
    check_ok(s.ask("/hop0"));
}

BOOST_AUTO_TEST_CASE(redirects_that_lead_nowhere_are_refused)
{
    for (const std::string where :
         {"relative", "ftp://h/", "http://", "http://u:hunter2@h/", "/a b", "//", "http://h:0/"}) {
        setup s;
        s.registry.add_rule("", "/from", fake_action::redirect(302, where));
        const auto got = s.ask("/from");
        check_fails(got, errc::redirect_refused);
        BOOST_TEST(got.sent.error().message().find("hunter2") == std::string::npos);
    }
    setup s; // without a Location there is nothing to follow
    s.registry.add_rule("", "/from", fake_action::answer(302));
    const auto got = s.ask("/from");
    BOOST_TEST(got.sent.has_value());
    BOOST_TEST(got.answer.status == 302U);
}

BOOST_AUTO_TEST_CASE(a_redirect_to_an_origin_that_cannot_be_used_is_an_error)
{
    http::client_options options = quick_options();
    options.tls.trusted = {"/nonexistent/ca.pem"};
    setup s({}, options);
    s.registry.add_rule("", "/from", fake_action::redirect(302, "https://127.0.0.1:1/"));
    check_fails(s.ask("/from"), errc::redirect_refused);
}

BOOST_AUTO_TEST_CASE(changing_requests_are_not_redirected)
{
    setup s;
    s.registry.add_rule("", "/from", fake_action::redirect(307, "/v2/"));
    for (const auto verb : {method::put, method::post, method::del}) {
        http::request rq = get("/from");
        rq.verb = verb;
        const auto got = s.ask(rq);
        BOOST_TEST(got.sent.has_value());
        BOOST_TEST(got.answer.status == 307U);
    }
    BOOST_TEST(s.registry.counts().requests == 3U);
}

BOOST_AUTO_TEST_CASE(forms_of_an_answer)
{
    const std::string body = "some text, long enough to be cut somewhere";
    fake_action chunked = with_body(body);
    chunked.chunked = true;
    fake_action slow_chunks = chunked;
    slow_chunks.body_interval = 1ms;
    slow_chunks.piece = 3;
    fake_action until_end = with_body(body);
    until_end.no_length = true;
    fake_action last = with_body(body);
    last.connection_close = true;
    fake_action old = with_body(body);
    old.http_1_0 = true;
    fake_action zipped = with_body(body);
    zipped.gzip = true;
    fake_action interim = with_body(body);
    interim.interim = true;
    fake_action pieces = with_body(body);
    pieces.header_interval = 1ms;
    pieces.piece = 7;
    for (const auto& harm : {chunked, slow_chunks, until_end, last, old, zipped, interim, pieces}) {
        setup s;
        s.harm(harm);
        for (int i = 0; i != 3; ++i) {
            const auto got = s.ask("/x");
            check_ok(got);
            BOOST_TEST(got.answer.body == body);
        }
        const auto none = s.ask(head("/x"));
        check_ok(none);
        BOOST_TEST(none.answer.body.empty());
        BOOST_TEST(s.client.stats().retries == 0U);
    }
}

BOOST_AUTO_TEST_CASE(connections_that_the_server_ends_are_not_used_again)
{
    fake_options fake;
    fake.requests_per_connection = 1;
    setup s(fake);
    for (int i = 0; i != 4; ++i)
        check_ok(s.ask("/v2/"));
    BOOST_TEST(s.client.stats().connections == 4U);
    BOOST_TEST(s.client.stats().requests == 4U);
}

BOOST_AUTO_TEST_CASE(answers_that_are_no_http)
{
    for (const std::string raw : {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
                                  "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
        setup s;
        fake_action action;
        action.raw = raw;
        action.ending = fake_ending::close;
        s.harm(action);
        check_fails(s.ask("/v2/"), errc::bad_response);
    }
}

BOOST_AUTO_TEST_CASE(interim_answers_without_end)
{
    std::string raw;
    for (int i = 0; i != 1000; ++i)
        raw += "HTTP/1.1 102 Processing\r\n\r\n";
    setup s;
    fake_action action;
    action.raw = raw;
    s.harm(action);
    check_fails(s.ask("/v2/"), errc::bad_response);
}

BOOST_AUTO_TEST_CASE(compressed_bodies_have_limits_too)
{
    http::client_options options = quick_options();
    options.body_limit = 100'000;
    setup s({}, options);
    fake_action bomb = with_body(std::string(5'000'000, ' '));
    bomb.gzip = true;
    s.harm(bomb);
    check_fails(s.ask("/x"), errc::too_large);
}

BOOST_AUTO_TEST_CASE(warnings_are_told_once)
{
    std::vector<std::string> told;
    http::client_options options = quick_options();
    options.on_warning = [&](const std::string& text) { told.push_back(text); };
    fake_options fake;
    fake.extra_headers = {{"Warning", "299 - \"moves soon\""}};
    setup s(fake, options);
    for (int i = 0; i != 5; ++i)
        check_ok(s.ask("/v2/"));
    s.harm(fake_action::answer(200, {{"Warning", "299 - \"red \x1b[31m\""}}));
    s.ask("/v2/");
    s.ask("/v2/");
    BOOST_TEST_REQUIRE(told.size() >= 1U);
    BOOST_TEST(told[0] == "the registry warns: 299 - \"moves soon\"");
    BOOST_TEST(told.size() <= 2U);
    for (const auto& text : told)
        BOOST_TEST(text.find('\x1b') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(cancel_ends_everything_at_once)
{
    http::client_options options = quick_options();
    options.retry.first_delay = options.retry.max_delay = 100s;
    setup s({}, options);
    s.registry.add_rule("", "/slow", fake_action::wait(100s));
    fake_action endless;
    endless.endless_body = true;
    endless.body_interval = 10ms;
    s.registry.add_rule("", "/drip", endless);
    s.registry.add_rule("", "/busy", fake_action::answer(503));
    s.registry.add_rule("", "/limited", fake_action::answer(429, {{"Retry-After", "100"}}), 1);
    std::vector<http::awaitable<exchange>> all;
    for (const auto target : {"/slow", "/slow", "/drip", "/busy", "/busy", "/limited"})
        all.push_back(send(s.client, origin_of(s.registry), get(target)));
    const auto stop = [&]() -> http::awaitable<exchange> {
        while (s.registry.counts().requests != 6)
            co_await s.client.wait_until(http::clock::now() + 2ms);
        co_await s.client.wait_until(http::clock::now() + 20ms);
        s.client.cancel();
        co_return exchange{};
    };
    all.push_back(stop());
    const auto begin = http::clock::now();
    const auto got = run_all(s.io, std::move(all));
    BOOST_TEST((http::clock::now() - begin < 10s)); // not the 100 seconds that they would take
    for (std::size_t i = 0; i != 6; ++i) {
        BOOST_TEST_REQUIRE(got[i].sent.has_error(), i);
        BOOST_TEST(got[i].sent.error().is(errc::cancelled), got[i].sent.error().message());
    }
    const auto after = s.ask("/v2/");
    BOOST_TEST_REQUIRE(after.sent.has_error());
    BOOST_TEST(after.sent.error().is(errc::cancelled));
    BOOST_TEST(s.client.cancelled());
}

BOOST_AUTO_TEST_CASE(nobody_listens)
{
    origin gone;
    {
        fake_registry registry;
        gone = origin_of(registry);
    }
    boost::asio::io_context io{1};
    http::client client(io, quick_options());
    const auto got = run(io, send(client, gone, get("/v2/")));
    check_fails(got, errc::connect_failed);
    BOOST_TEST(got.sent.error().message().find(gone.authority()) != std::string::npos);
    BOOST_TEST(client.stats().connections == 0U);
    BOOST_TEST(client.stats().retries == 3U);
}

BOOST_AUTO_TEST_CASE(names_without_an_address)
{
    boost::asio::io_context io{1};
    http::client_options options = quick_options();
    options.retry.retries = 0;
    http::client client(io, options);
    check_fails(run(io, send(client, {false, "no-such-host.invalid", 80}, get("/"))), errc::resolve_failed);
}

// `localhost` has an IPv6 address on most machines, where the registry does not listen: the next one is tried.
BOOST_AUTO_TEST_CASE(every_address_of_a_name_is_tried)
{
    setup s;
    origin by_name = origin_of(s.registry);
    by_name.host = "localhost";
    check_ok(run(s.io, send(s.client, by_name, get("/v2/"))));
    BOOST_TEST(s.client.stats().retries == 0U);
}

BOOST_AUTO_TEST_CASE(a_server_that_comes_back_is_reached_again)
{
    auto first = std::make_unique<fake_registry>();
    first->start();
    const origin where = origin_of(*first);
    boost::asio::io_context io{1};
    http::client client(io, quick_options());
    check_ok(run(io, send(client, where, get("/v2/"))));
    first.reset();
    check_fails(run(io, send(client, where, get("/v2/"))), errc::connect_failed);
    fake_options same_port;
    same_port.port = where.port;
    fake_registry second(same_port);
    second.start();
    check_ok(run(io, send(client, where, get("/v2/"))));
}

BOOST_AUTO_TEST_SUITE_END()
