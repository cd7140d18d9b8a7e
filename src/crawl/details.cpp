#include "regsweep/crawl/details.hpp"

#include "crawl/details_crew.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>
#include <unordered_set>
#include <variant>

namespace regsweep {
namespace {

constexpr std::size_t problems_named = 1000;
constexpr std::size_t repositories_tried = 16; // for one manifest
constexpr unsigned deepest_referrer = 8;
constexpr auto commit_every = std::chrono::milliseconds(500);

// Decides what is asked for, and stores the answers: all on the thread that owns index and store.
class details_pump
{
public:
    details_pump(std::vector<std::unique_ptr<details_crew>>& crews, answer_queue& answers, std::size_t room,
                 const index& tags, details_store& store, bool again, std::atomic<std::uint64_t>& manifests,
                 std::atomic<std::uint64_t>& waiting)
        : crews_(crews), answers_(answers), room_(room), tags_(tags), store_(store), again_(again),
          manifests_(manifests), waiting_(waiting)
    {}

    result<details_report> run();

private:
    result<void> read_manifests();
    result<void> read_referrers();
    result<void> ask_of_repository(const digest& d, std::string_view repository);
    result<bool> is_to_be_asked(const digest& d, std::string_view repository);

    void want(details_job job);
    result<void> submit(details_job job);
    result<void> pump(std::size_t down_to);
    result<void> settle(details_answer& one);
    result<void> settle_failure(const details_job& job, const error& why);
    result<void> settle_absence(const details_job& job);
    result<void> settle_manifest(const details_job& job, const found_manifest& found);
    result<void> settle_referrers(const details_job& job, const referrers_list& list);
    result<void> commit(bool at_once);

    std::vector<std::unique_ptr<details_crew>>& crews_;
    answer_queue& answers_;
    std::size_t room_; // requests handed out at the most
    const index& tags_;
    details_store& store_;
    bool again_;
    std::atomic<std::uint64_t>& manifests_;
    std::atomic<std::uint64_t>& waiting_;

