#include "web/page.hpp"

#include "regsweep/core/digest.hpp"
#include "web/files.hpp"

#include <openssl/evp.h>

#include <array>
#include <ostream>

namespace regsweep::web {
namespace {

// A source of a Content-Security-Policy. Source: CSP level 3, "hash-source".
std::string hash_source(std::string_view text)
{
    const digest hash = digest::of(text);
    std::array<unsigned char, 64> base64{};
    const int size = EVP_EncodeBlock(base64.data(), hash.bytes().data(), static_cast<int>(hash.bytes().size()));
    return "'sha256-" + std::string(base64.begin(), base64.begin() + size) + "'";
}

std::string script_of(page_kind kind)
{
    std::string out;
    if (kind == page_kind::report)
        out += charts_js;
    out += common_js;
    out += kind == page_kind::report ? report_js : bench_js;
    return out;
}

// Writes the template up to `mark`, and returns what comes after it.
std::string_view write_until(std::ostream& out, std::string_view text, std::string_view mark)
{
    const auto at = text.find(mark);
    out << text.substr(0, at);
    return text.substr(at + mark.size());
}

} // namespace

page_writer::page_writer(std::ostream& out, page_kind kind) : out_(out), script_(script_of(kind)), tail_(page_html)
{
    tail_ = write_until(out_, tail_, "@STYLE_HASH@");
    out_ << hash_source(page_css);
    tail_ = write_until(out_, tail_, "@SCRIPT_HASH@");
    out_ << hash_source(script_);
    tail_ = write_until(out_, tail_, "@TITLE@");
    out_ << (kind == page_kind::report ? "regsweep report" : "regsweep bench");
    tail_ = write_until(out_, tail_, "@STYLE@");
    out_ << page_css;
    tail_ = write_until(out_, tail_, "@DATA@");
}

void page_writer::begin_data(std::string_view id)
{
    out_ << "<script type=\"application/json\" id=\"" << id << "\">";
}

void page_writer::json(std::string_view text)
{
    for (auto at = text.find('<'); at != std::string_view::npos; at = text.find('<')) {
        out_ << text.substr(0, at) << "\\u003c";
        text.remove_prefix(at + 1);
    }
    out_ << text;
}

void page_writer::end_data()
{
    out_ << "</script>\n";
}

void page_writer::finish()
{
    tail_ = write_until(out_, tail_, "@SCRIPT@");
    out_ << script_ << tail_;
}

} // namespace regsweep::web
