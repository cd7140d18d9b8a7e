// Takes single tags away: by their names where the registry can do that, else by way of a placeholder.
#include "sweep/sweeper_impl.hpp"

namespace regsweep {
namespace {

using http::awaitable;

constexpr std::string_view placeholder_type = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view placeholder_config = "{}";

} // namespace

std::string make_placeholder(const plan_step& step, std::int64_t run)
{
    const std::string config = digest::of(placeholder_config).to_string();
    return "{\"schemaVersion\":2,\"mediaType\":\"" + std::string(placeholder_type) +
           "\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" + config +
           "\",\"size\":" + std::to_string(placeholder_config.size()) +
           "},\"layers\":[],\"annotations\":{\"regsweep.untag\":\"" + step.repository + ":" + step.tags.front() + " " +
           std::to_string(run) + " " + std::to_string(http::clock::now().time_since_epoch().count()) + "\"}}";
}

awaitable<void> sweeper::impl::untag(work_item& item)
{
    const plan_step& step = *item.step;
    const std::string& tag = step.tags.front();
    // A placeholder is pushed: see `settle_gone`.
    const bool alone = way != untag_way::by_tag;
    if (alone)
        co_await item.home->untagging.acquire();
    const permit held_alone(item.home->untagging, alone ? 1 : 0);
    if (deletes.limited())
        co_await wait_for_delete_slot();
    auto lease = co_await leases.get();
    if (way == untag_way::unknown) {
        co_await finding_way.acquire();
        const permit held(finding_way);
        if (way == untag_way::unknown && !stopping())
            co_return co_await find_way(item, lease.buffers());
    }
    if (stopping())
        co_return not_attempted(item);
    const auto now = co_await registry.resolve(step.repository, tag, lease.buffers());
    if (!now && now.error().is(errc::cancelled)) {
        fail_for_good(now.error());
        co_return not_attempted(item);
    }
    if (!now)
        co_return done(item, journal_state::failed, now.error().message());
    if (!*now)
        co_return done(item, journal_state::gone);
    if ((*now)->digest != step.id)
        co_return leave_alone(item, "tag " + tag + " points to " + (*now)->digest.to_string() + " now");
    if (way == untag_way::by_tag)
        co_await untag_by_tag(item, lease.buffers());
    else
        co_await untag_by_placeholder(item, lease.buffers());
}

// Where the registry is known to take the tag and nothing else.
awaitable<void> sweeper::impl::untag_by_tag(work_item& item, registry_buffers& buffers)
{
    const auto sent = http::clock::now();
    const auto deleted = co_await registry.delete_tag(item.step->repository, item.step->tags.front(), buffers);
    tell_of_delete(sent, deleted);
    if (!deleted)
        co_return co_await untag_failed(item, deleted.error(), buffers);
    done(item, *deleted ? journal_state::done : journal_state::gone);
}

awaitable<void> sweeper::impl::untag_failed(work_item& item, error why, registry_buffers& buffers)
{
    if (why.is(errc::cancelled))
        co_return fail_for_good(why); // looked up by the next run
    const auto now = co_await registry.resolve(item.step->repository, item.step->tags.front(), buffers);
    if (!now && now.error().is(errc::cancelled))
        co_return fail_for_good(now.error());
    if (!now || (*now && may_happen_yet(why)))
        co_return leave_open(item, why.message());
    if (*now)
        co_return done(item, journal_state::failed, why.message());
    done(item, journal_state::done, "the tag is gone, although the registry said: " + why.message());
}

// The first tag of a run, alone: some registries delete the manifest, with all its tags, when asked to delete one tag.
// The whole manifest is journaled before that is found out.
awaitable<void> sweeper::impl::find_way(work_item& item, registry_buffers& buffers)
{
    const plan_step& step = *item.step;
    const auto now = co_await registry.resolve(step.repository, step.tags.front(), buffers);
    if (!now && now.error().is(errc::cancelled)) {
        fail_for_good(now.error());
        co_return not_attempted(item);
    }
    if (!now)
        co_return done(item, journal_state::failed, now.error().message());
    if (!*now)
        co_return done(item, journal_state::gone);
    if ((*now)->digest != step.id)
        co_return leave_alone(item, "tag " + step.tags.front() + " points to " + (*now)->digest.to_string() + " now");
    journal_intent intent;
    intent.repository = step.repository;
    intent.digest = step.id;
    intent.media_type = item.content->content_type;
    intent.tags = item.other_tags;
    intent.tags.push_back(step.tags.front());
    intent.manifest = item.content->body;
    std::vector<journal_intent> one;
    one.push_back(std::move(intent));
    const auto entries = co_await log->intend(std::move(one));
    if (!entries)
        co_return fail_for_good(entries.error());
    const bool settled = co_await ask_for_tag_alone(item, entries->front(), buffers);
    if (!settled)
        co_await untag_by_placeholder(item, buffers);
}

// Returns false where the tag has to go by way of a placeholder. `whole` is the entry of the whole manifest.
awaitable<bool> sweeper::impl::ask_for_tag_alone(work_item& item, std::int64_t whole, registry_buffers& buffers)
{
    const plan_step& step = *item.step;
    const auto whole_stays = [&] {
        log->settle({whole, journal_state::unneeded, "recorded in case the registry takes it with its tag; it stays"},
                    {});
    };
    const auto deleted = co_await registry.delete_tag(step.repository, step.tags.front(), buffers);
    if (!deleted && deleted.error().is(errc::cancelled)) {
        fail_for_good(deleted.error()); // both entries are looked up by the next run
        co_return true;
    }
    if (!deleted && deleted.error().is(errc::unsupported)) {
        whole_stays();
        if (deleted.error().http_status == 405) {
            const bool enabled = co_await deletion_enabled(step.repository, buffers);
            if (!enabled) {
                error why = deleted.error();
                why.detail = how_to_enable_deletion;
                done(item, journal_state::failed, why.message());
                fail_for_good(why);
                co_return true;
            }
        }
        way = untag_way::by_placeholder;
        co_return false;
    }
    if (!deleted && !may_have_happened(deleted.error())) {
        whole_stays();
        done(item, journal_state::failed, deleted.error().message());
        co_return true;
    }
    const auto tag = co_await registry.resolve(step.repository, step.tags.front(), buffers);
    const auto manifest = co_await registry.resolve(step.repository, step.id.to_string(), buffers);
    if (!tag || !manifest) {
        // Going on could take one manifest after the other without anybody noticing.
        fail_for_good(tag ? manifest.error() : tag.error());
        co_return true;
    }
    if (!*manifest && !item.other_tags.empty()) {
        co_await put_back_whole(item, whole, buffers);
        co_return true;
    }
    if (!*manifest) { // nothing else used it
        log->settle({whole, journal_state::done, "the registry took it with its last tag"}, {});
        done(item, journal_state::done);
        co_return true;
    }
    whole_stays();
    if (*tag && deleted && !*deleted) { // 404: it does not know what is asked of it
        way = untag_way::by_placeholder;
        co_return false;
    }
    if (*tag) {
        done(item, journal_state::failed,
             deleted ? "the registry has accepted the deletion, but the tag is still there"
                     : deleted.error().message());
        co_return true;
    }
    way = untag_way::by_tag;
    done(item, journal_state::done);
    co_return true;
}

// The registry has deleted the manifest with the tag: all is put back, and the run ends.
awaitable<void> sweeper::impl::put_back_whole(work_item& item, std::int64_t whole, registry_buffers& buffers)
{
    const plan_step& step = *item.step;
    std::vector<std::string> references = item.other_tags;
    references.push_back(step.tags.front());
    references.push_back(step.id.to_string());
    std::string lost;
    for (const auto& reference : references) {
        const auto now = co_await registry.resolve(step.repository, reference, buffers);
        if (now && *now)
            continue; // pushed again meanwhile
        const auto put = co_await registry.put_manifest(step.repository, reference, item.content->content_type,
                                                        item.content->body, buffers);
        if (!put)
            lost += "; " + reference + " could not be put back (" + put.error().message() + ")";
    }
    error why(errc::unsupported,
              "this registry deletes the manifest with its tag, so that --untag cannot be used here" +
                  (lost.empty() ? "; the manifest and its tags were put back"
                                : lost + "; restoring run " + std::to_string(run_id) + " puts it back"));
    log->settle({whole, lost.empty() ? journal_state::restored : journal_state::done, why.detail}, {});
    done(item, journal_state::failed, why.message());
    fail_for_good(std::move(why));
}

awaitable<bool> sweeper::impl::deletion_enabled(const std::string& repository, registry_buffers& buffers)
{
    // A digest that is not there: 404 where deletion is enabled.
    const auto probe = co_await registry.delete_manifest(repository, digest::of(repository + " probe"), buffers);
    co_return probe || !probe.error().is(errc::unsupported);
}

awaitable<void> sweeper::impl::untag_by_placeholder(work_item& item, registry_buffers& buffers)
{
    // By the digest that was computed here, whatever the registry calls it: nothing else can have that one.
    const digest id = digest::of(item.placeholder);
    for (unsigned attempt = 0;; ++attempt) {
        const bool there = co_await put_placeholder(item, buffers);
        if (!there)
            co_return;
        const auto sent = http::clock::now();
        const auto deleted = co_await registry.delete_manifest(item.step->repository, id, buffers);
        tell_of_delete(sent, deleted);
        if (deleted && *deleted)
            co_return done(item, journal_state::done);
        // An answer may have been lost, or the registry knows it by another name.
        const error why =
            deleted ? error(errc::not_found, "the registry does not find it under " + id.to_string()) : deleted.error();
        const bool over = co_await take_placeholder_back(item, why, attempt == options.http.retry.retries, buffers);
        if (over)
            co_return;
    }
}

// Whether the placeholder is under the tag now; else the step is settled.
awaitable<bool> sweeper::impl::put_placeholder(work_item& item, registry_buffers& buffers)
{
    const plan_step& step = *item.step;
    const std::string& tag = step.tags.front();
    const auto give_up = [&](const error& e) {
        std::string text = "the placeholder could not be pushed: " + e.message();
        if (e.is(errc::unauthorized) || e.is(errc::forbidden))
            text += "; this registry cannot delete a tag by itself, and the way around it needs the right to push";
        done(item, journal_state::failed, text);
    };
    if (!with_placeholder_config.contains(step.repository)) {
        const auto config = co_await registry.put_blob(step.repository, placeholder_config, buffers);
        if (!config && config.error().is(errc::cancelled)) {
            fail_for_good(config.error());
            not_attempted(item);
            co_return false;
        }
        if (!config) {
            give_up(config.error());
            co_return false;
        }
        with_placeholder_config.insert(step.repository);
    }
    const auto put = co_await registry.put_manifest(step.repository, tag, placeholder_type, item.placeholder, buffers);
    if (put)
        co_return true;
    if (put.error().is(errc::cancelled)) {
        fail_for_good(put.error()); // looked up by the next run
        co_return false;
    }
    if (!may_have_happened(put.error())) {
        give_up(put.error());
        co_return false;
    }
    const auto now = co_await registry.resolve(step.repository, tag, buffers);
    if (now && *now && (*now)->digest == digest::of(item.placeholder))
        co_return true;
    if (now)
        give_up(put.error());
    else
        leave_open(item, put.error().message());
    co_return false;
}

// The placeholder could not be deleted: the tag gets its manifest back, unless it has got another one meanwhile.
// Returns false where the tag was left behind, to lead to nothing: it is to be tried again, unless this was the `last`.
awaitable<bool> sweeper::impl::take_placeholder_back(work_item& item, error why, bool last, registry_buffers& buffers)
{
    const plan_step& step = *item.step;
    const std::string& tag = step.tags.front();
    if (why.is(errc::cancelled)) {
        fail_for_good(why); // looked up by the next run
        co_return true;
    }
    if (why.is(errc::unsupported)) {
        why.detail = how_to_enable_deletion;
        fail_for_good(why);
    }
    const auto now = co_await registry.resolve(step.repository, tag, buffers);
    if (now && !*now) {
        const auto left = co_await tags_left_behind(step.repository, step.tags, buffers);
        if (left && !left->empty() && !last && !fatal)
            co_return false;
        if (left && !left->empty())
            leave_open(item, "the registry has left the tag, which leads to nothing: " + why.message());
        else
            done(item, journal_state::done, "the tag is gone, although the registry said: " + why.message());
        co_return true;
    }
    const std::string text = "the placeholder under the tag could not be deleted: " + why.message();
    const bool ours = now && (*now)->digest == digest::of(item.placeholder);
    bool back = false;
    if (ours) {
        const auto put = co_await registry.put_manifest(step.repository, tag, item.content->content_type,
                                                        item.content->body, buffers);
        back = put.has_value();
    }
    if (now && !ours)
        done(item, journal_state::failed, "the placeholder could not be deleted: " + why.message());
    else if (back)
        done(item, journal_state::failed, text + "; the tag was put back");
    else
        leave_open(item, text);
    co_return true;
}

} // namespace regsweep
