#include "common/fake_api.hpp"

#include "regsweep/core/digest.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace regsweep::test {

namespace json = boost::json;

namespace {

constexpr std::string_view oci_index = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view oci_manifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";

bool is_read(const fake_request& request)
{
    return request.method == "GET" || request.method == "HEAD";
}

bool is_digest(std::string_view reference)
{
    return reference.find(':') != std::string_view::npos;
}

fake_reply page_not_found()
{
    fake_reply reply;
    reply.status = 404;
    reply.set("Content-Type", "text/plain; charset=utf-8");
    reply.body = "404 page not found\n";
    return reply;
}

fake_reply method_not_allowed()
{
    return registry_error(405, "UNSUPPORTED", "The operation is unsupported.");
}

fake_reply name_unknown(const std::string& repository)
{
    return registry_error(404, "NAME_UNKNOWN", "repository name not known to registry",
                          "{\"name\":" + json_quoted(repository) + "}");
}

fake_reply manifest_unknown(const std::string& reference)
{
    return registry_error(404, "MANIFEST_UNKNOWN", "manifest unknown",
                          (is_digest(reference) ? "{\"Digest\":" : "{\"Tag\":") + json_quoted(reference) + "}");
}

fake_reply json_reply(std::string body)
{
    fake_reply reply;
    reply.set("Content-Type", "application/json; charset=utf-8");
    reply.body = std::move(body);
    return reply;
}

fake_reply empty_reply(unsigned status)
{
    fake_reply reply;
    reply.status = status;
    return reply;
}

std::string json_list(const std::vector<std::string>& names)
{
    std::string text = "[";
    for (const auto& name : names) {
        if (text.size() > 1)
            text += ',';
        text += json_quoted(name);
    }
    return text += ']';
}

/// The digest of `bytes` by the algorithm of `like`.
std::string digest_like(const std::string& like, std::string_view bytes)
{
    const auto how = like.starts_with("sha512:") ? digest::algorithm::sha512 : digest::algorithm::sha256;
    return digest::of(bytes, how).to_string();
}

std::string string_member(const json::value& object, std::string_view name)
{
    const auto* members = object.if_object();
    const auto* found = members == nullptr ? nullptr : members->if_contains(name);
    const auto* text = found == nullptr ? nullptr : found->if_string();
    return text == nullptr ? std::string() : std::string(*text);
}

/// The digest of the image for linux/amd64 in a list of platforms; empty if there is none.
std::string amd64_of(std::string_view list)
{
    boost::system::error_code failed;
    const auto root = json::parse(list, failed);
    const auto* members = failed ? nullptr : root.if_object();
    const auto* manifests = members == nullptr ? nullptr : members->if_contains("manifests");
    if (manifests == nullptr || !manifests->is_array())
        return {};
    for (const auto& one : manifests->get_array()) {
        const auto* object = one.if_object();
        const auto* platform = object == nullptr ? nullptr : object->if_contains("platform");
        if (platform != nullptr && string_member(*platform, "architecture") == "amd64")
            return string_member(one, "digest");
    }
    return {};
}

/// Splits `rest`, the path after `/v2/`, at the last `mark`.
bool split_at(const std::string& rest, std::string_view mark, std::string& repository, std::string& tail)
{
    const auto at = rest.rfind(mark);
    if (at == std::string::npos || at == 0)
        return false;
    repository = rest.substr(0, at);
    tail = rest.substr(at + mark.size());
    return true;
}

} // namespace

fake_reply fake_api::handle(const fake_request& request) const
{
    constexpr std::string_view api = "/v2/";
    if (!request.path.starts_with(api))
        return page_not_found();
    const auto rest = percent_decoded(request.path.substr(api.size()));
    std::string repository;
    std::string tail;
    fake_reply reply;
    if (rest.empty())
        reply = is_read(request) ? json_reply("{}") : method_not_allowed();
    else if (rest == "_catalog")
        reply = is_read(request) ? catalog(request) : method_not_allowed();
    else if (split_at(rest, "/manifests/", repository, tail))
        reply = manifest(request, repository, tail);
    else if (split_at(rest, "/blobs/", repository, tail))
        reply = blob(request, repository, tail);
    else if (split_at(rest, "/tags/list", repository, tail) && tail.empty())
        reply = is_read(request) ? tags(request, repository) : method_not_allowed();
    else
        return page_not_found();
    reply.set("Docker-Distribution-Api-Version", "registry/2.0");
    return reply;
}

