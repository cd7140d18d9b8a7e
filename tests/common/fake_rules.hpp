#ifndef REGSWEEP_TESTS_COMMON_FAKE_RULES_HPP
#define REGSWEEP_TESTS_COMMON_FAKE_RULES_HPP

#include "common/fake_http.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <vector>

namespace regsweep::test {

inline constexpr std::size_t fake_unlimited = std::numeric_limits<std::size_t>::max();

/// How a connection goes on after an answer.
enum class fake_ending {
    keep,     ///< as the protocol says
    close,    ///< closed in order, with TLS close_notify
    truncate, ///< closed in order at the TCP level, without close_notify
    reset,    ///< TCP RST
};

/// How an answer differs from the right one. Parts can be combined.
struct fake_action
{
    unsigned status = 0;      ///< answer this; the request then has no effect on the store
    bool effect = true;       ///< false: the store is left alone though the answer is cut or replaced
    fake_headers set_headers; ///< replaced or added; `{target}` and `{address}` stand for the request's target
                              ///< and the server's `host:port`
    std::vector<std::string> remove_headers;
    std::optional<std::string> body; ///< instead of the right one
    std::optional<std::string> raw;  ///< these bytes are the whole answer, framing included

    std::chrono::milliseconds delay{0};           ///< before the first byte
    std::chrono::milliseconds header_interval{0}; ///< between pieces of the header
    std::chrono::milliseconds body_interval{0};   ///< between pieces of the body
    std::size_t piece = 1;                        ///< bytes in such a piece

    bool endless_body = false;     ///< the body never ends: chunked if asked, else up to the connection's end
    long length_error = 0;         ///< added to Content-Length
    std::size_t huge_header = 0;   ///< bytes of a header added to the answer
    bool chunked = false;          ///< Transfer-Encoding instead of Content-Length
    bool no_length = false;        ///< neither: the body ends with the connection
    bool connection_close = false; ///< announced, and done
    bool http_1_0 = false;         ///< as the answer's version; closes
    bool gzip = false;             ///< body compressed whatever the client accepts
    bool interim = false;          ///< a `100 Continue` first

    std::size_t cut_after = fake_unlimited; ///< bytes of the answer sent before `ending`
    fake_ending ending = fake_ending::keep;

    /// An answer with this status, e.g. `answer(429, {{"Retry-After", "1"}})`.
    static fake_action answer(unsigned status, fake_headers headers = {}, std::string body = {});
    /// RST after this many bytes of the answer.
    static fake_action reset_after(std::size_t bytes = 0);
    /// End of the connection after this many bytes of the answer.
    static fake_action close_after(std::size_t bytes = 0);
    static fake_action redirect(unsigned status, std::string location);
    static fake_action wait(std::chrono::milliseconds delay);
};

/// Which requests an action is applied to. The first rule that fits is the one used.
struct fake_rule
{
    std::string method;                 ///< empty: any
    std::string path;                   ///< part of the target; empty: any
    std::string regex;                  ///< ECMAScript, searched in the target; empty: any
    std::size_t skip = 0;               ///< requests that fit and pass unharmed first
    std::size_t count = fake_unlimited; ///< then this many are harmed
    double probability = 1;             ///< of harming one of those
    std::uint64_t seed = 1;             ///< of the probability
    fake_action action;
};

/// The rules of a server. Thread-safe.
class fake_rule_set
{
public:
    /// Returns the rule's number, for `hits`.
    std::size_t add(fake_rule rule);
    void clear();
    /// How often the rule was applied; 0 after `clear`.
    std::size_t hits(std::size_t rule) const;
    bool empty() const;

    /// The action for a request, if any; counts.
    std::optional<fake_action> match(const fake_request& request);

private:
    struct entry
    {
        explicit entry(fake_rule r);
        bool fits(const fake_request& request) const;

        fake_rule rule;
        std::regex pattern;
        std::mt19937_64 random;
        std::size_t seen = 0;
        std::size_t hits = 0;
    };
    mutable std::mutex mutex_;
    std::deque<entry> entries_;
};

/// A piece of work on a connection: an answer that misbehaves is a list of these.
struct fake_step
{
    enum class kind { send, pause, endless, end };
    kind what = kind::send;
    std::string bytes;                      ///< to send; for `endless`, again and again
    std::size_t piece = fake_unlimited;     ///< bytes sent at a time
    std::chrono::milliseconds interval{0};  ///< between pieces; the length of a pause
    fake_ending ending = fake_ending::keep; ///< for `end`
};

/// What to send for `reply`, in order. Adds Content-Length and `Connection: close` as needed.
std::vector<fake_step> make_steps(const fake_request& request, fake_reply reply, const fake_action& action,
                                  const std::string& address);

} // namespace regsweep::test

#endif
