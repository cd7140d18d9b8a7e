#ifndef REGSWEEP_LOAD_GENERATOR_HPP
#define REGSWEEP_LOAD_GENERATOR_HPP

#include "regsweep/http/client.hpp"
#include "regsweep/load/histogram.hpp"
#include "regsweep/load/workload.hpp"
#include "regsweep/registry/client.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace regsweep {

struct load_options
{
    registry_address address;
    registry_options registry;
    http::client_options http; ///< `retry` and `rate` do not count: every failure is one
    operation_mix mix{};
    target_order order = target_order::random;
    std::uint64_t seed = 1;
    unsigned concurrency = 32;             ///< requests in flight at the most, all threads together
    unsigned threads = 1;                  ///< each with its own io_context and connections
    double rate = 0;                       ///< requests a second, sent when due (open loop); 0: as answers come in
    std::chrono::nanoseconds warmup{0};    ///< not measured
    std::chrono::nanoseconds duration{0};  ///< measured; 0: until `requests` are sent
    std::uint64_t requests = 0;            ///< measured; 0: until `duration` is over
    std::chrono::milliseconds drain{2000}; ///< how long answers are waited for after `duration`; then: `timed_out`
};

/// What became of the requests of one operation.
struct operation_result
{
    std::uint64_t requests = 0;
    std::uint64_t errors = 0;                      ///< answers that are not 2xx, and failures without an answer
    std::uint64_t body_bytes = 0;                  ///< of answers, without their headers
    std::map<std::string, std::uint64_t> failures; ///< by `http_<status>` or kind, e.g. `timed_out`
    histogram latency; ///< of every request, failed ones too, from when it was to be sent until its end

    friend bool operator==(const operation_result&, const operation_result&) = default;
};

/// One second of a load, or the part of it that was left at the end.
struct load_interval
{
    double begin = 0; ///< seconds since the start
    double seconds = 0;
    bool warmup = false;        ///< began before the measurement
    std::uint64_t requests = 0; ///< answered or failed
    std::uint64_t errors = 0;
    double p50_ms = 0;
    double p99_ms = 0;

    friend bool operator==(const load_interval&, const load_interval&) = default;
};

/// What a load has measured.
struct load_result
{
    unsigned concurrency = 0;
    double wanted_rate = 0; ///< requests a second; 0: closed loop
    double seconds = 0;     ///< of the measurement
    std::uint64_t requests = 0;
    std::uint64_t warmup_requests = 0;
    std::uint64_t errors = 0;
    std::uint64_t unsent = 0;      ///< due, but all connections were busy until the end
    std::uint64_t bytes = 0;       ///< received, headers included
    std::uint64_t connections = 0; ///< opened, all in all
    double rate = 0;               ///< requests a second; those at the edges count by their part inside
    double good_rate = 0;          ///< of those, the ones without an error
    bool interrupted = false;
    std::string first_failure; ///< in words; empty if there was none
    std::array<operation_result, operations> by_operation;
    std::vector<load_interval> series;

    histogram latency() const; ///< of all operations
    std::map<std::string, std::uint64_t> failures() const;

    friend bool operator==(const load_result&, const load_result&) = default;
};

/// Puts a load on a registry and measures its answers.
class load_generator
{
public:
    /// `targets` must outlive it. Throws `failure` if a certificate, key, proxy or credential is unusable, or an
    /// operation has nothing to ask for.
    load_generator(load_options options, const load_targets& targets);
    ~load_generator();

    /// Runs the load on `threads` threads, this one among them. Call it once.
    load_result run();

    /// Ends a running load within moments; `run` returns what there is. What is in flight is not counted. Any thread.
    void cancel();

    /// The latest whole second, if one is over. Any thread.
    std::optional<load_interval> latest() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
