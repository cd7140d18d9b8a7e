#ifndef REGSWEEP_TESTS_COMMON_SERVER_PROGRAM_HPP
#define REGSWEEP_TESTS_COMMON_SERVER_PROGRAM_HPP

#include "common/process.hpp"
#include "common/temp_dir.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace regsweep::test {

/// A server from Debian on a free port of 127.0.0.1, with a folder for its files that other users can read: servers
/// change their user. Runs from the constructor on, until it is destroyed.
class server_program
{
public:
    /// Writes what the server needs into the folder and says how it is started in the foreground.
    using setup = std::function<process_options(const std::filesystem::path& folder, std::uint16_t port)>;

    /// Throws `std::runtime_error` with what the server said if it does not start.
    explicit server_program(const setup& write);
    ~server_program();
    server_program(const server_program&) = delete;
    server_program& operator=(const server_program&) = delete;

    std::uint16_t port() const noexcept { return port_; }
    /// `127.0.0.1:port`
    std::string address() const;
    std::filesystem::path file(std::string_view name) const { return folder_ / name; }
    /// What it has written to its outputs.
    std::string log() const;

private:
    bool wait_until_it_listens();

    temp_dir folder_;
    std::uint16_t port_ = 0;
    std::optional<process> process_;
};

/// Basic authentication or a proxy's: both empty for none.
struct login
{
    std::string user{};
    std::string password{};
};

/// nginx before a server on plain HTTP, which it reaches over kept-alive connections.
struct nginx_options
{
    std::string upstream;           ///< `host:port`
    std::string certificate{};      ///< PEM; with `key`: serves TLS
    std::string key{};              ///< PEM
    std::string prefix{};           ///< path below which the server is seen, e.g. `/registry`; empty: at the root
    std::string client_authority{}; ///< PEM; clients must show a certificate of it; empty: none is asked for
    login basic{};
};
server_program::setup nginx(nginx_options options);
/// Its log; a line is `CONNECTION REQUESTS_ON_IT r|. METHOD TARGET PROTOCOL`, where `r` is a resumed session.
/// session.
constexpr const char* nginx_log = "access.log";

/// Apache with mod_auth_digest (MD5, qop auth) before a server on plain HTTP.
struct apache_digest_options
{
    std::string upstream; ///< `host:port`
    login digest;
    unsigned nonce_seconds = 300; ///< then a nonce is stale
};
server_program::setup apache_digest(apache_digest_options options);

/// tinyproxy, a forward proxy for plain HTTP and CONNECT; its log names every request.
server_program::setup tinyproxy(login basic = {});

} // namespace regsweep::test

#endif
