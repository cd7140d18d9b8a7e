#ifndef REGSWEEP_SRC_CRAWL_CREWS_HPP
#define REGSWEEP_SRC_CRAWL_CREWS_HPP

#include "crawl/concurrency.hpp"
#include "regsweep/crawl/crawler.hpp"

#include <boost/asio/basic_waitable_timer.hpp>

#include <vector>

namespace regsweep {

using crawl_timer =
    boost::asio::basic_waitable_timer<http::clock, boost::asio::wait_traits<http::clock>, http::executor>;

/// Waits in a list until somebody takes the timer out of it and cancels it.
http::awaitable<void> rest_in(std::vector<crawl_timer*>& list, crawl_timer& bed);

/// A registry that cannot be reached this often in a row, each time after all retries, is gone.
inline constexpr unsigned unreachable_limit = 8;
bool is_unreachable(const error& e);

/// Lets the threads of a crawl share what is for all of them: the rate, the pause, the tokens, the requests in flight.
/// Corrects `threads`, and returns each thread's share of the requests.
std::vector<concurrency_control::limits> share_out(crawl_options& options);

} // namespace regsweep

#endif
