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

result<std::vector<child_manifest>> parse_children(std::string_view manifest_body)
{
    boost::system::error_code ec;
    const auto parsed = boost::json::parse(boost::json::string_view(manifest_body.data(), manifest_body.size()), ec);
    if (ec || !parsed.is_object())
        return error(errc::bad_json, "the manifest is no JSON object" + (ec ? ": " + ec.message() : std::string()));
    std::vector<child_manifest> out;
    for (const auto& member : parsed.get_object()) {
        if (!is_name({member.key().data(), member.key().size()}, "manifests"))
            continue;
        if (const auto added = add_children(member.value(), out); !added)
            return added.error();
    }
    return out;
}

} // namespace regsweep
