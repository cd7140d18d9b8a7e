// The version order has to be one, whatever the tags are: three texts, one a line.

#include "fuzz/fuzz.hpp"
#include "regsweep/select/version.hpp"

#include <string>
#include <vector>

using namespace regsweep;
using fuzz::require;

namespace {

void check_pair(const loose_version& a, const loose_version& b)
{
    const std::weak_ordering order = sort_order(a, b);
    require((order < 0) == (sort_order(b, a) > 0));
    require((order == 0) == (sort_order(b, a) == 0));
    const auto compared = compare(a, b);
    const auto back = compare(b, a);
    require(compared.has_value() == back.has_value());
    require(!compared || *compared == order);
}

void check_triple(const loose_version& a, const loose_version& b, const loose_version& c)
{
    if (sort_order(a, b) <= 0 && sort_order(b, c) <= 0)
        require(sort_order(a, c) <= 0);
    if (sort_order(a, b) == 0)
        require((sort_order(a, c) < 0) == (sort_order(b, c) < 0));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto lines = fuzz::split(fuzz::text(data, size), '\n');
    std::vector<loose_version> versions;
    for (std::size_t i = 0; i != 3; ++i)
        versions.emplace_back(i < lines.size() ? lines[i] : std::string_view());
    for (const auto& a : versions) {
        require(sort_order(a, a) == 0);
        for (const auto& b : versions) {
            check_pair(a, b);
            for (const auto& c : versions)
                check_triple(a, b, c);
        }
    }
    std::vector<std::string> tags(lines.begin(), lines.end());
    sort_tags(tags);
    for (std::size_t i = 1; i < tags.size(); ++i)
        require(sort_order(loose_version(tags[i - 1]), loose_version(tags[i])) <= 0);
    require(tags.size() == lines.size());
    return 0;
}
