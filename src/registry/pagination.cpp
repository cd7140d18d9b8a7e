#include "regsweep/registry/pagination.hpp"

#include <functional>

namespace regsweep {
namespace {

constexpr std::string_view white = " \t";

void skip_white(std::string_view& text) noexcept
{
    const std::size_t first = text.find_first_not_of(white);
    text.remove_prefix(first == std::string_view::npos ? text.size() : first);
}

bool same_word(std::string_view a, std::string_view lower_word) noexcept
{
    if (a.size() != lower_word.size())
        return false;
    for (std::size_t i = 0; i != a.size(); ++i)
        if (a[i] != lower_word[i] && a[i] != lower_word[i] - ('a' - 'A'))
            return false;
    return true;
}

// Takes a token or quoted string off the front of `text`; escapes stay, as no relation type needs one.
std::string_view take_value(std::string_view& text) noexcept
{
    if (text.starts_with('"')) {
        std::size_t end = 1;
        while (end < text.size() && text[end] != '"')
            end += text[end] == '\\' ? 2U : 1U;
        end = std::min(end, text.size());
        const std::string_view value = text.substr(1, end - 1);
        text.remove_prefix(std::min(end + 1, text.size()));
        return value;
    }
    const std::string_view value = text.substr(0, text.find_first_of(" \t;,"));
    text.remove_prefix(value.size());
    return value;
}

bool names_next(std::string_view relations) noexcept
{
    while (!relations.empty()) {
        skip_white(relations);
        const std::string_view word = relations.substr(0, relations.find_first_of(white));
        if (same_word(word, "next"))
            return true;
        relations.remove_prefix(word.size());
    }
    return false;
}

// Reads the parameters of one link, up to the comma that ends it; says whether `rel` names `next`.
bool take_parameters(std::string_view& text) noexcept
{
    bool next = false;
    bool seen = false;
    while (true) {
        skip_white(text);
        if (text.empty())
            return next;
        if (text.front() == ',') {
            text.remove_prefix(1);
            return next;
        }
        if (text.front() != ';') {
            text.remove_prefix(1);
            continue;
        }
        text.remove_prefix(1);
        skip_white(text);
        std::string_view name = text.substr(0, text.find_first_of(" \t=;,"));
        text.remove_prefix(name.size());
        skip_white(text);
        if (!text.starts_with('='))
            continue;
        text.remove_prefix(1);
        skip_white(text);
        const std::string_view value = take_value(text);
        if (same_word(name, "rel") && !seen) { // only the first `rel` counts (RFC 8288 section 3.3)
            seen = true;
            next = names_next(value);
        }
    }
}

std::string_view path_of(std::string_view target) noexcept
{
    return target.substr(0, target.find('?'));
}

} // namespace

std::string_view find_next_link(std::span<const std::string_view> link_headers) noexcept
{
    for (std::string_view text : link_headers) {
        while (true) {
            const std::size_t open = text.find('<');
            if (open == std::string_view::npos)
                break;
            const std::size_t close = text.find('>', open);
            if (close == std::string_view::npos)
                break;
            const std::string_view reference = text.substr(open + 1, close - open - 1);
            text.remove_prefix(close + 1);
            if (take_parameters(text))
                return reference;
        }
    }
    return {};
}

result<std::string> resolve_next(const registry_address& at, std::string_view current_target,
                                 std::string_view reference)
{
    const auto refuse = [&](errc e, std::string why) {
        return error(e, "the Link to the next page ('" + printable(reference, 200) + "') " + std::move(why));
    };
    if (reference.empty() || reference.size() > 8192)
        return refuse(errc::bad_response, "is empty or too long");
    reference = reference.substr(0, reference.find('#'));
    std::string absolute;
    if (reference.find("://") != std::string_view::npos && reference.find("://") < reference.find_first_of("/?"))
        absolute = reference;
    else if (reference.starts_with("//"))
        absolute = (at.server.tls ? "https:" : "http:") + std::string(reference);
    else if (reference.starts_with('/'))
        absolute = at.server.to_string() + std::string(reference);
    else if (reference.starts_with('?'))
        absolute = at.server.to_string() + std::string(path_of(current_target)) + std::string(reference);
    else
        absolute = at.server.to_string() +
                   std::string(current_target.substr(0, path_of(current_target).rfind('/') + 1)) +
                   std::string(reference);
    // Some registries do not encode the name that a page begins after.
    for (std::size_t i = 0; i < absolute.size(); ++i)
        if (absolute[i] == ' ')
            absolute.replace(i, 1, "%20");
    auto url = parse_url(absolute);
    if (!url)
        return refuse(errc::bad_response, "is no usable URL");
    if (url->server.host != at.server.host)
        return refuse(errc::redirect_refused, "leads to another host, " + url->server.host + ", and is not followed");
    std::string target = std::move(url->target);
    if (!at.prefix.empty() && !target.starts_with(at.prefix + "/") && target.starts_with("/v2/"))
        target.insert(0, at.prefix);
    return target;
}

result<void> page_guard::visit(std::string_view target, const name_list& content)
{
    const std::hash<std::string_view> hash;
    std::size_t names = content.size(); // of each name: the same letters may be parted otherwise
    for (std::size_t i = 0; i != content.size(); ++i)
        names = names * 31 + hash(content[i]);
    empty_in_a_row_ = content.empty() ? empty_in_a_row_ + 1 : 0;
    if (empty_in_a_row_ > empty_limit)
        return error(errc::page_loop, "the list goes on for " + std::to_string(empty_limit) +
                                          " pages without a name, at " + printable(target) +
                                          "; the registry's pagination is broken");
    const bool new_target = targets_.insert(hash(target)).second;
    const bool new_content = content.empty() || contents_.insert(names).second;
    if (new_target && new_content)
        return {};
    return error(errc::page_loop, "the list came back to a page that it had been on, at " + printable(target) +
                                      "; the registry's pagination is broken");
}

} // namespace regsweep
