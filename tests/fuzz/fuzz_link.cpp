// Link headers, one a line, and the request that the next page becomes.

#include "fuzz/fuzz.hpp"
#include "regsweep/registry/pagination.hpp"

using namespace regsweep;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const auto plain = registry_address::parse("https://reg.example").value();
    static const auto prefixed = registry_address::parse("http://reg.example:5000/a/b").value();
    const auto values = fuzz::split(fuzz::text(data, size), '\n');
    const std::string_view links[] = {find_next_link(values), values[0]};
    for (const std::string_view reference : links) {
        for (const registry_address* at : {&plain, &prefixed}) {
            const auto target = resolve_next(*at, at->prefix + "/v2/_catalog?n=100", reference);
            if (target)
                require(target->starts_with('/') && !fuzz::has_control(*target));
            else
                require(!fuzz::has_control(target.error().message()));
        }
    }
    return 0;
}
