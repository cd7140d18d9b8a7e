#ifndef REGSWEEP_SRC_REPORT_JSON_OUT_HPP
#define REGSWEEP_SRC_REPORT_JSON_OUT_HPP

#include "web/page.hpp"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace regsweep {

/// JSON on its way into a page, piece by piece.
class json_out
{
public:
    explicit json_out(web::page_writer& to) : to_(to) {}
    ~json_out() { flush(); }
    json_out(const json_out&) = delete;
    json_out& operator=(const json_out&) = delete;

    void begin(char bracket)
    {
        separate();
        buffer_ += bracket;
        first_ = true;
    }
    void end(char bracket)
    {
        buffer_ += bracket;
        first_ = false;
    }
    void key(std::string_view name)
    {
        value(name);
        buffer_ += ':';
        first_ = true;
    }

    void value(std::string_view text);
    void value(std::integral auto number) { raw(std::to_string(number)); }
    void null() { raw("null"); }
    template<class Number>
    void value(const std::optional<Number>& number)
    {
        if (number)
            value(*number);
        else
            null();
    }
    void field(std::string_view name, const auto& what)
    {
        key(name);
        value(what);
    }

    /// `"name": [of each]`
    template<class Range, class Function>
    void list(std::string_view name, const Range& all, Function of)
    {
        key(name);
        begin('[');
        for (const auto& one : all)
            value(of(one));
        end(']');
    }

private:
    void separate()
    {
        if (!first_)
            buffer_ += ',';
        first_ = false;
        if (buffer_.size() >= 64 * 1024)
            flush();
    }
    void raw(std::string_view text)
    {
        separate();
        buffer_ += text;
    }
    void flush()
    {
        to_.json(buffer_);
        buffer_.clear();
    }

    web::page_writer& to_;
    std::string buffer_;
    bool first_ = true;
};

} // namespace regsweep

#endif
