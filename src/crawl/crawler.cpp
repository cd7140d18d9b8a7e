#include "regsweep/crawl/crawler.hpp"

#include "crawl/concurrency.hpp"
#include "crawl/plan.hpp"
#include "registry/pipelining.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

namespace regsweep {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using http::awaitable;
using timer = asio::basic_waitable_timer<http::clock, asio::wait_traits<http::clock>, http::executor>;

// A registry that cannot be reached this often in a row, each time after all retries, is gone.
constexpr unsigned unreachable_limit = 8;
constexpr unsigned first_concurrency = 32;

bool has_wildcard(const std::string& pattern)
{
    return pattern.find_first_of("*?[") != std::string::npos;
}

bool is_unreachable(const error& e)
{
    return e.is(errc::connect_failed) || e.is(errc::resolve_failed) || e.is(errc::tls_failed);
}

// For counters with one writer: no locked instruction.
void add(std::atomic<std::uint64_t>& counter, int what) noexcept
{
    counter.store(counter.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(what),
                  std::memory_order_relaxed);
}

error error_of(const std::exception_ptr& thrown)
{
    try {
        std::rethrow_exception(thrown);
    } catch (const failure& f) {
        return f.why();
    } catch (const std::exception& e) {
        return {errc::io, std::string("out of memory or another resource: ") + e.what()};
    }
}

class coordinator;

// One record being resolved by the workers of a crew.
struct batch
{
    crawl_job job;
    std::size_t next = 0; // entry to begin with next
    std::size_t over = 0; // entries that are through
    std::size_t failed = 0;
};

// A thread's share of the crawl: its io_context, its connections, and workers that each keep one request in flight.
class crew
{
public:
    crew(const crawl_options& options, http::client_options http_options, concurrency_control::limits share,
         std::size_t number)
        : client_(context_, std::move(http_options)), registry_(client_, options.address, options.registry),
          workers_(share.most), control_(share), pipeline_(options.pipeline, options.pipeline_rate), number_(number)
    {}

    void run(coordinator& boss);

    asio::io_context& context() noexcept { return context_; }
    std::size_t number() const noexcept { return number_; }
    registry_client& registry() noexcept { return registry_; }
    const http::client_stats& stats() const noexcept { return client_.stats(); }

    // On this crew's thread.
    void accept(crawl_job job);
    void stop(bool at_once);

    // Read by any thread.
    struct alignas(64) counters
    {
        std::atomic<std::uint64_t> tags{0};
        std::atomic<std::uint64_t> in_flight{0};
        std::atomic<std::uint64_t> requests{0};
        std::atomic<std::uint64_t> retries{0};
    };
    counters counts;

    // Runs the messages that came after the workers had ended.
    void read_mail();
    // What workers had not finished when they were stopped.
    void hand_in(index_builder& builder);

private:
    awaitable<void> work(coordinator& boss);
    awaitable<void> run_errand(coordinator& boss, crawl_job job, registry_buffers& buffers);
    batch* next_batch() noexcept;
    void settle_entry(coordinator& boss, batch& b, index_record::entry& entry,
                      result<std::optional<resolved_manifest>>& found);
    void close_batch(coordinator& boss, batch& b);
    void ask(coordinator& boss);
    void wake(std::size_t how_many);
    awaitable<void> rest_in(std::vector<timer*>& list, timer& bed);
    awaitable<void> try_pipelining(const index_record& record, registry_buffers& buffers);
    void give_up(coordinator& boss, batch& b);
    void are_through(unsigned how_many);
    unsigned together() const noexcept { return pipeline_.depth(std::max(1U, control_.limit())); }
    void publish() noexcept;

    asio::io_context context_{1};
    http::client client_;
    registry_client registry_;
    unsigned workers_;
    concurrency_control control_;
    pipelining pipeline_;
    std::size_t number_;
    std::deque<crawl_job> errands_;               // lists and the catalog
    std::vector<std::unique_ptr<batch>> batches_; // every record in hand, the oldest first
    std::vector<timer*> idle_;                    // workers without work
    std::vector<timer*> parked_;                  // workers over the limit
    unsigned busy_ = 0;                           // requests in flight
    std::size_t asked_ = 0;
    unsigned unreachable_ = 0;
    unsigned running_ = 0;
    bool stopping_ = false;
};

// Owns the plan; lives on the first crew's thread. Others talk to it and are talked to by posted messages.
class coordinator
{
public:
    coordinator(crawl_plan plan, std::vector<std::unique_ptr<crew>>& crews)
        : plan_(std::move(plan)), crews_(crews), hungry_(crews.size(), 0), soon_(crews.front()->context())
    {}

