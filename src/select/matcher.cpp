#include "regsweep/select/matcher.hpp"

#include "python_regex.hpp"
#include "regsweep/select/version.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <compare>
#include <utility>
#include <vector>

namespace regsweep {
namespace {

template<auto Free>
struct freed_by
{
    template<class T>
    void operator()(T* p) const noexcept
    {
        Free(p);
    }
};

using code_ptr = std::unique_ptr<pcre2_code, freed_by<pcre2_code_free>>;
using match_data_ptr = std::unique_ptr<pcre2_match_data, freed_by<pcre2_match_data_free>>;
using match_context_ptr = std::unique_ptr<pcre2_match_context, freed_by<pcre2_match_context_free>>;
using compile_context_ptr = std::unique_ptr<pcre2_compile_context, freed_by<pcre2_compile_context_free>>;
using jit_stack_ptr = std::unique_ptr<pcre2_jit_stack, freed_by<pcre2_jit_stack_free>>;

constexpr std::size_t jit_stack_begin = 32 * 1024;
constexpr std::size_t jit_stack_limit = 1024 * 1024;

PCRE2_SPTR bytes(std::string_view text) noexcept
{
    // PCRE2 10.42 refuses a null pointer even for an empty subject when it is interpreted.
    return reinterpret_cast<PCRE2_SPTR>(text.data() == nullptr ? "" : text.data());
}

std::string reason_of(int code)
{
    std::array<unsigned char, 256> buffer{};
    if (pcre2_get_error_message(code, buffer.data(), buffer.size()) < 0)
        return "PCRE2 error " + std::to_string(code);
    return reinterpret_cast<const char*>(buffer.data());
}

/// Compiles in UTF mode, or in byte mode where the pattern is no UTF-8.
code_ptr compile(std::string_view pattern, std::uint32_t extent, int& code, std::size_t& offset)
{
    const compile_context_ptr context(pcre2_compile_context_create(nullptr));
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
    const auto attempt = [&](std::uint32_t options) {
        return code_ptr(pcre2_compile(bytes(pattern), pattern.size(),
                                      PCRE2_ANCHORED | PCRE2_NEVER_BACKSLASH_C | extent | options, &code, &offset,
                                      context.get()));
    };
    code_ptr compiled = attempt(PCRE2_UTF | PCRE2_MATCH_INVALID_UTF);
    const bool not_utf8 = !compiled && code <= PCRE2_ERROR_UTF8_ERR1 && code >= PCRE2_ERROR_UTF8_ERR21;
    return not_utf8 ? attempt(0) : std::move(compiled);
}

/// `extent`: 0, or `PCRE2_ENDANCHORED` for patterns that must reach the end.
result<code_ptr> compile_python(const std::string& pattern, std::uint32_t extent)
{
    auto translated = detail::translate_python_regex(pattern);
    if (!translated)
        return translated.error();
    int code = 0;
    std::size_t offset = 0;
    code_ptr compiled = compile(translated->text, extent, code, offset);
    if (!compiled) {
        const std::size_t place = translated->origins[std::min(offset, translated->text.size())];
        return detail::bad_pattern(pattern, place, reason_of(code));
    }
    // Without a just-in-time compiler for this machine the interpreter does the same, slower.
    pcre2_jit_compile(compiled.get(), PCRE2_JIT_COMPLETE);
    return compiled;
}

/// What matching needs besides the pattern.
struct match_memory
{
    match_data_ptr data;
    match_context_ptr context{pcre2_match_context_create(nullptr)};
    jit_stack_ptr stack;

    void set(const matcher_limits& limits)
    {
        pcre2_set_match_limit(context.get(), limits.match_steps);
        pcre2_set_depth_limit(context.get(), limits.depth);
        pcre2_set_heap_limit(context.get(), limits.heap_kib);
        stack.reset(pcre2_jit_stack_create(jit_stack_begin, jit_stack_limit, nullptr));
        pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    }

