#include "regsweep/report/report.hpp"

#include "report/json_out.hpp"
#include "report/planned_fates.hpp"

#include <algorithm>
#include <ostream>
#include <unordered_map>

namespace regsweep {
namespace {

using number = content_graph::number;

/// Numbers texts in the order in which they come.
class text_numbers
{
public:
    std::uint32_t find(std::string text)
    {
        const auto next = static_cast<std::uint32_t>(places_.size());
        const auto [found, fresh] = places_.emplace(std::move(text), next);
        if (fresh)
            texts_.push_back(&found->first);
        return found->second;
    }
    const std::vector<const std::string*>& texts() const noexcept { return texts_; }

private:
    std::unordered_map<std::string, std::uint32_t> places_;
    std::vector<const std::string*> texts_;
};

/// Writes the manifests that tags point to, with numbers of their own, and all that is told of them.
class report_writer
{
public:
    report_writer(json_out& out, const registry_report& of)
        : out_(out), of_(of), graph_(*of.graph), local_(graph_.manifests(), content_graph::none)
    {}

    result<void> write()
    {
        out_.begin('{');
        out_.field("registry", of_.registry);
        out_.field("made_at", of_.made_at);
        if (auto done = write_summary(); !done)
            return done;
        write_repositories();
        if (auto done = write_tags(); !done)
            return done;
        write_manifests();
        if (auto done = write_labels(); !done)
            return done;
        if (auto done = write_plan(); !done)
            return done;
        out_.end('}');
        return {};
    }

private:
    result<void> write_summary()
    {
        const auto summary = of_.tags->summary();
        if (!summary)
            return summary.error();
        out_.field("indexed_at", summary->finished_at);
        out_.field("scope", summary->scope);
        out_.field("incomplete", summary->incomplete);
        out_.field("all_repositories", graph_.repositories());
        return {};
    }

    void write_usage(const repository_usage& u)
    {
        out_.field("manifests", u.manifests);
        out_.field("unknown", u.unknown);
        out_.field("size", u.logical_size);
        out_.field("unique", u.unique_size);
        out_.field("shared", u.shared_size);
    }

    void write_repositories()
    {
        const auto usage = disk_usage(graph_, of_.repositories);
        out_.key("total");
        out_.begin('{');
        write_usage(usage.total);
        out_.end('}');
        out_.key("repositories");
        out_.begin('{');
        const auto& all = usage.repositories;
        out_.list("name", all, [&](const auto& u) { return graph_.repository(u.repository); });
        out_.list("tags", all, [](const auto& u) { return u.tags; });
        out_.list("size", all, [](const auto& u) { return u.logical_size; });
        out_.list("unique", all, [](const auto& u) { return u.unique_size; });
        out_.list("unknown", all, [](const auto& u) { return u.unknown; });
        out_.end('}');
    }

    // The small number of a manifest on the page.
    number local(number manifest)
    {
        number& known = local_[manifest];
        if (known == content_graph::none) {
            known = static_cast<number>(manifests_.size());
            manifests_.push_back(manifest);
        }
        return known;
    }

    // Names by the index, everything else by the graph, which has them in the same order.
    result<void> write_tags()
    {
        out_.key("tags");
        out_.begin('{');
        out_.key("name");
        out_.begin('[');
        for (const number repository : of_.repositories) {
            std::size_t count = 0;
            auto read = of_.tags->for_each_tag(graph_.repository(repository), [&](const tag_view& tag) {
                out_.value(tag.tag);
                ++count;
                return true;
            });
            if (!read)
                return read;
            if (count != graph_.tagged(repository).size())
                return error(errc::incomplete, "the index has changed while it was read: try again");
        }
        out_.end(']');
        out_.key("manifest");
        out_.begin('[');
        for (const number repository : of_.repositories)
            for (const number manifest : graph_.tagged(repository))
                out_.value(local(manifest));
        out_.end(']');
        write_tag_sizes();
        out_.end('}');
        return {};
    }

    void write_tag_sizes()
    {
        const auto sizes = tag_usages(graph_, of_.repositories);
        const auto write = [&](std::string_view name, std::uint64_t tag_usage::* what) {
            out_.key(name);
            out_.begin('[');
            for (std::size_t r = 0; r != sizes.size(); ++r) {
                const auto tagged = graph_.tagged(of_.repositories[r]);
                for (std::size_t t = 0; t != tagged.size(); ++t) {
                    if (graph_.known(tagged[t]))
                        out_.value(sizes[r][t].*what);
                    else
                        out_.null();
                }
            }
            out_.end(']');
        };
        write("size", &tag_usage::logical_size);
        write("unique", &tag_usage::unique_size);
    }

    // As for retention: an index that does not tell is as old as its newest child.
    std::optional<std::int64_t> created(number manifest) const
    {
        auto when = graph_.created(manifest);
        if (!when)
            for (const number child : graph_.children(manifest))
                when = std::max(when, graph_.created(child));
        return when ? std::optional(when->seconds) : std::nullopt;
    }

