#include "regsweep/sweep/plan.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace regsweep {
namespace {

constexpr std::size_t most_names = 20;

class verifier
{
public:
    verifier(std::span<const plan_step> steps, const live_repository& live, std::span<const step_end> ends)
        : steps_(steps), live_(live), ends_(ends)
    {
        for (const auto& [tag, d] : live.tags)
            users_[d].push_back(tag);
    }

    std::vector<step_verdict> run()
    {
        for (const plan_step& step : steps_)
            verdicts_.push_back(step.kind == step_kind::untag ? judge_untag(step) : judge_removal(step));
        find_parents();
        // A child that stays may be an index itself, whose children then stay too.
        while (keep_children_of_survivors()) {
        }
        return std::move(verdicts_);
    }

private:
    /// The step's tags that point to another digest now.
    std::vector<moved_tag> moved_tags(const plan_step& step) const
    {
        std::vector<moved_tag> moved;
        for (const std::string& tag : step.tags) {
            const auto now = live_.tags.find(tag);
            if (now != live_.tags.end() && now->second != step.id)
                moved.push_back({tag, now->second});
        }
        return moved;
    }

    static step_verdict nothing_left(std::vector<moved_tag> moved)
    {
        step_verdict v;
        v.what = moved.empty() ? verdict::gone : verdict::moved;
        v.moved_tags = std::move(moved);
        return v;
    }

    step_verdict judge_untag(const plan_step& step) const
    {
        const auto still = [&](const std::string& tag) {
            const auto now = live_.tags.find(tag);
            return now != live_.tags.end() && now->second == step.id;
        };
        if (!step.tags.empty() && std::ranges::all_of(step.tags, still))
            return {};
        return nothing_left(moved_tags(step));
    }

    step_verdict judge_removal(const plan_step& step) const
    {
        const auto found = users_.find(step.id);
        if (found == users_.end())
            return step.tags.empty() ? step_verdict() : nothing_left(moved_tags(step));
        step_verdict v;
        std::vector<std::string_view> own(step.tags.begin(), step.tags.end());
        std::ranges::sort(own);
        for (const std::string_view tag : found->second) {
            if (!std::ranges::binary_search(own, tag))
                v.outside_tags.emplace_back(tag);
        }
        if (!v.outside_tags.empty())
            v.what = verdict::outside_tag;
        v.moved_tags = moved_tags(step);
        return v;
    }

    /// An index and what it lists. It stays unless its own step goes ahead.
    struct family
    {
        digest index;
        std::span<const digest> children;
        std::optional<std::size_t> step;
    };

    void find_parents()
    {
        std::unordered_map<digest, std::size_t> removals;
        for (std::size_t i = 0; i != steps_.size(); ++i) {
            if (steps_[i].kind == step_kind::remove)
                removals.emplace(steps_[i].id, i);
        }
        for (const auto& [id, children] : live_.indexes) {
            const auto own = removals.find(id);
            const bool may_go = own != removals.end() && end_of(own->second) == step_end::open;
            families_.push_back({id, children, may_go ? std::optional(own->second) : std::nullopt});
        }
        for (std::size_t i = 0; i != steps_.size(); ++i) {
            // Of an index that is gone the registry knows better than the plan whether it still is there.
            if (steps_[i].kind != step_kind::remove || verdicts_[i].what == verdict::gone ||
                end_of(i) == step_end::taken)
                continue;
            const bool may_go = end_of(i) == step_end::open;
            families_.push_back({steps_[i].id, steps_[i].children, may_go ? std::optional(i) : std::nullopt});
        }
        for (std::size_t i = 0; i != steps_.size(); ++i) {
            if (steps_[i].kind == step_kind::untag && !steps_[i].children.empty())
                families_.push_back({steps_[i].id, steps_[i].children, std::nullopt});
        }
        std::ranges::sort(families_, {}, &family::index); // the same answer whatever the hash order
        removals_ = std::move(removals);
    }

    /// Takes back deletions of what a surviving index lists; returns whether there were any.
    bool keep_children_of_survivors()
    {
        bool changed = false;
        for (const family& f : families_) {
            if (f.step && verdicts_[*f.step].go())
                continue;
            for (const digest& child : f.children) {
                const auto step = removals_.find(child);
                if (step == removals_.end() || !verdicts_[step->second].go() || child == f.index)
                    continue;
                verdicts_[step->second].what = verdict::child_of_index;
                verdicts_[step->second].index = f.index;
                changed = true;
            }
        }
        return changed;
    }

    step_end end_of(std::size_t step) const { return ends_.empty() ? step_end::open : ends_[step]; }

    std::span<const plan_step> steps_;
    const live_repository& live_;
    std::span<const step_end> ends_;
    std::unordered_map<digest, std::vector<std::string_view>> users_;
    std::vector<step_verdict> verdicts_;
    std::vector<family> families_;
    std::unordered_map<digest, std::size_t> removals_;
};

template<class Range, class Name>
std::string list_names(const Range& items, Name name)
{
    std::string text;
    for (std::size_t i = 0; i != std::min(items.size(), most_names); ++i)
        text += (i == 0 ? "" : ", ") + name(items[i]);
    if (items.size() > most_names)
        text += " and " + std::to_string(items.size() - most_names) + " more";
    return text;
}

} // namespace

std::string step_verdict::text() const
{
    const std::string elsewhere =
        list_names(moved_tags, [](const moved_tag& tag) { return printable(tag.tag) + " to " + tag.now.to_string(); });
    switch (what) {
    case verdict::go_ahead: return elsewhere.empty() ? "" : "tags have moved: " + elsewhere;
    case verdict::outside_tag:
        return "kept, tags outside of the plan use it now: " +
               list_names(outside_tags, [](const std::string& tag) { return printable(tag); });
    case verdict::moved: return "kept, no tag of the plan points to it any more; moved: " + elsewhere;
    case verdict::gone: return "already gone";
    case verdict::child_of_index: return "kept, an index that stays lists it: " + index.to_string();
    }
    return "";
}

std::vector<step_verdict> verify(std::span<const plan_step> steps, const live_repository& live,
                                 std::span<const step_end> ends)
{
    return verifier(steps, live, ends).run();
}

} // namespace regsweep
