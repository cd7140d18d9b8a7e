#include "regsweep/load/recorder.hpp"

#include "load/tally.hpp"

#include <algorithm>

namespace regsweep {
namespace {

constexpr std::chrono::seconds recorded_interval{1};

double in_seconds(send_schedule::clock::duration d) noexcept
{
    return std::chrono::duration<double>(d).count();
}

} // namespace

struct load_recorder::impl
{
    void add(finished_request what);
    void close_intervals(time_point until);

    operation op;
    unsigned concurrency;
    time_point start;
    time_point first = time_point::max();
    interval_board board{1, 0};
    tally counted{time_point::min(), time_point::max()};
    std::size_t intervals = 0; // that are over
    std::string first_failure{};
};

load_recorder::load_recorder(operation op, unsigned concurrency, time_point now)
    : impl_(std::make_unique<impl>(op, concurrency, now))
{}

load_recorder::~load_recorder() = default;

void load_recorder::impl::close_intervals(time_point until)
{
    for (; until >= start + recorded_interval * (intervals + 1); ++intervals)
        board.publish(intervals, counted.take_interval(1));
}

void load_recorder::impl::add(finished_request what)
{
    close_intervals(what.ended);
    first = std::min(first, what.sent);
    what.op = op;
    what.intended = what.sent;
    counted.add(what);
}

void load_recorder::answered(time_point sent, time_point ended, unsigned status)
{
    finished_request what;
    what.sent = sent;
    what.ended = ended;
    what.status = status;
    if (status / 100 != 2 && impl_->first_failure.empty())
        impl_->first_failure = "the registry answered with status " + std::to_string(status);
    impl_->add(what);
}

void load_recorder::failed(time_point sent, time_point ended, const error& why)
{
    if (why.is(errc::cancelled))
        return;
    finished_request what;
    what.sent = sent;
    what.ended = ended;
    what.status = why.http_status;
    what.failure = kind_of(why);
    if (impl_->first_failure.empty())
        impl_->first_failure = why.message();
    impl_->add(what);
}

load_result load_recorder::finish(bool interrupted)
{
    impl& self = *impl_;
    load_result out;
    out.concurrency = self.concurrency;
    out.interrupted = interrupted;
    out.first_failure = self.first_failure;
    self.counted.add_to(out);
    if (out.requests != 0) {
        const auto last = self.counted.last();
        const double left = in_seconds(last - self.start) - static_cast<double>(self.intervals);
        self.board.publish(self.intervals, self.counted.take_interval(left));
        out.seconds = in_seconds(last - self.first);
    }
    self.board.leave();
    out.series = self.board.all();
    if (out.seconds > 0) {
        out.rate = self.counted.answered() / out.seconds;
        out.good_rate = self.counted.good() / out.seconds;
    }
    return out;
}

std::optional<load_interval> load_recorder::latest() const
{
    return impl_->board.latest();
}

} // namespace regsweep
