#ifndef REGSWEEP_TESTS_COMMON_FAKE_HTTP_HPP
#define REGSWEEP_TESTS_COMMON_FAKE_HTTP_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep::test {

using fake_headers = std::vector<std::pair<std::string, std::string>>;

/// A request as the fake registry reads it. Every view points into the buffer it was parsed from. Meant to be reused:
/// filling it allocates nothing, so that the server's cost stays far below that of the client under test.
struct fake_request
{
    static constexpr std::size_t max_headers = 64;

    std::string_view method;
    std::string_view target; ///< as received
    std::string_view path;   ///< target up to `?`
    std::string_view query;  ///< target after `?`
    std::string_view body;   ///< filled in when it has arrived
    bool http_1_0 = false;
    bool keep_alive = true;
    bool chunked = false;
    bool expects_continue = false;
    std::uint64_t content_length = 0;
    std::size_t header_count = 0;
    std::array<std::pair<std::string_view, std::string_view>, max_headers> headers;

    /// The first value of the header, in any letter case; empty if it is missing.
    std::string_view header(std::string_view name) const;

    /// All values of the header, joined by commas (RFC 9110, section 5.3).
    std::string joined(std::string_view name) const;
};

enum class fake_parse { complete, incomplete, bad };

/// Reads the head of a request from the start of `data`; `length` is set to its size when it is complete.
fake_parse parse_head(std::string_view data, fake_request& out, std::size_t& length);

/// Takes the chunked coding off a request's body (RFC 9112, section 7.1), however it is cut into reads.
class fake_chunks
{
public:
    /// Reads on in `raw`, which is the same text as in the call before, and more. Returns whether the body is
    /// complete, is not yet, or is malformed.
    fake_parse read(std::string_view raw);

    const std::string& body() const noexcept { return body_; }
    std::size_t consumed() const noexcept { return at_; }

private:
    std::size_t at_ = 0;
    std::string body_;
};

/// An answer before it is put on the wire.
struct fake_reply
{
    unsigned status = 200;
    fake_headers headers;
    std::string body;

    /// Replaces the header, or adds it.
    void set(std::string_view name, std::string value);
    void remove(std::string_view name);
    /// The header's value; empty if it is missing.
    std::string_view get(std::string_view name) const;
};

/// The registry's own error answer: `{"errors":[{"code":…,"message":…,"detail":…}]}`. `detail` is JSON text.
/// Source: OCI distribution-spec, "Error Codes".
fake_reply registry_error(unsigned status, std::string_view code, std::string_view message,
                          std::string_view detail = "null");

/// Status line and headers, with the empty line. Adds no header of its own.
std::string head_text(const fake_reply& reply, bool http_1_0 = false);

bool equal_no_case(std::string_view a, std::string_view b) noexcept;

/// `%41` to `A`; with `form`, `+` to a space too.
std::string percent_decoded(std::string_view text, bool form = false);

/// The reverse, for a value in a query: everything but unreserved characters is escaped.
std::string percent_encoded(std::string_view text);

/// The fields of a query or of an `application/x-www-form-urlencoded` body, in order, decoded.
fake_headers form_fields(std::string_view text);

/// The first of `fields` with this name.
std::optional<std::string> find_field(const fake_headers& fields, std::string_view name);

/// `text` as a JSON string, with its quotes.
std::string json_quoted(std::string_view text);

/// The time `seconds_from_now` in the form of `Date` and `Retry-After` (RFC 9110, section 5.6.7).
std::string http_date(int seconds_from_now);

} // namespace regsweep::test

#endif
