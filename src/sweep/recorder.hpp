#ifndef REGSWEEP_SRC_SWEEP_RECORDER_HPP
#define REGSWEEP_SRC_SWEEP_RECORDER_HPP

#include "regsweep/http/types.hpp"
#include "regsweep/sweep/journal.hpp"
#include "sweep/index_follower.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace regsweep {

/// Writes the journal on a thread of its own, and the index on another, so that the network never waits for the disk
/// longer than it must: what many coroutines want to record meanwhile becomes one group.
class recorder
{
public:
    /// Nothing else may use `records` and `known` (may be null) until it is destroyed.
    recorder(journal& records, std::int64_t run, index* known);
    ~recorder();

    /// Records intents durably and returns their entries' numbers.
    http::awaitable<result<std::vector<std::int64_t>>> intend(std::vector<journal_intent> intents);

    /// Records an outcome (of an entry, unless it is 0) and the change of the index that follows from it, soon.
    void settle(journal_outcome outcome, index_change then);

    /// Waits until all is written. Fails with the first error of any of it.
    result<void> finish();
    /// Whether writing has failed: stop.
    bool failed() const;

private:
    struct wish
    {
        std::vector<journal_intent> intents;
        std::function<void(result<std::vector<std::int64_t>>)> told;
    };

    void work();
    void write(std::vector<wish> wishes, const std::vector<journal_outcome>& outcomes);
    void keep(const error& why);

    journal& records_;
    const std::int64_t run_;
    index_follower follower_;
    mutable std::mutex guard_;
    std::condition_variable woken_;
    std::vector<wish> wishes_;
    std::vector<journal_outcome> outcomes_;
    std::optional<error> failure_;
    bool over_ = false;
    std::thread thread_;
};

} // namespace regsweep

#endif
