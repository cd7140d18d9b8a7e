// The manifests that an index lists.

#include "fuzz/fuzz.hpp"
#include "regsweep/registry/manifest.hpp"

using namespace regsweep;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto children = parse_children(fuzz::text(data, size));
    if (!children) {
        const error& e = children.error();
        require(e.is(errc::bad_json) || e.is(errc::bad_digest) || e.is(errc::too_large));
        require(!fuzz::has_control(e.message()));
        return 0;
    }
    require(children->size() <= 100'000);
    for (const auto& child : *children) {
        require(!child.digest.empty());
        require(digest::parse(child.digest.to_string()).value() == child.digest);
    }
    return 0;
}
