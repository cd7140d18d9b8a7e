#ifndef REGSWEEP_SRC_REPORT_PLANNED_FATES_HPP
#define REGSWEEP_SRC_REPORT_PLANNED_FATES_HPP

#include "regsweep/report/report.hpp"

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace regsweep {

/// What becomes of a tag if a plan is carried out on what the index knows. web/report.js knows the numbers.
enum class tag_outlook : std::uint8_t {
    stays,      ///< no step names it; the reason is the plan's, if it tells one
    goes,       ///< with its manifest
    goes_too,   ///< with its manifest, though nobody asked for it
    untagged,   ///< alone
    moved,      ///< stays: it points to another digest than the plan says
    left_alone, ///< stays: a tag that its step does not name uses the digest now
    listed      ///< stays: an index that stays lists its digest
};

struct planned_tag
{
    tag_outlook outlook = tag_outlook::stays;
    std::uint32_t reason = no_reason; ///< in `planned_fates::reasons`

    static constexpr std::uint32_t no_reason = 0xffffffff;
};

struct planned_manifest
{
    content_graph::number repository = 0; ///< place in `registry_report::repositories`
    digest id;
    std::uint32_t reason = 0;
};

/// A plan, compared with the index.
struct planned_fates
{
    std::vector<planned_tag> tags; ///< of all repositories that are shown, in the order of `index::for_each_tag`
    std::vector<std::string_view> reasons;
    std::vector<planned_manifest> untagged; ///< manifests without tags that go: the first `untagged_named`
    std::uint64_t untagged_count = 0;
    std::uint64_t missing = 0;   ///< tags of the plan that the index does not have any more
    std::uint64_t elsewhere = 0; ///< others of the plan, in repositories that are not shown
    freed_space freed;           ///< by all steps that would be carried out, of whichever repository
};

/// The views in the answer are those of the plan.
result<planned_fates> compare_plan(const registry_report& of);

} // namespace regsweep

#endif
