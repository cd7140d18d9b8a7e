#include "cli/interruption.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"
#include "regsweep/load/limit.hpp"
#include "regsweep/load/report.hpp"
#include "regsweep/load/sample.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>

namespace regsweep::cli {
namespace {

constexpr unsigned default_concurrency = 32;
constexpr unsigned largest_concurrency = 4096;
constexpr std::size_t most_targets = 10'000'000;
constexpr std::size_t blob_manifests = 200;
constexpr std::uint64_t largest_blob = std::uint64_t{16} << 20;
constexpr double default_seconds = 10;
constexpr const char* default_mix = "head=80,tags=15,catalog=5";

enum class bench_output { as_given, text, json, hgrm };

struct bench_options
{
    std::string op = "mix";
    std::string mix = default_mix;
    std::string concurrency;
    double duration = 0;
    std::uint64_t requests = 0;
    double warmup = 0;
    target_order order = target_order::random;
    std::uint64_t seed = 1;
    bool find_limit = false;
    double slo_p99 = 100;
    double hold = 10;
    bench_output form = bench_output::as_given;
    std::string hgrm;
    std::string html;
    std::string compare;
};

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

std::string bytes_text(double bytes)
{
    static constexpr const char* units[] = {"B", "kB", "MB", "GB", "TB"};
    std::size_t unit = 0;
    for (; bytes >= 999.5 && unit + 1 != std::size(units); ++unit)
        bytes /= 1000;
    return fixed(bytes, unit == 0 ? 0 : 1) + " " + units[unit];
}

std::string milliseconds(double ms)
{
    return fixed(ms, ms < 10 ? 3 : ms < 100 ? 2 : 1);
}

std::string right(std::string text, std::size_t width)
{
    return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string left(std::string text, std::size_t width)
{
    return text.size() < width ? text + std::string(width - text.size(), ' ') : text;
}

// --- what is asked for

operation_mix mix_of(const bench_options& how)
{
    if (how.op == "mix") {
        const auto mix = parse_mix(how.mix);
        if (!mix)
            throw usage_error("--mix: " + mix.error().detail);
        return *mix;
    }
    const auto op = parse_operation(how.op);
    if (!op)
        throw usage_error("--op " + printable(how.op, 60) +
                          ": it is one of ping, catalog, tags, head, get, blob, mix; deletions are made, and their "
                          "rate is told, by regsweep apply");
    operation_mix mix{};
    mix[static_cast<std::size_t>(*op)] = 1;
    return mix;
}

std::vector<unsigned> levels_of(const session& s, const std::string& text)
{
    if (text.empty())
        return {s.options().concurrency != 0 ? s.options().concurrency : default_concurrency};
    std::vector<unsigned> levels;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        unsigned level = 0;
        const auto [stop, ec] = std::from_chars(text.data() + begin, text.data() + end, level);
        if (ec != std::errc() || stop != text.data() + end || level == 0 || level > largest_concurrency)
            throw usage_error("--concurrency " + printable(text, 60) + ": write numbers from 1 to " +
                              std::to_string(largest_concurrency) + ", e.g. 32 or 1,2,4,8,16,32");
        levels.push_back(level);
        begin = end + 1;
    }
    return levels;
}

bool has(const operation_mix& mix, operation op)
{
    return mix[static_cast<std::size_t>(op)] != 0;
}

bool needs_manifests(const operation_mix& mix)
{
    return has(mix, operation::head) || has(mix, operation::get) || has(mix, operation::blob);
}

bool needs_names(const operation_mix& mix)
{
    return needs_manifests(mix) || has(mix, operation::tags);
}

using references = std::vector<registry_sample::reference>;

// Keeps `blob_manifests` of all, each as likely as any other (reservoir sampling).
class manifest_sample
{
public:
    explicit manifest_sample(std::uint64_t seed) : random_(seed) {}
    void add(std::string_view repository, std::string_view reference)
    {
        ++seen_;
        if (kept_.size() < blob_manifests)
            kept_.emplace_back(repository, reference);
        else if (const std::size_t place = random_.below(seen_); place < blob_manifests)
            kept_[place] = {std::string(repository), std::string(reference)};
    }
    const references& kept() const noexcept { return kept_; }

private:
    split_mix random_;
    std::size_t seen_ = 0;
    references kept_;
};

void read_index(const index& from, bool manifests, load_targets& into, manifest_sample& some)
{
    std::vector<std::string> names;
    from.for_each_repository([&](const repository_info& info) {
            names.push_back(info.name);
            into.add_repository(info.name);
            return names.size() < most_targets;
        })
        .value();
    std::size_t count = 0;
    for (const auto& name : names) {
        if (!manifests || count == most_targets)
            break;
        from.for_each_tag(name,
                          [&](const tag_view& view) {
                              into.add_manifest(name, view.tag);
                              some.add(name, view.tag);
                              return ++count < most_targets;
                          })
            .value();
    }
}

void read_registry(session& s, const load_options& load, load_targets& into, manifest_sample& some)
{
    const crawl_options& limits = s.connection();
    sample_options how;
    how.names = limits.names;
    how.patterns = limits.patterns;
    how.page_size = s.options().page_size;
    const bool exact = std::none_of(how.patterns.begin(), how.patterns.end(), [](const std::string& pattern) {
        return pattern.find_first_of("*?[") != std::string::npos;
    });
    if (exact && how.names.empty())
        how.names = how.patterns;
    const auto found = read_sample(load, how).value();
    for (const auto& name : found.repositories)
        into.add_repository(name);
    for (const auto& [repository, tag] : found.manifests) {
        into.add_manifest(repository, tag);
        some.add(repository, tag);
    }
    terminal::standard().info("there is no index: asking for " + with_commas(found.manifests.size()) + " tags of " +
                              with_commas(found.repositories.size()) + " repositories that a short look found");
}

load_targets find_targets(session& s, const load_options& load)
{
    load_targets targets(s.address().prefix, s.options().page_size);
    manifest_sample some(load.seed);
    if (!needs_names(load.mix))
        return targets;
    std::error_code ec;
    if (s.options().refresh || (!s.index_file().empty() && std::filesystem::exists(s.index_file(), ec)))
        read_index(s.open_index(), needs_manifests(load.mix), targets, some);
    else
        read_registry(s, load, targets, some);
    if (has(load.mix, operation::blob))
        for (const auto& [repository, digest] : find_blobs(load, some.kept(), largest_blob))
            targets.add_blob(repository, digest);
    return targets;
}

load_options load_of(session& s, const bench_options& how)
{
    const crawl_options& to = s.connection();
    load_options load;
    load.address = to.address;
    load.registry = to.registry;
    load.http = to.http;
    load.http.rate = 0;
    load.mix = mix_of(how);
    load.order = how.order;
    load.seed = how.seed;
    load.threads = to.threads;
    load.rate = s.options().rate;
    const auto nanoseconds = [](double seconds) {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(seconds * 1e9)));
    };
    load.warmup = nanoseconds(how.warmup);
    load.requests = how.requests;
    load.duration = nanoseconds(how.duration > 0 || how.requests != 0 ? how.duration : default_seconds);
    return load;
}

