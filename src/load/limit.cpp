#include "regsweep/load/limit.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace regsweep {
namespace {

constexpr double smallest_rate = 0.5;
constexpr int most_refusals = 8;

template<class... T>
std::string text(const char* format, T... values)
{
    char out[160];
    std::snprintf(out, sizeof out, format, values...);
    return out;
}

} // namespace

limit_trial judge(const load_result& measured, const limit_options& by)
{
    limit_trial out;
    out.rate = measured.wanted_rate;
    out.seconds = measured.seconds;
    out.reached = measured.good_rate;
    out.p99_ms = static_cast<double>(measured.latency().percentile(99).count()) / 1e6;
    out.errors =
        measured.requests == 0 ? 1 : static_cast<double>(measured.errors) / static_cast<double>(measured.requests);
    // A short trial at a low rate has few requests, one of which may lie on the edge.
    const double due = out.rate * out.seconds;
    const double kept = due <= 0 ? 0 : (measured.rate * out.seconds + 1) / due;
    if (out.errors > by.max_errors)
        out.why = text("%.1f %% errors, over %.1f %%", out.errors * 100, by.max_errors * 100);
    else if (out.p99_ms > by.slo_p99_ms)
        out.why = text("p99 %.1f ms, over %.1f ms", out.p99_ms, by.slo_p99_ms);
    else if (kept < by.min_kept)
        out.why = text("only %.0f requests/s were answered", measured.rate);
    out.held = out.why.empty();
    return out;
}

limit_search::limit_search(limit_options options)
    : options_(options), rate_(std::clamp(options.first_rate, smallest_rate, options.largest_rate))
{
    options_.probe_seconds = std::min(options_.probe_seconds, options_.hold_seconds);
}

std::optional<limit_search::step> limit_search::next() const
{
    if (phase_ == phase::over)
        return std::nullopt;
    return step{rate_, phase_ == phase::confirm ? options_.hold_seconds : options_.probe_seconds};
}

// The next rate between what holds and what breaks, or the confirmation of what holds.
void limit_search::choose() noexcept
{
    if (breaks_ / holds_ - 1 <= options_.precision) {
        phase_ = phase::confirm;
        rate_ = holds_;
        return;
    }
    phase_ = phase::between;
    rate_ = std::sqrt(holds_ * breaks_);
}

void limit_search::tried(const limit_trial& outcome)
{
    trials_.push_back(outcome);
    if (phase_ == phase::confirm && outcome.held) {
        found_ = rate_;
        phase_ = phase::over;
        return;
    }
    if (phase_ == phase::confirm) {
        ++refused_;
        rate_ /= 1 + options_.precision * refused_;
        if (refused_ == most_refusals || rate_ < smallest_rate)
            phase_ = phase::over;
        return;
    }
    if (outcome.held)
        holds_ = rate_;
    else
        breaks_ = rate_;
    if (holds_ != 0 && breaks_ != 0) {
        choose();
    } else if (outcome.held) {
        rate_ = std::min(rate_ * 2, options_.largest_rate);
        if (rate_ <= holds_)
            phase_ = phase::confirm;
    } else {
        phase_ = phase::down;
        rate_ /= 2;
        if (rate_ < smallest_rate)
            phase_ = phase::over;
    }
}

} // namespace regsweep
