#ifndef REGSWEEP_SRC_CLI_COMPLETION_HPP
#define REGSWEEP_SRC_CLI_COMPLETION_HPP

#include "cli/options.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep::cli {

/// What names there are to complete. Each function gives what it can, and nothing where something is wrong.
struct name_source
{
    std::function<std::vector<std::string>()> repositories;
    std::function<std::vector<std::string>(const std::string& repository)> tags;
    std::function<std::vector<std::string>()> registries; ///< of the configuration file
};

/// What of a command line decides which index is meant, each as `--option=value`.
using index_arguments = std::vector<std::string>;

/// What can stand in place of the last word.
struct completion
{
    enum class kind {
        words,
        stems, ///< words that go on: no blank follows them
        files, ///< names of files, which the shell knows
    };
    kind what = kind::words;
    std::vector<std::pair<std::string, std::string>> words; ///< and their descriptions, which may be empty
};

/// Completes the last of `words`, the command line without the program's name, by the options and commands of `app`.
/// Names that the shell would not take as they are are left out.
completion complete(const CLI::App& app, const std::vector<std::string>& words,
                    const std::function<name_source(const index_arguments&)>& names);

/// bash cuts words at `=` and `:` and gives these as words of their own: the words as they were typed.
std::vector<std::string> joined_words(const std::vector<std::string>& words);

/// The hidden `regsweep __complete SHELL WORD...`, which the shells' scripts call: prints `words`, `stems` or `files`
/// on the first line, and then a word a line. Asks the index and nobody else.
int run_completion(const CLI::App& app, const std::vector<std::string>& arguments);

/// The command that prints a shell's script. It needs no session.
std::function<int()> add_completion(CLI::App& app, CLI::App*& subcommand);

} // namespace regsweep::cli

#endif
