#include "regsweep/core/timestamp.hpp"

#include <chrono>
#include <cstdio>

namespace regsweep {
namespace {

namespace ch = std::chrono;

// Reads fixed fields from the front of a text; what does not fit makes it fail for good.
class field_reader
{
public:
    explicit field_reader(std::string_view text) noexcept : rest_(text) {}

    int digits(std::size_t count) noexcept
    {
        int value = 0;
        for (; count != 0; --count) {
            if (rest_.empty() || rest_.front() < '0' || rest_.front() > '9') {
                failed_ = true;
                return 0;
            }
            value = value * 10 + (rest_.front() - '0');
            rest_.remove_prefix(1);
        }
        return value;
    }

    /// Takes one character of `any` and returns it.
    char one_of(std::string_view any) noexcept
    {
        if (rest_.empty() || any.find(rest_.front()) == std::string_view::npos) {
            failed_ = true;
            return '\0';
        }
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    std::uint32_t fraction() noexcept
    {
        if (rest_.empty() || rest_.front() != '.')
            return 0;
        rest_.remove_prefix(1);
        std::uint32_t value = 0;
        std::uint32_t weight = 100'000'000;
        std::size_t count = 0;
        for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; rest_.remove_prefix(1), ++count) {
            value += weight * static_cast<std::uint32_t>(rest_.front() - '0');
            weight /= 10;
        }
        failed_ = failed_ || count == 0;
        return value;
    }

    bool ended_well() const noexcept { return !failed_ && rest_.empty(); }

private:
    std::string_view rest_;
    bool failed_ = false;
};

// Minutes east of UTC; out of range for a zone that cannot be.
int read_zone(field_reader& from) noexcept
{
    const char sign = from.one_of("Zz+-");
    if (sign != '+' && sign != '-')
        return 0;
    const int hours = from.digits(2);
    from.one_of(":");
    const int minutes = from.digits(2);
    if (hours > 23 || minutes > 59)
        return 24 * 60;
    return (sign == '-' ? -1 : 1) * (hours * 60 + minutes);
}

} // namespace

std::optional<timestamp> parse_timestamp(std::string_view text) noexcept
{
    field_reader from(text);
    const int year = from.digits(4);
    from.one_of("-");
    const int month = from.digits(2);
    from.one_of("-");
    const int day = from.digits(2);
    from.one_of("Tt ");
    const int hour = from.digits(2);
    from.one_of(":");
    const int minute = from.digits(2);
    from.one_of(":");
    const int second = from.digits(2);
    const std::uint32_t nanoseconds = from.fraction();
    const int zone = read_zone(from);
    if (!from.ended_well() || hour > 23 || minute > 59 || second > 60 || zone == 24 * 60)
        return std::nullopt;
    const ch::year_month_day date(ch::year(year), ch::month(static_cast<unsigned>(month)),
                                  ch::day(static_cast<unsigned>(day)));
    if (!date.ok())
        return std::nullopt;
    const std::int64_t days = ch::sys_days(date).time_since_epoch().count();
    const std::int64_t minutes = (days * 24 + hour) * 60 + minute - zone;
    // The moments of a leap second have no number of their own: they fall together where it ends.
    return timestamp{minutes * 60 + second, second == 60 ? 0 : nanoseconds};
}

std::string to_string(const timestamp& when)
{
    const ch::sys_seconds moment{ch::seconds(when.seconds)};
    const auto day = ch::floor<ch::days>(moment);
    const ch::year_month_day date(day);
    const ch::hh_mm_ss<ch::seconds> time(moment - day);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()));
    std::string out = text;
    if (when.nanoseconds != 0) {
        std::snprintf(text, sizeof text, ".%09u", static_cast<unsigned>(when.nanoseconds));
        std::string_view fraction = text;
        while (fraction.ends_with("000"))
            fraction.remove_suffix(3);
        out += fraction;
    }
    return out + "Z";
}

} // namespace regsweep