    std::deque<details_job> wanted_;        // by what was read: children, referrers
    std::unordered_set<digest> on_the_way_; // manifests that are wanted or asked for
    std::unordered_set<digest> failed_;     // not to be asked for by another parent
    std::vector<details_answer> taken_;
    std::size_t out_ = 0; // jobs handed out and not answered
    std::size_t next_crew_ = 0;
    unsigned unreachable_ = 0;
    std::optional<bool> told_; // whether the registry knows the referrers API
    http::clock::time_point begun_{};
    bool open_ = false; // a transaction
    details_report report_;
};

result<details_report> details_pump::run()
{
    const auto all = [&]() -> result<void> {
        if (again_) {
            if (const auto done = store_.forget_absent(); !done)
                return done;
        }
        if (const auto done = read_manifests(); !done)
            return done;
        return read_referrers();
    };
    const auto done = all();
    // What was read is worth keeping, whatever has happened.
    const auto kept = commit(true);
    if (!done || !kept)
        return done ? kept.error() : done.error();
    report_.told = told_.value_or(false);
    return std::move(report_);
}

result<void> details_pump::read_manifests()
{
    result<void> inner;
    const auto walked = store_.for_each_unknown(tags_, [&](const digest& d, std::string_view repository) {
        if (on_the_way_.contains(d) || failed_.contains(d))
            return true;
        // It may have been read meanwhile, as a child of another.
        const auto known = store_.knows(d);
        if (!known)
            inner = known.error();
        else if (!*known)
            inner = submit({details_job::kind::manifest, std::string(repository), d});
        return inner.has_value();
    });
    if (!walked || !inner)
        return walked ? inner : walked;
    return pump(0);
}

result<void> details_pump::read_referrers()
{
    if (!again_) {
        const auto before = store_.tells_referrers();
        if (!before)
            return before.error();
        told_ = *before;
    }
    result<void> inner;
    const auto ask = [&](const digest& d, std::string_view repository) {
        if (told_ == false)
            return false;
        inner = ask_of_repository(d, repository);
        // The first answer shows whether there is sense in going on.
        if (inner && !told_ && out_ != 0)
            inner = pump(0);
        return inner.has_value();
    };
    if (told_ == false)
        return {};
    const auto walked = again_ ? tags_.for_each_digest(ask) : store_.for_each_unasked(tags_, ask);
    if (!walked || !inner)
        return walked ? inner : walked;
    return pump(0);
}

// A manifest's and its children's: signatures of single platforms refer to these.
result<void> details_pump::ask_of_repository(const digest& d, std::string_view repository)
{
    std::vector<digest> whom{d};
    const auto facts = store_.find(d);
    if (!facts)
        return facts.error();
    if (*facts)
        for (const auto& child : (*facts)->children)
            if (child.describes.empty())
                whom.push_back(child.digest);
    for (const auto& each : whom) {
        const auto wanted = is_to_be_asked(each, repository);
        if (!wanted)
            return wanted.error();
        if (!*wanted)
            continue;
        if (const auto done = submit({details_job::kind::referrers, std::string(repository), each}); !done)
            return done;
        if (!told_)
            return {};
    }
    return {};
}

result<bool> details_pump::is_to_be_asked(const digest& d, std::string_view repository)
{
    if (again_)
        return true;
    const auto asked = store_.asked_referrers(repository, d);
    return asked ? result<bool>(!*asked) : asked;
}

void details_pump::want(details_job job)
{
    if (job.what == details_job::kind::manifest && !on_the_way_.insert(job.digest).second)
        return;
    wanted_.push_back(std::move(job));
}

result<void> details_pump::submit(details_job job)
{
    want(std::move(job));
    return pump(room_ - 1);
}

// Hands out what is wanted and stores answers until nothing is wanted and no more than `down_to` are missing.
result<void> details_pump::pump(std::size_t down_to)
{
    while (true) {
        while (!wanted_.empty() && out_ < room_) {
            crews_[next_crew_]->post(std::move(wanted_.front()));
            wanted_.pop_front();
            next_crew_ = (next_crew_ + 1) % crews_.size();
            ++out_;
        }
        waiting_.store(wanted_.size() + out_, std::memory_order_relaxed);
        if (answers_.interrupted())
            return error(errc::cancelled, {});
        if (wanted_.empty() && out_ <= down_to)
            return {};
        answers_.take(taken_, commit_every);
        if (taken_.empty()) {
            if (const auto done = commit(false); !done)
                return done;
        }
        for (auto& one : taken_) {
            --out_;
            if (const auto done = settle(one); !done)
                return done;
        }
    }
}

result<void> details_pump::commit(bool at_once)
{
    if (!open_ || (!at_once && http::clock::now() - begun_ < commit_every))
        return {};
    open_ = false;
    return store_.commit();
}

result<void> details_pump::settle(details_answer& one)
{
    if (one.job.what == details_job::kind::manifest)
        on_the_way_.erase(one.job.digest);
    if (const auto* why = std::get_if<error>(&one.found))
        return settle_failure(one.job, *why);
    unreachable_ = 0;
    if (!open_) {
        if (const auto begun = store_.begin(); !begun)
            return begun;
        open_ = true;
        begun_ = http::clock::now();
    }
    result<void> done;
    if (const auto* found = std::get_if<found_manifest>(&one.found))
        done = settle_manifest(one.job, *found);
    else if (const auto* list = std::get_if<referrers_list>(&one.found))
        done = settle_referrers(one.job, *list);
    else if (std::holds_alternative<no_manifest>(one.found))
        done = settle_absence(one.job);
    else if (told_) // one repository's answer says nothing of the registry
        done = store_.put_referrers(one.job.repository, one.job.digest, {});
    else {
        told_ = false;
        done = store_.set_tells_referrers(false);
    }
    return done ? commit(false) : done;
}

result<void> details_pump::settle_failure(const details_job& job, const error& why)
{
    if (why.is(errc::cancelled))
        return {};
    unreachable_ = is_unreachable(why) ? unreachable_ + 1 : 0;
    if (job.repository.empty() || unreachable_ >= unreachable_limit)
        return why;
    ++report_.failed;
    if (job.what == details_job::kind::manifest)
        failed_.insert(job.digest);
    if (report_.problems.size() < problems_named)
        report_.problems.emplace_back(job.repository + "@" + job.digest.to_string(), why.message());
    return {};
}

// Another repository may still have what this one has not any more.
result<void> details_pump::settle_absence(const details_job& job)
{
    details_job next{job.what, {}, job.digest, job.tried, 0};
    next.tried.push_back(job.repository);
    if (next.tried.size() < repositories_tried) {
        const auto walked = tags_.for_each_use(job.digest, [&](const tag_view& t) {
            if (std::find(next.tried.begin(), next.tried.end(), t.repository) != next.tried.end())
                return true;
            next.repository = t.repository;
            return false;
        });
        if (!walked)
            return walked;
    }
    if (!next.repository.empty()) {
        want(std::move(next));
        return {};
    }
    ++report_.absent;
    return store_.put_absent(job.digest);
}

result<void> details_pump::settle_manifest(const details_job& job, const found_manifest& found)
{
    if (const auto done = store_.put({&found.facts, 1}); !done)
        return done;
    ++report_.manifests;
    report_.configs += found.with_config ? 1U : 0U;
    manifests_.store(report_.manifests, std::memory_order_relaxed);
    for (const auto& child : found.facts.children) {
        if (failed_.contains(child.digest))
            continue;
        const auto known = store_.knows(child.digest);
        if (!known)
            return known.error();
        if (!*known)
            want({details_job::kind::manifest, job.repository, child.digest});
    }
    return {};
}

result<void> details_pump::settle_referrers(const details_job& job, const referrers_list& list)
{
    if (!told_) {
        told_ = true;
        if (const auto done = store_.set_tells_referrers(true); !done)
            return done;
    }
    ++report_.referrers;
    if (const auto done = store_.put_referrers(job.repository, job.digest, list); !done)
        return done;
    for (const auto& each : list) {
        const auto known = store_.knows(each);
        if (!known)
            return known.error();
        if (!*known && !failed_.contains(each))
            want({details_job::kind::manifest, job.repository, each});
        // A signature may be signed, too.
        if (job.depth < deepest_referrer)
            want({details_job::kind::referrers, job.repository, each, {}, job.depth + 1});
    }
    return {};
}

// Runs crews on threads of their own for as long as it lives.
class running_crews
{
public:
    explicit running_crews(std::vector<std::unique_ptr<details_crew>>& crews) : crews_(crews)
    {
        for (const auto& c : crews_)
            threads_.emplace_back([who = c.get()] { who->run(); });
    }
    running_crews(const running_crews&) = delete;
    running_crews& operator=(const running_crews&) = delete;
    ~running_crews()
    {
        for (const auto& c : crews_)
            c->stop();
        for (auto& t : threads_)
            t.join();
    }

private:
    std::vector<std::unique_ptr<details_crew>>& crews_;
    std::vector<std::thread> threads_;
};

} // namespace

result<bool> details_missing(const index& tags, const details_store& store)
{
    bool missing = false;
    const auto unknown = store.for_each_unknown(tags, [&](const digest&, std::string_view) {
        missing = true;
        return false;
    });
    if (!unknown || missing)
        return unknown ? result<bool>(true) : unknown.error();
    return referrers_missing(tags, store);
}

result<bool> referrers_missing(const index& tags, const details_store& store)
{
    bool missing = false;
    const auto told = store.tells_referrers();
    if (!told || *told == false)
        return told ? result<bool>(false) : told.error();
    const auto unasked = store.for_each_unasked(tags, [&](const digest&, std::string_view) {
        missing = true;
        return false;
    });
    return unasked ? result<bool>(missing) : unasked.error();
}

struct details_crawler::impl
{
    explicit impl(details_options o) : options(std::move(o))
    {
        crawl_options& how = options.how;
        how.http.body_limit = body_limit;
        for (const auto& share : share_out(how))
            crews.push_back(std::make_unique<details_crew>(how, share, answers));
    }

