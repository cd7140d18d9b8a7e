#include "regsweep/http/client.hpp"

#include "http/connection.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <functional>

namespace regsweep::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, executor>;

constexpr std::chrono::milliseconds tick{200};

bool is_redirect(unsigned status) noexcept
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool may_redirect(method m) noexcept
{
    return m == method::get || m == method::head;
}

error of_request(error e, const request& rq)
{
    e.request = std::string(to_string(rq.verb)) + " " + rq.target;
    return e;
}

} // namespace

class client::endpoint : public peer
{
public:
    std::string common; ///< header lines that every request carries
    std::vector<std::unique_ptr<connection>> idle;
};

struct client::impl : connection_environment
{
    impl(asio::io_context& io, client_options chosen)
        : connection_environment{io, options_storage, {}, false}, options_storage(std::move(chosen)),
          policy(options_storage.retry), limiter(options_storage.rate), ticker(io)
    {
        if (!options_storage.pause)
            options_storage.pause = std::make_shared<gate>();
    }

    // The client certificate is for the host that the client was made for: a token service or the target of a redirect
    // elsewhere is not shown it.
    asio::ssl::context* tls_for(const origin& server)
    {
        const bool home = endpoints.empty() || server.host == endpoints.front()->server.host;
        auto& context_of = home || options_storage.tls.client_cert.empty() ? tls_home : tls_elsewhere;
        if (!context_of) {
            tls_options wanted = options_storage.tls;
            if (!home)
                wanted.client_cert.clear();
            context_of = make_tls_context(wanted).value();
        }
        return context_of.get();
    }

    endpoint& at(const origin& server);
    awaitable<result<void>> attempt(endpoint& to, const request& rq, response& rs);
    void begin_use(connection& c);
    void end_use(endpoint& to, std::unique_ptr<connection> c, bool whole);
    bool ready() const noexcept;
    awaitable<void> sleep_until(clock::time_point when);
    awaitable<result<void>> take_turn();
    void watch_limit(const response& rs);
    void append_head(const endpoint& to, const request& rq, std::string& head) const;
    void heed(const response& rs);
    void note_refusal(const response& rs);
    result<std::string> redirect_target(endpoint*& to, const request& rq, const response& rs);
    void start_ticking();
    void warn(const response& rs);

    client_options options_storage;
    std::unique_ptr<asio::ssl::context> tls_home;
    std::unique_ptr<asio::ssl::context> tls_elsewhere; // without client certificate
    retry_policy policy;
    rate_limiter limiter;
    rate_limit_watch limit_watch;
    std::vector<std::unique_ptr<endpoint>> endpoints;
    std::vector<connection*> busy;
    std::vector<timer*> sleeping;
    std::vector<std::string> warned;
    std::uint64_t served = 0; // answers that were neither a failure nor a wish to wait
    timer ticker;
    bool ticking = false;
    std::shared_ptr<int> alive = std::make_shared<int>();
};

client::endpoint& client::impl::at(const origin& server)
{
    for (const auto& known : endpoints)
        if (known->server == server)
            return *known;
    auto made = std::make_unique<endpoint>();
    made->server = server;
    made->through = choose_proxy(options.proxies, server).value();
    made->common = "Host: " + server.authority() + "\r\nUser-Agent: " + options.user_agent + "\r\n";
    if (made->through && !server.tls && !made->through->authorization.empty())
        made->common += "Proxy-Authorization: " + made->through->authorization + "\r\n";
    if (server.tls)
        made->tls = tls_for(server);
    endpoints.push_back(std::move(made));
    return *endpoints.back();
}

void client::impl::start_ticking()
{
    if (ticking)
        return;
    ticking = true;
    ticker.expires_after(tick);
    ticker.async_wait([this, watch = std::weak_ptr<int>(alive)](const error_code& ec) {
        if (ec || watch.expired())
            return;
        ticking = false;
        const auto now = clock::now();
        for (connection* c : busy)
            c->check(now);
        if (!busy.empty())
            start_ticking();
    });
}

