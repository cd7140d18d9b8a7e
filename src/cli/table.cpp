#include "cli/table.hpp"

#include "regsweep/core/error.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <span>
#include <utility>

namespace regsweep::cli {
namespace {

constexpr std::size_t held_rows = 10'000;
constexpr std::size_t longest_cell = 4096; // bytes

using range = std::pair<std::uint32_t, std::uint32_t>;

// Unicode's combining marks and zero-width characters, by blocks.
constexpr std::array<range, 10> no_columns = {{
    {0x0300, 0x036f},
    {0x0483, 0x0489},
    {0x0591, 0x05bd},
    {0x064b, 0x065f},
    {0x1ab0, 0x1aff},
    {0x1dc0, 0x1dff},
    {0x200b, 0x200f},
    {0x20d0, 0x20ff},
    {0xfe00, 0xfe0f},
    {0xfe20, 0xfe2f},
}};

// East Asian Width W and F, and emoji, by blocks.
constexpr std::array<range, 13> two_columns = {{
    {0x1100, 0x115f},
    {0x2e80, 0x303e},
    {0x3041, 0x33ff},
    {0x3400, 0x4dbf},
    {0x4e00, 0x9fff},
    {0xa000, 0xa4cf},
    {0xac00, 0xd7a3},
    {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},
    {0xff00, 0xff60},
    {0xffe0, 0xffe6},
    {0x1f300, 0x1faff},
    {0x20000, 0x3fffd},
}};

bool within(std::span<const range> ranges, std::uint32_t code) noexcept
{
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const range& r) { return code >= r.first && code <= r.second; });
}

struct character
{
    std::size_t bytes = 1;
    std::size_t columns = 1;
};

// The character at the front of a text that is not empty.
character first_character(std::string_view text) noexcept
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    const std::size_t length = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
    if (length == 1 || text.size() < length)
        return {};
    std::uint32_t code = first & (0x7fU >> length);
    for (std::size_t i = 1; i != length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U)
            return {};
        code = code << 6U | (byte(i) & 0x3fU);
    }
    return {length, within(no_columns, code) ? 0U : within(two_columns, code) ? 2U : 1U};
}

std::size_t terminal_columns()
{
    winsize size{};
    if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 0;
    return size.ws_col;
}

} // namespace

std::size_t display_width(std::string_view text) noexcept
{
    std::size_t width = 0;
    while (!text.empty()) {
        const character c = first_character(text);
        width += c.columns;
        text.remove_prefix(c.bytes);
    }
    return width;
}

std::string fitted(std::string_view text, std::size_t width)
{
    if (display_width(text) <= width)
        return std::string(text);
    if (width == 0)
        return {};
    std::size_t bytes = 0;
    std::size_t used = 0;
    while (true) {
        const character c = first_character(text.substr(bytes));
        if (used + c.columns > width - 1)
            break;
        used += c.columns;
        bytes += c.bytes;
    }
    return std::string(text.substr(0, bytes)) + "…";
}

table::table(output& out, std::vector<column> columns, kind made_for)
    : out_(out), columns_(std::move(columns)), widths_(columns_.size()),
      most_rows_(made_for == kind::screen ? held_rows : std::numeric_limits<std::size_t>::max()),
      cut_(made_for == kind::screen ? terminal_columns() : 0)
{
    for (std::size_t i = 0; i != columns_.size(); ++i)
        widths_[i] = display_width(columns_[i].name);
}

void table::add(std::vector<std::string> cells)
{
    cells.resize(columns_.size());
    for (auto& cell : cells)
        cell = cell.empty() ? "-" : printable(cell, longest_cell);
    widen(cells);
    if (begun_)
        print(cells);
    else
        rows_.push_back(std::move(cells));
    if (rows_.size() == most_rows_)
        flush();
}

void table::finish()
{
    flush();
}

void table::widen(const std::vector<std::string>& cells)
{
    for (std::size_t i = 0; i != cells.size(); ++i)
        widths_[i] = std::max(widths_[i], display_width(cells[i]));
}

void table::flush()
{
    if (!begun_) {
        begun_ = true;
        std::vector<std::string> names;
        names.reserve(columns_.size());
        for (const auto& c : columns_)
            names.push_back(c.name);
        print(names);
    }
    for (const auto& row : std::exchange(rows_, {}))
        print(row);
}

void table::print(const std::vector<std::string>& cells)
{
    std::string line;
    for (std::size_t i = 0; i != cells.size(); ++i) {
        const std::string blank(widths_[i] - display_width(cells[i]), ' ');
        line += i == 0 ? "" : "  ";
        line += columns_[i].to == align::left ? cells[i] + blank : blank + cells[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out_ << (cut_ == 0 ? line : fitted(line, cut_)) << "\n";
}

std::string short_digest(const digest& d)
{
    const std::string text = d.to_string();
    const auto colon = text.find(':');
    return colon == std::string::npos ? text : text.substr(0, colon + 13);
}

std::string age(std::optional<std::int64_t> when, std::int64_t now)
{
    if (!when)
        return "-";
    if (*when > now + 60) // clocks differ by less
        return "future";
    const std::int64_t seconds = std::max<std::int64_t>(0, now - *when);
    constexpr std::int64_t day = 86400;
    const auto text = [](std::int64_t number, char unit) { return std::to_string(number) + unit; };
    if (seconds < 120)
        return text(seconds, 's');
    if (seconds < 7200)
        return text(seconds / 60, 'm');
    if (seconds < 2 * day)
        return text(seconds / 3600, 'h');
    if (seconds < 14 * day)
        return text(seconds / day, 'd');
    if (seconds < 2 * 365 * day)
        return text(seconds / (7 * day), 'w');
    return text(seconds / (365 * day), 'y');
}

std::int64_t now_in_seconds()
{
    return static_cast<std::int64_t>(std::time(nullptr));
}

} // namespace regsweep::cli
