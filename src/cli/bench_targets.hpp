#ifndef REGSWEEP_SRC_CLI_BENCH_TARGETS_HPP
#define REGSWEEP_SRC_CLI_BENCH_TARGETS_HPP

#include "cli/options.hpp"
#include "regsweep/load/generator.hpp"

namespace regsweep::cli {

/// What the load may ask for, from the index or, where there is none, from a short look at the registry.
load_targets find_targets(session& s, const load_options& load);

} // namespace regsweep::cli

#endif
