#include "cli/bench_delete.hpp"

#include "cli/bench_output.hpp"
#include "cli/bench_run.hpp"
#include "cli/session.hpp"
#include "cli/sweeping.hpp"
#include "regsweep/load/recorder.hpp"

namespace regsweep::cli {
namespace {

constexpr unsigned accepted = 202;
constexpr unsigned not_found = 404;

void note(load_recorder& into, const timed_delete& what)
{
    if (what.answer)
        into.answered(what.sent, what.ended, *what.answer ? accepted : not_found);
    else
        into.failed(what.sent, what.ended, what.answer.error());
}

deletion_report deletion_of(const swept& done)
{
    deletion_report out;
    out.run = done.last.run;
    out.steps = done.last.steps;
    out.settled = done.last.done;
    out.failed = done.last.failed;
    if (done.outcome) {
        out.gone = done.outcome->gone;
        out.dropped = done.outcome->dropped.size();
    }
    return out;
}

} // namespace

int bench_delete(session& s, const bench_options& how, load_report into, const load_report* earlier)
{
    const plan what = read_plan_of(s, how.plan);
    if (what.steps.empty())
        throw failure(
            {errc::bad_argument, how.plan + " has nothing to delete; make another with --dry-run --plan-out FILE"});
    auto known = s.index_to_change();
    sweep_options settings = sweep_settings(s, {});
    settings.concurrency = levels_of(s, how).front();
    settings.http.rate = 0;
    settings.delete_rate = s.options().rate;
    load_recorder measured(operation::remove, settings.concurrency, http::clock::now());
    settings.on_delete = [&](const timed_delete& one) { note(measured, one); };
    const auto done = carry_out(s, what, settings, known ? &*known : nullptr, [&](const sweep_progress& now, double) {
        return live_line("deletion " + with_commas(now.done) + "/" + with_commas(now.steps), measured.latest());
    });
    const bool interrupted = !done.outcome && done.outcome.error().is(errc::cancelled);
    into.order = target_order::listed;
    into.deletion = deletion_of(done);
    into.runs.push_back(measured.finish(interrupted));
    if (done.outcome || done.last.run != 0)
        show_report(s, how, into, earlier);
    if (interrupted)
        return exit_interrupted;
    const sweep_report& report = done.outcome.value();
    tell_outcome(s, report);
    return s.status();
}

} // namespace regsweep::cli
