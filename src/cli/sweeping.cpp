#include "cli/sweeping.hpp"

#include "cli/choices.hpp"
#include "cli/count.hpp"
#include "cli/interruption.hpp"
#include "cli/plan_file.hpp"
#include "cli/session.hpp"
#include "core/files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>

namespace regsweep::cli {
namespace {

constexpr std::size_t steps_shown = 50;
constexpr std::size_t names_shown = 12;

std::string joined(const std::vector<std::string>& names)
{
    std::string out;
    for (std::size_t i = 0; i != std::min(names.size(), names_shown); ++i)
        out += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > names_shown)
        out += " and " + with_commas(names.size() - names_shown) + " more";
    return out;
}

std::string plural(std::uint64_t n, const std::string& one, const std::string& many)
{
    return with_commas(n) + " " + (n == 1 ? one : many);
}

void show_step(output& out, const plan_step& step)
{
    if (step.kind == step_kind::untag) {
        out << "  untag   " << step.tags.front() << "  of " << step.id.to_string() << ", which stays\n";
        return;
    }
    out << "  delete  " << step.id.to_string() << "  " << (step.tags.empty() ? "without tags" : joined(step.tags))
        << (is_index(step.type) ? "  (multi-arch index)" : "") << "\n";
    if (!step.unasked_tags.empty())
        out << "          TAKES TAGS NOBODY ASKED FOR: " << joined(step.unasked_tags) << "\n";
    if (!step.also_used_by.empty()) {
        const auto& first = step.also_used_by.front();
        out << "          stays in use: " << first.repository << ":" << first.tag;
        const std::uint64_t more = step.also_used_by.size() - 1 + step.also_used_by_more;
        if (more != 0)
            out << " and " << with_commas(more) << " more";
        out << "\n";
    }
}

std::string json_strings(const std::vector<std::string>& list)
{
    std::string out = "[";
    for (const auto& text : list)
        out += (out.size() == 1 ? "" : ",") + json_string(text);
    return out + "]";
}

void json_exceptions(output& out, const std::vector<sweep_exception>& list)
{
    out << "[";
    for (std::size_t i = 0; i != list.size(); ++i)
        out << (i == 0 ? "" : ",") << "{\"repository\":" << json_string(list[i].repository)
            << ",\"digest\":" << json_string(list[i].digest.to_string()) << ",\"tags\":" << json_strings(list[i].tags)
            << ",\"reason\":" << json_string(list[i].why) << "}";
    out << "]";
}

// The options with which another command finds the same registry, index and journal.
std::string same_place(const session& s)
{
    const options& given = s.options();
    const std::string cache = s.cache_to_repeat();
    return " -reg " + quoted(given.registry_name.empty() ? given.registry : given.registry_name) +
           (given.config.empty() ? "" : " --config " + quoted(given.config)) +
           (cache.empty() ? "" : " -c " + quoted(cache));
}

// Says why a plan cannot be read. A pipe is not tried: it would end for who writes it.
void check_readable(const std::string& file)
{
    using std::filesystem::file_type;
    std::error_code ec;
    const auto kind = std::filesystem::status(file, ec).type();
    if (kind != file_type::fifo && kind != file_type::character && kind != file_type::socket)
        open_to_read(file).value();
}

void print_json(session& s, const plan_counts& counts, const sweep_report& done)
{
    output out;
    out << "{\"registry\":" << json_string(s.address().canonical()) << "," << planned_json(counts) << ",";
    json_report(out, done);
    out << "}\n";
    out.finish();
}

} // namespace

std::string counts_text(const plan_counts& counts)
{
    return plural(counts.digests, "manifest", "manifests") + " and " + plural(counts.tags, "tag", "tags") + " in " +
           plural(counts.repositories, "repository", "repositories");
}

std::string planned_json(const plan_counts& counts)
{
    return "\"planned\":{\"repositories\":" + std::to_string(counts.repositories) +
           ",\"tags\":" + std::to_string(counts.tags) + ",\"digests\":" + std::to_string(counts.digests) + "}";
}

