#include "regsweep/sweep/sweeper.hpp"

#include "sweep/sweeper_impl.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>

namespace regsweep {
namespace {

namespace asio = boost::asio;
using http::awaitable;

constexpr std::size_t group_size = 256; // steps that are fetched, journaled and deleted together
constexpr std::size_t groups_at_once = 4;

// Tags of the same repository that the plan knows to stay: all there is to go by without a look at the registry.
std::vector<std::string> known_others(const plan_step& step)
{
    std::vector<std::string> out;
    for (const auto& name : step.also_used_by)
        if (name.repository == step.repository)
            out.push_back(name.tag);
    return out;
}

void note_children(repository_sweep& home)
{
    for (const auto& step : home.steps) {
        if (step.kind != step_kind::remove)
            continue;
        std::vector<digest> all = step.children;
        if (const auto found = home.live.indexes.find(step.id); found != home.live.indexes.end())
            all.insert(all.end(), found->second.begin(), found->second.end());
        if (!all.empty())
            home.children.emplace(step.id, std::move(all));
    }
}

bool is_untag(const plan_step* step)
{
    return step->kind == step_kind::untag;
}

// The steps in the order of `order_for_delete`, parted so that no manifest is in the same part as an index that lists
// it: only when an index is gone may what it lists be touched.
std::vector<std::vector<const plan_step*>> generations(const repository_sweep& home,
                                                       const std::vector<const plan_step*>& steps)
{
    if (home.children.empty())
        return {steps};
    std::vector<digest> ids;
    ids.reserve(steps.size());
    for (const plan_step* step : steps)
        ids.push_back(step->id);
    std::unordered_map<digest, std::size_t> level;
    std::vector<std::vector<const plan_step*>> out;
    for (const std::size_t i : parents_first(ids, [&](std::size_t k) { return home.children_of(*steps[k]); })) {
        const std::size_t mine = level[ids[i]];
        for (const digest& child : home.children_of(*steps[i]))
            if (child != ids[i])
                level[child] = std::max(level[child], mine + 1);
        out.resize(std::max(out.size(), mine + 1));
        out[mine].push_back(steps[i]);
    }
    return out;
}

} // namespace

sweeper::impl::impl(sweep_options o)
    : options(std::move(o)), client(context, options.http), registry(client, options.address, options.registry),
      leases(std::max(1U, options.concurrency)), deletes(options.delete_rate), pipeline(options.pipeline)
{}

sweeper::sweeper(sweep_options options) : impl_(std::make_unique<impl>(std::move(options))) {}

sweeper::~sweeper() = default;

void sweeper::impl::run_to_end(awaitable<void> main)
{
    std::exception_ptr thrown;
    asio::co_spawn(context, std::move(main), [&](std::exception_ptr e) {
        thrown = std::move(e);
        context.stop();
    });
    context.run();
    context.restart();
    if (thrown)
        std::rethrow_exception(thrown);
}

void sweeper::impl::fail_for_good(error why)
{
    if (!fatal)
        fatal = std::move(why);
    slot_bed.cancel();
}

// Settles a step, in the journal where it is there already.
void sweeper::impl::done(const work_item& item, journal_state state, std::string message)
{
    if (state == journal_state::failed && item.unanswered_at) // it may be carried out late
        return leave_open(item, std::move(message));
    const plan_step& step = *item.step;
    index_change change;
    change.repository = step.repository;
    change.digest = step.id;
    const bool took = state == journal_state::done || state == journal_state::gone;
    item.home->end_of(step) = took ? step_end::taken : step_end::stayed;
    if (took && step.kind == step_kind::remove) {
        change.what = index_change::kind::remove_digest;
    } else if (took) {
        change.what = index_change::kind::remove_tag;
        change.tag = step.tags.front();
    }
    if (state == journal_state::done && step.kind == step_kind::remove)
        ++report.removed;
    if (state == journal_state::done && step.kind == step_kind::untag)
        ++report.untagged;
    if (state == journal_state::done)
        report.removed_tags += step.kind == step_kind::remove ? item.tags.size() : 1;
    if (state == journal_state::gone)
        ++report.gone;
    if (state == journal_state::failed)
        count_failure(item, message);
    step_over();
    retries.store(client.stats().retries, std::memory_order_relaxed);
    in_flight.store(leases.out(), std::memory_order_relaxed);
    if (item.entry != 0 || took)
        log->settle({item.entry, state, std::move(message)}, std::move(change));
}

void sweeper::impl::count_failure(const work_item& item, std::string message)
{
    const plan_step& step = *item.step;
    report.failed.push_back({step.repository, step.id, step.tags, std::move(message)});
    steps_failed.store(report.failed.size(), std::memory_order_relaxed);
    if (options.max_failures == 0 || report.failed.size() < options.max_failures)
        return;
    report.stopped = true;
    slot_bed.cancel();
}

// What became of it is not known: its entry stays as it is, for the next run to look up.
void sweeper::impl::leave_open(const work_item& item, std::string why)
{
    item.home->end_of(*item.step) = step_end::stayed;
    count_failure(item, std::move(why) + "; the next run or restore looks up what became of it");
    step_over();
}

// After it was journaled, the registry turned out to be another one than the plan's.
void sweeper::impl::leave_alone(const work_item& item, std::string why)
{
    settle_unsent(item, why);
    drop(*item.home, *item.step, std::move(why));
}

void sweeper::impl::not_attempted(const work_item& item)
{
    settle_unsent(item, "not attempted: the run was stopped before");
}

// The entry of a delete that was sent and got no answer stays open: it may be carried out late.
void sweeper::impl::settle_unsent(const work_item& item, std::string why)
{
    if (!item.unanswered_at)
        log->settle({item.entry, journal_state::failed, std::move(why)}, {});
}

void sweeper::impl::drop(repository_sweep& home, const plan_step& step, std::string why)
{
    home.end_of(step) = step_end::stayed;
    report.dropped.push_back({step.repository, step.id, step.tags, std::move(why)});
    step_over();
}

awaitable<void> sweeper::impl::sweep_all(const plan& what)
{
    const auto groups = by_repository(what.steps);
    auto each = [&](std::size_t i) -> awaitable<void> {
        // Large ones are looked at one after the other: while the journal takes what the first one needs, the next
        // is read. All at once would wait for the journal all at once.
        const std::size_t weight = std::min<std::size_t>(groups[i].size(), options.concurrency);
        co_await collecting.acquire();
        {
            const permit alone(collecting); // who has a part of what it needs must not wait for another one's part
            for (std::size_t k = 0; k != weight; ++k)
                co_await looks.acquire();
        }
        permit turn(looks, weight);
        ++active;
        co_await sweep_repository(groups[i], turn);
        --active;
    };
    co_await for_each_parallel(groups.size(), options.concurrency, each);
}

// Looks at the repository and decides about its steps.
awaitable<result<void>> sweeper::impl::check(repository_sweep& home)
{
    const auto begin = http::clock::now();
    auto read = co_await read_live(reading_of_registry(), home.steps.front().repository, home.steps,
                                   home.checked ? nullptr : &home.shelf);
    if (!read)
        co_return read.error();
    home.live = *std::move(read);
    home.read_at = begin;
    home.read_for = http::clock::now() - begin;
    home.verdicts = regsweep::verify(home.steps, home.live, home.ends);
    home.tags_of.clear();
    for (const auto& [tag, id] : home.live.tags)
        home.tags_of[id].push_back(tag);
    home.checked = true;
    co_return result<void>();
}

// The steps that go ahead; settles the others.
std::vector<const plan_step*> sweeper::impl::judge(repository_sweep& home)
{
    std::vector<const plan_step*> going;
    for (const auto& step : home.steps) {
        if (!home.checked) {
            going.push_back(&step);
            continue;
        }
        const step_verdict& said = home.verdict_of(step);
        if (said.what == verdict::gone)
            done({&step, &home}, journal_state::gone);
        else if (!said.go())
            drop(home, step, said.text());
        else
            going.push_back(&step);
        note_moved(home, step, said);
    }
    return going;
}

// Names the tags that do not go with a step that goes ahead, and tells the index where they all are now.
void sweeper::impl::note_moved(const repository_sweep& home, const plan_step& step, const step_verdict& said)
{
    std::vector<std::string> names;
    for (const moved_tag& moved : said.moved_tags) {
        names.push_back(moved.tag);
        const auto type = home.live.types.find(moved.now);
        index_change change{index_change::kind::move_tag, step.repository, moved.now, moved.tag};
        change.type = type == home.live.types.end() ? media_type::unknown : type->second;
        log->settle({}, std::move(change));
    }
    if (said.go() && !names.empty())
        report.dropped.push_back({step.repository, step.id, std::move(names), said.text()});
}

awaitable<void> sweeper::impl::sweep_repository(std::span<const plan_step> steps, permit& turn)
{
    if (stopping())
        co_return;
    repository_sweep home(steps, shelf_room);
    if (options.verify) {
        const auto read = co_await check(home);
        if (!read && read.error().is(errc::cancelled))
            co_return fail_for_good(read.error());
        if (!read) {
            for (const auto& step : steps)
                done({&step, &home}, journal_state::failed,
                     "the repository could not be checked: " + read.error().message());
            co_return;
        }
    }
    turn.give_back();
    note_children(home);
    auto going = judge(home);
    // While a tag is being pushed, docker-registry 2.x breaks off in the middle of a delete in the same repository.
    const auto removals = std::ranges::stable_partition(going, is_untag);
    co_await carry_out(std::span(going.begin(), removals.begin()), home);
    if (stopping())
        co_return;
    going.erase(going.begin(), removals.begin());
    std::unordered_set<digest> kept; // listed by an index that is still there
    for (auto& part : generations(home, going)) {
        std::vector<const plan_step*> mine;
        for (const plan_step* step : part) {
            if (kept.contains(step->id))
                drop(home, *step, "an index that lists it could not be deleted");
            else
                mine.push_back(step);
        }
        co_await carry_out(mine, home);
        if (stopping())
            co_return;
        for (const plan_step* step : part) {
            const auto children = home.children_of(*step);
            if (home.end_of(*step) != step_end::taken)
                kept.insert(children.begin(), children.end());
        }
    }
}

// A group at a time; groups overlap, so that the network does not wait for the disk.
awaitable<void> sweeper::impl::carry_out(std::span<const plan_step* const> steps, repository_sweep& home)
{
    auto one_group = [&](std::size_t g) -> awaitable<void> {
        const std::size_t begin = g * group_size;
        co_await carry_out_group(steps.subspan(begin, std::min(group_size, steps.size() - begin)), home);
    };
    const std::size_t groups = (steps.size() + group_size - 1) / group_size;
    co_await for_each_parallel(groups, groups_at_once, one_group);
}

// Fetches, journals, deletes. The steps are of one kind.
awaitable<void> sweeper::impl::carry_out_group(std::span<const plan_step* const> steps, repository_sweep& home)
{
    if (stopping())
        co_return;
    std::vector<work_item> items;
    items.reserve(steps.size());
    for (const plan_step* step : steps)
        items.push_back({step, &home});
    std::vector<work_item*> to_fetch;
    for (auto& item : items) {
        item.content = home.shelf.take(item.step->id);
        if (item.content)
            make_ready(item);
        else
            to_fetch.push_back(&item);
    }
    auto fetch = [&](std::size_t i) -> awaitable<void> { co_await prepare(*to_fetch[i]); };
    co_await for_each_parallel(to_fetch.size(), share(), fetch);
    std::vector<journal_intent> intents;
    std::vector<work_item*> ready;
    for (auto& item : items) {
        if (!item.ready)
            continue;
        intents.push_back(intent_of(item));
        ready.push_back(&item);
    }
    if (ready.empty() || stopping())
        co_return;
    auto entries = co_await log->intend(std::move(intents));
    if (!entries)
        co_return fail_for_good(entries.error());
    for (std::size_t i = 0; i != ready.size(); ++i)
        ready[i]->entry = (*entries)[i];
    const bool untags = is_untag(steps.front());
    const std::size_t depth = untags ? 1 : deletes_together();
    auto some = [&](std::size_t chunk) -> awaitable<void> {
        const auto mine = std::span(ready).subspan(chunk * depth, std::min(depth, ready.size() - chunk * depth));
        if (untags)
            co_await untag(*mine.front());
        else
            co_await remove(mine);
    };
    co_await for_each_parallel((ready.size() + depth - 1) / depth, share() / depth, some);
}

// Reads what the journal keeps of a step.
awaitable<void> sweeper::impl::prepare(work_item& item)
{
    if (stopping())
        co_return;
    const plan_step& step = *item.step;
    auto lease = co_await leases.get();
    auto found = co_await registry.get_manifest(step.repository, step.id.to_string(), lease.buffers());
    if (!found) {
        if (found.error().is(errc::cancelled))
            co_return fail_for_good(found.error());
        co_return done(item, journal_state::failed, "its manifest could not be kept: " + found.error().message());
    }
    if (!*found)
        co_return done(item, journal_state::gone);
    item.content = *std::move(*found);
    make_ready(item);
}

// What else the journal keeps of a step whose manifest is there.
void sweeper::impl::make_ready(work_item& item)
{
    const plan_step& step = *item.step;
    if (!item.home->checked)
        item.tags = step.tags;
    else if (const auto now = item.home->tags_of.find(step.id); now != item.home->tags_of.end())
        item.tags = now->second;
    if (step.kind == step_kind::untag) {
        item.placeholder = make_placeholder(step, run_id);
        item.other_tags = item.home->checked ? item.tags : known_others(step);
        std::erase(item.other_tags, step.tags.front());
    }
    item.ready = true;
}

journal_intent sweeper::impl::intent_of(work_item& item) const
{
    journal_intent intent;
    intent.repository = item.step->repository;
    intent.digest = item.step->id;
    intent.media_type = item.content->content_type;
    if (item.step->kind == step_kind::remove) {
        intent.tags = item.tags;
        intent.manifest = item.content->body;
        return intent;
    }
    intent.kind = journal_kind::untag;
    intent.tags = item.step->tags;
    intent.manifest = item.content->body; // needed again where the tag has to be put back
    intent.placeholder = digest::of(item.placeholder);
    return intent;
}

result<sweep_report> sweeper::run(const plan& what, journal& records, index* known)
{
    impl& self = *impl_;
    const auto begin = http::clock::now();
    self.steps_total.store(what.steps.size(), std::memory_order_relaxed);
    if (const auto repaired = self.repair_all(records, known); !repaired)
        return repaired.error();
    const auto run = records.begin_run(self.options.address.canonical(), what.header.command);
    if (!run)
        return run.error();
    self.run_id = self.report.run = *run;
    self.run_number.store(*run, std::memory_order_relaxed);
    {
        recorder log(records, *run, known);
        self.log = &log;
        self.run_to_end(self.sweep_all(what));
        self.log = nullptr;
        const auto written = log.finish();
        if (!written)
            self.fail_for_good(written.error());
    }
    const auto closed =
        records.finish_run(*run, self.fatal || self.report.stopped ? run_state::interrupted : run_state::done);
    if (self.fatal)
        return *self.fatal;
    if (!closed)
        return closed.error();
    self.report.requests = self.client.stats().requests;
    self.report.retries = self.client.stats().retries;
    self.report.seconds = std::chrono::duration<double>(http::clock::now() - begin).count();
    return std::move(self.report);
}

void sweeper::cancel()
{
    asio::post(impl_->context, [self = impl_.get()] {
        self->fail_for_good({errc::cancelled, {}});
        self->client.cancel();
    });
}

sweep_progress sweeper::progress() const
{
    sweep_progress out;
    out.run = impl_->run_number.load(std::memory_order_relaxed);
    out.steps = impl_->steps_total.load(std::memory_order_relaxed);
    out.done = impl_->steps_done.load(std::memory_order_relaxed);
    out.failed = impl_->steps_failed.load(std::memory_order_relaxed);
    out.in_flight = impl_->in_flight.load(std::memory_order_relaxed);
    out.retries = impl_->retries.load(std::memory_order_relaxed);
    return out;
}

} // namespace regsweep
