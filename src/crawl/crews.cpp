#include "crawl/crews.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <memory>

namespace regsweep {
namespace {

constexpr unsigned first_concurrency = 32;

} // namespace

http::awaitable<void> rest_in(std::vector<crawl_timer*>& list, crawl_timer& bed)
{
    bed.expires_at(http::clock::time_point::max());
    list.push_back(&bed);
    boost::system::error_code ec;
    co_await bed.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable_t<http::executor>(), ec));
}

bool is_unreachable(const error& e)
{
    return e.is(errc::connect_failed) || e.is(errc::resolve_failed) || e.is(errc::tls_failed);
}

std::vector<concurrency_control::limits> share_out(crawl_options& options)
{
    const bool fixed = options.concurrency != 0;
    const unsigned most = std::max(1U, fixed ? options.concurrency : options.max_concurrency);
    options.max_concurrency = most;
    options.threads = std::clamp(options.threads, 1U, most);
    options.http.pause = std::make_shared<http::gate>();
    options.http.rate /= options.threads;
    options.registry.who.tokens = make_token_store();
    std::vector<concurrency_control::limits> shares(options.threads);
    for (unsigned i = 0; i != options.threads; ++i) {
        shares[i].most = most / options.threads + (i < most % options.threads ? 1U : 0U);
        shares[i].first = fixed ? shares[i].most : std::max(1U, first_concurrency / options.threads);
        shares[i].fixed = fixed;
    }
    return shares;
}

} // namespace regsweep
