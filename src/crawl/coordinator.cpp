#include "crawl/crew.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>

namespace regsweep {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

} // namespace

void coordinator::ask(std::size_t who)
{
    ++hungry_[who];
    dispatch();
}

void coordinator::dispatch()
{
    if (plan_.broken())
        return fail({errc::io, "the index cannot be written"});
    while (!over_) {
        const auto hungriest = std::max_element(hungry_.begin(), hungry_.end());
        if (plan_.finished())
            return end(false);
        if (*hungriest == 0)
            break;
        crawl_job job = plan_.take();
        if (job.what == crawl_job::kind::none) {
            if (plan_.starved()) {
                soon_.expires_after(std::chrono::milliseconds(1));
                soon_.async_wait([this](const error_code& ec) {
                    if (!ec)
                        dispatch();
                });
            }
            if (plan_.finished())
                return end(false);
            break;
        }
        const std::size_t useful = job.what == crawl_job::kind::resolve ? job.record->entries.size() : 1;
        *hungriest -= std::min(*hungriest, useful);
        crew& who = *crews_[static_cast<std::size_t>(hungriest - hungry_.begin())];
        asio::post(who.context(), [&who, work = std::move(job)]() mutable { who.accept(std::move(work)); });
    }
    repositories.store(plan_.report().repositories, std::memory_order_relaxed);
    repositories_done.store(plan_.repositories_done(), std::memory_order_relaxed);
    tags_known.store(plan_.tags_known(), std::memory_order_relaxed);
    catalog_complete.store(plan_.catalog_complete(), std::memory_order_relaxed);
}

void coordinator::catalog_done(const std::string& target, result<name_page> page)
{
    if (!page)
        return fail(page.error());
    const auto taken = plan_.catalog_page(target, *std::move(page));
    if (!taken)
        return fail(taken.error());
    dispatch();
}

void coordinator::list_done(repository_work* repository, result<std::optional<name_page>> page)
{
    if (over_ || (!page && page.error().is(errc::cancelled)))
        return;
    plan_.listed(repository, std::move(page));
    dispatch();
}

void coordinator::batch_done(repository_work* repository, index_record* record)
{
    plan_.resolved(repository, record);
    dispatch();
}

void coordinator::fail(error why)
{
    if (over_)
        return;
    failure_ = std::move(why);
    end(true);
}

void coordinator::end(bool at_once)
{
    over_ = true;
    soon_.cancel();
    for (const auto& c : crews_)
        asio::post(c->context(), [who = c.get(), at_once] { who->stop(at_once); });
}

} // namespace regsweep
