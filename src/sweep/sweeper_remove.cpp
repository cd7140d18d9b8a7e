// Deletes manifests, each after a look at its repository that is not too old.
#include "sweep/sweeper_impl.hpp"

#include <algorithm>

namespace regsweep {
namespace {

using http::awaitable;

constexpr int check_share = 20; // checking again may take no more than a twentieth of the time

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

bool sweeper::impl::too_old(const work_item& item) const
{
    const repository_sweep& home = *item.home;
    const auto limit = std::max<http::clock::duration>(options.check_again, check_share * home.read_for);
    return home.checked && (home.read_at <= item.unanswered_at || http::clock::now() - home.read_at > limit);
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

// Waits for the moment of a delete, with a look at its repository that is not too old. Settles a step that cannot have
// that.
awaitable<bool> sweeper::impl::may_go(work_item& item)
{
    if (deletes.limited())
        co_await wait_for_delete_slot();
    if (stopping()) {
        not_attempted(item);
        co_return false;
    }
    if (!too_old(item))
        co_return true;
    co_return co_await look_again(item);
}

// How many deletes to send together. Where they have a rate, or are timed, each has its own moment.
std::size_t sweeper::impl::deletes_together() const noexcept
{
    return deletes.limited() || options.on_delete ? 1 : pipeline.depth(requests_at_once());
}

awaitable<void> sweeper::impl::remove(std::span<work_item* const> items)
{
    if (items.size() == 1)
        co_return co_await remove_alone(*items.front());
    std::vector<work_item*> going;
    going.reserve(items.size());
    for (work_item* item : items) {
        const bool may = co_await may_go(*item);
        if (may)
            going.push_back(item);
    }
    std::vector<deletion> wanted;
    bool sent = false;
    {
        auto lease = co_await leases.get();
        // While one waited, the run may have been stopped, or another look taken at the repository of all.
        std::erase_if(going, [&](work_item* item) {
            if (stopping())
                not_attempted(*item);
            return stopping() || !still_allowed(*item);
        });
        if (going.empty())
            co_return;
        for (const work_item* item : going)
            wanted.push_back({item->step->id});
        sent = co_await registry.delete_manifests(going.front()->step->repository, wanted, lease.buffers());
        if (sent)
            pipeline.answered(http::clock::now(), static_cast<unsigned>(wanted.size()));
        for (std::size_t i = 0; i != wanted.size(); ++i)
            if (wanted[i].settled)
                co_await conclude(*going[i], wanted[i].found, lease.buffers());
    }
    const auto unanswered_at = http::clock::now();
    for (std::size_t i = 0; i != wanted.size(); ++i) {
        if (!wanted[i].settled && sent)
            co_await remove_unanswered(*going[i], unanswered_at);
        else if (!wanted[i].settled)
            co_await remove_alone(*going[i]);
    }
}

awaitable<void> sweeper::impl::remove_alone(work_item& item)
{
    const bool may = co_await may_go(item);
    if (!may)
        co_return;
    auto lease = co_await leases.get();
    if (stopping())
        co_return not_attempted(item);
    if (!still_allowed(item)) // while it waited, another step may have looked again
        co_return;
    const auto sent = http::clock::now();
    const auto deleted = co_await registry.delete_manifest(item.step->repository, item.step->id, lease.buffers());
    pipeline.answered(http::clock::now(), 1);
    tell_of_delete(sent, deleted);
    co_await conclude(item, deleted, lease.buffers());
}

// The answer to its delete was lost with those of others, and with the look that it was sent after. If it is still
// there it is asked for again alone, after a new look.
awaitable<void> sweeper::impl::remove_unanswered(work_item& item, http::clock::time_point at)
{
    item.unanswered_at = at;
    {
        auto lease = co_await leases.get();
        const auto now = co_await registry.resolve(item.step->repository, item.step->id.to_string(), lease.buffers());
        if (!now && now.error().is(errc::cancelled))
            co_return fail_for_good(now.error()); // looked up by the next run
        if (!now)
            co_return leave_open(item, "its delete got no answer, and then: " + now.error().message());
        if (!*now)
            co_return done(item, journal_state::done, "it is gone; the answer to its delete was lost");
    }
    co_await remove_alone(item);
}

// What came of a delete.
awaitable<void> sweeper::impl::conclude(work_item& item, result<bool> deleted, registry_buffers& buffers)
{
    if (!deleted)
        co_return co_await remove_failed(item, deleted.error(), buffers);
    if (*deleted)
        co_return done(item, journal_state::done);
    // It was there a moment ago. Some registries say 404 where they mean no.
    const auto now = co_await registry.resolve(item.step->repository, item.step->id.to_string(), buffers);
    if (!now && now.error().is(errc::cancelled))
        co_return fail_for_good(now.error());
    if (!now)
        co_return leave_open(item, "the registry answered 404 and then not at all: " + now.error().message());
    if (*now)
        co_return done(item, journal_state::failed, "the registry says that it is not there (404), and still has it");
    done(item, journal_state::gone);
}

awaitable<void> sweeper::impl::remove_failed(work_item& item, error why, registry_buffers& buffers)
{
    if (why.is(errc::cancelled))
        co_return fail_for_good(why); // whether it was done is looked up by the next run
    if (why.is(errc::unsupported)) {
        why.detail = how_to_enable_deletion;
        fail_for_good(why);
        co_return done(item, journal_state::failed, why.message());
    }
    // A refusal may be of a repetition, and the first request, whose answer was lost, have been carried out.
    const auto now = co_await registry.resolve(item.step->repository, item.step->id.to_string(), buffers);
    if (!now && now.error().is(errc::cancelled))
        co_return fail_for_good(now.error());
    if (!now && may_have_happened(why))
        co_return leave_open(item, why.message());
    if (!now || *now)
        co_return done(item, journal_state::failed, why.message());
    done(item, journal_state::done, "it is gone, although the registry said: " + why.message());
}

} // namespace regsweep
