#include "regsweep/load/workload.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace regsweep {
namespace {

constexpr std::array<std::string_view, operations> names = {"ping", "catalog", "tags", "head", "get", "blob", "delete"};
constexpr std::uint32_t largest_weight = 1'000'000;

error bad_mix(std::string_view part, const char* why)
{
    return error(errc::bad_argument,
                 "'" + printable(part, 60) + "' in the mix " + why + "; write e.g. head=80,tags=15,catalog=5");
}

// The part of `total` that falls to one of several, so that they add up to it.
std::uint64_t share(std::uint64_t total, unsigned part, unsigned parts) noexcept
{
    return total / parts + (part < total % parts ? 1 : 0);
}

} // namespace

std::string_view to_string(operation op) noexcept
{
    return names[static_cast<std::size_t>(op)];
}

std::optional<operation> parse_operation(std::string_view name) noexcept
{
    for (std::size_t i = 0; i != operations; ++i)
        if (names[i] == name)
            return static_cast<operation>(i);
    return std::nullopt;
}

result<operation_mix> parse_mix(std::string_view text)
{
    operation_mix mix{};
    std::array<bool, operations> given{};
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string_view part = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t equals = part.find('=');
        if (equals == std::string_view::npos)
            return bad_mix(part, "has no weight");
        const auto op = parse_operation(part.substr(0, equals));
        if (!op)
            return bad_mix(part, "is no operation (ping, catalog, tags, head, get, blob, delete)");
        const auto place = static_cast<std::size_t>(*op);
        if (given[place])
            return bad_mix(part, "is there twice");
        const std::string_view number = part.substr(equals + 1);
        const auto [stop, ec] = std::from_chars(number.data(), number.data() + number.size(), mix[place]);
        if (ec != std::errc() || stop != number.data() + number.size() || mix[place] > largest_weight)
            return bad_mix(part, "has no weight from 0 to 1000000");
        given[place] = true;
    }
    if (std::all_of(mix.begin(), mix.end(), [](std::uint32_t weight) { return weight == 0; }))
        return bad_mix(text, "has no weight");
    return mix;
}

std::string to_string(const operation_mix& mix)
{
    std::string out;
    for (std::size_t i = 0; i != operations; ++i)
        if (mix[i] != 0)
            out += (out.empty() ? "" : ",") + std::string(names[i]) + "=" + std::to_string(mix[i]);
    return out;
}

request_source::request_source(const load_targets& targets, const operation_mix& mix, target_order order,
                               std::uint64_t seed, unsigned part, unsigned parts)
    : targets_(targets), order_(order), parts_(parts), random_(seed)
{
    // Seeds that follow each other must not give threads the same numbers one step apart.
    for (unsigned i = 0; i != part; ++i)
        random_ = split_mix(random_());
    for (std::size_t i = 0; i != operations; ++i) {
        total_ += mix[i];
        below_[i] = total_;
        position_[i] = part;
    }
}

request_source::choice request_source::next() noexcept
{
    std::size_t place = 0;
    const std::uint32_t drawn = random_.below(total_);
    while (drawn >= below_[place])
        ++place;
    choice out;
    out.op = static_cast<operation>(place);
    const std::size_t size = targets_.of(out.op).size();
    if (size == 1)
        return out;
    if (order_ == target_order::random) {
        out.target = random_.below(size);
        return out;
    }
    out.target = position_[place] % size;
    position_[place] += parts_;
    return out;
}

result<void> check_targets(const load_targets& targets, const operation_mix& mix)
{
    for (std::size_t i = 0; i != operations; ++i)
        if (mix[i] != 0 && targets.of(static_cast<operation>(i)).empty())
            return error(errc::bad_argument, "there is nothing to ask '" + std::string(names[i]) +
                                                 "' for: the index holds no such thing of this registry");
    return {};
}

send_schedule::send_schedule(const settings& how) noexcept
    : how_(how), measured_from_(how.start + how.warmup),
      end_(how.duration.count() == 0 ? time_point::max() : measured_from_ + how.duration),
      left_(how.requests == 0 ? std::numeric_limits<std::uint64_t>::max() : share(how.requests, how.part, how.parts))
{}

send_schedule::time_point send_schedule::due(std::uint64_t number) const noexcept
{
    const auto place = static_cast<double>(number * how_.parts + how_.part);
    return how_.start + nanoseconds(std::llround(place * 1e9 / how_.rate));
}

std::optional<send_schedule::slot> send_schedule::next(time_point now) noexcept
{
    if (left_ == 0 || now >= end_)
        return std::nullopt;
    slot out;
    out.intended = now;
    if (how_.rate > 0) {
        out.intended = due(taken_);
        if (out.intended >= end_)
            return std::nullopt;
        ++taken_;
    }
    out.measured = out.intended >= measured_from_;
    if (out.measured)
        --left_;
    return out;
}

std::uint64_t send_schedule::unsent() const noexcept
{
    if (how_.rate <= 0 || end_ == time_point::max())
        return 0;
    // How many of this thread's slots lie before the end.
    const double length = static_cast<double>((end_ - how_.start).count()) / 1e9;
    auto all = static_cast<std::uint64_t>(std::max(0.0, length * how_.rate / how_.parts)) + 1;
    while (all != 0 && due(all - 1) >= end_)
        --all;
    return all > taken_ ? std::min(all - taken_, left_) : 0;
}

} // namespace regsweep
