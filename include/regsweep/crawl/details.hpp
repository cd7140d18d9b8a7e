#ifndef REGSWEEP_CRAWL_DETAILS_HPP
#define REGSWEEP_CRAWL_DETAILS_HPP

#include "regsweep/crawl/crawler.hpp"
#include "regsweep/index/details.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace regsweep {

struct details_options
{
    crawl_options how;  ///< address, credentials, concurrency, threads; not which repositories and tags
    bool again = false; ///< ask again what may have changed: all referrers, and manifests that were not there
};

/// A moment of a running `details_crawler`.
struct details_progress
{
    std::uint64_t manifests = 0; ///< read
    std::uint64_t waiting = 0;   ///< asked for, or to be
    std::uint64_t in_flight = 0; ///< manifests and lists of referrers
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
};

struct details_report
{
    std::uint64_t manifests = 0; ///< read and stored
    std::uint64_t configs = 0;   ///< read for them
    std::uint64_t referrers = 0; ///< manifests whose referrers the registry told
    bool told = false;           ///< whether the registry knows the referrers API; false if it was not asked
    std::uint64_t absent = 0;    ///< manifests that the registry has not: index or parent are older than it
    std::uint64_t failed = 0;
    std::vector<std::pair<std::string, std::string>> problems; ///< the first 1,000: `repository@digest` and the reason
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
    double seconds = 0;
};

/// Whether a `details_crawler` would have anything to ask the registry, unless it is to ask again.
result<bool> details_missing(const index& tags, const details_store& store);
/// Of this, whether it would ask for referrers.
result<bool> referrers_missing(const index& tags, const details_store& store);

/// Reads what a store of details lacks for an index: manifests, their children, configs of images, and who refers to
/// them. Every manifest is read once, whatever the number of its tags and repositories.
class details_crawler
{
public:
    static constexpr std::uint64_t body_limit = 8 * 1024 * 1024; ///< bytes of a manifest or config

    /// Throws `failure` if a certificate, key, proxy or credential is unusable.
    explicit details_crawler(details_options options);
    ~details_crawler();

    /// Runs until all is read that can be. The calling thread alone uses `tags` and `store`, which keeps what was read
    /// whatever happens (half a second of it may be lost by a kill). What cannot be read is in the report; fails if the
    /// registry cannot be reached any more, if the store cannot be written, or with `errc::cancelled`. Call it once.
    result<details_report> run(const index& tags, details_store& store);

    /// Ends a run with `errc::cancelled` within moments. Any thread.
    void cancel();

    /// Any thread, at any time.
    details_progress progress() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
