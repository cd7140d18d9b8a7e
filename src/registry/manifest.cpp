#include "regsweep/registry/manifest.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace regsweep {
namespace {

constexpr std::size_t most_children = 100'000;

// Registries and clients written in Go take names in any letter case: what they see as a list must protect, too.
bool is_name(std::string_view key, std::string_view lower_name) noexcept
{
    return std::ranges::equal(key, lower_name,
                              [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; });
}

std::string_view text_of(const boost::json::object& from, std::string_view lower_name)
{
    for (const auto& member : from)
        if (is_name({member.key().data(), member.key().size()}, lower_name) && member.value().is_string())
            return {member.value().get_string().data(), member.value().get_string().size()};
    return {};
}

result<void> add_children(const boost::json::value& list, std::vector<child_manifest>& to)
{
    if (list.is_null())
        return {};
    if (!list.is_array())
        return error(errc::bad_json, "'manifests' of the index is no list");
    if (list.get_array().size() > most_children - to.size())
        return error(errc::too_large, "the index lists more than " + std::to_string(most_children) + " manifests");
    for (const auto& item : list.get_array()) {
        if (!item.is_object())
            return error(errc::bad_json, "an element of 'manifests' of the index is no descriptor");
        auto id = digest::parse(text_of(item.get_object(), "digest"));
        if (!id)
            return id.error();
        to.push_back({*id, parse_media_type(text_of(item.get_object(), "mediatype"))});
    }
    return {};
}

} // namespace

namespace {

result<boost::json::value> parse_object(std::string_view text, std::string_view noun)
{
    boost::system::error_code ec;
    auto parsed = boost::json::parse(boost::json::string_view(text.data(), text.size()), ec);
    if (ec || !parsed.is_object())
        return error(errc::bad_json,
                     "the " + std::string(noun) + " is no JSON object" + (ec ? ": " + ec.message() : std::string()));
    return parsed;
}

} // namespace

result<std::vector<child_manifest>> parse_children(std::string_view manifest_body)
{
    const auto parsed = parse_object(manifest_body, "manifest");
    if (!parsed)
        return parsed.error();
    std::vector<child_manifest> out;
    for (const auto& member : parsed->get_object()) {
        if (!is_name({member.key().data(), member.key().size()}, "manifests"))
            continue;
        if (const auto added = add_children(member.value(), out); !added)
            return added.error();
    }
    return out;
}

namespace {

using boost::json::object;
using boost::json::value;

constexpr std::size_t most_layers = 100'000;
constexpr std::size_t most_pairs = 10'000;
// 1980-01-02. No image is so old: Go's zero time 0001-01-01, Jib's and ko's 1970-01-01 and buildpacks' 1980-01-01 stand
// where a build is to be reproducible.
constexpr std::int64_t first_real_time = 315'619'200;

const value* find(const object& from, std::string_view lower_name)
{
    for (const auto& member : from)
        if (is_name({member.key().data(), member.key().size()}, lower_name))
            return &member.value();
    return nullptr;
}

const object* find_object(const object& from, std::string_view lower_name)
{
    const value* found = find(from, lower_name);
    return found == nullptr ? nullptr : found->if_object();
}

std::optional<std::uint64_t> size_of(const object& descriptor)
{
    const value* size = find(descriptor, "size");
    if (size == nullptr || !size->is_number())
        return std::nullopt;
    boost::system::error_code ec;
    const auto bytes = size->to_number<std::int64_t>(ec);
    if (ec || bytes < 0)
        return std::nullopt;
    return static_cast<std::uint64_t>(bytes);
}

platform platform_of(const object& from)
{
    return {std::string(text_of(from, "os")), std::string(text_of(from, "architecture")),
            std::string(text_of(from, "variant"))};
}

string_pairs pairs_of(const object& from, std::string_view lower_name)
{
    string_pairs out;
    const object* all = find_object(from, lower_name);
    if (all == nullptr)
        return out;
    for (const auto& member : *all) {
        if (!member.value().is_string() || out.size() == most_pairs)
            continue;
        const auto& text = member.value().get_string();
        out.emplace_back(std::string(member.key()), std::string(text.data(), text.size()));
    }
    std::sort(out.begin(), out.end());
    return out;
}

std::optional<timestamp> time_of(std::string_view text)
{
    auto read = parse_timestamp(text);
    if (read && read->seconds < first_real_time)
        read.reset();
    return read;
}

// Docker's foreign layers and OCI's non-distributable ones are to be had from elsewhere.
bool is_foreign(std::string_view layer_type)
{
    return layer_type.find(".foreign.") != std::string_view::npos ||
           layer_type.find(".nondistributable.") != std::string_view::npos;
}

result<blob_descriptor> descriptor_of(const value& from, std::string_view digest_name = "digest")
{
    const object* members = from.if_object();
    if (members == nullptr)
        return error(errc::bad_json, "a blob of the manifest is no descriptor");
    auto id = digest::parse(text_of(*members, digest_name));
    if (!id)
        return id.error();
    const auto type = text_of(*members, "mediatype");
    return blob_descriptor{*id, size_of(*members), std::string(type), is_foreign(type)};
}

result<void> add_layers(const object& from, std::string_view list_name, std::string_view digest_name,
                        manifest_details& to)
{
    const value* list = find(from, list_name);
    if (list == nullptr || list->is_null())
        return {};
    if (!list->is_array())
        return error(errc::bad_json, "'" + std::string(list_name) + "' of the manifest is no list");
    if (list->get_array().size() > most_layers)
        return error(errc::too_large, "the manifest lists more than " + std::to_string(most_layers) + " layers");
    for (const auto& item : list->get_array()) {
        auto one = descriptor_of(item, digest_name);
        if (!one)
            return one.error();
        to.layers.push_back(*std::move(one));
    }
    return {};
}

// BuildKit's attestations stand in the index of what they are about.
digest described_by(const object& descriptor)
{
    const object* annotations = find_object(descriptor, "annotations");
    if (annotations == nullptr)
        return {};
    const auto id = digest::parse(text_of(*annotations, "vnd.docker.reference.digest"));
    return id ? *id : digest();
}

result<void> add_listed(const object& from, manifest_details& to)
{
    for (const auto& member : from) {
        if (!is_name({member.key().data(), member.key().size()}, "manifests"))
            continue;
        std::vector<child_manifest> listed;
        if (const auto added = add_children(member.value(), listed); !added)
            return added;
        for (std::size_t i = 0; i != listed.size(); ++i) {
            const object& item = member.value().get_array()[i].get_object();
            const object* runs_on = find_object(item, "platform");
            to.children.push_back({listed[i].digest, size_of(item), listed[i].type,
                                   runs_on == nullptr ? platform() : platform_of(*runs_on), described_by(item)});
        }
    }
    return {};
}

// The newest layer comes first, and its facts are the image's.
void add_schema1(const object& from, manifest_details& to)
{
    to.platform.architecture = text_of(from, "architecture");
    const value* history = find(from, "history");
    if (history == nullptr || !history->is_array() || history->get_array().empty())
        return;
    const object* newest = history->get_array().front().if_object();
    if (newest == nullptr)
        return;
    const auto parsed = parse_object(text_of(*newest, "v1compatibility"), "history");
    if (parsed)
        static_cast<void>(add_config(text_of(*newest, "v1compatibility"), to));
}

} // namespace

