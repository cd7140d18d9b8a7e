#ifndef REGSWEEP_SELECT_TEXT_ARENA_HPP
#define REGSWEEP_SELECT_TEXT_ARENA_HPP

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace regsweep::detail {

/// Keeps texts at fixed addresses until it is destroyed, without an allocation for each. Moving keeps the addresses.
class text_arena
{
public:
    const char* keep(std::string_view text)
    {
        if (text.size() > left_)
            grow(text.size());
        char* const place = next_;
        std::ranges::copy(text, place);
        next_ += text.size();
        left_ -= text.size();
        return place;
    }

private:
    static constexpr std::size_t chunk_size = 64 * 1024;

    void grow(std::size_t at_least)
    {
        left_ = std::max(chunk_size, at_least);
        chunks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
        next_ = chunks_.back().get();
    }

    std::vector<std::unique_ptr<char[]>> chunks_;
    char* next_ = nullptr;
    std::size_t left_ = 0;
};

} // namespace regsweep::detail

#endif
