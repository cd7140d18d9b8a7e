#ifndef REGSWEEP_REGISTRY_MANIFEST_HPP
#define REGSWEEP_REGISTRY_MANIFEST_HPP

#include "regsweep/core/digest.hpp"
#include "regsweep/core/manifest_details.hpp"
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

/// All that a manifest of these bytes tells: Docker and OCI images and indexes, artifacts, schema 1. `digest`, `type`,
/// `media_type_name` and `size` are for the caller to fill, but for a type that only the body names (`mediaType`).
/// `created` is the annotation `org.opencontainers.image.created`, of schema 1 that of its newest layer. Malformed
/// times are unknown, and those before 1980-01-02, which reproducible builds write instead of the true one
/// (`0001-01-01T00:00:00Z`, `1970-01-01T00:00:00Z`, `1980-01-01T00:00:01Z`). A schema 1 manifest's layers have no
/// sizes. Parts that are malformed fail as in `parse_children`; at most 100,000 layers, else `errc::too_large`. What
/// merely informs (platform, annotations) is left out where it has another shape.
result<manifest_details> parse_manifest(std::string_view body);

/// Adds what an image's config blob tells to its manifest's details: created time, where it has one, platform and
/// labels. Source: OCI image-spec config.md. Fails with `errc::bad_json` for text that is no JSON object.
result<void> add_config(std::string_view config, manifest_details& to);

/// The descriptors of an answer of the referrers API: an image index (OCI distribution-spec, "Listing Referrers").
/// Fails with `errc::bad_json` for anything else, as registries without it send.
result<std::vector<child_manifest>> parse_referrers(std::string_view body);

} // namespace regsweep

#endif
