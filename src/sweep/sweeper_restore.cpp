// Settles what killed runs left open, and puts back what runs took.
#include "sweep/sweeper_impl.hpp"

#include "regsweep/registry/manifest.hpp"

#include <algorithm>
#include <chrono>
#include <unordered_set>

namespace regsweep {
namespace {

constexpr const char* without_manifest = "the journal has no manifest of it: push the image again";

using http::awaitable;

// A request of a process that was killed may still be on its way: what is there yet is looked at twice.
constexpr std::chrono::milliseconds second_look{300};

bool is_gone_blob(const error& e)
{
    return e.registry_code == "MANIFEST_BLOB_UNKNOWN" || e.registry_code == "BLOB_UNKNOWN" ||
           e.registry_code == "MANIFEST_UNKNOWN";
}

bool may_be_index(const journal_entry& entry)
{
    const media_type type = parse_media_type(entry.media_type);
    return is_index(type) || type == media_type::unknown;
}

bool is_wanted(const journal_entry& entry, const std::vector<std::string>& only)
{
    return only.empty() || std::find(only.begin(), only.end(), entry.repository) != only.end();
}

// `gone` as well: the manifest was there when it was journaled, and the answer to its deletion may have been lost.
bool was_taken(const journal_entry& entry)
{
    return entry.state == journal_state::done || (entry.state == journal_state::gone && entry.restorable);
}

result<void> follow(index& known, const journal_entry& entry)
{
    if (entry.kind == journal_kind::untag)
        return known.remove_tag(entry.repository, entry.tags.front());
    const auto removed = known.remove_digest(entry.repository, entry.digest);
    return removed ? result<void>() : result<void>(removed.error());
}

} // namespace

// Whether the registry is as it was before the entry's request; brings an untag to its end that is half done.
awaitable<result<bool>> sweeper::impl::is_open_still(const journal_entry& entry, registry_buffers& buffers)
{
    const bool untagging = entry.kind == journal_kind::untag;
    const std::string reference = untagging ? entry.tags.front() : entry.digest.to_string();
    const auto now = co_await registry.resolve(entry.repository, reference, buffers);
    if (!now)
        co_return now.error();
    if (!*now)
        co_return false;
    if (!untagging || (*now)->digest != entry.placeholder)
        co_return true;
    const auto deleted = co_await registry.delete_manifest(entry.repository, entry.placeholder, buffers);
    if (!deleted)
        co_return deleted.error();
    co_return false;
}

// What became of an entry that a run left open; nothing if that cannot be found out.
awaitable<std::optional<journal_outcome>> sweeper::impl::look_up(const journal_entry& entry)
{
    auto lease = co_await leases.get();
    const auto open = co_await is_open_still(entry, lease.buffers());
    if (!open && open.error().is(errc::cancelled)) {
        fail_for_good(open.error());
        co_return std::nullopt;
    }
    if (!open) {
        report.failed.push_back(
            {entry.repository, entry.digest, entry.tags,
             "run " + std::to_string(entry.run) +
                 " was cut short, and what became of this cannot be looked up: " + open.error().message()});
        co_return std::nullopt;
    }
    if (*open)
        co_return journal_outcome{entry.id, journal_state::failed, "the run was cut short before it was carried out"};
    co_return journal_outcome{entry.id, journal_state::done, "looked up after the run was cut short"};
}

awaitable<void> sweeper::impl::repair(std::vector<journal_entry> entries, index* known,
                                      std::vector<journal_outcome>& outcomes)
{
    std::vector<const journal_entry*> went;
    std::vector<const journal_entry*> left;
    left.reserve(entries.size());
    for (const auto& entry : entries)
        left.push_back(&entry);
    std::vector<const journal_entry*> again;
    bool last = false;
    auto each = [&](std::size_t i) -> awaitable<void> {
        if (fatal)
            co_return;
        auto outcome = co_await look_up(*left[i]);
        if (!outcome)
            co_return;
        if (!last && outcome->state == journal_state::failed) {
            again.push_back(left[i]);
            co_return;
        }
        if (outcome->state == journal_state::done)
            went.push_back(left[i]);
        outcomes.push_back(*std::move(outcome));
    };
    co_await for_each_parallel(left.size(), options.concurrency, each);
    if (!again.empty()) {
        co_await client.wait_until(http::clock::now() + second_look);
        last = true;
        left = std::move(again);
        co_await for_each_parallel(left.size(), options.concurrency, each);
    }
    if (known == nullptr || went.empty())
        co_return;
    auto done = known->begin();
    for (const journal_entry* entry : went)
        if (done)
            done = follow(*known, *entry);
    if (done)
        done = known->commit();
    if (done)
        co_return;
    known->rollback();
    fail_for_good(done.error());
}

result<void> sweeper::impl::repair_all(journal& records, index* known)
{
    auto open = records.unfinished(options.address.canonical());
    if (!open)
        return open.error();
    if (open->empty())
        return {};
    std::vector<journal_outcome> outcomes;
    run_to_end(repair(*std::move(open), known, outcomes));
    report.repaired = outcomes.size();
    if (const auto written = records.add_outcomes(outcomes); !written)
        return written;
    return fatal ? result<void>(*fatal) : result<void>();
}

awaitable<void> sweeper::impl::restore_entry(journal& records, const journal_entry& entry, bool dry_run,
                                             restore_report& out)
{
    const auto fail = [&](std::string why) {
        out.failed.push_back({entry.repository, entry.digest, entry.tags, std::move(why)});
        steps_failed.store(out.failed.size(), std::memory_order_relaxed);
    };
    auto lease = co_await leases.get();
    returned back{&entry, {}};
    std::vector<std::string> missing;
    for (const auto& tag : entry.tags) {
        const auto now = co_await registry.resolve(entry.repository, tag, lease.buffers());
        if (!now)
            co_return now.error().is(errc::cancelled) ? fail_for_good(now.error()) : fail(now.error().message());
        if (!*now)
            missing.push_back(tag);
        else if ((*now)->digest == entry.digest)
            back.tags.push_back(tag);
        else
            out.failed.push_back(
                {entry.repository,
                 entry.digest,
                 {tag},
                 "the tag exists again and points to " + (*now)->digest.to_string() + "; it was left alone"});
    }
    const std::string id = entry.digest.to_string();
    if (missing.empty() && back.tags.empty()) {
        const auto now = co_await registry.resolve(entry.repository, id, lease.buffers());
        if (!now)
            co_return now.error().is(errc::cancelled) ? fail_for_good(now.error()) : fail(now.error().message());
        if (!*now)
            missing.push_back(id); // without a tag it comes back under its digest
    }
    const auto body = records.manifest(entry.id);
    if (!body)
        co_return fail_for_good(body.error());
    if (!*body)
        co_return fail(without_manifest);
    if (!is_schema1(parse_media_type(entry.media_type)) && digest::of(**body, entry.digest.how()) != entry.digest)
        co_return fail("what the journal has of it is something else: push the image again");
    for (const auto& reference : missing) {
        if (dry_run)
            continue;
        const auto put =
            co_await registry.put_manifest(entry.repository, reference, entry.media_type, **body, lease.buffers());
        if (!put && put.error().is(errc::cancelled))
            co_return fail_for_good(put.error());
        if (!put)
            co_return fail(put.error().message() +
                           (is_gone_blob(put.error())
                                ? "; what it refers to is not there: another image, of this run or of another one in "
                                  "the journal, has to come back first, or the registry's garbage collection has run"
                                : ""));
        if (*put != entry.digest)
            co_return fail("the registry gave it another digest, " + put->to_string());
    }
    const auto tags = static_cast<std::uint64_t>(
        std::count_if(missing.begin(), missing.end(), [&](const std::string& name) { return name != id; }));
    out.tags += tags;
    if (missing.empty())
        ++out.already;
    else if (entry.kind == journal_kind::remove)
        ++out.manifests;
    if (dry_run)
        co_return;
    std::copy_if(missing.begin(), missing.end(), std::back_inserter(back.tags),
                 [&](const std::string& name) { return name != id; });
    restored.push_back(std::move(back));
}

// Records in journal and index what has come back.
result<void> sweeper::impl::record_restored(journal& records, index* known)
{
    std::vector<std::int64_t> ids;
    ids.reserve(restored.size());
    for (const auto& one : restored)
        ids.push_back(one.entry->id);
    auto done = records.mark_restored(ids);
    if (!done || known == nullptr || restored.empty())
        return done;
    done = known->begin();
    for (const auto& one : restored)
        for (const auto& tag : one.tags)
            if (done)
                done = known->put_tag(one.entry->repository, tag, one.entry->digest,
                                      parse_media_type(one.entry->media_type));
    if (done)
        return known->commit();
    known->rollback();
    return done;
}

// What is no index first, many at a time; then indexes, those that others list before these.
awaitable<void> sweeper::impl::restore_repository(journal& records, index* known,
                                                  const std::vector<journal_entry>& entries, bool dry_run,
                                                  restore_report& out)
{
    std::vector<digest> ids;
    ids.reserve(entries.size());
    std::vector<std::vector<digest>> children(entries.size());
    std::vector<std::size_t> plain;
    for (std::size_t i = 0; i != entries.size(); ++i) {
        ids.push_back(entries[i].digest);
        if (may_be_index(entries[i])) {
            const auto body = records.manifest(entries[i].id);
            if (!body)
                co_return fail_for_good(body.error());
            const auto listed = parse_children(*body ? std::string_view(**body) : std::string_view());
            for (std::size_t k = 0; listed && k != listed->size(); ++k)
                children[i].push_back((*listed)[k].digest);
        }
        if (children[i].empty())
            plain.push_back(i);
    }
    auto each = [&](std::size_t i) -> awaitable<void> {
        if (fatal)
            co_return;
        co_await restore_entry(records, entries[plain[i]], dry_run, out);
        step_over();
    };
    co_await for_each_parallel(plain.size(), options.concurrency, each);
    auto order = parents_first(ids, [&](std::size_t i) { return std::span<const digest>(children[i]); });
    std::reverse(order.begin(), order.end());
    for (const std::size_t i : order) {
        if (children[i].empty() || fatal)
            continue;
        co_await restore_entry(records, entries[i], dry_run, out);
        step_over();
    }
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
    self.run_number.store(run, std::memory_order_relaxed);
    std::unordered_set<std::int64_t> open; // a dry run settles nothing, and looks at these as they are
    if (dry_run) {
        const auto entries = records.unfinished(self.options.address.canonical());
        if (!entries)
            return entries.error();
        for (const auto& entry : *entries)
            open.insert(entry.id);
    } else if (const auto repaired = self.repair_all(records, known); !repaired) {
        return repaired.error();
    }
    restore_report out;
    out.repaired = self.report.repaired;
    out.failed = std::move(self.report.failed);
    std::map<std::string, std::vector<journal_entry>> by_name;
    std::uint64_t total = 0;
    const auto read = records.for_each_entry(run, [&](const journal_entry& entry) {
        if ((!was_taken(entry) && !open.contains(entry.id)) || !is_wanted(entry, only))
            return true;
        if (entry.restorable) {
            by_name[entry.repository].push_back(entry);
            ++total;
        } else {
            out.failed.push_back({entry.repository, entry.digest, entry.tags, without_manifest});
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

} // namespace regsweep
