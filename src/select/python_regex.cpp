#include "python_regex.hpp"

#include <algorithm>
#include <utility>

namespace regsweep::detail {
namespace {

bool is_hex(char c) noexcept
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}

class translator
{
public:
    explicit translator(std::string_view pattern) : in_(pattern) {}

    result<translated_pattern> run()
    {
        while (at_ < in_.size()) {
            if (!in_class_ && rest().starts_with("(*"))
                return bad_pattern(in_, at_ + 1, "nothing to repeat");
            step();
        }
        out_.origins.push_back(in_.size());
        return std::move(out_);
    }

private:
    std::string_view rest() const noexcept { return in_.substr(at_); }

    /// Writes `text` in the place of the next `consumed` bytes.
    void put(std::string_view text, std::size_t consumed)
    {
        out_.text += text;
        out_.origins.insert(out_.origins.end(), text.size(), at_);
        at_ += consumed;
    }

    void copy(std::size_t n)
    {
        for (; n != 0; --n)
            put(in_.substr(at_, 1), 1);
    }

    void step()
    {
        if (in_[at_] == '\\')
            return escape();
        if (in_class_)
            return class_member();
        if (in_[at_] == '[')
            return open_class();
        if (rest().starts_with("{,"))
            return open_repeat();
        if (rest().starts_with("(?"))
            return open_group();
        copy(1);
    }

    void escape()
    {
        const char what = at_ + 1 < in_.size() ? in_[at_ + 1] : '\0';
        if (what == 'Z' && !in_class_)
            return put("\\z", 2);
        if (what == 'v')
            return put("\\x0b", 2);
        if (what == 'u' && code_point(4))
            return;
        if (what == 'U' && code_point(8))
            return;
        copy(std::min<std::size_t>(2, rest().size()));
    }

    bool code_point(std::size_t digits)
    {
        const std::string_view hex = in_.substr(std::min(at_ + 2, in_.size()), digits);
        if (hex.size() != digits || !std::ranges::all_of(hex, is_hex))
            return false;
        put("\\x{" + std::string(hex) + "}", digits + 2);
        return true;
    }

    void open_class()
    {
        in_class_ = true;
        copy(1);
        if (rest().starts_with('^'))
            copy(1);
        if (rest().starts_with(']')) // first in a class it is a plain character
            copy(1);
    }

    void class_member()
    {
        if (in_[at_] == ']')
            in_class_ = false;
        if (in_[at_] == '[') // PCRE2 would see a POSIX class in `[:`
            return put("\\[", 1);
        copy(1);
    }

    /// `{,n}` is a repetition in Python and plain text in PCRE2.
    void open_repeat()
    {
        std::size_t end = at_ + 2;
        while (end < in_.size() && is_digit(in_[end]))
            ++end;
        if (end < in_.size() && in_[end] == '}')
            return put("{0,", 2);
        copy(1);
    }

    /// Drops the flags that ask for what is so anyway with tags: `a` (ASCII) and `u` (Unicode).
    void open_group()
    {
        const std::size_t end = in_.find_first_not_of("aiLmsux-", at_ + 2);
        const bool flags = end != std::string_view::npos && end > at_ + 2 && (in_[end] == ')' || in_[end] == ':');
        if (!flags)
            return copy(2);
        copy(2);
        while (at_ < end) {
            if (in_[at_] == 'a' || in_[at_] == 'u')
                ++at_;
            else
                copy(1);
        }
    }

    std::string_view in_;
    std::size_t at_ = 0;
    bool in_class_ = false;
    translated_pattern out_;
};

} // namespace

result<translated_pattern> translate_python_regex(std::string_view pattern)
{
    return translator(pattern).run();
}

error bad_pattern(std::string_view pattern, std::size_t offset, std::string_view reason)
{
    return {errc::bad_regex, "the regular expression \"" + printable(pattern) + "\" is wrong at offset " +
                                 std::to_string(offset) + ": " + std::string(reason)};
}

} // namespace regsweep::detail
