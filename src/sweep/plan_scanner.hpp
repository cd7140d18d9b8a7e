#ifndef REGSWEEP_SRC_SWEEP_PLAN_SCANNER_HPP
#define REGSWEEP_SRC_SWEEP_PLAN_SCANNER_HPP

#include "regsweep/core/error.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <istream>
#include <string>

namespace regsweep::detail {

/// Cuts a large JSON text into its values while it is read, so that only one of them is in memory. Fails with
/// `errc::bad_json`, naming the line, and `errc::too_large`.
class plan_scanner
{
public:
    plan_scanner(std::istream& in, std::size_t value_limit) : in_(in), limit_(value_limit) {}

    /// The next character that is no white space, not yet taken; -1 at the end.
    int peek()
    {
        for (;;) {
            const int c = in_.peek();
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
                return c == std::istream::traits_type::eof() ? -1 : c;
            next();
        }
    }

    /// Takes the next character if it is `c`.
    bool take(char c)
    {
        if (peek() != static_cast<unsigned char>(c))
            return false;
        next();
        return true;
    }

    result<void> expect(char c)
    {
        if (!take(c))
            return wrong(std::string("expected '") + c + "'" + (peek() < 0 ? ", the file ends too early" : ""));
        return {};
    }

    /// Reads one whole value. `line` gives the one it began in afterwards.
    result<boost::json::value> value();

    std::uint64_t line() const noexcept { return value_line_; }

    /// An error about where reading is.
    error wrong(const std::string& what) const
    {
        return {errc::bad_json, "line " + std::to_string(line_) + ": " + what};
    }

private:
    int next()
    {
        const int c = in_.get();
        line_ += c == '\n' ? 1 : 0;
        return c;
    }

    result<std::string> text();

    std::istream& in_;
    std::size_t limit_;
    std::uint64_t line_ = 1;
    std::uint64_t value_line_ = 1;
};

} // namespace regsweep::detail

#endif
