#ifndef REGSWEEP_LOAD_LIMIT_HPP
#define REGSWEEP_LOAD_LIMIT_HPP

#include "regsweep/load/generator.hpp"

#include <optional>
#include <string>
#include <vector>

namespace regsweep {

/// What a rate must meet to hold.
struct limit_options
{
    double first_rate = 100;   ///< requests a second to begin with
    double slo_p99_ms = 100;   ///< p99 at the most
    double max_errors = 0.01;  ///< errors at the most, of all requests
    double min_kept = 0.97;    ///< of the rate, which must be answered
    double hold_seconds = 10;  ///< for so long
    double probe_seconds = 2;  ///< of each step of the search; never more than `hold_seconds`
    double precision = 0.03;   ///< how close the search gets
    double largest_rate = 1e6; ///< not searched beyond
};

/// One rate that was tried.
struct limit_trial
{
    double rate = 0; ///< wanted, requests a second
    double seconds = 0;
    double reached = 0; ///< answered a second, without errors
    double p99_ms = 0;
    double errors = 0; ///< of all requests
    bool held = false;
    std::string why; ///< it did not hold

    friend bool operator==(const limit_trial&, const limit_trial&) = default;
};

/// Judges a load against the options.
limit_trial judge(const load_result& measured, const limit_options& by);

/// Searches the highest rate that holds: doubles it until it does not, halves the ratio that is left between the two,
/// and has the result hold for the full time, going down where it does not. No clock, no socket.
class limit_search
{
public:
    explicit limit_search(limit_options options);

    struct step
    {
        double rate = 0; ///< requests a second
        double seconds = 0;
    };
    /// What to try next; nothing when it is over.
    std::optional<step> next() const;
    /// What became of it.
    void tried(const limit_trial& outcome);

    /// The highest rate that held for the full time; nothing if none did.
    std::optional<double> found() const noexcept { return found_; }
    const std::vector<limit_trial>& trials() const noexcept { return trials_; }

private:
    enum class phase { up, down, between, confirm, over };
    void choose() noexcept;

    limit_options options_;
    phase phase_ = phase::up;
    double rate_;
    double holds_ = 0;  // highest that held for a probe
    double breaks_ = 0; // lowest that did not; 0: none so far
    int refused_ = 0;   // rates that held for a probe but not for the full time
    std::optional<double> found_;
    std::vector<limit_trial> trials_;
};

} // namespace regsweep

#endif
