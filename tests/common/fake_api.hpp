#ifndef REGSWEEP_TESTS_COMMON_FAKE_API_HPP
#define REGSWEEP_TESTS_COMMON_FAKE_API_HPP

#include "common/fake_http.hpp"
#include "common/fake_store.hpp"
#include "common/fake_synthetic.hpp"

#include <cstddef>
#include <string>

namespace regsweep::test {

/// What the Link header of a page looks like.
enum class fake_link_style {
    standard, ///< `</v2/_catalog?last=x&n=100>; rel="next"`
    unquoted, ///< `…; rel=next`
    several,  ///< with `rel="first"` before it and `rel="help"` after it, and other parameters
    loop,     ///< leads to the page it is on
    none,     ///< missing: only a shorter page tells the end
};

/// Where registries differ from each other. The defaults are docker-registry 2.8's.
struct fake_api_options
{
    std::size_t default_page = 100;    ///< names in a catalog page if the client gives no `n`
    std::size_t page_cap = 0;          ///< largest page; 0: no limit
    bool refuse_large_page = false;    ///< `n` over the cap is a 400 PAGINATION_NUMBER_INVALID
    bool paginate_tags = true;         ///< false: all tags in one answer, whatever `n` says
    std::size_t default_tags_page = 0; ///< tags in a page if the client gives no `n`; 0: all
    fake_link_style link_style = fake_link_style::standard;
    std::string link_base; ///< put before the link's path, e.g. `https://{address}`

    bool delete_enabled = true;            ///< false: 405 UNSUPPORTED
    bool delete_by_tag = false;            ///< 202 as in OCI; false: 400 DIGEST_INVALID
    bool drop_empty_repositories = false;  ///< a repository whose last tag was deleted leaves the catalog
    unsigned missing_reference_status = 0; ///< of PUT if a referenced blob or manifest is missing (2.8.2: 400, newer:
                                           ///< 404); 0: not checked
    bool negotiate = true;                 ///< OCI manifests and lists of platforms only if Accept names them
};

/// The registry's API without a socket: one request in, one answer out. Thread-safe.
/// Source: OCI distribution-spec and docker-registry 2.8.
class fake_api
{
public:
    fake_api(fake_api_options options, fake_store& store, fake_synthetic& synthetic)
        : options_(std::move(options)), store_(store), synthetic_(synthetic)
    {}

    fake_reply handle(const fake_request& request) const;

private:
    struct page
    {
        std::size_t size;
        std::string last;
    };

    fake_reply catalog(const fake_request& request) const;
    fake_reply tags(const fake_request& request, const std::string& repository) const;
    fake_reply manifest(const fake_request& request, const std::string& repository, const std::string& reference) const;
    fake_reply get_manifest(const fake_request& request, const std::string& repository,
                            const std::string& reference) const;
    fake_reply put_manifest(const fake_request& request, const std::string& repository,
                            const std::string& reference) const;
    fake_reply delete_manifest(const std::string& repository, const std::string& reference) const;
    fake_reply blob(const fake_request& request, const std::string& repository, const std::string& rest) const;
    fake_reply start_upload(const fake_request& request, const std::string& repository) const;
    fake_reply continue_upload(const fake_request& request, const std::string& repository,
                               const std::string& upload) const;
    fake_reply store_blob(const std::string& repository, std::string bytes, const std::string& digest) const;
    fake_reply delete_synthetic(std::size_t repository, const std::string& reference) const;

    std::optional<fake_manifest> find_manifest(const std::string& repository, const std::string& reference) const;
    std::optional<fake_reply> negotiate(const fake_request& request, const std::string& repository, bool by_digest,
                                        fake_manifest& manifest) const;
    std::optional<fake_reply> check_references(const std::string& repository, std::string_view bytes) const;
    std::optional<page> read_page(const fake_request& request, std::size_t without_n) const;
    void add_link(fake_reply& reply, const fake_request& request, std::size_t size, const std::string& last) const;

    fake_api_options options_;
    fake_store& store_;
    fake_synthetic& synthetic_;
};

} // namespace regsweep::test

#endif