    int match(const pcre2_code* code, std::string_view text) const
    {
        return pcre2_match(code, bytes(text), text.size(), 0, 0, data.get(), context.get());
    }
};

error gave_up(std::string_view pattern, std::string_view text, int code)
{
    return {errc::match_limit, "the regular expression \"" + printable(pattern) + "\" gave up on \"" + printable(text) +
                                   "\" (" + reason_of(code) + "); write it without nested repetitions"};
}

enum class relation { less, less_equal, greater, greater_equal, equal };

bool holds(relation op, std::weak_ordering tag_to_operand) noexcept
{
    switch (op) {
    case relation::less: return tag_to_operand < 0;
    case relation::less_equal: return tag_to_operand <= 0;
    case relation::greater: return tag_to_operand > 0;
    case relation::greater_equal: return tag_to_operand >= 0;
    case relation::equal: return tag_to_operand == 0;
    }
    return false;
}

struct operation
{
    relation op = relation::equal;
    std::string_view operand;
};

/// Reads a selector as `((?:[<>]=?)|(?:==))(.+)` does at its beginning, where `.` is no line feed and `=` belongs to
/// the operand if nothing else would be left for it. Nothing if it is no comparison.
std::optional<operation> read_operation(std::string_view selector) noexcept
{
    const auto operand_at = [&](std::size_t begin) {
        const std::string_view rest = selector.substr(std::min(begin, selector.size()));
        return rest.substr(0, rest.find('\n'));
    };
    if (selector.starts_with("==")) {
        const std::string_view operand = operand_at(2);
        return operand.empty() ? std::nullopt : std::optional<operation>({relation::equal, operand});
    }
    if (!selector.starts_with('<') && !selector.starts_with('>'))
        return std::nullopt;
    const bool less = selector.front() == '<';
    if (selector.substr(1).starts_with('=') && !operand_at(2).empty())
        return operation{less ? relation::less_equal : relation::greater_equal, operand_at(2)};
    if (operand_at(1).empty())
        return std::nullopt;
    return operation{less ? relation::less : relation::greater, operand_at(1)};
}

struct exact_tag
{
    std::string_view tag;
    std::size_t item = 0;
};

struct version_test
{
    relation op = relation::equal;
    loose_version operand;
    std::size_t item = 0;
};

struct regex_test
{
    code_ptr code;
    std::size_t item = 0;
};

} // namespace

struct tag_matcher::impl
{
    // The items are never changed after `create`: tests hold views of them.
    std::vector<std::string> items;
    std::vector<exact_tag> exact; // sorted by tag
    std::vector<version_test> versions;
    std::vector<regex_test> regexes;
    loose_version tag_version; // kept for its memory

    match_memory memory;

    void add_selector(std::size_t item)
    {
        if (const auto op = read_operation(items[item]))
            versions.push_back({op->op, loose_version(op->operand), item});
        else
            exact.push_back({items[item], item});
    }

    result<void> add_regex(std::size_t item)
    {
        auto compiled = compile_python(items[item], 0);
        if (!compiled)
            return compiled.error();
        regexes.push_back({std::move(*compiled), item});
        return {};
    }

    void prepare(const matcher_limits& limits)
    {
        std::ranges::stable_sort(exact, {}, &exact_tag::tag);
        if (regexes.empty())
            return;
        memory.data.reset(pcre2_match_data_create(1, nullptr));
        memory.set(limits);
    }

    std::optional<std::size_t> match_exact(std::string_view tag) const
    {
        const auto found = std::ranges::lower_bound(exact, tag, {}, &exact_tag::tag);
        if (found == exact.end() || found->tag != tag)
            return std::nullopt;
        return found->item;
    }

    std::optional<std::size_t> match_version(std::string_view tag)
    {
        if (versions.empty())
            return std::nullopt;
        tag_version.assign(tag);
        for (const version_test& test : versions) {
            const auto order = compare(tag_version, test.operand);
            if (order && holds(test.op, *order))
                return test.item;
        }
        return std::nullopt;
    }

