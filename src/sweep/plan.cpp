#include "regsweep/sweep/plan.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

namespace regsweep {
namespace {

using share = std::span<const tag_use>;

/// A decision's uses in one repository, to be sorted by its name.
struct candidate
{
    std::size_t place = 0; // in the selection
    share uses;

    std::string_view repository() const noexcept { return uses.front().repository(); }
};

/// Whether a step may come of this share at all.
bool wanted(const decision& d, share uses, bool untag) noexcept
{
    if (!untag)
        return deletes(d, uses);
    return d.why() != reason::excluded && std::ranges::any_of(uses, &tag_use::selected) &&
           std::ranges::none_of(d.uses(), &tag_use::excluded);
}

std::vector<candidate> candidates(const selection& from, bool untag)
{
    std::vector<candidate> found;
    for (std::size_t i = 0; i != from.size(); ++i) {
        const decision d = from[i];
        for (share left = d.uses(); !left.empty();) {
            const share uses = first_repository(left);
            left = left.subspan(uses.size());
            if (wanted(d, uses, untag))
                found.push_back({i, uses});
        }
    }
    std::ranges::stable_sort(found, {}, &candidate::repository);
    return found;
}

void add_shared(plan_step& step, const tag_use& use)
{
    if (step.also_used_by.size() == plan_step::most_shared)
        ++step.also_used_by_more;
    else
        step.also_used_by.push_back({std::string(use.repository()), std::string(use.tag())});
}

plan_step common_step(const decision& d, share uses)
{
    plan_step step;
    step.repository = uses.front().repository();
    step.id = d.id();
    step.type = uses.front().type();
    return step;
}

class step_maker
{
public:
    step_maker(bool untag, const std::function<result<void>(plan_step)>& take) : untag_(untag), take_(take) {}

    result<void> make(const decision& d, share uses)
    {
        if (untag_ && !std::ranges::all_of(uses, &tag_use::selected))
            return untags(d, uses);
        return removal(d, uses);
    }

private:
    result<void> removal(const decision& d, share uses)
    {
        plan_step step = common_step(d, uses);
        for (const tag_use& use : uses) {
            step.tags.emplace_back(use.tag());
            if (!use.selected())
                step.unasked_tags.emplace_back(use.tag());
        }
        for (share left = d.uses(); !left.empty();) {
            const share other = first_repository(left);
            left = left.subspan(other.size());
            if (other.data() != uses.data())
                add_survivors(step, d, other);
        }
        step.why = untag_ ? "every tag that uses it in this repository is selected" : reason_text(d);
        return hand_over(std::move(step));
    }

    /// Adds the tags of another repository that the plan leaves in place.
    void add_survivors(plan_step& step, const decision& d, share other) const
    {
        const bool goes = wanted(d, other, untag_);
        for (const tag_use& use : other) {
            if (!goes || (untag_ && !use.selected()))
                add_shared(step, use);
        }
    }

    result<void> untags(const decision& d, share uses)
    {
        plan_step step = common_step(d, uses);
        step.kind = step_kind::untag;
        for (const tag_use& use : d.uses()) {
            if (!use.selected())
                add_shared(step, use);
        }
        step.why = "selected; other tags use its manifest, which stays";
        for (const tag_use& use : uses) {
            if (!use.selected())
                continue;
            step.tags = {std::string(use.tag())};
            if (auto taken = hand_over(step); !taken)
                return taken;
        }
        return {};
    }

    result<void> hand_over(plan_step step)
    {
        if (auto fine = check_names(step); !fine)
            return fine;
        return take_(std::move(step));
    }