    details_options options;
    answer_queue answers;
    std::vector<std::unique_ptr<details_crew>> crews;
    std::atomic<std::uint64_t> manifests{0};
    std::atomic<std::uint64_t> waiting{0};
};

details_crawler::details_crawler(details_options options) : impl_(std::make_unique<impl>(std::move(options))) {}

details_crawler::~details_crawler() = default;

result<details_report> details_crawler::run(const index& tags, details_store& store)
{
    const auto begin = http::clock::now();
    result<details_report> report = details_report();
    {
        const running_crews running(impl_->crews);
        // Twice what can be in flight: workers find the next job without waiting for this thread.
        details_pump pump(impl_->crews, impl_->answers, std::size_t{2} * impl_->options.how.max_concurrency, tags,
                          store, impl_->options.again, impl_->manifests, impl_->waiting);
        report = pump.run();
    }
    if (!report)
        return report;
    for (const auto& c : impl_->crews) {
        report->requests += c->stats().requests;
        report->retries += c->stats().retries;
    }
    report->seconds = std::chrono::duration<double>(http::clock::now() - begin).count();
    return report;
}

void details_crawler::cancel()
{
    impl_->answers.interrupt();
}

details_progress details_crawler::progress() const
{
    details_progress out;
    out.manifests = impl_->manifests.load(std::memory_order_relaxed);
    out.waiting = impl_->waiting.load(std::memory_order_relaxed);
    for (const auto& c : impl_->crews) {
        out.in_flight += c->in_flight.load(std::memory_order_relaxed);
        out.requests += c->requests.load(std::memory_order_relaxed);
        out.retries += c->retries.load(std::memory_order_relaxed);
    }
    return out;
}

} // namespace regsweep
