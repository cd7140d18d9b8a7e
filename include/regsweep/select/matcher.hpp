#ifndef REGSWEEP_SELECT_MATCHER_HPP
#define REGSWEEP_SELECT_MATCHER_HPP

#include "regsweep/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace regsweep {

/// How much work one regular expression may do on one tag.
struct matcher_limits
{
    std::uint32_t match_steps = 1'000'000; ///< backtracking steps; about 10 ms
    std::uint32_t depth = 100'000;         ///< nested backtracking, where there is no just-in-time compiler
    std::uint32_t heap_kib = 20'000;       ///< memory in KiB, where there is no just-in-time compiler
};

/// Decides whether a tag is one of those that a user named, in docker-registry-util's language:
/// - a selector that begins with `<`, `>`, `<=`, `>=` or `==` and goes on compares versions (see `compare`);
///   any other is the tag itself, byte for byte;
/// - a regular expression must match at the tag's beginning, as Python's `re.match`; it need not reach the end.
///
/// Regular expressions are PCRE2's in UTF mode (bytes where the pattern is not UTF-8), with what Python writes
/// differently read as Python does: `\Z`, `\v`, `\uXXXX`, `\UXXXXXXXX`, `{,n}`, the flags `a` and `u`, and `[:` inside
/// a class as plain characters. `(*…)` is refused.
///
/// Movable; one thread at a time. Matching allocates nothing in steady state.
class tag_matcher
{
public:
    /// Fails with `errc::bad_regex`, which names the pattern, the byte offset in it and the reason.
    static result<tag_matcher> create(std::span<const std::string> selectors, std::span<const std::string> regexes,
                                      const matcher_limits& limits = {});

    tag_matcher(tag_matcher&&) noexcept;
    tag_matcher& operator=(tag_matcher&&) noexcept;
    ~tag_matcher();

    /// The item that matches `tag`: its number, selectors first, then regular expressions; nothing if none does.
    /// Fails with `errc::match_limit`, which names pattern and tag.
    result<std::optional<std::size_t>> match(std::string_view tag);

    /// How many items there are. A matcher without any matches nothing.
    std::size_t size() const noexcept;

    /// The text of an item as the user gave it; `i` is less than `size()`. Lives as long as the matcher.
    std::string_view item(std::size_t i) const noexcept;

private:
    struct impl;
    explicit tag_matcher(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

/// One regular expression in `tag_matcher`'s language, with what its groups matched. Movable; one thread at a time.
class regex_matcher
{
public:
    enum class extent {
        beginning, ///< it need not reach the text's end
        whole,     ///< it must match all of the text
    };

    /// Fails with `errc::bad_regex`, which names the pattern, the byte offset in it and the reason.
    static result<regex_matcher> create(const std::string& pattern, extent how, const matcher_limits& limits = {});

    regex_matcher(regex_matcher&&) noexcept;
    regex_matcher& operator=(regex_matcher&&) noexcept;
    ~regex_matcher();

    /// Fails with `errc::match_limit`, which names pattern and text.
    result<bool> match(std::string_view text);

    /// How many groups the pattern has, the whole match left out.
    std::size_t groups() const noexcept;

    /// What a group matched in the last text, which must still be there, if that matched: 0 is all of the match.
    /// Empty for a group that took no part. `i` is at most `groups()`.
    std::string_view group(std::size_t i) const noexcept;

private:
    struct impl;
    explicit regex_matcher(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
