#ifndef REGSWEEP_CORE_NAMES_HPP
#define REGSWEEP_CORE_NAMES_HPP

#include <cstdint>
#include <string_view>

namespace regsweep {

/// Whether a registry may use this repository name. Source: OCI distribution-spec, "Pulling manifests", `<name>`:
/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*`, at most 255 bytes here.
bool valid_repository(std::string_view name) noexcept;

/// Whether a registry may use this tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`. Source: as above, `<reference>`.
bool valid_tag(std::string_view tag) noexcept;

/// Whether `text` matches a shell pattern of `*` (any run, `/` included), `?` and `[a-z]`, `[!a-z]`, whole.
bool glob_match(std::string_view pattern, std::string_view text) noexcept;

/// What a manifest is, from its media type. The values are stored in the index; never renumber them.
enum class media_type : std::uint8_t {
    unknown = 0,
    docker_manifest = 1, ///< application/vnd.docker.distribution.manifest.v2+json
    docker_list = 2,     ///< application/vnd.docker.distribution.manifest.list.v2+json
    oci_manifest = 3,    ///< application/vnd.oci.image.manifest.v1+json
    oci_index = 4,       ///< application/vnd.oci.image.index.v1+json
    schema1 = 5,         ///< application/vnd.docker.distribution.manifest.v1+json
    schema1_signed = 6,  ///< application/vnd.docker.distribution.manifest.v1+prettyjws
};

/// The type named by a Content-Type header; parameters and case do not matter.
media_type parse_media_type(std::string_view content_type) noexcept;

/// The media type's full name; empty for `unknown`.
std::string_view to_string(media_type type) noexcept;

/// Whether manifests of this type list other manifests (multi-arch images).
constexpr bool is_index(media_type type) noexcept
{
    return type == media_type::docker_list || type == media_type::oci_index;
}

/// Whether the digest of manifests of this type may be that of a part of their bytes (signed ones).
constexpr bool is_schema1(media_type type) noexcept
{
    return type == media_type::schema1 || type == media_type::schema1_signed;
}

} // namespace regsweep

#endif