    // Of an index, those of its children; what BuildKit calls unknown is an attestation.
    std::string platforms(number manifest) const
    {
        static constexpr std::size_t most = 12;
        std::vector<std::string> names;
        const auto add = [&](number from) {
            auto name = to_string(graph_.platform(from));
            if (!name.empty() && !name.starts_with("unknown/") && std::ranges::find(names, name) == names.end())
                names.push_back(std::move(name));
        };
        add(manifest);
        for (const number child : graph_.children(manifest))
            add(child);
        std::string out;
        for (std::size_t i = 0; i != std::min(names.size(), most); ++i)
            out += (i == 0 ? "" : ", ") + names[i];
        return names.size() > most ? out + ", ..." : out;
    }

    void write_manifests()
    {
        text_numbers names;
        out_.key("manifests");
        out_.begin('{');
        // `sha256:` goes without saying.
        out_.list("digest", manifests_, [&](number m) {
            const auto text = graph_.id(m).to_string();
            return text.starts_with("sha256:") ? text.substr(7) : text;
        });
        out_.list("created", manifests_, [&](number m) { return created(m); });
        out_.list("index", manifests_, [&](number m) { return is_index(graph_.type(m)) ? 1 : 0; });
        out_.list("platforms", manifests_, [&](number m) { return names.find(platforms(m)); });
        out_.end('}');
        out_.list("platforms", names.texts(), [](const std::string* text) { return std::string_view(*text); });
    }

    // Where the labels of what the page shows are: with the manifest, or with the first child of an index.
    std::unordered_map<number, std::vector<number>> label_sources() const
    {
        std::unordered_map<number, std::vector<number>> out;
        for (number here = 0; here != manifests_.size(); ++here) {
            const auto children = graph_.children(manifests_[here]);
            out[children.empty() ? manifests_[here] : children.front()].push_back(here);
        }
        return out;
    }

    static std::string cut(std::string_view text)
    {
        if (text.size() <= registry_report::label_bytes)
            return std::string(text);
        std::size_t end = registry_report::label_bytes;
        while (end != 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
            --end;
        return std::string(text.substr(0, end)) + "...";
    }

    result<void> write_labels()
    {
        const auto sources = label_sources();
        text_numbers texts;
        std::vector<std::vector<std::uint32_t>> pairs(manifests_.size()); // key, value, key, value
        std::size_t left = registry_report::label_text_bytes;
        std::uint64_t left_out = 0;
        auto read = of_.facts->for_each_label([&](const digest& d, std::string_view key, std::string_view value) {
            const auto found = sources.find(graph_.find(d));
            if (found == sources.end())
                return true;
            const std::size_t cost = std::min(key.size() + value.size(), 2 * registry_report::label_bytes) + 16;
            for (const number here : found->second) {
                if (left < cost || pairs[here].size() == 2 * registry_report::labels_of_image) {
                    ++left_out;
                    continue;
                }
                const auto before = texts.texts().size();
                pairs[here].push_back(texts.find(cut(key)));
                pairs[here].push_back(texts.find(cut(value)));
                left -= texts.texts().size() == before ? 16 : cost;
            }
            return true;
        });
        if (!read)
            return read;
        out_.key("labels");
        out_.begin('{');
        out_.list("texts", texts.texts(), [](const std::string* text) { return std::string_view(*text); });
        out_.key("of");
        out_.begin('[');
        for (number here = 0; here != manifests_.size(); ++here)
            if (!pairs[here].empty()) {
                out_.begin('[');
                out_.value(here);
                for (const auto text : pairs[here])
                    out_.value(text);
                out_.end(']');
            }
        out_.end(']');
        out_.field("left_out", left_out);
        out_.end('}');
        return {};
    }

    result<void> write_plan()
    {
        out_.key("plan");
        if (of_.planned == nullptr) {
            out_.null();
            return {};
        }
        const auto fates = compare_plan(of_);
        if (!fates)
            return fates.error();
        out_.begin('{');
        out_.field("created_at", of_.planned->header.created_at);
        out_.field("command", of_.planned->header.command);
        out_.field("freed", fates->freed.bytes);
        out_.field("freed_unknown", fates->freed.unknown);
        out_.field("missing", fates->missing);
        out_.field("elsewhere", fates->elsewhere);
        out_.list("outlook", fates->tags, [](const planned_tag& t) { return static_cast<int>(t.outlook); });
        out_.list("reason", fates->tags, [](const planned_tag& t) {
            return t.reason == planned_tag::no_reason ? std::nullopt : std::optional(t.reason);
        });
        out_.list("reasons", fates->reasons, [](std::string_view text) { return text; });
        out_.field("untagged_count", fates->untagged_count);
        out_.key("untagged");
        out_.begin('[');
        for (const auto& m : fates->untagged) {
            out_.begin('[');
            out_.value(m.repository);
            out_.value(m.id.to_string());
            out_.value(m.reason);
            out_.end(']');
        }
        out_.end(']');
        out_.end('}');
        return {};
    }

    json_out& out_;
    const registry_report& of_;
    const content_graph& graph_;
    std::vector<number> local_;     ///< by the graph's number
    std::vector<number> manifests_; ///< the graph's numbers
};

} // namespace

result<void> write_html(std::ostream& out, const registry_report& of)
{
    web::page_writer page(out, web::page_kind::report);
    page.begin_data("report");
    {
        json_out json(page);
        if (auto done = report_writer(json, of).write(); !done)
            return done;
    }
    page.end_data();
    page.finish();
    if (!out)
        return error(errc::io, "the page cannot be written: is there space left?");
    return {};
}

} // namespace regsweep
