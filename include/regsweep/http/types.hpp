#ifndef REGSWEEP_HTTP_TYPES_HPP
#define REGSWEEP_HTTP_TYPES_HPP

#include "regsweep/core/error.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::http {

/// Everything runs on an io_context of one thread; naming its executor saves the cost of a type-erased one.
using executor = boost::asio::io_context::executor_type;
template<class T>
using awaitable = boost::asio::awaitable<T, executor>;

using clock = std::chrono::steady_clock;

enum class method : std::uint8_t { get, head, put, post, del };

/// The method's name as it stands in the request line.
std::string_view to_string(method m) noexcept;

/// A request to one origin. Plain data; the views must outlive the exchange.
struct request
{
    method verb = method::get;
    std::string target;             ///< path and query, percent-encoded
    std::string_view accept;        ///< value of `Accept`, none if empty
    std::string_view authorization; ///< value of `Authorization`, none if empty
    std::string_view content_type;
    std::string_view body;                        ///< sent with a Content-Length for PUT and POST
    bool has_turn = false;                        ///< `client::take_turn` was awaited for it
    std::optional<clock::time_point> not_after{}; ///< not sent, and not repeated, later than this: `errc::expired`
};

/// An answer. Reused from request to request, it allocates nothing once it has grown.
class response
{
public:
    unsigned status = 0;
    std::string body;

    /// The value of the first header of this name (any case), without white space around it; empty if there is none.
    std::string_view header(std::string_view name) const noexcept;
    bool has_header(std::string_view name) const noexcept;
    /// The values of every header of this name, in order.
    std::vector<std::string_view> headers(std::string_view name) const;

    void clear() noexcept;
    void add_header(std::string_view name, std::string_view value);

private:
    struct field
    {
        std::uint32_t name = 0;
        std::uint32_t name_length = 0;
        std::uint32_t value = 0;
        std::uint32_t value_length = 0;
    };
    const field* find(std::string_view name, std::size_t from) const noexcept;

    std::string text_; // names and values, one after the other
    std::vector<field> fields_;
};

} // namespace regsweep::http

#endif
