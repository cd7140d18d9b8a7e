#ifndef REGSWEEP_TESTS_COMMON_PUSH_HPP
#define REGSWEEP_TESTS_COMMON_PUSH_HPP

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep::test {

/// Some bytes and the digest that names them.
struct blob
{
    std::string content;
    std::string digest;
};

/// A manifest as it is pushed: the bytes, and all that must be there before.
struct manifest
{
    std::string media_type;
    std::string body;
    std::string digest; ///< of `body`
    std::vector<blob> blobs;
    std::vector<manifest> children; ///< of an index
    std::string architecture;
};

enum class family { docker, oci };

/// A small whole image (one gzipped tar layer, a configuration that fits it). The same arguments give the same
/// digests. Images of another `variant` share no digest but the layer's, which depends on `layer` alone.
manifest make_image(std::string_view variant, family kind = family::docker, std::string_view architecture = "amd64",
                    std::string_view layer = "sample");

/// A multi-arch image: Docker manifest list or OCI index of `children`.
manifest make_index(std::vector<manifest> children, family kind = family::oci);

/// An answer, its header names in lower case.
struct http_answer
{
    unsigned status = 0;
    std::map<std::string, std::string> headers;
    std::string body;

    /// Empty if the header is missing.
    std::string header(const std::string& name) const;
};

/// What tests do to a registry besides regsweep, over one blocking HTTP connection, with code of its own so that it
/// shares no mistake with regsweep's. Throws `std::runtime_error` on answers that it does not expect. One thread at
/// a time.
class push_client
{
public:
    /// `address` is `host:port`, plain HTTP; with a user, Basic credentials go with every request.
    explicit push_client(std::string address, std::string user = {}, std::string password = {});
    ~push_client();
    push_client(const push_client&) = delete;
    push_client& operator=(const push_client&) = delete;

    /// Any request. `headers` are added to `Host` and the credentials.
    http_answer request(std::string_view method, std::string_view target,
                        const std::vector<std::pair<std::string, std::string>>& headers = {},
                        std::string_view body = {});

    void put_blob(const std::string& repository, const blob& b);
    /// Puts only the manifest itself.
    void put_manifest(const std::string& repository, const std::string& reference, const manifest& m);
    /// Pushes an image or index with all that belongs to it, under each tag; without tags by its digest.
    void push(const std::string& repository, const manifest& m, const std::vector<std::string>& tags);

    /// All names of the catalog, page by page.
    std::vector<std::string> catalog();
    /// Sorted; nothing if the answer says `"tags": null` or 404.
    std::optional<std::vector<std::string>> tags(const std::string& repository);
    /// The digest that a HEAD with every Accept type gives; empty for 404.
    std::string resolve(const std::string& repository, const std::string& reference);
    /// Deletes a manifest by digest; gives the status.
    unsigned remove(const std::string& repository, const std::string& digest);

private:
    struct connection;
    void expect(const http_answer& answer, unsigned status, const std::string& what) const;

    std::string address_;
    std::string authorization_;
    std::unique_ptr<connection> connection_;
    std::set<std::pair<std::string, std::string>> known_blobs_; ///< repository and digest
};

} // namespace regsweep::test

#endif
