#ifndef REGSWEEP_SRC_CLI_BENCH_OUTPUT_HPP
#define REGSWEEP_SRC_CLI_BENCH_OUTPUT_HPP

#include "cli/bench_options.hpp"
#include "regsweep/load/report.hpp"

#include <string>

namespace regsweep::cli {

/// A number with so many digits behind its point.
std::string fixed(double value, int digits);
std::string rate_text(double rate);
std::string milliseconds(double ms);

/// Reads the report of an earlier run, for `--compare`. Throws `failure`.
load_report read_earlier(const std::string& name);

/// Prints the report and writes the files that are asked for. `earlier` may be null.
void show_report(const session& s, const bench_options& how, const load_report& report, const load_report* earlier);

} // namespace regsweep::cli

#endif
