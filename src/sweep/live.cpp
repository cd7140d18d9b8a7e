#include "sweep/live.hpp"

#include "regsweep/registry/manifest.hpp"
#include "regsweep/registry/pagination.hpp"

#include <algorithm>
#include <optional>
#include <unordered_set>

namespace regsweep {
namespace {

using http::awaitable;

constexpr std::size_t tags_at_once = 1024; // resolved before it is asked again how many requests there may be

} // namespace

awaitable<result<name_list>> list_tags(registry_client& registry, const std::string& repository, unsigned page_size,
                                       registry_buffers& buffers)
{
    name_list all;
    page_guard guard;
    std::string target = registry.tags_target(repository, page_size);
    while (!target.empty()) {
        auto page = co_await registry.tags(repository, target, buffers);
        if (!page)
            co_return page.error();
        if (!*page && all.empty())
            break;
        // A list that breaks off is no list: tags that are missing from it would not be protected.
        if (!*page)
            co_return error(errc::bad_response, "the list of tags ends with a page that is not there", "GET " + target);
        const auto fresh = guard.visit(target, (*page)->names);
        if (!fresh)
            co_return fresh.error();
        for (std::size_t i = 0; i != (*page)->names.size(); ++i)
            all.push_back((*page)->names[i]);
        target = std::move((*page)->next);
    }
    co_return all;
}

namespace {

bool may_be_index(media_type type) noexcept
{
    return is_index(type) || type == media_type::unknown;
}

// Whether a text that cannot be read as an index might be meant as one.
bool mentions_manifests(std::string_view body)
{
    constexpr std::string_view name = "manifests";
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
    return std::search(body.begin(), body.end(), name.begin(), name.end(), same) != body.end();
}

// Notes what an index lists, and which of that may be indexes to be read too.
result<void> note_index(const std::string& repository, const manifest& found, live_state& into,
                        std::vector<digest>& more)
{
    into.types[found.digest] = found.type;
    auto children = parse_children(found.body);
    if (!children) {
        if (found.type == media_type::unknown && !mentions_manifests(found.body))
            return {}; // no index, whatever else it is
        error e = children.error();
        e.request = "GET " + repository + "@" + found.digest.to_string();
        return e;
    }
    if (children->empty() && !is_index(found.type))
        return {};
    auto& list = into.indexes[found.digest];
    for (const auto& child : *children) {
        list.push_back(child.digest);
        into.types.emplace(child.digest, child.type);
        if (may_be_index(child.type))
            more.push_back(child.digest);
    }
    return {};
}

awaitable<result<void>> read_index(registry_client& registry, lease_pool& leases, const std::string& repository,
                                   const digest& id, const manifest_shelf* shelf, live_state& into,
                                   std::vector<digest>& more)
{
    if (const manifest* known = shelf != nullptr ? shelf->find(id) : nullptr)
        co_return note_index(repository, *known, into, more);
    auto lease = co_await leases.get();
    auto found = co_await registry.get_manifest(repository, id.to_string(), lease.buffers());
    if (!found)
        co_return found.error();
    if (!*found)
        co_return result<void>(); // deleted meanwhile: it protects nothing
    co_return note_index(repository, **found, into, more);
}

// Of each step one tag, whose manifest is the step's unless the tag has moved.
std::unordered_set<std::string_view> first_tags(std::span<const plan_step> steps)
{
    std::unordered_set<std::string_view> out;
    for (const plan_step& step : steps)
        if (!step.tags.empty())
            out.insert(step.tags.front());
    return out;
}

// Tags of different manifests: where all answers are alike, their order cannot be seen.
std::vector<known_resolution> for_trial(const live_state& live)
{
    std::vector<known_resolution> out;
    for (auto each = live.tags.begin(); each != live.tags.end() && out.size() != pipelining::deep; ++each)
        if (std::none_of(out.begin(), out.end(), [&](const auto& known) { return known.digest == each->second; }))
            out.push_back({each->first, each->second});
    return out;
}

} // namespace

awaitable<result<live_state>> read_live(live_reading how, std::string repository, std::span<const plan_step> steps,
                                        manifest_shelf* shelf)
{
    registry_client& registry = *how.registry;
    lease_pool& leases = *how.leases;
    pipelining& pipeline = *how.pipeline;
    std::optional<lease_pool::lease> alone(co_await leases.get());
    const auto tags = co_await list_tags(registry, repository, how.page_size, alone->buffers());
    alone.reset();
    if (!tags)
        co_return tags.error();
    live_state live;
    std::optional<error> failure;
    const auto to_keep = shelf != nullptr ? first_tags(steps) : std::unordered_set<std::string_view>();
    const auto note = [&live](std::string_view tag, const digest& id, media_type type) {
        live.tags.emplace(tag, id);
        live.types.insert_or_assign(id, type);
    };
    for (std::size_t begin = 0, end = 0; begin != tags->size(); begin = end) {
        end = std::min(begin + tags_at_once, tags->size());
        const std::size_t depth = pipeline.depth(how.concurrency);
        auto resolve = [&](std::size_t chunk) -> awaitable<void> {
            if (failure)
                co_return;
            const std::size_t first = begin + chunk * depth;
            const std::size_t count = std::min(depth, end - first);
            std::vector<manifest_reading> whole;
            std::vector<resolution> digests;
            for (std::size_t i = first; i != first + count; ++i) {
                if (const std::string_view tag = (*tags)[i]; to_keep.contains(tag) && shelf->has_room())
                    whole.push_back({tag});
                else
                    digests.push_back({tag});
            }
            auto lease = co_await leases.get();
            if (!whole.empty())
                co_await registry.get_manifests(repository, whole, lease.buffers());
            for (manifest_reading& one : whole) {
                if (!one.found) { // what cannot be kept can be looked at perhaps: the step fails then, nothing else
                    digests.push_back({one.reference});
                } else if (auto& found = *one.found) {
                    note(one.reference, found->digest, found->type);
                    shelf->put(*std::move(found));
                }
            }
            if (!digests.empty())
                co_await registry.resolve_all(repository, digests, lease.buffers());
            for (const resolution& one : digests) {
                if (!one.found && !failure)
                    failure = one.found.error();
                else if (one.found && *one.found)
                    note(one.reference, (*one.found)->digest, (*one.found)->type);
            }
            pipeline.answered(http::clock::now(), static_cast<unsigned>(count));
        };
        co_await for_each_parallel((end - begin + depth - 1) / depth, how.at_once() / depth, resolve);
    }
    if (failure)
        co_return *failure;
    const auto known = for_trial(live);
    if (known.size() == pipelining::deep && pipeline.take_trial()) {
        auto lease = co_await leases.get();
        pipeline.tried(co_await registry.answers_in_order(repository, known, lease.buffers()));
    }
    std::vector<digest> round;
    for (const auto& [id, type] : live.types)
        if (may_be_index(type))
            round.push_back(id);
    for (const auto& step : steps)
        if (step.kind == step_kind::remove && (may_be_index(step.type) || !step.children.empty()) &&
            !live.types.contains(step.id))
            round.push_back(step.id);
    std::unordered_set<digest> seen(round.begin(), round.end());
    while (!round.empty() && !failure) {
        std::vector<digest> more;
        auto read = [&](std::size_t i) -> awaitable<void> {
            auto done = co_await read_index(registry, leases, repository, round[i], shelf, live, more);
            if (!done && !failure)
                failure = done.error();
        };
        co_await for_each_parallel(round.size(), how.at_once(), read);
        std::erase_if(more, [&](const digest& id) { return !seen.insert(id).second; });
        round = std::move(more);
    }
    if (failure)
        co_return *failure;
    co_return live;
}

} // namespace regsweep
