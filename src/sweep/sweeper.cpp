#include "regsweep/sweep/sweeper.hpp"

#include "regsweep/registry/manifest.hpp"
#include "sweep/live.hpp"
#include "sweep/recorder.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <optional>
#include <unordered_set>

namespace regsweep {
namespace {

namespace asio = boost::asio;
using http::awaitable;

constexpr std::size_t group_size = 256; // steps that are fetched, journaled and deleted together
constexpr std::string_view placeholder_type = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view placeholder_config = "{}";

constexpr const char* how_to_enable =
    "the registry does not allow deletion: set storage.delete.enabled: true in its configuration, or "
    "REGISTRY_STORAGE_DELETE_ENABLED=true in its environment, and start it again";

// A manifest that nobody else has: it takes the place of a tag's manifest, so that deleting it takes the tag alone.
std::string placeholder_for(const plan_step& step, std::int64_t run)
{
    const std::string config = digest::of(placeholder_config).to_string();
    return "{\"schemaVersion\":2,\"mediaType\":\"" + std::string(placeholder_type) +
           "\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" + config +
           "\",\"size\":" + std::to_string(placeholder_config.size()) +
           "},\"layers\":[],\"annotations\":{\"regsweep.untag\":\"" + step.repository + ":" + step.tags.front() + " " +
           std::to_string(run) + " " + std::to_string(http::clock::now().time_since_epoch().count()) + "\"}}";
}

// One step on its way: fetched, journaled, carried out.
struct work_item
{
    const plan_step* step = nullptr;
    std::vector<std::string> tags;       // that point to it now
    std::vector<std::string> other_tags; // for an untag: those that are to stay
    std::optional<manifest> content;
    std::string placeholder;
    std::int64_t entry = 0;
    bool ready = false;
};

std::span<const plan_step> steps_of(const plan& what, std::size_t begin)
{
    std::size_t end = begin;
    while (end != what.steps.size() && what.steps[end].repository == what.steps[begin].repository)
        ++end;
    return std::span(what.steps).subspan(begin, end - begin);
}

std::vector<std::span<const plan_step>> by_repository(const plan& what)
{
    std::vector<std::span<const plan_step>> out;
    for (std::size_t i = 0; i != what.steps.size(); i += out.back().size())
        out.push_back(steps_of(what, i));
    return out;
}

bool is_gone_blob(const error& e)
{
    return e.registry_code == "MANIFEST_BLOB_UNKNOWN" || e.registry_code == "BLOB_UNKNOWN" ||
           e.registry_code == "MANIFEST_UNKNOWN";
}

} // namespace

struct sweeper::impl
{
    explicit impl(sweep_options o)
        : options(std::move(o)), client(context, options.http), registry(client, options.address, options.registry),
          leases(options.concurrency), deletes(options.delete_rate)
    {}

    void run_to_end(awaitable<void> main);
    bool stopping() const { return fatal || report.stopped || (log != nullptr && log->failed()); }
    void fail_for_good(error why);

    awaitable<void> sweep_all(const plan& what);
    awaitable<void> sweep_repository(std::span<const plan_step> steps);
    awaitable<void> carry_out(std::span<const plan_step* const> steps, const live_state* live);
    awaitable<void> prepare(work_item& item, const live_state* live);
    awaitable<void> remove(work_item& item);
    awaitable<void> untag(work_item& item);
    awaitable<void> untag_by_placeholder(work_item& item, registry_buffers& buffers);
    awaitable<bool> untag_harmed(work_item& item, registry_buffers& buffers);
    awaitable<bool> deletion_enabled(const std::string& repository, registry_buffers& buffers);
    awaitable<void> wait_for_delete_slot();
    awaitable<void> repair(std::vector<journal_entry> entries, journal& records, index* known);
    awaitable<void> restore_repository(journal& records, index* known, const std::vector<journal_entry>& entries,
                                       bool dry_run, restore_report& out);
    result<void> record_restored(journal& records, index* known);
    awaitable<void> restore_entry(const journal_entry& entry, std::string body, bool dry_run, restore_report& out);
    awaitable<result<void>> collect_children(std::string repository, std::vector<plan_step>& steps);

    void done(const work_item& item, journal_state state, std::string message = {});
    void drop(const plan_step& step, std::string why);

