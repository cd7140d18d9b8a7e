#include "crawl/details_crew.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <utility>

namespace regsweep {
namespace {

namespace asio = boost::asio;
using http::awaitable;

bool is_image_config(std::string_view type)
{
    return type == "application/vnd.docker.container.image.v1+json" ||
           type == "application/vnd.oci.image.config.v1+json";
}

} // namespace

void details_crew::run()
{
    const auto guard = asio::make_work_guard(context_);
    running_ = workers_;
    for (unsigned i = 0; i != workers_; ++i)
        asio::co_spawn(context_, work(), [this](const std::exception_ptr& thrown) {
            // Memory is short: what this worker had in hand will never be answered.
            if (thrown)
                answers_.push({{}, error(errc::io, "a worker ended for want of memory or another resource")});
            if (--running_ == 0)
                context_.stop();
        });
    context_.run();
}

void details_crew::post(details_job job)
{
    asio::post(context_, [this, taken = std::move(job)]() mutable {
        jobs_.push_back(std::move(taken));
        if (idle_.empty())
            return;
        idle_.back()->cancel();
        idle_.pop_back();
    });
}

void details_crew::stop()
{
    asio::post(context_, [this] {
        stopping_ = true;
        client_.cancel();
        for (auto* list : {&idle_, &parked_})
            for (crawl_timer* bed : std::exchange(*list, {}))
                bed->cancel();
    });
}

void details_crew::one_is_through()
{
    const unsigned before = busy_--;
    in_flight.store(busy_, std::memory_order_relaxed);
    requests.store(client_.stats().requests, std::memory_order_relaxed);
    retries.store(client_.stats().retries, std::memory_order_relaxed);
    if (!control_.answered(http::clock::now(), before, client_.stats().retries))
        return;
    while (!parked_.empty() && workers_ - parked_.size() < control_.limit()) {
        parked_.back()->cancel();
        parked_.pop_back();
    }
}

awaitable<void> details_crew::work()
{
    registry_buffers buffers;
    crawl_timer bed(context_);
    while (!stopping_) {
        if (busy_ >= control_.limit()) {
            co_await rest_in(parked_, bed);
            continue;
        }
        if (jobs_.empty()) {
            co_await rest_in(idle_, bed);
            continue;
        }
        details_job job = std::move(jobs_.front());
        jobs_.pop_front();
        ++busy_;
        auto found = co_await answer(std::move(job), buffers);
        one_is_through();
        answers_.push(std::move(found));
    }
}

awaitable<details_answer> details_crew::answer(details_job job, registry_buffers& buffers)
{
    if (job.what == details_job::kind::referrers) {
        auto told = co_await content_.referrers(job.repository, job.digest, buffers);
        if (!told)
            co_return details_answer{std::move(job), told.error()};
        if (!*told)
            co_return details_answer{std::move(job), no_referrers_api()};
        co_return details_answer{std::move(job), **std::move(told)};
    }
    const std::string reference = job.digest.to_string();
    auto got = co_await registry_.get_manifest(job.repository, reference, buffers);
    if (!got)
        co_return details_answer{std::move(job), got.error()};
    if (!*got)
        co_return details_answer{std::move(job), no_manifest()};
    auto facts = parse_manifest((*got)->body);
    if (!facts) {
        error why = facts.error();
        why.request = "GET " + job.repository + "@" + reference;
        co_return details_answer{std::move(job), std::move(why)};
    }
    found_manifest found;
    found.facts = *std::move(facts);
    found.facts.digest = job.digest;
    found.facts.size = (*got)->body.size();
    if (!(*got)->content_type.empty()) {
        found.facts.media_type_name = (*got)->content_type.substr(0, (*got)->content_type.find(';'));
        found.facts.type = (*got)->type;
    }
    error failed;
    co_await read_config(job.repository, found, failed, buffers);
    if (failed.code)
        co_return details_answer{std::move(job), std::move(failed)};
    co_return details_answer{std::move(job), std::move(found)};
}

// A config that is missing, too large or no config at all leaves its facts unknown, for good.
awaitable<void> details_crew::read_config(const std::string& repository, found_manifest& into, error& failed,
                                          registry_buffers& buffers)
{
    const auto& config = into.facts.config;
    if (!config || !is_image_config(config->media_type) || config->size.value_or(0) > details_crawler::body_limit)
        co_return;
    const digest id = config->digest;
    const auto got = co_await content_.blob(repository, id, buffers);
    if (!got) {
        if (!got.error().is(errc::too_large))
            failed = got.error();
        co_return;
    }
    into.with_config = *got && add_config(**got, into.facts);
}

} // namespace regsweep
