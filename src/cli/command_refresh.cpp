#include "cli/details.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

namespace regsweep::cli {
namespace {

std::string fixed(double value, int digits)
{
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

double manifests_a_second(const details_report& report)
{
    return static_cast<double>(report.manifests) / std::max(report.seconds, 1e-6);
}

std::string details_json(const read_details& read)
{
    const details_report& report = read.report;
    std::string out = "{\"file\":" + (read.file.empty() ? "null" : json_string(read.file.string()));
    const auto number = [&](const char* key, std::uint64_t value) {
        out += ",\"" + std::string(key) + "\":" + std::to_string(value);
    };
    number("manifests", report.manifests);
    number("configs", report.configs);
    out += std::string(",\"referrers_api\":") + (report.told ? "true" : "false");
    number("referrers", report.referrers);
    number("absent", report.absent);
    number("failed", report.failed);
    number("forgotten", read.forgotten);
    number("requests", report.requests);
    number("retries", report.retries);
    out += ",\"seconds\":" + fixed(report.seconds, 3) +
           ",\"manifests_per_second\":" + fixed(manifests_a_second(report), 1) + ",\"problems\":[";
    const char* comma = "";
    for (const auto& [name, why] : report.problems) {
        out += comma + std::string("{\"manifest\":") + json_string(name) + ",\"reason\":" + json_string(why) + "}";
        comma = ",";
    }
    return out + "]}";
}

void print_json(const session& s, const session::crawled& done, double rate, const std::optional<read_details>& read)
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
    out << "]";
    if (read)
        out << ",\n\"details\":" << details_json(*read);
    out << "}\n";
    out.finish();
}

void print_text(const session& s, const session::crawled& done, double rate, const std::optional<read_details>& read)
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
    if (read) {
        const details_report& report = read->report;
        out << "\n";
        line("manifests", with_commas(report.manifests) + " read, " + with_commas(report.absent) + " not there, " +
                              with_commas(report.failed) + " failed, " + with_commas(read->forgotten) + " forgotten");
        line("configs", with_commas(report.configs));
        line("referrers",
             report.told ? "told for " + with_commas(report.referrers) + " manifests" : "not told by this registry");
        line("requests", with_commas(report.requests));
        line("retries", with_commas(report.retries));
        line("seconds", fixed(report.seconds, 2));
        line("manifests/s", with_commas(static_cast<std::uint64_t>(manifests_a_second(report))));
        line("details", read->file.empty() ? "in memory" : read->file.string());
    }
    out.finish();
}

} // namespace

command_runner add_refresh(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("refresh", "Crawl the registry into a new index and say what was found");
    const auto resume = std::make_shared<bool>(false);
    subcommand->add_flag("--resume", *resume, "Go on where an interrupted refresh stopped");
    const auto details = std::make_shared<bool>(false);
    subcommand->add_flag("--details", *details, "Read manifests and configs, too: sizes, times, platforms, referrers");
    return [resume, details](session& s) {
        const auto done = s.crawl(*resume);
        const double rate = static_cast<double>(done.report.tags) / std::max(done.report.seconds, 1e-6);
        s.tell_problems(done.report);
        std::optional<read_details> read;
        if (*details)
            read.emplace(refresh_details(s, done.made));
        if (s.options().output == output_format::json)
            print_json(s, done, rate, read);
        else
            print_text(s, done, rate, read);
        return s.status();
    };
}

} // namespace regsweep::cli
