#ifndef REGSWEEP_SRC_CRAWL_CREW_HPP
#define REGSWEEP_SRC_CRAWL_CREW_HPP

#include "crawl/crews.hpp"
#include "crawl/plan.hpp"
#include "registry/pipelining.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace regsweep {

class coordinator;

/// A thread's share of the crawl: its io_context, its connections, and workers that each keep one request in flight.
class crew
{
public:
    crew(const crawl_options& options, http::client_options http_options, concurrency_control::limits share,
         std::size_t number)
        : client_(context_, std::move(http_options)), registry_(client_, options.address, options.registry),
          workers_(share.most), control_(share), pipeline_(options.pipeline, options.pipeline_rate), number_(number)
    {}

    void run(coordinator& boss);

    boost::asio::io_context& context() noexcept { return context_; }
    std::size_t number() const noexcept { return number_; }
    registry_client& registry() noexcept { return registry_; }
    const http::client_stats& stats() const noexcept { return client_.stats(); }

    /// On this crew's thread.
    void accept(crawl_job job);
    void stop(bool at_once);

    /// Read by any thread.
    struct alignas(64) counters
    {
        std::atomic<std::uint64_t> tags{0};
        std::atomic<std::uint64_t> in_flight{0};
        std::atomic<std::uint64_t> requests{0};
        std::atomic<std::uint64_t> retries{0};
    };
    counters counts;

    /// Runs the messages that came after the workers had ended.
    void read_mail();
    /// What workers had not finished when they were stopped.
    void hand_in(index_builder& builder);

private:
    // One record being resolved by the workers of a crew.
    struct batch
    {
        crawl_job job;
        std::size_t next = 0; // entry to begin with next
        std::size_t over = 0; // entries that are through
        std::size_t failed = 0;
    };

    http::awaitable<void> work(coordinator& boss);
    http::awaitable<void> run_errand(coordinator& boss, crawl_job job, registry_buffers& buffers);
    batch* next_batch() noexcept;
    void settle_entry(coordinator& boss, batch& b, index_record::entry& entry,
                      result<std::optional<resolved_manifest>>& found);
    void close_batch(coordinator& boss, batch& b);
    void ask(coordinator& boss);
    void wake(std::size_t how_many);
    http::awaitable<void> try_pipelining(const index_record& record, registry_buffers& buffers);
    void give_up(coordinator& boss, batch& b);
    void are_through(unsigned how_many);
    unsigned together() const noexcept { return pipeline_.depth(std::max(1U, control_.limit())); }
    void publish() noexcept;

    boost::asio::io_context context_{1};
    http::client client_;
    registry_client registry_;
    unsigned workers_;
    concurrency_control control_;
    pipelining pipeline_;
    std::size_t number_;
    std::deque<crawl_job> errands_;               // lists and the catalog
    std::vector<std::unique_ptr<batch>> batches_; // every record in hand, the oldest first
    std::vector<crawl_timer*> idle_;              // workers without work
    std::vector<crawl_timer*> parked_;            // workers over the limit
    unsigned busy_ = 0;                           // requests in flight
    std::size_t asked_ = 0;
    unsigned unreachable_ = 0;
    unsigned running_ = 0;
    bool stopping_ = false;
};

/// Owns the plan; lives on the first crew's thread. Others talk to it and are talked to by posted messages.
class coordinator
{
public:
    coordinator(crawl_plan plan, std::vector<std::unique_ptr<crew>>& crews)
        : plan_(std::move(plan)), crews_(crews), hungry_(crews.size(), 0), soon_(crews.front()->context())
    {}

    boost::asio::io_context& context() noexcept { return crews_.front()->context(); }

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
    crawl_timer soon_;
    std::optional<error> failure_;
    bool over_ = false;
};

} // namespace regsweep

#endif
