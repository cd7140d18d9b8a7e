#include "common/real_registry.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace regsweep::test {

namespace {

constexpr const char* program = "docker-registry";

/// bcrypt lines; the cheapest cost, because the registry checks one with every request.
std::string htpasswd(const std::map<std::string, std::string>& users)
{
    std::string all;
    for (const auto& [user, password] : users) {
        const auto made = run({.args = {"htpasswd", "-n", "-i", "-B", "-C", "4", user}, .input = password + "\n"});
        if (made.exit_code != 0)
            throw std::runtime_error("htpasswd failed: " + made.err);
        all += lines(made.out).at(0) + "\n";
    }
    return all;
}

/// In memory where the system has that: the registry syncs every file it writes, which makes pushing slow on disks.
std::filesystem::path fast_folder()
{
    const char* memory = "/dev/shm";
    return access(memory, W_OK) == 0 ? std::filesystem::path(memory) : std::filesystem::temp_directory_path();
}

} // namespace

std::uint16_t free_port()
{
    const int socket_file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* address = reinterpret_cast<sockaddr*>(&where);
    const bool done =
        socket_file >= 0 && bind(socket_file, address, size) == 0 && getsockname(socket_file, address, &size) == 0;
    const int why = errno;
    if (socket_file >= 0)
        ::close(socket_file);
    if (!done)
        throw std::system_error(why, std::generic_category(), "no free port");
    return ntohs(where.sin_port);
}

real_registry::real_registry(real_registry_options options) : options_(std::move(options)), storage_(fast_folder())
{
    if (!options_.users.empty() && options_.auth.empty())
        write_file(folder_ / "htpasswd", htpasswd(options_.users));
    // Another program may take the port between the look and the start.
    for (int attempt = 0; attempt < 10; ++attempt) {
        port_ = free_port();
        write_config();
        if (try_start())
            return;
    }
    throw std::runtime_error("docker-registry does not start: " + last_log_);
}

std::string real_registry::address() const
{
    return "127.0.0.1:" + std::to_string(port_);
}

std::string real_registry::url() const
{
    return (options_.certificate.empty() ? "http://" : "https://") + address();
}

std::string real_registry::log() const
{
    return process_ ? process_->err() + process_->out() : last_log_;
}

void real_registry::write_config()
{
    std::string yaml = "version: 0.1\n"
                       "log:\n  level: info\n  accesslog:\n    disabled: true\n"
                       "storage:\n  filesystem:\n    rootdirectory: " +
                       storage().string() + "\n  delete:\n    enabled: " + (options_.allow_delete ? "true" : "false") +
                       "\nhttp:\n  addr: " + address() + "\n  secret: test\n";
    if (!options_.certificate.empty())
        yaml +=
            "  tls:\n    certificate: " + options_.certificate.string() + "\n    key: " + options_.key.string() + "\n";
    if (!options_.auth.empty())
        yaml += "auth:\n" + options_.auth + "\n";
    else if (!options_.users.empty())
        yaml += "auth:\n  htpasswd:\n    realm: test\n    path: " + (folder_ / "htpasswd").string() + "\n";
    write_file(folder_ / "config.yml", yaml);
}

bool real_registry::try_start()
{
    process_.emplace(process_options{.args = {program, "serve", (folder_ / "config.yml").string()}});
    // Written once it listens: unlike an answer, it cannot come from another program that took the port.
    if (process_->wait_for_error("listening on"))
        return true;
    stop();
    return false;
}

void real_registry::stop()
{
    if (!process_)
        return;
    process_->signal(SIGTERM);
    process_->wait(std::chrono::seconds(5));
    last_log_ = log();
    process_.reset();
}

void real_registry::start()
{
    if (!process_ && !try_start())
        throw std::runtime_error("docker-registry does not start again: " + last_log_);
}

void real_registry::restart()
{
    stop();
    start();
}

std::string real_registry::garbage_collect(bool delete_untagged)
{
    process_options options{.args = {program, "garbage-collect"}};
    if (delete_untagged)
        options.args.emplace_back("--delete-untagged");
    options.args.push_back((folder_ / "config.yml").string());
    const auto done = run(options);
    if (done.exit_code != 0)
        throw std::runtime_error("docker-registry's garbage collector failed: " + done.err);
    return done.out;
}

} // namespace regsweep::test
