#include "regsweep/select/retention_source.hpp"

#include <algorithm>
#include <set>
#include <unordered_map>

namespace regsweep {
namespace {

using number = content_graph::number;

// The keys of the labels that a policy asks for.
std::set<std::string, std::less<>> label_keys(const retention_policy& policy)
{
    std::set<std::string, std::less<>> keys;
    for (const auto& rule : policy.rules)
        for (const auto& label : rule.when.labels)
            keys.insert(label.substr(0, label.find('=')));
    return keys;
}

/// Puts manifests that are known by something else into a repository, each once.
template<class Key>
class place_table
{
public:
    explicit place_table(retention_repository& of) : of_(of) {}

    /// The place, and whether it is a new one.
    std::pair<std::uint32_t, bool> find(const Key& key)
    {
        const auto [found, fresh] = places_.emplace(key, static_cast<std::uint32_t>(of_.manifests.size()));
        if (fresh)
            of_.manifests.emplace_back();
        return {found->second, fresh};
    }
    const std::uint32_t* if_known(const Key& key) const
    {
        const auto found = places_.find(key);
        return found == places_.end() ? nullptr : &found->second;
    }

private:
    retention_repository& of_;
    std::unordered_map<Key, std::uint32_t> places_;
};

} // namespace

struct retention_source::impl
{
    const index* tags = nullptr;
    const content_graph* graph = nullptr; ///< null without details
    std::unordered_map<digest, string_pairs> labels;

    result<retention_repository> read_names(const std::string& repository) const
    {
        retention_repository out;
        out.name = repository;
        place_table<digest> places(out);
        auto read = tags->for_each_tag(repository, [&](const tag_view& tag) {
            const auto [place, fresh] = places.find(tag.digest);
            if (fresh) {
                out.manifests[place].id = tag.digest;
                out.manifests[place].type = tag.type;
            }
            out.tags.push_back({std::string(tag.tag), place});
            return true;
        });
        if (!read)
            return read.error();
        return out;
    }

    void fill(retention_manifest& into, number from) const
    {
        into.id = graph->id(from);
        into.type = graph->type(from);
        into.known = graph->known(from);
        into.created = graph->created(from);
        into.platform = to_string(graph->platform(from));
        if (const auto found = labels.find(into.id); found != labels.end())
            into.labels = found->second;
    }

    result<retention_repository> read_facts(const std::string& repository, std::span<const digest> also) const
    {
        const number here = graph->find_repository(repository);
        if (here == content_graph::none)
            return read_names(repository);
        retention_repository made;
        made.name = repository;
        place_table<number> places(made);
        std::vector<number> known; // as `made.manifests`
        const auto place_of = [&](number manifest) {
            const auto [place, fresh] = places.find(manifest);
            if (fresh) {
                fill(made.manifests[place], manifest);
                known.push_back(manifest);
            }
            return place;
        };
        const auto tagged = graph->tagged(here);
        graph->prefetch(tagged);
        made.manifests.reserve(tagged.size());
        made.tags.reserve(tagged.size());
        bool changed = false;
        const auto read = tags->for_each_tag(repository, [&](const tag_view& tag) {
            const std::size_t i = made.tags.size();
            changed = i == tagged.size() || graph->id(tagged[i]) != tag.digest;
            if (changed)
                return false;
            const std::uint32_t place = place_of(tagged[i]);
            if (made.manifests[place].type == media_type::unknown)
                made.manifests[place].type = tag.type;
            made.tags.push_back({std::string(tag.tag), place});
            return true;
        });
        if (!read)
            return read.error();
        if (changed || made.tags.size() != tagged.size())
            return error(errc::incomplete, "the index has changed while it was read: try again");
        const auto present = graph->present(here);
        for (const number manifest : present)
            place_of(manifest);
        for (const digest& d : also)
            if (const number manifest = graph->find(d); manifest != content_graph::none && graph->known(manifest))
                place_of(manifest);
        for (std::size_t i = 0; i != known.size(); ++i) { // grows: what is held besides may be an index
            std::vector<std::uint32_t> children;
            for (const number child : graph->children(known[i]))
                children.push_back(place_of(child));
            made.manifests[i].children = std::move(children);
        }
        for (const auto& [subject, referrer] : graph->referrers(here, present)) {
            const auto* const from = places.if_known(subject);
            const auto* const to = places.if_known(referrer);
            if (from != nullptr && to != nullptr)
                made.referrers.emplace_back(*from, *to);
        }
        return made;
    }
};

retention_source::retention_source(const index& tags) : impl_(std::make_unique<impl>())
{
    impl_->tags = &tags;
}
retention_source::retention_source(retention_source&&) noexcept = default;
retention_source& retention_source::operator=(retention_source&&) noexcept = default;
retention_source::~retention_source() = default;

result<retention_source> retention_source::with_details(const index& tags, const content_graph& graph,
                                                        const details_store& facts, const retention_policy& policy)
{
    retention_source made(tags);
    made.impl_->graph = &graph;
    const auto keys = label_keys(policy);
    if (keys.empty())
        return made;
    auto read = facts.for_each_label([&](const digest& id, std::string_view key, std::string_view value) {
        if (keys.contains(key))
            made.impl_->labels[id].emplace_back(key, value);
        return true;
    });
    if (!read)
        return read.error();
    return made;
}

result<retention_repository> retention_source::read(const std::string& repository, std::span<const digest> also)
{
    return impl_->graph == nullptr ? impl_->read_names(repository) : impl_->read_facts(repository, also);
}

} // namespace regsweep
