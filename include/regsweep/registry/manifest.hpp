#ifndef REGSWEEP_REGISTRY_MANIFEST_HPP
#define REGSWEEP_REGISTRY_MANIFEST_HPP

#include "regsweep/core/digest.hpp"
#include "regsweep/core/names.hpp"

#include <string_view>
#include <vector>

namespace regsweep {

/// A manifest that an index lists. Source: OCI image-spec image-index.md; docker's manifest list, schema 2.
struct child_manifest
{
    regsweep::digest digest;
    media_type type = media_type::unknown; ///< `unknown` where the index names another type, or none
};

/// The manifests that an image index or manifest list refers to, in its order; none for any other manifest.
/// Fails with `errc::bad_json` for text that is no JSON object or whose `manifests` are no descriptors, and with
/// `errc::bad_digest`. At most 100,000 of them, else `errc::too_large`.
result<std::vector<child_manifest>> parse_children(std::string_view manifest_body);

} // namespace regsweep

#endif
