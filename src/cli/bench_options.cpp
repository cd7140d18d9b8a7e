#include "cli/bench_options.hpp"

#include "cli/choices.hpp"
#include "cli/session.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace regsweep::cli {
namespace {

constexpr unsigned default_concurrency = 32;
constexpr unsigned largest_concurrency = 4096;
constexpr double default_seconds = 10;

operation_mix mix_of(const bench_options& how)
{
    if (how.op == "mix") {
        const auto mix = parse_mix(how.mix);
        if (!mix)
            throw usage_error("--mix: " + mix.error().detail);
        if ((*mix)[static_cast<std::size_t>(operation::remove)] != 0)
            throw usage_error("--mix: delete is no part of a mix: --op delete carries out a plan");
        return *mix;
    }
    const auto op = parse_operation(how.op);
    if (!op)
        throw usage_error("--op " + printable(how.op, 60) +
                          ": it is one of ping, catalog, tags, head, get, blob, delete, mix");
    operation_mix mix{};
    mix[static_cast<std::size_t>(*op)] = 1;
    return mix;
}

void add_load_options(CLI::App& subcommand, bench_options& into)
{
    const std::string group = "Load";
    auto* const op =
        subcommand.add_option("--op", into.op, "What to ask for; delete as --plan says, mix as --mix says")
            ->capture_default_str()
            ->group(group);
    std::vector<choice> operations;
    for (const char* name : {"ping", "catalog", "tags", "head", "get", "blob", "delete", "mix"})
        operations.emplace_back(name, name);
    limit_to(*op, std::move(operations));
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
        ->check(number_between(0.01, 86400.0))
        ->group(group);
    subcommand.add_option("--requests", into.requests, "Requests that are measured, instead of or within --duration")
        ->check(CLI::PositiveNumber)
        ->group(group);
    subcommand.add_option("--warmup", into.warmup, "Seconds before that, which are not measured")
        ->check(number_between(0.0, 86400.0))
        ->capture_default_str()
        ->group(group);
    auto* const order = subcommand.add_option("--order", into.order, "Order of what is asked for")->group(group);
    limit_to<target_order>(*order, {{"random", target_order::random}, {"listed", target_order::listed}});
    subcommand.add_option("--seed", into.seed, "Of the random order: the same seed asks for the same")
        ->capture_default_str()
        ->group(group);
}

void add_delete_options(CLI::App& subcommand, bench_options& into)
{
    const std::string group = "Deletion";
    subcommand.add_option("--plan", into.plan, "The plan that --op delete carries out, as --plan-out has written it")
        ->type_name("FILE")
        ->check(file_name())
        ->group(group);
    subcommand.add_flag("--yes-delete", into.yes_delete, "Yes, --op delete may delete")->group(group);
}

void add_limit_options(CLI::App& subcommand, bench_options& into)
{
    const std::string group = "Limit";
    subcommand.add_flag("--find-limit", into.find_limit, "Find the highest rate that holds")->group(group);
    subcommand.add_option("--slo-p99", into.slo_p99, "Milliseconds that 99 % of the answers may take")
        ->check(number_between(0.001, 3.6e6))
        ->capture_default_str()
        ->group(group);
    subcommand.add_option("--hold", into.hold, "Seconds that a rate has to hold")
        ->check(number_between(0.1, 86400.0))
        ->capture_default_str()
        ->group(group);
}

void add_result_options(CLI::App& subcommand, bench_options& into)
{
    const std::string group = "Result";
    auto* const form =
        subcommand
            .add_option("--output", into.form, "Form of the output; hgrm is HdrHistogram's text, for its plotter")
            ->group(group);
    limit_to<bench_output>(*form, {{"table", bench_output::table},
                                   {"text", bench_output::text},
                                   {"json", bench_output::json},
                                   {"hgrm", bench_output::hgrm}});
    subcommand.add_option("--hgrm", into.hgrm, "Write the latencies of the last run as HdrHistogram's text as well")
        ->type_name("FILE")
        ->check(file_name())
        ->group(group);
    subcommand.add_option("--html", into.html, "Write a page that shows the results; it needs no network")
        ->type_name("FILE")
        ->check(file_name())
        ->group(group);
    subcommand.add_option("--compare", into.compare, "Show an earlier --output json beside the results")
        ->type_name("FILE")
        ->check(file_name())
        ->group(group);
}

} // namespace

void add_bench_options(CLI::App& subcommand, bench_options& into)
{
    add_load_options(subcommand, into);
    add_delete_options(subcommand, into);
    add_limit_options(subcommand, into);
    add_result_options(subcommand, into);
}

void check_bench_options(const bench_options& how)
{
    const bool several = how.concurrency.find(',') != std::string::npos;
    if (how.find_limit && (how.requests != 0 || several))
        throw usage_error("--find-limit chooses rates by itself: it takes one --concurrency and no --requests");
    if (!how.deletes() && (how.yes_delete || !how.plan.empty()))
        throw usage_error("--plan and --yes-delete are for --op delete alone");
    if (!how.deletes())
        return;
    if (how.plan.empty())
        throw usage_error("--op delete carries out a plan: write one with remove-repos or remove-tags --dry-run "
                          "--plan-out FILE, and give it with --plan FILE");
    if (!how.yes_delete)
        throw usage_error("--op delete deletes what the plan names: add --yes-delete if that is wanted");
    if (how.find_limit || several || how.requests != 0 || how.duration != 0 || how.warmup != 0)
        throw usage_error("--op delete carries out its whole plan once: it takes one --concurrency, and no "
                          "--find-limit, --requests, --duration or --warmup");
}

std::vector<unsigned> levels_of(const session& s, const bench_options& how)
{
    const std::string& text = how.concurrency;
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
    load.concurrency = levels_of(s, how).front();
    load.rate = s.options().rate;
    const auto nanoseconds = [](double seconds) {
        return std::chrono::nanoseconds(static_cast<std::int64_t>(std::llround(seconds * 1e9)));
    };
    load.warmup = nanoseconds(how.warmup);
    load.requests = how.requests;
    load.duration = nanoseconds(how.duration > 0 || how.requests != 0 ? how.duration : default_seconds);
    return load;
}

} // namespace regsweep::cli
