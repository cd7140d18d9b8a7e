#include "regsweep/core/nearest.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace regsweep {
namespace {

constexpr std::size_t longest = 64;

// How many letters have to be changed, added or taken away to make one word of the other.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({change, row[j] + 1, row[j - 1] + 1}));
        }
    }
    return row.back();
}

} // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known)
{
    word = word.substr(0, longest);
    const std::size_t bearable = std::max<std::size_t>(2, word.size() / 3);
    std::string_view best;
    std::size_t least = bearable + 1;
    for (const auto name : known) {
        const std::size_t found = distance(word, name);
        if (found < least && found < std::max(word.size(), name.size())) {
            least = found;
            best = name;
        }
    }
    return best;
}

} // namespace regsweep
