#ifndef REGSWEEP_LOAD_WORKLOAD_HPP
#define REGSWEEP_LOAD_WORKLOAD_HPP

#include "regsweep/core/error.hpp"
#include "regsweep/registry/lists.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// What a request asks for.
enum class operation : std::uint8_t {
    ping,    ///< GET /v2/
    catalog, ///< GET of a page of the catalog
    tags,    ///< GET of a page of a repository's tags
    head,    ///< HEAD of a manifest
    get,     ///< GET of a manifest
    blob,    ///< GET of a blob
    remove,  ///< DELETE of a manifest or tag: only of a plan, see `load_recorder`; a load has no targets for it
};
inline constexpr std::size_t operations = 7;

std::string_view to_string(operation op) noexcept;
std::optional<operation> parse_operation(std::string_view name) noexcept;

/// How often each operation is chosen, in proportion; by number of `operation`.
using operation_mix = std::array<std::uint32_t, operations>;

/// Reads `head=80,tags=15,catalog=5`. Fails with `errc::bad_argument`: an unknown operation, no number, one twice, a
/// weight over 1,000,000, or no weight at all.
result<operation_mix> parse_mix(std::string_view text);

/// The mix as `parse_mix` reads it, without what has no weight.
std::string to_string(const operation_mix& mix);

/// Request targets of one operation, with the repository that each concerns (for its access token).
class target_list
{
public:
    std::size_t size() const noexcept { return paths_.size(); }
    bool empty() const noexcept { return paths_.empty(); }
    std::string_view path(std::size_t i) const noexcept { return paths_[i]; }
    std::string_view repository(std::size_t i) const noexcept { return paths_[i].substr(begin_, lengths_[i]); }

    /// `repository_begin` is where the repository's name stands in every path, `repository_length` how long it is.
    void push_back(std::string_view path, std::size_t repository_begin, std::size_t repository_length)
    {
        paths_.push_back(path);
        begin_ = repository_begin;
        lengths_.push_back(static_cast<std::uint16_t>(repository_length));
    }

private:
    name_list paths_;
    std::vector<std::uint16_t> lengths_;
    std::size_t begin_ = 0;
};

/// What may be asked for. Read by all threads, changed by none while a load runs.
class load_targets
{
public:
    /// `prefix` as in `registry_address`; `page_size` names are asked for in a page of a list.
    load_targets(std::string_view prefix, unsigned page_size);

    void add_repository(std::string_view name);
    /// `reference`: a tag or digest.
    void add_manifest(std::string_view repository, std::string_view reference);
    void add_blob(std::string_view repository, std::string_view digest);

    const target_list& of(operation op) const noexcept;

private:
    void append(target_list& to, std::string_view repository, std::string_view kind, std::string_view reference);

    std::string base_;
    std::string page_;
    std::string scratch_;
    target_list ping_;
    target_list catalog_;
    target_list tags_;
    target_list manifests_;
    target_list blobs_;
    target_list none_;
};

enum class target_order : std::uint8_t {
    random, ///< each target as likely as any other, whatever came before
    listed, ///< one after the other, and again from the first
};

/// Pseudo-random numbers, small and fast: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
/// Generators, OOPSLA 2014).
class split_mix
{
public:
    explicit split_mix(std::uint64_t seed) noexcept : state_(seed) {}
    std::uint64_t operator()() noexcept
    {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }
    /// Less than `limit`, which is not 0 and less than 2^32.
    std::uint32_t below(std::uint64_t limit) noexcept
    {
        return static_cast<std::uint32_t>(((*this)() >> 32) * limit >> 32);
    }

private:
    std::uint64_t state_;
};

/// Decides what each request of one thread asks for. The same seed gives the same requests.
class request_source
{
public:
    struct choice
    {
        operation op = operation::ping;
        std::size_t target = 0; ///< in `load_targets::of(op)`
    };

    /// Thread `part` of `parts`; listed targets are dealt out among them. Every operation with a weight must have a
    /// target: see `check_targets`. `targets` must outlive it.
    request_source(const load_targets& targets, const operation_mix& mix, target_order order, std::uint64_t seed,
                   unsigned part = 0, unsigned parts = 1);

    choice next() noexcept;

private:
    const load_targets& targets_;
    std::array<std::uint32_t, operations> below_{}; // running sums of the weights
    std::array<std::size_t, operations> position_{};
    std::uint32_t total_ = 0;
    target_order order_;
    unsigned parts_;
    split_mix random_;
};

/// `errc::bad_argument` if an operation of the mix has nothing to ask for.
result<void> check_targets(const load_targets& targets, const operation_mix& mix);

/// When the requests of one thread are sent. No clock of its own.
class send_schedule
{
public:
    using clock = std::chrono::steady_clock;
    using time_point = clock::time_point;
    using nanoseconds = std::chrono::nanoseconds;

    struct settings
    {
        time_point start{};
        nanoseconds warmup{0};      ///< requests meant to be sent so soon after the start are not measured
        nanoseconds duration{0};    ///< of the measurement after that; 0: until `requests` are sent
        std::uint64_t requests = 0; ///< measured, of all threads; 0: until `duration` is over
        double rate = 0;            ///< requests a second of all threads, at even distances; 0: closed loop
        unsigned part = 0;          ///< this thread's number
        unsigned parts = 1;         ///< of so many
    };

    struct slot
    {
        time_point intended{}; ///< when it is to be sent, or was; a latency counts from here
        bool measured = true;
    };

    explicit send_schedule(const settings& how) noexcept;

    /// The next request, or nothing when there are no more. In an open loop its time may be to come, when the caller
    /// waits for it, or past, when it is sent at once and late; it does not depend on `now` or on any answer. In a
    /// closed loop it is `now`.
    std::optional<slot> next(time_point now) noexcept;

    /// Requests that were due before the end but that nobody took: the load was less than intended. After the end.
    std::uint64_t unsent() const noexcept;

    time_point measured_from() const noexcept { return measured_from_; }
    /// The end of the measurement; far away if it ends by the number of requests.
    time_point end() const noexcept { return end_; }

private:
    time_point due(std::uint64_t number) const noexcept;

    settings how_;
    time_point measured_from_;
    time_point end_;
    std::uint64_t left_;      // measured requests still to send
    std::uint64_t taken_ = 0; // slots of an open loop
};

} // namespace regsweep

#endif
