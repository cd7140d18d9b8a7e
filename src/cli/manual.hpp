#ifndef REGSWEEP_SRC_CLI_MANUAL_HPP
#define REGSWEEP_SRC_CLI_MANUAL_HPP

#include "cli/options.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::cli {

/// The manual's pages by file name: `regsweep.1`, and `regsweep-COMMAND.1` for each command. Commands, options, what
/// they take and their defaults come from `app`, as in `--help`; `prose`, the text of docs/regsweep.1, gives the
/// sentences, where it has some for a command or option. Throws `failure` for prose without the sections it must have.
std::map<std::string, std::string> manual_pages(const CLI::App& app, std::string_view prose);

/// The hidden `regsweep __manual PROSE FOLDER`, which the build calls: writes the pages into the folder.
int write_manual(const CLI::App& app, const std::vector<std::string>& arguments);

} // namespace regsweep::cli

#endif
