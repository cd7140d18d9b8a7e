#ifndef REGSWEEP_LOAD_REPORT_HPP
#define REGSWEEP_LOAD_REPORT_HPP

#include "regsweep/load/limit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// The outcome of a search for the limit.
struct limit_report
{
    double slo_p99_ms = 0;
    double max_errors = 0;
    double hold_seconds = 0;
    std::optional<double> rate; ///< requests a second that held; nothing if none did
    std::vector<limit_trial> trials;

    friend bool operator==(const limit_report&, const limit_report&) = default;
};

/// What became of a plan whose deletions were measured.
struct deletion_report
{
    std::int64_t run = 0;      ///< its number in the journal
    std::uint64_t steps = 0;   ///< of the plan
    std::uint64_t settled = 0; ///< in whatever way
    std::uint64_t gone = 0;    ///< of those, the ones with nothing left to do
    std::uint64_t failed = 0;
    std::uint64_t dropped = 0; ///< left alone, by the check right before

    friend bool operator==(const deletion_report&, const deletion_report&) = default;
};

/// All that one call of the load generator has found out.
struct load_report
{
    std::string registry;        ///< `registry_address::canonical()`
    std::int64_t started_at = 0; ///< seconds since 1970, UTC
    operation_mix mix{};
    target_order order = target_order::random;
    std::uint64_t seed = 0;
    unsigned threads = 1;
    double warmup_seconds = 0;
    std::vector<load_result> runs; ///< one for each level; for a search, the last that held or was tried
    std::optional<limit_report> limit;
    std::optional<deletion_report> deletion;

    friend bool operator==(const load_report&, const load_report&) = default;
};

/// The report as JSON, see docs/bench.md.
std::string to_json(const load_report& report);

/// Reads what `to_json` has written. Fails with `errc::bad_json`, `errc::bad_file` if it is something else, and
/// `errc::newer_version`.
result<load_report> read_report(std::string_view text);

/// A page that shows the report, beside an earlier one if there is one: one HTML file that loads nothing.
std::string to_html(const load_report& report, const load_report* earlier);

} // namespace regsweep

#endif
