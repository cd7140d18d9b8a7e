#include "cli/session.hpp"

#include "cli/config.hpp"
#include "cli/interruption.hpp"
#include "cli/terminal.hpp"
#include "regsweep/auth/docker_config.hpp"
#include "regsweep/auth/token.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <mutex>
#include <set>

namespace regsweep::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t names_limit = 10'000'000;

bool means_none(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    return text == "none" || text == "false" || text == "no" || text == "0";
}

std::string variable(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

fs::path cache_home()
{
    if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty())
        return xdg;
    if (const std::string home = variable("HOME"); !home.empty())
        return fs::path(home) / ".cache";
    return fs::temp_directory_path();
}

// Every thread and every step of a command has a client of its own: what a registry says to all is told once.
class said_once
{
public:
    bool first(const std::string& text)
    {
        const std::lock_guard lock(guard_);
        return said_.insert(text).second;
    }

private:
    std::mutex guard_;
    std::set<std::string> said_;
};

bool is_docker_hub(const std::string& host)
{
    return host == "docker.io" || host == "index.docker.io";
}

// What to do where a registry does not list its repositories.
error explain_catalog(error e, const registry_address& of)
{
    // So web servers answer to plain HTTP on a TLS port.
    if (e.http_status == 400 && e.registry_code.empty() && !of.server.tls) {
        e.detail += std::string(e.detail.empty() ? "" : "; ") + "if this port is https, write https://" + of.name +
                    "; regsweep doctor looks closer";
        return e;
    }
    const bool catalog =
        e.request.find("/_catalog") != std::string::npos || e.detail.find(scope_catalog()) != std::string::npos;
    const bool refused = e.is(errc::unauthorized) || e.is(errc::forbidden) || e.is(errc::not_found) ||
                         e.is(errc::unsupported) || e.http_status == 401 || e.http_status == 403 ||
                         e.http_status == 404 || e.http_status == 405;
    const bool told = e.detail.find("--repos-from") != std::string::npos ||
                      e.detail.find("no credentials were found") != std::string::npos; // a login is what is missing
    if (!catalog || !refused || told)
        return e;
    const bool login = e.is(errc::unauthorized) || e.http_status == 401;
    e.detail += (e.detail.empty() ? "" : "; ") +
                std::string(login ? "if the login is right, the registry" : "the registry") +
                " does not list its repositories to this user, or to nobody (as Docker Hub, GHCR, GitLab and Harbor "
                "do): name them in a file with --repos-from FILE, or each with --repo NAME";
    return e;
}

std::string clock_text(double seconds)
{
    const auto whole = static_cast<std::uint64_t>(std::max(0.0, seconds));
    char text[32];
    if (whole >= 3600)
        std::snprintf(text, sizeof text, "%llu:%02llu:%02llu", static_cast<unsigned long long>(whole / 3600),
                      static_cast<unsigned long long>(whole / 60 % 60), static_cast<unsigned long long>(whole % 60));
    else
        std::snprintf(text, sizeof text, "%02llu:%02llu", static_cast<unsigned long long>(whole / 60),
                      static_cast<unsigned long long>(whole % 60));
    return text;
}

fs::path docker_certificates()
{
    const std::string given = variable("REGSWEEP_CERTS_DIR");
    return given.empty() ? fs::path("/etc/docker/certs.d") : fs::path(given);
}

// OpenSSL finds certificates in a folder by the hashes of their names only. Where nobody has made those (openssl
// rehash), the files themselves are meant.
void add_authorities(std::vector<fs::path>& into, const fs::path& given)
{
    std::error_code ec;
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(given, ec)) {
        const fs::path name = entry.path().filename();
        if (name.stem().string().size() == 8 && name.extension() == ".0") {
            files.clear();
            break;
        }
        if (name.extension() == ".pem" || name.extension() == ".crt")
            files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    into.push_back(given);
    into.insert(into.end(), files.begin(), files.end());
}

// docker's certs.d: every *.crt is an authority, x.cert and x.key are a client certificate.
void add_docker_certificates(http::tls_options& into, const origin& server)
{
    const bool ipv6 = server.host.find(':') != std::string::npos;
    const std::string with_port = (ipv6 ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
    for (const std::string& name : {with_port, server.authority()}) {
        std::error_code ec;
        const fs::path folder = docker_certificates() / name;
        bool found = false;
        for (const auto& entry : fs::directory_iterator(folder, ec)) {
            const fs::path& file = entry.path();
            if (file.extension() == ".crt") {
                into.trusted.push_back(file);
                found = true;
            }
            if (file.extension() == ".cert" && into.client_cert.empty()) {
                into.client_cert = file;
                into.client_key = fs::path(file).replace_extension(".key");
                found = true;
            }
        }
        if (found)
            return;
    }
}

} // namespace

