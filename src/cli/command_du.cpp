#include "cli/choices.hpp"
#include "cli/details.hpp"
#include "cli/selection_options.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "regsweep/select/usage.hpp"
#include "regsweep/select/version.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>

namespace regsweep::cli {
namespace {

using number = content_graph::number;

enum class du_order { size, unique, name, tags };

struct du_options
{
    std::vector<std::string> repositories;
    du_order order = du_order::size;
    bool tags = false;
};

struct sized_tag
{
    std::string name;
    regsweep::digest digest;
    tag_usage usage;
};

std::vector<number> chosen_repositories(const content_graph& graph, const std::vector<std::string>& names)
{
    std::vector<number> out;
    if (names.empty()) {
        out.resize(graph.repositories());
        std::iota(out.begin(), out.end(), number{0});
        return out;
    }
    for (const auto& name : names) {
        const number found = graph.find_repository(name);
        if (found == content_graph::none)
            warn_of_unknown_repository(name);
        else
            out.push_back(found);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

// Largest first; what is equal stays in the order of names.
void sort_repositories(std::vector<repository_usage>& all, du_order order)
{
    const auto key = [&](const repository_usage& u) {
        switch (order) {
        case du_order::size: return u.logical_size;
        case du_order::unique: return u.unique_size;
        case du_order::tags: return u.tags;
        case du_order::name: break;
        }
        return std::uint64_t{0};
    };
    std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return key(a) > key(b); });
}

std::vector<sized_tag> sized_tags(const index& from, std::string_view repository, const std::vector<tag_usage>& sizes,
                                  du_order order)
{
    std::map<std::string, sized_tag> by_name;
    std::vector<std::string> names;
    from.for_each_tag(repository,
                      [&](const tag_view& t) {
                          names.emplace_back(t.tag);
                          by_name.emplace(t.tag, sized_tag{names.back(), t.digest, sizes.at(names.size() - 1)});
                          return true;
                      })
        .value();
    sort_tags(names, false);
    std::vector<sized_tag> out;
    out.reserve(names.size());
    for (const auto& name : names)
        out.push_back(std::move(by_name.at(name)));
    const auto key = [&](const sized_tag& t) {
        return order == du_order::size ? t.usage.logical_size : order == du_order::unique ? t.usage.unique_size : 0;
    };
    std::stable_sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return key(a) > key(b); });
    return out;
}

// What is to be shown, in its order.
struct du_result
{
    usage_report usage;
    std::map<number, std::vector<sized_tag>> tags; // by repository
};

du_result measure(const index& from, const content_graph& graph, const du_options& how)
{
    const auto chosen = chosen_repositories(graph, how.repositories);
    du_result out;
    out.usage = disk_usage(graph, chosen);
    if (how.tags) {
        const auto sizes = tag_usages(graph, chosen);
        for (std::size_t i = 0; i != chosen.size(); ++i)
            out.tags[chosen[i]] = sized_tags(from, graph.repository(chosen[i]), sizes[i], how.order);
    }
    sort_repositories(out.usage.repositories, how.order);
    return out;
}

std::string numbers_json(const repository_usage& u)
{
    std::string out;
    const auto add = [&](const char* key, std::uint64_t value) {
        out += (out.empty() ? "\"" : ",\"") + std::string(key) + "\":" + std::to_string(value);
    };
    add("tags", u.tags);
    add("manifests", u.manifests);
    add("untagged", u.untagged);
    add("unknown", u.unknown);
    add("logical_size", u.logical_size);
    add("unique_size", u.unique_size);
    add("shared_size", u.shared_size);
    return out;
}

void print_du_json(const session& s, const content_graph& graph, const du_result& what)
{
    output out;
    out << "{\"registry\":" << json_string(s.address().canonical()) << ",\"repositories\":[";
    const char* comma = "";
    for (const auto& u : what.usage.repositories) {
        out << comma << "{\"repository\":" << json_string(graph.repository(u.repository)) << "," << numbers_json(u);
        comma = ",\n";
        if (const auto tags = what.tags.find(u.repository); tags != what.tags.end()) {
            const char* between = "";
            out << ",\"tag_sizes\":[";
            for (const auto& t : tags->second) {
                out << between << "{\"tag\":" << json_string(t.name)
                    << ",\"digest\":" << json_string(t.digest.to_string())
                    << ",\"unknown\":" << std::to_string(t.usage.unknown)
                    << ",\"logical_size\":" << std::to_string(t.usage.logical_size)
                    << ",\"unique_size\":" << std::to_string(t.usage.unique_size)
                    << ",\"shared_size\":" << std::to_string(t.usage.shared_size) << "}";
                between = ",";
            }
            out << "]";
        }
        out << "}";
    }
    out << "],\"total\":{" << numbers_json(what.usage.total) << "}}\n";
    out.finish();
}

std::vector<std::string> usage_row(std::string name, const repository_usage& u)
{
    return {std::move(name),          with_commas(u.tags),        with_commas(u.manifests),
            with_commas(u.untagged),  human_size(u.logical_size), human_size(u.unique_size),
            human_size(u.shared_size)};
}

void print_du_rows(const content_graph& graph, const du_result& what, table::kind made_for)
{
    constexpr auto right = table::align::right;
    output out;
    table rows(out,
               {{"repository"},
                {"tags", right},
                {"manifests", right},
                {"untagged", right},
                {"size", right},
                {"unique", right},
                {"shared", right}},
               made_for);
    for (const auto& u : what.usage.repositories) {
        rows.add(usage_row(std::string(graph.repository(u.repository)), u));
        const auto tags = what.tags.find(u.repository);
        if (tags == what.tags.end())
            continue;
        for (const auto& t : tags->second)
            rows.add({"  :" + t.name, " ", " ", " ", human_size(t.usage.logical_size), human_size(t.usage.unique_size),
                      human_size(t.usage.shared_size)});
    }
    rows.add(usage_row("total", what.usage.total));
    rows.finish();
    out.finish();
}

int du(session& s, const du_options& how)
{
    const index from = s.open_index();
    const content_graph graph = graph_of(s, from).graph;
    const auto what = measure(from, graph, how);
    if (s.options().output == output_format::json)
        print_du_json(s, graph, what);
    else
        print_du_rows(graph, what,
                      s.options().output == output_format::table ? table::kind::screen : table::kind::text);
    if (what.usage.total.unknown != 0)
        terminal::standard().warning(with_commas(what.usage.total.unknown) +
                                     " manifests are not known: what they use is not in these sizes; regsweep refresh "
                                     "--details asks for them again");
    return s.status();
}

} // namespace

command_runner add_du(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("du", "Show what repositories use, alone and together with others");
    const auto how = std::make_shared<du_options>();
    subcommand->add_option("--repo,-r", how->repositories, "Repositories to show, by their whole names")
        ->type_name("REPO")
        ->expected(1, -1);
    auto* const sort =
        subcommand->add_option("--sort", how->order, "What comes first: the largest, or names in order [size]");
    limit_to<du_order>(
        *sort,
        {{"size", du_order::size}, {"unique", du_order::unique}, {"name", du_order::name}, {"tags", du_order::tags}});
    subcommand->add_flag("--tags", how->tags, "Show every tag of these repositories, too");
    return [how](session& s) { return du(s, *how); };
}

} // namespace regsweep::cli
