#include "regsweep/auth/docker_config.hpp"

#include "auth/text.hpp"

#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <sys/stat.h>

namespace regsweep {
namespace {

using namespace auth_text;
namespace json = boost::json;

constexpr std::string_view hub_key = "https://index.docker.io/v1/";
constexpr std::size_t max_file = 4 * 1024 * 1024;

std::string_view view(const json::string& s)
{
    return {s.data(), s.size()};
}

std::string member(const json::object& object, std::string_view name)
{
    const json::value* v = object.if_contains(name);
    const json::string* s = v ? v->if_string() : nullptr;
    return s ? std::string(view(*s)) : std::string();
}

const json::object* object_member(const json::object& object, std::string_view name)
{
    const json::value* v = object.if_contains(name);
    return v ? v->if_object() : nullptr;
}

bool is_hub(std::string_view host)
{
    return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io";
}

bool names_registry(std::string_view host_and_port, const origin& server)
{
    const std::string host = ascii_lower(host_and_port);
    if (is_hub(server.host) && is_hub(host.substr(0, host.find(':'))))
        return true;
    const std::string bare = server.host.find(':') == std::string::npos ? server.host : "[" + server.host + "]";
    return host == server.authority() || host == bare + ":" + std::to_string(server.port);
}

// Whether `path` is `prefix` or lies below it.
bool below(std::string_view path, std::string_view prefix)
{
    if (!path.starts_with(prefix))
        return false;
    return prefix.empty() || path.size() == prefix.size() || path[prefix.size()] == '/';
}

std::string_view trim_slashes(std::string_view text)
{
    while (text.starts_with('/'))
        text.remove_prefix(1);
    while (text.ends_with('/'))
        text.remove_suffix(1);
    return text;
}

// How well a key names the registry: nothing if not; else the longer its path, the better, then those as a login writes
// them today (without scheme).
std::optional<std::size_t> match(std::string_view key, const origin& server, std::string_view path)
{
    bool with_scheme = true;
    if (equal_ignoring_case(key.substr(0, 8), "https://"))
        key.remove_prefix(8);
    else if (equal_ignoring_case(key.substr(0, 7), "http://"))
        key.remove_prefix(7);
    else
        with_scheme = false;
    const std::size_t slash = std::min(key.find('/'), key.size());
    if (!names_registry(key.substr(0, slash), server))
        return std::nullopt;
    std::string_view key_path = trim_slashes(key.substr(slash));
    if (key_path == "v1" || key_path == "v2")
        key_path = {};
    if (!below(trim_slashes(path), key_path))
        return std::nullopt;
    return 2 * key_path.size() + (with_scheme ? 0 : 1);
}

// The member whose key names the registry best and which `usable` accepts; null without one.
template<class Usable>
const json::key_value_pair* best_match(const json::object& object, const origin& server, std::string_view path,
                                       Usable usable)
{
    const json::key_value_pair* best = nullptr;
    std::size_t best_score = 0;
    for (const json::key_value_pair& pair : object) {
        const auto score = match(std::string_view(pair.key().data(), pair.key().size()), server, path);
        if (!score || (best && *score <= best_score) || !usable(pair.value()))
            continue;
        best = &pair;
        best_score = *score;
    }
    return best;
}

std::string where(std::string_view file, std::string_view list, std::string_view key)
{
    std::string out(file);
    out += ", ";
    out += list;
    if (!key.empty())
        out += "[\"" + printable(key, 200) + "\"]";
    return out;
}

error bad_entry(const std::string& source, const char* why)
{
    return {errc::bad_file, source + ": " + why + "; run 'docker login' again or correct the file"};
}

bool holds_credentials(const json::value& v)
{
    const json::object* entry = v.if_object();
    if (!entry)
        return false;
    for (const char* name : {"auth", "identitytoken", "registrytoken", "username", "password"})
        if (!member(*entry, name).empty())
            return true;
    return false;
}

// `auth` is base64 of user:password. The password may hold colons, the user may not.
result<void> read_auth(const json::object& entry, credentials& out)
{
    std::string encoded = member(entry, "auth");
    if (encoded.empty())
        return {};
    auto plain = base64_decode(encoded);
    wipe(encoded);
    if (!plain)
        return bad_entry(out.source, "'auth' is not base64");
    const std::size_t colon = plain->find(':');
    if (colon == std::string::npos || colon == 0) {
        wipe(*plain);
        return bad_entry(out.source, "'auth' is not the base64 of user:password");
    }
    out.user = plain->substr(0, colon);
    std::string_view password = std::string_view(*plain).substr(colon + 1);
    while (password.ends_with('\0')) // Docker wrote such, and takes them off
        password.remove_suffix(1);
    out.secret = secret(password);
    wipe(*plain);
    return {};
}

result<credentials> read_entry(const json::object& entry, std::string source)
{
    credentials out;
    out.source = std::move(source);
    if (const auto read = read_auth(entry, out); !read)
        return read.error();
    if (out.user.empty()) {
        out.user = member(entry, "username");
        out.secret = secret(member(entry, "password"));
    }
    out.kind = credential_kind::basic;
    if (std::string token = member(entry, "identitytoken"); !token.empty()) {
        out.kind = credential_kind::identity_token;
        out.secret = secret(std::move(token));
    } else if (token = member(entry, "registrytoken"); !token.empty()) {
        out.kind = credential_kind::registry_token;
        out.secret = secret(std::move(token));
    } else if (out.user.empty()) {
        return bad_entry(out.source, "there is a password without a user");
    }
    return out;
}

// What a helper may have stored the registry as. Each costs running it once, so there are few.
std::vector<std::string> helper_urls(const origin& server, std::string_view key)
{
    std::vector<std::string> out;
    const auto add = [&](std::string url) {
        if (!url.empty() && std::find(out.begin(), out.end(), url) == out.end())
            out.push_back(std::move(url));
    };
    add(std::string(key));
    if (is_hub(server.host)) {
        add(std::string(hub_key));
    } else {
        add(server.authority());
        add("https://" + server.authority());
    }
    return out;
}

void find_helper(const json::object& root, std::string_view file, const origin& server, std::string_view path,
                 docker_config_entry& out)
{
    if (const json::object* helpers = object_member(root, "credHelpers")) {
        const auto* pair = best_match(*helpers, server, path,
                                      [](const json::value& v) { return v.is_string() && !v.get_string().empty(); });
        if (pair) {
            const std::string_view key(pair->key().data(), pair->key().size());
            out.helper = std::string(view(pair->value().get_string()));
            out.helper_source = where(file, "credHelpers", key);
            out.helper_urls = helper_urls(server, key);
            return;
        }
    }
    out.helper = member(root, "credsStore");
    if (out.helper.empty())
        return;
    out.helper_source = where(file, "credsStore", {});
    std::string_view key;
    if (const json::object* auths = object_member(root, "auths"))
        if (const auto* pair = best_match(*auths, server, path, [](const json::value&) { return true; }))
            key = std::string_view(pair->key().data(), pair->key().size());
    out.helper_urls = helper_urls(server, key);
}

std::string position(std::string_view text, std::size_t offset)
{
    const std::string_view before = text.substr(0, offset);
    const std::size_t last = before.rfind('\n');
    const std::size_t line = 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
    const std::size_t column = last == std::string_view::npos ? offset + 1 : offset - last;
    return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// The text of a file; nothing if there is none.
result<std::optional<std::string>> read_file(const std::string& file)
{
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.c_str(), "rbe"), &std::fclose);
    const auto failed = [&](int reason) {
        return error(errc::io, "the credentials file '" + printable(file) + "' cannot be read: " +
                                   std::generic_category().message(reason) + "; correct its rights, or give --user");
    };
    if (!in) {
        if (errno == ENOENT || errno == ENOTDIR)
            return std::optional<std::string>();
        return failed(errno);
    }
    struct stat status{};
    if (fstat(fileno(in.get()), &status) != 0)
        return failed(errno);
    if (S_ISDIR(status.st_mode))
        return failed(EISDIR);
    std::string text(max_file + 1, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), in.get()));
    if (std::ferror(in.get()) != 0)
        return failed(errno);
    if (text.size() > max_file)
        return error(errc::bad_file, "the credentials file '" + printable(file) +
                                         "' is over 4 MiB; name another with DOCKER_CONFIG or REGISTRY_AUTH_FILE");
    return std::optional<std::string>(std::move(text));
}

