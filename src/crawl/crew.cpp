#include "crawl/crew.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>

namespace regsweep {
namespace {

namespace asio = boost::asio;
using http::awaitable;

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

} // namespace

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
    for (crawl_timer* bed : std::exchange(parked_, {}))
        bed->cancel();
}

void crew::wake(std::size_t how_many)
{
    for (; how_many != 0 && !idle_.empty(); --how_many) {
        idle_.back()->cancel();
        idle_.pop_back();
    }
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

crew::batch* crew::next_batch() noexcept
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
    crawl_timer bed(context_);
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

} // namespace regsweep
