#include "cli/completion.hpp"
#include "cli/config.hpp"
#include "cli/interruption.hpp"
#include "cli/manual.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"
#include "cli/usage_text.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

namespace {

using namespace regsweep::cli;

constexpr std::array commands = {
    add_refresh, add_list_repo_names, add_list_tag_names, add_query_repos, add_query_tags, add_du,
    add_inspect, add_report,          add_remove_repos,   add_remove_tags, add_prune,      add_apply,
    add_journal, add_restore,         add_bench,          add_doctor};

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
    CLI::App* completion_command = nullptr;
    const auto print_completion = add_completion(app, completion_command);
    // Not for people: the shells' scripts and the build ask.
    if (argc > 1 && argv[1] == std::string_view("__complete"))
        return run_completion(app, {argv + 2, argv + argc});
    if (argc > 1 && argv[1] == std::string_view("__manual"))
        return write_manual(app, {argv + 2, argv + argc});
    // The documents' tests ask this way whether a command line is understood, without its being carried out.
    const bool only_parse = argc > 1 && argv[1] == std::string_view("__parse");
    auto arguments = only_parse ? with_long_names(argc - 1, argv + 1) : with_long_names(argc, argv);
    std::reverse(arguments.begin(), arguments.end()); // as CLI11 wants them
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0)
            return app.exit(e);
        terminal::standard().error(usage_text(app, e));
        return exit_usage;
    }
    if (only_parse)
        return exit_done;
    terminal::standard().set(common.level, common.quiet);
    if (*completion_command)
        return print_completion();
    apply_config(app, common);
    check_output(app, common);
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
            const std::string& left = e.why().detail;
            terminal::standard().error("interrupted" + (left.empty() ? "" : "; " + left));
            return exit_interrupted;
        }
        terminal::standard().error(e.what());
        return e.why().is(regsweep::errc::bad_address) ? exit_usage : exit_failed;
    } catch (const std::exception& e) {
        terminal::standard().error(std::string("unexpected: ") + e.what() +
                                   "; this is a fault of regsweep, please report it with the command");
        return exit_failed;
    }
}
