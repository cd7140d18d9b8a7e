#ifndef REGSWEEP_SRC_CLI_SWEEPING_HPP
#define REGSWEEP_SRC_CLI_SWEEPING_HPP

#include "cli/options.hpp"
#include "regsweep/sweep/sweeper.hpp"

namespace regsweep::cli {

/// What every command that deletes understands.
struct sweep_flags
{
    bool yes = false;
    bool dry_run = false;
    bool no_verify = false;
    double delete_rate = 0;
    std::uint64_t max_failures = 0;
};
void add_sweep_flags(CLI::App& subcommand, sweep_flags& into);

/// How to sweep the session's registry.
sweep_options sweep_settings(session& s, const sweep_flags& how);

/// Shows a plan on standard output, its first steps and its counts; all steps with `whole`.
void show_plan(session& s, const plan& what, bool whole);

/// Asks on the terminal whether to go on; true where nobody can be asked, or need be.
bool confirmed(session& s, const plan& what, const sweep_flags& how);

/// Carries the plan out, shows what became of it, and returns the exit status. `known`, which may be null, follows.
int sweep(session& s, const plan& what, const sweep_flags& how, index* known);

/// Shows exceptions, one a line, on standard error.
void tell_exceptions(const std::vector<sweep_exception>& list, std::string_view what);

} // namespace regsweep::cli

#endif
