#ifndef REGSWEEP_AUTH_DOCKER_CONFIG_HPP
#define REGSWEEP_AUTH_DOCKER_CONFIG_HPP

#include "regsweep/auth/credentials.hpp"
#include "regsweep/core/address.hpp"
#include "regsweep/core/error.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// What one configuration file says about one registry. All empty: nothing.
struct docker_config_entry
{
    std::string helper;                   ///< NAME of `docker-credential-NAME` to be asked first; empty: none
    std::string helper_source;            ///< for messages: file and key that name the helper
    std::vector<std::string> helper_urls; ///< server URLs to ask it for, one after the other, until it knows one
    credentials found;                    ///< from `auths`; anonymous if there are none
};

/// Looks a registry up in the text of a Docker `config.json` or a containers `auth.json`.
/// - `auths` keys match with or without scheme, `/v1/` or `/v2/`, and port where it is the scheme's own; a key with a
///   path (`host/team`) matches registries below that path, the longest wins. `credHelpers` keys match the same way.
///   `docker.io`, `index.docker.io` and `registry-1.docker.io` are one registry.
/// - `path` is the registry's path or namespace without slashes at its ends: "" or e.g. `team/app`.
/// - `file` is for messages. Fails with `errc::bad_file`, naming file, line and column, without any of the text.
result<docker_config_entry> find_in_docker_config(std::string_view json, std::string_view file, const origin& server,
                                                  std::string_view path = {});

/// The environment as far as the lookup wants it. Empty: not set.
struct docker_environment
{
    std::string home;               ///< `HOME`
    std::string docker_config;      ///< `DOCKER_CONFIG`, a folder
    std::string registry_auth_file; ///< `REGISTRY_AUTH_FILE`
    std::string xdg_runtime_dir;    ///< `XDG_RUNTIME_DIR`
    std::string xdg_config_home;    ///< `XDG_CONFIG_HOME`
    std::string path;               ///< `PATH`, where helpers are looked for

    /// Asks `get` for each variable; `get` returns null for one that is not set, as `std::getenv` does.
    static docker_environment from(const std::function<const char*(const char*)>& get);
};

/// The files to look into, in order: `$REGISTRY_AUTH_FILE`; `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`;
/// `$XDG_RUNTIME_DIR/containers/auth.json`; `$XDG_CONFIG_HOME/containers/auth.json` or
/// `~/.config/containers/auth.json`.
std::vector<std::string> docker_config_files(const docker_environment& environment);

/// Bounds on a credential helper.
struct helper_options
{
    std::chrono::milliseconds timeout{10'000}; ///< from start to exit; then it is killed with all its children
    std::size_t max_output = 64 * 1024;        ///< bytes, of each of its outputs
};

/// Asks `docker-credential-NAME get` for `server_url`. Nothing if the helper does not know it. No shell is involved;
/// NAME is `[A-Za-z0-9._-]+` and looked for in the folders of `path` alone. The URL goes to its standard input, nothing
/// into its arguments. Blocks. Fails with `errc::bad_argument` (name), `errc::not_found` (no such program),
/// `errc::timed_out`, `errc::too_large`, `errc::bad_response` (answer), `errc::unauthorized` (the helper failed; with
/// its message, what looks like a secret left out). Any thread.
result<std::optional<credentials>> ask_credential_helper(const std::string& name, const std::string& server_url,
                                                         const std::string& source, const std::string& path,
                                                         const helper_options& options = {});

/// The credentials for a registry from the first file that has some; anonymous if none has. Reads files and runs
/// helpers: blocks; any thread. Missing files are passed over; one that cannot be read is `errc::io`, one that is
/// malformed `errc::bad_file`; a missing `$REGISTRY_AUTH_FILE` is `errc::io`. Fails as `ask_credential_helper` does.
result<credentials> find_docker_credentials(const docker_environment& environment, const origin& server,
                                            std::string_view path = {}, const helper_options& options = {});

} // namespace regsweep

#endif
