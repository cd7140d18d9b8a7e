// What a crawl decides, by plain calls: no socket, no thread but the index's own.

#include "common/temp_dir.hpp"
#include "crawl/plan.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>

using namespace regsweep;
using regsweep::test::temp_dir;

namespace {

using kind = crawl_job::kind;

std::unique_ptr<index_builder> make_builder(std::size_t records = 64)
{
    index_builder_options options;
    options.registry = "https://r:443";
    options.max_records = records;
    return index_builder::create(options).value();
}

crawl_plan::source whole_catalog(unsigned concurrency = 4)
{
    crawl_plan::source from;
    from.catalog = "/v2/_catalog?n=1000";
    from.concurrency = concurrency;
    return from;
}

std::string target_of(std::string_view name)
{
    return "/" + std::string(name) + "?first";
}

name_page page(const std::vector<std::string>& names, std::string next = {})
{
    name_page out;
    for (const auto& name : names)
        out.names.push_back(name);
    out.next = std::move(next);
    return out;
}

std::vector<std::string> numbered(const std::string& prefix, std::size_t count, std::size_t from = 0)
{
    std::vector<std::string> out;
    for (std::size_t i = 0; i != count; ++i)
        out.push_back(prefix + std::to_string(from + i));
    return out;
}

// Resolves every entry of a record: `fails` of them as failed.
void resolve(const crawl_job& job, std::size_t fails = 0)
{
    for (auto& entry : job.record->entries) {
        if (fails != 0) {
            --fails;
            entry.what = index_record::state::failed;
            job.record->problem = "tag " + std::string(job.record->tag(entry)) + ": no";
            continue;
        }
        entry.what = index_record::state::resolved;
        entry.digest = digest::of(job.record->tag(entry));
        entry.type = media_type::oci_manifest;
    }
}

// A take that may have to wait for the index's thread.
crawl_job take(crawl_plan& plan)
{
    while (true) {
        crawl_job job = plan.take();
        if (job.what != kind::none || !plan.starved())
            return job;
    }
}

struct world
{
    std::map<std::string, std::vector<std::string>> tags; // of each repository
    std::size_t page = 100;

