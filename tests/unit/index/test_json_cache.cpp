#include "support.hpp"

#include "common/temp_dir.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <thread>

namespace regsweep::test {

namespace {

const std::string hex_a(64, 'a');
const std::string good = "\"sha256:" + hex_a + "\"";

error refusal(const std::string& json)
{
    const temp_dir folder;
    write_file(folder / "cache.json", json);
    const auto opened = index::open(folder / "cache.json");
    return opened ? error() : opened.error();
}

} // namespace

BOOST_AUTO_TEST_SUITE(json_cache)

BOOST_AUTO_TEST_CASE(reads_a_cache_of_docker_registry_util)
{
    const index opened = index::open(std::filesystem::path(TEST_DATA_DIR) / "golden/selection/cache.json").value();
    const index_summary summary = opened.summary().value();
    BOOST_CHECK_GT(summary.tags, 0u);
    BOOST_CHECK_EQUAL(summary.registry, "");
    BOOST_CHECK_EQUAL(summary.finished_at, 0);
    BOOST_CHECK_EQUAL(opened.find("a", "1.0").value()->to_string(),
                      "sha256:e7fc2e46e57ddc98fa831fc3b6285c630efa89924a749e71cc1299cc2d6efc41");
    int uses = 0;
    opened.for_each_use(*opened.find("a", "1.0").value(), [&](const tag_view&) { return ++uses > 0; }).value();
    BOOST_CHECK_GE(uses, 2);
}

BOOST_AUTO_TEST_CASE(writing_and_reading_gives_the_same)
{
    const temp_dir folder;
    const index golden = index::open(std::filesystem::path(TEST_DATA_DIR) / "golden/selection/cache.json").value();
    golden.write_json(folder / "copy.json").value();
    BOOST_CHECK_EQUAL(dump(index::open(folder / "copy.json").value()), dump(golden));
    BOOST_CHECK_EQUAL(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

BOOST_AUTO_TEST_CASE(writes_what_python_writes)
{
    const temp_dir folder;
    const digest d = digest::parse("sha256:" + hex_a).value();
    // The text is what json.dumps(…, ensure_ascii=False) gives for these keys.
    const index built = build({{"b", {{"2", d}, {"1", d}}},
                               {"a", {{"q\"\\/\b\f\n\r\t\x01\x7f\u00fc", d}}},
                               {"empty", {}},
                               {"partly", {{"1", d}}, true, false, "why"}});
    built.write_json(folder / "out.json").value();
    const std::string wanted = "{\"a\": {\"q\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\u00fc\": " + good +
                               "}, \"b\": {\"1\": " + good + ", \"2\": " + good + "}}";
    BOOST_CHECK_EQUAL(read_file(folder / "out.json"), wanted);
    build({}).write_json(folder / "out.json").value();
    BOOST_CHECK_EQUAL(read_file(folder / "out.json"), "{}");
}

BOOST_AUTO_TEST_CASE(a_builder_makes_a_cache_by_its_name)
{
    const temp_dir folder;
    const index built = build(small_registry(), folder / "out.json");
    BOOST_CHECK_EQUAL(dump(built), expected_dump(small_registry()));
    const index opened = index::open(folder / "out.json").value();
    BOOST_CHECK_EQUAL(opened.summary().value().tags, 5u); // without the incomplete repository
    BOOST_CHECK_EQUAL(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

BOOST_AUTO_TEST_CASE(sha512_cannot_be_written)
{
    const temp_dir folder;
    const test_registry odd{{"app", {{"7", digest::of("x", digest::algorithm::sha512)}}}};
    const auto written = build(odd).write_json(folder / "out.json");
    BOOST_REQUIRE(!written);
    BOOST_CHECK(written.error().is(errc::bad_digest));
    BOOST_CHECK_NE(written.error().detail.find("app:7"), std::string::npos);
    const auto builder = index_builder::create(options_for(folder / "other.json")).value();
    push(*builder, odd[0]);
    while (!builder->failed())
        std::this_thread::yield();
    BOOST_CHECK(builder->finish().error().is(errc::bad_digest));
    BOOST_CHECK_EQUAL(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1); // the lock
}

BOOST_AUTO_TEST_CASE(white_space_and_escapes_do_not_matter)
{
    const temp_dir folder;
    write_file(folder / "c", " \n\t{ \"\\u0061\\/b\" :\r\n{ \"1\"\n: " + good + " } , \"e\":{}}\n \n");
    const index opened = index::open(folder / "c").value();
    BOOST_CHECK_EQUAL(dump(opened), "a/b 1 complete\n  1 sha256:" + hex_a + " \ne 0 complete\n");
}

BOOST_AUTO_TEST_CASE(reads_in_pieces)
{
    const temp_dir folder;
    const test_registry registry = large_registry(20, 500);
    build(registry).write_json(folder / "large.json").value();
    BOOST_CHECK_GT(std::filesystem::file_size(folder / "large.json"), 800'000u);
    const index opened = index::open(folder / "large.json").value();
    BOOST_CHECK_EQUAL(opened.summary().value().tags, 10'000u);
    BOOST_CHECK(opened.find(registry[7].name, "v1.77").value() == registry[7].tags[77].digest);
}

BOOST_AUTO_TEST_CASE(errors_say_what_and_where)
{
    struct wrong
    {
        std::string json;
        std::string place;
        std::string words;
    };
    const std::string tags = "{\"a\": {\"1\": " + good;
    const std::vector<wrong> cases{
        {"{\"a\": {\"1\": " + good + ",}}", "line 1", "malformed"},
        {"{\n\"a\": {\n  \"1\": sha256}}", "line 3", "malformed"},
        {"{", "line 1", "ends early"},
        {tags, "line 1", "ends early"},
        {tags + "}} x", "line 1, column 89", "after the end"},
        {tags + "}}\n{}", "line 2, column 1", "after the end"},
        {"{\"a\": []}", "line 1", "object of tags, not an array"},
        {"{\"a\": \"1\"}", "line 1", "object of tags, not a string"},
        {"{\"a\": null}", "line 1", "object of tags, not null"},
        {"{\"a\": {\"1\": 5}}", "line 1", "digest string, not a number"},
        {"{\"a\": {\"1\": true}}", "line 1", "digest string, not a boolean"},
        {"{\"a\": {\"1\": {}}}", "line 1", "not an object"},
        {"{\"a\": {\"1\": [[[[[[[[[[[[]]]]]]]]]]]]}}", "line 1", "not an array"},
        {"{\"a\": {\"1\": \"sha256:12\"}}", "line 1", "tag '1' has no valid digest but 'sha256:12'"},
        {"{\"a\": {\"1\": " + good + ", \"1\": " + good + "}}", "line 1", "tag '1' appears twice"},
        {tags + "}, \"a\": {}}", "line 1", "repository 'a' appears twice"},
        {"{\"\": {}}", "line 1", "empty"},
        {"{\"a\\u0000b\": {}}", "line 1", "control characters"},
        {"{\"a\": {\"\\n\": " + good + "}}", "line 1", "control characters"},
        {"{\"" + std::string(5000, 'x') + "\": {}}", "line 1", "longer than 4096"},
        {"{\"a\xff\": {}}", "line 1", "malformed"},
    };
    for (const wrong& each : cases) {
        const error why = refusal(each.json);
        BOOST_CHECK_MESSAGE(why.is(errc::bad_json), each.json.substr(0, 80) << ": " << why.message());
        BOOST_CHECK_MESSAGE(why.detail.find(each.place) != std::string::npos, why.detail << " lacks " << each.place);
        BOOST_CHECK_MESSAGE(why.detail.find(each.words) != std::string::npos, why.detail << " lacks " << each.words);
    }
}

BOOST_AUTO_TEST_CASE(every_cut_is_an_error)
{
    const std::string whole = "{\"a\": {\"1\": " + good + ", \"2\": " + good + "}, \"b\": {}}";
    BOOST_CHECK(!refusal(whole).code);
    for (std::size_t size = 1; size < whole.size(); ++size)
        BOOST_CHECK_MESSAGE(refusal(whole.substr(0, size)).is(errc::bad_json), size);
}

BOOST_AUTO_TEST_CASE(refuses_files_above_four_gigabytes)
{
    const temp_dir folder;
    write_file(folder / "huge.json", "{");
    std::filesystem::resize_file(folder / "huge.json", (std::uintmax_t{4} << 30) + 1);
    BOOST_CHECK(index::open(folder / "huge.json").error().is(errc::too_large));
}

BOOST_AUTO_TEST_CASE(changes_stay_in_memory_until_written)
{
    const temp_dir folder;
    build(small_registry(), folder / "c.json");
    const std::string before = read_file(folder / "c.json");
    index opened = index::open(folder / "c.json").value();
    opened.remove_digest("app/web", digest_of("b")).value();
    BOOST_CHECK_EQUAL(read_file(folder / "c.json"), before);
    opened.write_json(folder / "c.json").value();
    BOOST_CHECK_EQUAL(index::open(folder / "c.json").value().summary().value().tags, 3u);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_missing_is_an_error)
{
    const temp_dir folder;
    BOOST_CHECK(!build(small_registry()).write_json(folder / "none/c.json"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep::test