// --- running

// A connection is a file: a shell's usual limit on them is less than a load may want.
void raise_file_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Runs one load after the other, shows how each goes, and ends the one that runs at an interrupt.
class bench_runner
{
public:
    explicit bench_runner(const load_targets& targets) : targets_(targets) {}

    load_result run(const load_options& how, const std::string& what)
    {
        load_generator load(how, targets_);
        {
            const std::lock_guard lock(guard_);
            current_ = &load;
            what_ = what;
            if (stopped_)
                load.cancel();
        }
        load_result out = load.run();
        const std::lock_guard lock(guard_);
        current_ = nullptr;
        return out;
    }

    void stop()
    {
        const std::lock_guard lock(guard_);
        stopped_ = true;
        if (current_ != nullptr)
            current_->cancel();
    }

    std::string line()
    {
        const std::lock_guard lock(guard_);
        const auto last = current_ ? current_->latest() : std::nullopt;
        if (!last)
            return what_;
        const double rate = last->seconds > 0 ? static_cast<double>(last->requests) / last->seconds : 0;
        return what_ + (last->warmup ? " (warm-up)" : "") + ": " + rate_text(rate) + "/s, p50 " +
               milliseconds(last->p50_ms) + " ms, p99 " + milliseconds(last->p99_ms) + " ms, " +
               with_commas(last->errors) + " errors, " + fixed(last->begin + last->seconds, 0) + " s";
    }

private:
    const load_targets& targets_;
    std::mutex guard_;
    load_generator* current_ = nullptr;
    std::string what_;
    bool stopped_ = false;
};

std::string load_name(const load_options& how)
{
    if (how.rate > 0)
        return rate_text(how.rate) + " requests/s wanted";
    return std::to_string(how.concurrency) + (how.concurrency == 1 ? " connection" : " connections");
}