session::session(cli::options given) : options_(std::move(given))
{
    if (options_.registry.empty())
        throw usage_error("no registry given: name it with -reg ADDRESS or in the variable REGISTRY");
    crawl_.address = registry_address::parse(options_.registry).value();
    if (is_docker_hub(crawl_.address.server.host))
        crawl_.address.server.host = "registry-1.docker.io"; // as Docker does: the short names have no API
    crawl_.concurrency = options_.concurrency;
    crawl_.max_concurrency = options_.max_concurrency;
    crawl_.pipeline = options_.pipeline;
    crawl_.threads = options_.threads;
    crawl_.page_size = options_.page_size;
    crawl_.patterns = options_.patterns;
    if (options_.password_stdin && options_.repos_from == "-")
        throw usage_error("--password-stdin and --repos-from - cannot both read standard input");
    if (!options_.repos_from.empty())
        read_names();
    if (options_.cache.empty())
        index_file_ = default_file();
    else if (!means_none(options_.cache))
        index_file_ = options_.cache;
}

fs::path session::default_file() const
{
    std::string name = address().name;
    std::replace_if(name.begin(), name.end(), [](char c) { return c == '/' || c == ':' || c == '[' || c == ']'; }, '_');
    // A part of a registry must not take the place of the whole.
    if (const std::string scope = crawl_scope(crawl_); !scope.empty())
        name += "+" + digest::of(scope).to_string().substr(7, 12);
    return cache_home() / "regsweep" / (name + ".db");
}

void session::read_names()
{
    const interruption stop = end_when_interrupted();
    std::ifstream file;
    const bool standard_input = options_.repos_from == "-";
    if (!standard_input)
        file.open(options_.repos_from);
    std::istream& in = standard_input ? std::cin : file;
    if (!in)
        throw failure({errc::io, options_.repos_from + ": cannot be read: is it there, and may you read it?"});
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
            line.pop_back();
        line.erase(0, line.find_first_not_of(" \t"));
        if (line.empty() || line.front() == '#')
            continue;
        if (!valid_repository(line))
            throw failure({errc::bad_argument, options_.repos_from + ", line " + std::to_string(number) + ": '" +
                                                   printable(line, 100) +
                                                   "' is no repository name; write one a line, as in team/app"});
        if (crawl_.names.size() == names_limit)
            throw failure({errc::too_large, options_.repos_from + ": more than " + with_commas(names_limit) +
                                                " names; crawl them in parts"});
        crawl_.names.push_back(line);
    }
    const std::string name = standard_input ? "standard input" : printable(options_.repos_from);
    if (in.bad())
        throw failure({errc::io, "--repos-from: " + name + " cannot be read: is it a folder?"});
    if (crawl_.names.empty())
        throw failure({errc::bad_argument, "--repos-from: " + name +
                                               " names no repository: write one a line, as in team/app, or leave "
                                               "--repos-from out for all of the registry"});
    crawl_.only_names = true;
}

http::tls_options session::tls() const
{
    http::tls_options out;
    std::string trusted = options_.verify;
    if (trusted.empty())
        trusted = variable("REQUESTS_CA_BUNDLE");
    if (options_.insecure || means_none(options_.verify)) {
        out.verify = false;
        terminal::standard().warning("the registry's certificate is not checked: anyone on the way can read and change "
                                     "what is sent");
    } else if (!trusted.empty()) {
        add_authorities(out.trusted, trusted);
        out.system_trust = options_.verify.empty();
    }
    if (address().server.tls)
        add_docker_certificates(out, address().server);
    if (!options_.client_cert.empty()) {
        out.client_cert = options_.client_cert;
        out.client_key = options_.client_key;
    }
    out.passphrase = [key = out.client_key.empty() ? out.client_cert : out.client_key] {
        const std::string given = variable("REGISTRY_CLIENT_KEY_PASSPHRASE");
        return given.empty() ? ask_secret("Passphrase of " + key.string() + ": ") : given;
    };
    return out;
}

