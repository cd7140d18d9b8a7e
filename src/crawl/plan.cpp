#include "crawl/plan.hpp"

#include <algorithm>
#include <functional>

namespace regsweep {
namespace {

constexpr std::size_t problems_kept = 1000;
constexpr std::size_t tags_ahead = 1000; // listed but not handed out: enough to hide the time that a page takes

} // namespace

crawl_plan::crawl_plan(source from, index_builder& builder, std::function<std::string(std::string_view)> tags_target)
    : from_(std::move(from)), builder_(builder), tags_target_(std::move(tags_target)), catalog_(from_.catalog)
{
    for (const auto& name : from_.names)
        add_repository(name);
}

bool crawl_plan::wanted(std::string_view name) const
{
    return from_.patterns.empty() || std::any_of(from_.patterns.begin(), from_.patterns.end(),
                                                 [&](const std::string& p) { return glob_match(p, name); });
}

void crawl_plan::add_repository(std::string_view name)
{
    if (!seen_.insert(std::hash<std::string_view>()(name)).second)
        return;
    ++report_.repositories;
    if (builder_.resumed() && builder_.already_finished(name)) {
        ++report_.skipped;
        ++done_;
        return;
    }
    names_.emplace_back(name);
}

crawl_job crawl_plan::take()
{
    starved_ = false;
    finish_waiting();
    const double expected = static_cast<double>(backlog_) + static_cast<double>(lists_out_) * tags_per_list_;
    const auto ahead = static_cast<double>(std::max<std::size_t>(tags_ahead, std::size_t{4} * from_.concurrency));
    const bool repositories_short = names_.size() + to_list_.size() < std::size_t{2} * from_.concurrency;
    if (repositories_short && !catalog_.empty() && !catalog_out_) {
        catalog_out_ = true;
        crawl_job job;
        job.what = crawl_job::kind::catalog;
        job.target = catalog_;
        return job;
    }
    // Lists get no more than half of the requests while there are tags to resolve.
    const bool lists_may = backlog_ == 0 || lists_out_ < std::max(1U, from_.concurrency / 2);
    if (expected < ahead && lists_may && (!to_list_.empty() || !names_.empty()))
        return take_list();
    return take_tags();
}

crawl_job crawl_plan::take_list()
{
    repository_work* repository = nullptr;
    if (!to_list_.empty()) {
        repository = to_list_.front();
        to_list_.pop_front();
    } else {
        auto made = std::make_unique<repository_work>();
        repository = made.get();
        made->name = std::move(names_.front());
        names_.pop_front();
        made->next_page = tags_target_(made->name);
        if (builder_.resumed())
            for (auto& tag : builder_.already_resolved(made->name))
                made->known.insert(std::move(tag));
        active_.emplace(repository, std::move(made));
    }
    ++lists_out_;
    crawl_job job;
    job.what = crawl_job::kind::list;
    job.repository = repository;
    job.target = repository->next_page;
    return job;
}

crawl_job crawl_plan::take_tags()
{
    crawl_job job;
    if (pages_.empty())
        return job;
    index_record* record = builder_.acquire();
    if (record == nullptr) {
        starved_ = true;
        return job;
    }
    page& from = pages_.front();
    // Towards the end the rest is divided, so that no thread is left without work.
    const std::size_t share = std::max<std::size_t>(1, backlog_ / (std::size_t{4} * from_.shares));
    const std::size_t most = from_.shares == 1 ? tags_per_record : std::min(tags_per_record, share);
    record->clear();
    record->repository = from.repository->name;
    while (from.next != from.tags.size() && record->entries.size() != most)
        record->add(from.tags[from.next++]);
    backlog_ -= record->entries.size();
    from.repository->waiting -= record->entries.size();
    ++from.repository->out;
    job.what = crawl_job::kind::resolve;
    job.repository = from.repository;
    job.record = record;
    if (from.next == from.tags.size())
        pages_.pop_front();
    return job;
}

result<void> crawl_plan::catalog_page(std::string_view target, name_page got)
{
    catalog_out_ = false;
    catalog_.clear();
    auto fresh = catalog_pages_.visit(target, got.names);
    if (!fresh)
        return fresh;
    for (std::size_t i = 0; i != got.names.size(); ++i)
        if (wanted(got.names[i]))
            add_repository(got.names[i]);
    catalog_ = std::move(got.next);
    return {};
}

void crawl_plan::queue_page(repository_work* repository, name_list tags)
{
    if (!repository->known.empty()) {
        name_list missing;
        for (std::size_t i = 0; i != tags.size(); ++i)
            if (!repository->known.contains(std::string(tags[i])))
                missing.push_back(tags[i]);
        tags = std::move(missing);
    }
    if (tags.empty())
        return;
    tags_known_ += tags.size();
    backlog_ += tags.size();
    repository->waiting += tags.size();
    pages_.push_back({repository, std::move(tags), 0});
}

void crawl_plan::listed(repository_work* repository, result<std::optional<name_page>> answer)
{
    --lists_out_;
    if (!answer) {
        note_problem(repository, answer.error().message());
        repository->listed = true;
    } else if (!*answer) {
        repository->listed = true; // the registry does not know it any more: an empty repository
    } else {
        name_page& got = **answer;
        tags_per_list_ = (3 * tags_per_list_ + static_cast<double>(got.names.size())) / 4;
        const auto fresh = repository->pages.visit(repository->next_page, got.names);
        if (!fresh) {
            note_problem(repository, fresh.error().message());
            repository->listed = true;
        } else {
            if (!repository->abandoned)
                queue_page(repository, std::move(got.names));
            repository->next_page = std::move(got.next);
            repository->listed = repository->next_page.empty() || repository->abandoned;
            if (!repository->listed)
                to_list_.push_back(repository);
        }
    }
    settle(repository, nullptr);
}

void crawl_plan::resolved(repository_work* repository, index_record* record)
{
    --repository->out;
    std::size_t failed = 0;
    for (const auto& entry : record->entries) {
        report_.tags += entry.what == index_record::state::resolved ? 1 : 0;
        report_.gone += entry.what == index_record::state::gone ? 1 : 0;
        failed += entry.what == index_record::state::failed ? 1 : 0;
    }
    if (failed != 0)
        note_problem(repository, record->problem);
    record->problem.clear();
    if (failed >= failures_per_record && !repository->abandoned) {
        repository->abandoned = true;
        std::erase_if(pages_, [&](const page& p) { return p.repository == repository; });
        backlog_ -= repository->waiting;
        repository->waiting = 0;
        if (const auto place = std::find(to_list_.begin(), to_list_.end(), repository); place != to_list_.end()) {
            to_list_.erase(place);
            repository->listed = true;
        }
    }
    settle(repository, record);
}

// Pushes what is known of the repository, and ends it if nothing more can come.
void crawl_plan::settle(repository_work* repository, index_record* record)
{
    if (repository->listed && repository->waiting == 0 && repository->out == 0)
        finish(repository, record);
    else if (record != nullptr)
        builder_.push(record);
}

void crawl_plan::finish(repository_work* repository, index_record* record)
{
    if (record == nullptr)
        record = builder_.acquire();
    if (record == nullptr) {
        to_finish_.push_back(repository);
        return;
    }
    if (record->repository != repository->name) {
        record->clear();
        record->repository = repository->name;
    }
    record->finished = true;
    record->complete = repository->problem.empty();
    record->problem = repository->problem;
    builder_.push(record);
    ++done_;
    active_.erase(repository);
}

void crawl_plan::finish_waiting()
{
    while (!to_finish_.empty()) {
        index_record* record = builder_.acquire();
        if (record == nullptr) {
            starved_ = true;
            return;
        }
        record->clear();
        repository_work* repository = to_finish_.front();
        to_finish_.pop_front();
        record->repository = repository->name;
        finish(repository, record);
    }
}

void crawl_plan::note_problem(repository_work* repository, std::string why)
{
    if (!repository->problem.empty())
        return;
    repository->problem = why.empty() ? "unknown" : std::move(why);
    ++report_.incomplete;
    if (report_.problems.size() < problems_kept)
        report_.problems.emplace_back(repository->name, repository->problem);
}

bool crawl_plan::finished() const noexcept
{
    return catalog_complete() && names_.empty() && active_.empty();
}

} // namespace regsweep
