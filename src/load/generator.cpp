#include "regsweep/load/generator.hpp"

#include "load/tally.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace regsweep {
namespace {

namespace asio = boost::asio;
using http::awaitable;
using http::clock;
using timer = asio::basic_waitable_timer<clock, asio::wait_traits<clock>, http::executor>;

constexpr std::chrono::seconds interval{1};
constexpr double shortest_interval = 0.2; // seconds; what is left at the end and shorter tells nothing
constexpr std::chrono::milliseconds after_refusal{50};

// The same as the crawl asks with: what a registry answers may depend on it.
constexpr std::string_view accepted_manifests = "application/vnd.oci.image.index.v1+json, "
                                                "application/vnd.docker.distribution.manifest.list.v2+json, "
                                                "application/vnd.oci.image.manifest.v1+json, "
                                                "application/vnd.docker.distribution.manifest.v2+json, "
                                                "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5, "
                                                "application/vnd.docker.distribution.manifest.v1+json;q=0.5";

std::string_view accept_of(operation op) noexcept
{
    switch (op) {
    case operation::head:
    case operation::get: return accepted_manifests;
    case operation::tags:
    case operation::catalog: return "application/json";
    case operation::ping:
    case operation::blob:
    case operation::remove: break;
    }
    return {};
}

access rights_of(operation op, std::string_view repository) noexcept
{
    if (op == operation::ping)
        return {access::kind::ping, {}};
    if (op == operation::catalog)
        return {access::kind::catalog, {}};
    return {access::kind::pull, repository};
}

double seconds_of(clock::duration d) noexcept
{
    return std::chrono::duration<double>(d).count();
}

unsigned share(unsigned total, unsigned part, unsigned parts) noexcept
{
    return total / parts + (part < total % parts ? 1 : 0);
}

// One thread's part of the load: its own io_context, connections, requests and counts.
class load_thread
{
public:
    load_thread(const load_options& options, const load_targets& targets, unsigned part, unsigned parts)
        : options_(options), targets_(targets), part_(part), parts_(parts), client_(io_, options.http),
          auth_(client_, options.address, options.registry.who),
          source_(targets, options.mix, options.order, options.seed, part, parts), ticker_(io_), end_of_drain_(io_)
    {}

    void run(clock::time_point start, interval_board& board);
    void cancel();

    const tally& counted() const noexcept { return *tally_; }
    const std::string& first_failure() const noexcept { return first_failure_; }
    std::uint64_t unsent() const noexcept { return schedule_->unsent(); }
    std::uint64_t bytes() const noexcept { return client_.stats().bytes_in - bytes_before_; }
    std::uint64_t connections() const noexcept { return client_.stats().connections; }

private:
    awaitable<void> work();
    awaitable<result<void>> send(http::request& rq, http::response& rs, access rights, operation op);
    void choose(http::request& rq, access& rights, operation& op);
    bool note(const result<void>& done, const http::response& rs, finished_request& what);
    void tick();
    void start_drain_limit();
    void worker_ended();

