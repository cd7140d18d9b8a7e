#include "sweep/recorder.hpp"

#include "sweep/parallel.hpp"

#include <boost/asio/post.hpp>

#include <chrono>
#include <map>

namespace regsweep {
namespace {

// Outcomes are not urgent: a kill loses no more than this many milliseconds of them, and they are looked up again then.
constexpr std::chrono::milliseconds outcome_delay{20};
// The index is behind by this much at the most: each change of it waits for the disk several times.
constexpr std::chrono::milliseconds index_delay{300};

} // namespace

recorder::recorder(journal& records, std::int64_t run, index* known)
    : records_(records), run_(run), known_(known), thread_([this] { work(); })
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
        wishes_.push_back({std::move(intents), [shared](result<std::vector<std::int64_t>> got) {
                               boost::asio::post(shared->bed.get_executor(), [shared, got = std::move(got)]() mutable {
                                   shared->got.emplace(std::move(got));
                                   shared->bed.cancel();
                               });
                           }});
    }
    woken_.notify_one();
    while (!shared->got)
        co_await sleep_until_woken(shared->bed);
    co_return *std::move(shared->got);
}

void recorder::settle(journal_outcome outcome, change then)
{
    const std::lock_guard lock(guard_);
    if (outcome.entry != 0)
        outcomes_.push_back(std::move(outcome));
    if (then.what != change::kind::none)
        changes_.push_back(std::move(then));
}

bool recorder::failed() const
{
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
    if (failure_)
        return *failure_;
    return {};
}

void recorder::keep(const error& why)
{
    const std::lock_guard lock(guard_);
    if (!failure_)
        failure_ = why;
}

void recorder::work()
{
    auto followed_at = std::chrono::steady_clock::now();
    std::unique_lock lock(guard_);
    while (true) {
        woken_.wait_for(lock, outcome_delay, [&] { return over_ || !wishes_.empty(); });
        const bool last = over_;
        auto wishes = std::exchange(wishes_, {});
        const auto outcomes = std::exchange(outcomes_, {});
        std::vector<change> changes;
        if (const auto now = std::chrono::steady_clock::now(); last || now - followed_at >= index_delay) {
            changes.swap(changes_);
            followed_at = now;
        }
        lock.unlock();
        write(std::move(wishes), outcomes, changes);
        lock.lock();
        if (last && wishes_.empty() && outcomes_.empty() && changes_.empty())
            return;
    }
}

void recorder::write(std::vector<wish> wishes, const std::vector<journal_outcome>& outcomes,
                     const std::vector<change>& changes)
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
    if (!changes.empty() && known_ != nullptr)
        if (const auto done = follow(changes); !done)
            keep(done.error());
}

result<void> recorder::follow(const std::vector<change>& changes)
{
    auto done = known_->begin();
    if (!done)
        return done;
    std::map<std::string_view, std::vector<digest>> digests; // to be removed from each repository together
    for (const auto& c : changes) {
        if (c.what == change::kind::remove_digest)
            digests[c.repository].push_back(c.digest);
        else
            done = known_->remove_tag(c.repository, c.tag);
        if (!done)
            break;
    }
    for (auto each = digests.begin(); done && each != digests.end(); ++each)
        if (const auto removed = known_->remove_digests(each->first, each->second); !removed)
            done = removed.error();
    if (done)
        return known_->commit();
    known_->rollback();
    return done;
}

} // namespace regsweep
