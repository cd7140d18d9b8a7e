#ifndef REGSWEEP_SRC_CRAWL_PLAN_HPP
#define REGSWEEP_SRC_CRAWL_PLAN_HPP

#include "regsweep/crawl/crawler.hpp"
#include "regsweep/registry/pagination.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace regsweep {

/// A repository on its way through the crawl.
struct repository_work
{
    std::string name;
    std::string next_page; ///< target of the page to list next
    page_guard pages;
    std::unordered_set<std::string> known; ///< tags that a resumed crawl has already
    std::size_t waiting = 0;               ///< tags listed and not handed out
    std::size_t out = 0;                   ///< records being resolved
    bool listed = false;                   ///< no page is missing
    bool abandoned = false;                ///< too much of it failed: the rest is not asked for
    std::string problem;                   ///< why it is incomplete
};

/// One piece of work to do with requests.
struct crawl_job
{
    enum class kind { none, catalog, list, resolve };
    kind what = kind::none;
    std::string target;                    ///< of the page, for `catalog` and `list`
    repository_work* repository = nullptr; ///< for `list` and `resolve`; lives until the job is reported
    index_record* record = nullptr;        ///< for `resolve`: its pending entries are to be resolved
};

/// Decides what a crawl does next. No socket, no clock, no thread: it is told what happened and says what to do.
/// Tags before lists before catalog, except that lists and the catalog are read ahead so far that tags never run out.
class crawl_plan
{
public:
    static constexpr std::size_t tags_per_record = 256;
    static constexpr std::size_t failures_per_record = 3; ///< after which the rest of a record is not asked for

    struct source
    {
        std::string catalog;               ///< target of the first page; empty: there is none to read
        std::vector<std::string> names;    ///< repositories known beforehand
        std::vector<std::string> patterns; ///< what names of the catalog must match, one of them; empty for all
        unsigned concurrency = 32;
        unsigned shares = 1; ///< threads that want their part of the tags
    };

    /// `tags_target` gives the first page of a repository's tags.
    crawl_plan(source from, index_builder& builder, std::function<std::string(std::string_view)> tags_target);

    /// The next job, or `none` while there is nothing to do until something is reported, or records are short.
    crawl_job take();
    /// Whether `take` gave nothing because the builder is behind: ask again soon.
    bool starved() const noexcept { return starved_; }

    /// Reports. The plan takes jobs' records back and hands them on to the builder.
    result<void> catalog_page(std::string_view target, name_page got);
    void listed(repository_work* repository, result<std::optional<name_page>> answer);
    void resolved(repository_work* repository, index_record* record);

    bool finished() const noexcept;
    /// Whether the builder cannot write any more: there is no sense in going on.
    bool broken() const noexcept { return builder_.failed(); }

    const crawl_report& report() const noexcept { return report_; }
    std::uint64_t repositories_done() const noexcept { return done_; }
    std::uint64_t tags_known() const noexcept { return tags_known_; }
    bool catalog_complete() const noexcept { return catalog_.empty() && !catalog_out_; }

private:
    struct page
    {
        repository_work* repository = nullptr;
        name_list tags;
        std::size_t next = 0;
    };

    void add_repository(std::string_view name);
    bool wanted(std::string_view name) const;
    crawl_job take_list();
    crawl_job take_tags();
    void queue_page(repository_work* repository, name_list tags);
    void settle(repository_work* repository, index_record* record);
    void finish(repository_work* repository, index_record* record);
    void finish_waiting();
    void note_problem(repository_work* repository, std::string why);

    source from_;
    index_builder& builder_;
    std::function<std::string(std::string_view)> tags_target_;
    std::string catalog_; // target of the next page
    bool catalog_out_ = false;
    page_guard catalog_pages_;
    std::unordered_set<std::size_t> seen_;   // hashes of names: a page that shifts may repeat some
    std::deque<std::string> names_;          // repositories not begun
    std::deque<repository_work*> to_list_;   // repositories with a further page to read
    std::deque<page> pages_;                 // tags not handed out
    std::deque<repository_work*> to_finish_; // over, but no record was free to say so
    std::unordered_map<repository_work*, std::unique_ptr<repository_work>> active_;
    std::size_t backlog_ = 0;   // tags in pages_
    std::size_t lists_out_ = 0; // lists being read
    double tags_per_list_ = 1;  // what a list brings, on a moving average
    bool starved_ = false;
    std::uint64_t done_ = 0;
    std::uint64_t tags_known_ = 0;
    crawl_report report_;
};

} // namespace regsweep

#endif
