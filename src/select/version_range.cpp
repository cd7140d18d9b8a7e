#include "regsweep/select/version_range.hpp"

#include "regsweep/select/version.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace regsweep {
namespace {

constexpr std::string_view digits = "0123456789";
constexpr std::string_view identifier_letters = "0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

bool is_numeric(std::string_view text) noexcept
{
    return !text.empty() && text.find_first_not_of(digits) == std::string_view::npos;
}

std::string_view take_until(std::string_view& rest, char separator) noexcept
{
    const std::size_t end = std::min(rest.find(separator), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

bool valid_number(std::string_view text) noexcept
{
    return is_numeric(text) && (text.size() == 1 || text.front() != '0');
}

// Identifiers separated by dots; in pre-releases numbers have no leading zeros.
bool valid_identifiers(std::string_view text, bool prerelease) noexcept
{
    if (text.empty() || text.back() == '.')
        return false;
    while (!text.empty()) {
        const std::string_view part = take_until(text, '.');
        if (part.empty() || part.find_first_not_of(identifier_letters) != std::string_view::npos)
            return false;
        if (prerelease && is_numeric(part) && !valid_number(part))
            return false;
    }
    return true;
}

/// A version of which minor and patch may be missing.
struct partial_version
{
    semantic_version version;
    std::size_t numbers = 0;
};

std::optional<partial_version> parse_partial(std::string_view text) noexcept
{
    if (text.starts_with('v'))
        text.remove_prefix(1);
    partial_version out;
    if (const std::size_t plus = text.find_first_of("+_"); plus != std::string_view::npos) {
        out.version.build = text.substr(plus + 1);
        if (!valid_identifiers(out.version.build, false))
            return std::nullopt;
        text = text.substr(0, plus);
    }
    if (const std::size_t hyphen = text.find('-'); hyphen != std::string_view::npos) {
        out.version.prerelease = text.substr(hyphen + 1);
        if (!valid_identifiers(out.version.prerelease, true))
            return std::nullopt;
        text = text.substr(0, hyphen);
    }
    if (text.empty() || text.back() == '.')
        return std::nullopt;
    while (!text.empty()) {
        const std::string_view part = take_until(text, '.');
        if (out.numbers == out.version.numbers.size() || !valid_number(part))
            return std::nullopt;
        out.version.numbers[out.numbers++] = part;
    }
    if (out.numbers != 3 && (!out.version.prerelease.empty() || !out.version.build.empty()))
        return std::nullopt;
    return out;
}

std::weak_ordering order_of_numbers(std::string_view a, std::string_view b) noexcept
{
    return a.size() != b.size() ? a.size() <=> b.size() : a.compare(b) <=> 0;
}

std::weak_ordering identifier_order(std::string_view a, std::string_view b) noexcept
{
    const bool left = is_numeric(a);
    const bool right = is_numeric(b);
    if (left && right)
        return order_of_numbers(a, b);
    if (left != right)
        return left ? std::weak_ordering::less : std::weak_ordering::greater;
    return a.compare(b) <=> 0;
}

std::weak_ordering prerelease_order(std::string_view a, std::string_view b) noexcept
{
    if (a.empty() || b.empty())
        return b.size() <=> a.size(); // a release is above its pre-releases
    while (!a.empty() && !b.empty()) {
        const auto order = identifier_order(take_until(a, '.'), take_until(b, '.'));
        if (order != 0)
            return order;
    }
    return a.size() <=> b.size();
}

std::weak_ordering numbers_order(const semantic_version& a, const semantic_version& b, std::size_t count) noexcept
{
    for (std::size_t i = 0; i != count; ++i) {
        const auto order = order_of_numbers(a.numbers[i], b.numbers[i]);
        if (order != 0)
            return order;
    }
    return std::weak_ordering::equivalent;
}

enum class range_relation { less, less_equal, greater, greater_equal, equal };

bool holds(range_relation op, std::weak_ordering order) noexcept
{
    switch (op) {
    case range_relation::less: return order < 0;
    case range_relation::less_equal: return order <= 0;
    case range_relation::greater: return order > 0;
    case range_relation::greater_equal: return order >= 0;
    case range_relation::equal: return order == 0;
    }
    return false;
}

struct comparison
{
    range_relation op = range_relation::equal;
    loose_version loose;
    partial_version semantic;

    bool holds_for(const loose_version& tag) const
    {
        const auto order = compare(tag, loose);
        return order && holds(op, *order);
    }

    bool holds_for(const semantic_version& tag) const
    {
        if (semantic.numbers == 3 && !semantic.version.prerelease.empty())
            return holds(op, precedence(tag, semantic.version));
        const auto order = numbers_order(tag, semantic.version, semantic.numbers); // what was left out is any number
        if (order == 0 && is_prerelease_of_lowest(tag))
            return op == range_relation::less_equal; // below all that the operand stands for; `<` leaves it out
        return holds(op, order);
    }

    bool is_prerelease_of_lowest(const semantic_version& tag) const
    {
        const auto left_out = std::span(tag.numbers).subspan(semantic.numbers);
        return !tag.prerelease.empty() && std::ranges::all_of(left_out, [](std::string_view n) { return n == "0"; });
    }
};

struct alternative
{
    std::vector<comparison> all;
    bool prereleases = false;
};

range_relation take_relation(std::string_view& text) noexcept
{
    const auto took = [&](std::string_view sign) {
        const bool there = text.starts_with(sign);
        text.remove_prefix(there ? sign.size() : 0);
        return there;
    };
    if (took("<="))
        return range_relation::less_equal;
    if (took(">="))
        return range_relation::greater_equal;
    if (took("<"))
        return range_relation::less;
    if (took(">"))
        return range_relation::greater;
    if (!took("=="))
        took("=");
    return range_relation::equal;
}

error bad_range(std::string_view text, const std::string& what)
{
    return {errc::bad_argument,
            "'" + printable(text, 100) + "' is no version range (" + what + "): expected one such as '>=1.2 <2'"};
}

} // namespace

std::optional<semantic_version> semantic_version::parse(std::string_view text) noexcept
{
    const auto read = parse_partial(text);
    if (!read || read->numbers != 3)
        return std::nullopt;
    return read->version;
}

std::weak_ordering precedence(const semantic_version& a, const semantic_version& b) noexcept
{
    const auto order = numbers_order(a, b, 3);
    return order != 0 ? order : prerelease_order(a.prerelease, b.prerelease);
}

struct version_range::impl
{
    std::string text; // what the comparisons view
    version_scheme scheme = version_scheme::loose;
    std::vector<alternative> any;

    result<void> add(std::string_view part)
    {
        alternative next;
        for (;;) {
            part.remove_prefix(std::min(part.find_first_not_of(" \t,"), part.size()));
            if (part.empty())
                break;
            if (auto added = add_comparison(part, next); !added)
                return added;
        }
        if (next.all.empty())
            return bad_range(text, "a comparison is missing");
        any.push_back(std::move(next));
        return {};
    }

    result<void> add_comparison(std::string_view& part, alternative& to) const
    {
        comparison next;
        next.op = take_relation(part);
        part.remove_prefix(std::min(part.find_first_not_of(" \t"), part.size()));
        const std::string_view operand = part.substr(0, part.find_first_of(" \t,"));
        part.remove_prefix(operand.size());
        if (operand.empty() || operand.find_first_of("<>=|^~") != std::string_view::npos)
            return bad_range(text, "a comparison has no version");
        if (operand == "*") {
            next.op = range_relation::greater_equal;
        } else if (scheme == version_scheme::loose) {
            next.loose.assign(operand);
        } else {
            const auto read = parse_partial(operand);
            if (!read)
                return bad_range(text, "'" + printable(operand, 100) + "' is no version of semver.org");
            next.semantic = *read;
            to.prereleases = to.prereleases || !read->version.prerelease.empty();
        }
        to.all.push_back(std::move(next));
        return {};
    }

    template<class Version>
    bool matches(const Version& tag, bool prerelease) const
    {
        return std::ranges::any_of(any, [&](const alternative& one) {
            return (!prerelease || one.prereleases) &&
                   std::ranges::all_of(one.all, [&](const comparison& c) { return c.holds_for(tag); });
        });
    }
};

result<version_range> version_range::parse(std::string_view text, version_scheme scheme)
{
    auto made = std::make_shared<impl>();
    made->text = text;
    made->scheme = scheme;
    std::string_view rest = made->text;
    for (;;) {
        const std::size_t end = rest.find("||");
        if (auto added = made->add(rest.substr(0, end)); !added)
            return added.error();
        if (end == std::string_view::npos)
            return version_range(std::move(made));
        rest.remove_prefix(end + 2);
    }
}

bool version_range::matches(std::string_view tag) const
{
    if (impl_->scheme == version_scheme::loose)
        return impl_->matches(loose_version(tag), false);
    const auto version = semantic_version::parse(tag);
    return version && impl_->matches(*version, !version->prerelease.empty());
}

const std::string& version_range::text() const noexcept
{
    return impl_->text;
}

} // namespace regsweep
