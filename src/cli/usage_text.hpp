#ifndef REGSWEEP_SRC_CLI_USAGE_TEXT_HPP
#define REGSWEEP_SRC_CLI_USAGE_TEXT_HPP

#include "cli/options.hpp"

#include <string>

namespace regsweep::cli {

/// One line on a command line that could not be parsed: what is wrong, what was most likely meant, where to read more.
std::string usage_text(const CLI::App& app, const CLI::ParseError& e);

} // namespace regsweep::cli

#endif
