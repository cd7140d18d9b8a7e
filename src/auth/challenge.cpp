#include "regsweep/auth/challenge.hpp"

#include "auth/text.hpp"

namespace regsweep {
namespace {

using namespace auth_text;

constexpr bool token_char(char c) noexcept
{
    return ascii_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

constexpr bool token68_char(char c) noexcept
{
    return ascii_alnum(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
}

constexpr bool space(char c) noexcept
{
    return c == ' ' || c == '\t';
}

constexpr bool text_char(char c) noexcept
{
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

class parser
{
public:
    parser(std::string_view text, const challenge_limits& limits) : text_(text), limits_(limits) {}

    void read_challenges(challenge_list& out)
    {
        // A parameter belongs to the challenge before it; after one with a token68 or over the limit, to none.
        challenge* current = nullptr;
        while (next_element()) {
            const std::size_t start = at_;
            const std::string_view name = read_token();
            if (name.empty()) {
                give_up(out.malformed);
            } else if (equals_follows()) {
                read_parameter(name, current && current->token68.empty() ? &current->parameters : nullptr,
                               out.malformed);
            } else if (at_ != text_.size() && text_[at_] != ',' && !space(text_[at_])) {
                at_ = start;
                give_up(out.malformed);
            } else if (out.challenges.size() == limits_.max_challenges) {
                current = nullptr;
                give_up(out.malformed);
            } else {
                current = &out.challenges.emplace_back();
                current->scheme = ascii_lower(name);
                read_after_scheme(*current, out.malformed);
            }
        }
    }

    void read_parameters(auth_parameters& out)
    {
        std::size_t malformed = 0;
        while (next_element()) {
            const std::string_view name = read_token();
            if (!name.empty() && equals_follows())
                read_parameter(name, &out, malformed);
            else
                give_up(malformed);
        }
    }

private:
    bool next_element()
    {
        while (at_ != text_.size() && (space(text_[at_]) || text_[at_] == ','))
            ++at_;
        return at_ != text_.size();
    }

    void skip_spaces()
    {
        while (at_ != text_.size() && space(text_[at_]))
            ++at_;
    }

    std::string_view read_token()
    {
        const std::size_t start = at_;
        while (at_ != text_.size() && token_char(text_[at_]))
            ++at_;
        return text_.substr(start, at_ - start);
    }

    // Whether `=` is next, perhaps after spaces; takes it.
    bool equals_follows()
    {
        const std::size_t start = at_;
        skip_spaces();
        if (at_ != text_.size() && text_[at_] == '=') {
            ++at_;
            return true;
        }
        at_ = start;
        return false;
    }

    bool at_element_end()
    {
        skip_spaces();
        return at_ == text_.size() || text_[at_] == ',';
    }

    // After the scheme: a token68, or the first parameter, which the caller's loop reads as it reads the others.
    void read_after_scheme(challenge& out, std::size_t& malformed)
    {
        if (at_element_end())
            return;
        const std::size_t start = at_;
        while (at_ != text_.size() && token68_char(text_[at_]))
            ++at_;
        const bool any = at_ != start;
        while (any && at_ != text_.size() && text_[at_] == '=')
            ++at_;
        const std::size_t end = at_;
        if (any && at_element_end()) {
            out.token68 = text_.substr(start, end - start);
            return;
        }
        at_ = start;
        const std::string_view name = read_token();
        if (!name.empty() && equals_follows())
            read_parameter(name, &out.parameters, malformed);
        else
            give_up(malformed);
    }

    // The `=` has been read. `out` is null for a parameter that belongs to no challenge.
    void read_parameter(std::string_view name, auth_parameters* out, std::size_t& malformed)
    {
        skip_spaces();
        std::string value;
        bool quoted = false;
        if (at_ != text_.size() && text_[at_] == '"') {
            quoted = true;
            if (!read_quoted(value))
                return give_up(malformed);
        } else {
            value = read_token();
            if (value.empty())
                return give_up(malformed);
        }
        const bool ended = at_element_end();
        if (!ended && !quoted)
            return give_up(malformed);
        // Servers exist that forget the comma after a quoted string: what follows is then a new element.
        if (!ended)
            ++malformed;
        std::string lower = ascii_lower(name);
        if (!out || out->size() >= limits_.max_parameters || find_parameter(*out, lower)) {
            ++malformed;
            return;
        }
        out->emplace_back(std::move(lower), std::move(value));
    }

    // At the opening quote. False, and still behind that quote, if the string is not well-formed.
    bool read_quoted(std::string& out)
    {
        const std::size_t start = ++at_;
        while (at_ != text_.size() && unclosed_ != max_unclosed) {
            char c = text_[at_++];
            if (c == '"')
                return true;
            if (c == '\\' && at_ != text_.size())
                c = text_[at_++];
            if (!text_char(c))
                break;
            out += c;
        }
        if (unclosed_ != max_unclosed)
            ++unclosed_;
        at_ = start;
        return false;
    }

    // To the comma that ends this element. A quoted string is skipped whole if it is closed, since it may hold commas.
    void give_up(std::size_t& malformed)
    {
        ++malformed;
        while (at_ != text_.size() && text_[at_] != ',') {
            std::string ignored;
            if (text_[at_] != '"')
                ++at_;
            else
                read_quoted(ignored);
        }
    }

    // Each one makes us read the rest again: without a bound, hostile headers take quadratic time.
    static constexpr std::size_t max_unclosed = 16;

    std::string_view text_;
    const challenge_limits& limits_;
    std::size_t at_ = 0;
    std::size_t unclosed_ = 0;
};

} // namespace

std::optional<std::string_view> find_parameter(const auth_parameters& parameters, std::string_view name) noexcept
{
    for (const auto& [key, value] : parameters)
        if (key == name)
            return value;
    return std::nullopt;
}

const challenge* challenge_list::find(std::string_view scheme) const noexcept
{
    for (const challenge& c : challenges)
        if (c.scheme == scheme)
            return &c;
    return nullptr;
}

challenge_list parse_challenges(std::span<const std::string_view> values, const challenge_limits& limits)
{
    challenge_list out;
    std::size_t left = limits.max_bytes;
    for (const std::string_view value : values) {
        if (value.size() > left) {
            ++out.malformed;
            break;
        }
        left -= value.size();
        parser(value, limits).read_challenges(out);
    }
    return out;
}

challenge_list parse_challenges(std::string_view value, const challenge_limits& limits)
{
    return parse_challenges(std::span(&value, 1), limits);
}

auth_parameters parse_auth_parameters(std::string_view value, const challenge_limits& limits)
{
    auth_parameters out;
    if (value.size() <= limits.max_bytes)
        parser(value, limits).read_parameters(out);
    return out;
}

std::string quote(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out += '\\';
        out += c;
    }
    out += '"';
    return out;
}

} // namespace regsweep
