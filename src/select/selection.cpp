#include "regsweep/select/selection.hpp"

#include "selection_impl.hpp"

#include <algorithm>
#include <utility>

namespace regsweep {

selection::selection(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
selection::selection(selection&&) noexcept = default;
selection& selection::operator=(selection&&) noexcept = default;
selection::~selection() = default;

std::size_t selection::size() const noexcept
{
    return impl_->records.size();
}

decision selection::operator[](std::size_t i) const noexcept
{
    const impl::record& from = impl_->records[i];
    decision d;
    d.id_ = &from.id;
    d.repository_ = &impl_->repositories[from.repository];
    d.why_ = from.why;
    d.uses_ = impl_->uses_of(from);
    if (from.why != reason::excluded)
        return d;
    const auto tag = std::ranges::find_if(d.uses_, &tag_use::excluded);
    d.excluded_tag_ = tag == d.uses_.end() ? std::string_view() : tag->tag();
    d.excluded_by_ = impl_->exclusions[from.excluded_by];
    return d;
}

selection_counts selection::counts() const noexcept
{
    selection_counts counts;
    for (std::size_t i = 0; i != size(); ++i) {
        const decision d = (*this)[i];
        ++(d.in() ? counts.in : counts.out);
        counts.conflicts += static_cast<std::uint64_t>(d.conflict());
    }
    counts.tags = static_cast<std::uint64_t>(std::ranges::count_if(impl_->uses, &tag_use::selected));
    return counts;
}

std::span<const tag_use> first_repository(std::span<const tag_use> uses) noexcept
{
    if (uses.empty())
        return uses;
    const std::string_view name = uses.front().repository();
    const auto end = std::ranges::find_if(uses, [&](const tag_use& use) { return use.repository() != name; });
    return {uses.begin(), end};
}

bool deletes(const decision& d, std::span<const tag_use> share) noexcept
{
    return d.in() && std::ranges::any_of(share, &tag_use::selected) && std::ranges::none_of(share, &tag_use::excluded);
}

result<std::vector<target>> selection::targets() const
{
    if (auto ok = check(); !ok)
        return ok.error();
    std::vector<target> found;
    for (std::size_t i = 0; i != size(); ++i) {
        const decision d = (*this)[i];
        for (auto left = d.uses(); !left.empty();) {
            const auto share = first_repository(left);
            left = left.subspan(share.size());
            if (deletes(d, share))
                found.push_back({share.front().repository(), &d.id(), share});
        }
    }
    std::ranges::stable_sort(found, {}, &target::repository);
    return found;
}

std::span<const std::string> selection::unknown_repositories() const noexcept
{
    return impl_->unknown;
}

std::span<const incomplete_repository> selection::incomplete_repositories() const noexcept
{
    return impl_->incomplete;
}

} // namespace regsweep
