#include "cli/details.hpp"

#include "cli/interruption.hpp"
#include "cli/terminal.hpp"

#include <array>
#include <chrono>
#include <cstdio>

namespace regsweep::cli {
namespace {

std::string details_line(const details_progress& now, double seconds)
{
    const double rate = static_cast<double>(now.manifests) / std::max(seconds, 0.001);
    return with_commas(now.manifests) + " manifests read, " + with_commas(static_cast<std::uint64_t>(rate)) + "/s, " +
           std::to_string(now.in_flight) + " in flight, " + with_commas(now.retries) + " retries";
}

details_report run_details(session& s, const index& from, details_store& store, bool again)
{
    details_crawler run({s.connection(), again});
    const auto begin = std::chrono::steady_clock::now();
    const interruption stop([&] { run.cancel(); });
    const progress_display progress([&] {
        return details_line(run.progress(),
                            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    });
    return run.run(from, store).value();
}

void tell_details_problems(session& s, const details_report& report)
{
    if (report.failed == 0)
        return;
    s.set_partly_done();
    for (const auto& [name, why] : report.problems)
        terminal::standard().error(printable(name) + " could not be read: " + why);
    if (report.failed > report.problems.size())
        terminal::standard().error("and " + with_commas(report.failed - report.problems.size()) + " more manifests");
}

} // namespace

read_details refresh_details(session& s, const index& from)
{
    const auto file = details_store::beside(s.index_file());
    read_details out{details_store::open(file).value(), file, {}, 0};
    out.report = run_details(s, from, out.store, true);
    const auto summary = from.summary().value();
    // What a part of a registry does not lead to may be in use in the rest.
    if (summary.scope.empty() && summary.incomplete == 0)
        out.forgotten = out.store.prune(from).value();
    tell_details_problems(s, out.report);
    return out;
}

details_store details_of(session& s, const index& from)
{
    auto store = details_store::open(details_store::beside(s.index_file())).value();
    if (!details_missing(from, store).value())
        return store;
    terminal::standard().info("reading new manifests of " + s.address().server.to_string() + s.address().prefix);
    const auto report = run_details(s, from, store, false);
    terminal::standard().info(with_commas(report.manifests) + " manifests read");
    tell_details_problems(s, report);
    return store;
}

std::string human_size(std::uint64_t bytes)
{
    static constexpr std::array<const char*, 6> units = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes <= 1000)
        return std::to_string(bytes) + " B";
    auto value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    // 999.95 would be shown as 1000.0.
    for (; value >= 999.95 && unit + 1 != units.size(); ++unit)
        value /= 1024;
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %s", value, units[unit]);
    return text;
}

} // namespace regsweep::cli