void json_report(output& out, const sweep_report& done)
{
    const auto number = [&](const char* key, std::uint64_t value) {
        out << ",\"" << key << "\":" << std::to_string(value);
    };
    out << "\"run\":" << std::to_string(done.run);
    number("removed", done.removed);
    number("removed_tags", done.removed_tags);
    number("untagged", done.untagged);
    number("gone", done.gone);
    number("repaired", done.repaired);
    out << ",\"failed\":";
    json_exceptions(out, done.failed);
    out << ",\"dropped\":";
    json_exceptions(out, done.dropped);
    out << ",\"stopped\":" << (done.stopped ? "true" : "false");
    number("requests", done.requests);
    number("retries", done.retries);
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.3f", done.seconds);
    out << ",\"seconds\":" << seconds;
}

void print_report(session& s, const sweep_report& done)
{
    output out;
    const auto line = [&](std::string label, const std::string& value) {
        label.resize(10, ' ');
        out << label << value << "\n";
    };
    line("removed", plural(done.removed, "manifest", "manifests") + ", " + plural(done.removed_tags, "tag", "tags"));
    if (done.gone != 0)
        line("gone", plural(done.gone, "step", "steps") + " had nothing left to do");
    if (done.repaired != 0)
        line("repaired", plural(done.repaired, "step", "steps") + " of runs that were cut short");
    line("failed", with_commas(done.failed.size()));
    line("dropped", with_commas(done.dropped.size()));
    if (done.removed + done.untagged != 0)
        line("undo", undo_command(s, done.run));
    if (done.removed != 0) {
        line("space", "comes back when the registry collects garbage, e.g. docker-registry garbage-collect CONFIG;");
        line("", "not with --delete-untagged: registry 2.x takes the children of multi-arch images then.");
        line("", "After that nothing can be restored.");
    }
    if (s.options().count)
        print_count(out, "removed digests", done.removed);
    out.finish();
}

void add_sweep_flags(CLI::App& subcommand, sweep_flags& into)
{
    const std::string group = "Deletion";
    subcommand.add_flag("--yes,-y", into.yes, "Do not ask")->group(group);
    subcommand.add_flag("--dry-run,-n", into.dry_run, "Show the plan and stop")->group(group);
    subcommand
        .add_flag("--no-verify", into.no_verify,
                  "Do not check the plan against the live registry right before. Dangerous!")
        ->group(group);
    subcommand.add_option("--delete-rate", into.delete_rate, "Deletions a second at the most; 0 for no limit")
        ->envname("REGSWEEP_DELETE_RATE")
        ->check(rate())
        ->type_name("R")
        ->group(group);
    subcommand.add_option("--max-failures", into.max_failures, "Stop after so many failed deletions; 0 for never")
        ->type_name("N")
        ->group(group);
}

sweep_options sweep_settings(session& s, const sweep_flags& how)
{
    const crawl_options& to = s.connection();
    sweep_options out;
    out.address = to.address;
    out.registry = to.registry;
    out.http = to.http;
    if (to.concurrency != 0)
        out.concurrency = to.concurrency;
    out.pipeline = to.pipeline;
    out.page_size = to.page_size;
    out.delete_rate = how.delete_rate.value_or(s.options().delete_rate);
    out.verify = !how.no_verify;
    out.max_failures = how.max_failures;
    return out;
}

plan_display::plan_display(session& s, bool whole) : json_(s.options().output == output_format::json), whole_(whole) {}

void plan_display::add(const plan_step& step)
{
    const bool same = steps_ != 0 && step.repository == repository_; // a plan is sorted by repository
    counts_.repositories += same ? 0U : 1U;
    counts_.tags += step.tags.size();
    counts_.digests += step.kind == step_kind::remove ? 1U : 0U;
    has_indexes_ = has_indexes_ || (step.kind == step_kind::remove && is_index(step.type));
    if (!json_ && (whole_ || steps_ < steps_shown)) {
        if (!same)
            out_ << step.repository << "\n";
        show_step(out_, step);
    }
    repository_ = step.repository;
    ++steps_;
}

void plan_display::finish_steps()
{
    if (!json_ && !whole_ && steps_ > steps_shown)
        out_ << "and " << with_commas(steps_ - steps_shown) << " more steps; --plan-out FILE writes them all\n";
    out_.finish();
}

void plan_display::finish()
{
    finish_steps();
    if (!json_)
        out_ << "plan      " << counts_text(counts_) << "\n";
    out_.finish();
}

void tell_counts(session& s, const plan_counts& counts)
{
    if (s.options().output != output_format::json)
        return;
    output out;
    out << "{\"registry\":" << json_string(s.address().canonical()) << "," << planned_json(counts) << "}\n";
    out.finish();
}

