#include "support.hpp"

#include "common/temp_dir.hpp"

#include <boost/test/unit_test.hpp>

#include <sqlite3.h>

#include <filesystem>
#include <set>
#include <unistd.h>

namespace regsweep::test {

namespace {

std::vector<std::string> uses(const index& from, const digest& d)
{
    std::vector<std::string> found;
    from.for_each_use(d,
                      [&](const tag_view& tag) {
                          found.push_back(std::string(tag.repository) + ":" + std::string(tag.tag));
                          return true;
                      })
        .value();
    return found;
}

void run_sql(const std::filesystem::path& file, const std::string& sql)
{
    sqlite3* db = nullptr;
    BOOST_REQUIRE_EQUAL(sqlite3_open(file.c_str(), &db), SQLITE_OK);
    const int code = sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
    BOOST_CHECK_MESSAGE(code == SQLITE_OK, sqlite3_errmsg(db));
    sqlite3_close(db);
}

// Counts as they would be if they were counted again.
void check_counts(const index& from)
{
    std::uint64_t tags = 0;
    std::uint64_t repositories = 0;
    std::uint64_t incomplete = 0;
    std::set<digest> digests;
    from.for_each_repository([&](const repository_info& repository) {
            ++repositories;
            incomplete += !repository.complete;
            std::uint64_t own = 0;
            from.for_each_tag(repository.name,
                              [&](const tag_view& tag) {
                                  digests.insert(tag.digest);
                                  ++own;
                                  return true;
                              })
                .value();
            BOOST_CHECK_EQUAL(repository.tags, own);
            tags += own;
            return true;
        })
        .value();
    const index_summary summary = from.summary().value();
    BOOST_CHECK_EQUAL(summary.tags, tags);
    BOOST_CHECK_EQUAL(summary.repositories, repositories);
    BOOST_CHECK_EQUAL(summary.incomplete, incomplete);
    BOOST_CHECK_EQUAL(summary.digests, digests.size());
}

} // namespace

BOOST_AUTO_TEST_SUITE(index_reading)

BOOST_AUTO_TEST_CASE(knows_what_was_built_in_memory_and_in_a_file)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    BOOST_CHECK_EQUAL(dump(index::open(folder / "index").value()), expected_dump(small_registry()));
    BOOST_CHECK_EQUAL(dump(build(small_registry())), expected_dump(small_registry()));
}

BOOST_AUTO_TEST_CASE(summary_counts_what_is_there)
{
    const index built = build(small_registry());
    const index_summary summary = built.summary().value();
    BOOST_CHECK_EQUAL(summary.registry, "https://registry.example:443");
    BOOST_CHECK_EQUAL(summary.repositories, 4u);
    BOOST_CHECK_EQUAL(summary.tags, 6u);
    BOOST_CHECK_EQUAL(summary.digests, 4u);
    BOOST_CHECK_EQUAL(summary.incomplete, 1u);
    BOOST_CHECK_GT(summary.finished_at, 0);
    check_counts(built);
}

BOOST_AUTO_TEST_CASE(an_empty_registry_is_an_index_too)
{
    const temp_dir folder;
    build({}, folder / "index");
    const index opened = index::open(folder / "index").value();
    BOOST_CHECK_EQUAL(dump(opened), "");
    check_counts(opened);
}

BOOST_AUTO_TEST_CASE(finds_every_use_of_a_digest_sorted)
{
    const index built = build(small_registry());
    const std::vector<std::string> wanted{"app/db:9", "app/web:1.1", "app/web:latest"};
    BOOST_TEST(uses(built, digest_of("b")) == wanted, boost::test_tools::per_element());
    BOOST_CHECK(uses(built, digest_of("nobody's")).empty());
}

BOOST_AUTO_TEST_CASE(tells_unknown_from_empty)
{
    const index built = build(small_registry());
    BOOST_CHECK(!built.find_repository("nothing").value());
    BOOST_CHECK_EQUAL(built.find_repository("empty").value()->tags, 0u);
    BOOST_CHECK_EQUAL(built.find_repository("broken").value()->problem, "2 of 3 tags: HTTP 500");
    BOOST_CHECK(built.find("app/web", "1.0").value() == digest_of("a"));
    BOOST_CHECK(!built.find("app/web", "2.0").value());
    BOOST_CHECK(!built.find("nothing", "1.0").value());
}

