// What users write for a registry, and URLs that servers send.

#include "fuzz/fuzz.hpp"
#include "regsweep/core/address.hpp"

#include <string>

using namespace regsweep;
using fuzz::require;

namespace {

void check_origin(const origin& o)
{
    require(!o.host.empty() && !fuzz::has_control(o.host) && o.port != 0);
    require(o.host.find_first_of("/@?# ") == std::string::npos);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view written = fuzz::text(data, size);
    if (const auto address = registry_address::parse(written)) {
        check_origin(address->server);
        require(address->prefix.empty() || (address->prefix.starts_with('/') && !address->prefix.ends_with('/')));
        const auto again = registry_address::parse(address->canonical());
        require(again.has_value());
        require(again->server == address->server);
    } else {
        require(!fuzz::has_control(address.error().message()));
    }
    if (const auto url = parse_url(written)) {
        check_origin(url->server);
        require(url->target.starts_with('/') && !fuzz::has_control(url->target));
        const auto again = parse_url(url->server.to_string() + url->target);
        require(again.has_value());
        require(again->server == url->server && again->target == url->target);
    } else {
        require(!fuzz::has_control(url.error().message()));
    }
    return 0;
}