    const load_options& options_;
    const load_targets& targets_;
    unsigned part_;
    unsigned parts_;
    asio::io_context io_{1};
    http::client client_;
    authenticator auth_;
    request_source source_;
    std::optional<send_schedule> schedule_;
    std::optional<tally> tally_;
    interval_board* board_ = nullptr;
    timer ticker_;
    timer end_of_drain_;
    clock::time_point start_{};
    std::size_t ticks_ = 0;
    unsigned working_ = 0;
    bool plain_ = true; // requests need no login that changes, and no redirects
    bool drained_ = false;
    bool measuring_ = false;
    std::uint64_t bytes_before_ = 0;
    std::string first_failure_;
};

void load_thread::run(clock::time_point start, interval_board& board)
{
    start_ = start;
    board_ = &board;
    send_schedule::settings how;
    how.start = start;
    how.warmup = options_.warmup;
    how.duration = options_.duration;
    how.requests = options_.requests;
    how.rate = options_.rate;
    how.part = part_;
    how.parts = parts_;
    schedule_.emplace(how);
    tally_.emplace(schedule_->measured_from(), schedule_->end());
    working_ = share(options_.concurrency, part_, parts_);
    std::exception_ptr broken;
    for (unsigned i = working_; i != 0; --i)
        asio::co_spawn(io_, work(), [this, &broken](const std::exception_ptr& e) {
            if (e) {
                broken = e;
                client_.cancel();
            }
            worker_ended();
        });
    tick();
    start_drain_limit();
    io_.run();
    board.leave();
    if (broken)
        std::rethrow_exception(broken);
}

void load_thread::cancel()
{
    asio::post(io_, [this] { client_.cancel(); });
}

void load_thread::tick()
{
    ticker_.expires_at(start_ + interval * (ticks_ + 1));
    ticker_.async_wait([this](const boost::system::error_code& ec) {
        if (ec || working_ == 0)
            return;
        board_->publish(ticks_, tally_->take_interval(1));
        ++ticks_;
        tick();
    });
}

void load_thread::start_drain_limit()
{
    if (schedule_->end() == clock::time_point::max())
        return;
    end_of_drain_.expires_at(schedule_->end() + options_.drain);
    end_of_drain_.async_wait([this](const boost::system::error_code& ec) {
        if (ec)
            return;
        drained_ = true;
        client_.cancel();
    });
}

void load_thread::worker_ended()
{
    if (--working_ != 0)
        return;
    ticker_.cancel();
    end_of_drain_.cancel();
    client_.cancel();
    const auto end = std::min(clock::now(), schedule_->end());
    const double left = seconds_of(end - start_) - static_cast<double>(ticks_);
    if (left >= shortest_interval || ticks_ == 0)
        board_->publish(ticks_, tally_->take_interval(left));
}

void load_thread::choose(http::request& rq, access& rights, operation& op)
{
    const auto choice = source_.next();
    const target_list& list = targets_.of(choice.op);
    op = choice.op;
    rq.verb = op == operation::head ? http::method::head : http::method::get;
    rq.target = list.path(choice.target);
    rq.accept = accept_of(op);
    rq.has_turn = true; // the schedule says when: a pace that the registry asks for would hide what it can serve
    rights = rights_of(op, list.repository(choice.target));
}

// How the request ended; false if that does not count.
bool load_thread::note(const result<void>& done, const http::response& rs, finished_request& what)
{
    if (done) {
        what.status = rs.status;
        what.body_bytes = rs.body.size();
        if (rs.status / 100 != 2 && first_failure_.empty())
            first_failure_ = "the registry answered with status " + std::to_string(rs.status);
        return true;
    }
    what.failure = kind_of(done.error());
    if (what.failure == errc::cancelled && drained_)
        what.failure = errc::timed_out;
    if (what.failure == errc::cancelled)
        return false;
    if (first_failure_.empty())
        first_failure_ = drained_ ? "there was no answer in time at the end" : done.error().message();
    return true;
}

// Most requests need nothing that `authenticator::send` does beside sending: that would only be measured.
awaitable<result<void>> load_thread::send(http::request& rq, http::response& rs, access rights, operation op)
{
    const auto authorization = plain_ && op != operation::blob ? auth_.standing(rights) : std::nullopt;
    if (authorization) {
        rq.authorization = *authorization;
        bool answered = false;
        const auto take = [&](std::size_t) { answered = true; };
        const http::answer_sink sink = std::cref(take);
        const auto sent = co_await client_.send_together(auth_.endpoint(), {&rq, 1}, rs, sink);
        rq.authorization = {};
        if (!sent)
            co_return sent.error();
        plain_ = !answered || (rs.status != 401 && rs.status / 100 != 3);
        if (answered && plain_)
            co_return result<void>();
    }
    co_return co_await auth_.send(rq, rs, rights);
}

awaitable<void> load_thread::work()
{
    http::request rq;
    http::response rs;
    finished_request what;
    access rights;
    auto now = clock::now();
    while (!client_.cancelled()) {
        const auto slot = schedule_->next(now);
        if (!slot)
            co_return;
        if (slot->intended > now) {
            co_await client_.wait_until(slot->intended);
            if (client_.cancelled())
                co_return;
            now = clock::now();
        }
        if (slot->measured && !measuring_) {
            measuring_ = true;
            bytes_before_ = client_.stats().bytes_in;
        }
        choose(rq, rights, what.op);
        what.measured = slot->measured;
        what.intended = slot->intended;
        what.sent = now;
        what.status = 0;
        what.body_bytes = 0;
        auto done = co_await send(rq, rs, rights, what.op);
        now = what.ended = clock::now();
        if (!note(done, rs, what))
            co_return;
        tally_->add(what);
        // A refusal takes no time: asking again at once would only count how fast it can be repeated.
        if (!done && what.failure == errc::connect_failed) {
            co_await client_.wait_until(now + after_refusal);
            now = clock::now();
        }
    }
}

} // namespace

