#ifndef REGSWEEP_TESTS_COMMON_REAL_REGISTRY_HPP
#define REGSWEEP_TESTS_COMMON_REAL_REGISTRY_HPP

#include "common/process.hpp"
#include "common/temp_dir.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace regsweep::test {

/// How Debian's docker-registry is configured.
struct real_registry_options
{
    bool allow_delete = true;
    std::map<std::string, std::string> users{}; ///< Basic authentication: user and password; empty for none
    std::string auth{};                         ///< YAML of another `auth` section, indented by two; replaces `users`
    std::filesystem::path certificate{};        ///< with `key`: serves TLS
    std::filesystem::path key{};
};

/// A port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();

/// Debian's docker-registry on a free port of 127.0.0.1, with its storage in a temporary folder. Runs from the
/// constructor on, which throws `std::runtime_error` with the registry's log if it does not start.
class real_registry
{
public:
    explicit real_registry(real_registry_options options = {});

    std::uint16_t port() const noexcept { return port_; }
    /// `127.0.0.1:port`
    std::string address() const;
    /// `http://127.0.0.1:port`, or https with a certificate
    std::string url() const;
    std::filesystem::path storage() const { return storage_.path(); }
    /// What the registry has written since its last start.
    std::string log() const;

    void stop();
    /// Starts it again, on the same port and storage.
    void start();
    void restart();
    /// Runs the garbage collector, to be called while stopped; gives what it printed.
    std::string garbage_collect(bool delete_untagged = false);

private:
    void write_config();
    bool try_start();

    real_registry_options options_;
    temp_dir folder_;
    temp_dir storage_;
    std::uint16_t port_ = 0;
    std::optional<process> process_;
    std::string last_log_;
};

} // namespace regsweep::test

#endif
