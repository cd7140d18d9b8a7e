#include "crawl/concurrency.hpp"

#include <algorithm>
#include <utility>

namespace regsweep {
namespace {

constexpr std::chrono::milliseconds shortest_window{150};
constexpr std::chrono::milliseconds longest_window{1000};
constexpr double worthwhile = 1.15; // what doubling must bring to be kept
constexpr double backing_off = 0.7;
constexpr double slower = 0.7; // a rate below this share of what was held means that the registry is overloaded
constexpr unsigned first_patience = 40;
constexpr unsigned longest_patience = 640;

} // namespace

concurrency_control::concurrency_control(limits within)
    : within_(within), limit_(std::clamp(within.first, within.least, within.most)), patience_(first_patience)
{}

bool concurrency_control::change(unsigned to) noexcept
{
    to = std::clamp(to, within_.least, within_.most);
    const bool different = to != limit_;
    limit_ = to;
    settling_ = true;
    windows_held_ = 0;
    return different;
}

void concurrency_control::begin_window(time_point now) noexcept
{
    window_begin_ = now;
    answers_ = 0;
}

bool concurrency_control::answered(time_point now, unsigned in_flight, std::uint64_t overloads)
{
    if (within_.fixed)
        return false;
    if (window_begin_ == time_point())
        begin_window(now);
    ++answers_;
    const auto length = now - window_begin_;
    // Every request in flight should have been answered twice, unless that takes very long.
    if (length < shortest_window || (answers_ < std::uint64_t{2} * limit_ && length < longest_window))
        return false;
    const double rate = static_cast<double>(answers_) / std::chrono::duration<double>(length).count();
    const bool overloaded = overloads != overloads_;
    overloads_ = overloads;
    begin_window(now);
    if (overloaded) {
        phase_ = phase::recovering;
        rate_before_ = rate_held_ = 0;
        return change(static_cast<unsigned>(static_cast<double>(limit_) * backing_off));
    }
    if (in_flight < limit_)
        return false;
    if (std::exchange(settling_, false))
        return false;
    return evaluate(rate);
}

bool concurrency_control::evaluate(double rate)
{
    switch (phase_) {
    case phase::recovering:
        if (++windows_held_ < 4)
            return false;
        rate_held_ = rate;
        return change(limit_ + 1);
    case phase::climbing:
        if (rate_before_ != 0 && rate < rate_before_ * worthwhile) {
            phase_ = phase::holding;
            rate_held_ = 0;
            patience_ = std::min(patience_ * 2, longest_patience);
            return change(limit_ / 2);
        }
        if (limit_ == within_.most) {
            phase_ = phase::holding;
            rate_held_ = rate;
            return false;
        }
        rate_before_ = rate;
        return change(limit_ * 2);
    case phase::holding:
        if (rate_held_ != 0 && rate < rate_held_ * slower && limit_ > within_.least) {
            rate_held_ = 0;
            return change(static_cast<unsigned>(static_cast<double>(limit_) * backing_off));
        }
        rate_held_ = rate_held_ == 0 ? rate : 0.8 * rate_held_ + 0.2 * rate;
        if (++windows_held_ < patience_ || limit_ == within_.most)
            return false;
        phase_ = phase::climbing;
        rate_before_ = rate_held_;
        return change(limit_ * 2);
    }
    return false;
}

} // namespace regsweep
