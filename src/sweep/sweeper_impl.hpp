#ifndef REGSWEEP_SRC_SWEEP_SWEEPER_IMPL_HPP
#define REGSWEEP_SRC_SWEEP_SWEEPER_IMPL_HPP

#include "regsweep/sweep/sweeper.hpp"
#include "sweep/live.hpp"
#include "sweep/recorder.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <unordered_set>

namespace regsweep {

/// What the steps of one repository share while they are carried out.
struct repository_sweep
{
    repository_sweep(std::span<const plan_step> all, std::size_t& shelf_room)
        : steps(all), ends(all.size()), shelf(shelf_room)
    {}

    std::span<const plan_step> steps;
    std::vector<step_end> ends; // one a step
    // What the last look at the registry has found; nothing without verification.
    bool checked = false;
    live_state live;
    manifest_shelf shelf;
    std::vector<step_verdict> verdicts; // one a step
    std::unordered_map<digest, std::vector<std::string>> tags_of;
    http::clock::time_point read_at{};
    http::clock::duration read_for{};
    semaphore reading{1};
    semaphore untagging{1};
    // Indexes that are to be deleted, with what they list.
    std::unordered_map<digest, std::vector<digest>> children;

    std::size_t place_of(const plan_step& step) const { return static_cast<std::size_t>(&step - steps.data()); }
    const step_verdict& verdict_of(const plan_step& step) const { return verdicts[place_of(step)]; }
    step_end& end_of(const plan_step& step) { return ends[place_of(step)]; }
    std::span<const digest> children_of(const plan_step& step) const
    {
        const auto found = step.kind == step_kind::remove ? children.find(step.id) : children.end();
        return found == children.end() ? std::span<const digest>() : std::span<const digest>(found->second);
    }
};

/// One step on its way: fetched, journaled, carried out.
struct work_item
{
    const plan_step* step = nullptr;
    repository_sweep* home = nullptr;
    std::vector<std::string> tags{};       // that point to it now
    std::vector<std::string> other_tags{}; // for an untag: those that are to stay
    std::optional<manifest> content{};
    std::string placeholder{};
    std::int64_t entry = 0;
    bool ready = false;
    std::optional<http::clock::time_point> unanswered_at{}; // its delete was sent, and its answer lost
    unsigned put_back = 0;                                  // how often, since its tags were left behind
};

/// Whether a request that failed with this may have been carried out all the same: anything but a refusal.
inline bool may_have_happened(const error& e) noexcept
{
    return e.http_status < 400 || e.http_status == 408 || e.http_status >= 500;
}

/// Whether it may be carried out later: the registry, or what it stores its data in, has not answered.
inline bool may_happen_yet(const error& e) noexcept
{
    return e.http_status < 400 || e.http_status == 408 || e.http_status == 502 || e.http_status == 504;
}

struct sweeper::impl
{
    explicit impl(sweep_options o);

    void run_to_end(http::awaitable<void> main);
    bool stopping() const { return fatal || report.stopped || (log != nullptr && log->failed()); }
    void fail_for_good(error why);
    void tell_of_delete(http::clock::time_point sent, const result<bool>& answer) const
    {
        if (options.on_delete)
            options.on_delete({sent, http::clock::now(), answer});
    }

    // sweeper.cpp
    http::awaitable<void> sweep_all(const plan& what);
    http::awaitable<void> sweep_repository(std::span<const plan_step> steps, permit& turn);
    http::awaitable<result<void>> check(repository_sweep& home);
    std::vector<const plan_step*> judge(repository_sweep& home);
    void note_moved(const repository_sweep& home, const plan_step& step, const step_verdict& said);
    http::awaitable<void> carry_out(std::span<const plan_step* const> steps, repository_sweep& home);
    http::awaitable<void> carry_out_group(std::span<const plan_step* const> steps, repository_sweep& home);
    http::awaitable<void> prepare(work_item& item);
    void make_ready(work_item& item);
    journal_intent intent_of(work_item& item) const;
    void done(const work_item& item, journal_state state, std::string message = {});
    void count_failure(const work_item& item, std::string message);
    void leave_open(const work_item& item, std::string why);
    void leave_alone(const work_item& item, std::string why);
    void not_attempted(const work_item& item);
    void settle_unsent(const work_item& item, std::string why);
    void drop(repository_sweep& home, const plan_step& step, std::string why);
    // A repository's share of the requests that may be in flight, and one that waits to take the place of an answered
    // one.
    std::size_t share() const noexcept { return options.concurrency / std::max<std::size_t>(active, 1) + 1; }
    unsigned requests_at_once() const noexcept { return std::max(1U, options.concurrency); }
    live_reading reading_of_registry()
    {
        return {&registry, &leases, &pipeline, requests_at_once(), options.page_size, [this] { return share(); }};
    }
    void step_over() { steps_done.fetch_add(1, std::memory_order_relaxed); }