    asio::io_context& context() noexcept { return crews_.front()->context(); }

    void ask(std::size_t who);
    void catalog_done(const std::string& target, result<name_page> page);
    void list_done(repository_work* repository, result<std::optional<name_page>> page);
    void batch_done(repository_work* repository, index_record* record);
    void fail(error why);

    const std::optional<error>& failure() const noexcept { return failure_; }
    const crawl_plan& plan() const noexcept { return plan_; }

    std::atomic<std::uint64_t> repositories{0};
    std::atomic<std::uint64_t> repositories_done{0};
    std::atomic<std::uint64_t> tags_known{0};
    std::atomic<bool> catalog_complete{false};

private:
    void dispatch();
    void end(bool at_once);

    crawl_plan plan_;
    std::vector<std::unique_ptr<crew>>& crews_;
    std::vector<std::size_t> hungry_; // workers of each crew that have asked for work
    timer soon_;
    std::optional<error> failure_;
    bool over_ = false;
};

void crew::run(coordinator& boss)
{
    const auto guard = asio::make_work_guard(context_);
    running_ = workers_;
    for (unsigned i = 0; i != workers_; ++i)
        asio::co_spawn(context_, work(boss), [this, &boss](const std::exception_ptr& thrown) {
            if (thrown)
                asio::post(boss.context(), [&boss, why = error_of(thrown)] { boss.fail(why); });
            if (--running_ == 0)
                context_.stop();
        });
    context_.run();
}

void crew::accept(crawl_job job)
{
    std::size_t useful = 1;
    if (job.what == crawl_job::kind::resolve) {
        useful = job.record->entries.size();
        auto made = std::make_unique<batch>();
        made->job = std::move(job);
        batches_.push_back(std::move(made));
    } else {
        errands_.push_back(std::move(job));
    }
    asked_ -= std::min(asked_, useful);
    wake(useful);
}

void crew::stop(bool at_once)
{
    stopping_ = true;
    if (at_once)
        client_.cancel();
    wake(idle_.size());
    for (timer* bed : std::exchange(parked_, {}))
        bed->cancel();
}

void crew::wake(std::size_t how_many)
{
    for (; how_many != 0 && !idle_.empty(); --how_many) {
        idle_.back()->cancel();
        idle_.pop_back();
    }
}

awaitable<void> crew::rest_in(std::vector<timer*>& list, timer& bed)
{
    bed.expires_at(http::clock::time_point::max());
    list.push_back(&bed);
    error_code ec;
    co_await bed.async_wait(asio::redirect_error(asio::use_awaitable_t<http::executor>(), ec));
}

// Requests have been answered: what that teaches of how many there may be.
void crew::are_through(unsigned how_many)
{
    const auto now = http::clock::now();
    const std::size_t before = together();
    bool changed = false;
    pipeline_.answered(now, how_many);
    // A request that was repeated met a registry that was too busy, or close to it.
    for (; how_many != 0; --how_many, --busy_)
        changed |= control_.answered(now, busy_, client_.stats().retries);
    publish();
    changed |= together() != before;
    while (changed && !parked_.empty() && (workers_ - parked_.size()) * together() < control_.limit()) {
        parked_.back()->cancel();
        parked_.pop_back();
    }
}

void crew::publish() noexcept
{
    counts.in_flight.store(busy_, std::memory_order_relaxed);
    counts.requests.store(client_.stats().requests, std::memory_order_relaxed);
    counts.retries.store(client_.stats().retries, std::memory_order_relaxed);
}

void crew::ask(coordinator& boss)
{
    ++asked_;
    asio::post(boss.context(), [&boss, who = number_] { boss.ask(who); });
}

batch* crew::next_batch() noexcept
{
    for (const auto& b : batches_)
        if (b->next != b->job.record->entries.size())
            return b.get();
    return nullptr;
}

awaitable<void> crew::work(coordinator& boss)
{
    registry_buffers buffers;
    std::vector<resolution> wanted;
    timer bed(context_);
    while (!stopping_) {
        if (busy_ >= control_.limit()) {
            co_await rest_in(parked_, bed);
            continue;
        }
        if (!errands_.empty()) {
            crawl_job job = std::move(errands_.front());
            errands_.pop_front();
            co_await run_errand(boss, std::move(job), buffers);
            continue;
        }
        batch* const b = next_batch();
        if (b == nullptr) {
            ask(boss);
            co_await rest_in(idle_, bed);
            continue;
        }
        index_record& record = *b->job.record;
        if (b->failed >= crawl_plan::failures_per_record) {
            give_up(boss, *b);
            continue;
        }
        if (b->over >= pipelining::deep && pipeline_.take_trial()) {
            co_await try_pipelining(record, buffers);
            continue;
        }
        const std::size_t depth = together();
        if (busy_ + depth > control_.limit()) { // whoever is answered next has room for all of them, or rests, too
            co_await rest_in(parked_, bed);
            continue;
        }
        const std::size_t count = std::min(depth, record.entries.size() - b->next);
        index_record::entry* const first = &record.entries[b->next];
        b->next += count;
        // More is asked for before this is used up, so that nobody waits for the answer.
        if (asked_ == 0 && b == batches_.back().get() && record.entries.size() - b->next <= workers_ * depth)
            ask(boss);
        wanted.resize(count);
        for (std::size_t i = 0; i != count; ++i)
            wanted[i] = {record.tag(first[i])};
        busy_ += static_cast<unsigned>(count);
        co_await registry_.resolve_all(record.repository, wanted, buffers);
        are_through(static_cast<unsigned>(count));
        for (std::size_t i = 0; i != count; ++i)
            settle_entry(boss, *b, first[i], wanted[i].found);
    }
}

// Whether tags that have been resolved one by one are what they were when asked for together.
awaitable<void> crew::try_pipelining(const index_record& record, registry_buffers& buffers)
{
    // Copies: other workers may hand the record in meanwhile.
    const std::string repository(record.repository);
    std::vector<std::string> tags;
    std::vector<digest> digests;
    for (const index_record::entry& entry : record.entries)
        if (entry.what == index_record::state::resolved && tags.size() != pipelining::deep &&
            std::find(digests.begin(), digests.end(), entry.digest) == digests.end()) {
            tags.emplace_back(record.tag(entry));
            digests.push_back(entry.digest);
        }
    std::vector<known_resolution> known;
    for (std::size_t i = 0; i != tags.size(); ++i)
        known.push_back({tags[i], digests[i]});
    const bool same =
        known.size() == pipelining::deep && co_await registry_.answers_in_order(repository, known, buffers);
    pipeline_.tried(same);
}

// So much of it failed that the rest is not asked for.
void crew::give_up(coordinator& boss, batch& b)
{
    index_record& record = *b.job.record;
    for (; b.next != record.entries.size(); ++b.next, ++b.over)
        record.entries[b.next].what = index_record::state::failed;
    if (b.over == record.entries.size())
        close_batch(boss, b);
}

void crew::settle_entry(coordinator& boss, batch& b, index_record::entry& entry,
                        result<std::optional<resolved_manifest>>& found)
{
    index_record& record = *b.job.record;
    if (!found && found.error().is(errc::cancelled))
        return; // stays pending; `hand_in` keeps the others
    if (!found) {
        entry.what = index_record::state::failed;
        if (b.failed++ == 0)
            record.problem = "tag " + std::string(record.tag(entry)) + ": " + found.error().message();
        unreachable_ = is_unreachable(found.error()) ? unreachable_ + 1 : 0;
        if (unreachable_ >= unreachable_limit)
            asio::post(boss.context(), [&boss, why = found.error()] { boss.fail(why); });
    } else {
        unreachable_ = 0;
        if (*found) {
            entry.what = index_record::state::resolved;
            entry.digest = (*found)->digest;
            entry.type = (*found)->type;
            add(counts.tags, 1);
        } else {
            entry.what = index_record::state::gone;
        }
    }
    if (++b.over == record.entries.size())
        close_batch(boss, b);
}

void crew::close_batch(coordinator& boss, batch& b)
{
    asio::post(boss.context(), [&boss, job = std::move(b.job)] { boss.batch_done(job.repository, job.record); });
    const auto place = std::find_if(batches_.begin(), batches_.end(), [&](const auto& p) { return p.get() == &b; });
    batches_.erase(place);
}

awaitable<void> crew::run_errand(coordinator& boss, crawl_job job, registry_buffers& buffers)
{
    ++busy_;
    if (job.what == crawl_job::kind::catalog) {
        auto page = co_await registry_.catalog(job.target, buffers);
        asio::post(boss.context(), [&boss, target = job.target, got = std::move(page)]() mutable {
            boss.catalog_done(target, std::move(got));
        });
    } else {
        auto page = co_await registry_.tags(job.repository->name, job.target, buffers);
        if (!page && is_unreachable(page.error()) && ++unreachable_ >= unreachable_limit)
            asio::post(boss.context(), [&boss, why = page.error()] { boss.fail(why); });
        asio::post(boss.context(), [&boss, repository = job.repository, got = std::move(page)]() mutable {
            boss.list_done(repository, std::move(got));
        });
    }
    are_through(1);
}

void crew::read_mail()
{
    context_.restart();
    context_.poll();
}

void crew::hand_in(index_builder& builder)
{
    for (const auto& b : batches_) {
        b->job.record->problem.clear();
        builder.push(b->job.record);
    }
    batches_.clear();
}

void coordinator::ask(std::size_t who)
{
    ++hungry_[who];
    dispatch();
}

void coordinator::dispatch()
{
    if (plan_.broken())
        return fail({errc::io, "the index cannot be written"});
    while (!over_) {
        const auto hungriest = std::max_element(hungry_.begin(), hungry_.end());
        if (plan_.finished())
            return end(false);
        if (*hungriest == 0)
            break;
        crawl_job job = plan_.take();
        if (job.what == crawl_job::kind::none) {
            if (plan_.starved()) {
                soon_.expires_after(std::chrono::milliseconds(1));
                soon_.async_wait([this](const error_code& ec) {
                    if (!ec)
                        dispatch();
                });
            }
            if (plan_.finished())
                return end(false);
            break;
        }
        const std::size_t useful = job.what == crawl_job::kind::resolve ? job.record->entries.size() : 1;
        *hungriest -= std::min(*hungriest, useful);
        crew& who = *crews_[static_cast<std::size_t>(hungriest - hungry_.begin())];
        asio::post(who.context(), [&who, work = std::move(job)]() mutable { who.accept(std::move(work)); });
    }
    repositories.store(plan_.report().repositories, std::memory_order_relaxed);
    repositories_done.store(plan_.repositories_done(), std::memory_order_relaxed);
    tags_known.store(plan_.tags_known(), std::memory_order_relaxed);
    catalog_complete.store(plan_.catalog_complete(), std::memory_order_relaxed);
}

void coordinator::catalog_done(const std::string& target, result<name_page> page)
{
    if (!page)
        return fail(page.error());
    const auto taken = plan_.catalog_page(target, *std::move(page));
    if (!taken)
        return fail(taken.error());
    dispatch();
}

void coordinator::list_done(repository_work* repository, result<std::optional<name_page>> page)
{
    if (over_ || (!page && page.error().is(errc::cancelled)))
        return;
    plan_.listed(repository, std::move(page));
    dispatch();
}

void coordinator::batch_done(repository_work* repository, index_record* record)
{
    plan_.resolved(repository, record);
    dispatch();
}

void coordinator::fail(error why)
{
    if (over_)
        return;
    failure_ = std::move(why);
    end(true);
}

void coordinator::end(bool at_once)
{
    over_ = true;
    soon_.cancel();
    for (const auto& c : crews_)
        asio::post(c->context(), [who = c.get(), at_once] { who->stop(at_once); });
}

} // namespace

