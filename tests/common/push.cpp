#include "common/push.hpp"

#include "regsweep/core/digest.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json.hpp>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace regsweep::test {

namespace json = boost::json;
namespace http = boost::beast::http;
namespace net = boost::asio;

namespace {

constexpr const char* docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr const char* oci_manifest = "application/vnd.oci.image.manifest.v1+json";
constexpr const char* oci_index = "application/vnd.oci.image.index.v1+json";
constexpr const char* created = "2024-01-01T00:00:00Z";

std::string digest_of(std::string_view content)
{
    return digest::of(content).to_string();
}

/// A tar archive of one file.
std::string tar(std::string_view name, std::string_view content)
{
    std::string header(512, '\0');
    const auto put = [&header](std::size_t at, std::string_view text) { header.replace(at, text.size(), text); };
    std::array<char, 16> size{};
    std::snprintf(size.data(), size.size(), "%011zo", content.size());
    put(0, name);
    put(100, "0000644");
    put(108, "0000000");
    put(116, "0000000");
    put(124, size.data());
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, std::string_view("ustar\00000", 8));
    unsigned sum = 0;
    for (const char c : header)
        sum += static_cast<unsigned char>(c);
    std::array<char, 16> check{};
    std::snprintf(check.data(), check.size(), "%06o", sum);
    put(148, std::string_view(check.data(), 7));

    std::string archive = header;
    archive += content;
    archive.resize((archive.size() + 511) / 512 * 512 + 1024, '\0');
    return archive;
}

std::string gzip(const std::string& plain)
{
    z_stream stream{};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("zlib does not start");
    std::string packed(deflateBound(&stream, plain.size()), '\0');
    std::string input = plain;
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    const int end = deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    if (end != Z_STREAM_END)
        throw std::runtime_error("zlib does not finish");
    return packed;
}

json::object descriptor(const char* media_type, std::string_view content, const std::string& digest)
{
    json::object d;
    d["mediaType"] = media_type;
    d["size"] = content.size();
    d["digest"] = digest;
    return d;
}

std::string image_config(std::string_view variant, std::string_view architecture, const std::string& diff_id)
{
    json::object config;
    config["architecture"] = architecture;
    config["os"] = "linux";
    config["created"] = created;
    config["config"] = {{"Cmd", {"/bin/true"}}, {"Labels", {{"variant", variant}}}};
    config["rootfs"] = {{"type", "layers"}, {"diff_ids", json::array{diff_id}}};
    config["history"] = json::array{json::object{{"created", created}, {"created_by", "test"}}};
    return json::serialize(config);
}

std::string base64(std::string_view text)
{
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string coded;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        unsigned group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            coded += i + k <= text.size() ? letters[group >> (18 - 6 * k) & 63U] : '=';
    }
    return coded;
}

/// The path and query of a Location or Link target, which may be absolute.
std::string path_of(std::string_view url)
{
    const std::size_t scheme = url.find("://");
    if (scheme == std::string_view::npos)
        return std::string(url);
    const std::size_t slash = url.find('/', scheme + 3);
    return slash == std::string_view::npos ? "/" : std::string(url.substr(slash));
}

} // namespace

manifest make_image(std::string_view variant, family kind, std::string_view architecture, std::string_view layer)
{
    const bool oci = kind == family::oci;
    const std::string archive = tar("README", layer);
    blob layer_blob{gzip(archive), {}};
    layer_blob.digest = digest_of(layer_blob.content);
    blob config{image_config(variant, architecture, digest_of(archive)), {}};
    config.digest = digest_of(config.content);

    json::object body;
    body["schemaVersion"] = 2;
    body["mediaType"] = oci ? oci_manifest : docker_manifest;
    body["config"] =
        descriptor(oci ? "application/vnd.oci.image.config.v1+json" : "application/vnd.docker.container.image.v1+json",
                   config.content, config.digest);
    body["layers"] = json::array{descriptor(oci ? "application/vnd.oci.image.layer.v1.tar+gzip"
                                                : "application/vnd.docker.image.rootfs.diff.tar.gzip",
                                            layer_blob.content, layer_blob.digest)};
    manifest image;
    image.media_type = oci ? oci_manifest : docker_manifest;
    image.body = json::serialize(body);
    image.digest = digest_of(image.body);
    image.blobs = {std::move(layer_blob), std::move(config)};
    image.architecture = architecture;
    return image;
}

manifest make_index(std::vector<manifest> children, family kind)
{
    json::array list;
    for (const auto& child : children) {
        json::object entry = descriptor(child.media_type.c_str(), child.body, child.digest);
        entry["platform"] = {{"architecture", child.architecture}, {"os", "linux"}};
        list.push_back(std::move(entry));
    }
    manifest index;
    index.media_type = kind == family::oci ? oci_index : docker_list;
    json::object body;
    body["schemaVersion"] = 2;
    body["mediaType"] = index.media_type;
    body["manifests"] = std::move(list);
    index.body = json::serialize(body);
    index.digest = digest_of(index.body);
    index.children = std::move(children);
    return index;
}

std::string http_answer::header(const std::string& name) const
{
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
}

struct push_client::connection
{
    net::io_context context;
    net::ip::tcp::socket socket{context};
    boost::beast::flat_buffer buffer;
};

push_client::push_client(std::string address, std::string user, std::string password) : address_(std::move(address))
{
    if (!user.empty())
        authorization_ = "Basic " + base64(user + ":" + password);
}

push_client::~push_client() = default;

