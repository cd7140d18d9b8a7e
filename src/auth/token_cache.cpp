#include "regsweep/auth/token_cache.hpp"

#include "regsweep/auth/basic.hpp"

#include <algorithm>
#include <utility>

namespace regsweep {
namespace {

using std::chrono::steady_clock;

steady_clock::duration margin(steady_clock::duration life, std::chrono::seconds at_most)
{
    return std::min<steady_clock::duration>(life / 10, at_most);
}

} // namespace

token_cache::token_cache(token_cache_options options) : options_(options)
{
    options_.max_entries = std::max<std::size_t>(options_.max_entries, 1);
}

std::string token_cache::key(std::string_view realm, std::string_view service, const std::vector<std::string>& scopes)
{
    std::string out(realm);
    out += '\n';
    out += service;
    for (const std::string& scope : merge_scopes(scopes))
        out += '\n' + scope;
    return out;
}

token_cache::decision token_cache::ask(const std::string& key, time_point now, waiter when_done)
{
    entry& e = find_or_add(key);
    if (e.token && now >= e.token->expires_at)
        e.token.reset();
    if (e.token && (e.ticket != 0 || now < e.next_renewal))
        return {action::use, e.token, 0};
    if (e.ticket != 0) {
        if (when_done)
            e.waiters.push_back(std::move(when_done));
        return {action::wait, nullptr, 0};
    }
    e.ticket = ++last_ticket_;
    by_ticket_.emplace(e.ticket, entries_.begin());
    return {action::fetch, e.token, e.ticket};
}

token_cache::completion token_cache::complete(std::uint64_t ticket, token_answer answer, time_point now)
{
    auto header = bearer_authorization(answer.token);
    if (!header)
        return fail(ticket, header.error(), now);
    auto token = std::make_shared<bearer_token>();
    token->authorization = *std::move(header);
    token->generation = ++last_generation_;
    token->expires_at = now + answer.life;
    token->renew_at = token->expires_at - margin(answer.life, options_.renew_margin);
    completion out{token_ptr(token), {}};
    if (entry* e = find_ticket(ticket)) {
        e->token = token;
        e->next_renewal = token->renew_at;
        e->ticket = 0;
        out.waiters = std::exchange(e->waiters, {});
        by_ticket_.erase(ticket);
        evict();
    }
    return out;
}

token_cache::completion token_cache::fail(std::uint64_t ticket, error why, time_point now)
{
    completion out{std::move(why), {}};
    if (entry* e = find_ticket(ticket)) {
        if (e->token)
            e->next_renewal = now + (e->token->expires_at - e->token->renew_at) / 4;
        e->ticket = 0;
        out.waiters = std::exchange(e->waiters, {});
        by_ticket_.erase(ticket);
        evict();
    }
    return out;
}

void token_cache::reject(const std::string& key, std::uint64_t generation)
{
    const auto found = by_key_.find(key);
    if (found == by_key_.end())
        return;
    token_ptr& token = found->second->token;
    if (token && token->generation == generation)
        token.reset();
}

token_cache::entry& token_cache::find_or_add(const std::string& key)
{
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        entries_.splice(entries_.begin(), entries_, found->second);
        return entries_.front();
    }
    entries_.emplace_front().key = key;
    by_key_.emplace(key, entries_.begin());
    evict();
    return entries_.front();
}

token_cache::entry* token_cache::find_ticket(std::uint64_t ticket)
{
    const auto found = by_ticket_.find(ticket);
    return found == by_ticket_.end() ? nullptr : &*found->second;
}

// Entries with a fetch under way stay: someone waits for them. Neither does the front one go, which was just asked for.
void token_cache::evict()
{
    auto at = entries_.end();
    while (entries_.size() > options_.max_entries && at != entries_.begin()) {
        --at;
        if (at == entries_.begin())
            return;
        if (at->ticket != 0)
            continue;
        by_key_.erase(at->key);
        at = entries_.erase(at);
    }
}

} // namespace regsweep
