#include "select/yaml_reader.hpp"

#include "regsweep/core/names.hpp"
#include "regsweep/core/nearest.hpp"

#include <algorithm>
#include <charconv>

namespace regsweep::detail {
namespace {

std::string join_words(std::span<const std::string_view> words)
{
    std::string out;
    for (const auto word : words)
        out += (out.empty() ? "" : ", ") + std::string(word);
    return out;
}

std::string_view kind_text(const yaml_node& node) noexcept
{
    switch (node.kind) {
    case yaml_kind::null: return "nothing";
    case yaml_kind::list: return "a list";
    case yaml_kind::map: return "keys with values";
    case yaml_kind::scalar: break;
    }
    return "a word";
}

} // namespace

std::optional<std::uint64_t> whole_number(std::string_view text) noexcept
{
    std::uint64_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

std::string found_text(const yaml_node& node)
{
    return node.kind == yaml_kind::scalar ? "'" + printable(node.text, 60) + "'" : std::string(kind_text(node));
}

void yaml_reader::fail(const yaml_node& at, const std::string& what) const
{
    throw mistake{yaml_error(name_, at.line, at.column, what)};
}

void yaml_reader::read_fields(const yaml_node& map, const std::string& where, const fields& known) const
{
    std::vector<std::string_view> names;
    for (const auto& [key, unused] : known)
        names.push_back(key);
    if (map.kind != yaml_kind::map)
        fail(map, "expected the keys of " + where + " (" + join_words(names) + "), found " + found_text(map));
    for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
        const yaml_node& key = map.items[i];
        const auto found = std::ranges::find(known, std::string_view(key.text), &field::first);
        if (found == known.end())
            unknown_key(key, where, names);
        found->second(map.items[i + 1]);
    }
}

void yaml_reader::unknown_key(const yaml_node& key, const std::string& where,
                              std::span<const std::string_view> names) const
{
    const auto word = std::string_view(key.text).substr(0, 64);
    const auto near = nearest(word, names);
    std::string text = "'" + printable(word) + "' is no key of " + where + ": expected one of " + join_words(names);
    if (!near.empty())
        text += "; did you mean " + std::string(near) + "?";
    fail(key, text);
}

const std::string& yaml_reader::word(const yaml_node& node, const std::string& expected) const
{
    if (node.kind != yaml_kind::scalar || node.text.empty())
        fail(node, "expected " + expected + ", found " +
                       (node.kind == yaml_kind::scalar ? "an empty word" : found_text(node)));
    return node.text;
}

std::size_t yaml_reader::one_of(const yaml_node& node, const std::vector<std::string_view>& choices) const
{
    const auto found = std::ranges::find(choices, std::string_view(word(node, "one of " + join_words(choices))));
    if (found == choices.end())
        fail(node, "expected one of " + join_words(choices) + ", found " + found_text(node));
    return static_cast<std::size_t>(found - choices.begin());
}

bool yaml_reader::yes_or_no(const yaml_node& node) const
{
    return one_of(node, {"true", "false"}) == 0;
}

std::uint64_t yaml_reader::number(const yaml_node& node) const
{
    const auto value = whole_number(word(node, "a whole number"));
    if (!value)
        fail(node, "expected a whole number, found " + found_text(node));
    return *value;
}

std::vector<std::string> yaml_reader::words(const yaml_node& node, const std::string& expected) const
{
    std::vector<std::string> out;
    for_each_item(node, expected, [&](const yaml_node& item) { out.push_back(word(item, expected)); });
    return out;
}

} // namespace regsweep::detail
