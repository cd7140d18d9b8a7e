#include "regsweep/auth/token_cache.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace regsweep;
using namespace std::chrono_literals;
using action = token_cache::action;

namespace {

const token_cache::time_point start{1000h};

token_answer answer(std::string text, std::chrono::seconds life)
{
    token_answer out;
    out.token = secret(std::move(text));
    out.life = life;
    return out;
}

std::string header(const token_ptr& token)
{
    return token ? std::string(token->authorization.reveal()) : "(none)";
}

// Gives the cache a first token.
token_ptr fill(token_cache& cache, const std::string& key, std::chrono::seconds life)
{
    const auto first = cache.ask(key, start, nullptr);
    BOOST_REQUIRE((first.what == action::fetch));
    return cache.complete(first.ticket, answer("t0", life), start).outcome.value();
}

void run(const token_cache::completion& done)
{
    for (const auto& waiter : done.waiters)
        waiter(done.outcome);
}

} // namespace

BOOST_AUTO_TEST_SUITE(tokens_in_cache)

BOOST_AUTO_TEST_CASE(keys_are_sets_of_rights)
{
    const auto key = [](std::vector<std::string> scopes) { return token_cache::key("https://a", "s", scopes); };
    BOOST_TEST(key({"repository:a:pull,delete"}) == key({"repository:a:delete", "repository:a:pull"}));
    BOOST_TEST(key({"x:a:pull", "x:b:pull"}) == key({"x:b:pull", "x:a:pull"}));
    BOOST_TEST(key({"x:a:pull"}) != key({"x:a:pull,delete"}));
    BOOST_TEST(key({}) != token_cache::key("https://a", "t", {}));
    BOOST_TEST(key({}) != token_cache::key("https://b", "s", {}));
}

BOOST_AUTO_TEST_CASE(one_fetches_and_all_others_wait)
{
    token_cache cache;
    const auto first = cache.ask("k", start, nullptr);
    BOOST_REQUIRE((first.what == action::fetch));
    BOOST_TEST(first.token == nullptr);
    std::vector<std::string> told;
    for (int i = 0; i != 100; ++i)
        BOOST_TEST(
            (cache.ask("k", start, [&](const result<token_ptr>& r) { told.push_back(header(r.value())); }).what ==
             action::wait));
    BOOST_TEST((cache.ask("other", start, nullptr).what == action::fetch));
    BOOST_TEST(told.empty());
    run(cache.complete(first.ticket, answer("abc", 60s), start));
    BOOST_TEST(told.size() == 100u);
    BOOST_TEST(told.front() == "Bearer abc");
    const auto later = cache.ask("k", start + 1s, nullptr);
    BOOST_TEST((later.what == action::use));
    BOOST_TEST(header(later.token) == "Bearer abc");
}

BOOST_AUTO_TEST_CASE(a_failed_fetch_wakes_the_waiters_with_its_error)
{
    token_cache cache;
    const auto first = cache.ask("k", start, nullptr);
    std::optional<error> told;
    cache.ask("k", start, [&](const result<token_ptr>& r) { told = r.error(); });
    run(cache.fail(first.ticket, error(errc::timed_out, "no answer"), start));
    BOOST_REQUIRE(told.has_value());
    BOOST_TEST(told->is(errc::timed_out));
    BOOST_TEST((cache.ask("k", start, nullptr).what == action::fetch));
    BOOST_TEST(cache.fail(first.ticket, error(errc::timed_out, ""), start).waiters.empty());
}

BOOST_AUTO_TEST_CASE(an_unusable_token_is_a_failure)
{
    token_cache cache;
    const auto first = cache.ask("k", start, nullptr);
    int failures = 0;
    cache.ask("k", start, [&](const result<token_ptr>& r) { failures += r.has_error(); });
    const auto done = cache.complete(first.ticket, answer("hunter2\r\nX: y", 60s), start);
    run(done);
    BOOST_TEST(failures == 1);
    BOOST_TEST(done.outcome.error().message().find("hunter2") == std::string::npos);
    BOOST_TEST((cache.ask("k", start, nullptr).what == action::fetch));
}

BOOST_AUTO_TEST_CASE(one_renews_early_and_the_others_go_on)
{
    token_cache cache;
    const token_ptr old = fill(cache, "k", 100s);
    BOOST_TEST((old->renew_at == start + 90s));
    BOOST_TEST((old->expires_at == start + 100s));
    BOOST_TEST((cache.ask("k", start + 89s, nullptr).what == action::use));
    const auto renewer = cache.ask("k", start + 90s, nullptr);
    BOOST_REQUIRE((renewer.what == action::fetch));
    BOOST_TEST(renewer.token == old);
    const auto other = cache.ask("k", start + 91s, nullptr);
    BOOST_TEST((other.what == action::use));
    BOOST_TEST(other.token == old);
    // The old one ends while its renewal is still under way.
    bool told = false;
    BOOST_TEST((cache.ask("k", start + 100s, [&](const auto&) { told = true; }).what == action::wait));
    run(cache.complete(renewer.ticket, answer("t1", 100s), start + 101s));
    BOOST_TEST(told);
    BOOST_TEST(header(cache.ask("k", start + 101s, nullptr).token) == "Bearer t1");
}

BOOST_AUTO_TEST_CASE(the_margin_has_a_limit)
{
    token_cache cache;
    const token_ptr token = fill(cache, "k", 12h);
    BOOST_TEST((token->renew_at == token->expires_at - 30s));
}