void run_levels(bench_runner& runner, load_options load, const std::vector<unsigned>& levels, load_report& into)
{
    for (const unsigned level : levels) {
        load.concurrency = level;
        into.runs.push_back(runner.run(load, load_name(load)));
        if (into.runs.back().interrupted)
            return;
    }
}

void find_limit(bench_runner& runner, load_options load, const bench_options& how, load_report& into)
{
    limit_options by;
    by.first_rate = load.rate > 0 ? load.rate : by.first_rate;
    by.slo_p99_ms = how.slo_p99;
    by.hold_seconds = how.hold;
    limit_search search(by);
    load.requests = 0;
    std::optional<load_result> latest;
    while (const auto step = search.next()) {
        load.rate = step->rate;
        load.duration = std::chrono::nanoseconds(std::llround(step->seconds * 1e9));
        latest = runner.run(load, "trying " + rate_text(step->rate) + " requests/s");
        if (latest->interrupted)
            break;
        search.tried(judge(*latest, by));
        const limit_trial& trial = search.trials().back();
        terminal::standard().info(rate_text(trial.rate) + " requests/s for " + fixed(trial.seconds, 1) + " s: " +
                                  (trial.held ? "holds, p99 " + milliseconds(trial.p99_ms) + " ms" : trial.why));
    }
    if (latest)
        into.runs.push_back(*std::move(latest));
    into.limit = limit_report{by.slo_p99_ms, by.max_errors, by.hold_seconds, search.found(), search.trials()};
}

// --- showing

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

