#ifndef REGSWEEP_SRC_CLI_CONFIG_HPP
#define REGSWEEP_SRC_CLI_CONFIG_HPP

#include "cli/options.hpp"

#include <string>
#include <vector>

namespace regsweep::cli {

/// Fills what neither options nor the environment have set from the configuration file: the registry that is meant by
/// `default`, and if the registry is given by a name of the file, everything that stands below that name. Call it after
/// parsing. Throws `failure` if the file is wrong, cannot be read though it was asked for, or may be written by others.
void apply_config(CLI::App& app, options& into);

/// The names of the registries in the configuration file, as `--config` or, if that is empty, the default tells it;
/// none without a file. Throws `failure` as `apply_config` does.
std::vector<std::string> configured_registries(const std::string& file);

/// The password of the configuration file for the chosen registry, from its file or command; empty if there is none.
/// Throws `failure`.
std::string configured_password(const options& of);

} // namespace regsweep::cli

#endif