void session::find_credentials()
{
    credentials& who = crawl_.registry.who.who;
    if (options_.user.empty()) {
        if (options_.password_stdin)
            throw usage_error("--password-stdin needs --user NAME or the variable REGISTRY_USER");
        if (!options_.password.empty())
            terminal::standard().warning("a password without a user is not used: give --user or REGISTRY_USER");
        const auto environment = docker_environment::from([](const char* name) { return std::getenv(name); });
        std::string path = address().prefix;
        path.erase(0, path.find_first_not_of('/'));
        who = find_docker_credentials(environment, address().server, path).value();
        return;
    }
    std::string password = options_.password;
    if (options_.password_stdin) {
        const interruption stop = end_when_interrupted();
        std::getline(std::cin, password);
        if (!password.empty() && password.back() == '\r')
            password.pop_back();
    } else if (password.empty()) {
        password = configured_password(options_);
    }
    if (password.empty() && !options_.password_stdin)
        password = ask_secret("Password of " + options_.user + " at " + address().name + ": ");
    if (password.empty())
        throw usage_error("no password for user '" + options_.user +
                          "': give it in REGISTRY_PASSWORD or with --password-stdin");
    who.kind = credential_kind::basic;
    who.user = options_.user;
    who.secret = secret(std::move(password));
    who.source = options_.user_source;
}

const crawl_options& session::connection()
{
    if (connected_)
        return crawl_;
    find_credentials();
    crawl_.registry.who.digest = !options_.digest_auth.empty() && !means_none(options_.digest_auth);
    crawl_.registry.use_get_manifest = options_.use_get_manifest;
    http::client_options& http = crawl_.http;
    const auto timeout = std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(options_.timeout * 1000)));
    http.idle_timeout = timeout;
    http.connect_timeout = std::min(http.connect_timeout, timeout);
    http.total_timeout = 10 * timeout;
    http.rate = options_.rate;
    http.user_agent = "regsweep/" REGSWEEP_VERSION;
    http.retry.retries = options_.retries;
    http.proxies = http::proxy_settings::from_environment();
    http.on_warning = [said = std::make_shared<said_once>()](const std::string& text) {
        if (said->first(text))
            terminal::standard().warning(text);
    };
    http.tls = tls(); // a token server or a redirect may be https where the registry is not
    connected_ = true;
    return crawl_;
}

std::string session::progress_line(const crawl_progress& now, double seconds) const
{
    const double rate = static_cast<double>(now.tags) / std::max(seconds, 0.001);
    std::string line = with_commas(now.repositories_done) + "/" + with_commas(now.repositories) +
                       (now.catalog_complete ? "" : "+") + " repositories, " + with_commas(now.tags) + " tags, " +
                       with_commas(static_cast<std::uint64_t>(rate)) + "/s, " + std::to_string(now.in_flight) +
                       " in flight, " + with_commas(now.retries) + " retries, " + clock_text(seconds);
    if (now.catalog_complete && now.repositories_done != 0) {
        // What is left is reckoned from the repositories that are through: those that are not may be larger.
        const double done = static_cast<double>(now.repositories_done);
        const double left = static_cast<double>(now.repositories - now.repositories_done);
        line += ", about " + clock_text(seconds * left / done) + " left";
    }
    return line;
}

