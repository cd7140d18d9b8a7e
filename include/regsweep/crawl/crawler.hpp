#ifndef REGSWEEP_CRAWL_CRAWLER_HPP
#define REGSWEEP_CRAWL_CRAWLER_HPP

#include "regsweep/http/client.hpp"
#include "regsweep/index/builder.hpp"
#include "regsweep/registry/client.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace regsweep {

struct crawl_options
{
    registry_address address;
    registry_options registry;
    http::client_options http;         ///< `rate` is for the whole crawl, whatever the number of threads
    unsigned concurrency = 0;          ///< requests in flight, all threads together; 0: as many as serve best
    unsigned max_concurrency = 256;    ///< bound of what is found to serve best
    unsigned pipeline = 0;             ///< requests sent together on a connection; 0: more than one where that pays
    double pipeline_rate = 15'000;     ///< answers a second and thread from which it is held to pay
    unsigned threads = 1;              ///< each with its own io_context and connections
    unsigned page_size = 1000;         ///< names asked for a page
    std::vector<std::string> patterns; ///< globs that limit the crawl; those without `*`, `?`, `[` need no catalog
    std::vector<std::string> names;    ///< exactly these repositories; the catalog is not read
    bool only_names = false;           ///< `names` counts even if it is empty
};

/// What a crawl is limited to, in one canonical line for `index_builder_options::scope`; empty for everything.
std::string crawl_scope(const crawl_options& options);

/// A moment of a running crawl.
struct crawl_progress
{
    std::uint64_t repositories = 0; ///< known so far
    std::uint64_t repositories_done = 0;
    std::uint64_t tags = 0;       ///< resolved so far
    std::uint64_t tags_known = 0; ///< listed so far
    std::uint64_t in_flight = 0;  ///< requests
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
    bool catalog_complete = false;
};

struct crawl_report
{
    std::uint64_t repositories = 0; ///< seen, with or without tags
    std::uint64_t tags = 0;         ///< resolved by this run
    std::uint64_t gone = 0;         ///< listed, but no longer there when asked for
    std::uint64_t skipped = 0;      ///< repositories that a resumed crawl had finished before
    std::uint64_t incomplete = 0;   ///< repositories that could not be read completely
    std::vector<std::pair<std::string, std::string>> problems; ///< the first 1,000 of them, with the reason
    std::uint64_t requests = 0;
    std::uint64_t retries = 0;
    std::uint64_t connections = 0;
    double seconds = 0;
};

/// Walks a registry from catalog to digests and feeds an index builder.
class crawler
{
public:
    /// Throws `failure` if a certificate, key, proxy or credential is unusable.
    explicit crawler(crawl_options options);
    ~crawler();

    /// Runs the crawl on `threads` threads, this one among them, and returns when it is over. `builder.finish()` is
    /// left to the caller. Fails if the catalog cannot be read, the registry cannot be reached any more, writing
    /// failed, or with `errc::cancelled`; what was found until then is in the builder. Call it once.
    result<crawl_report> run(index_builder& builder);

    /// Ends a running crawl with `errc::cancelled` within moments. Any thread.
    void cancel();

    /// Any thread, at any time.
    crawl_progress progress() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
