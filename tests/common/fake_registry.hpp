#ifndef REGSWEEP_TESTS_COMMON_FAKE_REGISTRY_HPP
#define REGSWEEP_TESTS_COMMON_FAKE_REGISTRY_HPP

#include "common/fake_api.hpp"
#include "common/fake_auth.hpp"
#include "common/fake_http.hpp"
#include "common/fake_rules.hpp"
#include "common/fake_store.hpp"
#include "common/fake_synthetic.hpp"
#include "common/fake_tls.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::test {

struct fake_options
{
    std::uint16_t port = 0;           ///< on 127.0.0.1; 0: any free one
    unsigned threads = 1;             ///< each with its own io_context; connections are dealt out in turn
    fake_api_options api;             ///< which kind of registry this is
    fake_synthetic_options synthetic; ///< computed content beside the stored one
    fake_auth_options auth;

    std::string certificate; ///< PEM; set together with `key` it turns TLS on
    std::string key;         ///< PEM
    std::string client_ca;   ///< PEM; clients must show a certificate of this CA
    bool tls_1_2_only = false;

    std::size_t rate_limit = 0;                    ///< requests in a second, over all connections; more get 429. 0: any
    std::string retry_after = "1";                 ///< header of those 429 answers; empty: none
    std::chrono::milliseconds latency{0};          ///< before every answer
    std::chrono::milliseconds idle_timeout{0};     ///< of a connection without a request; 0: never closed
    std::size_t requests_per_connection = 0;       ///< the last one is answered with `Connection: close`; 0: any
    fake_headers extra_headers;                    ///< of every answer, e.g. `Warning` or `RateLimit-Remaining`
    std::size_t max_body = std::size_t{256} << 20; ///< bytes of a request's body

    bool record = true;                ///< keep a log of all requests; off, the server is several times faster
    std::size_t record_limit = 200000; ///< requests logged; more are only counted

    /// Called on a server thread before a request is answered, and may change the store: for tests of races. Not
    /// called for requests taken by the fast path, which needs synthetic content and `record == false`.
    std::function<void(const fake_request&)> on_request;
};

/// A request as logged.
struct fake_record
{
    std::string method;
    std::string target;
    std::string authorization;
    std::string user_agent;
    std::string accept;
    std::string host;
    std::string content_type;
    std::string body;           ///< first 4096 bytes
    std::size_t connection = 0; ///< number of the connection, from 0
    bool more = false;          ///< what follows it on the connection was there before it was answered
    unsigned status = 0;        ///< of the answer, before rules change its bytes; 0 if none was made
};

enum class fake_endpoint { ping, catalog, tags, manifests, blobs, uploads, token, other };

struct fake_counts
{
    std::size_t requests = 0;
    std::size_t connections = 0;      ///< accepted so far
    std::size_t open_connections = 0; ///< now
    std::size_t handshakes = 0;       ///< TLS, completed, resumed ones included
    std::size_t resumed = 0;          ///< of those
    std::size_t failed_handshakes = 0;
    std::size_t max_concurrent = 0; ///< requests taken and not yet answered at one moment
    std::size_t rate_limited = 0;   ///< answers 429 of `rate_limit`
};

/// A Docker/OCI registry for tests and benchmarks, on 127.0.0.1: real content in memory, computed content, and
/// misbehaviour by rules. All functions may be called from any thread while it runs.
class fake_registry
{
public:
    /// Binds the port; connections wait until `start`. Throws if the port is taken or the certificate is wrong.
    explicit fake_registry(fake_options options = {});
    /// Stops and joins the threads; open connections are cut.
    ~fake_registry();
    fake_registry(const fake_registry&) = delete;
    fake_registry& operator=(const fake_registry&) = delete;

    void start();
    /// As the destructor does. Cannot be started again: make a new one on the same port.
    void stop();

    std::uint16_t port() const noexcept;
    std::string address() const; ///< `127.0.0.1:PORT`
    std::string url() const;     ///< `http://127.0.0.1:PORT` or `https://…`

    fake_store& store() noexcept;
    fake_synthetic& synthetic() noexcept;
    fake_auth& auth() noexcept;

    /// Shortcuts to the store.
    std::string put_manifest(const std::string& repository, std::string bytes, std::string media_type);
    std::string put_image(const std::string& repository, const std::string& tag, const std::string& text);
    void tag(const std::string& repository, const std::string& tag, const std::string& digest);
    bool remove_tag(const std::string& repository, const std::string& tag);
    fake_snapshot snapshot() const;

    /// Returns the rule's number.
    std::size_t add_rule(fake_rule rule);
    std::size_t add_rule(std::string method, std::string path, fake_action action, std::size_t count = fake_unlimited);
    void clear_rules();
    std::size_t rule_hits(std::size_t rule) const;

    fake_counts counts() const;
    /// Requests with this method (empty: any) to this endpoint. Always counted.
    std::size_t requests(std::string_view method, fake_endpoint endpoint) const;
    /// Logged requests with this method (empty: any) whose target starts with `prefix`. Throws `std::logic_error` if
    /// the log is off or was too short.
    std::size_t requests(std::string_view method, std::string_view prefix) const;
    std::vector<fake_record> log() const;
    void clear_log();

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace regsweep::test

#endif
