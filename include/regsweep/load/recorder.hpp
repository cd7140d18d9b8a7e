#ifndef REGSWEEP_LOAD_RECORDER_HPP
#define REGSWEEP_LOAD_RECORDER_HPP

#include "regsweep/load/generator.hpp"

#include <memory>
#include <optional>

namespace regsweep {

/// Measures requests of one operation that something else sends, e.g. the deletions of a sweep, as a load measures its
/// own.
class load_recorder
{
public:
    using time_point = send_schedule::time_point;

    /// The requests begin now. At most `concurrency` are in flight.
    load_recorder(operation op, unsigned concurrency, time_point now);
    ~load_recorder();

    /// A request that was answered with this status. In the order in which they end; one thread, that of `finish`.
    void answered(time_point sent, time_point ended, unsigned status);
    /// A request that failed. One that was cancelled does not count.
    void failed(time_point sent, time_point ended, const error& why);

    /// What was measured, from when the first request was sent until the last one ended: what the sender did between
    /// them is in it. Call it once.
    load_result finish(bool interrupted);

    /// The latest whole second, if one is over. Any thread.
    std::optional<load_interval> latest() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
