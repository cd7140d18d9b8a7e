#ifndef REGSWEEP_SRC_CLI_SELECTION_OPTIONS_HPP
#define REGSWEEP_SRC_CLI_SELECTION_OPTIONS_HPP

#include "cli/options.hpp"
#include "regsweep/select/selection.hpp"

namespace regsweep::cli {

/// Adds `-r`, which every selecting command needs.
void add_repository_selection(CLI::App& subcommand, selection_options& into);

/// Adds the options that select tags.
void add_tag_selection(CLI::App& subcommand, selection_options& into);

/// Says that a repository is not in the index, and where to look.
void warn_of_unknown_repository(const std::string& name);

/// The selection that the options ask for, of whole repositories or of tags. Throws `usage_error` if tags are to be
/// selected and none are named, and for a wrong regular expression; warns of repositories that the index does not know,
/// and of words that are neither a tag nor a version.
selection select(session& s, const index& from, selection_options options, bool tags);

} // namespace regsweep::cli

#endif
