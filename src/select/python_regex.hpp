#ifndef REGSWEEP_SELECT_PYTHON_REGEX_HPP
#define REGSWEEP_SELECT_PYTHON_REGEX_HPP

#include "regsweep/core/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::detail {

/// A pattern in Python's syntax, written in PCRE2's.
struct translated_pattern
{
    std::string text;
    /// For every byte of `text`, and for its end, the offset in the original that it stands for.
    std::vector<std::size_t> origins;
};

/// Rewrites what PCRE2 10.42 reads otherwise than Python's `re` does; see `tag_matcher`. Fails with
/// `errc::bad_regex` on `(*`, which gives PCRE2 orders (among them other limits) and is an error in Python.
result<translated_pattern> translate_python_regex(std::string_view pattern);

/// The error for a pattern that cannot be used, in one sentence.
error bad_pattern(std::string_view pattern, std::size_t offset, std::string_view reason);

} // namespace regsweep::detail

#endif
