#include "regsweep/select/version.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <utility>

namespace regsweep {
namespace {

using component = loose_version::component;
using components = std::span<const component>;

enum class kind { digits, letters, dot, other };

constexpr kind kind_of(char c) noexcept
{
    if (c >= '0' && c <= '9')
        return kind::digits;
    if (c >= 'a' && c <= 'z')
        return kind::letters;
    return c == '.' ? kind::dot : kind::other;
}

component make_component(std::string_view run, kind what) noexcept
{
    if (what != kind::digits)
        return {run, false};
    run.remove_prefix(std::min(run.find_first_not_of('0'), run.size()));
    return {run, true};
}

void append_components(std::string_view text, std::vector<component>& out)
{
    for (std::size_t begin = 0; begin < text.size();) {
        const kind what = kind_of(text[begin]);
        std::size_t end = begin + 1;
        while (end < text.size() && kind_of(text[end]) == what)
            ++end;
        if (what != kind::dot)
            out.push_back(make_component(text.substr(begin, end - begin), what));
        begin = end;
    }
}

std::weak_ordering text_order(std::string_view a, std::string_view b) noexcept
{
    return a.compare(b) <=> 0;
}

std::weak_ordering number_order(std::string_view a, std::string_view b) noexcept
{
    return a.size() != b.size() ? a.size() <=> b.size() : text_order(a, b);
}

std::weak_ordering component_order(const component& a, const component& b) noexcept
{
    if (a.number != b.number)
        return a.number ? std::weak_ordering::less : std::weak_ordering::greater;
    return a.number ? number_order(a.text, b.text) : text_order(a.text, b.text);
}

std::weak_ordering order(components a, components b) noexcept
{
    const auto [left, right] = std::ranges::mismatch(a, b);
    if (left == a.end() || right == b.end())
        return a.size() <=> b.size();
    return component_order(*left, *right);
}

template<class String>
void sort_any(std::vector<String>& tags, bool reverse)
{
    std::vector<component> all;
    std::vector<std::size_t> ends;
    ends.reserve(tags.size());
    for (const String& tag : tags) {
        append_components(tag, all);
        ends.push_back(all.size());
    }
    const auto of = [&](std::size_t i) {
        const std::size_t begin = i == 0 ? 0 : ends[i - 1];
        return components(all).subspan(begin, ends[i] - begin);
    };
    std::vector<std::size_t> places(tags.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    std::ranges::stable_sort(places, [&](std::size_t a, std::size_t b) {
        return reverse ? order(of(b), of(a)) < 0 : order(of(a), of(b)) < 0;
    });
    std::vector<String> sorted;
    sorted.reserve(tags.size());
    for (const std::size_t place : places)
        sorted.push_back(std::move(tags[place]));
    tags = std::move(sorted);
}

} // namespace

void loose_version::assign(std::string_view text)
{
    components_.clear();
    append_components(text, components_);
}

std::weak_ordering sort_order(const loose_version& a, const loose_version& b) noexcept
{
    return order(a.components(), b.components());
}

std::optional<std::weak_ordering> compare(const loose_version& a, const loose_version& b) noexcept
{
    const auto [left, right] = std::ranges::mismatch(a.components(), b.components());
    if (left == a.components().end() || right == b.components().end())
        return a.components().size() <=> b.components().size();
    if (left->number != right->number)
        return std::nullopt;
    return component_order(*left, *right);
}

void sort_tags(std::vector<std::string>& tags, bool reverse)
{
    sort_any(tags, reverse);
}

void sort_tags(std::vector<std::string_view>& tags, bool reverse)
{
    sort_any(tags, reverse);
}

} // namespace regsweep
