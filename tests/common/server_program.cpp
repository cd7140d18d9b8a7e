#include "common/server_program.hpp"

#include "common/real_registry.hpp"

#include <netinet/in.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <utility>

namespace regsweep::test {

namespace {

namespace fs = std::filesystem;

bool can_connect(std::uint16_t port)
{
    const int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    const bool done = file >= 0 && connect(file, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    if (file >= 0)
        ::close(file);
    return done;
}

/// A line of a password file; apr1, because nginx checks it with every request.
std::string htpasswd(const login& who)
{
    const auto made = run({.args = {"htpasswd", "-n", "-i", "-m", who.user}, .input = who.password + "\n"});
    if (made.exit_code != 0)
        throw std::runtime_error("htpasswd failed: " + made.err);
    return lines(made.out).at(0) + "\n";
}

std::string md5(const std::string& text)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_md5(), nullptr);
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    for (unsigned i = 0; i != size; ++i) {
        out += digits[hash[i] >> 4];
        out += digits[hash[i] & 15];
    }
    return out;
}

} // namespace

server_program::server_program(const setup& write)
{
    fs::permissions(folder_.path(), fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                                        fs::perms::others_read | fs::perms::others_exec);
    // Another program may take the port between the look and the start.
    for (int attempt = 0; attempt != 5; ++attempt) {
        port_ = free_port();
        process_.emplace(write(folder_.path(), port_));
        if (wait_until_it_listens())
            return;
    }
    throw std::runtime_error("a server does not start: " + log());
}

server_program::~server_program()
{
    if (!process_)
        return;
    process_->signal(SIGTERM);
    process_->wait(std::chrono::seconds(5));
}

bool server_program::wait_until_it_listens()
{
    for (int i = 0; i != 3000 && process_->running(); ++i) {
        if (can_connect(port_))
            return process_->running();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
}

std::string server_program::address() const
{
    return "127.0.0.1:" + std::to_string(port_);
}

std::string server_program::log() const
{
    std::string text = process_ ? process_->err() + process_->out() : "";
    if (fs::exists(folder_ / "error.log"))
        text += read_file(folder_ / "error.log");
    return text;
}

server_program::setup nginx(nginx_options options)
{
    return [o = std::move(options)](const fs::path& folder, std::uint16_t port) {
        const std::string at = folder.string();
        const bool tls = !o.certificate.empty();
        if (tls) {
            write_file(folder / "server.pem", o.certificate);
            write_file(folder / "server.key", o.key);
        }
        // One process: none is left behind when a test is killed.
        std::string conf =
            "daemon off;\nmaster_process off;\npid " + at + "/nginx.pid;\nerror_log stderr warn;\n" +
            "events { worker_connections 512; }\nhttp {\n" +
            "  log_format connections '$connection $connection_requests $ssl_session_reused $request';\n" +
            "  access_log " + at + "/" + nginx_log + " connections;\n";
        for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
            conf += std::string("  ") + kind + "_temp_path " + at + "/" + kind + ";\n";
        conf += "  upstream registry { server " + o.upstream + "; keepalive 64; keepalive_requests 1000000; }\n" +
                "  server {\n    listen 127.0.0.1:" + std::to_string(port) + (tls ? " ssl;\n" : ";\n") +
                (tls ? "    ssl_certificate server.pem;\n    ssl_certificate_key server.key;\n" : "") +
                "    keepalive_requests 1000000;\n    client_max_body_size 0;\n";
        if (!o.client_authority.empty()) {
            write_file(folder / "clients.pem", o.client_authority);
            conf += "    ssl_client_certificate clients.pem;\n    ssl_verify_client on;\n";
        }
        if (!o.basic.user.empty()) {
            write_file(folder / "htpasswd", htpasswd(o.basic));
            conf += "    auth_basic test;\n    auth_basic_user_file htpasswd;\n";
        }
        conf += "    location " + o.prefix + "/ {\n      proxy_pass http://registry" + (o.prefix.empty() ? "" : "/") +
                ";\n      proxy_http_version 1.1;\n"
                "      proxy_set_header Connection \"\";\n      proxy_set_header Host $http_host;\n"
                "      proxy_set_header X-Forwarded-Proto $scheme;\n      proxy_set_header Authorization \"\";\n"
                "    }\n  }\n}\n";
        write_file(folder / "nginx.conf", conf);
        return process_options{.args = {"/usr/sbin/nginx", "-e", "stderr", "-p", at, "-c", at + "/nginx.conf"}};
    };
}

server_program::setup apache_digest(apache_digest_options options)
{
    return [o = std::move(options)](const fs::path& folder, std::uint16_t port) {
        const std::string at = folder.string();
        const std::string realm = "registry";
        write_file(folder / "digest", o.digest.user + ":" + realm + ":" +
                                          md5(o.digest.user + ":" + realm + ":" + o.digest.password) + "\n");
        std::string conf = "ServerRoot " + at + "\nDefaultRuntimeDir " + at + "\nPidFile " + at +
                           "/pid\nServerName localhost\nListen 127.0.0.1:" + std::to_string(port) + "\nErrorLog " + at +
                           "/error.log\nLogLevel warn\n";
        if (geteuid() == 0)
            conf += "User nobody\nGroup nogroup\n";
        for (const char* module : {"mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_digest",
                                   "proxy", "proxy_http"})
            conf += std::string("LoadModule ") + module + "_module /usr/lib/apache2/modules/mod_" + module + ".so\n";
        conf += "StartServers 1\nServerLimit 1\nThreadsPerChild 64\nMaxRequestWorkers 64\n"
                "KeepAlive On\nMaxKeepAliveRequests 0\nAllowEncodedSlashes NoDecode\nProxyPreserveHost On\n"
                "ProxyPass / http://" +
                o.upstream + "/\n<Location />\n  AuthType Digest\n  AuthName " + realm +
                "\n  AuthDigestDomain /\n  AuthDigestProvider file\n  AuthUserFile " + at +
                "/digest\n  AuthDigestAlgorithm MD5\n  AuthDigestQop auth\n  AuthDigestNonceLifetime " +
                std::to_string(o.nonce_seconds) + "\n  Require valid-user\n</Location>\n";
        write_file(folder / "apache.conf", conf);
        return process_options{.args = {"/usr/sbin/apache2", "-X", "-d", at, "-f", at + "/apache.conf"}};
    };
}

server_program::setup tinyproxy(login basic)
{
    return [basic = std::move(basic)](const fs::path& folder, std::uint16_t port) {
        std::string conf = "Port " + std::to_string(port) +
                           "\nListen 127.0.0.1\nTimeout 60\nMaxClients 300\nLogLevel Info\nAllow 127.0.0.1\n";
        if (!basic.user.empty())
            conf += "BasicAuth " + basic.user + " " + basic.password + "\n";
        write_file(folder / "tinyproxy.conf", conf);
        return process_options{.args = {"tinyproxy", "-d", "-c", (folder / "tinyproxy.conf").string()}};
    };
}

} // namespace regsweep::test
