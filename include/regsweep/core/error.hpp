#ifndef REGSWEEP_CORE_ERROR_HPP
#define REGSWEEP_CORE_ERROR_HPP

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace regsweep {

/// What went wrong, as far as a caller may want to tell cases apart.
enum class errc {
    bad_argument = 1, ///< a value given by the caller makes no sense
    bad_address,      ///< a registry address or URL cannot be parsed
    bad_digest,       ///< not `sha256:<64 hex>` or `sha512:<128 hex>`
    bad_json,         ///< JSON text is malformed or has another shape than expected
    bad_response,     ///< the server's answer breaks HTTP or the registry API
    bad_file,         ///< a local file has the wrong format or is damaged
    newer_version,    ///< a local file was written by a newer version
    io,               ///< a local file cannot be read or written
    locked,           ///< another process uses the same index
    resolve_failed,   ///< the host name has no address
    connect_failed,   ///< no address of the host accepted a connection
    tls_failed,       ///< the TLS handshake or the certificate check failed
    connection_lost,  ///< the connection ended before the answer was complete
    timed_out,        ///< a time limit passed
    expired,          ///< the time until which a request may be sent passed before it could be
    too_large,        ///< a header, body or list is over its limit
    redirect_refused, ///< a redirect or link leads where it may not
    page_loop,        ///< pagination came back to a page it had been on
    http_status,      ///< the registry answered with a status that means failure
    unauthorized,     ///< 401, or no usable credentials
    forbidden,        ///< 403
    not_found,        ///< 404
    unsupported,      ///< 405 or the registry's UNSUPPORTED
    digest_mismatch,  ///< a body does not hash to the digest it was announced with
    bad_regex,        ///< a regular expression cannot be compiled
    match_limit,      ///< a regular expression took too many steps on a tag
    conflict,         ///< the selection shares digests with what was not selected
    over_limit,       ///< more would go than was allowed
    incomplete,       ///< the index does not know all of a repository
    cancelled,        ///< stopped on request
};

/// The category of `errc`. Thread-safe.
const boost::system::error_category& category() noexcept;

inline boost::system::error_code make_error_code(errc e) noexcept
{
    return {static_cast<int>(e), category()};
}

/// A failure, with what a person needs to act on it. Never holds a secret.
struct error
{
    boost::system::error_code code;
    std::string detail;           ///< one sentence: what, where, what to do
    std::string request;          ///< method and path, e.g. `GET /v2/_catalog`; empty if no request was made
    unsigned http_status = 0;     ///< status of the answer, 0 without one
    std::string registry_code;    ///< `errors[0].code` of the answer, e.g. `MANIFEST_UNKNOWN`
    std::string registry_message; ///< `errors[0].message` of the answer

    error() = default;
    error(errc e, std::string detail_text, std::string request_text = {})
        : code(make_error_code(e)), detail(std::move(detail_text)), request(std::move(request_text))
    {}

    bool is(errc e) const noexcept { return code == make_error_code(e); }

    /// The whole failure in one line, safe to print: control characters are escaped.
    std::string message() const;
};

/// A value or an `error`. `value()` throws `failure`.
template<class T>
using result = boost::system::result<T, error>;

/// The exception thrown by `result::value()` and by constructors.
class failure : public std::runtime_error
{
public:
    explicit failure(regsweep::error e);
    const regsweep::error& why() const noexcept { return error_; }

private:
    regsweep::error error_;
};

/// Used by `boost::system::result`.
[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

/// `text` with control characters and bytes that are no UTF-8 as `\xNN` and cut to `limit` bytes, so that a registry's
/// words can be shown. What is returned is valid UTF-8.
std::string printable(std::string_view text, std::size_t limit = 300);

} // namespace regsweep

template<>
struct boost::system::is_error_code_enum<regsweep::errc> : std::true_type
{};

#endif
