#include "support.hpp"

#include "common/temp_dir.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

namespace regsweep::test {

// The free lists of Boost.Lockfree read what another thread may be reusing and find out by a tag: known and harmless.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions()
{
    return "race:boost::lockfree::\n";
}

namespace {

std::vector<std::string> names_in(const std::filesystem::path& folder)
{
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
}

index_builder_options resuming(const std::filesystem::path& file)
{
    index_builder_options options = options_for(file);
    options.resume = true;
    return options;
}

std::size_t resolved_tags(const index_builder& builder, const test_registry& registry)
{
    std::size_t count = 0;
    for (const test_repository& repository : registry)
        count += builder.already_resolved(repository.name).size();
    return count;
}

void push_all(index_builder& to, const test_registry& registry, std::size_t batch,
              const std::function<void()>& after_each = {})
{
    for (const test_repository& repository : registry)
        push(to, repository, batch, after_each);
}

} // namespace

BOOST_AUTO_TEST_SUITE(index_building)

BOOST_AUTO_TEST_CASE(leaves_one_file)
{
    const temp_dir folder;
    const index built = build(small_registry(), folder / "index");
    BOOST_CHECK_EQUAL(dump(built), expected_dump(small_registry()));
    BOOST_TEST(names_in(folder.path()) == std::vector<std::string>{"index"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(replaces_the_old_index_only_at_the_end)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    const auto builder = index_builder::create(options_for(folder / "index")).value();
    push_all(*builder, large_registry(3, 100), 10);
    BOOST_CHECK_EQUAL(dump(index::open(folder / "index").value()), expected_dump(small_registry()));
    builder->finish().value();
    BOOST_CHECK_EQUAL(dump(index::open(folder / "index").value()), expected_dump(large_registry(3, 100)));
}

BOOST_AUTO_TEST_CASE(only_resolved_tags_are_kept)
{
    const auto builder = index_builder::create(options_for({})).value();
    index_record* record = wait_for_record(*builder);
    record->repository = "a";
    using state = index_record::state;
    for (const state what : {state::pending, state::resolved, state::gone, state::failed}) {
        record->add("tag" + std::to_string(static_cast<int>(what)));
        record->entries.back().what = what;
        record->entries.back().digest = digest_of("x");
    }
    record->finished = true;
    builder->push(record);
    const index built = builder->finish().value();
    BOOST_CHECK_EQUAL(dump(built), "a 1 complete\n  tag1 " + digest_of("x").to_string() + " \n");
}

BOOST_AUTO_TEST_CASE(repositories_may_be_mixed_and_tags_come_twice)
{
    const test_registry registry = large_registry(4, 30);
    const auto builder = index_builder::create(options_for({})).value();
    for (int part = 0; part < 3; ++part) {
        for (test_repository piece : registry) {
            piece.finished = part == 2;
            // The second part begins with tags of the first.
            const auto begin = piece.tags.begin() + std::max(0, part * 10 - 2);
            piece.tags = std::vector<test_tag>(begin, piece.tags.begin() + part * 10 + 10);
            push(*builder, piece, 7);
        }
    }
    const index built = builder->finish().value();
    BOOST_CHECK_EQUAL(dump(built), expected_dump(registry));
    BOOST_CHECK_EQUAL(built.summary().value().tags, 120u);
}

BOOST_AUTO_TEST_CASE(the_last_word_on_a_tag_counts)
{
    const auto builder = index_builder::create(options_for({})).value();
    push(*builder, {"a", {{"1", digest_of("old")}}, false});
    push(*builder, {"a", {{"1", digest_of("new"), media_type::oci_index}}});
    const index built = builder->finish().value();
    BOOST_CHECK_EQUAL(dump(built), expected_dump({{"a", {{"1", digest_of("new"), media_type::oci_index}}}}));
}

BOOST_AUTO_TEST_CASE(a_repository_without_end_is_incomplete)
{
    const auto builder = index_builder::create(options_for({})).value();
    push(*builder, {"a", {{"1", digest_of("x")}, {"2", digest_of("y")}}, false});
    push(*builder, {"b", {{"1", digest_of("x")}}});
    push(*builder, {"c", {}, true, false, ""});
    const index built = builder->finish().value();
    BOOST_CHECK(!built.find_repository("a").value()->complete);
    BOOST_CHECK_EQUAL(built.find_repository("a").value()->tags, 2u);
    BOOST_CHECK(!built.find_repository("a").value()->problem.empty());
    BOOST_CHECK(built.find_repository("b").value()->complete);
    BOOST_CHECK(!built.find_repository("c").value()->problem.empty());
    BOOST_CHECK_EQUAL(built.summary().value().incomplete, 2u);
}

BOOST_AUTO_TEST_CASE(records_are_bounded_and_recycled)
{
    index_builder_options options = options_for({});
    options.max_records = 2;
    const auto builder = index_builder::create(options).value();
    index_record* first = builder->acquire();
    index_record* second = builder->acquire();
    BOOST_REQUIRE(first && second && first != second);
    BOOST_CHECK(!builder->acquire());
    first->repository = "left over";
    first->add("tag");
    first->finished = true;
    builder->release(first);
    index_record* again = builder->acquire();
    BOOST_CHECK_EQUAL(again, first);
    BOOST_CHECK(again->repository.empty() && again->entries.empty() && again->names.empty() && !again->finished);
    builder->release(again);
    builder->release(second);
    BOOST_CHECK_EQUAL(dump(builder->finish().value()), "");
    BOOST_CHECK(builder->finish().error().is(errc::bad_argument));
}

BOOST_AUTO_TEST_CASE(refuses_senseless_options)
{
    index_builder_options options = options_for({});
    options.max_records = 0;
    BOOST_CHECK(index_builder::create(options).error().is(errc::bad_argument));
    options.max_records = 100'000;
    BOOST_CHECK(index_builder::create(options).error().is(errc::bad_argument));
    const temp_dir folder;
    BOOST_CHECK(index_builder::create(options_for(folder / "none/index")).error().is(errc::io));
}

BOOST_AUTO_TEST_CASE(several_threads_push_at_once)
{
    const test_registry registry = large_registry(12, 400);
    index_builder_options options = options_for({});
    options.max_records = 3;
    options.commit_ms = 1;
    const auto builder = index_builder::create(options).value();
    std::vector<std::thread> producers;
    for (std::size_t first = 0; first < 4; ++first) {
        producers.emplace_back([&, first] {
            for (std::size_t r = first; r < registry.size(); r += 4)
                push(*builder, registry[r], 16);
        });
    }
    for (std::thread& each : producers)
        each.join();
    BOOST_CHECK_EQUAL(dump(builder->finish().value()), expected_dump(registry));
}

BOOST_AUTO_TEST_CASE(wakes_from_sleep)
{
    index_builder_options options = options_for({});
    options.max_records = 1;
    options.commit_ms = 0;
    const auto builder = index_builder::create(options).value();
    // With one record and a commit after each, the writer goes to sleep between any two.
    for (int i = 0; i < 200; ++i)
        push(*builder, {"r" + std::to_string(i), {{"1", digest_of("x")}}});
    BOOST_CHECK_EQUAL(builder->finish().value().summary().value().repositories, 200u);
}

BOOST_AUTO_TEST_CASE(two_builders_of_one_index)
{
    const temp_dir folder;
    const auto first = index_builder::create(options_for(folder / "index")).value();
    const auto second = index_builder::create(options_for(folder / "index"));
    BOOST_REQUIRE(!second);
    BOOST_CHECK(second.error().is(errc::locked));
    BOOST_CHECK_NE(second.error().detail.find("process " + std::to_string(::getpid())), std::string::npos);
    push_all(*first, small_registry(), 2);
    const index built = first->finish().value();
    BOOST_CHECK(index_builder::create(options_for(folder / "index")));
    BOOST_CHECK_EQUAL(dump(built), expected_dump(small_registry()));
}

BOOST_AUTO_TEST_CASE(a_killed_builder_holds_no_lock)
{
    const temp_dir folder;
    const bool killed = run_and_kill(
        [&](const std::function<void()>& signal) {
            const auto builder = index_builder::create(options_for(folder / "index")).value();
            signal();
            while (true)
                ::pause();
        },
        1);
    BOOST_CHECK(killed);
    BOOST_CHECK_EQUAL(dump(build(small_registry(), folder / "index")), expected_dump(small_registry()));
    BOOST_TEST(names_in(folder.path()) == std::vector<std::string>{"index"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_journal_of_the_old_index_does_not_reach_the_new_one)
{
    const temp_dir folder;
    const test_registry old = large_registry(1, 3000);
    build(old, folder / "index");
    run_and_kill(
        [&](const std::function<void()>& signal) {
            index writer = index::open(folder / "index").value();
            writer.begin().value();
            for (const test_tag& tag : old[0].tags)
                writer.remove_tag(old[0].name, tag.name).value();
            signal();
            while (true)
                ::pause();
        },
        1);
    BOOST_REQUIRE(std::filesystem::exists(folder / "index-journal"));
    build(large_registry(3, 50), folder / "index");
    BOOST_CHECK(!std::filesystem::exists(folder / "index-journal"));
    BOOST_CHECK_EQUAL(dump(index::open(folder / "index").value()), expected_dump(large_registry(3, 50)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(index_resuming)

BOOST_AUTO_TEST_CASE(keeps_what_was_pushed_when_given_up)
{
    const temp_dir folder;
    const test_registry registry = large_registry(3, 50);
    {
        const auto builder = index_builder::create(options_for(folder / "index")).value();
        push(*builder, registry[0]);
        test_repository half = registry[1];
        half.finished = false;
        half.tags.resize(20);
        push(*builder, half);
    }
    BOOST_TEST(names_in(folder.path()) == std::vector<std::string>{"index.part"}, boost::test_tools::per_element());
    BOOST_CHECK(index::open(folder / "index.part").error().is(errc::bad_file));
    const auto builder = index_builder::create(resuming(folder / "index")).value();
    BOOST_CHECK(builder->resumed());
    BOOST_CHECK(builder->already_finished(registry[0].name));
    BOOST_CHECK(!builder->already_finished(registry[1].name));
    BOOST_CHECK(!builder->already_finished(registry[2].name));
    BOOST_CHECK_EQUAL(builder->already_resolved(registry[1].name).size(), 20u);
    BOOST_CHECK(builder->already_resolved(registry[2].name).empty());
    push_all(*builder, registry, 7);
    BOOST_CHECK_EQUAL(dump(builder->finish().value()), expected_dump(registry));
}

BOOST_AUTO_TEST_CASE(what_has_nothing_to_resume_leaves_no_part)
{
    const temp_dir folder;
    index_builder::create(options_for(folder / "index")).value();
    BOOST_TEST(names_in(folder.path()).empty());
}

BOOST_AUTO_TEST_CASE(without_resume_the_part_is_replaced)
{
    const temp_dir folder;
    index_builder::create(options_for(folder / "index")).value();
    {
        const auto builder = index_builder::create(options_for(folder / "index")).value();
        push_all(*builder, large_registry(3, 50), 7);
    }
    const auto builder = index_builder::create(options_for(folder / "index")).value();
    BOOST_CHECK(!builder->resumed());
    push_all(*builder, small_registry(), 7);
    BOOST_CHECK_EQUAL(dump(builder->finish().value()), expected_dump(small_registry()));
}

BOOST_AUTO_TEST_CASE(nothing_to_resume_is_a_new_start)
{
    const temp_dir folder;
    for (const bool empty_file : {false, true}) {
        if (empty_file)
            write_file(folder / "index.part", "");
        const auto builder = index_builder::create(resuming(folder / "index")).value();
        BOOST_CHECK(!builder->resumed());
        BOOST_CHECK(!builder->already_finished("a"));
        push_all(*builder, small_registry(), 7);
        BOOST_CHECK_EQUAL(dump(builder->finish().value()), expected_dump(small_registry()));
    }
}

BOOST_AUTO_TEST_CASE(another_registry_or_scope_is_refused)
{
    const temp_dir folder;
    push_all(*index_builder::create(options_for(folder / "index")).value(), small_registry(), 7);
    index_builder_options other = resuming(folder / "index");
    other.registry = "https://elsewhere:443";
    BOOST_CHECK(index_builder::create(other).error().is(errc::bad_argument));
    other = resuming(folder / "index");
    other.scope = "app/*";
    const auto refused = index_builder::create(other);
    BOOST_CHECK(refused.error().is(errc::bad_argument));
    BOOST_CHECK_NE(refused.error().detail.find("limited to app/*"), std::string::npos);
    BOOST_CHECK(index_builder::create(resuming(folder / "index")).value()->resumed());
}

BOOST_AUTO_TEST_CASE(a_damaged_part_is_refused)
{
    const temp_dir folder;
    {
        const auto builder = index_builder::create(options_for(folder / "index")).value();
        push_all(*builder, large_registry(3, 500), 100);
    }
    const std::string part = read_file(folder / "index.part");
    write_file(folder / "index.part", part.substr(0, 20'000) + std::string(part.size() - 20'000, '\x11'));
    BOOST_CHECK(index_builder::create(resuming(folder / "index")).error().is(errc::bad_file));
    write_file(folder / "index.part", part.substr(0, part.size() / 2));
    BOOST_CHECK(index_builder::create(resuming(folder / "index")).error().is(errc::bad_file));
    write_file(folder / "index.part", "something else");
    BOOST_CHECK(index_builder::create(resuming(folder / "index")).error().is(errc::bad_file));
    BOOST_CHECK_EQUAL(read_file(folder / "index.part"), "something else");
    BOOST_CHECK(index_builder::create(options_for(folder / "index")));
}

BOOST_AUTO_TEST_CASE(tags_gone_since_are_taken_out_and_incomplete_ones_crawled_again)
{
    const temp_dir folder;
    {
        const auto builder = index_builder::create(options_for(folder / "index")).value();
        push(*builder, {"a", {{"1", digest_of("x")}, {"2", digest_of("y")}}, true, false, "timeout"});
    }
    const auto builder = index_builder::create(resuming(folder / "index")).value();
    BOOST_CHECK(!builder->already_finished("a"));
    index_record* record = wait_for_record(*builder);
    record->repository = "a";
    record->add("1");
    record->entries.back().what = index_record::state::gone;
    record->add("3");
    record->entries.back().what = index_record::state::gone;
    record->finished = true;
    builder->push(record);
    BOOST_CHECK_EQUAL(dump(builder->finish().value()), expected_dump({{"a", {{"2", digest_of("y")}}}}));
}

BOOST_AUTO_TEST_CASE(a_build_killed_anywhere_ends_as_an_undisturbed_one)
{
    const test_registry registry = large_registry(6, 600);
    const std::string wanted = expected_dump(registry);
    constexpr std::size_t batch = 50;
    constexpr std::size_t records = 6 * 600 / batch;
    for (const std::size_t moment : {std::size_t{1}, std::size_t{2}, std::size_t{13}, std::size_t{40}, records}) {
        const temp_dir folder;
        const bool killed = run_and_kill(
            [&](const std::function<void()>& signal) {
                index_builder_options options = options_for(folder / "index");
                options.max_records = 2;
                options.commit_ms = 0;
                const auto builder = index_builder::create(options).value();
                push_all(*builder, registry, batch, signal);
                while (true)
                    ::pause();
            },
            moment);
        BOOST_REQUIRE(killed);
        BOOST_CHECK(!std::filesystem::exists(folder / "index"));
        const auto builder = index_builder::create(resuming(folder / "index")).value();
        BOOST_CHECK(builder->resumed());
        // Of two records one may be queued and one in hand; all before those were committed.
        const std::size_t sure = moment > 3 ? (moment - 3) * batch : 0;
        BOOST_CHECK_GE(resolved_tags(*builder, registry), sure);
        push_all(*builder, registry, 77);
        BOOST_CHECK_EQUAL(dump(builder->finish().value()), wanted);
    }
}

BOOST_AUTO_TEST_CASE(killed_while_finishing)
{
    const test_registry registry = large_registry(4, 1500);
    const std::string wanted = expected_dump(registry);
    for (const int delay_us : {0, 500, 2000, 5000, 10'000, 20'000, 40'000}) {
        const temp_dir folder;
        run_and_kill(
            [&](const std::function<void()>& signal) {
                const auto builder = index_builder::create(options_for(folder / "index")).value();
                push_all(*builder, registry, 256);
                std::thread clock([&] {
                    std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
                    signal();
                });
                const auto done = builder->finish();
                clock.join();
                while (true)
                    ::pause();
            },
            1);
        if (!std::filesystem::exists(folder / "index")) {
            const auto builder = index_builder::create(resuming(folder / "index")).value();
            BOOST_CHECK(builder->resumed());
            push_all(*builder, registry, 256);
            builder->finish().value();
        }
        BOOST_CHECK_EQUAL(dump(index::open(folder / "index").value()), wanted);
    }
}

BOOST_AUTO_TEST_CASE(asking_while_writing)
{
    const temp_dir folder;
    const test_registry registry = large_registry(10, 300);
    {
        const auto builder = index_builder::create(options_for(folder / "index")).value();
        for (std::size_t r = 0; r < 5; ++r)
            push(*builder, registry[r]);
    }
    index_builder_options options = resuming(folder / "index");
    options.max_records = 2;
    options.commit_ms = 1;
    const auto builder = index_builder::create(options).value();
    std::thread producer([&] {
        for (std::size_t r = 5; r < 10; ++r)
            push_all(*builder, {registry[r]}, 10);
    });
    producer.join();
    // The producer asked too: one thread at a time, while the writer's writes.
    for (std::size_t r = 0; r < 5; ++r) {
        BOOST_CHECK(builder->already_finished(registry[r].name));
        BOOST_CHECK_EQUAL(builder->already_resolved(registry[r].name).size(), 300u);
    }
    BOOST_CHECK_EQUAL(dump(builder->finish().value()), expected_dump(registry));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(index_full_disk)

namespace {

// A limit on the size of files fails writes as a full disk does.
void limit_file_size(rlim_t bytes)
{
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
}

enum outcome : int { as_it_should = 0, did_not_fail, wrong_error, old_index_lost };

int build_beyond_limit(const std::filesystem::path& file, rlim_t bytes, const test_registry& registry)
{
    limit_file_size(bytes);
    index_builder_options options = options_for(file);
    options.commit_ms = 0;
    options.max_records = 4;
    const auto builder = index_builder::create(options).value();
    // Ends only if records come back after the failure.
    push_all(*builder, registry, 100);
    const auto finished = builder->finish();
    if (finished)
        return did_not_fail;
    return finished.error().is(errc::io) && builder->failed() ? as_it_should : wrong_error;
}

} // namespace

BOOST_AUTO_TEST_CASE(while_writing_tags)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    const std::string before = read_file(folder / "index");
    const test_registry registry = large_registry(10, 1000);
    BOOST_CHECK_EQUAL(run_in_child([&] { return build_beyond_limit(folder / "index", 300'000, registry); }),
                      as_it_should);
    BOOST_CHECK(read_file(folder / "index") == before);
    // With space again, the crawl goes on.
    const auto builder = index_builder::create(resuming(folder / "index")).value();
    BOOST_CHECK(builder->resumed());
    BOOST_CHECK_GT(resolved_tags(*builder, registry), 1000u);
    push_all(*builder, registry, 100);
    BOOST_CHECK_EQUAL(dump(builder->finish().value()), expected_dump(registry));
}

BOOST_AUTO_TEST_CASE(while_finishing)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    const std::string before = read_file(folder / "index");
    const test_registry registry = large_registry(10, 1000);
    const int outcome = run_in_child([&] {
        const auto builder = index_builder::create(options_for(folder / "index")).value();
        push_all(*builder, registry, 100);
        // All is pushed; the secondary index does not fit any more.
        limit_file_size(700'000);
        const auto finished = builder->finish();
        if (finished)
            return did_not_fail;
        return finished.error().is(errc::io) ? as_it_should : wrong_error;
    });
    BOOST_CHECK_EQUAL(outcome, as_it_should);
    BOOST_CHECK(read_file(folder / "index") == before);
    const auto builder = index_builder::create(resuming(folder / "index")).value();
    push_all(*builder, registry, 100);
    BOOST_CHECK_EQUAL(dump(builder->finish().value()), expected_dump(registry));
}

BOOST_AUTO_TEST_CASE(while_writing_json)
{
    const temp_dir folder;
    build(small_registry(), folder / "c.json");
    const std::string before = read_file(folder / "c.json");
    const int outcome = run_in_child([&] {
        const index built = build(large_registry(10, 1000));
        limit_file_size(300'000);
        const auto written = built.write_json(folder / "c.json");
        if (written)
            return did_not_fail;
        return written.error().is(errc::io) ? as_it_should : wrong_error;
    });
    BOOST_CHECK_EQUAL(outcome, as_it_should);
    BOOST_CHECK(read_file(folder / "c.json") == before);
    BOOST_TEST(names_in(folder.path()) == std::vector<std::string>{"c.json"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep::test
