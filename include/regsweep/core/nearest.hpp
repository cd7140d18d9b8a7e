#ifndef REGSWEEP_CORE_NEAREST_HPP
#define REGSWEEP_CORE_NEAREST_HPP

#include <span>
#include <string_view>

namespace regsweep {

/// The word of `known` that a mistyped `word` most likely means: the one with the fewest letters to change, add or take
/// away. Empty if none is near: more than two letters and a third of `word` differ, or nothing is the same. Of `word`
/// the first 64 bytes are looked at.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

} // namespace regsweep

#endif
