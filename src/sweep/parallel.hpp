#ifndef REGSWEEP_SRC_SWEEP_PARALLEL_HPP
#define REGSWEEP_SRC_SWEEP_PARALLEL_HPP

#include "regsweep/http/types.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <utility>

namespace regsweep {

/// A timer that never rings: cancelling it wakes who waits.
using sleeper = boost::asio::basic_waitable_timer<http::clock, boost::asio::wait_traits<http::clock>, http::executor>;

inline http::awaitable<void> sleep_until_woken(sleeper& bed, http::clock::time_point at_the_latest)
{
    boost::system::error_code ec;
    bed.expires_at(at_the_latest);
    co_await bed.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable_t<http::executor>(), ec));
}

inline http::awaitable<void> sleep_until_woken(sleeper& bed)
{
    return sleep_until_woken(bed, http::clock::time_point::max());
}

/// Lets so many coroutines of one thread through at a time, in the order in which they came.
class semaphore
{
public:
    explicit semaphore(std::size_t permits) : free_(permits) {}

    /// Takes a permit if that needs no waiting.
    bool try_acquire() noexcept
    {
        if (free_ == 0)
            return false;
        --free_;
        return true;
    }
    http::awaitable<void> acquire()
    {
        if (try_acquire())
            co_return;
        sleeper bed(co_await boost::asio::this_coro::executor);
        waiting_.push_back(&bed);
        co_await sleep_until_woken(bed); // the permit is handed over
    }

    void release()
    {
        if (waiting_.empty()) {
            ++free_;
            return;
        }
        waiting_.front()->cancel();
        waiting_.pop_front();
    }

private:
    std::size_t free_;
    std::deque<sleeper*> waiting_;
};

/// Gives a permit, or several, back at the end of a scope or before.
class permit
{
public:
    explicit permit(semaphore& of, std::size_t how_many = 1) noexcept : of_(of), held_(how_many) {}
    ~permit() { give_back(); }
    permit(const permit&) = delete;
    permit& operator=(const permit&) = delete;

    void give_back()
    {
        for (; held_ != 0; --held_)
            of_.release();
    }

private:
    semaphore& of_;
    std::size_t held_;
};

/// Calls `each(i)`, a coroutine, for every i below `count`, at most `at_once` at a time, and returns when all are over.
/// After an exception no further ones are begun; the first one is thrown when those that run are over.
template<class Each>
http::awaitable<void> for_each_parallel(std::size_t count, std::size_t at_once, Each& each)
{
    struct state
    {
        state(http::executor where, std::size_t n) : bed(where), count(n) {}
        sleeper bed;
        std::size_t count;
        std::size_t next = 0;
        std::size_t running = 0;
        std::exception_ptr thrown;
    };
    const auto executor = co_await boost::asio::this_coro::executor;
    const auto shared = std::make_shared<state>(executor, count);
    const std::size_t workers = std::min(count, std::max<std::size_t>(at_once, 1));
    shared->running = workers;
    for (std::size_t w = 0; w != workers; ++w) {
        auto work = [](std::shared_ptr<state> s, Each& call) -> http::awaitable<void> {
            try {
                while (s->next != s->count && !s->thrown)
                    co_await call(s->next++);
            } catch (...) {
                if (!s->thrown)
                    s->thrown = std::current_exception();
            }
            if (--s->running == 0)
                s->bed.cancel();
        };
        boost::asio::co_spawn(executor, work(shared, each), boost::asio::detached);
    }
    while (shared->running != 0)
        co_await sleep_until_woken(shared->bed);
    if (shared->thrown)
        std::rethrow_exception(shared->thrown);
}

} // namespace regsweep

#endif
