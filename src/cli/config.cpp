#include "cli/config.hpp"

#include "cli/choices.hpp"
#include "cli/interruption.hpp"
#include "cli/terminal.hpp"
#include "select/yaml_reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

namespace regsweep::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t config_limit = 1024 * 1024 + 1; // one more than the parser takes, so that it says so
constexpr std::size_t password_limit = 64 * 1024;

std::string environment_value(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

enum class value_kind { word, path, yes_or_no, list };

/// A key of a registry that stands for an option of every command.
struct setting
{
    std::string_view key;
    const char* option;
    value_kind kind;
    std::array<const char*, 2> options = {}; ///< if one of these is given, the key is not looked at
    const char* variable = "";               ///< nor if this is set
};

constexpr std::array<setting, 18> settings = {{
    {"digest_auth", "--digest-auth", value_kind::yes_or_no, {"--digest-auth"}, "REGISTRY_USE_DIGEST_AUTH"},
    {"verify", "--verify", value_kind::path, {"--verify", "--insecure"}, "REQUESTS_CA_BUNDLE"},
    {"insecure", "--insecure", value_kind::yes_or_no, {"--verify", "--insecure"}, "REQUESTS_CA_BUNDLE"},
    {"client_cert", "--client-cert", value_kind::path, {"--client-cert"}, "REGISTRY_CLIENT_CERT"},
    {"client_key", "--client-key", value_kind::path, {"--client-cert", "--client-key"}, "REGISTRY_CLIENT_CERT"},
    {"use_get_manifest",
     "--use-get-manifest",
     value_kind::yes_or_no,
     {"--use-get-manifest"},
     "DOCKER_UTIL_GET_MANIFEST"},
    {"cache", "--cache", value_kind::path, {"--cache"}, "DOCKER_UTIL_CACHEFILE"},
    {"repos", "--repo", value_kind::list, {"--repo", "--repos-from"}},
    {"repos_from", "--repos-from", value_kind::path, {"--repo", "--repos-from"}},
    {"concurrency", "--concurrency", value_kind::word, {"--concurrency"}},
    {"max_concurrency", "--max-concurrency", value_kind::word, {"--max-concurrency"}},
    {"pipeline", "--pipeline", value_kind::word, {"--pipeline"}},
    {"threads", "--threads", value_kind::word, {"--threads"}},
    {"rate", "--rate", value_kind::word, {"--rate"}},
    {"timeout", "--timeout", value_kind::word, {"--timeout"}},
    {"retries", "--retries", value_kind::word, {"--retries"}},
    {"page_size", "--page-size", value_kind::word, {"--page-size"}},
    {"delete_rate", nullptr, value_kind::word},
}};

/// A value for an option, with its place for errors.
struct given_value
{
    const setting* what = nullptr;
    std::vector<std::string> words;
    std::size_t line = 0;
    std::size_t column = 0;
};

struct registry_entry
{
    std::string name;
    std::string address;
    std::string user;
    std::string password;
    std::string password_file;
    std::string password_command;
    std::vector<given_value> values;
};

struct configuration
{
    std::string default_name;
    std::vector<registry_entry> registries;
    bool has_password = false;

    const registry_entry* find(std::string_view name) const
    {
        const auto found = std::ranges::find(registries, name, &registry_entry::name);
        return found == registries.end() ? nullptr : &*found;
    }
};

class config_reader : detail::yaml_reader
{
public:
    using detail::yaml_reader::mistake;

    config_reader(std::string_view name, fs::path folder) : detail::yaml_reader(name), folder_(std::move(folder)) {}

    configuration read(const detail::yaml_node& root)
    {
        configuration out;
        const detail::yaml_node* chosen = nullptr;
        const fields known = {
            {"default",
             [&](const detail::yaml_node& n) {
                 out.default_name = word(n, "the name of a registry");
                 chosen = &n;
             }},
            {"registries", [&](const detail::yaml_node& n) { out.registries = registries(n); }},
        };
        read_fields(root, "the configuration", known);
        if (chosen != nullptr && out.find(out.default_name) == nullptr)
            fail(*chosen, "expected the name of one of the registries, found " + found_text(*chosen));
        out.has_password = std::ranges::any_of(out.registries, [](const auto& r) { return !r.password.empty(); });
        return out;
    }

private:
    std::vector<registry_entry> registries(const detail::yaml_node& node) const
    {
        if (node.kind != detail::yaml_kind::map)
            fail(node, "expected names of registries, each with its keys, found " + found_text(node));
        std::vector<registry_entry> out;
        for (std::size_t i = 0; i + 1 < node.items.size(); i += 2)
            out.push_back(entry(node.items[i], node.items[i + 1]));
        return out;
    }

    registry_entry entry(const detail::yaml_node& key, const detail::yaml_node& node) const
    {
        registry_entry out;
        out.name = word(key, "a name");
        if (out.name.find_first_of(":/ \t") != std::string::npos)
            fail(key, "expected a name without colon, slash and blank, found " + found_text(key) +
                          ": the address has a key of its own");
        const auto text = [this](std::string& into, const char* expected) {
            return [this, &into, expected](const detail::yaml_node& n) { into = word(n, expected); };
        };
        fields known = {
            {"address", text(out.address, "an address: host[:port][/prefix]")},
            {"user", text(out.user, "a user's name")},
            {"password", text(out.password, "a password")},
            {"password_file", [&](const detail::yaml_node& n) { out.password_file = path(word(n, "a file")); }},
            {"password_command", text(out.password_command, "a command that prints the password")},
        };
        for (const setting& s : settings)
            known.emplace_back(s.key, [&](const detail::yaml_node& n) { out.values.push_back(value(s, n)); });
        read_fields(node, "the registry '" + out.name + "'", known);
        if (out.address.empty())
            fail(key, "expected 'address' below '" + out.name + "', found none");
        const auto passwords = static_cast<int>(!out.password.empty()) + static_cast<int>(!out.password_file.empty()) +
                               static_cast<int>(!out.password_command.empty());
        if (passwords > 1)
            fail(key, "expected one of password, password_file and password_command, found more");
        if (passwords == 1 && out.user.empty())
            fail(key, "expected 'user' with the password of '" + out.name + "', found none");
        return out;
    }

    given_value value(const setting& s, const detail::yaml_node& node) const
    {
        given_value out{&s, {}, node.line, node.column};
        switch (s.kind) {
        case value_kind::word: out.words = {word(node, "a number")}; break;
        case value_kind::path: out.words = {path(word(node, "a file"))}; break;
        case value_kind::yes_or_no: out.words = {yes_or_no(node) ? "true" : "false"}; break;
        case value_kind::list: out.words = words(node, "names or globs of repositories"); break;
        }
        return out;
    }

    std::string path(const std::string& text) const
    {
        if (text == "None" || text == "none" || text == "-")
            return text;
        if (const std::string home = environment_value("HOME"); text.starts_with("~/") && !home.empty())
            return home + text.substr(1);
        return (folder_ / text).string();
    }

    fs::path folder_;
};

struct open_file
{
    explicit open_file(const fs::path& name) : number(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    ~open_file()
    {
        if (number >= 0)
            ::close(number);
    }
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;

    int number;
};

[[noreturn]] void refuse(const std::string& text)
{
    throw failure({errc::bad_file, text});
}

std::string read_to(int file, std::size_t limit)
{
    std::string out(limit, '\0');
    std::size_t size = 0;
    while (size != limit) {
        const auto got = ::read(file, out.data() + size, limit - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        size += static_cast<std::size_t>(got);
    }
    out.resize(size);
    return out;
}

// Who may write the file may let a command of his be run.
void check_owner(const std::string& name, const struct stat& is)
{
    if (!S_ISREG(is.st_mode))
        refuse(name + ": is no ordinary file: expected YAML, see regsweep(1)");
    if (is.st_uid != 0 && is.st_uid != ::geteuid())
        refuse(name + ": belongs to another user, who could let it run commands as you: expected a file of your own");
    if ((is.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        refuse(name + ": others may write it, and could let it run commands as you: run chmod go-w on it");
}

std::optional<configuration> read_config(const fs::path& file, bool wanted)
{
    const std::string name = printable(file.string());
    const open_file opened(file);
    if (opened.number < 0 && !wanted && errno == ENOENT)
        return std::nullopt;
    struct stat is = {};
    if (opened.number < 0 || ::fstat(opened.number, &is) != 0)
        throw failure({errc::io, "the configuration '" + name + "' cannot be read: is it there, and may you read it?"});
    check_owner(name, is);
    const auto tree = detail::read_yaml(read_to(opened.number, config_limit), file.string());
    if (!tree)
        throw failure(tree.error());
    try {
        auto out = config_reader(file.string(), fs::absolute(file).parent_path()).read(*tree);
        if (out.has_password && (is.st_mode & (S_IRGRP | S_IROTH)) != 0)
            refuse(name + ": has a password, and others may read it: run chmod go-r on it, or use password_file or "
                          "password_command");
        return out;
    } catch (const config_reader::mistake& e) {
        throw failure(e.why);
    }
}

fs::path default_config()
{
    if (const std::string xdg = environment_value("XDG_CONFIG_HOME"); !xdg.empty())
        return fs::path(xdg) / "regsweep" / "config.yaml";
    if (const std::string home = environment_value("HOME"); !home.empty())
        return fs::path(home) / ".config" / "regsweep" / "config.yaml";
    return {};
}

// The file that `--config` or the default means, and what is in it if it is there.
std::pair<fs::path, std::optional<configuration>> find_config(const std::string& given)
{
    const bool wanted = !given.empty();
    fs::path file = wanted ? fs::path(given) : default_config();
    if (file.empty())
        return {};
    auto config = read_config(file, wanted);
    return {std::move(file), std::move(config)};
}

bool is_taken(const CLI::App& app, const setting& what)
{
    return !environment_value(what.variable).empty() || std::ranges::any_of(what.options, [&](const char* option) {
        return option != nullptr && app.get_option(option)->count() != 0;
    });
}

void set_delete_rate(const std::string& file, const given_value& from, options& into)
{
    char* end = nullptr;
    const double rate = std::strtod(from.words.front().c_str(), &end);
    if (*end != '\0' || !is_rate(rate))
        throw failure(detail::yaml_error(file, from.line, from.column,
                                         "delete_rate: expected a number from 0.00001 to 1000000, or 0 for no limit"));
    into.delete_rate = rate;
}

// An option takes the file's value as if it had been given, with the same checks.
void set_option(CLI::App& app, const std::string& file, const given_value& from)
{
    if (from.words.front() == "false")
        return;
    CLI::Option* option = app.get_option(from.what->option);
    try {
        option->add_result(from.words);
        option->run_callback();
    } catch (const CLI::ParseError& e) {
        throw failure(detail::yaml_error(file, from.line, from.column, printable(e.what())));
    }
}

// A mistyped name is as good a host as any other: what is like a name, and has no dot or port, is worth a word.
void tell_near_name(const configuration& config, const std::string& given)
{
    if (given.find_first_of(".:/") != std::string::npos || given == "localhost")
        return;
    std::vector<std::string> names;
    names.reserve(config.registries.size());
    for (const auto& entry : config.registries)
        names.push_back(entry.name);
    if (const auto near = suggestion(given, names); !near.empty())
        terminal::standard().warning("'" + printable(given, 60) +
                                     "' is not in the configuration file, and is taken for a host" + near);
}

void use_entry(CLI::App& app, const std::string& file, const registry_entry& entry, options& into)
{
    into.registry = entry.address;
    into.registry_name = entry.name;
    // A password belongs to the user beside it.
    if (into.user.empty() && !into.password_stdin) {
        into.user = entry.user;
        if (into.password.empty()) {
            into.password = entry.password;
            into.password_file = entry.password_file;
            into.password_command = entry.password_command;
        }
        into.user_source = file;
    }
    std::vector<const given_value*> open; // asked before the first is set, which would count as an option
    for (const auto& value : entry.values)
        if (!is_taken(app, *value.what))
            open.push_back(&value);
    for (const auto* value : open) {
        if (value->what->option == nullptr)
            set_delete_rate(file, *value, into);
        else
            set_option(app, file, *value);
    }
}

std::string first_line(std::string text)
{
    text.erase(std::min(text.find('\n'), text.size()));
    if (!text.empty() && text.back() == '\r')
        text.pop_back();
    return text;
}

std::string password_from_file(const std::string& name)
{
    const open_file opened(name);
    std::string out = opened.number < 0 ? "" : first_line(read_to(opened.number, password_limit));
    if (out.empty())
        throw failure(
            {errc::io, "the password_file '" + printable(name) + "' cannot be read or its first line is empty"});
    return out;
}

std::string password_from_command(const std::string& name, const std::string& command)
{
    const interruption stop = end_when_interrupted();
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGINT);
    sigaddset(&both, SIGTERM);
    sigset_t before;
    pthread_sigmask(SIG_UNBLOCK, &both, &before); // for the command, which inherits it
    FILE* pipe = ::popen(("(" + command + "\n) </dev/null").c_str(), "re");
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    std::string out = pipe == nullptr ? "" : first_line(read_to(::fileno(pipe), password_limit));
    const int status = pipe == nullptr ? -1 : ::pclose(pipe);
    if (status != 0 || out.empty())
        throw failure({errc::unauthorized, "the password_command of '" + name + "' " +
                                               (status == 0 ? "printed nothing" : "failed") +
                                               ": it has to print the password and nothing else"});
    return out;
}

} // namespace

void apply_config(CLI::App& app, options& into)
{
    const auto [file, config] = find_config(into.config);
    if (!config)
        return;
    const std::string given = into.registry.empty() ? config->default_name : into.registry;
    if (const auto* entry = config->find(given))
        use_entry(app, file.string(), *entry, into);
    else
        tell_near_name(*config, given);
}

std::vector<std::string> configured_registries(const std::string& file)
{
    std::vector<std::string> out;
    if (const auto config = find_config(file).second)
        for (const auto& entry : config->registries)
            out.push_back(entry.name);
    return out;
}

std::string configured_password(const options& of)
{
    if (!of.password_file.empty())
        return password_from_file(of.password_file);
    if (!of.password_command.empty())
        return password_from_command(of.registry_name, of.password_command);
    return {};
}

} // namespace regsweep::cli
