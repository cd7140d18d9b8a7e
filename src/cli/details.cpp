#include "cli/details.hpp"

#include "cli/interruption.hpp"
#include "cli/terminal.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <unordered_set>
#include <utility>

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
    const auto done = run.run(from, store);
    if (!done)
        throw failure(explain_interruption(
            done.error(), s.index_file().empty() ? "" : "what was read is kept, and the same command again goes on"));
    return *done;
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

constexpr std::size_t most_seen = 10'000; // images whose cells are kept, for the next tag of the same

// When an image was made; of a multi-arch one, when the newest of its images was.
std::optional<std::int64_t> created_of(const details_store& facts, const manifest_details& of)
{
    std::optional<std::int64_t> newest;
    if (of.created)
        return of.created->seconds;
    for (const auto& child : of.children)
        if (const auto known = facts.find(child.digest).value(); known && known->created)
            newest = std::max(newest.value_or(known->created->seconds), known->created->seconds);
    return newest;
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

detailed_graph graph_of(session& s, const index& from)
{
    // Whether something is missing is seen soonest in the graph.
    auto store = details_store::open(details_store::beside(s.index_file())).value();
    if (store.manifests().value() != 0) {
        auto graph = content_graph::load(from, store).value();
        if (graph.unknown() == 0 && !referrers_missing(from, store).value())
            return {std::move(store), std::move(graph)};
    }
    auto whole = details_of(s, from);
    auto graph = content_graph::load(from, whole).value();
    return {std::move(whole), std::move(graph)};
}

std::uint64_t total_size(const details_store& facts, const manifest_details& top)
{
    std::unordered_set<digest> seen{top.digest};
    std::vector<manifest_details> left{top};
    std::uint64_t sum = top.size;
    const auto add = [&](const blob_descriptor& b) {
        if (!b.foreign && seen.insert(b.digest).second)
            sum += b.size.value_or(0);
    };
    while (!left.empty()) {
        const manifest_details m = std::move(left.back());
        left.pop_back();
        if (m.config)
            add(*m.config);
        for (const auto& layer : m.layers)
            add(layer);
        for (const auto& child : m.children) {
            if (!seen.insert(child.digest).second)
                continue;
            sum += child.size.value_or(0);
            if (auto known = facts.find(child.digest).value())
                left.push_back(*std::move(known));
        }
    }
    return sum;
}

known_details::known_details(const session& s) : now_(now_in_seconds())
{
    const auto file = details_store::beside(s.index_file());
    std::error_code ec;
    if (!file.empty() && std::filesystem::exists(file, ec))
        store_.emplace(details_store::open(file).value());
}

std::vector<table::column> known_details::columns() const
{
    if (!any())
        return {};
    return {{"age", table::align::right}, {"size", table::align::right}};
}

std::vector<std::string> known_details::cells(const digest& d)
{
    if (!any())
        return {};
    if (seen_.size() == most_seen)
        seen_.clear();
    const auto [at, is_new] = seen_.try_emplace(d);
    if (!is_new)
        return at->second;
    const auto facts = store_->find(d).value();
    if (facts)
        at->second = {age(created_of(*store_, *facts), now_), human_size(total_size(*store_, *facts))};
    else
        at->second = {"-", "-"};
    return at->second;
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