BOOST_AUTO_TEST_CASE(visits_can_be_stopped_and_nested)
{
    const index built = build(small_registry());
    int seen = 0;
    built
        .for_each_tag("app/web",
                      [&](const tag_view&) {
                          built.for_each_tag("app/web", [&](const tag_view&) { return ++seen % 2 != 0; }).value();
                          return true;
                      })
        .value();
    BOOST_CHECK_EQUAL(seen, 6);
    int repositories = 0;
    built
        .for_each_repository([&](const repository_info&) {
            ++repositories;
            return false;
        })
        .value();
    BOOST_CHECK_EQUAL(repositories, 1);
}

BOOST_AUTO_TEST_CASE(names_are_data_and_never_sql)
{
    const std::string evil = "x'); DROP TABLE tag; --";
    const test_registry odd{{"select", {{"select", digest_of("1")}, {evil, digest_of("2")}, {"\"", digest_of("3")}}},
                            {"'", {{"?1", digest_of("4")}, {"%s", digest_of("5")}, {"Ünï", digest_of("6")}}}};
    const index built = build(odd);
    BOOST_CHECK_EQUAL(dump(built), expected_dump(odd));
    BOOST_CHECK(built.find("select", evil).value() == digest_of("2"));
}

BOOST_AUTO_TEST_CASE(keeps_both_digest_algorithms_and_media_types)
{
    const temp_dir folder;
    const digest long_one = digest::of("content", digest::algorithm::sha512);
    const test_registry both{{"a", {{"1", digest_of("x")}, {"2", long_one, media_type::schema1_signed}}}};
    build(both, folder / "index");
    const index opened = index::open(folder / "index").value();
    BOOST_CHECK_EQUAL(dump(opened), expected_dump(both));
    BOOST_CHECK_EQUAL(uses(opened, long_one).size(), 1u);
}

BOOST_AUTO_TEST_CASE(follows_links)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    std::filesystem::create_symlink("index", folder / "link");
    build(large_registry(2, 3), folder / "link");
    BOOST_CHECK(std::filesystem::is_symlink(folder / "link"));
    BOOST_CHECK_EQUAL(dump(index::open(folder / "index").value()), expected_dump(large_registry(2, 3)));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(index_changing)

BOOST_AUTO_TEST_CASE(removing_a_digest_touches_one_repository)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    {
        index opened = index::open(folder / "index").value();
        BOOST_CHECK_EQUAL(opened.remove_digest("app/web", digest_of("b")).value(), 2u);
        BOOST_CHECK_EQUAL(opened.remove_digest("app/web", digest_of("b")).value(), 0u);
        BOOST_CHECK_EQUAL(opened.remove_digest("nothing", digest_of("b")).value(), 0u);
        check_counts(opened);
    }
    const index again = index::open(folder / "index").value();
    BOOST_CHECK_EQUAL(uses(again, digest_of("b")).size(), 1u);
    check_counts(again);
    BOOST_CHECK(!std::filesystem::exists(folder / "index.lock"));
}

BOOST_AUTO_TEST_CASE(removing_and_putting_tags_keeps_the_counts)
{
    index built = build(small_registry());
    built.remove_tag("app/db", "10").value();
    built.remove_tag("app/db", "10").value();
    built.remove_tag("nothing", "10").value();
    check_counts(built);
    built.put_tag("app/db", "11", digest_of("new"), media_type::docker_manifest).value();
    built.put_tag("app/db", "11", digest_of("a"), media_type::docker_manifest).value();
    built.put_tag("app/web", "1.0", digest_of("a"), media_type::docker_manifest).value();
    check_counts(built);
    BOOST_CHECK_EQUAL(uses(built, digest_of("a")).size(), 2u);
    BOOST_CHECK(uses(built, digest_of("new")).empty());
    BOOST_CHECK_EQUAL(built.find_repository("app/db").value()->tags, 2u);
}