session::crawled session::crawl(bool resume)
{
    const crawl_options& how = connection();
    index_builder_options build;
    build.file = index_file_;
    build.registry = address().canonical();
    build.scope = crawl_scope(how);
    build.resume = resume;
    build.max_records =
        std::max<std::size_t>(build.max_records, std::size_t{2} * std::max(how.concurrency, how.max_concurrency));
    if (!index_file_.parent_path().empty() && options_.cache.empty()) {
        std::error_code ec;
        fs::create_directories(index_file_.parent_path(), ec);
    }
    auto builder = index_builder::create(std::move(build)).value();
    if (resume && !builder->resumed())
        terminal::standard().info("there is nothing to resume: the crawl begins anew");
    crawler run(how);
    const auto begin = std::chrono::steady_clock::now();
    std::optional<result<crawl_report>> outcome;
    {
        const interruption stop([&] { run.cancel(); });
        const progress_display progress([&] {
            return progress_line(run.progress(),
                                 std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
        });
        outcome.emplace(run.run(*builder));
    }
    if (!*outcome && !builder->failed()) {
        const char* left = index_file_.empty() ? "" : "what was found is kept, see refresh --resume";
        throw failure(explain_catalog(explain_interruption(outcome->error(), left), crawl_.address));
    }
    auto made = builder->finish(); // where writing failed, this says why
    index done = std::move(made).value();
    auto summary = done.summary().value();
    warn_of_empty_names(done);
    return {std::move(done), (*outcome).value(), std::move(summary)};
}

std::filesystem::path session::journal_file() const
{
    fs::path file = index_file_.empty() ? default_file() : index_file_;
    if (file.has_parent_path()) {
        std::error_code ec;
        fs::create_directories(file.parent_path(), ec);
    }
    file += ".journal";
    return file;
}

std::string session::cache_to_repeat() const
{
    // Of a part of the registry, what named that part may be gone by then: standard input, a file, a variable.
    if (!crawl_scope(crawl_).empty())
        return (index_file_.empty() ? default_file() : index_file_).string();
    return options_.cache;
}

std::optional<index> session::index_to_change()
{
    if (index_file_.empty())
        return std::nullopt;
    auto found = index::open(index_file_);
    if (!found && found.error().is(errc::not_found))
        return std::nullopt;
    index opened = std::move(found).value();
    check_registry(opened.summary().value());
    lock(opened);
    return opened;
}

void session::lock(index& opened) const
{
    opened.begin().value();
    opened.commit().value();
}

void session::save(const index& changed) const
{
    if (!index_file_.empty() && changed.summary().value().registry.empty())
        changed.write_json(index_file_).value();
}

void session::check_registry(const index_summary& summary) const
{
    if (!summary.registry.empty() && summary.registry != address().canonical())
        throw failure({errc::bad_argument, index_file_.string() + " is the index of " + summary.registry + ", not of " +
                                               address().canonical() +
                                               ": name another file with -c, or replace it with --refresh"});
}

// A name that was given, not found by the crawl, may be mistyped.
void session::warn_of_empty_names(const index& made) const
{
    std::vector<std::string> given = crawl_.names;
    std::copy_if(crawl_.patterns.begin(), crawl_.patterns.end(), std::back_inserter(given),
                 [](const std::string& p) { return p.find_first_of("*?[") == std::string::npos; });
    for (const auto& name : given) {
        const auto found = made.find_repository(name).value();
        if (!found || (found->tags == 0 && found->complete))
            terminal::standard().warning("the registry has no tags of a repository '" + printable(name) +
                                         "'; is the name whole and right?");
    }
}

void session::tell_problems(const crawl_report& report)
{
    if (report.incomplete == 0)
        return;
    status_ = exit_partly;
    for (const auto& [name, why] : report.problems)
        terminal::standard().error("repository " + printable(name) + " could not be read completely: " + why);
    if (report.incomplete > report.problems.size())
        terminal::standard().error("and " + with_commas(report.incomplete - report.problems.size()) +
                                   " more repositories; the index names them all, regsweep refresh tries again");
}

index session::open_index()
{
    if (!options_.refresh && !index_file_.empty()) {
        auto found = index::open(index_file_);
        if (!found && !found.error().is(errc::not_found))
            throw failure(found.error());
        if (found) {
            const auto summary = found->summary().value();
            check_registry(summary);
            const std::string scope = crawl_scope(crawl_);
            if (!scope.empty() && summary.scope != scope)
                throw failure({errc::bad_argument,
                               index_file_.string() + " holds " +
                                   (summary.scope.empty() ? "the whole registry" : "'" + summary.scope + "'") +
                                   ", not '" + scope + "': use --refresh to crawl again"});
            if (scope.empty() && !summary.scope.empty())
                terminal::standard().warning(index_file_.string() + " holds only the repositories '" + summary.scope +
                                             "'");
            if (summary.incomplete != 0)
                terminal::standard().warning(with_commas(summary.incomplete) +
                                             " repositories of the index are incomplete, for they could not be read; "
                                             "regsweep refresh tries again");
            return *std::move(found);
        }
    }
    terminal::standard().info("reading " + address().server.to_string() + address().prefix);
    auto fresh = crawl(false);
    terminal::standard().info(with_commas(fresh.report.tags) + " tags of " + with_commas(fresh.report.repositories) +
                              " repositories read");
    tell_problems(fresh.report);
    return std::move(fresh.made);
}

} // namespace regsweep::cli
