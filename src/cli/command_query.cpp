#include "cli/count.hpp"
#include "cli/details.hpp"
#include "cli/selection_options.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <memory>

namespace regsweep::cli {
namespace {

struct query_options
{
    selection_options what;
    bool explain = false;
};

void print_json(session& s, const selection& chosen)
{
    const auto counts = chosen.counts();
    output out;
    out << "{\"registry\":" << json_string(s.address().canonical()) << ",\"selected\":" << std::to_string(counts.in)
        << ",\"kept\":" << std::to_string(counts.out) << ",\"conflicts\":" << std::to_string(counts.conflicts)
        << ",\"digests\":[";
    for (std::size_t i = 0; i != chosen.size(); ++i)
        out << (i == 0 ? "" : ",\n") << boost::json::serialize(to_json(chosen[i]));
    out << "]}\n";
    out.finish();
}

void print_explanation(const selection& chosen)
{
    output out;
    for (std::size_t i = 0; i != chosen.size(); ++i)
        for (const auto& line : explain(chosen[i]))
            out << line << "\n";
    out.finish();
}

void print_text(session& s, const selection& chosen, const std::vector<std::string>& repositories)
{
    std::size_t width = 0;
    for (const auto& name : repositories)
        width = std::max(width, name.size());
    output out;
    for (std::size_t i = 0; i != chosen.size(); ++i) {
        const decision d = chosen[i];
        if (d.in())
            out << d.repository() << std::string(width - d.repository().size() + 2, ' ') << d.id().to_string() << "\n";
    }
    if (s.options().count)
        print_count(out, "selected digests", chosen.counts().in);
    out.finish();
}

void print_table(session& s, const selection& chosen)
{
    output out;
    known_details known(s);
    std::vector<table::column> columns = {{"repository"}, {"tag"}, {"digest"}};
    const auto more = known.columns();
    columns.insert(columns.end(), more.begin(), more.end());
    table rows(out, std::move(columns));
    for (std::size_t i = 0; i != chosen.size(); ++i) {
        const decision d = chosen[i];
        if (!d.in())
            continue;
        for (const auto& use : d.uses()) {
            if (!use.selected())
                continue;
            std::vector<std::string> cells = {std::string(use.repository()), std::string(use.tag()),
                                              short_digest(d.id())};
            const auto facts = known.cells(d.id());
            cells.insert(cells.end(), facts.begin(), facts.end());
            rows.add(std::move(cells));
        }
    }
    rows.finish();
    if (s.options().count)
        print_count(out, "selected digests", chosen.counts().in);
    out.finish();
}

int query(session& s, const query_options& how, bool tags)
{
    const bool as_table = s.options().output == output_format::table;
    if (as_table && how.explain)
        throw usage_error("--explain has no table: leave one of them out, or use --output json");
    const index from = s.open_index();
    const selection chosen = select(s, from, how.what, tags);
    // JSON and explanations show conflicts; the plain list stops at them, as docker-registry-util does.
    if (s.options().output == output_format::json)
        print_json(s, chosen);
    else if (how.explain)
        print_explanation(chosen);
    chosen.check().value();
    if (as_table)
        print_table(s, chosen);
    else if (s.options().output == output_format::text && !how.explain)
        print_text(s, chosen, how.what.repositories);
    return s.status();
}

command_runner add_query(CLI::App* subcommand, bool tags)
{
    const auto how = std::make_shared<query_options>();
    add_repository_selection(*subcommand, how->what);
    if (tags)
        add_tag_selection(*subcommand, how->what);
    subcommand->add_flag("--explain", how->explain, "Say for each digest why it is selected or not");
    return [how, tags](session& s) { return query(s, *how, tags); };
}

} // namespace

command_runner add_query_repos(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("query-repos", "Show the digests of repositories that nothing else uses");
    return add_query(subcommand, false);
}

command_runner add_query_tags(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("query-tags", "Show the digests of tags that nothing else uses");
    return add_query(subcommand, true);
}

} // namespace regsweep::cli