void client::impl::append_head(const endpoint& to, const request& rq, std::string& head) const
{
    head += to_string(rq.verb);
    head += ' ';
    if (to.through && !to.server.tls)
        head += to.server.to_string();
    head += rq.target;
    head += " HTTP/1.1\r\n";
    head += to.common;
    const auto line = [&](std::string_view name, std::string_view value) {
        if (value.empty())
            return;
        head += name;
        head += value;
        head += "\r\n";
    };
    line("Accept: ", rq.accept);
    line("Authorization: ", rq.authorization);
    line("Content-Type: ", rq.content_type);
    if (rq.verb == method::put || rq.verb == method::post)
        line("Content-Length: ", std::to_string(rq.body.size()));
    head += "\r\n";
}

void client::impl::begin_use(connection& c)
{
    busy.push_back(&c);
    start_ticking();
}

void client::impl::end_use(endpoint& to, std::unique_ptr<connection> c, bool whole)
{
    const auto place = std::find(busy.begin(), busy.end(), c.get());
    *place = busy.back();
    busy.pop_back();
    if (whole && c->reusable() && !cancelled)
        to.idle.push_back(std::move(c));
}

// One request on one connection. Kept-alive connections that turn out to be closed are replaced, uncounted.
awaitable<result<void>> client::impl::attempt(endpoint& to, const request& rq, response& rs)
{
    while (true) {
        std::unique_ptr<connection> c;
        if (to.idle.empty()) {
            c = std::make_unique<connection>(*this, to);
        } else {
            c = std::move(to.idle.back());
            to.idle.pop_back();
            // An answer that comes late would be taken for that of a delete.
            if (rq.verb == method::del && c->spoilt())
                continue;
        }
        const bool fresh = !c->used();
        begin_use(*c);
        result<void> done;
        if (fresh)
            done = co_await c->open();
        if (done) {
            c->head.clear();
            append_head(to, rq, c->head);
            ++stats.requests;
            c->start_deadlines();
            done = co_await c->exchange(rq.body, rq.verb == method::head, rs);
        }
        const bool closed_meanwhile = !done && !fresh && !c->touched() && done.error().is(errc::connection_lost);
        end_use(to, std::move(c), done.has_value());
        if (!closed_meanwhile)
            co_return done;
        --stats.requests;
    }
}

bool client::impl::ready() const noexcept
{
    return !limiter.limited() && !options.pause->spaced() && !cancelled && !options.pause->closed(clock::now());
}

awaitable<void> client::impl::sleep_until(clock::time_point when)
{
    if (cancelled)
        co_return;
    timer pause(context, when);
    sleeping.push_back(&pause);
    error_code ec;
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable_t<executor>(), ec));
    std::erase(sleeping, &pause);
}

awaitable<result<void>> client::impl::take_turn()
{
    auto now = clock::now();
    if (const auto slot = limiter.reserve(now); slot > now)
        co_await sleep_until(slot);
    now = clock::now();
    if (const auto slot = options.pause->reserve(now); slot > now)
        co_await sleep_until(slot);
    while (!cancelled && options.pause->closed(clock::now()))
        co_await sleep_until(options.pause->until());
    if (cancelled)
        co_return error(errc::cancelled, {});
    co_return result<void>();
}

// Slows down for everybody before the server's rate limit is used up.
void client::impl::watch_limit(const response& rs)
{
    const auto now = parse_rate_limit(rs.header("ratelimit-limit"), rs.header("ratelimit-remaining"));
    if (!now)
        return;
    const auto between = limit_watch.update(*now);
    if (!between)
        return;
    if (between->count() != 0 && !options.pause->spaced() && options.on_warning)
        options.on_warning("the registry's rate limit, " + std::to_string(now->limit) + " requests in " +
                           std::to_string(now->window.count()) +
                           " s, is nearly used up: requests are sent at the pace it allows from here on");
    options.pause->space(*between);
}

// Where a redirect leads; changes `to` when that is another origin.
result<std::string> client::impl::redirect_target(endpoint*& to, const request& rq, const response& rs)
{
    const std::string_view location = rs.header("location");
    const auto refuse = [&](std::string why) {
        return error(errc::redirect_refused, std::move(why), std::string(to_string(rq.verb)) + " " + rq.target);
    };
    if (location.empty() || location.size() > 16384)
        return refuse("the redirect has no usable Location");
    std::string absolute(location);
    if (location.starts_with("//"))
        absolute.insert(0, to->server.tls ? "https:" : "http:");
    else if (location.starts_with('/'))
        absolute.insert(0, to->server.to_string());
    auto url = parse_url(absolute);
    if (!url)
        return refuse("it leads to a place that cannot be parsed: " + url.error().detail);
    if (to->server.tls && !url->server.tls)
        return refuse("it leads from https to http (" + url->server.to_string() + ")");
    // Nobody has used that origin before: its proxy or its certificates may turn out unusable only now.
    try {
        to = &at(url->server);
    } catch (const failure& f) {
        return refuse("it leads to " + url->server.to_string() + ", which cannot be asked: " + f.why().message());
    }
    return std::move(url->target);
}

