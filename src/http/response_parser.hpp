#ifndef REGSWEEP_SRC_HTTP_RESPONSE_PARSER_HPP
#define REGSWEEP_SRC_HTTP_RESPONSE_PARSER_HPP

#include "regsweep/http/types.hpp"

#include <boost/beast/http/basic_parser.hpp>

namespace regsweep::http {

/// Beast's parser, putting what it finds straight into a reused `response`: no header map, no allocation.
class response_parser final : public boost::beast::http::basic_parser<false>
{
public:
    response_parser(response& into, std::uint32_t header_bytes, std::uint64_t body_bytes, bool head_only) : into_(into)
    {
        header_limit(header_bytes);
        body_limit(body_bytes);
        eager(true);
        skip(head_only);
    }

private:
    using error_code = boost::beast::error_code;
    using string_view = boost::beast::string_view;

    static std::string_view view(string_view text) noexcept { return {text.data(), text.size()}; }

    void on_request_impl(boost::beast::http::verb, string_view, string_view, int, error_code&) override {}

    void on_response_impl(int code, string_view, int, error_code&) override
    {
        into_.status = static_cast<unsigned>(code);
    }

    void on_field_impl(boost::beast::http::field, string_view name, string_view value, error_code&) override
    {
        if (!header_done_) // trailers tell nothing we use
            into_.add_header(view(name), view(value));
    }

    void on_header_impl(error_code&) override { header_done_ = true; }

    void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override
    {
        // What a header announces is not believed beyond a moderate size.
        if (length)
            into_.body.reserve(std::min<std::size_t>(static_cast<std::size_t>(*length), 1U << 20));
    }

    std::size_t on_body_impl(string_view part, error_code&) override
    {
        into_.body.append(part.data(), part.size());
        return part.size();
    }

    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}

    std::size_t on_chunk_body_impl(std::uint64_t, string_view part, error_code&) override
    {
        into_.body.append(part.data(), part.size());
        return part.size();
    }

    void on_finish_impl(error_code&) override {}

    response& into_;
    bool header_done_ = false;
};

} // namespace regsweep::http

#endif