BOOST_AUTO_TEST_CASE(a_failed_renewal_is_tried_again_a_little_later)
{
    token_cache cache;
    fill(cache, "k", 100s);
    const auto renewer = cache.ask("k", start + 90s, nullptr);
    BOOST_REQUIRE((renewer.what == action::fetch));
    cache.fail(renewer.ticket, error(errc::timed_out, ""), start + 90s);
    BOOST_TEST((cache.ask("k", start + 91s, nullptr).what == action::use));
    BOOST_TEST((cache.ask("k", start + 93s, nullptr).what == action::fetch));
}

BOOST_AUTO_TEST_CASE(many_failures_with_one_old_token_cause_one_fetch)
{
    token_cache cache;
    const token_ptr old = fill(cache, "k", 1h);
    int fetches = 0;
    int waits = 0;
    std::uint64_t ticket = 0;
    for (int i = 0; i != 50; ++i) {
        cache.reject("k", old->generation);
        const auto d = cache.ask("k", start + 1s, [](const auto&) {});
        fetches += d.what == action::fetch;
        waits += d.what == action::wait;
        ticket = d.what == action::fetch ? d.ticket : ticket;
    }
    BOOST_TEST(fetches == 1);
    BOOST_TEST(waits == 49);
    const token_ptr fresh = cache.complete(ticket, answer("t1", 1h), start + 2s).outcome.value();
    BOOST_TEST(fresh->generation > old->generation);
    // A straggler with the old token does not throw the new one away.
    cache.reject("k", old->generation);
    const auto d = cache.ask("k", start + 3s, nullptr);
    BOOST_TEST((d.what == action::use));
    BOOST_TEST(d.token == fresh);
    cache.reject("unknown", 1);
}

BOOST_AUTO_TEST_CASE(a_rejection_during_a_renewal_waits_for_it)
{
    token_cache cache;
    const token_ptr old = fill(cache, "k", 100s);
    const auto renewer = cache.ask("k", start + 95s, nullptr);
    cache.reject("k", old->generation);
    BOOST_TEST((cache.ask("k", start + 95s, [](const auto&) {}).what == action::wait));
    BOOST_TEST(cache.complete(renewer.ticket, answer("t1", 100s), start + 96s).waiters.size() == 1u);
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_and_fetches_are_not_forgotten)
{
    token_cache_options options;
    options.max_entries = 10;
    token_cache cache(options);
    const auto pending = cache.ask("pending", start, nullptr);
    int told = 0;
    cache.ask("pending", start, [&](const auto&) { ++told; });
    for (int i = 0; i != 1000; ++i) {
        const auto d = cache.ask("k" + std::to_string(i), start, nullptr);
        cache.complete(d.ticket, answer("t", 60s), start);
        cache.ask("k0", start, nullptr); // often asked for, and so kept
    }
    BOOST_TEST(cache.size() <= 10u);
    BOOST_TEST((cache.ask("k999", start, nullptr).what == action::use));
    BOOST_TEST((cache.ask("k500", start, nullptr).what == action::fetch));
    run(cache.complete(pending.ticket, answer("t", 60s), start));
    BOOST_TEST(told == 1);
}

// 64 coroutines that use a token of two seconds' life, which the registry refuses after that whatever the token says:
// fetches ≤ time / life + 1.
BOOST_AUTO_TEST_CASE(a_short_life_costs_one_fetch_each)
{
    token_cache cache;
    auto now = start;
    auto good_until = start;
    int fetches = 0;
    for (int step = 0; step != 10'000; ++step, now += 2ms) {
        auto d = cache.ask("k", now, nullptr);
        if (d.what == action::use && now >= good_until) {
            for (int i = 0; i != 64; ++i)
                cache.reject("k", d.token->generation);
            d = cache.ask("k", now, nullptr);
        }
        if (d.what == action::fetch) {
            ++fetches;
            good_until = now + 2s;
            cache.complete(d.ticket, answer("t", 60s), now);
        }
    }
    BOOST_TEST(fetches <= 11);
    BOOST_TEST(fetches >= 10);
}

// Whatever happens in whatever order: at most one fetch a key, every waiter told exactly once, no ended token in use.
BOOST_AUTO_TEST_CASE(random_histories)
{
    std::mt19937 random(42);
    for (int round = 0; round != 50; ++round) {
        token_cache_options options;
        options.max_entries = 3;
        token_cache cache(options);
        auto now = start;
        std::vector<std::pair<std::string, std::uint64_t>> fetching;
        int waiting = 0;
        int told = 0;
        const auto finish = [&](std::size_t i) {
            const std::uint64_t ticket = fetching[i].second;
            fetching.erase(fetching.begin() + static_cast<std::ptrdiff_t>(i));
            run(random() % 3 != 0 ? cache.complete(ticket, answer("t", std::chrono::seconds(1 + random() % 40)), now)
                                  : cache.fail(ticket, error(errc::timed_out, ""), now));
        };
        for (int step = 0; step != 500; ++step) {
            now += std::chrono::seconds(random() % 5);
            const std::string key(1, static_cast<char>('a' + random() % 6));
            if (random() % 4 == 0 && !fetching.empty()) {
                finish(random() % fetching.size());
                continue;
            }
            const auto d = cache.ask(key, now, [&](const auto&) { ++told; });
            const bool busy =
                std::any_of(fetching.begin(), fetching.end(), [&](const auto& f) { return f.first == key; });
            if (d.what == action::fetch) {
                BOOST_REQUIRE(!busy);
                fetching.emplace_back(key, d.ticket);
            } else if (d.what == action::wait) {
                BOOST_REQUIRE(busy);
                ++waiting;
            }
            if (d.token) {
                BOOST_REQUIRE((now < d.token->expires_at));
                if (random() % 5 == 0)
                    cache.reject(key, d.token->generation);
            }
        }
        while (!fetching.empty())
            finish(0);
        BOOST_TEST(told == waiting);
        BOOST_TEST(cache.size() <= 3u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
