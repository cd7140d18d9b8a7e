#include "cli/interruption.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

namespace {

using namespace regsweep::cli;

constexpr std::array commands = {add_refresh, add_list_repo_names, add_list_tag_names, add_query_repos, add_query_tags,
                                 add_du,      add_inspect,         add_remove_repos,   add_remove_tags, add_prune,
                                 add_apply,   add_journal,         add_restore,        add_bench};

// How many letters have to be changed, added or taken away to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({change, row[j] + 1, row[j - 1] + 1}));
        }
    }
    return row.back();
}

// CLI11's words for a command that is missing or unknown do not say which.
std::string usage_text(const CLI::App& app, const CLI::ParseError& e)
{
    if (!app.get_subcommands().empty())
        return e.what();
    const auto rest = app.remaining();
    const auto word = std::find_if(rest.begin(), rest.end(), [](const std::string& w) { return !w.starts_with('-'); });
    if (word == rest.end())
        return dynamic_cast<const CLI::RequiredError*>(&e) != nullptr ? "no command given" : e.what();
    std::string nearest;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
        if (nearest.empty() || distance(command->get_name(), *word) < distance(nearest, *word))
            nearest = command->get_name();
    return "unknown command '" + regsweep::printable(*word, 60) + "', did you mean " + nearest + "?";
}

int run(int argc, char** argv)
{
    CLI::App app("Crawls, queries and cleans Docker/OCI registries, fast.", "regsweep");
    app.set_version_flag("--version", "regsweep " REGSWEEP_VERSION);
    app.fallthrough();
    app.require_subcommand(1);
    app.get_formatter()->column_width(34);
    app.footer("Exit status: 0 done, 1 failed, 2 wrong usage, 3 partly done, 130 interrupted.\n"
               "Each command has its own --help.");
    options common;
    add_common_options(app, common);
    std::vector<std::pair<CLI::App*, command_runner>> known;
    for (const auto add : commands) {
        CLI::App* subcommand = nullptr;
        auto runner = add(app, subcommand);
        known.emplace_back(subcommand, std::move(runner));
    }
    auto arguments = with_long_names(argc, argv);
    std::reverse(arguments.begin(), arguments.end()); // as CLI11 wants them
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0)
            return app.exit(e);
        terminal::standard().error(usage_text(app, e) + "; see regsweep --help");
        return exit_usage;
    }
    terminal::standard().set(common.level, common.quiet);
    session s(std::move(common));
    for (const auto& [subcommand, runner] : known)
        if (*subcommand)
            return runner(s);
    return exit_usage;
}

} // namespace

int main(int argc, char** argv)
{
    block_interruptions();
    try {
        return run(argc, argv);
    } catch (const usage_error& e) {
        terminal::standard().error(e.what());
        return exit_usage;
    } catch (const regsweep::failure& e) {
        if (e.why().is(regsweep::errc::cancelled)) {
            terminal::standard().error("interrupted; what was found is kept, see refresh --resume");
            return exit_interrupted;
        }
        terminal::standard().error(e.what());
        return e.why().is(regsweep::errc::bad_address) ? exit_usage : exit_failed;
    } catch (const std::exception& e) {
        terminal::standard().error(std::string("unexpected: ") + e.what());
        return exit_failed;
    }
}
