#include "cli/prune_output.hpp"

#include "cli/details.hpp"
#include "cli/sweeping.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace regsweep::cli {
namespace {

const char* fate_text(tag_fate fate) noexcept
{
    switch (fate) {
    case tag_fate::keep: return "keep";
    case tag_fate::remove: return "remove";
    case tag_fate::untag: return "untag";
    }
    return "";
}

std::vector<std::size_t> sorted_tags(const retention_repository& of)
{
    std::vector<std::size_t> places(of.tags.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    std::ranges::sort(places, {}, [&](std::size_t t) -> const std::string& { return of.tags[t].name; });
    return places;
}

std::string cell(const std::string& text, std::size_t width)
{
    return std::string(width - std::min(width, text.size()), ' ') + text;
}

void print_row(output& out, std::size_t width, const std::string& name, const std::array<std::string, 6>& cells)
{
    std::string line = name + std::string(width - std::min(width, name.size()), ' ');
    for (const auto& text : cells)
        line += cell(text, 11);
    out << line << "\n";
}

std::string optional_number(const std::optional<std::uint64_t>& value)
{
    return value ? std::to_string(*value) : "null";
}

} // namespace

void explain_text(output& out, const retention& by, const retention_repository& of, const repository_decision& decided)
{
    if (of.tags.empty() && decided.manifests_removed == 0)
        return;
    out << of.name << "\n";
    for (const std::size_t t : sorted_tags(of)) {
        std::string fate = fate_text(decided.tags[t].fate);
        fate.resize(8, ' ');
        out << "  " << fate << of.tags[t].name << ": " << by.why(of, decided, t) << "\n";
    }
    std::vector<bool> tagged(of.manifests.size(), false);
    for (const auto& tag : of.tags)
        tagged[tag.manifest] = true;
    for (std::size_t m = 0; m != of.manifests.size(); ++m)
        if (!decided.manifests[m].stays && !tagged[m])
            out << "  remove  " << of.manifests[m].id.to_string() << ": " << by.why_manifest(of, decided, m) << "\n";
}

void explain_json(std::string& out, const retention& by, const retention_repository& of,
                  const repository_decision& decided)
{
    for (const std::size_t t : sorted_tags(of)) {
        const tag_decision& what = decided.tags[t];
        out += (out.empty() ? "{\"repository\":" : ",{\"repository\":") + json_string(of.name) +
               ",\"tag\":" + json_string(of.tags[t].name) +
               ",\"digest\":" + json_string(of.manifests[of.tags[t].manifest].id.to_string()) + ",\"fate\":\"" +
               fate_text(what.fate) +
               "\",\"rule\":" + (what.rule == tag_decision::none ? "null" : std::to_string(what.rule + 1)) +
               ",\"why\":" + json_string(by.why(of, decided, t)) + "}";
    }
}

void print_summary(output& out, const prune_summary& all)
{
    std::size_t width = std::string_view("repository").size();
    std::size_t quiet = 0;
    const auto nothing = [](const pruned_repository& r) { return r.removed + r.untagged + r.manifests == 0; };
    for (const auto& r : all.repositories) {
        if (nothing(r))
            ++quiet;
        else
            width = std::max(width, r.name.size());
    }
    if (quiet != all.repositories.size())
        print_row(out, width, "repository", {"tags", "kept", "removed", "untagged", "manifests", "frees"});
    for (const auto& r : all.repositories)
        if (!nothing(r))
            print_row(out, width, r.name,
                      {with_commas(r.tags), with_commas(r.kept), with_commas(r.removed), with_commas(r.untagged),
                       with_commas(r.manifests), r.freed_bytes ? human_size(*r.freed_bytes) : "-"});
    if (quiet != 0)
        out << with_commas(quiet) << (quiet == 1 ? " repository loses" : " repositories lose") << " nothing\n";
    if (all.in_use)
        out << "in use    " << with_commas(all.in_use->references) << " references of this registry, "
            << with_commas(all.in_use->elsewhere) << " of others\n";
    if (all.untimed != 0)
        out << "kept      " << with_commas(all.untimed)
            << (all.untimed == 1 ? " tag whose time is" : " tags whose times are") << " not known\n";
    out << "plan      " << counts_text(all.planned) << "\n";
    if (all.freed_bytes)
        out << "frees     " << (all.unread != 0 ? "about " : "") << human_size(*all.freed_bytes)
            << " when the registry collects garbage\n";
}

void print_prune_json(const std::string& registry, const prune_summary& all, const std::optional<std::string>& tags,
                      const sweep_report* done)
{
    output out;
    out << "{\"registry\":" << json_string(registry) << ",\"dry_run\":" << (done == nullptr ? "true," : "false,")
        << planned_json(all.planned) << ",\"kept\":" << std::to_string(all.kept)
        << ",\"kept_without_time\":" << std::to_string(all.untimed)
        << ",\"freed_bytes\":" << optional_number(all.freed_bytes);
    out << ",\"in_use\":";
    if (all.in_use)
        out << "{\"references\":" << std::to_string(all.in_use->references)
            << ",\"elsewhere\":" << std::to_string(all.in_use->elsewhere) << "}";
    else
        out << "null";
    out << ",\"repositories\":[";
    const char* comma = "";
    for (const auto& r : all.repositories) {
        out << comma << "{\"name\":" << json_string(r.name) << ",\"tags\":" << std::to_string(r.tags)
            << ",\"kept\":" << std::to_string(r.kept) << ",\"removed\":" << std::to_string(r.removed)
            << ",\"untagged\":" << std::to_string(r.untagged) << ",\"manifests\":" << std::to_string(r.manifests)
            << ",\"freed_bytes\":" << optional_number(r.freed_bytes) << "}";
        comma = ",";
    }
    out << "]";
    if (tags)
        out << ",\"tags\":[" << *tags << "]";
    if (done != nullptr) {
        out << ",\"result\":{";
        json_report(out, *done);
        out << "}";
    }
    out << "}\n";
    out.finish();
}

} // namespace regsweep::cli
