#include "cli/count.hpp"
#include "cli/details.hpp"
#include "cli/selection_options.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "regsweep/select/version.hpp"

#include <algorithm>
#include <memory>

namespace regsweep::cli {
namespace {

struct list_tags_options
{
    std::vector<std::string> repositories;
    bool reverse = false;
    bool image_names = false;
};

// The repositories to show that have tags, sorted.
std::vector<std::string> repositories_with_tags(const index& from, std::vector<std::string> only)
{
    std::vector<std::string> names;
    if (only.empty()) {
        from.for_each_repository([&](const repository_info& info) {
                if (info.tags != 0)
                    names.push_back(info.name);
                return true;
            })
            .value();
        return names;
    }
    std::sort(only.begin(), only.end());
    only.erase(std::unique(only.begin(), only.end()), only.end());
    for (auto& name : only) {
        const auto info = from.find_repository(name).value();
        if (!info)
            warn_of_unknown_repository(name);
        else if (info->tags != 0)
            names.push_back(std::move(name));
    }
    return names;
}

void print_repositories(output& out, const index& from)
{
    table rows(out, {{"repository"}, {"tags", table::align::right}});
    from.for_each_repository([&](const repository_info& info) {
            if (info.tags != 0)
                rows.add({info.name, with_commas(info.tags)});
            return true;
        })
        .value();
    rows.finish();
}

int list_repo_names(session& s)
{
    const index from = s.open_index();
    const auto names = repositories_with_tags(from, {});
    output out;
    if (s.options().output == output_format::json) {
        out << "{\"registry\":" << json_string(s.address().canonical()) << ",\"repositories\":[";
        for (std::size_t i = 0; i != names.size(); ++i)
            out << (i == 0 ? "" : ",") << json_string(names[i]);
        out << "]}\n";
    } else if (s.options().output == output_format::table) {
        print_repositories(out, from);
        if (s.options().count)
            print_count(out, "repositories", names.size());
    } else {
        for (const auto& name : names)
            out << name << "\n";
        if (s.options().count)
            print_count(out, "repositories", names.size());
    }
    out.finish();
    return s.status();
}

// Tags of one repository in version order, with their digests where they are wanted.
std::vector<std::string> sorted_tags(const index& from, const std::string& repository, bool reverse)
{
    std::vector<std::string> tags;
    from.for_each_tag(repository,
                      [&](const tag_view& view) {
                          tags.emplace_back(view.tag);
                          return true;
                      })
        .value();
    sort_tags(tags, reverse);
    return tags;
}

void print_json(session& s, const index& from, const std::vector<std::string>& names, bool reverse)
{
    output out;
    out << "{\"registry\":" << json_string(s.address().canonical()) << ",\"tags\":[";
    const char* comma = "";
    for (const auto& name : names) {
        const std::string repository = json_string(name);
        for (const auto& tag : sorted_tags(from, name, reverse)) {
            const auto found = from.find(name, tag).value();
            out << comma << "{\"repository\":" << repository << ",\"tag\":" << json_string(tag)
                << ",\"digest\":" << json_string(found ? found->to_string() : std::string()) << "}";
            comma = ",";
        }
    }
    out << "]}\n";
    out.finish();
}

int print_table(session& s, const index& from, const std::vector<std::string>& names, const list_tags_options& how)
{
    output out;
    known_details known(s);
    std::vector<table::column> columns;
    if (how.image_names)
        columns = {{"image"}, {"digest"}};
    else
        columns = {{"repository"}, {"tag"}, {"digest"}};
    const auto more = known.columns();
    columns.insert(columns.end(), more.begin(), more.end());
    table rows(out, std::move(columns));
    std::size_t count = 0;
    for (const auto& name : names) {
        const std::string image = s.address().name + "/" + name + ":";
        for (const auto& tag : sorted_tags(from, name, how.reverse)) {
            const auto found = from.find(name, tag).value();
            std::vector<std::string> cells;
            if (how.image_names)
                cells = {image + tag};
            else
                cells = {name, tag};
            cells.push_back(found ? short_digest(*found) : std::string());
            const auto facts = known.cells(found.value_or(digest()));
            cells.insert(cells.end(), facts.begin(), facts.end());
            rows.add(std::move(cells));
            ++count;
        }
    }
    rows.finish();
    if (s.options().count)
        print_count(out, "tags", count);
    out.finish();
    return s.status();
}

int list_tag_names(session& s, const list_tags_options& how)
{
    const index from = s.open_index();
    const auto names = repositories_with_tags(from, how.repositories);
    if (s.options().output == output_format::json) {
        print_json(s, from, names, how.reverse);
        return s.status();
    }
    if (s.options().output == output_format::table)
        return print_table(s, from, names, how);
    std::size_t width = 0;
    for (const auto& name : names)
        width = std::max(width, name.size());
    output out;
    std::size_t count = 0;
    for (const auto& name : names) {
        const std::string prefix =
            how.image_names ? s.address().name + "/" + name + ":" : name + std::string(width - name.size() + 2, ' ');
        const auto tags = sorted_tags(from, name, how.reverse);
        for (const auto& tag : tags)
            out << prefix << tag << "\n";
        count += tags.size();
    }
    if (s.options().count)
        print_count(out, "tags", count);
    out.finish();
    return s.status();
}

} // namespace

command_runner add_list_repo_names(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("list-repo-names", "List the repositories that have tags");
    return list_repo_names;
}

command_runner add_list_tag_names(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("list-tag-names", "List tags, of all repositories or of those named");
    const auto how = std::make_shared<list_tags_options>();
    subcommand->add_option("repo", how->repositories, "Repositories to show")->type_name("REPO");
    subcommand->add_flag("--reverse-sort", how->reverse, "Newest version first");
    subcommand->add_flag("--image-names", how->image_names, "Print registry/repository:tag");
    return [how](session& s) { return list_tag_names(s, *how); };
}

} // namespace regsweep::cli