    result<std::optional<std::size_t>> match_regex(std::string_view tag)
    {
        for (const regex_test& test : regexes) {
            const int code = memory.match(test.code.get(), tag);
            if (code >= 0)
                return std::optional(test.item);
            if (code != PCRE2_ERROR_NOMATCH)
                return gave_up(items[test.item], tag, code);
        }
        return std::optional<std::size_t>();
    }
};

tag_matcher::tag_matcher(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
tag_matcher::tag_matcher(tag_matcher&&) noexcept = default;
tag_matcher& tag_matcher::operator=(tag_matcher&&) noexcept = default;
tag_matcher::~tag_matcher() = default;

result<tag_matcher> tag_matcher::create(std::span<const std::string> selectors, std::span<const std::string> regexes,
                                        const matcher_limits& limits)
{
    auto made = std::make_unique<impl>();
    made->items.reserve(selectors.size() + regexes.size());
    made->items.assign(selectors.begin(), selectors.end());
    made->items.insert(made->items.end(), regexes.begin(), regexes.end());
    for (std::size_t i = 0; i != selectors.size(); ++i)
        made->add_selector(i);
    for (std::size_t i = selectors.size(); i != made->items.size(); ++i) {
        if (auto added = made->add_regex(i); !added)
            return added.error();
    }
    made->prepare(limits);
    return tag_matcher(std::move(made));
}

result<std::optional<std::size_t>> tag_matcher::match(std::string_view tag)
{
    if (const auto item = impl_->match_exact(tag))
        return item;
    if (const auto item = impl_->match_version(tag))
        return item;
    return impl_->match_regex(tag);
}

std::size_t tag_matcher::size() const noexcept
{
    return impl_->items.size();
}

std::string_view tag_matcher::item(std::size_t i) const noexcept
{
    return impl_->items[i];
}

struct regex_matcher::impl
{
    std::string pattern;
    code_ptr code;
    match_memory memory;
    std::uint32_t groups = 0;
    std::string_view text; // the last one
};

regex_matcher::regex_matcher(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
regex_matcher::regex_matcher(regex_matcher&&) noexcept = default;
regex_matcher& regex_matcher::operator=(regex_matcher&&) noexcept = default;
regex_matcher::~regex_matcher() = default;

result<regex_matcher> regex_matcher::create(const std::string& pattern, extent how, const matcher_limits& limits)
{
    auto compiled = compile_python(pattern, how == extent::whole ? PCRE2_ENDANCHORED : 0);
    if (!compiled)
        return compiled.error();
    auto made = std::make_unique<impl>();
    made->pattern = pattern;
    made->code = std::move(*compiled);
    made->memory.data.reset(pcre2_match_data_create_from_pattern(made->code.get(), nullptr));
    made->memory.set(limits);
    pcre2_pattern_info(made->code.get(), PCRE2_INFO_CAPTURECOUNT, &made->groups);
    return regex_matcher(std::move(made));
}

result<bool> regex_matcher::match(std::string_view text)
{
    const int code = impl_->memory.match(impl_->code.get(), text);
    if (code < 0 && code != PCRE2_ERROR_NOMATCH)
        return gave_up(impl_->pattern, text, code);
    impl_->text = text;
    return code >= 0;
}

std::size_t regex_matcher::groups() const noexcept
{
    return impl_->groups;
}

std::string_view regex_matcher::group(std::size_t i) const noexcept
{
    const PCRE2_SIZE* places = pcre2_get_ovector_pointer(impl_->memory.data.get());
    const PCRE2_SIZE begin = places[2 * i];
    const PCRE2_SIZE end = places[2 * i + 1];
    // \K may put the beginning behind the end.
    return begin == PCRE2_UNSET || begin > end ? std::string_view() : impl_->text.substr(begin, end - begin);
}

} // namespace regsweep
