#include "cli/bench_run.hpp"

#include "cli/bench_output.hpp"
#include "cli/terminal.hpp"
#include "regsweep/load/limit.hpp"

#include <cmath>

namespace regsweep::cli {
namespace {

std::string load_name(const load_options& how)
{
    if (how.rate > 0)
        return rate_text(how.rate) + " requests/s wanted";
    return std::to_string(how.concurrency) + (how.concurrency == 1 ? " connection" : " connections");
}

} // namespace

load_result bench_runner::run(const load_options& how, const std::string& what)
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

void bench_runner::stop()
{
    const std::lock_guard lock(guard_);
    stopped_ = true;
    if (current_ != nullptr)
        current_->cancel();
}

std::string bench_runner::line()
{
    const std::lock_guard lock(guard_);
    return live_line(what_, current_ ? current_->latest() : std::nullopt);
}

std::string live_line(const std::string& what, const std::optional<load_interval>& last)
{
    if (!last)
        return what;
    const double rate = last->seconds > 0 ? static_cast<double>(last->requests) / last->seconds : 0;
    return what + (last->warmup ? " (warm-up)" : "") + ": " + rate_text(rate) + "/s, p50 " +
           milliseconds(last->p50_ms) + " ms, p99 " + milliseconds(last->p99_ms) + " ms, " + with_commas(last->errors) +
           " errors, " + fixed(last->begin + last->seconds, 0) + " s";
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

} // namespace regsweep::cli
