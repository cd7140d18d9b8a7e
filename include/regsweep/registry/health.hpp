#ifndef REGSWEEP_REGISTRY_HEALTH_HPP
#define REGSWEEP_REGISTRY_HEALTH_HPP

#include "regsweep/auth/credentials.hpp"
#include "regsweep/core/address.hpp"
#include "regsweep/core/names.hpp"
#include "regsweep/http/probe.hpp"
#include "regsweep/http/types.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// How something that was checked is.
enum class condition : std::uint8_t {
    ok,
    warning,     ///< works, but not as well as it could, or only in part
    problem,     ///< does not work, and is needed
    not_checked, ///< could not be checked
};

/// `ok`, `warning`, `problem`, `not checked`.
std::string_view to_string(condition v) noexcept;

/// What a check has found, for people. Printable, without secrets.
struct finding
{
    std::string check; ///< its name: one or two words
    condition how = condition::not_checked;
    std::string found;  ///< what is so
    std::string advice; ///< what to do; empty if there is nothing
};

/// Functions that judge what was seen. No clock, no socket; any thread.

/// A check that ended with an error, which says what to do.
finding judge_failure(std::string check, const error& why);

/// `source`: where the address comes from, for people.
finding judge_address(const registry_address& address, std::string_view source);
finding judge_proxy(const std::optional<http::proxy>& used);
finding judge_name(const std::string& host, const http::probe_report& seen);
finding judge_connection(const http::probe_report& seen);
/// `now`: seconds since 1970. `verify`: whether certificates are checked.
finding judge_tls(const origin& server, const http::probe_report& seen, bool verify, std::int64_t now);

/// The answer to `GET /v2/` without credentials.
finding judge_api(const registry_address& address, const http::response& answer);
/// That answer, and what the same was answered with credentials. `explanation`: of a refusal.
finding judge_login(const http::response& asked, const http::response& answer, const credentials& who,
                    std::string_view explanation);
finding judge_clock(std::string_view date, std::chrono::system_clock::time_point now);
/// The limits on requests that the headers of an answer tell of.
finding judge_limits(const http::response& answer);

/// A list that was asked for a page of `wanted` names.
struct list_facts
{
    unsigned wanted = 0;
    std::size_t names = 0; ///< in the first page
    bool more = false;     ///< there is a link to another one
};
finding judge_list(std::string check, const list_facts& seen, std::string_view of);
/// `named`: repositories were named, so that the catalog is not needed.
finding judge_no_catalog(unsigned status, bool named, std::string_view explanation);

/// Two pages of one name each, asked for one after the other.
struct paging_facts
{
    std::size_t known = 0;  ///< names that the list has, at least
    std::size_t first = 0;  ///< names in the first page
    bool more = false;      ///< it has a link to the second one
    std::size_t second = 0; ///< names in the second page
    bool repeated = false;  ///< it begins as the first one does
};
finding judge_paging(std::string check, const paging_facts& seen);

/// The answer to a HEAD of a manifest. `fallback`: GET is used anyway.
finding judge_head(const http::response& answer, bool fallback);
/// The answer to a GET of a manifest by its tag, and what HEAD said its digest is (empty if it did not say).
finding judge_digest(const http::response& answer, std::string_view head_digest);
/// A manifest with several platforms: its image for people, and the answer to a GET. Null: none was found among `tags`.
finding judge_index(std::string_view image, const http::response* answer, std::size_t tags);
/// The answer to a DELETE of a manifest that cannot exist. `code`: the registry's own, e.g. `MANIFEST_UNKNOWN`.
finding judge_deletion(unsigned status, std::string_view code, std::string_view explanation);
/// The answer to a GET of a manifest's referrers.
finding judge_referrers(const http::response& answer);

} // namespace regsweep

#endif
