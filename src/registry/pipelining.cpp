#include "registry/pipelining.hpp"

namespace regsweep {
namespace {

constexpr std::chrono::milliseconds window{50};

} // namespace

void pipelining::answered(time_point now, unsigned how_many) noexcept
{
    if (fixed_ != 0 || now_ == phase::never)
        return;
    if (window_begin_ == time_point())
        window_begin_ = now;
    answers_ += how_many;
    const auto length = now - window_begin_;
    if (length < window)
        return;
    const double rate = static_cast<double>(answers_) / std::chrono::duration<double>(length).count();
    answers_ = 0;
    window_begin_ = now;
    if (now_ == phase::untried && rate >= high_)
        now_ = phase::trial_due;
    else if (now_ == phase::proved && rate >= high_)
        now_ = phase::together;
    else if (now_ == phase::together && rate < low_)
        now_ = phase::proved;
}

bool pipelining::take_trial() noexcept
{
    if (now_ != phase::trial_due)
        return false;
    now_ = phase::trial;
    return true;
}

} // namespace regsweep