void print_run(output& out, const load_result& run)
{
    const auto line = [&](std::string label, const std::string& value) {
        out << left(std::move(label), 14) << value << "\n";
    };
    line("connections", std::to_string(run.concurrency) +
                            (run.wanted_rate > 0 ? " at the most, " + rate_text(run.wanted_rate) + " requests/s wanted"
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

void print_text(const load_report& report, const load_report* earlier, const std::string& compared)
{
    output out;
    out << left("registry", 14) << report.registry << "\n" << left("load", 14) << to_string(report.mix) << "\n";
    if (!report.runs.empty() && report.runs.back().interrupted)
        out << left("interrupted", 14) << "these are the results so far\n";
    if (report.limit)
        print_limit(out, *report.limit);
    if (report.runs.size() == 1)
        print_run(out, report.runs.front());
    else if (!report.runs.empty())
        print_levels(out, report.runs);
    if (earlier != nullptr)
        print_comparison(out, report, *earlier, compared);
    out.finish();
}

histogram whole(const load_report& report)
{
    return report.runs.empty() ? histogram() : report.runs.back().latency();
}

void write_file(const std::string& name, const std::string& text)
{
    if (name == "-") {
        output out;
        out << text;
        out.finish();
        return;
    }
    std::ofstream file(name, std::ios::binary | std::ios::trunc);
    file << text;
    if (!file.flush())
        throw failure({errc::io, name + ": cannot be written"});
}

load_report read_earlier(const std::string& name)
{
    std::ifstream file(name, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file)
        throw failure({errc::io, name + ": cannot be read"});
    auto report = read_report(text);
    if (!report) {
        error e = report.error();
        e.detail = name + ": " + e.detail;
        throw failure(e);
    }
    return *std::move(report);
}

void show(const session& s, const bench_options& how, const load_report& report, const load_report* earlier)
{
    const bool json = how.form == bench_output::json ||
                      (how.form == bench_output::as_given && s.options().output == output_format::json);
    if (how.form == bench_output::hgrm)
        write_file("-", to_hgrm(whole(report)));
    else if (json)
        write_file("-", to_json(report) + "\n");
    else
        print_text(report, earlier, how.compare);
    if (!how.hgrm.empty())
        write_file(how.hgrm, to_hgrm(whole(report)));
    if (!how.html.empty())
        write_file(how.html, to_html(report, earlier));
}

int status_of(const load_report& report)
{
    const bool interrupted = !report.runs.empty() && report.runs.back().interrupted;
    if (interrupted)
        return exit_interrupted;
    const bool none = std::all_of(report.runs.begin(), report.runs.end(),
                                  [](const load_result& run) { return run.requests == run.errors; });
    return none ? exit_failed : exit_done;
}

int bench(session& s, const bench_options& how)
{
    const auto levels = levels_of(s, how.concurrency);
    if (how.find_limit && (how.requests != 0 || levels.size() != 1))
        throw usage_error("--find-limit chooses rates by itself: it takes one --concurrency and no --requests");
    raise_file_limit();
    load_options load = load_of(s, how);
    load.concurrency = levels.front();
    std::optional<load_report> earlier;
    if (!how.compare.empty())
        earlier = read_earlier(how.compare);

    load_report report;
    report.registry = s.address().canonical();
    report.mix = load.mix;
    report.order = load.order;
    report.seed = load.seed;
    report.threads = load.threads;
    report.warmup_seconds = how.warmup;
    std::optional<load_targets> targets;
    {
        const interruption stop([] {}); // nothing to print yet: it ends the program
        check_registry(load).value();
        targets.emplace(find_targets(s, load));
    }
    bench_runner runner(*targets);
    report.started_at =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    {
        const interruption stop([&] { runner.stop(); });
        const progress_display progress([&] { return runner.line(); });
        if (how.find_limit)
            find_limit(runner, load, how, report);
        else
            run_levels(runner, load, levels, report);
    }
    show(s, how, report, earlier ? &*earlier : nullptr);
    return status_of(report);
}

void add_load_options(CLI::App& subcommand, bench_options& into)
{
    const std::string group = "Load";
    subcommand
        .add_option("--op", into.op, "What to ask for: ping, catalog, tags, head, get, blob, or mix as --mix says")
        ->type_name("OPERATION")
        ->capture_default_str()
        ->group(group);
    subcommand.add_option("--mix", into.mix, "Operations and how often each is asked for")
        ->type_name("OP=N,...")
        ->capture_default_str()
        ->group(group);
    subcommand
        .add_option("--concurrency", into.concurrency,
                    "Requests in flight; several numbers are measured one after the other, e.g. 1,2,4,8,16,32")
        ->type_name("N,...")
        ->group(group);
    subcommand.add_option("--duration", into.duration, "Seconds that are measured [10, without --requests]")
        ->check(CLI::Range(0.01, 86400.0))
        ->group(group);
    subcommand.add_option("--requests", into.requests, "Requests that are measured, instead of or within --duration")
        ->check(CLI::PositiveNumber)
        ->group(group);
    subcommand.add_option("--warmup", into.warmup, "Seconds before that, which are not measured")
        ->check(CLI::Range(0.0, 86400.0))
        ->capture_default_str()
        ->group(group);
    subcommand.add_option("--order", into.order, "Order of what is asked for")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, target_order>{{"random", target_order::random}, {"listed", target_order::listed}}))
        ->type_name("random|listed")
        ->group(group);
    subcommand.add_option("--seed", into.seed, "Of the random order: the same seed asks for the same")
        ->capture_default_str()
        ->group(group);
}

void add_limit_options(CLI::App& subcommand, bench_options& into)
{
    const std::string group = "Limit";
    subcommand.add_flag("--find-limit", into.find_limit, "Find the highest rate that holds")->group(group);
    subcommand.add_option("--slo-p99", into.slo_p99, "Milliseconds that 99 % of the answers may take")
        ->check(CLI::Range(0.001, 3.6e6))
        ->capture_default_str()
        ->group(group);
    subcommand.add_option("--hold", into.hold, "Seconds that a rate has to hold")
        ->check(CLI::Range(0.1, 86400.0))
        ->capture_default_str()
        ->group(group);
}

void add_result_options(CLI::App& subcommand, bench_options& into)
{
    const std::string group = "Result";
    subcommand.add_option("--output", into.form, "Form of the output; hgrm is HdrHistogram's text, for its plotter")
        ->transform(CLI::CheckedTransformer(std::map<std::string, bench_output>{
            {"text", bench_output::text}, {"json", bench_output::json}, {"hgrm", bench_output::hgrm}}))
        ->type_name("text|json|hgrm")
        ->group(group);
    subcommand.add_option("--hgrm", into.hgrm, "Write the latencies of the last run as HdrHistogram's text as well")
        ->type_name("FILE")
        ->group(group);
    subcommand.add_option("--html", into.html, "Write a page that shows the results; it needs no network")
        ->type_name("FILE")
        ->group(group);
    subcommand.add_option("--compare", into.compare, "Show an earlier --output json beside the results")
        ->type_name("FILE")
        ->group(group);
}

} // namespace

command_runner add_bench(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("bench", "Put a load on the registry and measure its answers");
    subcommand->footer(
        "--threads is the number of threads, --rate R sends R requests a second whatever comes back, and "
        "counts latencies from when each was due; without it a request follows an answer.");
    const auto how = std::make_shared<bench_options>();
    add_load_options(*subcommand, *how);
    add_limit_options(*subcommand, *how);
    add_result_options(*subcommand, *how);
    return [how](session& s) { return bench(s, *how); };
}

} // namespace regsweep::cli
