#include "cli/bench_delete.hpp"
#include "cli/bench_options.hpp"
#include "cli/bench_output.hpp"
#include "cli/bench_run.hpp"
#include "cli/bench_targets.hpp"
#include "cli/interruption.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "regsweep/load/sample.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <memory>

namespace regsweep::cli {
namespace {

// A connection is a file: a shell's usual limit on them is less than a load may want.
void raise_file_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int status_of(const load_report& report)
{
    const bool interrupted = !report.runs.empty() && report.runs.back().interrupted;
    if (interrupted)
        return exit_interrupted;
    const bool none = std::all_of(report.runs.begin(), report.runs.end(),
                                  [](const load_result& run) { return run.requests == run.errors; });
    return none ? exit_failed : exit_done;
}

load_report begin_report(const session& s, const bench_options& how, const load_options& load)
{
    load_report report;
    report.registry = s.address().canonical();
    report.started_at = now_in_seconds();
    report.mix = load.mix;
    report.order = load.order;
    report.seed = load.seed;
    report.threads = load.threads;
    report.warmup_seconds = how.warmup;
    return report;
}

int bench(session& s, const bench_options& how)
{
    check_bench_options(how);
    const auto levels = levels_of(s, how);
    raise_file_limit();
    const load_options load = load_of(s, how);
    std::optional<load_report> earlier;
    if (!how.compare.empty()) {
        const interruption stop = end_when_interrupted();
        earlier = read_earlier(how.compare);
    }
    const load_report* const before = earlier ? &*earlier : nullptr;
    if (how.deletes())
        return bench_delete(s, how, begin_report(s, how, load), before);
    std::optional<load_targets> targets;
    {
        const interruption stop([] {}); // nothing to print yet: it ends the program
        check_registry(load).value();
        targets.emplace(find_targets(s, load));
    }
    bench_runner runner(*targets);
    load_report report = begin_report(s, how, load);
    {
        const interruption stop([&] { runner.stop(); });
        const progress_display progress([&] { return runner.line(); });
        if (how.find_limit)
            find_limit(runner, load, how, report);
        else
            run_levels(runner, load, levels, report);
    }
    show_report(s, how, report, before);
    return status_of(report);
}

} // namespace

command_runner add_bench(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("bench", "Put a load on the registry and measure its answers");
    subcommand->footer(
        "--threads is the number of threads, --rate R sends R requests a second whatever comes back, and "
        "counts latencies from when each was due; without it a request follows an answer.");
    const auto how = std::make_shared<bench_options>();
    add_bench_options(*subcommand, *how);
    return [how](session& s) { return bench(s, *how); };
}

} // namespace regsweep::cli
