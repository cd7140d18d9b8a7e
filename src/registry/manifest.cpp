#include "regsweep/registry/manifest.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace regsweep {
namespace {

constexpr std::size_t most_children = 100'000;

std::string_view text_of(const boost::json::object& from, std::string_view key)
{
    const auto* value = from.if_contains(boost::json::string_view(key.data(), key.size()));
    if (value == nullptr || !value->is_string())
        return {};
    return {value->get_string().data(), value->get_string().size()};
}

} // namespace

result<std::vector<child_manifest>> parse_children(std::string_view manifest_body)
{
    boost::system::error_code ec;
    const auto parsed = boost::json::parse(boost::json::string_view(manifest_body.data(), manifest_body.size()), ec);
    if (ec || !parsed.is_object())
        return error(errc::bad_json, "the manifest is no JSON object" + (ec ? ": " + ec.message() : std::string()));
    std::vector<child_manifest> out;
    const auto* list = parsed.get_object().if_contains("manifests");
    if (list == nullptr || list->is_null())
        return out;
    if (!list->is_array())
        return error(errc::bad_json, "'manifests' of the index is no list");
    if (list->get_array().size() > most_children)
        return error(errc::too_large, "the index lists more than " + std::to_string(most_children) + " manifests");
    for (const auto& item : list->get_array()) {
        if (!item.is_object())
            return error(errc::bad_json, "an element of 'manifests' of the index is no descriptor");
        auto id = digest::parse(text_of(item.get_object(), "digest"));
        if (!id)
            return id.error();
        out.push_back({*id, parse_media_type(text_of(item.get_object(), "mediaType"))});
    }
    return out;
}

} // namespace regsweep
