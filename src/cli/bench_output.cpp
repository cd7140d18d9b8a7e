#include "cli/bench_output.hpp"

#include "cli/session.hpp"
#include "cli/sweeping.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>

namespace regsweep::cli {
namespace {

std::string bytes_text(double bytes)
{
    static constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    for (; bytes >= 999.5 && unit + 1 != std::size(units); ++unit)
        bytes /= 1000;
    return fixed(bytes, unit == 0 ? 0 : 1) + " " + units[unit];
}

std::string right(std::string text, std::size_t width)
{
    return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string left(std::string text, std::size_t width)
{
    return text.size() < width ? text + std::string(width - text.size(), ' ') : text;
}
std::string failures_text(const load_result& of)
{
    std::string text;
    for (const auto& [kind, count] : of.failures())
        text += (text.empty() ? "" : ", ") + kind + " " + with_commas(count);
    return text;
}

std::string latency_row(const histogram& h)
{
    const auto at = [&](double percent) {
        return right(milliseconds(static_cast<double>(h.percentile(percent).count()) / 1e6), 10);
    };
    return right(milliseconds(static_cast<double>(h.min().count()) / 1e6), 10) +
           right(milliseconds(h.mean() / 1e6), 10) + at(50) + at(90) + at(99) + at(99.9) +
           right(milliseconds(static_cast<double>(h.max().count()) / 1e6), 10);
}

void print_line(output& out, std::string label, const std::string& value)
{
    out << left(std::move(label), 14) << value << "\n";
}

void print_run(output& out, const load_result& run, bool deletes)
{
    const auto line = [&](std::string label, const std::string& value) { print_line(out, std::move(label), value); };
    line("connections", std::to_string(run.concurrency) +
                            (run.wanted_rate > 0 ? " at the most, " + rate_text(run.wanted_rate) + " requests/s wanted"
                             : deletes           ? " at the most, checks and what is kept for the journal among them"
                                                 : ", each asks again when it is answered"));
    line("requests",
         with_commas(run.requests) + " in " + fixed(run.seconds, 2) + " s" +
             (run.warmup_requests != 0 ? ", after " + with_commas(run.warmup_requests) + " not measured (warm-up)"
                                       : ""));
    line("rate",
         rate_text(run.rate) + "/s" + (run.errors != 0 ? ", without errors " + rate_text(run.good_rate) + "/s" : ""));
    if (run.unsent != 0)
        line("unsent", with_commas(run.unsent) + " were due, but every connection waited for an answer");
    const double share = run.requests == 0 ? 0 : static_cast<double>(run.errors) / static_cast<double>(run.requests);
    line("errors", with_commas(run.errors) +
                       (run.errors != 0 ? " (" + fixed(share * 100, 2) + " %): " + failures_text(run) : ""));
    if (!run.first_failure.empty())
        line("first failure", printable(run.first_failure));
    if (run.bytes != 0)
        line("received",
             bytes_text(static_cast<double>(run.bytes)) +
                 (run.seconds > 0 ? ", " + bytes_text(static_cast<double>(run.bytes) / run.seconds) + "/s" : ""));
    out << "\n" << left("latency, ms", 14);
    for (const char* name : {"requests", "errors", "min", "mean", "p50", "p90", "p99", "p99.9", "max"})
        out << right(name, std::string_view(name) == "requests" ? 12 : 10);
    out << "\n";
    const auto row = [&](std::string_view name, std::uint64_t requests, std::uint64_t errors, const histogram& h) {
        out << left(std::string(name), 14) << right(with_commas(requests), 12) << right(with_commas(errors), 10)
            << latency_row(h) << "\n";
    };
    std::size_t shown = 0;
    for (std::size_t i = 0; i != operations; ++i) {
        const operation_result& one = run.by_operation[i];
        if (one.requests == 0)
            continue;
        row(to_string(static_cast<operation>(i)), one.requests, one.errors, one.latency);
        ++shown;
    }
    if (shown != 1)
        row("all", run.requests, run.errors, run.latency());
}

void print_levels(output& out, const std::vector<load_result>& runs)
{
    out << left("connections", 14) << right("requests/s", 12) << right("errors", 10);
    for (const char* name : {"min", "mean", "p50", "p90", "p99", "p99.9", "max"})
        out << right(name, 10);
    out << "  ms\n";
    const load_result* best = &runs.front();
    for (const auto& run : runs) {
        out << left(std::to_string(run.concurrency), 14) << right(rate_text(run.good_rate), 12)
            << right(with_commas(run.errors), 10) << latency_row(run.latency()) << "\n";
        if (run.good_rate > best->good_rate)
            best = &run;
    }
    out << "\nmost          " << rate_text(best->good_rate) << "/s with " << std::to_string(best->concurrency)
        << " connections\n";
}

void print_limit(output& out, const limit_report& limit)
{
    out << right("requests/s", 14) << right("seconds", 10) << right("answered/s", 12) << right("p99, ms", 10)
        << right("errors", 10) << "  \n";
    for (const auto& trial : limit.trials)
        out << right(rate_text(trial.rate), 14) << right(fixed(trial.seconds, 1), 10)
            << right(rate_text(trial.reached), 12) << right(milliseconds(trial.p99_ms), 10)
            << right(fixed(trial.errors * 100, 2) + " %", 10) << "  " << (trial.held ? "holds" : trial.why) << "\n";
    out << "\nlimit         "
        << (limit.rate ? rate_text(*limit.rate) + " requests/s held for " + fixed(limit.hold_seconds, 0) + " s"
                       : std::string("no rate held"))
        << " with p99 up to " << milliseconds(limit.slo_p99_ms) << " ms and errors up to "
        << fixed(limit.max_errors * 100, 0) << " %\n\n";
}

std::string change(double now, double before)
{
    if (before <= 0)
        return "was none";
    const double percent = (now / before - 1) * 100;
    return (percent >= 0 ? "+" : "") + fixed(percent, 1) + " %";
}

void print_comparison(output& out, const load_report& now, const load_report& before, const std::string& file)
{
    out << "\ncompared with " << file << "\n";
    for (const auto& run : now.runs) {
        const auto same = std::find_if(before.runs.begin(), before.runs.end(), [&](const load_result& other) {
            return other.concurrency == run.concurrency && (other.wanted_rate > 0) == (run.wanted_rate > 0);
        });
        if (same == before.runs.end())
            continue;
        const auto at = [&](double percent) {
            return change(static_cast<double>(run.latency().percentile(percent).count()),
                          static_cast<double>(same->latency().percentile(percent).count()));
        };
        out << left(std::to_string(run.concurrency), 14) << "rate " << change(run.good_rate, same->good_rate)
            << ", p50 " << at(50) << ", p99 " << at(99) << "\n";
    }
}

void print_deletion(const session& s, output& out, const deletion_report& of)
{
    print_line(out, "steps",
               with_commas(of.settled) + " of " + with_commas(of.steps) + " settled: " + with_commas(of.gone) +
                   " had nothing left to do, " + with_commas(of.failed) + " failed, " + with_commas(of.dropped) +
                   " were left alone");
    if (of.settled > of.gone + of.failed + of.dropped)
        print_line(out, "undo", undo_command(s, of.run));
}

void print_text(const session& s, const load_report& report, const load_report* earlier, const std::string& compared)
{
    output out;
    out << left("registry", 14) << report.registry << "\n" << left("load", 14) << to_string(report.mix) << "\n";
    if (!report.runs.empty() && report.runs.back().interrupted)
        out << left("interrupted", 14) << "these are the results so far\n";
    if (report.deletion)
        print_deletion(s, out, *report.deletion);
    if (report.limit)
        print_limit(out, *report.limit);
    if (report.runs.size() == 1)
        print_run(out, report.runs.front(), report.deletion.has_value());
    else if (!report.runs.empty())
        print_levels(out, report.runs);
    if (earlier != nullptr)
        print_comparison(out, report, *earlier, compared);
    out.finish();
}

void add_operation(table& rows, const load_result& run, std::string_view name, std::uint64_t requests,
                   std::uint64_t errors, const histogram& h)
{
    std::vector<std::string> cells = {std::to_string(run.concurrency), std::string(name), with_commas(requests),
                                      with_commas(errors),
                                      rate_text(run.seconds > 0 ? static_cast<double>(requests) / run.seconds : 0)};
    for (const double percent : {50.0, 90.0, 99.0, 99.9})
        cells.push_back(milliseconds(static_cast<double>(h.percentile(percent).count()) / 1e6));
    cells.push_back(milliseconds(static_cast<double>(h.max().count()) / 1e6));
    rows.add(std::move(cells));
}

void print_bench_table(const load_report& report)
{
    constexpr auto right = table::align::right;
    output out;
    std::vector<table::column> columns = {
        {"connections", right}, {"operation"}, {"requests", right}, {"errors", right}, {"requests/s", right}};
    for (const char* name : {"p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"})
        columns.push_back({name, right});
    table rows(out, std::move(columns));
    for (const auto& run : report.runs) {
        std::size_t shown = 0;
        for (std::size_t i = 0; i != operations; ++i) {
            const operation_result& one = run.by_operation[i];
            if (one.requests == 0)
                continue;
            add_operation(rows, run, to_string(static_cast<operation>(i)), one.requests, one.errors, one.latency);
            ++shown;
        }
        if (shown != 1)
            add_operation(rows, run, "all", run.requests, run.errors, run.latency());
    }
    rows.finish();
    out.finish();
}

histogram whole(const load_report& report)
{
    return report.runs.empty() ? histogram() : report.runs.back().latency();
}

void write_to(const std::string& name, const std::string& text)
{
    if (name != "-") {
        write_file(name, text).value();
        return;
    }
    output out;
    out << text;
    out.finish();
}

} // namespace

std::string fixed(double value, int digits)
{
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

std::string rate_text(double rate)
{
    return rate < 100 ? fixed(rate, 1) : with_commas(static_cast<std::uint64_t>(std::llround(rate)));
}

std::string milliseconds(double ms)
{
    return fixed(ms, ms < 10 ? 3 : ms < 100 ? 2 : 1);
}

load_report read_earlier(const std::string& name)
{
    std::ifstream file(name, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file)
        throw failure({errc::io, name + ": cannot be read: is it there, and may you read it?"});
    auto report = read_report(text);
    if (!report) {
        error e = report.error();
        e.detail = name + ": " + e.detail;
        throw failure(e);
    }
    return *std::move(report);
}
void show_report(const session& s, const bench_options& how, const load_report& report, const load_report* earlier)
{
    const bool json = how.form == bench_output::json ||
                      (how.form == bench_output::as_given && s.options().output == output_format::json);
    if (how.form == bench_output::hgrm)
        write_to("-", to_hgrm(whole(report)));
    else if (json)
        write_to("-", to_json(report) + "\n");
    else if (how.form == bench_output::table ||
             (how.form == bench_output::as_given && s.options().output == output_format::table))
        print_bench_table(report);
    else
        print_text(s, report, earlier, how.compare);
    if (!how.hgrm.empty())
        write_to(how.hgrm, to_hgrm(whole(report)));
    if (!how.html.empty())
        write_to(how.html, to_html(report, earlier));
}

} // namespace regsweep::cli
