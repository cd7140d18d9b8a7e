#include "load/tally.hpp"

#include <algorithm>

namespace regsweep {
namespace {

std::string kind_name(errc kind)
{
    switch (kind) {
    case errc::resolve_failed: return "resolve_failed";
    case errc::connect_failed: return "connect_failed";
    case errc::tls_failed: return "tls_failed";
    case errc::connection_lost: return "connection_lost";
    case errc::timed_out: return "timed_out";
    case errc::too_large: return "too_large";
    case errc::bad_response: return "bad_response";
    case errc::redirect_refused: return "redirect_refused";
    case errc::unauthorized: return "unauthorized";
    case errc::forbidden: return "forbidden";
    default: return "other";
    }
}

} // namespace

errc kind_of(const error& e) noexcept
{
    return e.code.category() == category() ? static_cast<errc>(e.code.value()) : errc::io;
}

// How much of the request's time lies within the measurement: nearly always all of it. Counting the rest by its part
// makes the rate true for slow answers, too, and keeps one late answer from stretching the measurement.
double tally::part_inside(const finished_request& what) const noexcept
{
    if (what.sent >= from_ && what.ended <= end_)
        return 1;
    const auto length = (what.ended - what.sent).count();
    const auto inside = (std::min(what.ended, end_) - std::max(what.sent, from_)).count();
    return inside <= 0 || length <= 0 ? 0 : static_cast<double>(inside) / static_cast<double>(length);
}

void tally::add(const finished_request& what) noexcept
{
    const auto latency = what.ended - what.intended;
    const bool good = what.status / 100 == 2;
    const double part = part_inside(what);
    last_ = std::max(last_, what.ended);
    answered_ += part;
    ++interval_.requests;
    interval_.latency.record(latency);
    if (good)
        good_ += part;
    else
        ++interval_.errors;
    if (!what.measured) {
        ++warmup_;
        return;
    }
    counts& to = by_operation_[static_cast<std::size_t>(what.op)];
    to.latency.record(latency);
    to.body_bytes += what.body_bytes;
    if (good)
        return;
    ++to.errors;
    if (what.status != 0)
        ++to.by_status[std::min<std::size_t>(what.status, statuses - 1)];
    else
        ++to.by_kind[std::min<std::size_t>(static_cast<std::size_t>(what.failure), kinds - 1)];
}

interval_part tally::take_interval(double seconds)
{
    interval_part out = interval_;
    out.seconds = seconds;
    interval_ = interval_part();
    return out;
}

void tally::add_to(load_result& into) const
{
    into.warmup_requests += warmup_;
    for (std::size_t i = 0; i != operations; ++i) {
        const counts& from = by_operation_[i];
        operation_result& to = into.by_operation[i];
        to.requests += from.latency.count();
        to.errors += from.errors;
        to.body_bytes += from.body_bytes;
        to.latency.merge(from.latency);
        for (std::size_t status = 0; status != statuses; ++status)
            if (from.by_status[status] != 0)
                to.failures["http_" + std::to_string(status)] += from.by_status[status];
        for (std::size_t kind = 0; kind != kinds; ++kind)
            if (from.by_kind[kind] != 0)
                to.failures[kind_name(static_cast<errc>(kind))] += from.by_kind[kind];
        into.requests += from.latency.count();
        into.errors += from.errors;
    }
}

} // namespace regsweep
