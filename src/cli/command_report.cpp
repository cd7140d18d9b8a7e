#include "cli/choices.hpp"
#include "cli/details.hpp"
#include "cli/session.hpp"
#include "cli/sweeping.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "core/files.hpp"
#include "regsweep/report/report.hpp"

#include <algorithm>
#include <iostream>
#include <memory>
#include <numeric>

namespace regsweep::cli {
namespace {

struct report_options
{
    std::vector<std::string> repositories;
    std::string plan_file;
    std::string html;
    bool no_details = false;
};

std::vector<content_graph::number> report_repositories(const content_graph& graph,
                                                       const std::vector<std::string>& names)
{
    std::vector<content_graph::number> out;
    if (names.empty()) {
        out.resize(graph.repositories());
        std::iota(out.begin(), out.end(), content_graph::number{0});
        return out;
    }
    for (const auto& name : names) {
        const auto found = graph.find_repository(name);
        if (found == content_graph::none)
            throw failure({errc::not_found, "the index has no repository '" + printable(name) +
                                                "'; look with list-repo-names, or crawl again with --refresh"});
        out.push_back(found);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

void write_page(const std::string& name, const registry_report& report)
{
    if (name == "-") {
        write_html(std::cout, report).value();
        if (!std::cout.flush())
            throw failure({errc::io, "standard output cannot be written"});
        return;
    }
    replacing_stream out(replacing_writer::create(name).value());
    const auto done = write_html(out, report);
    if (done || out.bad())
        out.finish().value(); // says why it cannot
    done.value();
}

detailed_graph report_details(session& s, const index& from, bool as_known)
{
    if (!as_known)
        return graph_of(s, from);
    auto store = details_store::open(details_store::beside(s.index_file())).value();
    auto graph = content_graph::load(from, store).value();
    return {std::move(store), std::move(graph)};
}

int make_report(session& s, const report_options& how)
{
    const index from = s.open_index();
    const auto [facts, graph] = report_details(s, from, how.no_details);
    std::optional<plan> planned;
    if (!how.plan_file.empty())
        planned = read_plan_of(s, how.plan_file);
    registry_report report;
    report.registry = s.address().canonical();
    report.tags = &from;
    report.facts = &facts;
    report.graph = &graph;
    report.repositories = report_repositories(graph, how.repositories);
    report.planned = planned ? &*planned : nullptr;
    report.made_at = now_in_seconds();
    write_page(how.html, report);
    return s.status();
}

} // namespace

command_runner add_report(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("report", "Write a page that shows the registry, and what a plan does to it");
    const auto how = std::make_shared<report_options>();
    subcommand
        ->add_option("--html", how->html, "The page to write: one file that needs no network; - is standard output")
        ->type_name("FILE")
        ->check(file_name())
        ->required();
    subcommand->add_option("--repo,-r", how->repositories, "Repositories to show, by their whole names; default: all")
        ->type_name("REPO")
        ->expected(1, -1);
    subcommand->add_option("--plan", how->plan_file, "Show what goes by this plan of --plan-out, what stays, and why")
        ->type_name("FILE")
        ->check(file_name());
    subcommand->add_flag("--no-details", how->no_details,
                         "Read no manifests: show the sizes and times that are known already");
    return [how](session& s) { return make_report(s, *how); };
}

} // namespace regsweep::cli
