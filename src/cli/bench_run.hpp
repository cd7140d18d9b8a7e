#ifndef REGSWEEP_SRC_CLI_BENCH_RUN_HPP
#define REGSWEEP_SRC_CLI_BENCH_RUN_HPP

#include "cli/bench_options.hpp"
#include "regsweep/load/report.hpp"

#include <mutex>
#include <optional>

namespace regsweep::cli {

/// Runs one load after the other, shows how each goes, and ends the one that runs at an interrupt.
class bench_runner
{
public:
    explicit bench_runner(const load_targets& targets) : targets_(targets) {}

    load_result run(const load_options& how, const std::string& what);
    /// Any thread.
    void stop();
    /// The live line. Any thread.
    std::string line();

private:
    const load_targets& targets_;
    std::mutex guard_;
    load_generator* current_ = nullptr;
    std::string what_;
    bool stopped_ = false;
};

/// How the load goes, for the live line.
std::string live_line(const std::string& what, const std::optional<load_interval>& last);

/// Runs the load at each level.
void run_levels(bench_runner& runner, load_options load, const std::vector<unsigned>& levels, load_report& into);

/// Searches the highest rate that holds.
void find_limit(bench_runner& runner, load_options load, const bench_options& how, load_report& into);

} // namespace regsweep::cli

#endif
