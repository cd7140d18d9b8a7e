#ifndef REGSWEEP_SRC_CLI_OPTIONS_HPP
#define REGSWEEP_SRC_CLI_OPTIONS_HPP

#include <CLI/App.hpp>
#include <CLI/CLI.hpp>

#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep::cli {

enum class log_level { debug, info, warning, error };
enum class output_format { text, json, table };

/// What every command understands, from options and environment.
struct options
{
    std::string registry;
    std::string user;
    std::string password;
    bool password_stdin = false;
    std::string password_file;    ///< of the configuration file, as is `password_command`
    std::string password_command; ///< for `sh -c`
    std::string user_source = "--user or REGISTRY_USER";
    std::string config;        ///< `--config`
    std::string registry_name; ///< in the configuration file; empty if the registry is given by its address
    std::string digest_auth;
    std::string client_cert;
    std::string client_key;
    std::string verify;
    bool insecure = false;
    std::string cache;
    bool refresh = false;
    bool count = false;
    bool keep_intersecting_repo = false; ///< `--no-raise-intersecting-repo`
    bool use_get_manifest = false;
    log_level level = log_level::info;
    output_format output = output_format::text;
    unsigned concurrency = 0;
    unsigned max_concurrency = 256;
    unsigned pipeline = 0;
    unsigned threads = 1;
    double rate = 0;
    double delete_rate = 0; ///< where the command is not told another one
    double timeout = 30;
    unsigned retries = 5;
    unsigned page_size = 1000;
    std::vector<std::string> patterns;
    std::string repos_from;
    bool quiet = false;
};

/// A wrong use of the command line: exit status 2.
struct usage_error : std::runtime_error
{
    using std::runtime_error::runtime_error;
};

/// What `--output table` is answered with by a command that is not one of `commands_with_tables`.
usage_error no_table(std::string_view command);
std::span<const std::string_view> commands_with_tables() noexcept;
/// Throws it where a command that was chosen is not one of them.
void check_output(const CLI::App& app, const options& given);

/// Exit statuses, as documented.
constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_partly = 3;
constexpr int exit_interrupted = 130;

class session;

/// What a command's file gives to `main`: it adds its subcommand and options and says what to run.
using command_runner = std::function<int(session&)>;
using add_command = command_runner (*)(CLI::App& app, CLI::App*& subcommand);

command_runner add_refresh(CLI::App& app, CLI::App*& subcommand);
command_runner add_list_repo_names(CLI::App& app, CLI::App*& subcommand);
command_runner add_list_tag_names(CLI::App& app, CLI::App*& subcommand);
command_runner add_query_repos(CLI::App& app, CLI::App*& subcommand);
command_runner add_query_tags(CLI::App& app, CLI::App*& subcommand);
command_runner add_du(CLI::App& app, CLI::App*& subcommand);
command_runner add_inspect(CLI::App& app, CLI::App*& subcommand);
command_runner add_report(CLI::App& app, CLI::App*& subcommand);
command_runner add_remove_repos(CLI::App& app, CLI::App*& subcommand);
command_runner add_remove_tags(CLI::App& app, CLI::App*& subcommand);
command_runner add_prune(CLI::App& app, CLI::App*& subcommand);
command_runner add_apply(CLI::App& app, CLI::App*& subcommand);
command_runner add_journal(CLI::App& app, CLI::App*& subcommand);
command_runner add_restore(CLI::App& app, CLI::App*& subcommand);
command_runner add_bench(CLI::App& app, CLI::App*& subcommand);
command_runner add_doctor(CLI::App& app, CLI::App*& subcommand);

/// Adds the options of every command and reads their environment variables.
void add_common_options(CLI::App& app, options& into);

/// docker-registry-util's multi-letter options of one dash (`-reg`, `-re`, `-xre`, `-cert`, `-key`), and what they are
/// called here.
std::span<const std::pair<std::string_view, std::string_view>> old_names() noexcept;
/// The word, with such a name replaced by the long one.
std::string with_long_name(std::string_view word);
/// All arguments so.
std::vector<std::string> with_long_names(int argc, const char* const* argv);

} // namespace regsweep::cli

#endif
