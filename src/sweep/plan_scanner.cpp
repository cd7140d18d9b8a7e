#include "sweep/plan_scanner.hpp"

#include <boost/json/parse.hpp>

#include <string_view>
#include <utility>

namespace regsweep::detail {

result<boost::json::value> plan_scanner::value()
{
    peek();
    value_line_ = line_;
    const auto raw = text();
    if (!raw)
        return raw.error();
    boost::system::error_code failed;
    auto parsed = boost::json::parse(*raw, failed);
    if (failed)
        return error(errc::bad_json, "line " + std::to_string(value_line_) +
                                         ": the value that begins here is no JSON: " + failed.message());
    return parsed;
}

/// Finds where the value ends, and nothing else: whether it is right is the parser's business.
result<std::string> plan_scanner::text()
{
    std::string raw;
    std::size_t depth = 0;
    bool quoted = false;
    for (int c = in_.peek(); c != std::istream::traits_type::eof(); c = in_.peek()) {
        const char what = static_cast<char>(c);
        const bool closes = !quoted && (what == '}' || what == ']');
        if (!quoted && depth == 0 && (closes || std::string_view(", \t\r\n:").find(what) != std::string_view::npos))
            break;
        if (raw.size() == limit_)
            return error(errc::too_large, "line " + std::to_string(value_line_) + ": a value is longer than " +
                                              std::to_string(limit_) + " bytes");
        raw += static_cast<char>(next());
        if (quoted && what == '\\') {
            if (in_.peek() != std::istream::traits_type::eof())
                raw += static_cast<char>(next());
            continue;
        }
        if (what == '"')
            quoted = !quoted;
        else if (!quoted && (what == '{' || what == '['))
            ++depth;
        else if (closes)
            --depth;
        if (depth == 0 && !quoted && (what == '"' || closes))
            break;
    }
    if (raw.empty())
        return wrong("a value is missing");
    return raw;
}

} // namespace regsweep::detail
