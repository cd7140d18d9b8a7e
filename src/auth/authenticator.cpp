#include "regsweep/auth/authenticator.hpp"

#include "regsweep/auth/basic.hpp"
#include "regsweep/auth/challenge.hpp"
#include "regsweep/auth/digest_auth.hpp"
#include "regsweep/auth/token.hpp"
#include "regsweep/auth/token_cache.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <mutex>
#include <optional>

namespace regsweep {

namespace asio = boost::asio;
using http::awaitable;

class token_store
{
public:
    token_cache::decision ask(const std::string& key, token_cache::waiter when_done)
    {
        const std::lock_guard lock(guard_);
        return cache_.ask(key, http::clock::now(), std::move(when_done));
    }
    void reject(const std::string& key, std::uint64_t generation)
    {
        const std::lock_guard lock(guard_);
        cache_.reject(key, generation);
    }
    result<token_ptr> settle(std::uint64_t ticket, result<token_answer> answer)
    {
        auto done = [&] {
            const std::lock_guard lock(guard_);
            return answer ? cache_.complete(ticket, *std::move(answer), http::clock::now())
                          : cache_.fail(ticket, answer.error(), http::clock::now());
        }();
        for (const auto& waiter : done.waiters)
            waiter(done.outcome);
        return done.outcome;
    }

private:
    std::mutex guard_;
    token_cache cache_;
};

std::shared_ptr<token_store> make_token_store()
{
    return std::make_shared<token_store>();
}

namespace {

using timer = asio::basic_waitable_timer<http::clock, asio::wait_traits<http::clock>, http::executor>;

std::vector<std::string> scopes_of(access rights)
{
    switch (rights.what) {
    case access::kind::ping: return {};
    case access::kind::catalog: return {scope_catalog()};
    case access::kind::pull: return {scope_pull(rights.repository)};
    case access::kind::remove: return {scope_delete(rights.repository)};
    case access::kind::push: return {scope_push(rights.repository, true)};
    }
    return {};
}

// What a coroutine that waits for another one's token shares with it.
struct waiting
{
    explicit waiting(http::executor where) : wake(where, http::clock::time_point::max()) {}
    timer wake;
    std::optional<result<token_ptr>> outcome;
};

} // namespace

struct authenticator::impl
{
    impl(http::client& c, const registry_address& r, authenticator_options o)
        : connection(c), registry(r), options(std::move(o)), endpoint(c.at(r.server))
    {
        if (!options.tokens)
            options.tokens = make_token_store();
        const credentials& who = options.who;
        if (who.kind == credential_kind::basic && !options.digest)
            fixed = basic_authorization(who).value();
        if (who.kind == credential_kind::registry_token)
            fixed = bearer_authorization(who.secret).value();
    }

    // The token to use without asking the store, while requests want the same rights.
    const bearer_token* known(access rights, http::clock::time_point now) const noexcept
    {
        return latest && latest_rights == rights.what && latest_repository == rights.repository &&
                       now < latest->renew_at
                   ? latest.get()
                   : nullptr;
    }

    awaitable<result<token_ptr>> token_for(access rights, const std::vector<std::string>& wanted);
    awaitable<result<token_answer>> fetch(std::vector<std::string> wanted);
    awaitable<result<void>> send_with_token(http::request& rq, http::response& rs, access rights);
    awaitable<result<void>> send_with_digest(http::request& rq, http::response& rs);

    std::string key(const std::vector<std::string>& wanted) const
    {
        return token_cache::key(bearer->realm, bearer->service, wanted);
    }
    error refused(unsigned status, access rights, bool by_token_endpoint) const;

