#include "report/planned_fates.hpp"

#include <algorithm>
#include <span>

namespace regsweep {
namespace {

using number = content_graph::number;

/// Reads the steps of one repository after the other, and decides about them as `apply` does.
class plan_reader
{
public:
    plan_reader(const registry_report& of, planned_fates& into) : of_(of), into_(into) {}

    result<void> read()
    {
        for (const auto& kept : of_.planned->kept)
            for (const auto& tag : kept.tags)
                kept_[kept.repository][tag] = &kept.why;
        std::unordered_map<std::string_view, std::span<const plan_step>> steps_of;
        for (const auto steps : by_repository(of_.planned->steps))
            steps_of[steps.front().repository] = steps;
        for (std::size_t place = 0; place != of_.repositories.size(); ++place) {
            const auto found = steps_of.find(of_.graph->repository(of_.repositories[place]));
            const auto steps = found == steps_of.end() ? std::span<const plan_step>() : found->second;
            if (auto done = read_repository(of_.repositories[place], place, steps); !done)
                return done;
            if (found != steps_of.end())
                steps_of.erase(found);
        }
        // What is not shown goes nevertheless.
        for (const auto& [name, steps] : steps_of)
            if (auto done = read_repository(of_.graph->find_repository(name), std::nullopt, steps); !done)
                return done;
        into_.freed = freed_by(*of_.graph, deletions_);
        return {};
    }

private:
    struct named_tag
    {
        std::size_t step = 0;
        bool unasked = false;
    };
    using named_tags = std::unordered_map<std::string_view, named_tag>;

    static named_tags names_of(std::span<const plan_step> steps)
    {
        named_tags out;
        for (std::size_t i = 0; i != steps.size(); ++i) {
            for (const auto& tag : steps[i].tags)
                out[tag].step = i;
            for (const auto& tag : steps[i].unasked_tags)
                out[tag].unasked = true;
        }
        return out;
    }

    std::uint32_t reason(std::string_view why)
    {
        const auto [found, fresh] = places_.emplace(why, static_cast<std::uint32_t>(into_.reasons.size()));
        if (fresh)
            into_.reasons.push_back(why);
        return found->second;
    }

    /// What the registry would say if it held what the index knows.
    result<live_repository> as_known(number repository) const
    {
        live_repository out;
        const auto done = of_.tags->for_each_tag(of_.graph->repository(repository), [&](const tag_view& tag) {
            out.tags.emplace(tag.tag, tag.digest);
            return true;
        });
        if (!done)
            return done.error();
        for (const number manifest : of_.graph->present(repository))
            for (const number child : of_.graph->children(manifest))
                out.indexes[of_.graph->id(manifest)].push_back(of_.graph->id(child));
        return out;
    }

    static tag_outlook outlook(const plan_step& step, const step_verdict& said, const digest& now, bool unasked)
    {
        if (step.id != now)
            return tag_outlook::moved;
        if (said.what == verdict::outside_tag)
            return tag_outlook::left_alone;
        if (said.what == verdict::child_of_index)
            return tag_outlook::listed;
        if (step.kind == step_kind::untag)
            return tag_outlook::untagged;
        return unasked ? tag_outlook::goes_too : tag_outlook::goes;
    }

    void add_deletion(number repository, std::optional<std::size_t> place, const plan_step& step)
    {
        const number manifest = of_.graph->find(step.id);
        if (manifest != content_graph::none)
            deletions_.push_back({repository, manifest});
        if (!place || !step.tags.empty())
            return;
        ++into_.untagged_count;
        if (into_.untagged.size() != registry_report::untagged_named)
            into_.untagged.push_back({static_cast<number>(*place), step.id, reason(step.why)});
    }

    /// `place` is that on the page, if the repository is shown there.
    result<void> read_repository(number repository, std::optional<std::size_t> place, std::span<const plan_step> steps)
    {
        const auto named = names_of(steps);
        if (repository == content_graph::none) { // the index does not have it
            into_.missing += named.size();
            return {};
        }
        const auto known = as_known(repository);
        if (!known)
            return known.error();
        const auto verdicts = verify(steps, *known);
        const auto& kept = kept_[of_.graph->repository(repository)];
        std::size_t seen = 0;
        for (const auto& [tag, now] : known->tags) {
            const auto found = named.find(tag);
            seen += found == named.end() ? 0U : 1U;
            if (!place)
                continue;
            if (found == named.end()) {
                const auto why = kept.find(tag);
                into_.tags.push_back(
                    {tag_outlook::stays, why == kept.end() ? planned_tag::no_reason : reason(*why->second)});
                continue;
            }
            const auto& step = steps[found->second.step];
            const auto how = outlook(step, verdicts[found->second.step], now, found->second.unasked);
            into_.tags.push_back({how, reason(step.why)});
        }
        into_.missing += named.size() - seen;
        into_.elsewhere += place ? 0U : seen;
        for (std::size_t i = 0; i != steps.size(); ++i)
            if (steps[i].kind == step_kind::remove && verdicts[i].go())
                add_deletion(repository, place, steps[i]);
        return {};
    }

    const registry_report& of_;
    planned_fates& into_;
    std::unordered_map<std::string_view, std::unordered_map<std::string_view, const std::string*>> kept_;
    std::unordered_map<std::string_view, std::uint32_t> places_;
    std::vector<manifest_deletion> deletions_;
};

} // namespace

result<planned_fates> compare_plan(const registry_report& of)
{
    planned_fates out;
    if (auto done = plan_reader(of, out).read(); !done)
        return done.error();
    return out;
}

} // namespace regsweep
