#ifndef REGSWEEP_SWEEP_SWEEPER_HPP
#define REGSWEEP_SWEEP_SWEEPER_HPP

#include "regsweep/http/client.hpp"
#include "regsweep/index/index.hpp"
#include "regsweep/registry/client.hpp"
#include "regsweep/sweep/journal.hpp"
#include "regsweep/sweep/plan.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace regsweep {

/// A DELETE of a step, with its repetitions.
struct timed_delete
{
    http::clock::time_point sent{};
    http::clock::time_point ended{};
    result<bool> answer = false; ///< as of `registry_client::delete_manifest`
};

struct sweep_options
{
    registry_address address;
    registry_options registry;
    http::client_options http;
    unsigned concurrency = 32; ///< requests in flight
    unsigned pipeline = 0;     ///< requests sent together on a connection; 0: several where that pays, 1: never
    unsigned page_size = 1000; ///< of the tag lists that are read again
    double delete_rate = 0;    ///< deletions a second; 0 for no limit. At most a tenth of a second's worth at once
    bool verify = true;        ///< check every step against the live registry right before it
    /// A check older than this, and than twenty times what it took, is made again before a deletion.
    std::chrono::milliseconds check_again{5000};
    std::uint64_t max_failures = 0; ///< stop after so many failed deletions; 0: never
    /// Told of every DELETE of a step, not of one that finds out how to delete; on the thread of `run`. May be empty.
    std::function<void(const timed_delete&)> on_delete{};
};

/// A step that was not carried out, and why.
struct sweep_exception
{
    std::string repository;
    regsweep::digest digest;
    std::vector<std::string> tags;
    std::string why;
};

struct sweep_report
{
    std::int64_t run = 0;           ///< its number in the journal
    std::uint64_t removed = 0;      ///< manifests deleted
    std::uint64_t removed_tags = 0; ///< tags that went, with manifests or alone
    std::uint64_t untagged = 0;     ///< steps that took one tag away
    std::uint64_t gone = 0;         ///< steps with nothing left to do
    std::uint64_t repaired = 0;     ///< steps of earlier runs that were cut short and are settled now
    std::vector<sweep_exception> failed;
    std::vector<sweep_exception> dropped; ///< by the check right before
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
    double seconds = 0;
    bool stopped = false; ///< by `max_failures`
};

struct sweep_progress
{
    std::int64_t run = 0;    ///< its number in the journal; 0 before it began
    std::uint64_t steps = 0; ///< of the whole plan
    std::uint64_t done = 0;  ///< settled, in whatever way
    std::uint64_t failed = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t retries = 0;
};

/// Carries out a plan: checks each repository against the live registry, records every step in the journal before and
/// after, deletes within the rate. One failure does not end it.
class sweeper
{
public:
    /// Throws `failure` if a certificate, key, proxy or credential is unusable.
    explicit sweeper(sweep_options options);
    ~sweeper();

    /// Runs the plan on this thread. First settles what earlier runs of this registry left unfinished. `known`, which
    /// may be null, follows what is deleted. Fails with `errc::unsupported` where the registry does not allow deletion,
    /// with `errc::cancelled`, and if the journal or index cannot be written: in each case what was done is journaled.
    /// Call it once.
    result<sweep_report> run(const plan& what, journal& records, index* known);

    /// Puts back what a run took: its manifests, those that others list first, and their tags. First settles what
    /// earlier runs of this registry left unfinished, as `run` does, but not in a dry run, which changes nothing. A tag
    /// that exists again with another digest is left alone and named, as are manifests whose blobs are gone. `only`, if
    /// not empty, limits it to these repositories. Fails as `run` does. Call it once.
    struct restore_report
    {
        std::uint64_t manifests = 0;
        std::uint64_t tags = 0;
        std::uint64_t already = 0;  ///< entries with nothing to put back
        std::uint64_t repaired = 0; ///< steps of earlier runs that were cut short and are settled now
        std::vector<sweep_exception> failed;
        double seconds = 0;
    };
    result<restore_report> restore(journal& records, std::int64_t run, const std::vector<std::string>& only,
                                   bool dry_run, index* known);

    /// The live manifests that the plan's indexes list and nothing else uses, as further steps of it, each index before
    /// its children. Sets `plan_step::children` and `plan_header::with_children`. Call it before `run`, on another
    /// sweeper.
    result<void> add_children(plan& what);

    /// Ends what is running with `errc::cancelled` within moments. Any thread.
    void cancel();
    /// Any thread, at any time.
    sweep_progress progress() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
