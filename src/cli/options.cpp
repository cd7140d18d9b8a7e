#include "cli/options.hpp"

#include "cli/choices.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace regsweep::cli {
namespace {

// docker-registry-util takes any text but these for yes.
bool is_yes(const char* value)
{
    std::string text = value ? value : "";
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    return !text.empty() && text != "false" && text != "0" && text != "no" && text != "none";
}

bool is_yes_or_no(std::string_view word)
{
    static constexpr std::array<std::string_view, 12> words = {"yes", "no", "true", "false", "True", "False",
                                                               "1",   "0",  "on",   "off",   "None", "none"};
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::string environment(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

// `REGSWEEP_PAGE_SIZE` for `--page-size`.
std::string variable_of(std::string_view option)
{
    std::string name = "REGSWEEP_";
    for (const char c : option.substr(2))
        name += c == '-' ? '_' : static_cast<char>(c - ('a' - 'A'));
    return name;
}

std::string list_of(std::span<const std::string_view> names)
{
    std::string out;
    for (const auto name : names)
        out += (out.empty() ? "" : ", ") + std::string(name);
    return out;
}

} // namespace

usage_error no_table(std::string_view command)
{
    return usage_error("--output table: " + std::string(command) + " has no table; use text or json (" +
                       list_of(commands_with_tables()) + " know table)");
}

void check_output(const CLI::App& app, const options& given)
{
    if (given.output != output_format::table)
        return;
    const auto known = commands_with_tables();
    for (const auto* command : app.get_subcommands())
        if (std::find(known.begin(), known.end(), command->get_name()) == known.end())
            throw no_table(command->get_name());
}

std::span<const std::string_view> commands_with_tables() noexcept
{
    static constexpr std::array<std::string_view, 9> names = {
        "list-repo-names", "list-tag-names", "query-repos", "query-tags", "du",
        "inspect",         "journal",        "doctor",      "bench"};
    return names;
}

std::span<const std::pair<std::string_view, std::string_view>> old_names() noexcept
{
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> names = {{
        {"-reg", "--registry"},
        {"-re", "--regex"},
        {"-xre", "--exclude-regex"},
        {"-cert", "--client-cert"},
        {"-key", "--client-key"},
    }};
    return names;
}

std::string with_long_name(std::string_view word)
{
    const auto head = word.substr(0, word.find('='));
    for (const auto& [old_name, name] : old_names())
        if (old_name == head)
            return std::string(name) + std::string(word.substr(head.size()));
    return std::string(word);
}

std::vector<std::string> with_long_names(int argc, const char* const* argv)
{
    std::vector<std::string> out;
    for (int i = 1; i < argc; ++i) {
        const std::string_view given(argv[i]);
        // docker-registry-util wants a value here, and a flag is what it means.
        if (given == "--digest-auth" && i + 1 < argc && is_yes_or_no(argv[i + 1]))
            out.push_back(std::string(given) + "=" + argv[++i]);
        else
            out.push_back(with_long_name(given));
    }
    return out;
}

void add_common_options(CLI::App& app, options& into)
{
    into.registry = environment("REGISTRY");
    into.user = environment("REGISTRY_USER");
    into.password = environment("REGISTRY_PASSWORD");
    into.config = environment("REGSWEEP_CONFIG");
    into.cache = environment("DOCKER_UTIL_CACHEFILE");
    into.client_cert = environment("REGISTRY_CLIENT_CERT");
    into.client_key = environment("REGISTRY_CLIENT_KEY");
    into.digest_auth = environment("REGISTRY_USE_DIGEST_AUTH");
    into.use_get_manifest = is_yes(std::getenv("DOCKER_UTIL_GET_MANIFEST"));

    const std::string registry = "Registry";
    app.add_option("--registry", into.registry,
                   "Address: host[:port][/prefix], with or without http:// or https://, or a name of the "
                   "configuration file [REGISTRY]; also -reg")
        ->type_name("ADDRESS")
        ->group(registry);
    app.add_option("--config", into.config,
                   "Named registries and their settings [REGSWEEP_CONFIG]; default: "
                   "$XDG_CONFIG_HOME/regsweep/config.yaml")
        ->type_name("FILE")
        ->group(registry);
    app.add_option("--user,-u", into.user, "User [REGISTRY_USER]; without one, Docker's configuration is asked")
        ->type_name("NAME")
        ->group(registry);
    app.add_option("--password,-p", into.password,
                   "Password [REGISTRY_PASSWORD]; other users of the machine can see it, "
                   "prefer the variable or --password-stdin")
        ->type_name("TEXT")
        ->group(registry);
    app.add_flag("--password-stdin", into.password_stdin, "Read the password from standard input")->group(registry);
    app.add_flag("--digest-auth{yes}", into.digest_auth,
                 "Log in with HTTP Digest: send no Basic credentials unasked [REGISTRY_USE_DIGEST_AUTH]")
        ->group(registry);
    app.add_option(
           "--verify,-v", into.verify,
           "Certificate authorities to trust, a PEM bundle or a folder [REQUESTS_CA_BUNDLE]; 'None' is --insecure")
        ->type_name("FILE")
        ->group(registry);
    app.add_flag("--insecure", into.insecure, "Do not check the registry's certificate")->group(registry);
    app.add_option("--client-cert", into.client_cert, "Client certificate [REGISTRY_CLIENT_CERT]; also -cert")
        ->type_name("FILE")
        ->group(registry);
    app.add_option("--client-key", into.client_key,
                   "Key of the client certificate, if not in the same file [REGISTRY_CLIENT_KEY]; also -key")
        ->type_name("FILE")
        ->group(registry);
    app.add_flag("--use-get-manifest", into.use_get_manifest,
                 "Ask with GET instead of HEAD, e.g. for Nexus [DOCKER_UTIL_GET_MANIFEST]")
        ->group(registry);

    const std::string index = "Index";
    app.add_option("--cache,-c", into.cache,
                   "Index file [DOCKER_UTIL_CACHEFILE]; *.json is docker-registry-util's cache, 'None' keeps it in "
                   "memory; default: $XDG_CACHE_HOME/regsweep/<registry>.db")
        ->type_name("FILE")
        ->group(index);
    app.add_flag("--refresh", into.refresh, "Crawl the registry first, even if there is an index")->group(index);
    app.add_option("--repo", into.patterns,
                   "Crawl only repositories that match this glob; may be repeated; names without * ? [ need no catalog")
        ->type_name("GLOB")
        ->check(repository_glob())
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->group(index);
    app.add_option("--repos-from", into.repos_from,
                   "Crawl the repositories that this file names, one a line; - is standard input")
        ->type_name("FILE")
        ->check(file_name())
        ->group(index);

    const std::string crawl = "Crawl";
    // The bounds are told when they are broken; in the help they would only make noise.
    const auto number = [&](const char* name, auto& into_value, CLI::Validator bounds, const char* type,
                            const char* text) {
        app.add_option(name, into_value, text)
            ->envname(variable_of(name))
            ->check(bounds.description(""))
            ->type_name(type)
            ->group(crawl);
    };
    number("--concurrency", into.concurrency, CLI::Range(1U, 4096U), "N",
           "Requests in flight; without it, as many as the registry serves best");
    number("--max-concurrency", into.max_concurrency, CLI::Range(1U, 4096U), "N",
           "Bound of what is found to serve best [256]");
    number("--pipeline", into.pipeline, CLI::Range(1U, 64U), "N",
           "Requests sent together on a connection; without it, more than one only where that pays");
    number("--threads", into.threads, CLI::Range(1U, 256U), "N", "Threads, each with its own connections [1]");
    number("--rate", into.rate, rate(), "R", "Requests a second at the most; 0 for no limit [0]");
    number("--timeout", into.timeout, number_between(0.001, 86400.0), "SECONDS",
           "Without a byte for so long, an answer is given up [30]");
    number("--retries", into.retries, CLI::Range(0U, 1000U), "N",
           "Repetitions of a request that failed for a passing reason [5]");
    number("--page-size", into.page_size, CLI::Range(1U, 1000000U), "N", "Names to ask for in a page [1000]");

    const std::string output = "Output";
    auto* const form =
        app.add_option("--output", into.output, "Form of the output; table: " + list_of(commands_with_tables()))
            ->envname("REGSWEEP_OUTPUT")
            ->group(output);
    limit_to<output_format>(
        *form, {{"table", output_format::table}, {"text", output_format::text}, {"json", output_format::json}});
    app.add_flag("--count", into.count, "Close with the number of items shown")->group(output);
    auto* const level = app.add_option("--log-level,-l", into.level, "What is said on standard error")
                            ->envname("REGSWEEP_LOG_LEVEL")
                            ->group(output);
    limit_to<log_level>(*level,
                        {{"debug", log_level::debug},
                         {"info", log_level::info},
                         {"warning", log_level::warning},
                         {"error", log_level::error}},
                        {{"critical", log_level::error}});
    app.add_flag("--quiet,-q", into.quiet, "Say nothing on standard error but errors")->group(output);
    app.add_flag("--no-raise-intersecting-repo", into.keep_intersecting_repo,
                 "Leave out digests that other repositories use, instead of failing")
        ->group("Selection");
}

} // namespace regsweep::cli