void client::impl::warn(const response& rs)
{
    if (!options.on_warning)
        return;
    // RFC 7234 section 5.5: `299 - "text"`.
    for (const std::string_view value : rs.headers("warning")) {
        std::string text(value.substr(0, 1000));
        if (warned.size() >= 100 || std::find(warned.begin(), warned.end(), text) != warned.end())
            continue;
        warned.push_back(text);
        options.on_warning("the registry warns: " + printable(text));
    }
}

client::client(asio::io_context& context, client_options options)
    : impl_(std::make_unique<impl>(context, std::move(options)))
{}

client::~client() = default;

client::endpoint& client::at(const origin& server)
{
    return impl_->at(server);
}

// What an answer says beside the answer.
void client::impl::heed(const response& rs)
{
    if (rs.has_header("warning"))
        warn(rs);
    if (rs.has_header("ratelimit-remaining"))
        watch_limit(rs);
}

// A request that `send` is going to repeat: it counts, and the time that the server asks for is everybody's.
void client::impl::note_refusal(const response& rs)
{
    const auto wanted = parse_retry_after(rs.header("retry-after"), std::chrono::system_clock::now());
    const auto delay = policy.delay(1, wanted);
    if (!delay)
        return;
    ++stats.retries;
    if (wanted)
        options.pause->close_until(clock::now() + *delay);
}

awaitable<result<bool>> client::send_together(endpoint& to, std::span<const request> rqs, response& rs,
                                              const answer_sink& take)
{
    impl& self = *impl_;
    if (to.idle.empty() || !self.ready())
        co_return false;
    auto c = std::move(to.idle.back());
    to.idle.pop_back();
    if (rqs.front().verb == method::del && c->spoilt())
        co_return false;
    self.begin_use(*c);
    c->head.clear();
    for (const request& rq : rqs)
        self.append_head(to, rq, c->head);
    self.stats.requests += rqs.size();
    c->start_deadlines();
    std::size_t whole = 0;
    const auto heed = [&](std::size_t i) {
        whole = i + 1;
        self.heed(rs);
        if (retry_policy::transient(rs.status))
            self.note_refusal(rs);
        else
            ++self.served;
        take(i);
    };
    const answer_sink count = std::cref(heed); // small enough to be kept without an allocation
    const auto done = co_await c->exchange_all(rqs.size(), {}, rqs.front().verb == method::head, rs, &count);
    const bool closed_before = !done && !c->touched() && done.error().is(errc::connection_lost);
    self.end_use(to, std::move(c), done.has_value());
    if (done)
        co_return true;
    if (closed_before && rqs.front().verb != method::del) { // it may have been closed after it was carried out
        self.stats.requests -= rqs.size();
        co_return false;
    }
    ++self.stats.retries; // whoever wants the rest sends it again
    co_return of_request(done.error(), rqs[whole]);
}

