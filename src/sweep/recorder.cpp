#include "sweep/recorder.hpp"

#include "sweep/parallel.hpp"

#include <boost/asio/post.hpp>

#include <chrono>

namespace regsweep {
namespace {

// Outcomes are not urgent: a kill loses no more than this many milliseconds of them, and they are looked up again then.
constexpr std::chrono::milliseconds outcome_delay{100};

} // namespace

recorder::recorder(journal& records, std::int64_t run, index* known)
    : records_(records), run_(run), follower_(known), thread_([this] { work(); })
{}

recorder::~recorder()
{
    finish();
}

http::awaitable<result<std::vector<std::int64_t>>> recorder::intend(std::vector<journal_intent> intents)
{
    struct answer
    {
        explicit answer(http::executor where) : bed(where) {}
        sleeper bed;
        std::optional<result<std::vector<std::int64_t>>> got;
    };
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto shared = std::make_shared<answer>(executor);
    {
        const std::lock_guard lock(guard_);
        // Once told, the other thread keeps nothing that belongs to this one's io_context.
        wishes_.push_back({std::move(intents), [told = shared](result<std::vector<std::int64_t>> got) mutable {
                               const http::executor where = told->bed.get_executor();
                               boost::asio::post(where, [mine = std::move(told), got = std::move(got)]() mutable {
                                   mine->got.emplace(std::move(got));
                                   mine->bed.cancel();
                               });
                           }});
    }
    woken_.notify_one();
    while (!shared->got)
        co_await sleep_until_woken(shared->bed);
    co_return *std::move(shared->got);
}

void recorder::settle(journal_outcome outcome, index_change then)
{
    follower_.push(std::move(then));
    if (outcome.entry == 0)
        return;
    const std::lock_guard lock(guard_);
    outcomes_.push_back(std::move(outcome));
}

bool recorder::failed() const
{
    if (follower_.failed())
        return true;
    const std::lock_guard lock(guard_);
    return failure_.has_value();
}

result<void> recorder::finish()
{
    {
        const std::lock_guard lock(guard_);
        over_ = true;
    }
    woken_.notify_one();
    if (thread_.joinable())
        thread_.join();
    const auto followed = follower_.finish();
    return failure_ ? result<void>(*failure_) : followed;
}

void recorder::keep(const error& why)
{
    const std::lock_guard lock(guard_);
    if (!failure_)
        failure_ = why;
}

void recorder::work()
{
    std::unique_lock lock(guard_);
    while (true) {
        woken_.wait_for(lock, outcome_delay, [&] { return over_ || !wishes_.empty(); });
        const bool last = over_;
        auto wishes = std::exchange(wishes_, {});
        const auto outcomes = std::exchange(outcomes_, {});
        lock.unlock();
        write(std::move(wishes), outcomes);
        lock.lock();
        if (last && wishes_.empty() && outcomes_.empty())
            return;
    }
}

void recorder::write(std::vector<wish> wishes, const std::vector<journal_outcome>& outcomes)
{
    std::vector<journal_intent> group;
    std::vector<std::size_t> sizes;
    sizes.reserve(wishes.size());
    for (auto& w : wishes) {
        sizes.push_back(w.intents.size());
        group.insert(group.end(), std::make_move_iterator(w.intents.begin()), std::make_move_iterator(w.intents.end()));
    }
    if (!group.empty()) {
        const auto entries = records_.add_intents(run_, group, outcomes);
        if (!entries)
            keep(entries.error());
        std::size_t next = 0;
        for (std::size_t i = 0; i != wishes.size(); ++i) {
            if (!entries) {
                wishes[i].told(entries.error());
                continue;
            }
            const auto begin = entries->begin() + static_cast<std::ptrdiff_t>(next);
            wishes[i].told(std::vector<std::int64_t>(begin, begin + static_cast<std::ptrdiff_t>(sizes[i])));
            next += sizes[i];
        }
    }
    if (group.empty())
        if (const auto done = records_.add_outcomes(outcomes); !done)
            keep(done.error());
}

} // namespace regsweep
