#include "regsweep/select/selection.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>

namespace regsweep {
namespace {

constexpr std::size_t most_names = 20;

std::string image_name(const tag_use& use)
{
    return printable(use.repository()) + ":" + printable(use.tag());
}

bool is_other(const tag_use& use) noexcept
{
    return !use.selected();
}

/// The first names, `, ` between them, and how many more there are.
template<class Wanted>
std::string list_names(std::span<const tag_use> uses, Wanted wanted)
{
    std::string text;
    std::size_t count = 0;
    for (const tag_use& use : uses) {
        if (!wanted(use) || ++count > most_names)
            continue;
        text += (text.empty() ? "" : ", ") + image_name(use);
    }
    if (count > most_names)
        text += " and " + std::to_string(count - most_names) + " more";
    return text;
}

std::string others(const decision& d)
{
    return list_names(d.uses(), is_other);
}

template<class Visit>
void for_each_repository(const decision& d, Visit visit)
{
    for (auto left = d.uses(); !left.empty();) {
        const auto share = first_repository(left);
        left = left.subspan(share.size());
        visit(share);
    }
}

/// Repositories without a selected tag, as far as they use the digest.
std::string outside_repositories(const decision& d)
{
    std::string text;
    std::size_t count = 0;
    for_each_repository(d, [&](std::span<const tag_use> share) {
        if (!std::ranges::none_of(share, &tag_use::selected) || ++count > most_names)
            return;
        text += (text.empty() ? "" : ", ") + printable(share.front().repository());
    });
    return count > most_names ? text + " and " + std::to_string(count - most_names) + " more" : text;
}

boost::json::array tags_to_json(const decision& d, bool selected)
{
    boost::json::array tags;
    for (const tag_use& use : d.uses()) {
        if (use.selected() == selected)
            tags.push_back(boost::json::object{{"repository", use.repository()}, {"tag", use.tag()}});
    }
    return tags;
}

boost::json::array deletes_to_json(const decision& d)
{
    boost::json::array all;
    for_each_repository(d, [&](std::span<const tag_use> share) {
        if (!deletes(d, share))
            return;
        boost::json::array tags;
        for (const tag_use& use : share)
            tags.push_back(boost::json::string(use.tag()));
        all.push_back(boost::json::object{{"repository", share.front().repository()}, {"tags", std::move(tags)}});
    });
    return all;
}

boost::json::array repositories_to_json(const decision& d)
{
    boost::json::array names;
    for_each_repository(
        d, [&](std::span<const tag_use> share) { names.push_back(boost::json::string(share.front().repository())); });
    return names;
}

/// Collects the tags in the way of a selection, up to a limit.
class obstacles
{
public:
    void add(const decision& d)
    {
        ++digests_;
        if (named_ == most_names) {
            count(d);
            return;
        }
        text_ += (text_.empty() ? "" : "; ") + d.id().to_string() + " is also used by ";
        const char* separator = "";
        for (const tag_use& use : d.uses()) {
            if (use.selected())
                continue;
            if (named_ == most_names) {
                ++more_tags_;
                continue;
            }
            text_ += separator + image_name(use);
            separator = ", ";
            ++named_;
        }
    }

    error to_error() const
    {
        std::string text = std::to_string(digests_) + (digests_ == 1 ? " digest is" : " digests are") +
                           " shared with what is not selected: " + text_;
        if (more_tags_ != 0)
            text += " and " + std::to_string(more_tags_) + " more";
        if (more_digests_ != 0)
            text += ", " + std::to_string(more_digests_) + " of the digests unnamed";
        return {errc::conflict, text + "; select these tags too, or let such digests be left alone "
                                       "(--no-raise-intersecting-repo, no --raise-intersecting-tag)"};
    }

    bool any() const noexcept { return digests_ != 0; }

private:
    void count(const decision& d)
    {
        ++more_digests_;
        more_tags_ += static_cast<std::size_t>(std::ranges::count_if(d.uses(), is_other));
    }

    std::string text_;
    std::size_t digests_ = 0;
    std::size_t named_ = 0;
    std::size_t more_tags_ = 0;
    std::size_t more_digests_ = 0;
};

} // namespace

std::string_view to_string(reason why) noexcept
{
    switch (why) {
    case reason::all_selected: return "all-selected";
    case reason::others_ignored: return "others-ignored";
    case reason::excluded: return "excluded";
    case reason::outside_tag: return "outside-tag";
    case reason::outside_repository: return "outside-repository";
    case reason::conflict_tag: return "conflict-tag";
    case reason::conflict_repository: return "conflict-repository";
    }
    return "";
}

result<void> selection::check() const
{
    obstacles found;
    for (std::size_t i = 0; i != size(); ++i) {
        const decision d = (*this)[i];
        if (d.conflict())
            found.add(d);
    }
    if (found.any())
        return found.to_error();
    return {};
}

std::string reason_text(const decision& d)
{
    switch (d.why()) {
    case reason::all_selected: return "every tag that uses it is selected";
    case reason::others_ignored: return "selected although other tags use it: " + others(d);
    case reason::excluded:
        return "kept, its tag " + printable(d.excluded_tag()) + " is excluded by " + printable(d.excluded_by());
    case reason::outside_tag: return "kept, tags outside of the selection use it: " + others(d);
    case reason::outside_repository:
        return "kept, nothing is selected in repositories that use it: " + outside_repositories(d) +
               "; tags outside of the selection: " + others(d);
    case reason::conflict_tag: return "conflict, tags outside of the selection use it: " + others(d);
    case reason::conflict_repository:
        return "conflict, nothing is selected in repositories that use it: " + outside_repositories(d) +
               "; tags outside of the selection: " + others(d);
    }
    return "";
}

std::vector<std::string> explain(const decision& d)
{
    std::vector<std::string> lines{d.id().to_string() + (d.in() ? " in: " : " out: ") + reason_text(d)};
    for_each_repository(d, [&](std::span<const tag_use> share) {
        if (deletes(d, share))
            lines.push_back("  would be deleted in " + printable(share.front().repository()));
        else if (d.in() && std::ranges::any_of(share, &tag_use::excluded))
            lines.push_back("  stays in " + printable(share.front().repository()) + ", where a tag of it is excluded");
    });
    for (const tag_use& use : d.uses()) {
        const char* what = use.excluded() ? " (excluded)" : use.selected() ? " (selected)" : "";
        lines.push_back("  " + image_name(use) + what);
    }
    return lines;
}

boost::json::object to_json(const decision& d)
{
    boost::json::object out;
    out["digest"] = d.id().to_string();
    out["repositories"] = repositories_to_json(d);
    out["selected_tags"] = tags_to_json(d, true);
    out["other_tags"] = tags_to_json(d, false);
    out["in"] = d.in();
    out["conflict"] = d.conflict();
    out["reason"] = to_string(d.why());
    out["text"] = reason_text(d);
    if (d.why() == reason::excluded) {
        out["excluded_tag"] = d.excluded_tag();
        out["excluded_by"] = d.excluded_by();
    }
    out["deletes"] = deletes_to_json(d);
    return out;
}

} // namespace regsweep
