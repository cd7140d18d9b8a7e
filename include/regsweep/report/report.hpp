#ifndef REGSWEEP_REPORT_REPORT_HPP
#define REGSWEEP_REPORT_REPORT_HPP

#include "regsweep/index/details.hpp"
#include "regsweep/index/index.hpp"
#include "regsweep/select/usage.hpp"
#include "regsweep/sweep/plan.hpp"

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace regsweep {

/// What a page about a registry is made of. All that is pointed to must outlive the call.
struct registry_report
{
    /// Longer values of labels are cut, further labels of an image and further text of all of them left out.
    static constexpr std::size_t label_bytes = 256;
    static constexpr std::size_t labels_of_image = 24;
    static constexpr std::size_t label_text_bytes = 4 * 1024 * 1024;
    /// How many of the manifests without tags that a plan deletes are named.
    static constexpr std::size_t untagged_named = 5000;

    std::string registry; ///< `registry_address::canonical()`
    const index* tags = nullptr;
    const details_store* facts = nullptr;            ///< what is not known in it has no size and no time
    const content_graph* graph = nullptr;            ///< of these two
    std::vector<content_graph::number> repositories; ///< to be shown, sorted
    const plan* planned = nullptr;                   ///< what is to go; null without a plan
    std::int64_t made_at = 0;                        ///< seconds since 1970, UTC: what ages are told from
};

/// Writes a page that shows it: one HTML file that loads nothing. About 110 bytes a tag, and 0.6 MiB.
/// Fails with `errc::io` (the stream), with `errc::incomplete` if the index has changed since the graph was loaded,
/// and as index and details store do.
result<void> write_html(std::ostream& out, const registry_report& of);

} // namespace regsweep

#endif
