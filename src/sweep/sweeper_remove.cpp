// Deletes manifests, each after a look at its repository that is not too old.
#include "sweep/sweeper_impl.hpp"

#include <algorithm>

namespace regsweep {
namespace {

using http::awaitable;

constexpr int check_share = 20; // checking again may take no more than a twentieth of the time
constexpr std::chrono::milliseconds settling_time{500};

} // namespace

awaitable<void> sweeper::impl::wait_for_delete_slot()
{
    co_await slots.acquire();
    const permit held(slots);
    if (stopping())
        co_return;
    const auto slot = deletes.reserve(http::clock::now());
    while (!stopping() && slot > http::clock::now())
        co_await sleep_until_woken(slot_bed, slot);
}

// Until when a delete may be sent on the last look at its repository; nothing: for ever.
std::optional<http::clock::time_point> sweeper::impl::good_until(const work_item& item) const
{
    const repository_sweep& home = *item.home;
    if (!home.checked)
        return std::nullopt;
    if (home.read_at <= item.unanswered_at)
        return http::clock::time_point::min();
    return home.read_at + std::max<http::clock::duration>(options.check_again, check_share * home.read_for);
}

bool sweeper::impl::too_old(const work_item& item) const
{
    const auto end = good_until(item);
    return end && http::clock::now() > *end;
}

// A step has waited long for its turn: looks at its repository again. Settles it where that cannot be done.
awaitable<bool> sweeper::impl::look_again(work_item& item)
{
    repository_sweep& home = *item.home;
    co_await home.reading.acquire();
    const permit held(home.reading);
    if (!too_old(item))
        co_return true;
    const auto read = co_await check(home);
    if (!read && read.error().is(errc::cancelled)) {
        fail_for_good(read.error());
        not_attempted(item);
    } else if (!read) {
        done(item, journal_state::failed, "it could not be checked again: " + read.error().message());
    }
    co_return read.has_value();
}

// By the last look at its repository. Settles a step that may not be carried out any more.
bool sweeper::impl::still_allowed(work_item& item)
{
    const repository_sweep& home = *item.home;
    if (!home.checked)
        return true;
    const step_verdict& said = home.verdict_of(*item.step);
    if (!said.go()) {
        leave_alone(item, said.text());
        return false;
    }
    // What the journal does not have could not be restored.
    const auto now = home.tags_of.find(item.step->id);
    const bool more = now != home.tags_of.end() &&
                      !std::includes(item.tags.begin(), item.tags.end(), now->second.begin(), now->second.end());
    if (more)
        leave_alone(item, "its tags have changed since they were journaled; ask for it again");
    return !more;
}

// Waits until deletes of one repository may be sent: for their moments, a turn, and a look at the repository that is
// not too old when all else is there. Settles those that may not be sent and takes them out; nothing if none is left.
awaitable<std::optional<lease_pool::lease>> sweeper::impl::ready_to_delete(std::vector<work_item*>& items,
                                                                           bool& has_turn)
{
    for (std::size_t i = 0; deletes.limited() && i != items.size(); ++i)
        co_await wait_for_delete_slot();
    while (true) {
        for (auto item = items.begin(); item != items.end() && !stopping();) {
            bool good = true;
            if (too_old(**item))
                good = co_await look_again(**item);
            item = good ? item + 1 : items.erase(item);
        }
        // Those sent together are not sent at all where there is a turn to be waited for.
        if (items.size() == 1 && !has_turn && !client.ready() && !stopping()) {
            const auto turn = co_await client.take_turn();
            has_turn = turn.has_value();
            if (!turn)
                fail_for_good(turn.error());
            continue;
        }
        auto lease = co_await leases.get();
        const bool stop = stopping();
        if (!stop && std::ranges::any_of(items, [&](const work_item* item) { return too_old(*item); }))
            continue;
        // While one waited, another look may have been taken at the repository.
        std::erase_if(items, [&](work_item* item) {
            if (stop)
                not_attempted(*item);
            return stop || !still_allowed(*item);
        });
        if (items.empty())
            co_return std::nullopt;
        co_return std::optional<lease_pool::lease>(std::move(lease));
    }
}

// How many deletes to send together. Where they have a rate, or are timed, each has its own moment.
std::size_t sweeper::impl::deletes_together() const noexcept
{
    const bool own_moment = deletes.limited() || options.http.rate != 0 || options.on_delete;
    return own_moment ? 1 : pipeline.depth(requests_at_once());
}

awaitable<void> sweeper::impl::remove(std::span<work_item* const> items)
{
    if (items.size() == 1)
        co_return co_await remove_alone(*items.front());
    std::vector<work_item*> going(items.begin(), items.end());
    std::vector<deletion> wanted;
    bool sent = false;
    {
        bool has_turn = false;
        auto lease = co_await ready_to_delete(going, has_turn);
        if (!lease)
            co_return;
        for (const work_item* item : going)
            wanted.push_back({item->step->id});
        sent = co_await registry.delete_manifests(going.front()->step->repository, wanted, lease->buffers());
        if (sent)
            pipeline.answered(http::clock::now(), static_cast<unsigned>(wanted.size()));
        for (std::size_t i = 0; i != wanted.size(); ++i)
            if (wanted[i].settled)
                wanted[i].settled = co_await conclude(*going[i], wanted[i].found, lease->buffers());
    }
    const auto over_at = http::clock::now();
    for (std::size_t i = 0; i != wanted.size(); ++i) {
        if (wanted[i].settled)
            continue;
        bool over = false;
        if (sent)
            over = co_await was_carried_out(*going[i], over_at);
        if (!over)
            co_await remove_alone(*going[i]);
    }
}

awaitable<void> sweeper::impl::remove_alone(work_item& item)
{
    std::vector<work_item*> one(1, &item);
    std::uint64_t others = steps_done;
    for (unsigned in_vain = 0;;) {
        bool has_turn = false;
        auto lease = co_await ready_to_delete(one, has_turn);
        if (!lease)
            co_return;
        const sending when{has_turn, good_until(item)};
        const auto sent = http::clock::now();
        const auto deleted =
            co_await registry.delete_manifest(item.step->repository, item.step->id, lease->buffers(), when);
        pipeline.answered(http::clock::now(), 1);
        // Where the registry makes it wait for longer than the look is good for, it begins anew: for as long as there
        // is progress, and as often as a request is repeated.
        in_vain = others == steps_done ? in_vain + 1 : 0;
        others = steps_done;
        if (deleted || !deleted.error().is(errc::expired) || in_vain > options.http.retry.retries) {
            tell_of_delete(sent, deleted);
            const bool over = co_await conclude(item, deleted, lease->buffers());
            if (over)
                co_return;
            continue;
        }
        lease.reset();
        bool over = false;
        if (may_have_happened(deleted.error()))
            over = co_await was_carried_out(item, http::clock::now());
        if (over)
            co_return;
    }
}

// A delete was sent and its answer lost, until `at`: whether it was carried out, or that cannot be found out, and the
// step is settled. If not it is asked for again, after a look at its repository that is newer.
awaitable<bool> sweeper::impl::was_carried_out(work_item& item, http::clock::time_point at)
{
    item.unanswered_at = at;
    auto lease = co_await leases.get();
    const auto now = co_await registry.resolve(item.step->repository, item.step->id.to_string(), lease.buffers());
    if (!now && now.error().is(errc::cancelled))
        fail_for_good(now.error()); // looked up by the next run
    else if (!now)
        leave_open(item, "its delete got no answer, and then: " + now.error().message());
    else if (!*now)
        co_return co_await settle_gone(item, journal_state::done, "it is gone; the answer to its delete was lost",
                                       lease.buffers());
    co_return !now || !*now;
}

// What came of a delete. Returns false where it has to be deleted again.
awaitable<bool> sweeper::impl::conclude(work_item& item, result<bool> deleted, registry_buffers& buffers)
{
    if (!deleted)
        co_return co_await remove_failed(item, deleted.error(), buffers);
    if (*deleted) {
        done(item, journal_state::done);
        co_return true;
    }
    // It was there a moment ago. Some registries say 404 where they mean no.
    const auto now = co_await registry.resolve(item.step->repository, item.step->id.to_string(), buffers);
    if (!now && now.error().is(errc::cancelled))
        fail_for_good(now.error());
    else if (!now)
        leave_open(item, "the registry answered 404 and then not at all: " + now.error().message());
    else if (*now)
        done(item, journal_state::failed, "the registry says that it is not there (404), and still has it");
    else
        co_return co_await settle_gone(item, item.unanswered_at ? journal_state::done : journal_state::gone, {},
                                       buffers);
    co_return true;
}

awaitable<bool> sweeper::impl::remove_failed(work_item& item, error why, registry_buffers& buffers)
{
    if (why.is(errc::cancelled)) {
        fail_for_good(why); // whether it was done is looked up by the next run
        co_return true;
    }
    if (why.is(errc::unsupported)) {
        why.detail = how_to_enable_deletion;
        fail_for_good(why);
        done(item, journal_state::failed, why.message());
        co_return true;
    }
    // A refusal may be of a repetition, and the first request, whose answer was lost, have been carried out.
    const auto now = co_await registry.resolve(item.step->repository, item.step->id.to_string(), buffers);
    if (!now && now.error().is(errc::cancelled))
        fail_for_good(now.error());
    else if (!now || (*now && may_happen_yet(why)))
        leave_open(item, why.message());
    else if (*now)
        done(item, journal_state::failed, why.message());
    else
        co_return co_await settle_gone(item, journal_state::done,
                                       "it is gone, although the registry said: " + why.message(), buffers);
    co_return true;
}

// Settles a step whose manifest is gone without an answer that says so. docker-registry 2.x deletes the manifest first
// and then looks for its tags, which fails while another tag is being pushed: they stay, and lead to nothing. It finds
// them when the manifest is put back and deleted again. Returns false where that is to be done.
awaitable<bool> sweeper::impl::settle_gone(work_item& item, journal_state state, std::string message,
                                           registry_buffers& buffers)
{
    auto left = co_await tags_left_behind(item.step->repository, item.tags, buffers);
    if (left && !left->empty() && item.put_back != options.http.retry.retries + 1) {
        ++item.put_back;
        const auto put = co_await registry.put_manifest(item.step->repository, item.step->id.to_string(),
                                                        item.content->content_type, item.content->body, buffers);
        if (put || may_have_happened(put.error())) {
            item.unanswered_at = http::clock::now(); // a look at the repository must be newer
            co_return false;
        }
    }
    if (!left && left.error().is(errc::cancelled)) {
        fail_for_good(left.error());
        co_return true;
    }
    const bool some = left && !left->empty();
    done(item, item.put_back != 0 ? journal_state::done : state, std::move(message));
    if (some)
        report.failed.push_back({item.step->repository, item.step->id, *std::move(left),
                                 "its manifest is gone, and the registry has left these tags, which lead to nothing; "
                                 "restoring run " +
                                     std::to_string(run_id) + " puts it back, to be deleted again"});
    co_return true;
}

// Those of these tags that the registry lists and does not find. Another client's delete may be under way: they are
// left behind if they are there a moment later.
awaitable<result<std::vector<std::string>>>
sweeper::impl::tags_left_behind(const std::string& repository, std::vector<std::string> tags, registry_buffers& buffers)
{
    for (int look = 0; look != 2 && !tags.empty(); ++look) {
        sleeper bed(context.get_executor());
        if (look != 0)
            co_await sleep_until_woken(bed, http::clock::now() + settling_time);
        const auto listed = co_await list_tags(registry, repository, options.page_size, buffers);
        if (!listed)
            co_return listed.error();
        std::unordered_set<std::string_view> names;
        for (std::size_t i = 0; i != listed->size(); ++i)
            names.insert((*listed)[i]);
        std::erase_if(tags, [&](const std::string& tag) { return !names.contains(tag); });
        std::vector<std::string> left;
        for (const std::string& tag : tags) {
            const auto now = co_await registry.resolve(repository, tag, buffers);
            if (!now)
                co_return now.error();
            if (!*now)
                left.push_back(tag);
        }
        tags = std::move(left);
    }
    co_return tags;
}

} // namespace regsweep
