#include "http/response_parser.hpp"

#include <boost/asio/buffer.hpp>

#include <benchmark/benchmark.h>

#include <string>

namespace {

// What docker-registry answers to the HEAD of a manifest.
void response_parse(benchmark::State& state)
{
    const std::string text = "HTTP/1.1 200 OK\r\n"
                             "Content-Length: 1573\r\n"
                             "Content-Type: application/vnd.docker.distribution.manifest.v2+json\r\n"
                             "Docker-Content-Digest: sha256:" +
                             std::string(64, 'a') +
                             "\r\n"
                             "Docker-Distribution-Api-Version: registry/2.0\r\n"
                             "Etag: \"sha256:" +
                             std::string(64, 'a') +
                             "\"\r\n"
                             "X-Content-Type-Options: nosniff\r\n"
                             "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n";
    regsweep::http::response into;
    for (auto _ : state) {
        into.clear();
        regsweep::http::response_parser parser(into, 65536, 1U << 20, true);
        boost::beast::error_code ec;
        parser.put(boost::asio::buffer(text), ec);
        if (ec || into.status != 200 || !parser.is_done())
            state.SkipWithError("the answer was not understood");
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(response_parse);

} // namespace