BOOST_AUTO_TEST_CASE(a_repository_known_from_one_tag_only_is_incomplete)
{
    index built = build(small_registry());
    built.put_tag("restored", "1", digest_of("r"), media_type::unknown).value();
    BOOST_CHECK(!built.find_repository("restored").value()->complete);
    BOOST_CHECK(built.put_tag("restored", "", digest_of("r"), media_type::unknown).error().is(errc::bad_argument));
    BOOST_CHECK(built.put_tag("restored", "2", digest(), media_type::unknown).error().is(errc::bad_argument));
    check_counts(built);
}

BOOST_AUTO_TEST_CASE(groups_become_visible_together_or_not_at_all)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    index writer = index::open(folder / "index").value();
    const index reader = index::open(folder / "index").value();
    writer.begin().value();
    BOOST_CHECK(writer.begin().error().is(errc::bad_argument));
    writer.remove_tag("app/web", "1.0").value();
    writer.remove_tag("app/web", "1.1").value();
    BOOST_CHECK_EQUAL(reader.find_repository("app/web").value()->tags, 3u);
    writer.commit().value();
    BOOST_CHECK_EQUAL(reader.find_repository("app/web").value()->tags, 1u);
    BOOST_CHECK(writer.commit().error().is(errc::bad_argument));
    writer.begin().value();
    writer.remove_tag("app/web", "latest").value();
    writer.rollback();
    BOOST_CHECK_EQUAL(writer.find_repository("app/web").value()->tags, 1u);
    check_counts(writer);
}

BOOST_AUTO_TEST_CASE(an_end_without_commit_takes_the_group_back)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    {
        index writer = index::open(folder / "index").value();
        writer.begin().value();
        writer.remove_tag("app/web", "1.0").value();
    }
    BOOST_CHECK_EQUAL(dump(index::open(folder / "index").value()), expected_dump(small_registry()));
}

BOOST_AUTO_TEST_CASE(refuses_changes_while_visiting)
{
    index built = build(small_registry());
    built
        .for_each_tag("app/web",
                      [&](const tag_view&) {
                          BOOST_CHECK(built.remove_tag("app/web", "1.0").error().is(errc::bad_argument));
                          BOOST_CHECK(built.begin().error().is(errc::bad_argument));
                          return true;
                      })
        .value();
    built.remove_tag("app/web", "1.0").value();
}

BOOST_AUTO_TEST_CASE(one_process_changes_an_index_at_a_time)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    index first = index::open(folder / "index").value();
    index second = index::open(folder / "index").value();
    first.remove_tag("app/web", "1.0").value();
    const auto refused = second.remove_tag("app/web", "1.1");
    BOOST_REQUIRE(!refused);
    BOOST_CHECK(refused.error().is(errc::locked));
    BOOST_CHECK(index_builder::create(options_for(folder / "index")).error().is(errc::locked));
}

