#ifndef REGSWEEP_TESTS_FUZZ_FUZZ_HPP
#define REGSWEEP_TESTS_FUZZ_FUZZ_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <source_location>
#include <string_view>
#include <vector>

namespace regsweep::fuzz {

/// Ends the run with the place of a property that does not hold, so that libFuzzer keeps the input.
inline void require(bool holds, std::source_location where = std::source_location::current())
{
    if (holds)
        return;
    std::fprintf(stderr, "%s:%u: property does not hold\n", where.file_name(), static_cast<unsigned>(where.line()));
    std::abort();
}

inline std::string_view text(const std::uint8_t* data, std::size_t size)
{
    return {reinterpret_cast<const char*>(data), size};
}

/// The parts between separators, at least one.
inline std::vector<std::string_view> split(std::string_view whole, char separator)
{
    std::vector<std::string_view> out;
    while (true) {
        const std::size_t end = whole.find(separator);
        out.push_back(whole.substr(0, end));
        if (end == std::string_view::npos)
            return out;
        whole.remove_prefix(end + 1);
    }
}

inline bool has_control(std::string_view s)
{
    return std::any_of(s.begin(), s.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
}

} // namespace regsweep::fuzz

#endif
