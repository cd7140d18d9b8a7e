#ifndef REGSWEEP_SRC_CLI_PRUNE_OUTPUT_HPP
#define REGSWEEP_SRC_CLI_PRUNE_OUTPUT_HPP

#include "cli/terminal.hpp"
#include "regsweep/select/retention.hpp"
#include "regsweep/sweep/sweeper.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace regsweep::cli {

/// What a policy means for one repository.
struct pruned_repository
{
    std::string name;
    std::uint64_t tags = 0;
    std::uint64_t kept = 0;
    std::uint64_t removed = 0;  ///< tags that go with their manifests
    std::uint64_t untagged = 0; ///< tags that go alone
    std::uint64_t manifests = 0;
    std::optional<std::uint64_t> freed_bytes; ///< if this repository alone were pruned
};

/// What a policy means for all of them.
struct prune_summary
{
    std::vector<pruned_repository> repositories; ///< all that were looked at
    plan_counts planned;
    std::uint64_t kept = 0;    ///< tags
    std::uint64_t untimed = 0; ///< of these, those kept by a rule that asks for a time that is not known
    std::optional<std::uint64_t> freed_bytes;
    std::uint64_t unread = 0; ///< manifests whose sizes are not known: `freed_bytes` is a guess then
    std::optional<in_use_references> in_use;
};

/// A line, or an object, for every tag of a repository.
void explain_text(output& out, const retention& by, const retention_repository& of, const repository_decision& decided);
void explain_json(std::string& out, const retention& by, const retention_repository& of,
                  const repository_decision& decided);

/// The repositories from which something goes, the counts, and what that frees.
void print_summary(output& out, const prune_summary& all);

/// The whole of `--output json`. `tags`: the objects of `explain_json`, where they were asked for; `done`: what became
/// of the plan, null in a dry run.
void print_prune_json(const std::string& registry, const prune_summary& all, const std::optional<std::string>& tags,
                      const sweep_report* done);

} // namespace regsweep::cli

#endif
