#ifndef REGSWEEP_LOAD_SAMPLE_HPP
#define REGSWEEP_LOAD_SAMPLE_HPP

#include "regsweep/load/generator.hpp"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace regsweep {

/// Part of what a registry holds, enough to ask for.
struct registry_sample
{
    using reference = std::pair<std::string, std::string>; ///< repository, tag or digest
    std::vector<std::string> repositories;
    std::vector<reference> manifests;
    std::vector<reference> blobs; ///< digests
};

struct sample_options
{
    std::vector<std::string> names;    ///< exactly these repositories; empty: those of the catalog
    std::vector<std::string> patterns; ///< globs that repositories of the catalog must match; empty: all
    std::size_t repositories = 200;
    std::size_t manifests = 10'000;
    unsigned page_size = 100;
};

/// Whether the registry answers and lets us in: `GET /v2/`. Fails as `registry_client::ping`.
result<void> check_registry(const load_options& how);

/// Reads the first repositories and the first page of tags of each. Fails as `registry_client::catalog`; repositories
/// whose tags cannot be read are left out.
result<registry_sample> read_sample(const load_options& how, const sample_options& limits);

/// Blobs that these manifests name, none twice and none over `largest` bytes. A manifest that cannot be read has none.
std::vector<registry_sample::reference>
find_blobs(const load_options& how, const std::vector<registry_sample::reference>& manifests, std::uint64_t largest);

} // namespace regsweep

#endif
