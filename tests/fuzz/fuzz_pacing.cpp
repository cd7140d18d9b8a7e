// Headers that say how fast requests may come: Retry-After, RateLimit-Limit and RateLimit-Remaining, one a line.

#include "fuzz/fuzz.hpp"
#include "regsweep/http/pacing.hpp"
#include "regsweep/http/retry.hpp"

using namespace regsweep;
using namespace regsweep::http;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto values = fuzz::split(fuzz::text(data, size), '\n');
    const auto wait = parse_retry_after(values[0], std::chrono::system_clock::time_point(std::chrono::hours(450'000)));
    require(!wait || wait->count() >= 0);
    rate_limit_watch watch;
    for (std::size_t i = 1; i < values.size(); ++i) {
        const auto status = parse_rate_limit(values[i - 1], values[i]);
        if (!status)
            continue;
        require(status->limit != 0 && status->window.count() > 0);
        const auto between = watch.update(*status);
        require(!between || (between->count() >= 0 && *between <= status->window));
    }
    return 0;
}