    bool untag_;
    const std::function<result<void>(plan_step)>& take_;
};

} // namespace

plan_counts count(const plan& p)
{
    plan_counts counts;
    std::set<std::string_view> repositories;
    for (const plan_step& step : p.steps) {
        repositories.insert(step.repository);
        counts.tags += step.tags.size();
        counts.digests += static_cast<std::uint64_t>(step.kind == step_kind::remove);
    }
    counts.repositories = repositories.size();
    return counts;
}

result<void> check_names(const plan_step& step)
{
    if (!valid_repository(step.repository))
        return error(errc::bad_argument, "no registry may use the repository name \"" + printable(step.repository) +
                                             "\" of the index; refresh the index");
    const auto bad = std::ranges::find_if_not(step.tags, [](const std::string& tag) { return valid_tag(tag); });
    if (bad != step.tags.end())
        return error(errc::bad_argument, "no registry may use the tag \"" + printable(*bad) + "\" of the index in " +
                                             step.repository + "; refresh the index");
    return {};
}

result<void> make_steps(const selection& from, bool untag, const std::function<result<void>(plan_step)>& take)
{
    if (!untag) {
        if (auto ok = from.check(); !ok)
            return ok;
    }
    step_maker maker(untag, take);
    for (const candidate& next : candidates(from, untag)) {
        if (auto made = maker.make(from[next.place], next.uses); !made)
            return made;
    }
    return {};
}

result<plan> make_plan(const selection& from, plan_header header)
{
    plan made;
    made.header = std::move(header);
    const auto made_all = make_steps(from, made.header.untag, [&](plan_step step) -> result<void> {
        made.steps.push_back(std::move(step));
        return {};
    });
    if (!made_all)
        return made_all.error();
    return made;
}

std::vector<std::size_t> parents_first(std::span<const digest> ids,
                                       const std::function<std::span<const digest>(std::size_t)>& children_of)
{
    std::unordered_map<digest, std::vector<std::size_t>> places;
    for (std::size_t i = 0; i != ids.size(); ++i)
        places[ids[i]].push_back(i);
    const auto for_each_child = [&](std::size_t parent, const auto& visit) {
        for (const digest& child : children_of(parent)) {
            const auto found = places.find(child);
            if (found != places.end() && child != ids[parent])
                std::ranges::for_each(found->second, visit);
        }
    };
    std::vector<std::size_t> parents(ids.size());
    for (std::size_t i = 0; i != ids.size(); ++i)
        for_each_child(i, [&](std::size_t child) { ++parents[child]; });

    // What has no parent left comes next, generation by generation, in the order given.
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i != ids.size(); ++i) {
        if (parents[i] == 0)
            order.push_back(i);
    }
    for (std::size_t next = 0; next != order.size(); ++next) {
        for_each_child(order[next], [&](std::size_t child) {
            if (--parents[child] == 0)
                order.push_back(child);
        });
    }
    for (std::size_t i = 0; i != ids.size(); ++i) {
        if (parents[i] != 0)
            order.push_back(i);
    }
    return order;
}

std::vector<std::span<const plan_step>> by_repository(std::span<const plan_step> steps)
{
    std::vector<std::span<const plan_step>> out;
    for (auto left = steps; !left.empty(); left = left.subspan(out.back().size())) {
        const auto end = std::ranges::find_if(
            left, [&](const plan_step& step) { return step.repository != left.front().repository; });
        out.push_back(left.first(static_cast<std::size_t>(end - left.begin())));
    }
    return out;
}

void order_for_delete(std::vector<plan_step>& steps)
{
    if (std::ranges::all_of(steps, [](const plan_step& step) { return step.children.empty(); }))
        return;
    std::vector<plan_step> sorted;
    sorted.reserve(steps.size());
    std::size_t begin = 0;
    // A child is a child in its own repository only.
    for (const auto group : by_repository(steps)) {
        std::vector<digest> ids;
        for (const plan_step& step : group)
            ids.push_back(step.id);
        const auto order = parents_first(ids, [&](std::size_t i) { return std::span(group[i].children); });
        for (const std::size_t place : order)
            sorted.push_back(std::move(steps[begin + place]));
        begin += group.size();
    }
    steps = std::move(sorted);
}

} // namespace regsweep
