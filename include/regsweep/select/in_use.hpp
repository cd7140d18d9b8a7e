#ifndef REGSWEEP_SELECT_IN_USE_HPP
#define REGSWEEP_SELECT_IN_USE_HPP

#include "regsweep/core/address.hpp"
#include "regsweep/core/digest.hpp"
#include "regsweep/core/error.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace regsweep {

/// What of one repository is in use.
struct used_names
{
    std::set<std::string, std::less<>> tags;
    std::set<digest> digests;

    friend bool operator==(const used_names&, const used_names&) = default;
};

/// The images that run somewhere and must stay. A regular type.
struct in_use_references
{
    std::map<std::string, used_names, std::less<>> repositories;
    std::set<digest> anywhere;    ///< digests without a repository
    std::uint64_t references = 0; ///< of this registry, repeated ones included
    std::uint64_t elsewhere = 0;  ///< of other registries, which do not count

    const used_names* find(std::string_view repository) const noexcept
    {
        const auto found = repositories.find(repository);
        return found == repositories.end() ? nullptr : &found->second;
    }
    /// Whether something in it can only be found by its digest.
    bool has_digests() const noexcept;

    friend bool operator==(const in_use_references&, const in_use_references&) = default;
};

/// Reads image references, separated by blanks or line ends, as `kubectl get pods -A -o jsonpath='{..image}'` prints
/// them: `[registry/]repository[:tag][@digest]`, the tag `latest` where there is neither, with or without
/// `docker-pullable://` or another word of that kind; also a digest alone, which is then in use in every repository.
/// A reference without a registry is taken for one of `registry`; one of another registry is counted and left out.
/// On Docker Hub's registry short names are also those of `library/`. Lines that begin with `#` are comments.
/// Source: distribution/reference, "Grammar".
///
/// `name` is what errors call the text. Fails with `errc::bad_file`, naming the line, for what is no reference and for
/// a text without any: what ought to have listed the images has failed then.
result<in_use_references> parse_in_use(std::string_view text, const registry_address& registry, std::string_view name);

/// Reads a file of at most 256 MiB, or standard input for `-`. Fails as `parse_in_use`, and with `errc::io` and
/// `errc::too_large`.
result<in_use_references> read_in_use(const std::string& file, const registry_address& registry);

} // namespace regsweep

#endif
