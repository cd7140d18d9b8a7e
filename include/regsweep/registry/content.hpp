#ifndef REGSWEEP_REGISTRY_CONTENT_HPP
#define REGSWEEP_REGISTRY_CONTENT_HPP

#include "regsweep/registry/client.hpp"
#include "regsweep/registry/manifest.hpp"

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace regsweep {

/// Reads what manifests lead to: small blobs and referrers. Used beside a `registry_client` on the same HTTP client,
/// and under the same rules.
class content_client
{
public:
    static constexpr std::size_t referrers_limit = 10'000; ///< of one subject

    /// `connection` must outlive it.
    content_client(http::client& connection, registry_address address, registry_options options);
    ~content_client();

    /// A blob's bytes, in `buffers` until they are used again; nothing if it is not there (404). Redirects are
    /// followed. `errc::too_large` above the HTTP client's limit, `errc::digest_mismatch` if it is something else.
    http::awaitable<result<std::optional<std::string_view>>> blob(std::string_view repository, const digest& id,
                                                                  registry_buffers& buffers);

    /// What refers to a manifest (OCI distribution-spec, "Listing Referrers"), all pages; nothing if the registry does
    /// not know the request: any answer but a list, as docker-registry's 404. At most `referrers_limit`.
    http::awaitable<result<std::optional<std::vector<digest>>>>
    referrers(std::string_view repository, const digest& subject, registry_buffers& buffers);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
