#ifndef REGSWEEP_SRC_CLI_COUNT_HPP
#define REGSWEEP_SRC_CLI_COUNT_HPP

#include "cli/terminal.hpp"

namespace regsweep::cli {

/// The two closing lines of `--count`, as docker-registry-util prints them.
inline void print_count(output& out, std::string_view items, std::size_t number)
{
    const std::string text = "Number of " + std::string(items) + ": " + std::to_string(number);
    out << std::string(text.size(), '-') << "\n" << text << "\n";
}

} // namespace regsweep::cli

#endif