histogram load_result::latency() const
{
    histogram all;
    for (const auto& one : by_operation)
        all.merge(one.latency);
    return all;
}

std::map<std::string, std::uint64_t> load_result::failures() const
{
    std::map<std::string, std::uint64_t> all;
    for (const auto& one : by_operation)
        for (const auto& [kind, count] : one.failures)
            all[kind] += count;
    return all;
}

struct load_generator::impl
{
    explicit impl(load_options given) : options(std::move(given)) {}

    load_result collect(clock::time_point start, const interval_board& board) const;

    load_options options;
    std::vector<std::unique_ptr<load_thread>> threads;
    std::atomic<bool> cancelled{false};
    mutable std::mutex guard; // of `board` coming into being
    std::unique_ptr<interval_board> board;
};

load_generator::load_generator(load_options options, const load_targets& targets)
    : impl_(std::make_unique<impl>(std::move(options)))
{
    load_options& how = impl_->options;
    if (auto checked = check_targets(targets, how.mix); !checked)
        throw failure(checked.error());
    if (how.duration.count() == 0 && how.requests == 0)
        throw failure({errc::bad_argument, "a load needs a duration or a number of requests"});
    how.http.retry.retries = 0;
    how.http.rate = 0;
    if (!how.registry.who.tokens)
        how.registry.who.tokens = make_token_store();
    how.concurrency = std::max(1U, how.concurrency);
    how.threads = std::clamp(how.threads, 1U, how.concurrency);
    for (unsigned i = 0; i != how.threads; ++i)
        impl_->threads.push_back(std::make_unique<load_thread>(how, targets, i, how.threads));
}

load_generator::~load_generator() = default;

load_result load_generator::impl::collect(clock::time_point start, const interval_board& seen) const
{
    load_result out;
    out.concurrency = options.concurrency;
    out.wanted_rate = options.rate;
    out.interrupted = cancelled;
    out.series = seen.all();
    const auto from = start + options.warmup;
    auto last = from;
    double answered = 0;
    double good = 0;
    for (const auto& thread : threads) {
        const tally& counted = thread->counted();
        counted.add_to(out);
        answered += counted.answered();
        good += counted.good();
        last = std::max(last, counted.last());
        out.unsent += out.interrupted ? 0 : thread->unsent();
        out.bytes += thread->bytes();
        out.connections += thread->connections();
        if (out.first_failure.empty())
            out.first_failure = thread->first_failure();
    }
    const bool by_time = options.duration.count() != 0 && !out.interrupted;
    const bool early = options.requests != 0 && last < from + options.duration; // they were sent before the time was up
    out.seconds = seconds_of(by_time && !early ? clock::duration(options.duration) : last - from);
    if (out.seconds > 0) {
        out.rate = answered / out.seconds;
        out.good_rate = good / out.seconds;
    }
    return out;
}

load_result load_generator::run()
{
    impl& self = *impl_;
    {
        const std::lock_guard lock(self.guard);
        self.board = std::make_unique<interval_board>(self.options.threads, seconds_of(self.options.warmup));
    }
    const auto start = clock::now();
    std::vector<std::exception_ptr> broken(self.threads.size());
    const auto run_one = [&](std::size_t i) {
        try {
            self.threads[i]->run(start, *self.board);
        } catch (...) {
            broken[i] = std::current_exception();
        }
    };
    {
        std::vector<std::jthread> others;
        for (std::size_t i = 1; i != self.threads.size(); ++i)
            others.emplace_back(run_one, i);
        run_one(0);
    }
    for (const auto& e : broken)
        if (e)
            std::rethrow_exception(e);
    return self.collect(start, *self.board);
}

void load_generator::cancel()
{
    impl_->cancelled = true;
    for (const auto& thread : impl_->threads)
        thread->cancel();
}

std::optional<load_interval> load_generator::latest() const
{
    const std::lock_guard lock(impl_->guard);
    return impl_->board ? impl_->board->latest() : std::nullopt;
}

} // namespace regsweep
