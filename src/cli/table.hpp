#ifndef REGSWEEP_SRC_CLI_TABLE_HPP
#define REGSWEEP_SRC_CLI_TABLE_HPP

#include "cli/terminal.hpp"
#include "regsweep/core/digest.hpp"
#include "regsweep/core/timestamp.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::cli {

/// How many columns of a terminal a text takes: none for combining characters, two for wide ones (East Asian Width W
/// and F, emoji). What is no UTF-8 counts one a byte.
std::size_t display_width(std::string_view text) noexcept;

/// The text, or as much of it as fits with `…` after it, in `width` columns.
std::string fitted(std::string_view text, std::size_t width);

/// Rows under a header, in aligned columns. Control characters are printed as `printable` does.
class table
{
public:
    /// `screen`: lines are cut to the width of standard output where that is a terminal. The first 10,000 rows decide
    /// the widths; later ones are printed as they come, so that memory stays flat, and a wider cell widens its column
    /// from there. `text`: nothing is cut, and all rows decide.
    enum class kind { screen, text };
    enum class align { left, right };
    struct column
    {
        std::string name;
        align to = align::left;
    };

    table(output& out, std::vector<column> columns, kind made_for = kind::screen);

    /// One cell a column; empty ones are shown as `-`, blank ones as they are.
    void add(std::vector<std::string> cells);
    /// Prints what is left.
    void finish();

private:
    void widen(const std::vector<std::string>& cells);
    void flush();
    void print(const std::vector<std::string>& cells);

    output& out_;
    std::vector<column> columns_;
    std::vector<std::size_t> widths_;
    std::vector<std::vector<std::string>> rows_;
    std::size_t most_rows_; ///< held before the first is printed
    std::size_t cut_;       ///< columns of the terminal; 0: lines are not cut
    bool begun_ = false;
};

/// The algorithm and the first 12 digits: `sha256:a97dc272128b`.
std::string short_digest(const digest& d);

/// How long ago that was: `45s`, `12m`, `5h`, `3d`, `7w`, `2y`; `-` for no time, `future` for one
/// that is more than a minute ahead. Seconds since 1970.
std::string age(std::optional<std::int64_t> when, std::int64_t now);

/// The clock, in seconds since 1970.
std::int64_t now_in_seconds();

} // namespace regsweep::cli

#endif
