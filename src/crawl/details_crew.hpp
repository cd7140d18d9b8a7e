#ifndef REGSWEEP_SRC_CRAWL_DETAILS_CREW_HPP
#define REGSWEEP_SRC_CRAWL_DETAILS_CREW_HPP

#include "crawl/crews.hpp"
#include "regsweep/crawl/details.hpp"
#include "regsweep/registry/content.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

namespace regsweep {

/// One thing to ask the registry.
struct details_job
{
    enum class kind : std::uint8_t { manifest, referrers };
    kind what = kind::manifest;
    std::string repository;
    regsweep::digest digest;
    std::vector<std::string> tried{}; // other repositories that do not have it
    unsigned depth = 0;               // of referrers of referrers
};

struct no_manifest // 404
{};
struct no_referrers_api
{};
struct found_manifest
{
    manifest_details facts;
    bool with_config = false;
};
using referrers_list = std::vector<digest>;

struct details_answer
{
    details_job job;
    std::variant<error, no_manifest, no_referrers_api, found_manifest, referrers_list> found;
};

/// The answers on their way from the threads of the network to the one of the store.
class answer_queue
{
public:
    void push(details_answer one)
    {
        {
            const std::lock_guard lock(guard_);
            waiting_.push_back(std::move(one));
        }
        woken_.notify_one();
    }
    void interrupt()
    {
        {
            const std::lock_guard lock(guard_);
            interrupted_ = true;
        }
        woken_.notify_one();
    }
    bool interrupted() const
    {
        const std::lock_guard lock(guard_);
        return interrupted_;
    }
    /// Takes all there are, waiting up to `patience` for the first.
    void take(std::vector<details_answer>& into, std::chrono::milliseconds patience)
    {
        into.clear();
        std::unique_lock lock(guard_);
        woken_.wait_for(lock, patience, [&] { return !waiting_.empty() || interrupted_; });
        into.swap(waiting_);
    }

private:
    mutable std::mutex guard_;
    std::condition_variable woken_;
    std::vector<details_answer> waiting_;
    bool interrupted_ = false;
};

/// A thread with its connections, and workers that each keep one request in flight.
class details_crew
{
public:
    details_crew(const crawl_options& options, concurrency_control::limits share, answer_queue& answers)
        : client_(context_, options.http), registry_(client_, options.address, options.registry),
          content_(client_, options.address, options.registry), workers_(share.most), control_(share), answers_(answers)
    {}

    void run();
    /// Any thread.
    void post(details_job job);
    void stop();

    const http::client_stats& stats() const noexcept { return client_.stats(); }
    std::atomic<std::uint64_t> in_flight{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> retries{0};

private:
    http::awaitable<void> work();
    http::awaitable<details_answer> answer(details_job job, registry_buffers& buffers);
    http::awaitable<void> read_config(const std::string& repository, found_manifest& into, error& failed,
                                      registry_buffers& buffers);
    void one_is_through();

    boost::asio::io_context context_{1};
    http::client client_;
    registry_client registry_;
    content_client content_;
    unsigned workers_;
    concurrency_control control_;
    answer_queue& answers_;
    std::deque<details_job> jobs_;
    std::vector<crawl_timer*> idle_;   // workers without work
    std::vector<crawl_timer*> parked_; // workers over the limit
    unsigned busy_ = 0;
    unsigned running_ = 0;
    bool stopping_ = false;
};

} // namespace regsweep

#endif
