#include "regsweep/registry/lists.hpp"

#include <boost/json/basic_parser_impl.hpp>

namespace regsweep {
namespace {

using boost::system::error_code;

bool usable(std::string_view name, std::size_t limit)
{
    if (name.empty() || name.size() > limit || name.front() == '/' || name.back() == '/')
        return false;
    std::size_t segment = 0;
    for (std::size_t i = 0; i <= name.size(); ++i) {
        if (i != name.size() && name[i] != '/') {
            const auto c = static_cast<unsigned char>(name[i]);
            if (c <= 0x20 || c == 0x7f)
                return false;
            continue;
        }
        const std::string_view part = name.substr(segment, i - segment);
        if (part.empty() || part == "." || part == "..")
            return false;
        segment = i + 1;
    }
    return true;
}

// Receives the parser's events and keeps the strings of one array of the outermost object. No tree is built.
struct list_handler
{
    static constexpr std::size_t max_object_size = std::size_t(-1);
    static constexpr std::size_t max_array_size = std::size_t(-1);
    static constexpr std::size_t max_key_size = std::size_t(-1);
    static constexpr std::size_t max_string_size = std::size_t(-1);

    std::string_view wanted;
    std::size_t name_limit = 0;
    name_list names;
    std::string text; // of the key or string being read
    int depth = 0;
    bool key_matches = false;
    bool in_list = false;
    bool found = false;
    bool is_null = false;
    error why;

    bool fail(error_code& ec, errc e, std::string detail)
    {
        why = error(e, std::move(detail));
        ec = make_error_code(e);
        return false;
    }

    bool scalar(error_code& ec, bool null = false)
    {
        if (in_list && depth == 2)
            return fail(ec, errc::bad_json, "an element of '" + std::string(wanted) + "' is no string");
        if (depth == 0)
            return fail(ec, errc::bad_json, "it is no object");
        if (depth == 1 && key_matches) {
            if (!null)
                return fail(ec, errc::bad_json, "'" + std::string(wanted) + "' is no list");
            is_null = true;
        }
        return true;
    }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code& ec)
    {
        if (depth != 0 && !scalar(ec))
            return false;
        ++depth;
        return true;
    }
    bool on_object_end(std::size_t, error_code&)
    {
        --depth;
        return true;
    }
    bool on_array_begin(error_code& ec)
    {
        if (depth == 1 && key_matches) {
            found = in_list = true;
        } else if (!scalar(ec)) {
            return false;
        }
        ++depth;
        return true;
    }
    bool on_array_end(std::size_t, error_code&)
    {
        --depth;
        if (depth == 1)
            in_list = false;
        return true;
    }
    bool on_key_part(boost::json::string_view part, std::size_t, error_code&)
    {
        if (depth == 1)
            text.append(part.data(), part.size());
        return true;
    }
    bool on_key(boost::json::string_view part, std::size_t, error_code&)
    {
        if (depth == 1) {
            text.append(part.data(), part.size());
            key_matches = text == wanted;
            text.clear();
        }
        return true;
    }
    bool on_string_part(boost::json::string_view part, std::size_t, error_code& ec)
    {
        if (!in_list || depth != 2)
            return true;
        text.append(part.data(), part.size());
        return text.size() <= name_limit || fail(ec, errc::bad_response, "a name in it is too long");
    }
    bool on_string(boost::json::string_view part, std::size_t, error_code& ec)
    {
        if (!in_list || depth != 2)
            return scalar(ec);
        std::string_view name(part.data(), part.size());
        if (!text.empty()) {
            text.append(part.data(), part.size());
            name = text;
        }
        if (!usable(name, name_limit))
            return fail(ec, errc::bad_response, "it names '" + printable(name, 100) + "', which cannot be a name");
        names.push_back(name);
        text.clear();
        return true;
    }
    bool on_number_part(boost::json::string_view, error_code&) { return true; }
    bool on_int64(std::int64_t, boost::json::string_view, error_code& ec) { return scalar(ec); }
    bool on_uint64(std::uint64_t, boost::json::string_view, error_code& ec) { return scalar(ec); }
    bool on_double(double, boost::json::string_view, error_code& ec) { return scalar(ec); }
    bool on_bool(bool, error_code& ec) { return scalar(ec); }
    bool on_null(error_code& ec) { return scalar(ec, true); }
    bool on_comment_part(boost::json::string_view, error_code&) { return true; }
    bool on_comment(boost::json::string_view, error_code&) { return true; }
};

result<name_list> parse_list(std::string_view json, std::string_view wanted, std::size_t name_limit, bool required)
{
    boost::json::basic_parser<list_handler> parser{boost::json::parse_options()};
    parser.handler().wanted = wanted;
    parser.handler().name_limit = name_limit;
    error_code ec;
    const std::size_t taken = parser.write_some(false, json.data(), json.size(), ec);
    if (ec && !parser.handler().why.code.failed())
        return error(errc::bad_json, ec.message() + " at byte " + std::to_string(taken) + " of the answer");
    if (ec)
        return parser.handler().why;
    if (json.find_first_not_of(" \t\r\n", taken) != std::string_view::npos)
        return error(errc::bad_json,
                     "something follows the object at byte " + std::to_string(taken) + " of the answer");
    if (required && !parser.handler().found && !parser.handler().is_null)
        return error(errc::bad_json, "the answer has no '" + std::string(wanted) + "'");
    return std::move(parser.handler().names);
}

} // namespace

result<name_list> parse_catalog(std::string_view json)
{
    return parse_list(json, "repositories", 1024, true);
}

result<name_list> parse_tags(std::string_view json)
{
    return parse_list(json, "tags", 256, false);
}

} // namespace regsweep