std::optional<fake_api::page> fake_api::read_page(const fake_request& request, std::size_t without_n) const
{
    const auto fields = form_fields(request.query);
    page wanted{without_n, find_field(fields, "last").value_or("")};
    if (const auto n = find_field(fields, "n")) {
        const auto [end, failed] = std::from_chars(n->data(), n->data() + n->size(), wanted.size);
        if (failed != std::errc() || end != n->data() + n->size())
            return std::nullopt;
    }
    if (options_.page_cap != 0 && wanted.size > options_.page_cap) {
        if (options_.refuse_large_page)
            return std::nullopt;
        wanted.size = options_.page_cap;
    }
    return wanted;
}

void fake_api::add_link(fake_reply& reply, const fake_request& request, std::size_t size, const std::string& last) const
{
    auto after = last;
    if (options_.link_style == fake_link_style::none)
        return;
    if (options_.link_style == fake_link_style::loop)
        after = find_field(form_fields(request.query), "last").value_or("");
    const auto start = options_.link_base + std::string(request.path);
    const auto link = "<" + start + "?last=" + percent_encoded(after) + "&n=" + std::to_string(size) + ">";
    if (options_.link_style == fake_link_style::unquoted)
        reply.set("Link", link + "; rel=next");
    else if (options_.link_style == fake_link_style::several)
        reply.set("Link", "<" + start + "?n=1>; title=\"a, b; rel=next\"; rel=\"first\", " + link +
                              " ; title=\"more\" ; rel=\"next\", <https://example.com/>; rel=\"help\"");
    else
        reply.set("Link", link + "; rel=\"next\"");
}

fake_reply fake_api::catalog(const fake_request& request) const
{
    const auto wanted = read_page(request, options_.default_page);
    if (!wanted)
        return registry_error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested");
    const auto limit =
        wanted->size + (wanted->size == std::size_t(-1) ? 0 : 1); // one more tells whether there are more
    const auto stored = store_.repositories(wanted->last, limit, options_.drop_empty_repositories);
    const auto computed = synthetic_.repositories(wanted->last, limit);
    std::vector<std::string> names;
    std::merge(stored.begin(), stored.end(), computed.begin(), computed.end(), std::back_inserter(names));
    const bool more = names.size() > wanted->size;
    names.resize(std::min(names.size(), wanted->size));
    auto reply = json_reply("{\"repositories\":" + json_list(names) + "}\n");
    if (more && !names.empty())
        add_link(reply, request, wanted->size, names.back());
    return reply;
}

