#include "report/json_out.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <algorithm>

namespace regsweep {

void json_out::value(std::string_view text)
{
    separate();
    const auto plain = [](char c) {
        const auto code = static_cast<unsigned char>(c);
        return code >= 0x20 && code < 0x7f && c != '"' && c != '\\';
    };
    if (std::ranges::all_of(text, plain))
        (buffer_ += '"').append(text) += '"';
    else
        buffer_ += boost::json::serialize(boost::json::string(text));
}

} // namespace regsweep
