#include "load/series.hpp"

#include <algorithm>

namespace regsweep {
namespace {

double milliseconds(histogram::duration d) noexcept
{
    return static_cast<double>(d.count()) / 1e6;
}

} // namespace

void interval_board::publish(std::size_t number, const interval_part& part)
{
    const std::lock_guard lock(guard_);
    sum& into = open_[number];
    ++into.parts;
    into.whole.seconds = std::max(into.whole.seconds, part.seconds);
    into.whole.requests += part.requests;
    into.whole.errors += part.errors;
    into.whole.latency.merge(part.latency);
    close(false);
}

void interval_board::leave()
{
    const std::lock_guard lock(guard_);
    --threads_;
    close(threads_ == 0);
}

// Intervals that nobody will add to any more become part of the series, in order.
void interval_board::close(bool everything)
{
    while (!open_.empty()) {
        const auto& [number, seen] = *open_.begin();
        if (!everything && seen.parts < threads_)
            return;
        load_interval out;
        out.begin = static_cast<double>(number);
        out.seconds = seen.whole.seconds;
        out.warmup = out.begin < warmup_;
        out.requests = seen.whole.requests;
        out.errors = seen.whole.errors;
        out.p50_ms = milliseconds(seen.whole.latency.percentile(50));
        out.p99_ms = milliseconds(seen.whole.latency.percentile(99));
        closed_.push_back(out);
        open_.erase(open_.begin());
    }
}

std::optional<load_interval> interval_board::latest() const
{
    const std::lock_guard lock(guard_);
    if (closed_.empty())
        return std::nullopt;
    return closed_.back();
}

std::vector<load_interval> interval_board::all() const
{
    const std::lock_guard lock(guard_);
    return closed_;
}

} // namespace regsweep
