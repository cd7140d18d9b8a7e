#ifndef REGSWEEP_REGISTRY_LISTS_HPP
#define REGSWEEP_REGISTRY_LISTS_HPP

#include "regsweep/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// A list of names in two allocations, however many they are.
class name_list
{
public:
    std::size_t size() const noexcept { return ends_.size(); }
    bool empty() const noexcept { return ends_.empty(); }
    std::string_view operator[](std::size_t i) const noexcept
    {
        const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::string_view(text_).substr(begin, ends_[i] - begin);
    }
    void push_back(std::string_view name)
    {
        text_ += name;
        ends_.push_back(static_cast<std::uint32_t>(text_.size()));
    }
    void clear() noexcept
    {
        text_.clear();
        ends_.clear();
    }
    /// All names as one text, for hashing.
    std::string_view text() const noexcept { return text_; }

private:
    std::string text_;
    std::vector<std::uint32_t> ends_;
};

/// Reads `{"repositories": [...]}`, the answer of `_catalog`. Fails with `errc::bad_json`; names that no registry
/// may use (empty, control characters, `..` segments, over 1024 bytes) are `errc::bad_response`.
result<name_list> parse_catalog(std::string_view json);

/// Reads `{"name": ..., "tags": [...]}`, the answer of `tags/list`. `null` or absent tags are an empty list.
/// Fails as `parse_catalog`; tags are at most 256 bytes.
result<name_list> parse_tags(std::string_view json);

} // namespace regsweep

#endif
