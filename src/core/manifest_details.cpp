#include "regsweep/core/manifest_details.hpp"

#include <array>

namespace regsweep {

std::string to_string(const platform& p)
{
    std::string out = p.os;
    if (!p.architecture.empty())
        out += (out.empty() ? "" : "/") + p.architecture;
    if (!p.variant.empty())
        out += (out.empty() ? "" : "/") + p.variant;
    return out;
}

std::optional<digest> referrers_tag_subject(std::string_view tag)
{
    static constexpr std::string_view head = "sha256-";
    static constexpr std::size_t hex = 64;
    static constexpr std::array<std::string_view, 4> tails = {"", ".sig", ".att", ".sbom"};
    if (!tag.starts_with(head) || tag.size() < head.size() + hex)
        return std::nullopt;
    const std::string_view tail = tag.substr(head.size() + hex);
    bool fits = false;
    for (const auto& known : tails)
        fits = fits || tail == known;
    if (!fits)
        return std::nullopt;
    const auto parsed = digest::parse("sha256:" + std::string(tag.substr(head.size(), hex)));
    return parsed ? std::optional(*parsed) : std::nullopt;
}

} // namespace regsweep