    name_page tags_page(const crawl_job& job) const
    {
        const auto& all = tags.at(job.repository->name);
        const auto mark = job.target.find('#');
        const std::size_t from = mark == std::string::npos ? 0 : std::stoul(job.target.substr(mark + 1));
        const std::size_t to = std::min(all.size(), from + page);
        return ::page({all.begin() + static_cast<std::ptrdiff_t>(from), all.begin() + static_cast<std::ptrdiff_t>(to)},
                      to == all.size() ? "" : "/" + job.repository->name + "#" + std::to_string(to));
    }
};

// Does all that the plan says, the newest job first if `reverse`.
void run(crawl_plan& plan, const world& w, bool reverse = false)
{
    std::deque<crawl_job> jobs;
    while (!plan.finished()) {
        while (jobs.size() < 4) {
            crawl_job job = plan.take();
            if (job.what == kind::none)
                break;
            jobs.push_back(std::move(job));
        }
        if (jobs.empty()) { // the index's thread has to give a record back first
            BOOST_TEST_REQUIRE((plan.finished() || plan.starved()), "nothing to do, but not finished");
            continue;
        }
        crawl_job job = std::move(reverse ? jobs.back() : jobs.front());
        reverse ? jobs.pop_back() : jobs.pop_front();
        if (job.what == kind::list) {
            plan.listed(job.repository, std::optional<name_page>(w.tags_page(job)));
        } else if (job.what == kind::resolve) {
            resolve(job);
            plan.resolved(job.repository, job.record);
        } else {
            BOOST_FAIL("an unexpected catalog page");
        }
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(plan)

BOOST_AUTO_TEST_CASE(an_empty_registry)
{
    const auto builder = make_builder();
    crawl_plan plan(whole_catalog(), *builder, target_of);
    BOOST_TEST(!plan.finished());
    const auto job = plan.take();
    BOOST_TEST((job.what == kind::catalog));
    BOOST_TEST(job.target == "/v2/_catalog?n=1000");
    BOOST_TEST((plan.take().what == kind::none)); // one page at a time
    BOOST_TEST(!plan.catalog_complete());
    BOOST_TEST(plan.catalog_page(job.target, page({})).has_value());
    BOOST_TEST(plan.catalog_complete());
    BOOST_TEST(plan.finished());
    BOOST_TEST(builder->finish().value().summary().value().repositories == 0U);
}

BOOST_AUTO_TEST_CASE(from_catalog_to_tags)
{
    const auto builder = make_builder();
    crawl_plan plan(whole_catalog(), *builder, target_of);
    BOOST_TEST(plan.catalog_page(plan.take().target, page({"a"})).has_value());
    auto list = plan.take();
    BOOST_TEST((list.what == kind::list));
    BOOST_TEST(list.target == "/a?first");
    BOOST_TEST(list.repository->name == "a");
    BOOST_TEST((plan.take().what == kind::none));
    plan.listed(list.repository, std::optional<name_page>(page({"1", "2"})));
    BOOST_TEST(plan.tags_known() == 2U);
    auto tags = plan.take();
    BOOST_TEST((tags.what == kind::resolve));
    BOOST_TEST_REQUIRE(tags.record->entries.size() == 2U);
    BOOST_TEST(tags.record->tag(tags.record->entries[1]) == "2");
    BOOST_TEST(!plan.finished());
    resolve(tags);
    tags.record->entries[1].what = index_record::state::gone;
    plan.resolved(tags.repository, tags.record);
    BOOST_TEST(plan.finished());
    BOOST_TEST(plan.report().repositories == 1U);
    BOOST_TEST(plan.report().tags == 1U);
    BOOST_TEST(plan.report().gone == 1U);
    BOOST_TEST(plan.report().incomplete == 0U);
    BOOST_TEST(plan.repositories_done() == 1U);
    auto built = builder->finish();
    BOOST_TEST_REQUIRE(built.has_value());
    BOOST_TEST((built->find("a", "1").value() == digest::of("1")));
    BOOST_TEST(!built->find("a", "2").value().has_value());
}

BOOST_AUTO_TEST_CASE(catalog_lists_and_tags_overlap)
{
    const auto builder = make_builder();
    crawl_plan plan(whole_catalog(4), *builder, target_of);
    BOOST_TEST(plan.catalog_page(plan.take().target, page({"a", "b", "c"}, "/v2/_catalog?last=c")).has_value());
    std::map<std::string, crawl_job> out;
    std::size_t catalogs = 0;
    while (true) {
        auto job = plan.take();
        if (job.what == kind::none)
            break;
        if (job.what == kind::catalog)
            ++catalogs;
        else
            out[job.repository->name] = job;
    }
    // The next page of the catalog is read beside the lists.
    BOOST_TEST(catalogs == 1U);
    BOOST_TEST(out.size() == 3U);
    // The first page of a's tags is handed out while its second is read.
    plan.listed(out["a"].repository, std::optional<name_page>(page(numbered("t", 100), "/a#100")));
    std::set<kind> kinds;
    while (true) {
        const auto job = plan.take();
        if (job.what == kind::none)
            break;
        kinds.insert(job.what);
    }
    BOOST_TEST(kinds.contains(kind::list));
    BOOST_TEST(kinds.contains(kind::resolve));
}

BOOST_AUTO_TEST_CASE(work_ahead_is_bounded)
{
    const auto builder = make_builder(256);
    crawl_plan plan(whole_catalog(8), *builder, target_of);
    // A catalog that never ends, and repositories of a thousand tags: nothing is resolved meanwhile.
    std::size_t catalog_pages = 0;
    std::size_t lists = 0;
    std::deque<crawl_job> to_list;
    for (int i = 0; i != 100'000; ++i) {
        auto job = plan.take();
        if (job.what == kind::catalog) {
            const auto next = "/v2/_catalog?page=" + std::to_string(++catalog_pages);
            BOOST_TEST_REQUIRE(
                plan.catalog_page(job.target, page(numbered("r", 50, catalog_pages * 50), next)).has_value());
        } else if (job.what == kind::list) {
            ++lists;
            plan.listed(job.repository, std::optional<name_page>(page(numbered("t" + std::to_string(lists) + "-", 1000),
                                                                      "/x" + std::to_string(lists))));
        } else {
            break; // a record to resolve, or nothing: it has read ahead enough
        }
    }
    BOOST_TEST(catalog_pages <= 3U);
    BOOST_TEST(lists <= 40U);
    BOOST_TEST(plan.tags_known() <= 40'000U);
}

BOOST_AUTO_TEST_CASE(every_order_of_answers_gives_the_same)
{
    world w;
    w.tags = {{"a", numbered("a", 1000)}, {"b", {}},
              {"c", numbered("c", 1)},    {"d", numbered("d", 256)},
              {"e", numbered("e", 257)},  {"f", numbered("f", 100)}};
    for (const bool reverse : {false, true}) {
        for (const unsigned shares : {1U, 4U}) {
            const auto builder = make_builder();
            crawl_plan::source from;
            for (const auto& [name, tags] : w.tags)
                from.names.push_back(name);
            from.shares = shares;
            crawl_plan plan(from, *builder, target_of);
            run(plan, w, reverse);
            BOOST_TEST(plan.report().repositories == 6U);
            BOOST_TEST(plan.report().tags == 1614U);
            BOOST_TEST(plan.repositories_done() == 6U);
            const auto summary = builder->finish().value().summary().value();
            BOOST_TEST(summary.repositories == 6U);
            BOOST_TEST(summary.tags == 1614U);
            BOOST_TEST(summary.incomplete == 0U);
        }
    }
}

BOOST_AUTO_TEST_CASE(short_records_hold_the_crawl_and_lose_nothing)
{
    world w;
    for (const auto& name : numbered("r", 50))
        w.tags[name] = name == "r7" ? numbered("t", 2000) : std::vector<std::string>{};
    const auto builder = make_builder(1);
    crawl_plan::source from;
    for (const auto& [name, tags] : w.tags)
        from.names.push_back(name);
    crawl_plan plan(from, *builder, target_of);
    run(plan, w);
    BOOST_TEST(plan.repositories_done() == 50U);
    const auto summary = builder->finish().value().summary().value();
    BOOST_TEST(summary.repositories == 50U);
    BOOST_TEST(summary.tags == 2000U);
    BOOST_TEST(summary.incomplete == 0U);
}

BOOST_AUTO_TEST_CASE(starved_means_ask_again)
{
    const auto builder = make_builder(1);
    index_record* const taken = builder->acquire();
    BOOST_TEST_REQUIRE(taken != nullptr);
    crawl_plan::source from;
    from.names = {"a", "empty"};
    crawl_plan plan(from, *builder, target_of);
    auto a = plan.take();
    auto empty = plan.take();
    plan.listed(a.repository, std::optional<name_page>(page({"1"})));
    plan.listed(empty.repository, std::optional<name_page>(page({})));
    BOOST_TEST((plan.take().what == kind::none));
    BOOST_TEST(plan.starved());
    BOOST_TEST(!plan.finished());
    builder->release(taken);
    const auto job = take(plan);
    BOOST_TEST((job.what == kind::resolve));
    resolve(job);
    plan.resolved(job.repository, job.record);
    while (!plan.finished())
        plan.take();
    BOOST_TEST(builder->finish().value().summary().value().repositories == 2U);
}

BOOST_AUTO_TEST_CASE(a_repository_that_fails_is_abandoned_and_named)
{
    const auto builder = make_builder();
    crawl_plan::source from;
    from.names = {"bad", "good"};
    crawl_plan plan(from, *builder, target_of);
    auto bad = plan.take();
    auto good = plan.take();
    plan.listed(bad.repository, std::optional<name_page>(page(numbered("t", 5000), "/bad#5000")));
    plan.listed(good.repository, std::optional<name_page>(page({"1"})));
    std::vector<crawl_job> records;
    for (int i = 0; i != 3; ++i)
        records.push_back(plan.take());
    BOOST_TEST_REQUIRE((records[0].what == kind::resolve));
    resolve(records[0], crawl_plan::failures_per_record);
    plan.resolved(records[0].repository, records[0].record);
    // Nothing more of it is handed out.
    auto next = plan.take();
    BOOST_TEST((next.what == kind::resolve));
    BOOST_TEST(next.repository->name == "good");
    resolve(next);
    plan.resolved(next.repository, next.record);
    BOOST_TEST((plan.take().what == kind::none));
    BOOST_TEST(!plan.finished()); // what was out comes in
    for (int i = 1; i != 3; ++i) {
        resolve(records[static_cast<std::size_t>(i)]);
        plan.resolved(records[static_cast<std::size_t>(i)].repository, records[static_cast<std::size_t>(i)].record);
    }
    BOOST_TEST(plan.finished());
    BOOST_TEST(plan.report().incomplete == 1U);
    BOOST_TEST_REQUIRE(plan.report().problems.size() == 1U);
    BOOST_TEST(plan.report().problems[0].first == "bad");
    auto built = builder->finish();
    BOOST_TEST(!built->find_repository("bad").value()->complete);
    BOOST_TEST(!built->find_repository("bad").value()->problem.empty());
    BOOST_TEST(built->find_repository("good").value()->complete);
}

BOOST_AUTO_TEST_CASE(a_list_that_comes_in_after_its_repository_was_abandoned)
{
    const auto builder = make_builder();
    crawl_plan::source from;
    from.names = {"bad"};
    crawl_plan plan(from, *builder, target_of);
    auto list = plan.take();
    plan.listed(list.repository, std::optional<name_page>(page(numbered("t", 10), "/bad#10")));
    std::optional<crawl_job> second;
    std::optional<crawl_job> record;
    for (auto job = plan.take(); job.what != kind::none; job = plan.take())
        (job.what == kind::list ? second : record) = job;
    BOOST_TEST_REQUIRE(second.has_value());
    BOOST_TEST_REQUIRE(record.has_value());
    resolve(*record, 10);
    plan.resolved(record->repository, record->record);
    BOOST_TEST(!plan.finished());
    plan.listed(second->repository, std::optional<name_page>(page(numbered("u", 10), "/bad#20")));
    BOOST_TEST(plan.finished());
    BOOST_TEST(plan.report().incomplete == 1U);
}

BOOST_AUTO_TEST_CASE(a_few_failures_leave_the_rest_alone)
{
    const auto builder = make_builder();
    crawl_plan::source from;
    from.names = {"a"};
    crawl_plan plan(from, *builder, target_of);
    auto list = plan.take();
    plan.listed(list.repository, std::optional<name_page>(page(numbered("t", 600))));
    std::size_t records = 0;
    while (!plan.finished()) {
        auto job = take(plan);
        BOOST_TEST_REQUIRE((job.what == kind::resolve));
        resolve(job, records++ == 0 ? crawl_plan::failures_per_record - 1 : 0);
        plan.resolved(job.repository, job.record);
    }
    BOOST_TEST(plan.report().tags == 598U);
    BOOST_TEST(plan.report().incomplete == 1U);
    BOOST_TEST(builder->finish().value().summary().value().tags == 598U);
}

BOOST_AUTO_TEST_CASE(lists_that_fail)
{
    const auto builder = make_builder();
    crawl_plan::source from;
    from.names = {"unknown", "forbidden", "loop"};
    crawl_plan plan(from, *builder, target_of);
    for (int i = 0; i != 3; ++i) {
        auto job = plan.take();
        if (job.repository->name == "unknown") // 404: an empty one
            plan.listed(job.repository, std::optional<name_page>());
        else if (job.repository->name == "forbidden")
            plan.listed(job.repository, error(errc::forbidden, "not you"));
        else
            plan.listed(job.repository, std::optional<name_page>(page({"1"}, job.target)));
    }
    while (!plan.finished()) {
        auto job = take(plan);
        if (job.what == kind::list) {
            plan.listed(job.repository, std::optional<name_page>(page({"1"}, job.target)));
        } else {
            BOOST_TEST_REQUIRE((job.what == kind::resolve));
            resolve(job);
            plan.resolved(job.repository, job.record);
        }
    }
    BOOST_TEST(plan.report().incomplete == 2U);
    auto built = builder->finish();
    BOOST_TEST(built->find_repository("unknown").value()->complete);
    BOOST_TEST(built->find_repository("forbidden").value()->problem.find("not you") != std::string::npos);
    BOOST_TEST(!built->find_repository("loop").value()->complete);
    BOOST_TEST(built->find_repository("loop").value()->tags == 1U);
}

BOOST_AUTO_TEST_CASE(catalogs_that_repeat_themselves)
{
    const auto builder = make_builder();
    crawl_plan plan(whole_catalog(), *builder, target_of);
    BOOST_TEST(plan.catalog_page("/1", page({"a", "a", "b"}, "/2")).has_value());
    BOOST_TEST(plan.catalog_page("/2", page({"b", "c"}, "/3")).has_value());
    BOOST_TEST(plan.report().repositories == 3U);
    BOOST_TEST(plan.catalog_page("/1", page({"d"})).error().is(errc::page_loop));
}

BOOST_AUTO_TEST_CASE(patterns_choose)
{
    const auto builder = make_builder();
    auto from = whole_catalog();
    from.patterns = {"team/*", "x"};
    crawl_plan plan(from, *builder, target_of);
    BOOST_TEST(plan.catalog_page("/1", page({"team/a", "team/b/c", "other", "x", "xx"})).has_value());
    BOOST_TEST(plan.report().repositories == 3U);
}

BOOST_AUTO_TEST_CASE(a_resumed_crawl_asks_for_what_is_missing)
{
    const temp_dir folder;
    index_builder_options options;
    options.registry = "https://r:443";
    options.file = folder / "index.db";
    crawl_plan::source from;
    from.names = {"whole", "half", "untouched"};
    world w;
    w.tags = {{"whole", numbered("w", 10)}, {"half", numbered("h", 600)}, {"untouched", numbered("u", 10)}};
    {
        const auto builder = index_builder::create(options).value();
        crawl_plan plan(from, *builder, target_of);
        auto whole = plan.take();
        auto half = plan.take();
        plan.listed(whole.repository, std::optional<name_page>(page(w.tags["whole"])));
        plan.listed(half.repository, std::optional<name_page>(page(w.tags["half"])));
        for (int i = 0; i != 2; ++i) {
            auto job = plan.take();
            while (job.what == kind::list) // stays out, as in a crawl that is killed
                job = plan.take();
            resolve(job);
            plan.resolved(job.repository, job.record);
        }
        BOOST_TEST(plan.report().tags == 266U);
    }
    options.resume = true;
    const auto builder = index_builder::create(options).value();
    BOOST_TEST_REQUIRE(builder->resumed());
    crawl_plan plan(from, *builder, target_of);
    w.page = 1000;
    run(plan, w);
    BOOST_TEST(plan.report().repositories == 3U);
    BOOST_TEST(plan.report().skipped == 1U);
    BOOST_TEST(plan.report().tags == 354U); // 344 of half, 10 of untouched
    BOOST_TEST(plan.repositories_done() == 3U);
    const auto summary = builder->finish().value().summary().value();
    BOOST_TEST(summary.repositories == 3U);
    BOOST_TEST(summary.tags == 620U);
    BOOST_TEST(summary.incomplete == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
