#include "cli/interruption.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "regsweep/registry/doctor.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

namespace regsweep::cli {
namespace {

constexpr unsigned most_retries = 1; // what fails now and then is to be seen

std::size_t count(const std::vector<finding>& all, condition how)
{
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const finding& f) { return f.how == how; }));
}

std::string padded(std::string_view text, std::size_t width)
{
    std::string out(text);
    out.resize(std::max(width, out.size() + 1), ' ');
    return out;
}

void print_summary(output& out, const std::vector<finding>& all)
{
    const std::size_t problems = count(all, condition::problem);
    out << "\n"
        << (problems == 0 ? "usable" : "not usable") << ": " << counted(problems, "problem") << ", "
        << counted(count(all, condition::warning), "warning") << ", "
        << std::to_string(count(all, condition::not_checked)) << " not checked\n";
}

void print_text(const std::vector<finding>& all)
{
    constexpr std::size_t first = 13;
    constexpr std::size_t second = 15;
    output out;
    for (std::size_t i = 0; i != all.size(); ++i) {
        const finding& f = all[i];
        std::string names = f.check;
        while (f.how == condition::not_checked && i + 1 != all.size() && all[i + 1].how == f.how &&
               all[i + 1].found == f.found)
            names += ", " + all[++i].check;
        const bool several = names != f.check;
        out << padded(to_string(f.how), first) << (several ? names + ": " : padded(names, second)) << f.found << "\n";
        if (!f.advice.empty())
            out << std::string(first + second, ' ') << "do: " << f.advice << "\n";
    }
    print_summary(out, all);
    out.finish();
}

void print_table(const std::vector<finding>& all)
{
    output out;
    table rows(out, {{"verdict"}, {"check"}, {"found"}, {"do"}});
    for (const auto& f : all)
        rows.add({std::string(to_string(f.how)), f.check, f.found, f.advice});
    rows.finish();
    print_summary(out, all);
    out.finish();
}

void print_json(const session& s, const std::vector<finding>& all)
{
    output out;
    out << "{\"registry\":" << json_string(s.address().canonical())
        << ",\"usable\":" << (count(all, condition::problem) == 0 ? "true" : "false")
        << ",\"problems\":" << std::to_string(count(all, condition::problem))
        << ",\"warnings\":" << std::to_string(count(all, condition::warning))
        << ",\"not_checked\":" << std::to_string(count(all, condition::not_checked)) << ",\"checks\":[";
    const char* comma = "";
    for (const auto& f : all) {
        out << comma << "{\"check\":" << json_string(f.check) << ",\"verdict\":" << json_string(to_string(f.how))
            << ",\"found\":" << json_string(f.found)
            << ",\"advice\":" << (f.advice.empty() ? "null" : json_string(f.advice)) << "}";
        comma = ",";
    }
    out << "]}\n";
    out.finish();
}

// The names that the options give; patterns say nothing without the catalog.
std::vector<std::string> named_repositories(const crawl_options& how)
{
    std::vector<std::string> out = how.names;
    std::copy_if(how.patterns.begin(), how.patterns.end(), std::back_inserter(out), valid_repository);
    return out;
}

int examine(session& s, std::string source)
{
    const crawl_options& how = s.connection();
    doctor_options with;
    with.address = how.address;
    with.address_source = std::move(source);
    with.registry = how.registry;
    with.http = how.http;
    with.http.retry.retries = std::min(with.http.retry.retries, most_retries);
    with.repositories = named_repositories(how);
    with.page_size = how.page_size;
    doctor of(std::move(with));
    std::atomic<bool> stopped = false;
    std::vector<finding> all;
    {
        const interruption stop([&] {
            stopped = true;
            of.cancel();
        });
        all = of.examine();
    }
    if (stopped) {
        terminal::standard().error("interrupted");
        return exit_interrupted;
    }
    if (s.options().output == output_format::json)
        print_json(s, all);
    else if (s.options().output == output_format::table)
        print_table(all);
    else
        print_text(all);
    return count(all, condition::problem) == 0 ? s.status() : exit_failed;
}

} // namespace

command_runner add_doctor(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("doctor", "Find out what works with the registry, what does not, and what to do");
    const CLI::Option* registry = app.get_option("--registry");
    return [registry](session& s) {
        const std::string& name = s.options().registry_name;
        return examine(s, !name.empty()            ? "'" + printable(name) + "' of the configuration file"
                          : registry->count() != 0 ? "--registry"
                                                   : "the variable REGISTRY");
    };
}

} // namespace regsweep::cli