std::string crawl_scope(const crawl_options& options)
{
    std::vector<std::string> parts = options.patterns;
    if (options.only_names)
        parts.insert(parts.end(), options.names.begin(), options.names.end());
    std::sort(parts.begin(), parts.end());
    parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
    std::string out;
    for (const auto& part : parts)
        out += (out.empty() ? "" : " ") + part;
    return out.empty() && options.only_names ? "(nothing)" : out;
}

struct crawler::impl
{
    explicit impl(crawl_options o) : options(std::move(o))
    {
        const bool fixed = options.concurrency != 0;
        const unsigned most = std::max(1U, fixed ? options.concurrency : options.max_concurrency);
        options.threads = std::clamp(options.threads, 1U, most);
        options.http.pause = std::make_shared<http::gate>();
        options.registry.who.tokens = make_token_store();
        options.http.rate /= options.threads;
        for (unsigned i = 0; i != options.threads; ++i) {
            concurrency_control::limits share;
            share.most = most / options.threads + (i < most % options.threads ? 1U : 0U);
            share.first = fixed ? share.most : std::max(1U, first_concurrency / options.threads);
            share.fixed = fixed;
            crews.push_back(std::make_unique<crew>(options, options.http, share, i));
        }
        options.max_concurrency = most;
    }

    crawl_plan::source source() const
    {
        crawl_plan::source from;
        from.concurrency = options.max_concurrency;
        from.shares = options.threads;
        from.names = options.names;
        const bool literal =
            !options.patterns.empty() && std::none_of(options.patterns.begin(), options.patterns.end(), has_wildcard);
        if (literal && !options.only_names)
            from.names = options.patterns;
        else
            from.patterns = options.patterns;
        if (!literal && !options.only_names)
            from.catalog = crews.front()->registry().catalog_target(options.page_size);
        if (options.only_names && !options.patterns.empty())
            std::erase_if(from.names, [&](const std::string& name) {
                return std::none_of(options.patterns.begin(), options.patterns.end(),
                                    [&](const std::string& p) { return glob_match(p, name); });
            });
        return from;
    }

