#ifndef REGSWEEP_SELECT_SELECTION_IMPL_HPP
#define REGSWEEP_SELECT_SELECTION_IMPL_HPP

#include "regsweep/select/selection.hpp"

#include "text_arena.hpp"

#include <deque>

namespace regsweep {

/// What a selection keeps. One record a digest, one `tag_use` a tag: both small, for there may be millions.
struct selection::impl
{
    struct record
    {
        digest id;
        reason why = reason::all_selected;
        bool repeated = false; ///< an earlier record has the same digest; gone when the selection is finished
        std::uint32_t repository = 0;
        std::uint32_t first_use = 0;
        std::uint32_t use_count = 0;
        std::uint32_t excluded_by = 0; ///< place in `exclusions`
    };

    tag_use make_use(const std::string& repository, const tag_view& from, bool selected)
    {
        tag_use use;
        use.repository_ = &repository;
        use.text_ = texts.keep(from.tag);
        use.length_ = static_cast<std::uint32_t>(from.tag.size());
        use.selected_ = selected;
        use.type_ = from.type;
        return use;
    }
    static void mark_excluded(tag_use& use) noexcept { use.excluded_ = true; }

    std::span<tag_use> uses_of(const record& r) noexcept { return std::span(uses).subspan(r.first_use, r.use_count); }

    std::deque<std::string> repositories; // fixed addresses: uses point to the names
    detail::text_arena texts;
    std::deque<record> records;
    std::vector<tag_use> uses;
    std::vector<std::string> exclusions;
    std::vector<std::string> unknown;
    std::vector<incomplete_repository> incomplete;
};

} // namespace regsweep

#endif
