#ifndef REGSWEEP_REGISTRY_PAGINATION_HPP
#define REGSWEEP_REGISTRY_PAGINATION_HPP

#include "regsweep/core/address.hpp"
#include "regsweep/registry/lists.hpp"

#include <span>
#include <string>
#include <string_view>
#include <unordered_set>

namespace regsweep {

/// The URI reference of the link whose relation is `next` in the values of `Link` headers (RFC 8288 section 3);
/// empty if there is none. Quoted and unquoted parameters, any case, several links in a header. No allocation.
std::string_view find_next_link(std::span<const std::string_view> link_headers) noexcept;

/// The request target of the page that `reference` leads to, seen from the page at `current_target` on the registry
/// `at`. A link to the same host with another scheme or port (a proxy in front of the registry) is followed on the
/// configured origin; a path without the registry's prefix gets it. One to another host is refused by name:
/// `errc::redirect_refused`. An unusable one is `errc::bad_response`.
result<std::string> resolve_next(const registry_address& at, std::string_view current_target,
                                 std::string_view reference);

/// Notices pagination that comes back to where it was. Eight bytes a page.
class page_guard
{
public:
    /// Pages without a name that may follow each other: registries that hide what a user may not see send some.
    static constexpr std::size_t empty_limit = 1000;

    /// Call for every page. `errc::page_loop` if its target or its whole content has been there before, or if there
    /// were too many empty ones.
    result<void> visit(std::string_view target, const name_list& content);

private:
    std::size_t empty_in_a_row_ = 0;
    std::unordered_set<std::size_t> targets_;
    std::unordered_set<std::size_t> contents_;
};

} // namespace regsweep

#endif
