#ifndef REGSWEEP_SRC_CLI_BENCH_DELETE_HPP
#define REGSWEEP_SRC_CLI_BENCH_DELETE_HPP

#include "cli/bench_options.hpp"
#include "regsweep/load/report.hpp"

namespace regsweep::cli {

/// Carries out the plan as `apply` does, measures its deletions into `into`, and shows that. Returns the exit status.
int bench_delete(session& s, const bench_options& how, load_report into, const load_report* earlier);

} // namespace regsweep::cli

#endif