int nothing_to_sweep(session& s)
{
    if (s.options().output == output_format::json) {
        print_json(s, {}, {});
    } else if (s.options().count) {
        output out;
        print_count(out, "removed digests", 0);
        out.finish();
    }
    return s.status();
}

bool confirmed(session& s, const plan_counts& counts, const sweep_flags& how)
{
    if (how.yes || isatty(STDIN_FILENO) != 1)
        return true;
    // Who sits at a terminal is asked even where standard error goes elsewhere.
    std::ofstream tty("/dev/tty");
    std::ostream& ask = tty ? static_cast<std::ostream&>(tty) : std::cerr;
    ask << "Delete " << counts_text(counts) << " of " << s.address().name << "? [y/N] " << std::flush;
    const interruption stop = end_when_interrupted();
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
}

void tell_exceptions(const std::vector<sweep_exception>& list, std::string_view what)
{
    for (const auto& e : list)
        terminal::standard().error(e.repository + (e.tags.empty() ? "" : " (" + joined(e.tags) + ")") + " " +
                                   e.digest.to_string() + " " + std::string(what) + ": " + e.why);
}

void save_index(session& s, const index& changed)
{
    // A crawl that has just made a JSON cache leaves an index that, unlike one read from it, names its registry.
    if (s.index_file().extension() == ".json")
        changed.write_json(s.index_file()).value();
    else
        s.save(changed);
}

std::string progress_line(const sweep_progress& now, double seconds)
{
    const double rate = static_cast<double>(now.done) / std::max(seconds, 0.001);
    return with_commas(now.done) + "/" + with_commas(now.steps) + " steps, " +
           with_commas(static_cast<std::uint64_t>(rate)) + "/s, " + std::to_string(now.in_flight) + " in flight, " +
           with_commas(now.retries) + " retries, " + with_commas(now.failed) + " failed";
}

std::string undo_command(const session& s, std::int64_t run)
{
    return "regsweep restore " + std::to_string(run) + same_place(s);
}

plan read_plan_of(session& s, const std::string& file)
{
    check_readable(file);
    plan what = [&] {
        const interruption stop = end_when_interrupted();
        return read_plan(std::filesystem::path(file)).value();
    }();
    if (what.header.registry != s.address().canonical())
        throw failure({errc::bad_argument, file + " is a plan for " + what.header.registry + ", not for " +
                                               s.address().canonical() + "; give the plan's with -reg"});
    return what;
}

swept carry_out(session& s, const plan& what, const sweep_options& how, index* known,
                const std::function<std::string(const sweep_progress&, double)>& line)
{
    auto records = journal::open(s.journal_file()).value();
    sweeper run(how);
    const auto begin = std::chrono::steady_clock::now();
    std::optional<result<sweep_report>> outcome;
    {
        const interruption stop([&] { run.cancel(); });
        const progress_display progress([&] {
            return line(run.progress(),
                        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        });
        outcome.emplace(run.run(what, records, known));
    }
    if (known != nullptr)
        save_index(s, *known);
    if (const auto number = run.progress().run; !*outcome && number != 0)
        terminal::standard().info("what was deleted until then is in the journal: regsweep journal " +
                                  std::to_string(number) + same_place(s) + " shows it, " + undo_command(s, number) +
                                  " takes it back");
    if (!*outcome)
        *outcome = explain_interruption(outcome->error(),
                                        run.progress().run == 0
                                            ? "nothing was deleted"
                                            : "what was deleted until then is in the journal, see regsweep journal" +
                                                  same_place(s) + "; the same command again goes on with the rest");
    return {*std::move(outcome), run.progress()};
}

void tell_outcome(session& s, const sweep_report& done)
{
    tell_exceptions(done.failed, "was not deleted");
    tell_exceptions(done.dropped, "was left alone");
    if (done.stopped)
        terminal::standard().error("stopped after " + with_commas(done.failed.size()) +
                                   " failures, see --max-failures");
    if (!done.failed.empty() || !done.dropped.empty())
        s.set_partly_done();
}

int sweep(session& s, const plan& what, const sweep_flags& how, index* known)
{
    const sweep_report done = carry_out(s, what, sweep_settings(s, how), known, progress_line).outcome.value();
    if (s.options().output == output_format::json)
        print_json(s, count(what), done);
    else
        print_report(s, done);
    tell_outcome(s, done);
    return s.status();
}

} // namespace regsweep::cli
