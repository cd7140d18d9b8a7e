#include "regsweep/core/names.hpp"

#include <array>
#include <cstddef>

namespace regsweep {
namespace {

constexpr bool lower_alnum(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

constexpr bool tag_first(char c) noexcept
{
    return lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

bool valid_component(std::string_view part) noexcept
{
    std::size_t i = 0;
    while (true) {
        const std::size_t start = i;
        while (i < part.size() && lower_alnum(part[i]))
            ++i;
        if (i == start)
            return false;
        if (i == part.size())
            return true;
        if (part[i] == '.') {
            ++i;
        } else if (part[i] == '_') {
            ++i;
            if (i < part.size() && part[i] == '_')
                ++i;
        } else if (part[i] == '-') {
            while (i < part.size() && part[i] == '-')
                ++i;
        } else {
            return false;
        }
    }
}

// The position after a bracket expression that starts at p, or 0 if it is not closed; sets `hit`.
std::size_t match_set(std::string_view pattern, std::size_t p, char c, bool& hit) noexcept
{
    std::size_t i = p + 1;
    const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
    if (negated)
        ++i;
    bool found = false;
    for (bool first = true; i < pattern.size() && (first || pattern[i] != ']'); first = false) {
        const char low = pattern[i];
        if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
            found = found || (low <= c && c <= pattern[i + 2]);
            i += 3;
        } else {
            found = found || low == c;
            ++i;
        }
    }
    if (i >= pattern.size())
        return 0;
    hit = found != negated;
    return i + 1;
}

constexpr std::array<std::string_view, 7> media_type_names = {
    "",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
};

bool equal_ignoring_case(std::string_view a, std::string_view lower) noexcept
{
    if (a.size() != lower.size())
        return false;
    for (std::size_t i = 0; i != a.size(); ++i) {
        const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] + ('a' - 'A')) : a[i];
        if (c != lower[i])
            return false;
    }
    return true;
}

} // namespace

bool valid_repository(std::string_view name) noexcept
{
    if (name.empty() || name.size() > 255)
        return false;
    while (true) {
        const std::size_t slash = name.find('/');
        if (!valid_component(name.substr(0, slash)))
            return false;
        if (slash == std::string_view::npos)
            return true;
        name.remove_prefix(slash + 1);
    }
}

bool valid_tag(std::string_view tag) noexcept
{
    if (tag.empty() || tag.size() > 128 || !tag_first(tag.front()))
        return false;
    for (const char c : tag)
        if (!tag_first(c) && c != '.' && c != '-')
            return false;
    return true;
}

bool glob_match(std::string_view pattern, std::string_view text) noexcept
{
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_text = 0;
    while (t < text.size()) {
        bool hit = false;
        std::size_t next = 0;
        if (p < pattern.size()) {
            if (pattern[p] == '*') {
                star = p++;
                star_text = t;
                continue;
            }
            if (pattern[p] == '[')
                next = match_set(pattern, p, text[t], hit);
            if (next == 0) {
                hit = pattern[p] == '?' || pattern[p] == text[t];
                next = p + 1;
            }
        }
        if (hit) {
            p = next;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

media_type parse_media_type(std::string_view content_type) noexcept
{
    content_type = content_type.substr(0, content_type.find(';'));
    while (!content_type.empty() && (content_type.back() == ' ' || content_type.back() == '\t'))
        content_type.remove_suffix(1);
    for (std::size_t i = 1; i != media_type_names.size(); ++i)
        if (equal_ignoring_case(content_type, media_type_names[i]))
            return static_cast<media_type>(i);
    return media_type::unknown;
}

std::string_view to_string(media_type type) noexcept
{
    const auto i = static_cast<std::size_t>(type);
    return i < media_type_names.size() ? media_type_names[i] : std::string_view();
}

} // namespace regsweep