result<credentials> from_file(const std::string& text, const std::string& file, const docker_environment& environment,
                              const origin& server, std::string_view path, const helper_options& options)
{
    auto entry = find_in_docker_config(text, file, server, path);
    if (!entry)
        return entry.error();
    for (const std::string& url : entry->helper_urls) {
        auto answer = ask_credential_helper(entry->helper, url, entry->helper_source, environment.path, options);
        if (!answer)
            return answer.error();
        if (answer->has_value())
            return **std::move(answer);
    }
    return std::move(entry->found);
}

} // namespace

result<docker_config_entry> find_in_docker_config(std::string_view text, std::string_view file, const origin& server,
                                                  std::string_view path)
{
    // Some tools leave an empty file behind after the last logout.
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return docker_config_entry();
    json::parser parser;
    json::error_code failed;
    const std::size_t read = parser.write_some(text.data(), text.size(), failed);
    const std::size_t bad_at = failed == json::error::incomplete ? text.size() : read;
    if (!failed && text.find_first_not_of(" \t\r\n", read) != std::string_view::npos)
        failed = json::error::extra_data;
    const std::string shown = printable(file);
    if (failed)
        return error(errc::bad_file, "the credentials file '" + shown +
                                         "' is no valid JSON: " + position(text, bad_at) + ": " + failed.message() +
                                         "; correct it, or run 'docker login' again");
    const json::value root = parser.release();
    const json::object* object = root.if_object();
    if (!object)
        return error(errc::bad_file,
                     "the credentials file '" + shown +
                         "' is no valid JSON object: line 1, column 1; correct it, or run 'docker login' again");
    docker_config_entry out;
    find_helper(*object, shown, server, path, out);
    const json::object* auths = object_member(*object, "auths");
    if (!auths)
        return out;
    const auto* pair = best_match(*auths, server, path, holds_credentials);
    if (!pair)
        return out;
    auto entry = read_entry(pair->value().get_object(),
                            where(shown, "auths", std::string_view(pair->key().data(), pair->key().size())));
    if (!entry)
        return entry.error();
    out.found = *std::move(entry);
    return out;
}

