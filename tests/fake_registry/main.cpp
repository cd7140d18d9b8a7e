#include "common/fake_registry.hpp"

#include <CLI/CLI.hpp>

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

namespace {

using namespace regsweep::test;

struct arguments
{
    fake_options server;
    std::vector<std::string> tls;
    std::string client_ca;
    long latency_ms = 0;
    long idle_timeout_ms = 0;
    bool deletes = false;
    bool check_references = false;
    std::string basic;
    std::string bearer;
    long token_life_ms = 60000;
    double fault_rate = 0;
    unsigned fault_status = 503;
    double reset_rate = 0;
    double close_rate = 0;
    double slow_rate = 0;
    long slow_ms = 1000;
    std::uint64_t seed = 1;
    bool stats = false;
};

void add_options(CLI::App& app, arguments& a)
{
    app.add_option("--port", a.server.port, "Port on 127.0.0.1; 0: any free one")->capture_default_str();
    app.add_option("--threads", a.server.threads, "Server threads")->capture_default_str()->check(CLI::Range(1, 256));
    app.add_option("--repos", a.server.synthetic.repositories, "Computed repositories")->check(CLI::Range(0, 1000000));
    app.add_option("--tags", a.server.synthetic.tags, "Computed tags in each of them");
    app.add_option("--share", a.server.synthetic.share, "Every N-th tag shares its digest with another tag");
    app.add_option("--variants", a.server.synthetic.variants,
                   "Only N different manifests: saves a SHA-256 in every answer; 0: all are different");
    app.add_flag("--remember-deletes", a.server.synthetic.remember_deletes, "Deleted computed manifests are gone");
    app.add_option("--page-cap", a.server.api.page_cap, "Largest page; 0: no limit");
    app.add_option("--tags-page", a.server.api.default_tags_page, "Tags in a page without n; 0: all");
    app.add_flag("--delete", a.deletes, "Allow deletes");
    app.add_flag("--delete-by-tag", a.server.api.delete_by_tag, "DELETE of a tag removes the tag only (OCI)");
    app.add_flag("--check-references", a.check_references, "PUT of a manifest needs the blobs it names");
    app.add_option("--tls", a.tls, "Certificate and key, PEM files")->expected(2);
    app.add_option("--client-ca", a.client_ca, "Clients must show a certificate of this CA, PEM file");
    app.add_option("--basic", a.basic, "USER:PASSWORD, HTTP Basic");
    app.add_option("--bearer", a.bearer, "USER:PASSWORD, bearer tokens from /token");
    app.add_option("--token-life-ms", a.token_life_ms, "How long those tokens live")->capture_default_str();
    app.add_option("--latency-ms", a.latency_ms, "Delay of every answer");
    app.add_option("--idle-timeout-ms", a.idle_timeout_ms, "Close connections without a request for so long");
    app.add_option("--close-after", a.server.requests_per_connection, "Requests on one connection");
    app.add_option("--rate-limit", a.server.rate_limit, "Requests a second; more get 429");
    app.add_option("--retry-after", a.server.retry_after, "Header of those 429 answers")->capture_default_str();
    app.add_option("--fault-rate", a.fault_rate, "Part of the requests answered with --fault-status")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--fault-status", a.fault_status, "Status of those")->capture_default_str();
    app.add_option("--reset-rate", a.reset_rate, "Part of the connections reset at a request")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--close-rate", a.close_rate, "Part of the requests whose answer is cut in its middle")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--slow-rate", a.slow_rate, "Part of the requests answered after --slow-ms")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--slow-ms", a.slow_ms, "Delay of those")->capture_default_str();
    app.add_option("--seed", a.seed, "Of the random choice of requests for faults")->capture_default_str();
    app.add_flag("--stats", a.stats, "Print counters at the end");
}

std::string file_text(const std::string& path)
{
    std::ifstream in(path, std::ios::binary);
    if (!in)
        throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(in), {}};
}

void set_login(fake_auth_options& auth, fake_auth_kind kind, const std::string& login)
{
    if (login.empty())
        return;
    const auto colon = login.find(':');
    if (colon == std::string::npos)
        throw std::runtime_error("a login is written USER:PASSWORD");
    auth.kind = kind;
    auth.user = login.substr(0, colon);
    auth.password = login.substr(colon + 1);
}

void complete(arguments& a)
{
    a.server.record = false;
    a.server.api.delete_enabled = a.deletes;
    a.server.api.missing_reference_status = a.check_references ? 400 : 0;
    a.server.latency = std::chrono::milliseconds(a.latency_ms);
    a.server.idle_timeout = std::chrono::milliseconds(a.idle_timeout_ms);
    if (!a.tls.empty()) {
        a.server.certificate = file_text(a.tls[0]);
        a.server.key = file_text(a.tls[1]);
    }
    if (!a.client_ca.empty())
        a.server.client_ca = file_text(a.client_ca);
    set_login(a.server.auth, fake_auth_kind::basic, a.basic);
    set_login(a.server.auth, fake_auth_kind::bearer, a.bearer);
    a.server.auth.lifetime = std::chrono::milliseconds(a.token_life_ms);
}

void add_rules(fake_registry& registry, const arguments& a)
{
    auto seed = a.seed;
    const auto add = [&](double rate, fake_action action) {
        if (rate <= 0)
            return;
        fake_rule rule;
        rule.probability = rate;
        rule.seed = seed++;
        rule.action = std::move(action);
        registry.add_rule(std::move(rule));
    };
    add(a.fault_rate, fake_action::answer(a.fault_status, {{"Retry-After", a.server.retry_after}}));
    add(a.reset_rate, fake_action::reset_after(0));
    add(a.close_rate, fake_action::close_after(40));
    add(a.slow_rate, fake_action::wait(std::chrono::milliseconds(a.slow_ms)));
}

void print_stats(fake_registry& registry)
{
    const auto counts = registry.counts();
    std::cout << "requests " << counts.requests << "\nmax_concurrent " << counts.max_concurrent << "\nconnections "
              << counts.connections << "\nhandshakes " << counts.handshakes << "\nresumed " << counts.resumed
              << "\nrate_limited " << counts.rate_limited << "\ncatalog "
              << registry.requests("", fake_endpoint::catalog) << "\ntags "
              << registry.requests("", fake_endpoint::tags);
    std::cout << "\ntokens " << registry.auth().tokens_issued();
    for (const auto* method : {"HEAD", "GET", "PUT", "DELETE"})
        std::cout << "\nmanifests_" << method << ' ' << registry.requests(method, fake_endpoint::manifests);
    std::cout << std::endl;
}

/// Blocks the signals that end the program, in all threads that start later as well.
sigset_t block_signals()
{
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, nullptr);
    return ending;
}

/// A benchmark may open more connections than a shell's usual limit on files.
void raise_file_limit()
{
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int run(arguments& a)
{
    complete(a);
    raise_file_limit();
    const auto ending = block_signals();
    fake_registry registry(a.server);
    add_rules(registry, a);
    registry.start();
    std::cout << "listening on " << registry.address() << std::endl;
    int received = 0;
    sigwait(&ending, &received);
    registry.stop();
    if (a.stats)
        print_stats(registry);
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app("A Docker/OCI registry for tests and benchmarks: computed content, and faults on request");
    arguments a;
    add_options(app, a);
    CLI11_PARSE(app, argc, argv);
    try {
        return run(a);
    } catch (const std::exception& e) {
        std::cerr << "fake_registry: " << e.what() << '\n';
        return 1;
    }
}
