#include "cli/metrics_file.hpp"

#include "core/files.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace regsweep::cli {
namespace {

constexpr const char* last_success = "regsweep_prune_last_success_timestamp_seconds";

std::string escaped(const std::string& text)
{
    std::string out;
    for (const char c : text)
        out += c == '\\' || c == '"' ? std::string("\\") + c : c == '\n' ? std::string("\\n") : std::string(1, c);
    return out;
}

// What the old file says of this registry; nothing if it cannot be read.
std::string old_success(const std::string& file, const std::string& labels)
{
    std::error_code ec;
    if (!std::filesystem::is_regular_file(file, ec)) // a pipe would be waited for
        return {};
    std::ifstream in(file);
    const std::string begin = last_success + labels + " ";
    std::string line;
    for (int lines = 0; lines != 1000 && std::getline(in, line); ++lines)
        if (line.starts_with(begin))
            return line.substr(begin.size());
    return {};
}

class metrics_text
{
public:
    explicit metrics_text(std::string labels) : labels_(std::move(labels)) {}

    void add(const std::string& name, const std::string& help, const std::string& value)
    {
        text_ += "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n" + name + labels_ + " " + value + "\n";
    }
    const std::string& text() const noexcept { return text_; }

private:
    std::string labels_;
    std::string text_;
};

} // namespace

void check_metrics_file(const std::string& file)
{
    std::error_code ec;
    const auto kind = std::filesystem::status(file, ec).type();
    using std::filesystem::file_type;
    if (kind != file_type::regular && kind != file_type::not_found && kind != file_type::directory)
        return; // opened and closed again, a pipe would end for who reads it
    if (const auto tried = replacing_writer::create(file); !tried) {
        error why = tried.error();
        why.detail = "--metrics-file: " + why.detail + "; nothing was deleted";
        throw failure(why);
    }
}

void write_metrics(const std::string& file, const prune_metrics& what)
{
    const std::string labels = "{registry=\"" + escaped(what.registry) + "\"}";
    const bool success = what.exit_status == 0 && !what.dry_run;
    const std::string success_at = success ? std::to_string(what.finished_at) : old_success(file, labels);
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.3f", what.seconds);
    metrics_text out(labels);
    const auto number = [](std::uint64_t n) { return std::to_string(n); };
    out.add("regsweep_prune_tags_removed", "Tags that the last run removed.", number(what.tags_removed));
    out.add("regsweep_prune_tags_kept", "Tags that the policy keeps.", number(what.tags_kept));
    out.add("regsweep_prune_manifests_removed", "Manifests that the last run deleted.", number(what.manifests_removed));
    out.add("regsweep_prune_failed", "Steps that failed or were left alone.", number(what.failed));
    if (what.freed_bytes)
        out.add("regsweep_prune_freed_bytes", "Bytes that garbage collection is expected to free after the plan.",
                number(*what.freed_bytes));
    out.add("regsweep_prune_duration_seconds", "Duration of the last run.", seconds);
    out.add("regsweep_prune_dry_run", "1 if the last run only showed what it would do.", what.dry_run ? "1" : "0");
    out.add("regsweep_prune_exit_status", "Exit status of the last run.", std::to_string(what.exit_status));
    out.add("regsweep_prune_last_run_timestamp_seconds", "When the last run ended.", std::to_string(what.finished_at));
    if (!success_at.empty())
        out.add(last_success, "When a run that deletes last ended with status 0.", success_at);

    write_file(file, out.text()).value();
}

} // namespace regsweep::cli
