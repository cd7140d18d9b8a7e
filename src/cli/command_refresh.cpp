#include "cli/session.hpp"
#include "cli/terminal.hpp"

#include <cstdio>
#include <memory>

namespace regsweep::cli {
namespace {

std::string fixed(double value, int digits)
{
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

void print_json(const session& s, const session::crawled& done, double rate)
{
    output out;
    const auto number = [&](const char* key, std::uint64_t value) {
        out << ",\"" << key << "\":" << std::to_string(value);
    };
    out << "{\"registry\":" << json_string(s.address().canonical());
    out << ",\"index\":" << (s.index_file().empty() ? "null" : json_string(s.index_file().string()));
    number("repositories", done.summary.repositories);
    number("tags", done.summary.tags);
    number("digests", done.summary.digests);
    number("skipped", done.report.skipped);
    number("gone", done.report.gone);
    number("incomplete", done.report.incomplete);
    number("requests", done.report.requests);
    number("retries", done.report.retries);
    out << ",\"seconds\":" << fixed(done.report.seconds, 3) << ",\"tags_per_second\":" << fixed(rate, 1);
    out << ",\"problems\":[";
    const char* comma = "";
    for (const auto& [name, why] : done.report.problems) {
        out << comma << "{\"repository\":" << json_string(name) << ",\"reason\":" << json_string(why) << "}";
        comma = ",";
    }
    out << "]}\n";
    out.finish();
}

void print_text(const session& s, const session::crawled& done, double rate)
{
    output out;
    const auto line = [&](std::string label, const std::string& value) {
        label.resize(14, ' ');
        out << label << value << "\n";
    };
    line("repositories", with_commas(done.summary.repositories));
    line("tags", with_commas(done.summary.tags));
    line("digests", with_commas(done.summary.digests));
    line("skipped", with_commas(done.report.gone) + " tags gone meanwhile, " + with_commas(done.report.incomplete) +
                        " repositories incomplete");
    line("requests", with_commas(done.report.requests));
    line("retries", with_commas(done.report.retries));
    line("seconds", fixed(done.report.seconds, 2));
    line("tags/s", with_commas(static_cast<std::uint64_t>(rate)));
    line("index", s.index_file().empty() ? "in memory" : s.index_file().string());
    out.finish();
}

} // namespace

command_runner add_refresh(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("refresh", "Crawl the registry into a new index and say what was found");
    const auto resume = std::make_shared<bool>(false);
    subcommand->add_flag("--resume", *resume, "Go on where an interrupted refresh stopped");
    return [resume](session& s) {
        const auto done = s.crawl(*resume);
        const double rate = static_cast<double>(done.report.tags) / std::max(done.report.seconds, 1e-6);
        if (s.options().output == output_format::json)
            print_json(s, done, rate);
        else
            print_text(s, done, rate);
        s.tell_problems(done.report);
        return s.status();
    };
}

} // namespace regsweep::cli