BOOST_AUTO_TEST_CASE(a_killed_change_is_taken_back_by_the_next_reader)
{
    const temp_dir folder;
    const test_registry registry = large_registry(1, 5000);
    build(registry, folder / "index");
    const bool killed = run_and_kill(
        [&](const std::function<void()>& signal) {
            index writer = index::open(folder / "index").value();
            writer.begin().value();
            for (const test_tag& tag : registry[0].tags)
                writer.remove_tag(registry[0].name, tag.name).value();
            signal();
            while (true)
                ::pause();
        },
        1);
    BOOST_CHECK(killed);
    BOOST_CHECK_EQUAL(dump(index::open(folder / "index").value()), expected_dump(registry));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(index_damage)

namespace {

// Opening must fail with `wanted` and leave the file as it is.
void check_refused(const std::filesystem::path& file, errc wanted)
{
    const std::string before = read_file(file);
    const auto opened = index::open(file);
    BOOST_REQUIRE(!opened);
    BOOST_CHECK_MESSAGE(opened.error().is(wanted), opened.error().message());
    BOOST_CHECK_MESSAGE(opened.error().detail.find(file.string()) != std::string::npos, opened.error().detail);
    BOOST_CHECK(read_file(file) == before);
}

void change_bytes(const std::filesystem::path& file, std::size_t at, std::string_view bytes)
{
    std::string content = read_file(file);
    content.replace(at, bytes.size(), bytes);
    write_file(file, content);
}

} // namespace

BOOST_AUTO_TEST_CASE(a_missing_file_is_not_found)
{
    const temp_dir folder;
    BOOST_CHECK(index::open(folder / "none").error().is(errc::not_found));
    BOOST_CHECK(!std::filesystem::exists(folder / "none"));
    BOOST_CHECK(index::open(folder.path()).error().is(errc::io));
}

BOOST_AUTO_TEST_CASE(refuses_foreign_files)
{
    const temp_dir folder;
    write_file(folder / "text", "PATH=/bin\n");
    check_refused(folder / "text", errc::bad_file);
    write_file(folder / "nothing", "");
    check_refused(folder / "nothing", errc::bad_file);
    run_sql(folder / "other", "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
    check_refused(folder / "other", errc::bad_file);
}

BOOST_AUTO_TEST_CASE(a_foreign_file_is_not_replaced_by_a_build)
{
    const temp_dir folder;
    write_file(folder / "text", "PATH=/bin\n");
    write_file(folder / "text.json", "PATH=/bin\n");
    run_sql(folder / "other", "CREATE TABLE t(x)");
    for (const char* name : {"text", "other", "text.json"}) {
        const auto made = index_builder::create(options_for(folder / name));
        BOOST_REQUIRE(!made);
        BOOST_CHECK(made.error().is(errc::bad_file));
    }
    BOOST_CHECK_EQUAL(read_file(folder / "text"), "PATH=/bin\n");
}

BOOST_AUTO_TEST_CASE(refuses_newer_versions)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    run_sql(folder / "index", "PRAGMA user_version=2");
    check_refused(folder / "index", errc::newer_version);
    BOOST_CHECK(index_builder::create(options_for(folder / "index")).error().is(errc::newer_version));
    run_sql(folder / "index", "PRAGMA user_version=0");
    check_refused(folder / "index", errc::bad_file);
}

BOOST_AUTO_TEST_CASE(refuses_cut_and_damaged_files)
{
    const temp_dir folder;
    build(large_registry(3, 500), folder / "index");
    const std::string whole = read_file(folder / "index");
    for (const std::size_t size : {std::size_t{50}, std::size_t{100}, std::size_t{4096}, whole.size() / 2}) {
        write_file(folder / "cut", whole.substr(0, size));
        check_refused(folder / "cut", errc::bad_file);
    }
    write_file(folder / "schema", whole);
    change_bytes(folder / "schema", 100, std::string(1000, '\xff'));
    check_refused(folder / "schema", errc::bad_file);
}

BOOST_AUTO_TEST_CASE(refuses_missing_tables)
{
    const temp_dir folder;
    for (const char* sql : {"DROP INDEX tag_digest", "DROP TABLE repository", "DELETE FROM meta"}) {
        std::filesystem::remove(folder / "index");
        build(small_registry(), folder / "index");
        run_sql(folder / "index", sql);
        check_refused(folder / "index", errc::bad_file);
    }
}

BOOST_AUTO_TEST_CASE(damage_deep_inside_is_found_by_queries)
{
    const temp_dir folder;
    const test_registry registry = large_registry(3, 2000);
    build(registry, folder / "index");
    const std::string whole = read_file(folder / "index");
    // Page 1 holds the schema; behind it everything is broken.
    change_bytes(folder / "index", 4096, std::string(whole.size() - 4096, '\x5a'));
    const auto opened = index::open(folder / "index");
    const auto asked = opened ? opened->for_each_tag(registry[0].name, [](const tag_view&) { return true; })
                              : result<void>(opened.error());
    BOOST_REQUIRE(!asked);
    BOOST_CHECK_MESSAGE(asked.error().is(errc::bad_file), asked.error().message());
}

BOOST_AUTO_TEST_CASE(a_digest_of_another_length_is_damage)
{
    const temp_dir folder;
    build(small_registry(), folder / "index");
    run_sql(folder / "index", "UPDATE tag SET digest = x'0102'");
    const index opened = index::open(folder / "index").value();
    BOOST_CHECK(opened.for_each_tag("app/web", [](const tag_view&) { return true; }).error().is(errc::bad_file));
    BOOST_CHECK(opened.find("app/web", "1.0").error().is(errc::bad_file));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep::test