    // sweeper_remove.cpp
    http::awaitable<void> wait_for_delete_slot();
    std::optional<http::clock::time_point> good_until(const work_item& item) const;
    bool too_old(const work_item& item) const;
    http::awaitable<bool> look_again(work_item& item);
    bool still_allowed(work_item& item);
    http::awaitable<std::optional<lease_pool::lease>> ready_to_delete(std::vector<work_item*>& items, bool& has_turn);
    std::size_t deletes_together() const noexcept;
    http::awaitable<void> remove(std::span<work_item* const> items);
    http::awaitable<void> remove_alone(work_item& item);
    http::awaitable<bool> was_carried_out(work_item& item, http::clock::time_point at);
    http::awaitable<bool> conclude(work_item& item, result<bool> deleted, registry_buffers& buffers);
    http::awaitable<bool> remove_failed(work_item& item, error why, registry_buffers& buffers);
    http::awaitable<bool> settle_gone(work_item& item, journal_state state, std::string message,
                                      registry_buffers& buffers);
    http::awaitable<result<std::vector<std::string>>>
    tags_left_behind(const std::string& repository, std::vector<std::string> tags, registry_buffers& buffers);

    // sweeper_untag.cpp
    http::awaitable<void> untag(work_item& item);
    http::awaitable<void> untag_by_tag(work_item& item, registry_buffers& buffers);
    http::awaitable<void> untag_failed(work_item& item, error why, registry_buffers& buffers);
    http::awaitable<void> find_way(work_item& item, registry_buffers& buffers);
    http::awaitable<bool> ask_for_tag_alone(work_item& item, std::int64_t whole, registry_buffers& buffers);
    http::awaitable<void> put_back_whole(work_item& item, std::int64_t whole, registry_buffers& buffers);
    http::awaitable<void> untag_by_placeholder(work_item& item, registry_buffers& buffers);
    http::awaitable<bool> put_placeholder(work_item& item, registry_buffers& buffers);
    http::awaitable<bool> take_placeholder_back(work_item& item, error why, bool last, registry_buffers& buffers);
    http::awaitable<bool> deletion_enabled(const std::string& repository, registry_buffers& buffers);

    // sweeper_restore.cpp
    http::awaitable<void> repair(std::vector<journal_entry> entries, index* known,
                                 std::vector<journal_outcome>& outcomes);
    http::awaitable<std::optional<journal_outcome>> look_up(const journal_entry& entry);
    http::awaitable<result<bool>> is_open_still(const journal_entry& entry, registry_buffers& buffers);
    result<void> repair_all(journal& records, index* known);
    http::awaitable<void> restore_repository(journal& records, index* known, const std::vector<journal_entry>& entries,
                                             bool dry_run, restore_report& out);
    http::awaitable<void> restore_entry(journal& records, const journal_entry& entry, bool dry_run,
                                        restore_report& out);
    result<void> record_restored(journal& records, index* known);

    // sweeper_children.cpp
    http::awaitable<result<void>> collect_children(std::string repository, std::vector<plan_step>& steps);

    sweep_options options;
    boost::asio::io_context context{1};
    http::client client;
    registry_client registry;
    lease_pool leases;
    std::size_t shelf_room = std::size_t{64} << 20; // bytes of all repositories' shelves
    http::rate_limiter deletes;
    pipelining pipeline;
    semaphore slots{1}; // who waits for the next delete's moment: one, so that a stop need wake only one
    sleeper slot_bed{context.get_executor()};
    std::size_t active = 0;                             // repositories being swept
    semaphore looks{std::max(1U, options.concurrency)}; // how many steps' repositories are looked at
    semaphore collecting{1};                            // who takes several of those
    recorder* log = nullptr;
    std::int64_t run_id = 0;
    sweep_report report;
    struct returned
    {
        const journal_entry* entry;
        std::vector<std::string> tags; // that point to it again
    };
    std::vector<returned> restored;
    std::optional<error> fatal;
    enum class untag_way : std::uint8_t { unknown, by_tag, by_placeholder };
    untag_way way = untag_way::unknown;
    semaphore finding_way{1};
    std::unordered_set<std::string> with_placeholder_config;

    std::atomic<std::int64_t> run_number{0};
    std::atomic<std::uint64_t> steps_total{0};
    std::atomic<std::uint64_t> steps_done{0};
    std::atomic<std::uint64_t> steps_failed{0};
    std::atomic<std::uint64_t> retries{0};
    std::atomic<std::uint64_t> in_flight{0};
};

/// For people whose registry answers 405.
inline constexpr const char* how_to_enable_deletion =
    "the registry does not allow deletion: set storage.delete.enabled: true in its configuration, or "
    "REGISTRY_STORAGE_DELETE_ENABLED=true in its environment, and start it again";

/// A manifest that nobody else has: it takes the place of a tag's manifest, so that deleting it takes the tag alone.
std::string make_placeholder(const plan_step& step, std::int64_t run);

/// The steps of a plan, repository by repository.

} // namespace regsweep

#endif
