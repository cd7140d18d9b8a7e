#ifndef REGSWEEP_SELECT_VERSION_RANGE_HPP
#define REGSWEEP_SELECT_VERSION_RANGE_HPP

#include "regsweep/core/error.hpp"

#include <array>
#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace regsweep {

/// A version of Semantic Versioning 2.0.0. Views the text it was read from, which must live as long.
struct semantic_version
{
    std::array<std::string_view, 3> numbers; ///< major, minor, patch: digits, of any length
    std::string_view prerelease;             ///< without its hyphen; empty for a release
    std::string_view build;                  ///< without its plus sign

    /// Reads `1.2.3-rc.1+build`, with or without `v` in front. As no tag may have a plus sign, `_` stands for it, as
    /// Helm writes it. Nothing for any other text.
    static std::optional<semantic_version> parse(std::string_view text) noexcept;
};

/// The order of precedence: Semantic Versioning 2.0.0, item 11. Build metadata does not count.
std::weak_ordering precedence(const semantic_version& a, const semantic_version& b) noexcept;

enum class version_scheme {
    loose,    ///< the order of `compare(const loose_version&, const loose_version&)`, in which any tag is a version
    semantic, ///< Semantic Versioning 2.0.0: other tags match nothing
};

/// A range such as `>=1.2 <2`: comparisons (`<`, `<=`, `>`, `>=`, `=` or `==`, which may be left out) that all must
/// hold; `||` separates alternatives. `*` is every version.
///
/// Semantic ranges may leave out minor and patch: `<2` is below every 2.x.y, `<=1.2` takes every 1.2.x, `>1.2` is above
/// them, `=1.2` is any of them. A pre-release matches only an alternative that has a pre-release in one of its
/// comparisons, as `>=1.2.0-0` has, and `<2` never takes a pre-release of 2.0.0.
///
/// A regular type, cheap to copy. Const functions may be called by several threads at once.
class version_range
{
public:
    /// Fails with `errc::bad_argument`: one sentence that says what was expected.
    static result<version_range> parse(std::string_view text, version_scheme scheme);

    bool matches(std::string_view tag) const;
    const std::string& text() const noexcept;

    friend bool operator==(const version_range& a, const version_range& b) noexcept { return a.text() == b.text(); }

private:
    struct impl;
    explicit version_range(std::shared_ptr<const impl> p) noexcept : impl_(std::move(p)) {}
    std::shared_ptr<const impl> impl_;
};

} // namespace regsweep

#endif