    sweep_options options;
    asio::io_context context{1};
    http::client client;
    registry_client registry;
    lease_pool leases;
    http::rate_limiter deletes;
    recorder* log = nullptr;
    std::int64_t run_id = 0;
    sweep_report report;
    struct returned
    {
        const journal_entry* entry;
        std::vector<std::string> tags; // that were put back
    };
    std::vector<returned> restored;
    std::optional<error> fatal;
    enum class untag_way : std::uint8_t { unknown, by_tag, by_placeholder };
    untag_way way = untag_way::unknown;
    std::unordered_set<std::string> with_placeholder_config;

    std::atomic<std::uint64_t> steps_total{0};
    std::atomic<std::uint64_t> steps_done{0};
    std::atomic<std::uint64_t> steps_failed{0};
    std::atomic<std::uint64_t> retries{0};
    std::atomic<std::uint64_t> in_flight{0};
};

sweeper::sweeper(sweep_options options) : impl_(std::make_unique<impl>(std::move(options))) {}

sweeper::~sweeper() = default;

void sweeper::impl::run_to_end(awaitable<void> main)
{
    auto wrapped = [](impl& self, awaitable<void> inner) -> awaitable<void> {
        co_await std::move(inner);
        self.context.stop();
    };
    asio::co_spawn(context, wrapped(*this, std::move(main)), asio::detached);
    context.run();
    context.restart();
}

void sweeper::impl::fail_for_good(error why)
{
    if (!fatal)
        fatal = std::move(why);
}

// Settles a step, in the journal where it is there already.
void sweeper::impl::done(const work_item& item, journal_state state, std::string message)
{
    const plan_step& step = *item.step;
    recorder::change change;
    change.repository = step.repository;
    change.digest = step.id;
    const bool took = state == journal_state::done || state == journal_state::gone;
    if (took && step.kind == step_kind::remove) {
        change.what = recorder::change::kind::remove_digest;
    } else if (took) {
        change.what = recorder::change::kind::remove_tag;
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
    if (state == journal_state::failed) {
        report.failed.push_back({step.repository, step.id, step.tags, message});
        steps_failed.store(report.failed.size(), std::memory_order_relaxed);
        if (options.max_failures != 0 && report.failed.size() >= options.max_failures)
            report.stopped = true;
    }
    steps_done.fetch_add(1, std::memory_order_relaxed);
    retries.store(client.stats().retries, std::memory_order_relaxed);
    in_flight.store(leases.out(), std::memory_order_relaxed);
    if (item.entry != 0 || took)
        log->settle({item.entry, state, std::move(message)}, std::move(change));
}

void sweeper::impl::drop(const plan_step& step, std::string why)
{
    report.dropped.push_back({step.repository, step.id, step.tags, std::move(why)});
    steps_done.fetch_add(1, std::memory_order_relaxed);
}

awaitable<void> sweeper::impl::sweep_all(const plan& what)
{
    const auto groups = by_repository(what);
    auto each = [&](std::size_t i) -> awaitable<void> { co_await sweep_repository(groups[i]); };
    co_await for_each_parallel(groups.size(), options.concurrency, each);
}

awaitable<void> sweeper::impl::sweep_repository(std::span<const plan_step> steps)
{
    if (stopping())
        co_return;
    std::optional<live_state> live;
    std::vector<const plan_step*> first; // those that no index of this plan lists
    std::vector<const plan_step*> children;
    std::unordered_set<digest> listed;
    for (const auto& step : steps)
        listed.insert(step.children.begin(), step.children.end());
    std::vector<step_verdict> verdicts;
    if (options.verify) {
        auto read = co_await read_live(registry, leases, options.page_size, options.concurrency,
                                       steps.front().repository, steps);
        if (!read) {
            if (read.error().is(errc::cancelled))
                co_return fail_for_good(read.error());
            for (const auto& step : steps)
                done({&step, {}, {}, {}, {}, 0, false}, journal_state::failed,
                     "the repository could not be checked: " + read.error().message());
            co_return;
        }
        live = *std::move(read);
        verdicts = regsweep::verify(steps, *live);
    }
    for (std::size_t i = 0; i != steps.size(); ++i) {
        const plan_step& step = steps[i];
        if (!verdicts.empty() && !verdicts[i].go()) {
            if (verdicts[i].what == verdict::gone)
                done({&step, {}, {}, {}, {}, 0, false}, journal_state::gone);
            else
                drop(step, verdicts[i].text());
            continue;
        }
        if (!verdicts.empty() && !verdicts[i].moved_tags.empty())
            report.dropped.push_back({step.repository, step.id, {}, verdicts[i].text()});
        (listed.contains(step.id) ? children : first).push_back(&step);
    }
    co_await carry_out(first, live ? &*live : nullptr);
    if (children.empty() || stopping())
        co_return;
    // Children of an index that is still there must stay with it.
    std::unordered_set<digest> kept;
    const auto keep_children_of = [&](const plan_step& step) {
        kept.insert(step.children.begin(), step.children.end());
    };
    const auto has_failed = [&](const plan_step& step) {
        return std::any_of(report.failed.begin(), report.failed.end(), [&](const sweep_exception& f) {
            return f.digest == step.id && f.repository == step.repository;
        });
    };
    for (const plan_step* step : first)
        if (!step->children.empty() && has_failed(*step))
            keep_children_of(*step);
    std::vector<plan_step> again;
    for (const plan_step* step : children)
        again.push_back(*step);
    order_for_delete(again);
    const auto keep = [&](const plan_step& step) {
        if (!kept.contains(step.id))
            return false;
        drop(step, "the index that lists it could not be deleted");
        keep_children_of(step);
        return true;
    };
    // Nested indexes one after the other, each only when its parents are gone; then all that is no index.
    std::vector<const plan_step*> leaves;
    for (const auto& step : again) {
        if (step.children.empty()) {
            leaves.push_back(&step);
        } else if (!keep(step)) {
            const plan_step* const one[] = {&step};
            co_await carry_out(one, live ? &*live : nullptr);
            if (has_failed(step))
                keep_children_of(step);
        }
    }
    std::erase_if(leaves, [&](const plan_step* step) { return keep(*step); });
    co_await carry_out(leaves, live ? &*live : nullptr);
}

// Fetches, journals and deletes, a group at a time; groups overlap, so that the network does not wait for the disk.
awaitable<void> sweeper::impl::carry_out(std::span<const plan_step* const> steps, const live_state* live)
{
    auto one_group = [&](std::size_t g) -> awaitable<void> {
        if (stopping())
            co_return;
        const auto mine = steps.subspan(g * group_size, std::min(group_size, steps.size() - g * group_size));
        std::vector<work_item> items(mine.size());
        for (std::size_t i = 0; i != mine.size(); ++i)
            items[i].step = mine[i];
        auto fetch = [&](std::size_t i) -> awaitable<void> { co_await prepare(items[i], live); };
        co_await for_each_parallel(items.size(), options.concurrency, fetch);
        std::vector<journal_intent> intents;
        std::vector<work_item*> ready;
        for (auto& item : items) {
            if (!item.ready)
                continue;
            journal_intent intent;
            intent.repository = item.step->repository;
            intent.digest = item.step->id;
            intent.kind = item.step->kind == step_kind::untag ? journal_kind::untag : journal_kind::remove;
            intent.media_type = item.content->content_type;
            intent.tags = item.step->kind == step_kind::untag ? item.step->tags : item.tags;
            intent.manifest = std::move(item.content->body);
            if (!item.placeholder.empty())
                intent.placeholder = digest::of(item.placeholder);
            intents.push_back(std::move(intent));
            ready.push_back(&item);
        }
        if (ready.empty() || stopping())
            co_return;
        auto entries = co_await log->intend(std::move(intents));
        if (!entries)
            co_return fail_for_good(entries.error());
        for (std::size_t i = 0; i != ready.size(); ++i)
            ready[i]->entry = (*entries)[i];
        auto act = [&](std::size_t i) -> awaitable<void> {
            work_item& item = *ready[i];
            if (stopping())
                co_return done(item, journal_state::failed, "not attempted: the run was stopped before");
            if (item.step->kind == step_kind::untag)
                co_await untag(item);
            else
                co_await remove(item);
        };
        co_await for_each_parallel(ready.size(), options.concurrency, act);
    };
    const std::size_t groups = (steps.size() + group_size - 1) / group_size;
    co_await for_each_parallel(groups, 4, one_group);
}

// Reads what the journal keeps of a step.
awaitable<void> sweeper::impl::prepare(work_item& item, const live_state* live)
{
    if (stopping())
        co_return;
    const plan_step& step = *item.step;
    item.tags = step.tags;
    if (live != nullptr) {
        item.tags.clear();
        for (const auto& [tag, id] : live->tags)
            if (id == step.id)
                item.tags.push_back(tag);
    }
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
    if (step.kind == step_kind::untag) {
        item.placeholder = placeholder_for(step, run_id);
        item.other_tags = item.tags;
        std::erase(item.other_tags, step.tags.front());
    }
    item.ready = true;
}

awaitable<void> sweeper::impl::wait_for_delete_slot()
{
    if (!deletes.limited())
        co_return;
    const auto now = http::clock::now();
    const auto slot = deletes.reserve(now);
    if (slot > now)
        co_await client.wait_until(slot);
}

awaitable<void> sweeper::impl::remove(work_item& item)
{
    auto lease = co_await leases.get();
    co_await wait_for_delete_slot();
    if (stopping())
        co_return done(item, journal_state::failed, "not attempted: the run was stopped before");
    const auto deleted = co_await registry.delete_manifest(item.step->repository, item.step->id, lease.buffers());
    if (deleted)
        co_return done(item, *deleted ? journal_state::done : journal_state::gone);
    error why = deleted.error();
    if (why.is(errc::cancelled))
        co_return fail_for_good(why); // whether it was done is looked up by the next run
    if (why.is(errc::unsupported)) {
        why.detail = how_to_enable;
        fail_for_good(why);
    }
    done(item, journal_state::failed, why.message());
}

awaitable<bool> sweeper::impl::deletion_enabled(const std::string& repository, registry_buffers& buffers)
{
    // A digest that is not there: 404 where deletion is enabled.
    const auto probe = co_await registry.delete_manifest(repository, digest::of(repository + " probe"), buffers);
    co_return probe || !probe.error().is(errc::unsupported);
}

awaitable<void> sweeper::impl::untag(work_item& item)
{
    const plan_step& step = *item.step;
    const std::string& tag = step.tags.front();
    auto lease = co_await leases.get();
    co_await wait_for_delete_slot();
    if (stopping())
        co_return done(item, journal_state::failed, "not attempted: the run was stopped before");
    const auto now = co_await registry.resolve(step.repository, tag, lease.buffers());
    if (!now && now.error().is(errc::cancelled))
        co_return fail_for_good(now.error());
    if (!now)
        co_return done(item, journal_state::failed, now.error().message());
    if (!*now)
        co_return done(item, journal_state::gone);
    if ((*now)->digest != step.id)
        co_return done(item, journal_state::failed,
                       "tag " + tag + " points to " + (*now)->digest.to_string() + " now and was left alone");
    if (way != untag_way::by_placeholder) {
        const auto deleted = co_await registry.delete_tag(step.repository, tag, lease.buffers());
        if (deleted) {
            way = untag_way::by_tag;
            const bool harmed = co_await untag_harmed(item, lease.buffers());
            if (!harmed)
                done(item, *deleted ? journal_state::done : journal_state::gone);
            co_return;
        }
        if (deleted.error().is(errc::cancelled))
            co_return fail_for_good(deleted.error());
        if (!deleted.error().is(errc::unsupported))
            co_return done(item, journal_state::failed, deleted.error().message());
        if (deleted.error().http_status == 405) {
            const bool enabled = co_await deletion_enabled(step.repository, lease.buffers());
            if (!enabled) {
                error why = deleted.error();
                why.detail = how_to_enable;
                done(item, journal_state::failed, why.message());
                co_return fail_for_good(why);
            }
        }
        way = untag_way::by_placeholder;
    }
    co_await untag_by_placeholder(item, lease.buffers());
}

// Some registries delete the manifest when asked to delete its tag. Then all is put back and the run ends.
awaitable<bool> sweeper::impl::untag_harmed(work_item& item, registry_buffers& buffers)
{
    const plan_step& step = *item.step;
    const auto still = co_await registry.resolve(step.repository, step.id.to_string(), buffers);
    if (!still || *still)
        co_return false;
    const std::string id = step.id.to_string();
    std::vector<std::string> references = item.other_tags;
    references.push_back(step.tags.front());
    references.push_back(id);
    std::string lost;
    for (const auto& reference : references) {
        const auto put = co_await registry.put_manifest(step.repository, reference, item.content->content_type,
                                                        item.content->body, buffers);
        if (!put)
            lost += " " + reference + " could not be put back (" + put.error().message() + ")";
    }
    error why(errc::unsupported,
              "this registry deletes the manifest with its tag, so that --untag cannot be used here; " +
                  (lost.empty() ? "the manifest and its tags were put back" : lost));
    done(item, journal_state::failed, why.message());
    fail_for_good(why);
    co_return true;
}

awaitable<void> sweeper::impl::untag_by_placeholder(work_item& item, registry_buffers& buffers)
{
    const plan_step& step = *item.step;
    const std::string& tag = step.tags.front();
    const auto give_up = [&](const error& e, const char* doing) {
        if (e.is(errc::cancelled))
            return fail_for_good(e);
        std::string text = std::string(doing) + ": " + e.message();
        if (e.is(errc::unauthorized) || e.is(errc::forbidden))
            text += "; this registry cannot delete a tag by itself, and the way around it needs the right to push";
        done(item, journal_state::failed, text);
    };
    if (!with_placeholder_config.contains(step.repository)) {
        const auto config = co_await registry.put_blob(step.repository, placeholder_config, buffers);
        if (!config)
            co_return give_up(config.error(), "the placeholder could not be pushed");
        with_placeholder_config.insert(step.repository);
    }
    const auto put = co_await registry.put_manifest(step.repository, tag, placeholder_type, item.placeholder, buffers);
    if (!put)
        co_return give_up(put.error(), "the placeholder could not be pushed");
    const auto deleted = co_await registry.delete_manifest(step.repository, *put, buffers);
    if (deleted)
        co_return done(item, journal_state::done);
    if (deleted.error().is(errc::cancelled))
        co_return fail_for_good(deleted.error());
    const auto back =
        co_await registry.put_manifest(step.repository, tag, item.content->content_type, item.content->body, buffers);
    if (back)
        co_return give_up(deleted.error(), "the placeholder could not be deleted, the tag was put back");
    report.failed.push_back({step.repository, step.id, step.tags,
                             "the placeholder under the tag could not be deleted (" + deleted.error().message() +
                                 "); the next run repairs it"});
}

// What a killed run left open: looked up in the registry, and brought to an end.
awaitable<void> sweeper::impl::repair(std::vector<journal_entry> entries, journal& records, index* known)
{
    std::vector<journal_outcome> outcomes;
    auto each = [&](std::size_t i) -> awaitable<void> {
        const journal_entry& entry = entries[i];
        const bool untagging = entry.kind == journal_kind::untag && !entry.tags.empty();
        auto lease = co_await leases.get();
        const std::string reference = untagging ? entry.tags.front() : entry.digest.to_string();
        const auto now = co_await registry.resolve(entry.repository, reference, lease.buffers());
        if (!now)
            co_return; // stays open for the next run
        if (untagging && *now && (*now)->digest == entry.placeholder) {
            const auto deleted =
                co_await registry.delete_manifest(entry.repository, entry.placeholder, lease.buffers());
            if (!deleted)
                co_return;
        } else if (*now) {
            outcomes.push_back({entry.id, journal_state::failed, "the run was cut short before it was carried out"});
            co_return;
        }
        outcomes.push_back({entry.id, journal_state::done, "looked up after the run was cut short"});
        if (known == nullptr)
            co_return;
        if (untagging) {
            const auto followed = known->remove_tag(entry.repository, entry.tags.front());
            if (!followed)
                fail_for_good(followed.error());
        } else {
            const auto followed = known->remove_digest(entry.repository, entry.digest);
            if (!followed)
                fail_for_good(followed.error());
        }
    };
    co_await for_each_parallel(entries.size(), options.concurrency, each);
    if (outcomes.empty())
        co_return;
    report.repaired = outcomes.size();
    const auto written = records.add_outcomes(outcomes);
    if (!written)
        fail_for_good(written.error());
}

result<sweep_report> sweeper::run(const plan& what, journal& records, index* known)
{
    impl& self = *impl_;
    const auto begin = http::clock::now();
    const std::string registry = self.options.address.canonical();
    auto open = records.unfinished(registry);
    if (!open)
        return open.error();
    self.steps_total.store(what.steps.size(), std::memory_order_relaxed);
    if (!open->empty())
        self.run_to_end(self.repair(*std::move(open), records, known));
    if (self.fatal)
        return *self.fatal;
    const auto run = records.begin_run(registry, what.header.command);
    if (!run)
        return run.error();
    self.run_id = self.report.run = *run;
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

awaitable<void> sweeper::impl::restore_entry(const journal_entry& entry, std::string body, bool dry_run,
                                             restore_report& out)
{
    const auto fail = [&](std::string why) {
        out.failed.push_back({entry.repository, entry.digest, entry.tags, std::move(why)});
    };
    auto lease = co_await leases.get();
    std::vector<std::string> missing;
    for (const auto& tag : entry.tags) {
        const auto now = co_await registry.resolve(entry.repository, tag, lease.buffers());
        if (!now)
            co_return now.error().is(errc::cancelled) ? fail_for_good(now.error()) : fail(now.error().message());
        if (!*now)
            missing.push_back(tag);
        else if ((*now)->digest != entry.digest)
            out.failed.push_back(
                {entry.repository,
                 entry.digest,
                 {tag},
                 "the tag exists again and points to " + (*now)->digest.to_string() + "; it was left alone"});
    }
    const std::string id = entry.digest.to_string();
    bool there = false;
    if (missing.empty()) {
        const auto now = co_await registry.resolve(entry.repository, id, lease.buffers());
        if (!now)
            co_return now.error().is(errc::cancelled) ? fail_for_good(now.error()) : fail(now.error().message());
        there = now->has_value();
        if (!there)
            missing.push_back(id); // without a tag it comes back under its digest
    }
    if (there) {
        ++out.already;
        if (!dry_run)
            restored.push_back({&entry, {}});
        co_return;
    }
    std::vector<std::string> tags = missing;
    std::erase(tags, id);
    for (const auto& reference : missing) {
        if (dry_run)
            continue;
        const auto put =
            co_await registry.put_manifest(entry.repository, reference, entry.media_type, body, lease.buffers());
        if (!put && put.error().is(errc::cancelled))
            co_return fail_for_good(put.error());
        if (!put)
            co_return fail(put.error().message() +
                           (is_gone_blob(put.error())
                                ? "; what it refers to is gone: the registry's garbage collection "
                                  "has run, or another image of this run has to come back first"
                                : ""));
        if (*put != entry.digest)
            co_return fail("the registry gave it another digest, " + put->to_string());
    }
    ++out.manifests;
    out.tags += tags.size();
    if (!dry_run)
        restored.push_back({&entry, std::move(tags)});
}

// Records in journal and index what has come back.
result<void> sweeper::impl::record_restored(journal& records, index* known)
{
    std::vector<std::int64_t> ids;
    for (const auto& one : restored)
        ids.push_back(one.entry->id);
    auto done = records.mark_restored(ids);
    if (!done || known == nullptr)
        return done;
    done = known->begin();
    for (const auto& one : restored)
        for (const auto& tag : one.tags)
            if (done)
                done = known->put_tag(one.entry->repository, tag, one.entry->digest,
                                      parse_media_type(one.entry->media_type));
    return done ? known->commit() : done;
}

awaitable<void> sweeper::impl::restore_repository(journal& records, index* known,
                                                  const std::vector<journal_entry>& entries, bool dry_run,
                                                  restore_report& out)
{
    std::vector<std::string> bodies(entries.size());
    std::vector<digest> ids;
    std::vector<std::vector<digest>> children(entries.size());
    std::vector<std::size_t> plain;
    for (std::size_t i = 0; i != entries.size(); ++i) {
        ids.push_back(entries[i].digest);
        auto body = records.manifest(entries[i].id);
        if (!body)
            co_return fail_for_good(body.error());
        if (*body)
            bodies[i] = **std::move(body);
        if (const auto listed = parse_children(bodies[i]))
            for (const auto& child : *listed)
                children[i].push_back(child.digest);
        if (children[i].empty())
            plain.push_back(i);
    }
    auto each = [&](std::size_t i) -> awaitable<void> {
        if (!fatal)
            co_await restore_entry(entries[plain[i]], bodies[plain[i]], dry_run, out);
    };
    co_await for_each_parallel(plain.size(), options.concurrency, each);
    auto order = parents_first(ids, [&](std::size_t i) { return std::span<const digest>(children[i]); });
    std::reverse(order.begin(), order.end());
    for (const std::size_t i : order)
        if (!children[i].empty() && !fatal)
            co_await restore_entry(entries[i], bodies[i], dry_run, out);
    const auto recorded = record_restored(records, known);
    restored.clear();
    if (!recorded)
        fail_for_good(recorded.error());
}

result<sweeper::restore_report> sweeper::restore(journal& records, std::int64_t run,
                                                 const std::vector<std::string>& only, bool dry_run, index* known)
{
    impl& self = *impl_;
    const auto begin = http::clock::now();
    restore_report out;
    std::map<std::string, std::vector<journal_entry>> by_name;
    std::uint64_t total = 0;
    const auto read = records.for_each_entry(run, [&](const journal_entry& entry) {
        if (entry.state != journal_state::done)
            return true;
        if (!only.empty() && std::find(only.begin(), only.end(), entry.repository) == only.end())
            return true;
        if (entry.restorable) {
            by_name[entry.repository].push_back(entry);
            ++total;
        } else {
            out.failed.push_back({entry.repository, entry.digest, entry.tags, "the journal has no manifest of it"});
        }
        return true;
    });
    if (!read)
        return read.error();
    self.steps_total.store(total, std::memory_order_relaxed);
    auto main = [&]() -> awaitable<void> {
        for (const auto& [name, entries] : by_name)
            if (!self.fatal)
                co_await self.restore_repository(records, known, entries, dry_run, out);
    };
    self.run_to_end(main());
    if (self.fatal)
        return *self.fatal;
    out.seconds = std::chrono::duration<double>(http::clock::now() - begin).count();
    return out;
}

awaitable<result<void>> sweeper::impl::collect_children(std::string repository, std::vector<plan_step>& steps)
{
    auto read = co_await read_live(registry, leases, options.page_size, options.concurrency, repository, steps);
    if (!read)
        co_return read.error();
    const live_state& live = *read;
    std::unordered_set<digest> going;
    for (const auto& step : steps)
        if (step.kind == step_kind::remove)
            going.insert(step.id);
    std::unordered_set<digest> used;
    for (const auto& [tag, id] : live.tags)
        if (!going.contains(id))
            used.insert(id);
    // An index without a tag is known only as a child of another one, or as a step.
    for (const auto& [id, listed] : live.indexes)
        if (!going.contains(id) && used.contains(id))
            used.insert(listed.begin(), listed.end());
    for (std::size_t i = 0; i != steps.size(); ++i) { // grows: children may be indexes too
        const auto found = live.indexes.find(steps[i].id);
        if (found == live.indexes.end() || steps[i].kind != step_kind::remove)
            continue;
        steps[i].children = found->second;
        for (const auto& child : found->second) {
            if (used.contains(child) || !going.insert(child).second)
                continue;
            plan_step step;
            step.repository = repository;
            step.id = child;
            if (const auto type = live.types.find(child); type != live.types.end())
                step.type = type->second;
            step.why = "listed by " + steps[i].id.to_string() + ", which goes, and by nothing that stays";
            steps.push_back(std::move(step));
        }
    }
    co_return result<void>();
}

result<void> sweeper::add_children(plan& what)
{
    impl& self = *impl_;
    std::vector<std::vector<plan_step>> groups;
    for (const auto steps : by_repository(what))
        groups.emplace_back(steps.begin(), steps.end());
    std::optional<error> failure;
    auto main = [&]() -> awaitable<void> {
        auto each = [&](std::size_t i) -> awaitable<void> {
            if (failure)
                co_return;
            auto done = co_await self.collect_children(groups[i].front().repository, groups[i]);
            if (!done && !failure)
                failure = done.error();
        };
        co_await for_each_parallel(groups.size(), self.options.concurrency, each);
    };
    self.run_to_end(main());
    if (failure)
        return *failure;
    what.steps.clear();
    for (auto& group : groups)
        std::move(group.begin(), group.end(), std::back_inserter(what.steps));
    what.header.with_children = true;
    return {};
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
    out.steps = impl_->steps_total.load(std::memory_order_relaxed);
    out.done = impl_->steps_done.load(std::memory_order_relaxed);
    out.failed = impl_->steps_failed.load(std::memory_order_relaxed);
    out.in_flight = impl_->in_flight.load(std::memory_order_relaxed);
    out.retries = impl_->retries.load(std::memory_order_relaxed);
    return out;
}

} // namespace regsweep
