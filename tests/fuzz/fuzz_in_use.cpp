// Image references: whatever is read names repositories and tags that a registry may use.

#include "fuzz/fuzz.hpp"
#include "regsweep/core/names.hpp"
#include "regsweep/select/in_use.hpp"

#include <algorithm>

using namespace regsweep;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const auto registry = registry_address::parse("reg.io:5000/docker/local").value();
    const auto used = parse_in_use(fuzz::text(data, size), registry, "refs");
    if (!used) {
        require(used.error().is(errc::bad_file));
        require(used.error().detail.starts_with("refs:"));
        return 0;
    }
    require(used->references + used->elsewhere != 0);
    for (const auto& [name, names] : used->repositories) {
        require(valid_repository(name));
        require(!names.tags.empty() || !names.digests.empty());
        require(std::ranges::all_of(names.tags, [](const auto& tag) { return valid_tag(tag); }));
    }
    return 0;
}