result<manifest_details> parse_manifest(std::string_view body)
{
    const auto parsed = parse_object(body, "manifest");
    if (!parsed)
        return parsed.error();
    const object& from = parsed->get_object();
    manifest_details out;
    out.media_type_name = text_of(from, "mediatype");
    out.type = parse_media_type(out.media_type_name);
    out.artifact_type = text_of(from, "artifacttype");
    out.annotations = pairs_of(from, "annotations");
    for (const auto& [key, text] : out.annotations)
        if (key == "org.opencontainers.image.created")
            out.created = time_of(text);
    if (const value* config = find(from, "config"); config != nullptr && !config->is_null()) {
        auto one = descriptor_of(*config);
        if (!one)
            return one.error();
        out.config = *std::move(one);
    }
    if (const value* subject = find(from, "subject"); subject != nullptr && !subject->is_null()) {
        const auto one = descriptor_of(*subject);
        if (!one)
            return one.error();
        out.subject = one->digest;
    }
    if (const auto done = add_listed(from, out); !done)
        return done.error();
    if (const auto done = add_layers(from, "layers", "digest", out); !done)
        return done.error();
    // OCI's artifact manifest of image-spec 1.1's candidates calls its layers so.
    if (const auto done = add_layers(from, "blobs", "digest", out); !done)
        return done.error();
    if (find(from, "fslayers") != nullptr) {
        if (const auto done = add_layers(from, "fslayers", "blobsum", out); !done)
            return done.error();
        add_schema1(from, out);
    }
    return out;
}

result<void> add_config(std::string_view config, manifest_details& to)
{
    const auto parsed = parse_object(config, "config");
    if (!parsed)
        return parsed.error();
    const object& from = parsed->get_object();
    if (const auto when = time_of(text_of(from, "created")))
        to.created = when;
    if (auto runs_on = platform_of(from); !runs_on.empty())
        to.platform = std::move(runs_on);
    if (const object* run = find_object(from, "config"))
        to.labels = pairs_of(*run, "labels");
    return {};
}

result<std::vector<child_manifest>> parse_referrers(std::string_view body)
{
    const auto parsed = parse_object(body, "list of referrers");
    if (!parsed)
        return parsed.error();
    const value* list = find(parsed->get_object(), "manifests");
    if (list == nullptr)
        return error(errc::bad_json, "the list of referrers has no 'manifests'");
    std::vector<child_manifest> out;
    if (const auto added = add_children(*list, out); !added)
        return added.error();
    return out;
}

} // namespace regsweep
