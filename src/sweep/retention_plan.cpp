#include "regsweep/sweep/retention_plan.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace regsweep {
namespace {

class retention_steps
{
public:
    retention_steps(const retention& by, const retention_repository& of, const repository_decision& decided)
        : by_(by), of_(of), decided_(decided)
    {
        for (std::size_t t = 0; t != of.tags.size(); ++t)
            if (decided.tags[t].fate != tag_fate::keep)
                going_.push_back(t);
        std::ranges::sort(going_, {}, [&](std::size_t t) { return std::tie(of.tags[t].manifest, of.tags[t].name); });
    }

    std::vector<plan_step> make()
    {
        std::vector<what_goes> all;
        auto next = going_.begin();
        for (std::uint32_t m = 0; m != of_.manifests.size(); ++m) {
            const auto begin = next;
            next = std::find_if(begin, going_.end(), [&](std::size_t t) { return of_.tags[t].manifest != m; });
            if (!decided_.manifests[m].stays)
                all.push_back({m, {begin, next}});
            else
                for (auto t = begin; t != next; ++t)
                    all.push_back({m, {t, t + 1}});
        }
        const auto name = [this](std::size_t t) -> const std::string& { return of_.tags[t].name; };
        std::ranges::stable_sort(all, [&](const what_goes& a, const what_goes& b) {
            return a.tags.empty() != b.tags.empty()
                       ? b.tags.empty()
                       : std::ranges::lexicographical_compare(a.tags, b.tags, {}, name, name);
        });
        std::vector<plan_step> steps;
        steps.reserve(all.size());
        for (const what_goes& one : all)
            steps.push_back(decided_.manifests[one.manifest].stays ? untag(one.manifest, one.tags.front())
                                                                   : removal(one.manifest, one.tags));
        order_for_delete(steps);
        return steps;
    }

private:
    struct what_goes // in one step
    {
        std::uint32_t manifest;
        std::span<const std::size_t> tags;
    };

    plan_step common(std::uint32_t m) const
    {
        plan_step step;
        step.repository = of_.name;
        step.id = of_.manifests[m].id;
        step.type = of_.manifests[m].type;
        for (const std::uint32_t child : of_.manifests[m].children)
            step.children.push_back(of_.manifests[child].id);
        return step;
    }

    plan_step removal(std::uint32_t m, std::span<const std::size_t> tags) const
    {
        plan_step step = common(m);
        for (const std::size_t t : tags)
            step.tags.push_back(of_.tags[t].name);
        step.why = tags.empty() ? by_.why_manifest(of_, decided_, m) : by_.why(of_, decided_, tags.front());
        return step;
    }

    plan_step untag(std::uint32_t m, std::size_t t) const
    {
        plan_step step = common(m);
        step.kind = step_kind::untag;
        step.tags = {of_.tags[t].name};
        step.why = by_.why(of_, decided_, t);
        return step;
    }

    const retention& by_;
    const retention_repository& of_;
    const repository_decision& decided_;
    std::vector<std::size_t> going_; ///< tags, by manifest
};

} // namespace

result<std::vector<plan_step>> make_steps(const retention& by, const retention_repository& of,
                                          const repository_decision& decided)
{
    auto steps = retention_steps(by, of, decided).make();
    for (const plan_step& step : steps)
        if (auto fine = check_names(step); !fine)
            return fine.error();
    return steps;
}

std::vector<kept_tags> find_kept(const retention& by, const retention_repository& of,
                                 const repository_decision& decided)
{
    static constexpr std::size_t most = 100'000; // a plan's groups are read one at a time
    std::vector<kept_tags> out;
    std::map<std::string, std::size_t> by_reason;
    for (std::size_t t = 0; t != of.tags.size(); ++t) {
        // Names that no registry may use would make the plan unreadable.
        if (decided.tags[t].fate != tag_fate::keep || !valid_tag(of.tags[t].name) || !valid_repository(of.name))
            continue;
        const auto why = by.why(of, decided, t);
        const auto [found, fresh] = by_reason.emplace(why, out.size());
        if (fresh || out[found->second].tags.size() == most) {
            found->second = out.size();
            out.push_back({of.name, {}, why});
        }
        out[found->second].tags.push_back(of.tags[t].name);
    }
    return out;
}

} // namespace regsweep