fake_reply fake_api::tags(const fake_request& request, const std::string& repository) const
{
    const auto without_n = options_.default_tags_page == 0 ? std::size_t(-1) : options_.default_tags_page;
    auto wanted = read_page(request, without_n);
    if (!wanted)
        return registry_error(400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested");
    if (!options_.paginate_tags)
        wanted = page{std::size_t(-1), ""};
    const auto limit = wanted->size + (wanted->size == std::size_t(-1) ? 0 : 1);
    std::vector<std::string> names;
    if (const auto number = synthetic_.find_repository(repository)) {
        names = synthetic_.tags(*number, wanted->last, limit);
    } else {
        auto found = store_.tags(repository, wanted->last, limit);
        if (!found)
            return name_unknown(repository);
        names = std::move(*found);
    }
    const bool more = names.size() > wanted->size;
    names.resize(std::min(names.size(), wanted->size));
    const bool emptied = names.empty() && wanted->last.empty() && wanted->size != 0;
    auto reply = json_reply("{\"name\":" + json_quoted(repository) +
                            ",\"tags\":" + (emptied ? "null" : json_list(names)) + "}\n");
    if (more && !names.empty())
        add_link(reply, request, wanted->size, names.back());
    return reply;
}

fake_reply fake_api::manifest(const fake_request& request, const std::string& repository,
                              const std::string& reference) const
{
    if (is_read(request))
        return get_manifest(request, repository, reference);
    if (request.method == "PUT")
        return put_manifest(request, repository, reference);
    if (request.method != "DELETE")
        return method_not_allowed();
    if (!options_.delete_enabled)
        return method_not_allowed();
    return delete_manifest(repository, reference);
}

std::optional<fake_manifest> fake_api::find_manifest(const std::string& repository, const std::string& reference) const
{
    const auto number = synthetic_.find_repository(repository);
    if (!number)
        return store_.find_manifest(repository, reference);
    const auto tag = synthetic_.find_reference(*number, reference);
    if (!tag)
        return std::nullopt;
    thread_local fake_synthetic::scratch with;
    fake_manifest found;
    found.media_type = fake_synthetic::media_type;
    found.bytes = synthetic_.manifest(*number, *tag, with);
    found.digest = synthetic_.digest(*number, *tag, with);
    if (synthetic_.removed(*number, found.digest))
        return std::nullopt;
    return found;
}

std::optional<fake_reply> fake_api::negotiate(const fake_request& request, const std::string& repository,
                                              bool by_digest, fake_manifest& manifest) const
{
    if (!options_.negotiate)
        return std::nullopt;
    const auto& type = manifest.media_type;
    // docker-registry compares the types one by one and does not know `*/*`.
    const bool accepted = request.joined("Accept").find(type) != std::string::npos;
    if (accepted)
        return std::nullopt;
    if (type == oci_index)
        return registry_error(404, "MANIFEST_UNKNOWN",
                              "OCI index found, but accept header does not support OCI indexes");
    if (type == oci_manifest)
        return registry_error(404, "MANIFEST_UNKNOWN",
                              "OCI manifest found, but accept header does not support OCI manifests");
    if (type != docker_list || by_digest)
        return std::nullopt;
    const auto child = amd64_of(manifest.bytes);
    auto found = store_.find_manifest(repository, child);
    if (!found)
        return manifest_unknown(child);
    manifest = std::move(*found);
    return std::nullopt;
}

fake_reply fake_api::get_manifest(const fake_request& request, const std::string& repository,
                                  const std::string& reference) const
{
    auto found = find_manifest(repository, reference);
    if (!found)
        return manifest_unknown(reference);
    if (auto refused = negotiate(request, repository, is_digest(reference), *found))
        return std::move(*refused);
    const auto etag = '"' + found->digest + '"';
    fake_reply reply;
    if (request.header("If-None-Match") == etag)
        reply.status = 304;
    else
        reply.body = std::move(found->bytes);
    reply.set("Content-Type", std::move(found->media_type));
    reply.set("Docker-Content-Digest", std::move(found->digest));
    reply.set("Etag", etag);
    return reply;
}

std::optional<fake_reply> fake_api::check_references(const std::string& repository, std::string_view bytes) const
{
    boost::system::error_code failed;
    const auto root = json::parse(bytes, failed);
    if (failed || !root.is_object())
        return registry_error(400, "MANIFEST_INVALID", "manifest invalid");
    if (options_.missing_reference_status == 0)
        return std::nullopt;
    std::vector<std::string> blobs;
    const auto& members = root.get_object();
    const auto collect = [&](std::string_view list, std::string_view member, std::vector<std::string>& into) {
        const auto* found = members.if_contains(list);
        if (found != nullptr && found->is_array())
            for (const auto& one : found->get_array())
                into.push_back(string_member(one, member));
    };
    if (const auto* config = members.if_contains("config"))
        blobs.push_back(string_member(*config, "digest"));
    collect("layers", "digest", blobs);
    collect("fsLayers", "blobSum", blobs);
    std::vector<std::string> manifests;
    collect("manifests", "digest", manifests);
    const auto missing = [&](const std::string& digest) {
        return registry_error(options_.missing_reference_status, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry",
                              json_quoted(digest));
    };
    for (const auto& digest : blobs)
        if (!store_.has_blob(repository, digest))
            return missing(digest);
    for (const auto& digest : manifests)
        if (!store_.has_manifest(repository, digest))
            return missing(digest);
    return std::nullopt;
}

fake_reply fake_api::put_manifest(const fake_request& request, const std::string& repository,
                                  const std::string& reference) const
{
    if (synthetic_.find_repository(repository))
        return method_not_allowed();
    if (auto refused = check_references(repository, request.body))
        return std::move(*refused);
    const auto digest = digest_like(reference, request.body);
    if (is_digest(reference) && digest != reference)
        return registry_error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    store_.put_manifest(repository, std::string(request.body), std::string(request.header("Content-Type")), digest);
    if (!is_digest(reference))
        store_.tag(repository, reference, digest);
    auto reply = empty_reply(201);
    reply.set("Location", "/v2/" + repository + "/manifests/" + digest);
    reply.set("Docker-Content-Digest", digest);
    return reply;
}

fake_reply fake_api::delete_synthetic(std::size_t repository, const std::string& reference) const
{
    if (!is_digest(reference))
        return registry_error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    return synthetic_.remove(repository, reference) ? empty_reply(202) : manifest_unknown(reference);
}

fake_reply fake_api::delete_manifest(const std::string& repository, const std::string& reference) const
{
    if (const auto number = synthetic_.find_repository(repository))
        return delete_synthetic(*number, reference);
    if (!store_.has_repository(repository))
        return name_unknown(repository);
    if (is_digest(reference) && store_.break_delete(repository, reference))
        return registry_error(500, "UNKNOWN", "unknown error");
    if (is_digest(reference))
        return store_.remove_manifest(repository, reference) ? empty_reply(202) : manifest_unknown(reference);
    if (!options_.delete_by_tag)
        return registry_error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    return store_.remove_tag(repository, reference) ? empty_reply(202) : manifest_unknown(reference);
}

fake_reply fake_api::blob(const fake_request& request, const std::string& repository, const std::string& rest) const
{
    constexpr std::string_view uploads = "uploads/";
    if (rest == uploads || rest == "uploads")
        return request.method == "POST" ? start_upload(request, repository) : method_not_allowed();
    if (rest.starts_with(uploads))
        return continue_upload(request, repository, rest.substr(uploads.size()));
    const auto unknown = [&] {
        return registry_error(404, "BLOB_UNKNOWN", "blob unknown to registry", json_quoted(rest));
    };
    if (request.method == "DELETE") {
        if (!options_.delete_enabled)
            return method_not_allowed();
        return store_.remove_blob(repository, rest) ? empty_reply(202) : unknown();
    }
    if (!is_read(request))
        return method_not_allowed();
    auto found = store_.find_blob(repository, rest);
    if (!found)
        return unknown();
    fake_reply reply;
    reply.set("Content-Type", "application/octet-stream");
    reply.set("Docker-Content-Digest", rest);
    reply.body = std::move(*found);
    return reply;
}

fake_reply fake_api::store_blob(const std::string& repository, std::string bytes, const std::string& digest) const
{
    if (digest_like(digest, bytes) != digest)
        return registry_error(400, "DIGEST_INVALID", "provided digest did not match uploaded content",
                              json_quoted(digest));
    store_.put_blob(repository, std::move(bytes), digest);
    auto reply = empty_reply(201);
    reply.set("Location", "/v2/" + repository + "/blobs/" + digest);
    reply.set("Docker-Content-Digest", digest);
    return reply;
}

fake_reply fake_api::start_upload(const fake_request& request, const std::string& repository) const
{
    const auto fields = form_fields(request.query);
    if (const auto digest = find_field(fields, "digest"))
        return store_blob(repository, std::string(request.body), *digest);
    const auto mount = find_field(fields, "mount");
    const auto from = find_field(fields, "from");
    if (mount && from) {
        if (auto bytes = store_.find_blob(*from, *mount))
            return store_blob(repository, std::move(*bytes), *mount);
    }
    const auto upload = store_.start_upload(repository);
    auto reply = empty_reply(202);
    reply.set("Location", "/v2/" + repository + "/blobs/uploads/" + upload);
    reply.set("Range", "0-0");
    reply.set("Docker-Upload-Uuid", upload);
    return reply;
}

fake_reply fake_api::continue_upload(const fake_request& request, const std::string& repository,
                                     const std::string& upload) const
{
    const auto unknown = [] { return registry_error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"); };
    if (request.method == "DELETE")
        return store_.finish(upload) ? empty_reply(204) : unknown();
    const auto size = store_.append(upload, request.body);
    if (!size)
        return unknown();
    if (request.method == "PUT") {
        const auto digest = find_field(form_fields(request.query), "digest");
        auto bytes = store_.finish(upload);
        return bytes ? store_blob(repository, std::move(*bytes), digest.value_or("")) : unknown();
    }
    if (request.method != "PATCH" && request.method != "GET")
        return method_not_allowed();
    auto reply = empty_reply(request.method == "PATCH" ? 202 : 204);
    reply.set("Location", "/v2/" + repository + "/blobs/uploads/" + upload);
    reply.set("Range", "0-" + std::to_string(*size == 0 ? 0 : *size - 1));
    reply.set("Docker-Upload-Uuid", upload);
    return reply;
}

} // namespace regsweep::test