    http::client& connection;
    const registry_address registry;
    authenticator_options options;
    http::client::endpoint& endpoint;
    secret fixed;                          // sent with every request until the registry asks for something else
    std::optional<token_challenge> bearer; // where tokens come from, once the registry has said so
    std::unique_ptr<digest_session> digest;
    token_ptr latest;
    access::kind latest_rights = access::kind::ping;
    std::string latest_repository;
};

authenticator::authenticator(http::client& connection, const registry_address& registry, authenticator_options options)
    : impl_(std::make_unique<impl>(connection, registry, std::move(options)))
{}

authenticator::~authenticator() = default;

error authenticator::impl::refused(unsigned status, access rights, bool by_token_endpoint) const
{
    denial what;
    what.status = status;
    what.registry = registry.name;
    what.scheme = bearer ? "bearer" : digest ? "digest" : fixed.empty() ? "" : "basic";
    if (bearer)
        what.scopes = scopes_of(rights);
    what.token_endpoint = by_token_endpoint;
    if (status == 401 && options.digest && !digest && !bearer && options.who.kind == credential_kind::basic)
        return {errc::unauthorized, registry.name + " asks for another login than HTTP Digest, so that " +
                                        describe(options.who) + " was not tried; leave --digest-auth out"};
    return {status == 403 ? errc::forbidden : errc::unauthorized, describe(what, options.who)};
}

awaitable<result<token_answer>> authenticator::impl::fetch(std::vector<std::string> wanted)
{
    token_challenge from = *bearer;
    from.scopes.clear(); // those of the request that brought the challenge
    auto made = make_token_request(from, options.who, wanted, registry.server);
    if (!made)
        co_return made.error();
    http::request rq;
    rq.verb = made->method == "POST" ? http::method::post : http::method::get;
    rq.target = made->target;
    rq.authorization = made->authorization.reveal();
    rq.content_type = made->content_type;
    rq.body = made->body.reveal();
    http::client::endpoint* service = nullptr;
    try { // its proxy or its certificates may turn out unusable; others wait for an answer
        service = &connection.at(made->server);
    } catch (const failure& f) {
        co_return f.why();
    }
    http::response rs;
    auto sent = co_await connection.send(*service, rq, rs);
    if (!sent)
        co_return sent.error();
    if (rs.status != 200) {
        error e = http::status_error(rq, rs);
        e.request = made->method + " " + made->server.to_string() + made->target.substr(0, made->target.find('?'));
        if (rs.status == 401 || rs.status == 403) {
            denial what;
            what.status = rs.status;
            what.registry = registry.name;
            what.scheme = "bearer";
            what.scopes = wanted;
            what.token_endpoint = true;
            e.detail = describe(what, options.who);
        } else {
            e.code = make_error_code(errc::unauthorized);
            e.detail = "the token endpoint gave no token" + (e.detail.empty() ? "" : "; " + e.detail);
        }
        co_return e;
    }
    co_return parse_token_answer(rs.body, std::chrono::system_clock::now());
}

awaitable<result<token_ptr>> authenticator::impl::token_for(access rights, const std::vector<std::string>& wanted)
{
    const auto mine = std::make_shared<waiting>(co_await asio::this_coro::executor);
    // The one that fetches may run on another thread, and keeps nothing of this one's once it has told it: this thread
    // may be through, and its io_context gone, before that one forgets its waiters.
    auto decision = options.tokens->ask(key(wanted), [told = mine](const result<token_ptr>& outcome) mutable {
        const http::executor where = told->wake.get_executor();
        asio::post(where, [mine = std::move(told), outcome] {
            mine->outcome = outcome;
            mine->wake.cancel();
        });
    });
    result<token_ptr> got = decision.token;
    if (decision.what == token_cache::action::wait) {
        boost::system::error_code ec;
        while (!mine->outcome)
            co_await mine->wake.async_wait(asio::redirect_error(asio::use_awaitable_t<http::executor>(), ec));
        got = *mine->outcome;
    } else if (decision.what == token_cache::action::fetch) {
        auto answer = co_await fetch(wanted);
        got = options.tokens->settle(decision.ticket, std::move(answer));
    }
    if (got) {
        latest = *got;
        latest_rights = rights.what;
        latest_repository = rights.repository;
    }
    co_return got;
}

awaitable<result<void>> authenticator::impl::send_with_token(http::request& rq, http::response& rs, access rights)
{
    std::vector<std::string> wanted = scopes_of(rights);
    for (int attempt = 0;; ++attempt) {
        if (!rq.has_turn && !connection.ready()) { // credentials that may expire are made when it is time to send them
            auto turn = co_await connection.take_turn();
            if (!turn)
                co_return turn;
            rq.has_turn = true;
        }
        auto token = co_await token_for(rights, wanted);
        if (!token)
            co_return token.error();
        const token_ptr& used = *token; // `token` keeps it
        rq.authorization = used->authorization.reveal();
        auto sent = co_await connection.send(endpoint, rq, rs);
        rq.authorization = {};
        rq.has_turn = false;
        if (!sent || rs.status != 401 || attempt == 1)
            co_return sent;
        latest.reset();
        options.tokens->reject(key(wanted), used->generation);
        // The registry may want other rights than expected, and says so.
        const auto asked = parse_challenges(rs.headers("www-authenticate"));
        const challenge* c = asked.find("bearer");
        const auto again = c ? token_challenge::from(*c) : result<token_challenge>(error(errc::unauthorized, {}));
        if (again) {
            bearer = *again;
            if (!again->scopes.empty()) {
                wanted.insert(wanted.end(), again->scopes.begin(), again->scopes.end());
                wanted = merge_scopes(wanted);
            }
        }
    }
}

awaitable<result<void>> authenticator::impl::send_with_digest(http::request& rq, http::response& rs)
{
    for (int attempt = 0;; ++attempt) {
        if (!rq.has_turn && !connection.ready()) {
            auto turn = co_await connection.take_turn();
            if (!turn)
                co_return turn;
            rq.has_turn = true;
        }
        auto value = digest->authorization(http::to_string(rq.verb), rq.target);
        if (!value)
            co_return value.error();
        rq.authorization = value->reveal();
        auto sent = co_await connection.send(endpoint, rq, rs);
        rq.authorization = {};
        rq.has_turn = false;
        if (!sent)
            co_return sent;
        if (rs.status != 401) {
            digest->on_success(rs.header("authentication-info"));
            co_return sent;
        }
        const auto asked = parse_challenges(rs.headers("www-authenticate"));
        const auto verdict = digest->on_challenge(asked.challenges);
        // Several requests may meet the same stale nonce: each is repeated, but not for ever.
        if (!verdict || *verdict == digest_session::verdict::refused || attempt == 3)
            co_return sent;
    }
}

awaitable<result<void>> authenticator::send(http::request& rq, http::response& rs, access rights)
{
    impl& self = *impl_;
    if (self.digest)
        co_return co_await self.send_with_digest(rq, rs);
    if (self.bearer) {
        if (!self.connection.ready()) {
            auto turn = co_await self.connection.take_turn();
            if (!turn)
                co_return turn;
            rq.has_turn = true;
        }
        const bearer_token* const token = self.known(rights, http::clock::now());
        if (token == nullptr)
            co_return co_await self.send_with_token(rq, rs, rights);
        const token_ptr keep = self.latest;
        rq.authorization = keep->authorization.reveal();
        auto sent = co_await self.connection.send(self.endpoint, rq, rs);
        rq.authorization = {};
        rq.has_turn = false;
        if (!sent || rs.status != 401)
            co_return sent;
        if (self.latest == keep)
            self.latest.reset();
        self.options.tokens->reject(self.key(scopes_of(rights)), keep->generation);
        co_return co_await self.send_with_token(rq, rs, rights);
    }
    rq.authorization = self.fixed.reveal();
    auto sent = co_await self.connection.send(self.endpoint, rq, rs);
    rq.authorization = {};
    if (!sent || rs.status != 401)
        co_return sent;
    const auto asked = parse_challenges(rs.headers("www-authenticate"));
    if (const challenge* c = asked.find("bearer"); c && self.options.who.kind != credential_kind::registry_token) {
        auto understood = token_challenge::from(*c);
        if (!understood)
            co_return sent;
        self.bearer = *std::move(understood);
        co_return co_await self.send_with_token(rq, rs, rights);
    }
    if (self.options.who.kind == credential_kind::basic && asked.find("digest") &&
        (self.options.digest || asked.find("basic") == nullptr)) {
        if (!self.digest)
            self.digest = std::make_unique<digest_session>(self.options.who);
        const auto verdict = self.digest->on_challenge(asked.challenges);
        if (!verdict)
            co_return verdict.error();
        co_return co_await self.send_with_digest(rq, rs);
    }
    co_return sent;
}

std::optional<std::string_view> authenticator::standing(access rights) const
{
    if (impl_->digest)
        return std::nullopt;
    if (!impl_->bearer)
        return impl_->fixed.reveal();
    const bearer_token* const token = impl_->known(rights, http::clock::now());
    return token != nullptr ? std::optional<std::string_view>(token->authorization.reveal()) : std::nullopt;
}

http::client::endpoint& authenticator::endpoint() noexcept
{
    return impl_->endpoint;
}

std::string authenticator::explain(unsigned status, access rights) const
{
    return impl_->refused(status, rights, false).detail;
}

} // namespace regsweep
