#ifndef REGSWEEP_SELECT_VERSION_HPP
#define REGSWEEP_SELECT_VERSION_HPP

#include <compare>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// A tag cut into the parts that its version order looks at: runs of digits, runs of `a` to `z`, and whatever is
/// between them; dots only separate. Numbers may have any length. `1.10-rc1` is 1, 10, `-`, `rc`, 1.
/// Source: the rules of Python 3.11's distutils.version.LooseVersion, which docker-registry-util compares with.
/// Views the text it was made from, which must live as long. A regular type.
class loose_version
{
public:
    struct component
    {
        std::string_view text; ///< digits without leading zeros (none for 0), or the text
        bool number = false;

        friend bool operator==(const component&, const component&) = default;
    };

    loose_version() = default;
    explicit loose_version(std::string_view text) { assign(text); }

    /// Reads another text into the same memory.
    void assign(std::string_view text);

    std::span<const component> components() const noexcept { return components_; }

private:
    std::vector<component> components_;
};

/// The order of lists: part by part, numbers by value and before texts, texts bytewise, a beginning before what goes
/// on. A weak order over all texts; `1.0`, `01.0` and `1..0` are equivalent.
std::weak_ordering sort_order(const loose_version& a, const loose_version& b) noexcept;

/// The order that selectors such as `>=1.2` use: as `sort_order`, but nothing where the first parts that differ are a
/// number and a text, which cannot be compared. Such a tag matches no operator.
std::optional<std::weak_ordering> compare(const loose_version& a, const loose_version& b) noexcept;

/// Sorts by `sort_order`, equivalent tags in the order they came in (with `reverse` too). Reads every tag once.
void sort_tags(std::vector<std::string>& tags, bool reverse = false);
void sort_tags(std::vector<std::string_view>& tags, bool reverse = false);

} // namespace regsweep

#endif
