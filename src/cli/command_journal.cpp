#include "cli/interruption.hpp"
#include "cli/session.hpp"
#include "cli/sweeping.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>

namespace regsweep::cli {
namespace {

std::string utc(std::int64_t seconds)
{
    if (seconds == 0)
        return "-";
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&time, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

const char* state_text(run_state state)
{
    switch (state) {
    case run_state::running: return "running";
    case run_state::done: return "done";
    case run_state::interrupted: return "interrupted";
    }
    return "unknown";
}

const char* state_text(journal_state state)
{
    switch (state) {
    case journal_state::intended: return "open";
    case journal_state::done: return "done";
    case journal_state::gone: return "gone";
    case journal_state::failed: return "failed";
    case journal_state::restored: return "restored";
    case journal_state::unneeded: return "unneeded";
    }
    return "unknown";
}

void print_runs_table(const session& s, const std::vector<journal_run>& runs)
{
    constexpr auto right = table::align::right;
    constexpr std::array shown = {journal_state::done, journal_state::gone, journal_state::failed,
                                  journal_state::restored, journal_state::intended};
    output out;
    std::vector<table::column> columns = {{"run", right}, {"age", right}, {"state"}};
    for (const auto state : shown)
        columns.push_back({state_text(state), right});
    columns.push_back({"command"});
    table rows(out, std::move(columns));
    const auto now = now_in_seconds();
    for (const auto& run : runs) {
        if (run.registry != s.address().canonical())
            continue;
        std::vector<std::string> cells = {std::to_string(run.id), age(run.started_at, now), state_text(run.state)};
        for (const auto state : shown)
            cells.push_back(with_commas(run.count(state)));
        cells.push_back(run.command);
        rows.add(std::move(cells));
    }
    rows.finish();
    out.finish();
}

int list_runs(session& s)
{
    const journal records = journal::open(s.journal_file()).value();
    const auto runs = records.runs().value();
    if (s.options().output == output_format::table) {
        print_runs_table(s, runs);
        return s.status();
    }
    output out;
    const bool json = s.options().output == output_format::json;
    out << (json ? "{\"runs\":[" : "");
    const char* comma = "";
    for (const auto& run : runs) {
        if (run.registry != s.address().canonical())
            continue;
        if (json) {
            out << comma << "{\"run\":" << std::to_string(run.id)
                << ",\"started_at\":" << json_string(utc(run.started_at))
                << ",\"finished_at\":" << (run.finished_at == 0 ? "null" : json_string(utc(run.finished_at)))
                << ",\"state\":\"" << state_text(run.state) << "\",\"command\":" << json_string(run.command);
            for (std::size_t i = 0; i != journal_states; ++i)
                out << ",\"" << state_text(static_cast<journal_state>(i)) << "\":" << std::to_string(run.counts[i]);
            out << "}";
            comma = ",";
            continue;
        }
        out << std::to_string(run.id) << "  " << utc(run.started_at) << "  " << state_text(run.state);
        for (const auto state : {journal_state::done, journal_state::gone, journal_state::failed,
                                 journal_state::restored, journal_state::intended})
            if (run.count(state) != 0)
                out << "  " << with_commas(run.count(state)) << " " << state_text(state);
        out << "  " << run.command << "\n";
    }
    out << (json ? "]}\n" : "");
    out.finish();
    return s.status();
}

// Whether there is anything to restore, or to be looked up because the run was killed.
bool may_have_taken(const journal_run& run)
{
    return run.count(journal_state::done) + run.count(journal_state::gone) + run.count(journal_state::intended) != 0;
}

std::int64_t find_run(session& s, const journal& records, const std::string& name)
{
    const auto runs = records.runs().value();
    std::int64_t wanted = 0;
    const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), wanted);
    const bool last = name == "last";
    if (!last && (ec != std::errc() || end != name.data() + name.size()))
        throw usage_error("'" + printable(name, 40) + "' is no run: give its number, or 'last'");
    for (auto run = runs.rbegin(); run != runs.rend(); ++run)
        if (run->registry == s.address().canonical() && (last ? may_have_taken(*run) : run->id == wanted))
            return run->id;
    throw failure(
        {errc::not_found,
         last ? "the journal has no run with anything to restore; see regsweep journal; each index file has one of its "
                "own (-c), and so has each part of a registry (--repo, --repos-from)"
              : "the journal has no run " + name + " of this registry, see regsweep journal"});
}

void print_entries_table(const journal& records, std::int64_t run)
{
    output out;
    table rows(out, {{"repository"}, {"kind"}, {"digest"}, {"state"}, {"tags"}, {"message"}});
    records
        .for_each_entry(run,
                        [&](const journal_entry& entry) {
                            std::string tags;
                            for (const auto& tag : entry.tags)
                                tags += (tags.empty() ? "" : " ") + tag;
                            rows.add({entry.repository, entry.kind == journal_kind::untag ? "untag" : "delete",
                                      short_digest(entry.digest), state_text(entry.state), std::move(tags),
                                      entry.message});
                            return true;
                        })
        .value();
    rows.finish();
    out.finish();
}

int show_run(session& s, std::int64_t number)
{
    const journal records = journal::open(s.journal_file()).value();
    const std::int64_t id = find_run(s, records, std::to_string(number));
    if (s.options().output == output_format::table) {
        print_entries_table(records, id);
        return s.status();
    }
    output out;
    const bool json = s.options().output == output_format::json;
    out << (json ? "{\"entries\":[" : "");
    const char* comma = "";
    records
        .for_each_entry(id,
                        [&](const journal_entry& entry) {
                            const char* kind = entry.kind == journal_kind::untag ? "untag" : "delete";
                            if (json) {
                                out << comma << "{\"repository\":" << json_string(entry.repository) << ",\"kind\":\""
                                    << kind << "\",\"digest\":" << json_string(entry.digest.to_string())
                                    << ",\"state\":\"" << state_text(entry.state) << "\",\"tags\":[";
                                for (std::size_t i = 0; i != entry.tags.size(); ++i)
                                    out << (i == 0 ? "" : ",") << json_string(entry.tags[i]);
                                out << "],\"message\":" << json_string(entry.message) << "}";
                                comma = ",";
                                return true;
                            }
                            out << entry.repository << "  " << kind << "  " << entry.digest.to_string() << "  "
                                << state_text(entry.state);
                            for (const auto& tag : entry.tags)
                                out << "  " << tag;
                            if (!entry.message.empty())
                                out << "  (" << entry.message << ")";
                            out << "\n";
                            return true;
                        })
        .value();
    out << (json ? "]}\n" : "");
    out.finish();
    return s.status();
}

// `90m`, `12h`, `30d`, `4w` in seconds.
std::int64_t duration(const std::string& text)
{
    std::int64_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string unit(end, text.data() + text.size());
    const std::int64_t factor = unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86400 : unit == "w" ? 604800 : 0;
    if (ec != std::errc() || factor == 0 || number < 0 || number > 100'000'000)
        throw usage_error("'" + printable(text, 40) + "' is no length of time: write 90m, 12h, 30d or 4w");
    return number * factor;
}

int prune(session& s, const std::string& older_than)
{
    if (s.options().output == output_format::table)
        throw no_table("journal prune");
    journal records = journal::open(s.journal_file()).value();
    const auto removed = records.prune(static_cast<std::int64_t>(std::time(nullptr)) - duration(older_than)).value();
    output out;
    if (s.options().output == output_format::json)
        out << "{\"runs\":" << std::to_string(removed.runs) << ",\"entries\":" << std::to_string(removed.entries)
            << ",\"freed_bytes\":" << std::to_string(removed.freed_bytes) << "}\n";
    else
        out << "removed   " << with_commas(removed.runs) << " runs with " << with_commas(removed.entries)
            << " entries, " << with_commas(removed.freed_bytes) << " bytes\n";
    out.finish();
    return s.status();
}

struct restore_options
{
    std::string run;
    std::vector<std::string> repositories;
    bool dry_run = false;
};

int restore(session& s, const restore_options& how)
{
    journal records = journal::open(s.journal_file()).value();
    const std::int64_t id = find_run(s, records, how.run);
    auto known = s.index_to_change();
    sweeper run(sweep_settings(s, {}));
    std::optional<result<sweeper::restore_report>> outcome;
    {
        const interruption stop([&] { run.cancel(); });
        const auto begin = std::chrono::steady_clock::now();
        const progress_display progress([&] {
            return progress_line(run.progress(),
                                 std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        });
        outcome.emplace(run.restore(records, id, how.repositories, how.dry_run, known ? &*known : nullptr));
    }
    if (known)
        save_index(s, *known);
    if (!*outcome)
        throw failure(explain_interruption(outcome->error(), how.dry_run
                                                                 ? "nothing was changed"
                                                                 : "what was restored until then stays; the "
                                                                   "same command again, for run " +
                                                                       std::to_string(id) + ", goes on with the rest"));
    const auto done = std::move(*outcome).value();
    output out;
    if (s.options().output == output_format::json) {
        out << "{\"run\":" << std::to_string(id) << ",\"dry_run\":" << (how.dry_run ? "true" : "false")
            << ",\"manifests\":" << std::to_string(done.manifests) << ",\"tags\":" << std::to_string(done.tags)
            << ",\"already\":" << std::to_string(done.already) << ",\"repaired\":" << std::to_string(done.repaired)
            << ",\"failed\":[";
        for (std::size_t i = 0; i != done.failed.size(); ++i)
            out << (i == 0 ? "" : ",") << "{\"repository\":" << json_string(done.failed[i].repository)
                << ",\"digest\":" << json_string(done.failed[i].digest.to_string())
                << ",\"reason\":" << json_string(done.failed[i].why) << "}";
        out << "]}\n";
    } else {
        out << (how.dry_run ? "would restore  " : "restored  ") << counted(done.manifests, "manifest") << ", "
            << counted(done.tags, "tag") << "\n";
        if (done.already != 0)
            out << "already there  " << counted(done.already, "manifest") << "\n";
        if (done.repaired != 0)
            out << "repaired  " << counted(done.repaired, "step") << " of runs that were cut short\n";
    }
    out.finish();
    tell_exceptions(done.failed, "was not restored");
    if (!done.failed.empty())
        s.set_partly_done();
    return s.status();
}

} // namespace

command_runner add_journal(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("journal", "List the runs that deleted something, or the entries of one");
    struct journal_options
    {
        std::int64_t run = 0;
        std::string older_than;
        CLI::App* prune = nullptr;
    };
    const auto how = std::make_shared<journal_options>();
    subcommand->add_option("run", how->run, "Show the entries of this run")->type_name("RUN");
    how->prune = subcommand->add_subcommand("prune", "Forget old runs; they cannot be restored any more");
    how->prune->add_option("--older-than", how->older_than, "Runs that ended longer ago: 90m, 12h, 30d, 4w")
        ->type_name("TIME")
        ->required();
    return [how](session& s) {
        if (*how->prune)
            return prune(s, how->older_than);
        return how->run == 0 ? list_runs(s) : show_run(s, how->run);
    };
}

command_runner add_restore(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("restore", "Put back what a run deleted, until the registry has collected garbage");
    const auto how = std::make_shared<restore_options>();
    subcommand->add_option("run", how->run, "The run's number, or 'last'")->type_name("RUN|last")->required();
    subcommand->add_option("--repo,-r", how->repositories, "Only these repositories")
        ->type_name("REPO")
        ->expected(1, -1);
    subcommand->add_flag("--dry-run,-n", how->dry_run, "Say what would be restored and stop");
    return [how](session& s) { return restore(s, *how); };
}

} // namespace regsweep::cli
