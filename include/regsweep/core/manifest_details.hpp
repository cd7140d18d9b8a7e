#ifndef REGSWEEP_CORE_MANIFEST_DETAILS_HPP
#define REGSWEEP_CORE_MANIFEST_DETAILS_HPP

#include "regsweep/core/digest.hpp"
#include "regsweep/core/names.hpp"
#include "regsweep/core/timestamp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep {

/// What an image runs on. Source: OCI image-spec image-index.md, `platform`. Empty where it is not known.
struct platform
{
    std::string os;
    std::string architecture;
    std::string variant;

    bool empty() const noexcept { return os.empty() && architecture.empty() && variant.empty(); }
    friend auto operator<=>(const platform&, const platform&) = default;
};

/// `linux/arm64/v8`; empty for an empty one.
std::string to_string(const platform& p);

/// A blob that a manifest names. Source: OCI image-spec descriptor.md.
struct blob_descriptor
{
    regsweep::digest digest;
    std::optional<std::uint64_t> size; ///< bytes; schema 1 does not tell
    std::string media_type;
    bool foreign = false; ///< to be had elsewhere (non-distributable): the registry need not hold it
};

/// A manifest that an index names.
struct child_descriptor
{
    regsweep::digest digest;
    std::optional<std::uint64_t> size; ///< bytes of the manifest itself
    media_type type = media_type::unknown;
    regsweep::platform platform;
    regsweep::digest describes; ///< of BuildKit's attestations: the manifest that it is about; else empty
};

using string_pairs = std::vector<std::pair<std::string, std::string>>;

/// What there is to know of a manifest: from its own bytes and its config blob. It never changes, for its digest
/// is that of its content.
struct manifest_details
{
    regsweep::digest digest;
    media_type type = media_type::unknown;
    std::string media_type_name;      ///< as the registry said it
    std::uint64_t size = 0;           ///< bytes of the manifest itself
    std::string artifact_type;        ///< `artifactType`; empty for images
    std::optional<timestamp> created; ///< config, else annotation; nothing if neither tells or it is the zero time
    regsweep::platform platform;      ///< from the config; empty for an index
    std::optional<blob_descriptor> config;
    std::vector<blob_descriptor> layers;
    std::vector<child_descriptor> children; ///< of an index
    regsweep::digest subject;               ///< the manifest that this one refers to; empty if none
    string_pairs annotations;               ///< the manifest's own; sorted
    string_pairs labels;                    ///< the config's; sorted
};

/// The digest that a tag is named for: `sha256-<64 hex>`, the fallback tag of the referrers API (OCI
/// distribution-spec, "Referrers Tag Schema"), and cosign's `sha256-<64 hex>.sig`, `.att`, `.sbom`. Nothing for others.
std::optional<digest> referrers_tag_subject(std::string_view tag);

} // namespace regsweep

#endif
