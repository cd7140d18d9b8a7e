#ifndef REGSWEEP_SRC_CLI_BENCH_OPTIONS_HPP
#define REGSWEEP_SRC_CLI_BENCH_OPTIONS_HPP

#include "cli/options.hpp"
#include "regsweep/load/generator.hpp"

#include <string>
#include <vector>

namespace regsweep::cli {

enum class bench_output { as_given, text, json, hgrm, table };

/// What `bench` understands besides the options of all commands.
struct bench_options
{
    std::string op = "mix";
    std::string mix = "head=80,tags=15,catalog=5";
    std::string concurrency;
    double duration = 0;
    std::uint64_t requests = 0;
    double warmup = 0;
    target_order order = target_order::random;
    std::uint64_t seed = 1;
    std::string plan;
    bool yes_delete = false;
    bool find_limit = false;
    double slo_p99 = 100;
    double hold = 10;
    bench_output form = bench_output::as_given;
    std::string hgrm;
    std::string html;
    std::string compare;

    bool deletes() const noexcept { return op == "delete"; }
};

void add_bench_options(CLI::App& subcommand, bench_options& into);

/// Throws `usage_error` for options that do not go together.
void check_bench_options(const bench_options& how);

/// The levels of `--concurrency`, at least one. Throws `usage_error`.
std::vector<unsigned> levels_of(const session& s, const bench_options& how);

/// The load that is asked for, with the first of the levels. Throws `usage_error`.
load_options load_of(session& s, const bench_options& how);

} // namespace regsweep::cli

#endif
