#include "regsweep/http/types.hpp"

namespace regsweep::http {
namespace {

constexpr char lower(char c) noexcept
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

bool same_name(std::string_view a, std::string_view b) noexcept
{
    if (a.size() != b.size())
        return false;
    for (std::size_t i = 0; i != a.size(); ++i)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

} // namespace

std::string_view to_string(method m) noexcept
{
    switch (m) {
    case method::get: return "GET";
    case method::head: return "HEAD";
    case method::put: return "PUT";
    case method::post: return "POST";
    case method::del: return "DELETE";
    }
    return "GET";
}

const response::field* response::find(std::string_view name, std::size_t from) const noexcept
{
    const std::string_view text(text_);
    for (std::size_t i = from; i < fields_.size(); ++i)
        if (fields_[i].name_length == name.size() && same_name(text.substr(fields_[i].name, name.size()), name))
            return &fields_[i];
    return nullptr;
}

std::string_view response::header(std::string_view name) const noexcept
{
    const field* f = find(name, 0);
    return f ? std::string_view(text_).substr(f->value, f->value_length) : std::string_view();
}

bool response::has_header(std::string_view name) const noexcept
{
    return find(name, 0) != nullptr;
}

std::vector<std::string_view> response::headers(std::string_view name) const
{
    std::vector<std::string_view> out;
    const field* f = find(name, 0);
    while (f) {
        out.push_back(std::string_view(text_).substr(f->value, f->value_length));
        f = find(name, static_cast<std::size_t>(f - fields_.data()) + 1);
    }
    return out;
}

void response::clear() noexcept
{
    status = 0;
    body.clear();
    text_.clear();
    fields_.clear();
}

void response::add_header(std::string_view name, std::string_view value)
{
    field f;
    f.name = static_cast<std::uint32_t>(text_.size());
    f.name_length = static_cast<std::uint32_t>(name.size());
    text_ += name;
    f.value = static_cast<std::uint32_t>(text_.size());
    f.value_length = static_cast<std::uint32_t>(value.size());
    text_ += value;
    fields_.push_back(f);
}

} // namespace regsweep::http