awaitable<result<void>> client::send(endpoint& to, const request& rq, response& rs)
{
    impl& self = *impl_;
    endpoint* target = &to;
    const request* current = &rq;
    std::optional<request> redirected;
    unsigned redirects = 0;
    bool has_turn = rq.has_turn;
    std::uint64_t served = self.served;
    unsigned fruitless = 0; // refusals in a row without anybody served meanwhile
    unsigned last_status = 0;
    const auto too_late = [&](clock::time_point when) { return rq.not_after && when > *rq.not_after; };
    const auto expired = [&] {
        error e(errc::expired, "it could not be sent in the time given for it");
        e.http_status = last_status;
        return of_request(std::move(e), *current);
    };
    for (unsigned attempt = 1;; ++attempt) {
        if (self.cancelled || (!has_turn && !self.ready())) {
            auto ready = co_await self.take_turn();
            if (!ready)
                co_return ready;
        }
        has_turn = false;
        if (too_late(clock::now()))
            co_return expired();
        auto done = co_await self.attempt(*target, *current, rs);
        std::optional<std::chrono::milliseconds> wanted;
        last_status = done ? rs.status : 0;
        if (done) {
            self.heed(rs);
            if (is_redirect(rs.status) && may_redirect(rq.verb) && !rs.header("location").empty()) {
                if (++redirects > self.options.redirects)
                    co_return error(errc::redirect_refused,
                                    "more than " + std::to_string(self.options.redirects) + " redirects, the last to " +
                                        printable(rs.header("location")),
                                    std::string(to_string(rq.verb)) + " " + rq.target);
                endpoint* const before = target;
                auto next = self.redirect_target(target, *current, rs);
                if (!next)
                    co_return next.error();
                redirected = *current;
                redirected->target = *std::move(next);
                if (target != before)
                    redirected->authorization = {};
                current = &*redirected;
                --attempt;
                continue;
            }
            if (!retry_policy::transient(rs.status)) {
                ++self.served;
                co_return done;
            }
            // A rate limit that lets other requests through is no failure: this one has only to wait its turn.
            if (rs.status == 429) {
                fruitless = served == self.served ? fruitless + 1 : 0;
                served = self.served;
                if (fruitless <= self.options.retry.retries)
                    attempt = std::min(attempt, std::max(1U, self.options.retry.retries));
            }
            wanted = parse_retry_after(rs.header("retry-after"), std::chrono::system_clock::now());
        } else if (!retry_policy::transient(done.error())) {
            co_return of_request(done.error(), *current);
        }
        const auto delay = self.policy.delay(attempt, wanted);
        if (!delay || self.cancelled) {
            if (!done)
                co_return of_request(done.error(), *current);
            co_return done;
        }
        ++self.stats.retries;
        const auto when = clock::now() + *delay;
        if (wanted)
            self.options.pause->close_until(when); // the server asks everybody to slow down, not this request alone
        if (too_late(when))
            co_return expired();
        co_await wait_until(when);
    }
}

awaitable<void> client::wait_until(clock::time_point when)
{
    return impl_->sleep_until(when);
}

bool client::may_repeat() const noexcept
{
    return impl_->options.retry.retries != 0;
}

bool client::ready() const noexcept
{
    return impl_->ready();
}

awaitable<result<void>> client::take_turn()
{
    return impl_->take_turn();
}

void client::cancel()
{
    impl_->cancelled = true;
    impl_->ticker.cancel();
    for (connection* c : impl_->busy)
        c->close();
    for (timer* t : impl_->sleeping)
        t->cancel();
}

bool client::cancelled() const noexcept
{
    return impl_->cancelled;
}

const client_stats& client::stats() const noexcept
{
    return impl_->stats;
}

error status_error(const request& rq, const response& rs)
{
    errc kind = errc::http_status;
    if (rs.status == 401)
        kind = errc::unauthorized;
    else if (rs.status == 403)
        kind = errc::forbidden;
    else if (rs.status == 404)
        kind = errc::not_found;
    else if (rs.status == 405)
        kind = errc::unsupported;
    error out(kind, {}, std::string(to_string(rq.verb)) + " " + rq.target);
    out.http_status = rs.status;
    if (const auto wait = rs.header("retry-after"); !wait.empty())
        out.detail = "the registry asks to try again after " + printable(wait, 64) + " (Retry-After)";
    if (rs.status == 407)
        out.detail = "the proxy wants other credentials; give them in the proxy variable, http_proxy or https_proxy";
    if (rs.body.empty() || rs.body.size() > 64 * 1024)
        return out;
    error_code ec;
    const auto parsed = boost::json::parse(rs.body, ec);
    if (ec || !parsed.is_object())
        return out;
    const auto* list = parsed.as_object().if_contains("errors");
    if (list == nullptr || !list->is_array() || list->as_array().empty() || !list->as_array()[0].is_object())
        return out;
    const auto& first = list->as_array()[0].as_object();
    const auto text = [&](const char* key) {
        const auto* value = first.if_contains(key);
        return value && value->is_string() ? std::string(value->as_string()) : std::string();
    };
    out.registry_code = text("code");
    out.registry_message = text("message");
    return out;
}

} // namespace regsweep::http