http_answer push_client::request(std::string_view method, std::string_view target,
                                 const std::vector<std::pair<std::string, std::string>>& headers, std::string_view body)
{
    http::request<http::string_body> message;
    message.method_string(method);
    message.target(target);
    message.version(11);
    message.set(http::field::host, address_);
    if (!authorization_.empty())
        message.set(http::field::authorization, authorization_);
    for (const auto& [name, value] : headers)
        message.insert(name, value);
    message.body() = body;
    message.prepare_payload();

    for (int attempt = 0;; ++attempt) {
        const bool reused = connection_ != nullptr;
        http::response_parser<http::string_body> parser;
        parser.body_limit(std::uint64_t{1} << 30U);
        parser.skip(method == "HEAD");
        boost::system::error_code failed;
        if (!reused) {
            connection_ = std::make_unique<connection>();
            const std::size_t colon = address_.rfind(':');
            net::ip::tcp::resolver resolver(connection_->context);
            const auto where = resolver.resolve(address_.substr(0, colon), address_.substr(colon + 1), failed);
            if (!failed)
                net::connect(connection_->socket, where, failed);
        }
        if (!failed)
            http::write(connection_->socket, message, failed);
        if (!failed)
            http::read(connection_->socket, connection_->buffer, parser, failed);
        if (failed) {
            connection_.reset();
            // A kept connection may have ended since the last request, with a restart of the registry for one.
            if (reused && attempt == 0)
                continue;
            throw std::runtime_error(std::string(method) + " " + std::string(target) + ": " + failed.message());
        }
        http_answer answer;
        answer.status = parser.get().result_int();
        for (const auto& field : parser.get()) {
            std::string name(field.name_string());
            std::transform(name.begin(), name.end(), name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            answer.headers.emplace(std::move(name), field.value());
        }
        answer.body = parser.get().body();
        if (!parser.get().keep_alive())
            connection_.reset();
        return answer;
    }
}

void push_client::expect(const http_answer& answer, unsigned status, const std::string& what) const
{
    if (answer.status != status)
        throw std::runtime_error(what + ": status " + std::to_string(answer.status) + " instead of " +
                                 std::to_string(status) + ": " + answer.body);
}

void push_client::put_blob(const std::string& repository, const blob& b)
{
    if (!known_blobs_.insert({repository, b.digest}).second)
        return;
    const auto begun = request("POST", "/v2/" + repository + "/blobs/uploads/");
    expect(begun, 202, "upload to " + repository);
    std::string target = path_of(begun.header("location"));
    target += target.find('?') == std::string::npos ? '?' : '&';
    target += "digest=" + b.digest;
    expect(request("PUT", target, {{"Content-Type", "application/octet-stream"}}, b.content), 201,
           "blob of " + repository);
}

void push_client::put_manifest(const std::string& repository, const std::string& reference, const manifest& m)
{
    const auto answer =
        request("PUT", "/v2/" + repository + "/manifests/" + reference, {{"Content-Type", m.media_type}}, m.body);
    expect(answer, 201, "manifest " + repository + ":" + reference);
    const std::string given = answer.header("docker-content-digest");
    if (!given.empty() && given != m.digest)
        throw std::runtime_error("manifest " + repository + ":" + reference + " was pushed as " + m.digest +
                                 " and stored as " + given);
}

void push_client::push(const std::string& repository, const manifest& m, const std::vector<std::string>& tags)
{
    for (const auto& b : m.blobs)
        put_blob(repository, b);
    for (const auto& child : m.children)
        push(repository, child, {});
    if (tags.empty())
        put_manifest(repository, m.digest, m);
    for (const auto& tag : tags)
        put_manifest(repository, tag, m);
}

std::vector<std::string> push_client::catalog()
{
    std::vector<std::string> names;
    std::string target = "/v2/_catalog?n=1000";
    while (!target.empty()) {
        const auto answer = request("GET", target);
        expect(answer, 200, "catalog");
        const auto page = json::parse(answer.body);
        for (const auto& name : page.at("repositories").as_array())
            names.emplace_back(name.as_string());
        const std::string link = answer.header("link");
        target = link.empty() ? "" : path_of(link.substr(1, link.find('>') - 1));
    }
    return names;
}

std::optional<std::vector<std::string>> push_client::tags(const std::string& repository)
{
    const auto answer = request("GET", "/v2/" + repository + "/tags/list");
    if (answer.status == 404)
        return std::nullopt;
    expect(answer, 200, "tags of " + repository);
    const auto page = json::parse(answer.body);
    const auto* list = page.as_object().if_contains("tags");
    if (list == nullptr || list->is_null())
        return std::nullopt;
    std::vector<std::string> names;
    for (const auto& tag : list->as_array())
        names.emplace_back(tag.as_string());
    std::sort(names.begin(), names.end());
    return names;
}

std::string push_client::resolve(const std::string& repository, const std::string& reference)
{
    std::vector<std::pair<std::string, std::string>> accept;
    for (const char* type : {docker_manifest, docker_list, oci_manifest, oci_index})
        accept.emplace_back("Accept", type);
    const auto answer = request("HEAD", "/v2/" + repository + "/manifests/" + reference, accept);
    if (answer.status == 404)
        return {};
    expect(answer, 200, "manifest " + repository + ":" + reference);
    return answer.header("docker-content-digest");
}

unsigned push_client::remove(const std::string& repository, const std::string& digest)
{
    return request("DELETE", "/v2/" + repository + "/manifests/" + digest).status;
}

} // namespace regsweep::test
