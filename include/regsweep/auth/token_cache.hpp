#ifndef REGSWEEP_AUTH_TOKEN_CACHE_HPP
#define REGSWEEP_AUTH_TOKEN_CACHE_HPP

#include "regsweep/auth/secret.hpp"
#include "regsweep/auth/token.hpp"
#include "regsweep/core/error.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace regsweep {

/// A bearer token in use. Immutable, so that threads may share it: keep the pointer and use the token without asking
/// the cache again until `renew_at`, or until a 401.
struct bearer_token
{
    secret authorization;                             ///< the value of `Authorization`
    std::uint64_t generation = 0;                     ///< greater than that of every token the cache had before
    std::chrono::steady_clock::time_point renew_at;   ///< ask the cache again from here on
    std::chrono::steady_clock::time_point expires_at; ///< not to be used from here on
};
using token_ptr = std::shared_ptr<const bearer_token>;

/// Options of `token_cache`.
struct token_cache_options
{
    std::size_t max_entries = 4096; ///< scopes remembered; the least recently asked for are forgotten first
    /// A token is renewed when less than a tenth of its life, and less than this, is left.
    std::chrono::seconds renew_margin{30};
};

/// Decides, for the tokens of one registry, who fetches one, who waits and who goes on: however many ask for a scope at
/// a time, one fetches. It does no I/O and calls nobody; its owner carries the decisions out.
///
/// One thread at a time: an owner shared by threads guards it with a mutex, runs the returned waiters after leaving it,
/// and keeps it off the path of ordinary requests by means of `bearer_token::renew_at`.
class token_cache
{
public:
    using time_point = std::chrono::steady_clock::time_point;
    /// Told the new token, or why there is none. Run by the cache's owner, never by the cache.
    using waiter = std::function<void(const result<token_ptr>&)>;

    enum class action : std::uint8_t {
        use,   ///< `token` is good
        fetch, ///< you are the one to fetch; then call `complete` or `fail` with the ticket, whatever happens
        wait,  ///< someone else fetches: the waiter was kept and will be handed back to be run
    };
    struct decision
    {
        action what = action::fetch;
        /// With `use`: the token. With `fetch`: the old token, still good, or null; go on with it if the fetch fails.
        token_ptr token;
        std::uint64_t ticket = 0; ///< with `fetch`
    };

    explicit token_cache(token_cache_options options = {});

    /// One key for one set of rights at one service: the order and spelling of the scopes do not matter.
    static std::string key(std::string_view realm, std::string_view service, const std::vector<std::string>& scopes);

    /// What to do now for a request that needs the token of `key`. `when_done` is kept only with `action::wait`.
    decision ask(const std::string& key, time_point now, waiter when_done);

    /// Who is to be told what.
    struct completion
    {
        result<token_ptr> outcome;
        std::vector<waiter> waiters; ///< call each with `outcome`
    };
    /// The fetch of `ticket` gave a token, received at `now`.
    completion complete(std::uint64_t ticket, token_answer answer, time_point now);
    /// The fetch of `ticket` failed or was given up. While an old token is good, it stays in use and the next try comes
    /// a little later. An unknown ticket has no waiters.
    completion fail(std::uint64_t ticket, error why, time_point now);

    /// The registry answered 401 to the token of this generation. A newer token stays: requests that failed with the
    /// same old token cause one fetch together. Ask again after it, at most once for a request.
    void reject(const std::string& key, std::uint64_t generation);

    std::size_t size() const noexcept { return entries_.size(); }

private:
    struct entry
    {
        std::string key;
        token_ptr token;
        time_point next_renewal;  ///< `token->renew_at`, or later after a renewal failed
        std::uint64_t ticket = 0; ///< of the fetch under way; 0: none
        std::vector<waiter> waiters;
    };
    using entries = std::list<entry>; ///< the most recently asked for first

    entry& find_or_add(const std::string& key);
    entry* find_ticket(std::uint64_t ticket);
    void evict();

    token_cache_options options_;
    entries entries_;
    std::unordered_map<std::string, entries::iterator> by_key_;
    std::unordered_map<std::uint64_t, entries::iterator> by_ticket_;
    std::uint64_t last_ticket_ = 0;
    std::uint64_t last_generation_ = 0;
};

} // namespace regsweep

#endif
