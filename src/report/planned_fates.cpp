#include "report/planned_fates.hpp"

#include <algorithm>
#include <span>

namespace regsweep {
namespace {

using number = content_graph::number;

/// Reads the steps of one repository after the other.
class plan_reader
{
public:
    plan_reader(const registry_report& of, planned_fates& into) : of_(of), into_(into) {}

    result<void> read()
    {
        std::unordered_map<std::string_view, std::vector<const plan_step*>> by_repository;
        for (const auto& step : of_.planned->steps)
            by_repository[step.repository].push_back(&step);
        for (std::size_t i = 0; i != of_.repositories.size(); ++i) {
            const auto name = of_.graph->repository(of_.repositories[i]);
            const auto found = by_repository.find(name);
            const auto steps = found == by_repository.end() ? some_steps() : some_steps(found->second);
            if (auto done = read_repository(static_cast<number>(i), name, steps); !done)
                return done;
            by_repository.erase(name);
        }
        // What is not shown goes nevertheless.
        for (const auto& [name, steps] : by_repository)
            for (const auto* step : steps) {
                into_.elsewhere += step->tags.size();
                add_deletion(of_.graph->find_repository(name), *step);
            }
        into_.freed = freed_by(*of_.graph, deletions_);
        return {};
    }

private:
    using some_steps = std::span<const plan_step* const>;

    struct named_tag
    {
        const plan_step* step = nullptr;
        bool unasked = false;
        bool seen = false;
    };
    using named_tags = std::unordered_map<std::string_view, named_tag>;

    static named_tags names_of(some_steps steps)
    {
        named_tags out;
        for (const auto* step : steps) {
            for (const auto& tag : step->tags)
                out[tag].step = step;
            for (const auto& tag : step->unasked_tags)
                out[tag].unasked = true;
        }
        return out;
    }

    std::uint32_t reason(const plan_step& step)
    {
        const auto [found, fresh] =
            places_.emplace(std::string_view(step.why), static_cast<std::uint32_t>(into_.reasons.size()));
        if (fresh)
            into_.reasons.push_back(step.why);
        return found->second;
    }

    static tag_outlook outlook(const named_tag& named, const digest& now, bool dropped)
    {
        if (named.step->id != now)
            return tag_outlook::moved;
        if (named.step->kind == step_kind::untag)
            return tag_outlook::untagged;
        if (dropped)
            return tag_outlook::left_alone;
        return named.unasked ? tag_outlook::goes_too : tag_outlook::goes;
    }

    // As `verify` decides: a tag that a deletion does not name keeps its digest.
    std::unordered_map<const plan_step*, bool> dropped_steps(std::string_view repository, some_steps steps,
                                                             named_tags& named, result<void>& done)
    {
        std::unordered_map<digest, const plan_step*> deleted;
        std::unordered_map<const plan_step*, bool> dropped;
        for (const auto* step : steps)
            if (step->kind == step_kind::remove) {
                deleted[step->id] = step;
                dropped[step] = !step->tags.empty(); // unless one of its tags is seen in place
            }
        std::vector<const plan_step*> kept;
        done = of_.tags->for_each_tag(repository, [&](const tag_view& tag) {
            const auto step = deleted.find(tag.digest);
            if (step == deleted.end())
                return true;
            const auto name = named.find(tag.tag);
            if (name == named.end() || name->second.step != step->second)
                kept.push_back(step->second);
            else
                dropped[step->second] = false;
            return true;
        });
        for (const auto* step : kept)
            dropped[step] = true;
        return dropped;
    }

    void add_deletion(number repository, const plan_step& step)
    {
        const number manifest = of_.graph->find(step.id);
        if (step.kind == step_kind::remove && repository != content_graph::none && manifest != content_graph::none)
            deletions_.push_back({repository, manifest});
    }

    void add_untagged(number place, const plan_step& step)
    {
        ++into_.untagged_count;
        if (into_.untagged.size() != registry_report::untagged_named)
            into_.untagged.push_back({place, step.id, reason(step)});
    }

    result<void> read_repository(number place, std::string_view name, some_steps steps)
    {
        auto named = names_of(steps);
        result<void> done;
        const auto dropped = dropped_steps(name, steps, named, done);
        if (!done)
            return done;
        done = of_.tags->for_each_tag(name, [&](const tag_view& tag) {
            const auto found = named.find(tag.tag);
            if (found == named.end()) {
                into_.tags.emplace_back();
                return true;
            }
            found->second.seen = true;
            const auto* const step = found->second.step;
            const bool held = step->kind == step_kind::remove && dropped.at(step);
            into_.tags.push_back({outlook(found->second, tag.digest, held), reason(*step)});
            return true;
        });
        for (const auto& [tag, how] : named)
            into_.missing += how.seen ? 0 : 1;
        for (const auto* step : steps) {
            if (step->kind != step_kind::remove || dropped.at(step))
                continue;
            add_deletion(of_.repositories[place], *step);
            if (step->tags.empty())
                add_untagged(place, *step);
        }
        return done;
    }

    const registry_report& of_;
    planned_fates& into_;
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
