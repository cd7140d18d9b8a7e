#ifndef REGSWEEP_TESTS_UNIT_HTTP_RUN_HPP
#define REGSWEEP_TESTS_UNIT_HTTP_RUN_HPP

#include "common/fake_registry.hpp"

#include "regsweep/http/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace regsweep::test {

/// Runs `what` on `io` until it is done, and returns or throws what it does.
template<class T>
T run(boost::asio::io_context& io, http::awaitable<T> what)
{
    std::optional<T> out;
    std::exception_ptr thrown;
    bool done = false;
    boost::asio::co_spawn(io, std::move(what), [&](std::exception_ptr e, T value) {
        done = true;
        thrown = std::move(e);
        if (!thrown)
            out.emplace(std::move(value));
    });
    io.restart();
    while (!done)
        io.run_one();
    if (thrown)
        std::rethrow_exception(thrown);
    return *std::move(out);
}

/// The same for several at a time; their results in order.
template<class T>
std::vector<T> run_all(boost::asio::io_context& io, std::vector<http::awaitable<T>> what)
{
    std::vector<std::optional<T>> out(what.size());
    std::size_t left = what.size();
    for (std::size_t i = 0; i != what.size(); ++i)
        boost::asio::co_spawn(io, std::move(what[i]), [&, i](const std::exception_ptr& e, T value) {
            --left;
            if (!e)
                out[i].emplace(std::move(value));
        });
    io.restart();
    while (left != 0)
        io.run_one();
    std::vector<T> all;
    for (auto& one : out)
        all.push_back(std::move(one).value());
    return all;
}

/// A client with limits fit for tests: nothing takes long.
inline http::client_options quick_options()
{
    http::client_options options;
    options.connect_timeout = std::chrono::milliseconds(5000);
    options.idle_timeout = std::chrono::milliseconds(5000);
    options.retry.retries = 3;
    options.retry.first_delay = std::chrono::milliseconds(1);
    options.retry.max_delay = std::chrono::milliseconds(5);
    return options;
}

inline origin origin_of(const fake_registry& registry)
{
    return parse_url(registry.url()).value().server;
}

/// A request with the answer it got.
struct exchange
{
    result<void> sent;
    http::response answer;
};

inline http::awaitable<exchange> send(http::client& client, const origin server, http::request rq)
{
    exchange out;
    out.sent = co_await client.send(client.at(server), rq, out.answer);
    co_return out;
}

inline http::request get(std::string target)
{
    http::request rq;
    rq.target = std::move(target);
    return rq;
}

inline http::request head(std::string target)
{
    http::request rq = get(std::move(target));
    rq.verb = http::method::head;
    return rq;
}

} // namespace regsweep::test

#endif