docker_environment docker_environment::from(const std::function<const char*(const char*)>& get)
{
    const auto text = [&](const char* name) {
        const char* value = get(name);
        return std::string(value ? value : "");
    };
    docker_environment out;
    out.home = text("HOME");
    out.docker_config = text("DOCKER_CONFIG");
    out.registry_auth_file = text("REGISTRY_AUTH_FILE");
    out.xdg_runtime_dir = text("XDG_RUNTIME_DIR");
    out.xdg_config_home = text("XDG_CONFIG_HOME");
    out.path = text("PATH");
    return out;
}

std::vector<std::string> docker_config_files(const docker_environment& e)
{
    std::vector<std::string> out;
    if (!e.registry_auth_file.empty())
        out.push_back(e.registry_auth_file);
    if (!e.docker_config.empty())
        out.push_back(e.docker_config + "/config.json");
    else if (!e.home.empty())
        out.push_back(e.home + "/.docker/config.json");
    if (!e.xdg_runtime_dir.empty())
        out.push_back(e.xdg_runtime_dir + "/containers/auth.json");
    if (!e.xdg_config_home.empty())
        out.push_back(e.xdg_config_home + "/containers/auth.json");
    else if (!e.home.empty())
        out.push_back(e.home + "/.config/containers/auth.json");
    return out;
}

result<credentials> find_docker_credentials(const docker_environment& environment, const origin& server,
                                            std::string_view path, const helper_options& options)
{
    for (const std::string& file : docker_config_files(environment)) {
        auto text = read_file(file);
        if (!text)
            return text.error();
        if (!text->has_value()) {
            if (file == environment.registry_auth_file)
                return error(errc::io,
                             "the credentials file '" + printable(file) +
                                 "' named by REGISTRY_AUTH_FILE does not exist; correct the variable, or unset it");
            continue;
        }
        auto found = from_file(**text, file, environment, server, path, options);
        wipe(**text);
        if (!found || !found->anonymous())
            return found;
    }
    return credentials();
}

} // namespace regsweep
