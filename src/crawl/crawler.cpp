#include "regsweep/crawl/crawler.hpp"

#include "crawl/crew.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <mutex>
#include <thread>

namespace regsweep {
namespace {

namespace asio = boost::asio;

bool has_wildcard(const std::string& pattern)
{
    return pattern.find_first_of("*?[") != std::string::npos;
}

} // namespace

std::string crawl_scope(const crawl_options& options)
{
    std::vector<std::string> parts = options.patterns;
    if (options.only_names)
        parts.insert(parts.end(), options.names.begin(), options.names.end());
    std::sort(parts.begin(), parts.end());
    parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
    std::string out;
    for (const auto& part : parts)
        out += (out.empty() ? "" : " ") + part;
    return out.empty() && options.only_names ? "(nothing)" : out;
}

struct crawler::impl
{
    explicit impl(crawl_options o) : options(std::move(o))
    {
        for (const auto& share : share_out(options))
            crews.push_back(std::make_unique<crew>(options, options.http, share, crews.size()));
    }

    crawl_plan::source source() const
    {
        crawl_plan::source from;
        from.concurrency = options.max_concurrency;
        from.shares = options.threads;
        from.names = options.names;
        const bool literal =
            !options.patterns.empty() && std::none_of(options.patterns.begin(), options.patterns.end(), has_wildcard);
        if (literal && !options.only_names)
            from.names = options.patterns;
        else
            from.patterns = options.patterns;
        if (!literal && !options.only_names)
            from.catalog = crews.front()->registry().catalog_target(options.page_size);
        if (options.only_names && !options.patterns.empty())
            std::erase_if(from.names, [&](const std::string& name) {
                return std::none_of(options.patterns.begin(), options.patterns.end(),
                                    [&](const std::string& p) { return glob_match(p, name); });
            });
        return from;
    }

    crawl_options options;
    std::vector<std::unique_ptr<crew>> crews;
    mutable std::mutex guard; // of `boss` while it comes and goes
    coordinator* boss = nullptr;
    bool cancelled = false;
};

crawler::crawler(crawl_options options) : impl_(std::make_unique<impl>(std::move(options))) {}

crawler::~crawler() = default;

result<crawl_report> crawler::run(index_builder& builder)
{
    const auto begin = http::clock::now();
    auto& crews = impl_->crews;
    registry_client& registry = crews.front()->registry();
    const unsigned page_size = impl_->options.page_size;
    coordinator boss(
        crawl_plan(impl_->source(), builder,
                   [&registry, page_size](std::string_view name) { return registry.tags_target(name, page_size); }),
        crews);
    {
        const std::lock_guard lock(impl_->guard);
        impl_->boss = &boss;
        if (impl_->cancelled)
            asio::post(boss.context(), [&boss] { boss.fail({errc::cancelled, {}}); });
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < crews.size(); ++i)
        threads.emplace_back([&boss, who = crews[i].get()] { who->run(boss); });
    crews.front()->run(boss);
    for (auto& t : threads)
        t.join();
    {
        const std::lock_guard lock(impl_->guard);
        impl_->boss = nullptr;
    }
    // Records may be on their way between threads that have stopped; nothing of them is to be lost.
    for (const auto& c : crews)
        c->read_mail();
    for (const auto& c : crews)
        c->hand_in(builder);
    if (builder.failed())
        return error(errc::io, "the index cannot be written");
    if (boss.failure())
        return *boss.failure();
    crawl_report report = boss.plan().report();
    for (const auto& c : crews) {
        report.requests += c->stats().requests;
        report.retries += c->stats().retries;
        report.connections += c->stats().connections;
    }
    report.seconds = std::chrono::duration<double>(http::clock::now() - begin).count();
    return report;
}

void crawler::cancel()
{
    const std::lock_guard lock(impl_->guard);
    impl_->cancelled = true;
    if (impl_->boss != nullptr)
        asio::post(impl_->boss->context(), [boss = impl_->boss] { boss->fail({errc::cancelled, {}}); });
}

crawl_progress crawler::progress() const
{
    crawl_progress out;
    for (const auto& c : impl_->crews) {
        out.tags += c->counts.tags.load(std::memory_order_relaxed);
        out.in_flight += c->counts.in_flight.load(std::memory_order_relaxed);
        out.requests += c->counts.requests.load(std::memory_order_relaxed);
        out.retries += c->counts.retries.load(std::memory_order_relaxed);
    }
    const std::lock_guard lock(impl_->guard);
    if (impl_->boss == nullptr)
        return out;
    out.repositories = impl_->boss->repositories.load(std::memory_order_relaxed);
    out.repositories_done = impl_->boss->repositories_done.load(std::memory_order_relaxed);
    out.tags_known = impl_->boss->tags_known.load(std::memory_order_relaxed);
    out.catalog_complete = impl_->boss->catalog_complete.load(std::memory_order_relaxed);
    return out;
}

} // namespace regsweep
