#ifndef REGSWEEP_SRC_SWEEP_INDEX_FOLLOWER_HPP
#define REGSWEEP_SRC_SWEEP_INDEX_FOLLOWER_HPP

#include "regsweep/index/index.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace regsweep {

/// How the index follows what became of a step.
struct index_change
{
    enum class kind : std::uint8_t { none, remove_digest, remove_tag, move_tag };
    kind what = kind::none;
    std::string repository{};
    regsweep::digest digest{};             ///< for all but `remove_tag`
    std::string tag{};                     ///< for all but `remove_digest`
    media_type type = media_type::unknown; ///< for `move_tag`
};

/// Lets the index follow, on a thread of its own: each group of changes waits for the disk several times, and nothing
/// else has to wait for that.
class index_follower
{
public:
    /// Nothing else may use `known` until `finish`; null: there is no index.
    explicit index_follower(index* known);
    ~index_follower();

    void push(index_change change);
    /// Waits until all is written. Fails with the first error of any of it.
    result<void> finish();
    /// Whether writing has failed.
    bool failed() const;

private:
    void work();
    result<void> move(const index_change& what);
    result<void> write(const std::vector<index_change>& changes);

    index* known_;
    mutable std::mutex guard_;
    std::condition_variable ended_;
    std::vector<index_change> changes_;
    std::optional<error> failure_;
    bool over_ = false;
    std::thread thread_;
};

} // namespace regsweep

#endif