    crawl_options options;
    std::vector<std::unique_ptr<crew>> crews;
    mutable std::mutex guard; // of `boss` while it comes and goes
    coordinator* boss = nullptr;
    bool cancelled = false;
};

crawler::crawler(crawl_options options) : impl_(std::make_unique<impl>(std::move(options))) {}

crawler::~crawler() = default;

result<crawl_report> crawler::run(index_builder& builder)
{
    const auto begin = http::clock::now();
    auto& crews = impl_->crews;
    registry_client& registry = crews.front()->registry();
    const unsigned page_size = impl_->options.page_size;
    coordinator boss(
        crawl_plan(impl_->source(), builder,
                   [&registry, page_size](std::string_view name) { return registry.tags_target(name, page_size); }),
        crews);
    {
        const std::lock_guard lock(impl_->guard);
        impl_->boss = &boss;
        if (impl_->cancelled)
            asio::post(boss.context(), [&boss] { boss.fail({errc::cancelled, {}}); });
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < crews.size(); ++i)
        threads.emplace_back([&boss, who = crews[i].get()] { who->run(boss); });
    crews.front()->run(boss);
    for (auto& t : threads)
        t.join();
    {
        const std::lock_guard lock(impl_->guard);
        impl_->boss = nullptr;
    }
    // Records may be on their way between threads that have stopped; nothing of them is to be lost.
    for (const auto& c : crews)
        c->read_mail();
    for (const auto& c : crews)
        c->hand_in(builder);
    if (builder.failed())
        return error(errc::io, "the index cannot be written");
    if (boss.failure())
        return *boss.failure();
    crawl_report report = boss.plan().report();
    for (const auto& c : crews) {
        report.requests += c->stats().requests;
        report.retries += c->stats().retries;
        report.connections += c->stats().connections;
    }
    report.seconds = std::chrono::duration<double>(http::clock::now() - begin).count();
    return report;
}

void crawler::cancel()
{
    const std::lock_guard lock(impl_->guard);
    impl_->cancelled = true;
    if (impl_->boss != nullptr)
        asio::post(impl_->boss->context(), [boss = impl_->boss] { boss->fail({errc::cancelled, {}}); });
}

crawl_progress crawler::progress() const
{
    crawl_progress out;
    for (const auto& c : impl_->crews) {
        out.tags += c->counts.tags.load(std::memory_order_relaxed);
        out.in_flight += c->counts.in_flight.load(std::memory_order_relaxed);
        out.requests += c->counts.requests.load(std::memory_order_relaxed);
        out.retries += c->counts.retries.load(std::memory_order_relaxed);
    }
    const std::lock_guard lock(impl_->guard);
    if (impl_->boss == nullptr)
        return out;
    out.repositories = impl_->boss->repositories.load(std::memory_order_relaxed);
    out.repositories_done = impl_->boss->repositories_done.load(std::memory_order_relaxed);
    out.tags_known = impl_->boss->tags_known.load(std::memory_order_relaxed);
    out.catalog_complete = impl_->boss->catalog_complete.load(std::memory_order_relaxed);
    return out;
}

} // namespace regsweep
