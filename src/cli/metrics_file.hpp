#ifndef REGSWEEP_SRC_CLI_METRICS_FILE_HPP
#define REGSWEEP_SRC_CLI_METRICS_FILE_HPP

#include <cstdint>
#include <optional>
#include <string>

namespace regsweep::cli {

/// What a run of `prune` tells a monitoring system.
struct prune_metrics
{
    std::string registry;
    bool dry_run = true;
    std::uint64_t tags_removed = 0;
    std::uint64_t tags_kept = 0;
    std::uint64_t manifests_removed = 0;
    std::uint64_t failed = 0;                 ///< steps that failed or were dropped
    std::optional<std::uint64_t> freed_bytes; ///< that the registry's garbage collection is expected to give back
    double seconds = 0;
    std::int64_t finished_at = 0; ///< seconds since 1970
    int exit_status = 0;
};

/// Throws `failure` where such a file cannot be written, before there is anything to write.
void check_metrics_file(const std::string& file);

/// Writes them in Prometheus' text format, for node_exporter's textfile collector: beside `file`, then renamed into
/// place. The time of the last success is taken over from the old file unless this run is one. Throws `failure`.
void write_metrics(const std::string& file, const prune_metrics& what);

} // namespace regsweep::cli

#endif
