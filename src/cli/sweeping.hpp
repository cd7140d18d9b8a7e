#ifndef REGSWEEP_SRC_CLI_SWEEPING_HPP
#define REGSWEEP_SRC_CLI_SWEEPING_HPP

#include "cli/options.hpp"
#include "cli/terminal.hpp"
#include "regsweep/sweep/sweeper.hpp"

#include <functional>
#include <optional>

namespace regsweep::cli {

/// What every command that deletes understands.
struct sweep_flags
{
    bool yes = false;
    bool dry_run = false;
    bool no_verify = false;
    std::optional<double> delete_rate; ///< without it, that of the options of every command
    std::uint64_t max_failures = 0;
};
void add_sweep_flags(CLI::App& subcommand, sweep_flags& into);

/// How to sweep the session's registry.
sweep_options sweep_settings(session& s, const sweep_flags& how);

/// Shows a plan on standard output while its steps come, and counts them.
class plan_display
{
public:
    /// The first steps only, or all of them with `whole`; none where the output is JSON.
    plan_display(session& s, bool whole);
    void add(const plan_step& step);
    /// Says how many steps were not shown.
    void finish_steps();
    /// Shows the counts as well.
    void finish();

    const plan_counts& counts() const noexcept { return counts_; }
    /// Whether multi-arch indexes are to be deleted.
    bool has_indexes() const noexcept { return has_indexes_; }

private:
    output out_;
    bool json_;
    bool whole_;
    std::string repository_; ///< of the last step
    std::size_t steps_ = 0;
    plan_counts counts_;
    bool has_indexes_ = false;
};

/// `6 manifests and 7 tags in 1 repository`
std::string counts_text(const plan_counts& counts);
/// The same for programs: key and value.
std::string planned_json(const plan_counts& counts);

/// Shows the counts of a plan that is not carried out, where the output is JSON.
void tell_counts(session& s, const plan_counts& counts);

/// Shows that there was nothing to delete; returns the exit status.
int nothing_to_sweep(session& s);

/// Asks on the terminal whether to go on; true where nobody can be asked, or need be.
bool confirmed(session& s, const plan_counts& counts, const sweep_flags& how);

/// Reads a plan that `--plan-out` has written. Throws `failure` if it is none of this registry.
plan read_plan_of(session& s, const std::string& file);

/// What became of a plan.
struct swept
{
    result<sweep_report> outcome;
    sweep_progress last; ///< tells how far it came where the outcome is an error
};
/// Carries the plan out, through the journal, until its end or an interrupt; `line` makes the progress line of the
/// seconds since the start. `known`, which may be null, follows, and is stored. Says where to look after an error.
swept carry_out(session& s, const plan& what, const sweep_options& how, index* known,
                const std::function<std::string(const sweep_progress&, double)>& line);

/// How to take a run back, to be typed into a shell.
std::string undo_command(const session& s, std::int64_t run);

/// What became of a plan for people, on standard output.
void print_report(session& s, const sweep_report& done);
/// The same for programs: keys and values of an object that somebody else opens and closes.
void json_report(output& out, const sweep_report& done);

/// Shows what was not deleted, on standard error, and lets the session's status be `exit_partly` then.
void tell_outcome(session& s, const sweep_report& done);

/// Carries the plan out, shows what became of it, and returns the exit status. `known`, which may be null, follows.
int sweep(session& s, const plan& what, const sweep_flags& how, index* known);

/// Stores what was changed of the index, where that is a JSON cache.
void save_index(session& s, const index& changed);

/// The progress line of a sweep or restore.
std::string progress_line(const sweep_progress& now, double seconds);

/// Shows exceptions, one a line, on standard error.
void tell_exceptions(const std::vector<sweep_exception>& list, std::string_view what);

} // namespace regsweep::cli

#endif
