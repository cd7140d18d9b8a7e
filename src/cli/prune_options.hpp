#ifndef REGSWEEP_SRC_CLI_PRUNE_OPTIONS_HPP
#define REGSWEEP_SRC_CLI_PRUNE_OPTIONS_HPP

#include "cli/options.hpp"
#include "cli/sweeping.hpp"
#include "regsweep/select/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace regsweep::cli {

struct prune_options
{
    std::string policy;
    std::vector<std::string> repositories;
    std::vector<std::string> keep;
    std::vector<std::string> remove;
    std::vector<std::string> protect;
    std::optional<std::uint64_t> keep_newest;
    std::string group_by;
    std::string keep_younger_than;
    std::string in_use;
    std::string max_remove;
    bool untag = false;
    bool with_children = false;
    bool force = false;
    bool explain = false;
    bool no_refresh = false;
    std::string plan_out;
    std::string lock_file;
    std::string metrics_file;
    sweep_flags how;
};

void add_prune_options(CLI::App& subcommand, prune_options& into);

/// The policy that the options ask for, read from a file or made of them. Throws `usage_error` and `failure`.
retention_policy policy_of(const prune_options& how);

/// What was asked for, for plan and journal.
std::string prune_command_text(const prune_options& how);

} // namespace regsweep::cli

#endif
