#include "sweep/sweeper_impl.hpp"

#include <algorithm>
#include <iterator>

namespace regsweep {
namespace {

using http::awaitable;

// What stays whatever the steps take: manifests with other tags, and all that these list, nested indexes too.
std::unordered_set<digest> used_by_others(const live_state& live, const std::unordered_set<digest>& going)
{
    std::unordered_set<digest> used;
    std::vector<digest> left;
    for (const auto& [tag, id] : live.tags)
        if (!going.contains(id) && used.insert(id).second)
            left.push_back(id);
    while (!left.empty()) {
        const auto found = live.indexes.find(left.back());
        left.pop_back();
        if (found == live.indexes.end())
            continue;
        for (const digest& child : found->second)
            if (used.insert(child).second)
                left.push_back(child);
    }
    return used;
}

} // namespace

awaitable<result<void>> sweeper::impl::collect_children(std::string repository, std::vector<plan_step>& steps)
{
    auto read = co_await read_live(reading_of_registry(), repository, steps, nullptr);
    if (!read)
        co_return read.error();
    const live_state& live = *read;
    std::unordered_set<digest> going;
    for (const auto& step : steps)
        if (step.kind == step_kind::remove)
            going.insert(step.id);
    const auto used = used_by_others(live, going);
    for (std::size_t i = 0; i != steps.size(); ++i) { // grows: children may be indexes too
        const auto found = live.indexes.find(steps[i].id);
        if (found == live.indexes.end() || steps[i].kind != step_kind::remove)
            continue;
        steps[i].children = found->second;
        for (const auto& child : found->second) {
            if (used.contains(child) || !going.insert(child).second)
                continue;
            plan_step step;
            step.repository = repository;
            step.id = child;
            if (const auto type = live.types.find(child); type != live.types.end())
                step.type = type->second;
            step.why = "listed by " + steps[i].id.to_string() + ", which goes, and by nothing that stays";
            steps.push_back(std::move(step));
        }
    }
    co_return result<void>();
}

result<void> sweeper::add_children(plan& what)
{
    impl& self = *impl_;
    std::vector<std::vector<plan_step>> groups;
    const auto by_name = by_repository(what.steps);
    groups.reserve(by_name.size());
    for (const auto steps : by_name)
        groups.emplace_back(steps.begin(), steps.end());
    std::optional<error> failure;
    auto main = [&]() -> awaitable<void> {
        auto each = [&](std::size_t i) -> awaitable<void> {
            if (failure)
                co_return;
            auto done = co_await self.collect_children(groups[i].front().repository, groups[i]);
            if (!done && !failure)
                failure = done.error();
        };
        co_await for_each_parallel(groups.size(), self.options.concurrency, each);
    };
    self.run_to_end(main());
    if (failure)
        return *failure;
    what.steps.clear();
    for (auto& group : groups)
        std::move(group.begin(), group.end(), std::back_inserter(what.steps));
    what.header.with_children = true;
    return {};
}

} // namespace regsweep
