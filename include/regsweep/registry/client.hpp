#ifndef REGSWEEP_REGISTRY_CLIENT_HPP
#define REGSWEEP_REGISTRY_CLIENT_HPP

#include "regsweep/auth/authenticator.hpp"
#include "regsweep/core/address.hpp"
#include "regsweep/core/digest.hpp"
#include "regsweep/core/names.hpp"
#include "regsweep/http/client.hpp"
#include "regsweep/registry/lists.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

struct registry_options
{
    authenticator_options who;     ///< anonymous by default
    bool use_get_manifest = false; ///< never ask with HEAD, hash the body of a GET instead
};

/// A page of a list.
struct name_page
{
    name_list names;
    std::string next; ///< the target of the page after this one; empty on the last page
};

/// What a reference points to.
struct resolved_manifest
{
    regsweep::digest digest;
    media_type type = media_type::unknown;
};

/// A reference, and what it is known to point to.
struct known_resolution
{
    std::string_view reference;
    regsweep::digest digest;
};

/// A manifest as the registry has it, byte for byte.
struct manifest
{
    regsweep::digest digest;
    media_type type = media_type::unknown;
    std::string content_type; ///< as the registry said it, for putting the manifest back
    std::string body;
};

/// A reference, and what it turned out to point to: nothing if it is not there (404).
struct resolution
{
    std::string_view reference; ///< a tag or digest
    result<std::optional<resolved_manifest>> found{};
    bool settled = false; ///< `found` is the answer
};

/// A reference, and the manifest that came for it: nothing if it is not there (404).
struct manifest_reading
{
    std::string_view reference; ///< a tag or digest
    result<std::optional<manifest>> found{};
    bool settled = false; ///< `found` is the answer
};

/// A manifest to be deleted, and what came of it.
struct deletion
{
    regsweep::digest digest;
    result<bool> found{false}; ///< as `delete_manifest` returns it
    bool settled = false;      ///< `found` is the answer. If not, it may have been deleted all the same
};

/// When a request may be sent, see `http::request`.
struct sending
{
    bool has_turn = false;
    std::optional<http::clock::time_point> not_after{};
};

/// Buffers that one coroutine at a time uses for its requests, so that they allocate nothing.
struct registry_buffers
{
    http::response answer;
    std::vector<http::request> together;
};

/// The typed client of one registry (HTTP API v2, OCI distribution-spec). Belongs to the thread of its HTTP client.
/// Functions fail as `http::client::send` does, and with the error of an answer's status. References given to a
/// coroutine must live until it returns.
class registry_client
{
public:
    /// `connection` must outlive the client.
    registry_client(http::client& connection, registry_address address, registry_options options);
    ~registry_client();

    const registry_address& address() const noexcept;
    http::client& connection() noexcept;

    /// Targets of first pages. `page_size` is a wish (`n`): the registry may answer with fewer.
    std::string catalog_target(unsigned page_size) const;
    std::string tags_target(std::string_view repository, unsigned page_size) const;

    /// One page of the catalog (distribution-spec end-8 is optional: `errc::unauthorized`, `not_found` and
    /// `unsupported` say that this registry has none for this user).
    http::awaitable<result<name_page>> catalog(const std::string& target, registry_buffers& buffers);

    /// One page of a repository's tags; nothing if the registry does not know the repository (404).
    http::awaitable<result<std::optional<name_page>>> tags(std::string_view repository, const std::string& target,
                                                           registry_buffers& buffers);

    /// What `reference`, a tag or digest, points to; nothing if it is not there (404). The digest is what the
    /// registry says of it (`Docker-Content-Digest`), or the hash of the manifest where it does not say.
    http::awaitable<result<std::optional<resolved_manifest>>>
    resolve(std::string_view repository, std::string_view reference, registry_buffers& buffers);

    /// `resolve` for references of one repository, asked for together on one connection (pipelining) where everything
    /// is as it should be, and one by one where it is not.
    /// All of `wanted` is settled then. Returns how many were answered together.
    http::awaitable<std::size_t> resolve_all(std::string_view repository, std::span<resolution> wanted,
                                             registry_buffers& buffers);

    /// Whether references whose manifests are known are answered the same when asked for together: what has to be so
    /// before anything else may be asked for together.
    http::awaitable<bool> answers_in_order(std::string_view repository, std::span<const known_resolution> known,
                                           registry_buffers& buffers);

    /// The manifest itself; nothing if it is not there (404). `errc::digest_mismatch` if its content does not hash
    /// to the digest that it was announced with or asked by.
    http::awaitable<result<std::optional<manifest>>>
    get_manifest(std::string_view repository, std::string_view reference, registry_buffers& buffers);

    /// `get_manifest` for references of one repository, asked for together as in `resolve_all`.
    http::awaitable<std::size_t> get_manifests(std::string_view repository, std::span<manifest_reading> wanted,
                                               registry_buffers& buffers);

    /// Deletes a manifest by digest, and with it every tag of the repository that points to it. False if it was not
    /// there (404). `errc::unsupported` where the registry does not allow deletion (405).
    http::awaitable<result<bool>> delete_manifest(std::string_view repository, const digest& what,
                                                  registry_buffers& buffers, const sending& when = {});

    /// `delete_manifest` for manifests of one repository, asked for together on one connection (RFC 9112 section
    /// 9.3.2). Nothing is repeated: whether one that is not settled then was deleted is for the caller to find out.
    /// False if nothing was sent, because that is not possible now.
    http::awaitable<bool> delete_manifests(std::string_view repository, std::span<deletion> wanted,
                                           registry_buffers& buffers);

    /// Deletes a tag and nothing else (distribution-spec end-9 with a tag). False if it was not there (404);
    /// `errc::unsupported` where the registry cannot (400, 405).
    http::awaitable<result<bool>> delete_tag(std::string_view repository, std::string_view tag,
                                             registry_buffers& buffers);

    /// Puts a manifest under a tag or its digest; returns the digest that the registry gave it.
    http::awaitable<result<digest>> put_manifest(std::string_view repository, std::string_view reference,
                                                 std::string_view content_type, std::string_view body,
                                                 registry_buffers& buffers);

    /// Uploads a small blob in one piece; nothing to do if the registry has it.
    http::awaitable<result<void>> put_blob(std::string_view repository, std::string_view content,
                                           registry_buffers& buffers);

    /// `GET /v2/`: whether this is a registry that lets us in.
    http::awaitable<result<void>> ping(registry_buffers& buffers);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
