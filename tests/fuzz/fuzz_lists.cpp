// The JSON of catalogs and tag lists.

#include "fuzz/fuzz.hpp"
#include "regsweep/registry/lists.hpp"

using namespace regsweep;
using fuzz::require;

namespace {

void check(const result<name_list>& list, std::size_t longest)
{
    if (!list) {
        require(!fuzz::has_control(list.error().message()));
        return;
    }
    for (std::size_t i = 0; i != list->size(); ++i) {
        const std::string_view name = (*list)[i];
        require(!name.empty() && name.size() <= longest && !fuzz::has_control(name));
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view json = fuzz::text(data, size);
    check(parse_catalog(json), 1024);
    check(parse_tags(json), 256);
    return 0;
}
