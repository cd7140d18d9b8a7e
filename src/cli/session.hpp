#ifndef REGSWEEP_SRC_CLI_SESSION_HPP
#define REGSWEEP_SRC_CLI_SESSION_HPP

#include "cli/options.hpp"
#include "regsweep/crawl/crawler.hpp"
#include "regsweep/index/index.hpp"

#include <filesystem>
#include <optional>

namespace regsweep::cli {

/// What a command works with: the options, understood, and the index that goes with them. Functions throw `failure`
/// and `usage_error`.
class session
{
public:
    explicit session(cli::options given);

    const cli::options& options() const noexcept { return options_; }
    const registry_address& address() const noexcept { return crawl_.address; }

    /// The index file; empty for one in memory.
    const std::filesystem::path& index_file() const noexcept { return index_file_; }

    /// The index, crawled first where there is none yet or a refresh is asked for. Says on standard error what could
    /// not be read, and lets `status` be `exit_partly` then.
    index open_index();

    /// Crawls the registry and returns the new index.
    struct crawled
    {
        index made;
        crawl_report report;
        index_summary summary;
    };
    crawled crawl(bool resume);

    /// How to reach the registry, with credentials.
    const crawl_options& connection();

    /// The index to follow a deletion with, if there is one; locked against others until it is destroyed.
    std::optional<index> index_to_change();
    /// Locks the index against others and keeps it so.
    void lock(index& opened) const;
    /// Stores what was changed, where the index is a JSON cache.
    void save(const index& changed) const;

    /// Where deletions are recorded: beside the index.
    std::filesystem::path journal_file() const;
    /// What `-c` has to say for another command to use this index and journal, whatever has chosen them; empty where
    /// it need not be given.
    std::string cache_to_repeat() const;

    /// Names on standard error what a crawl could not read.
    void tell_problems(const crawl_report& report);

    /// What a command that has done its work returns.
    int status() const noexcept { return status_; }
    void set_partly_done() noexcept { status_ = exit_partly; }

private:
    void find_credentials();
    void read_names();
    void warn_of_empty_names(const index& made) const;
    void check_registry(const index_summary& summary) const;
    std::filesystem::path default_file() const;
    http::tls_options tls() const;
    std::string progress_line(const crawl_progress& now, double seconds) const;

    cli::options options_;
    crawl_options crawl_;
    std::filesystem::path index_file_;
    bool connected_ = false;
    int status_ = exit_done;
};

} // namespace regsweep::cli

#endif
