#include "support.hpp"

#include "common/temp_dir.hpp"
#include "regsweep/index/details.hpp"

#include <boost/test/unit_test.hpp>

#include <sqlite3.h>

#include <filesystem>

// The SQL in docs/index.md must run on a real index and find something in it.

namespace regsweep::test {

namespace {

std::vector<std::string> sql_blocks(const std::string& document)
{
    static constexpr std::string_view begin = "```sql\n";
    std::vector<std::string> blocks;
    std::size_t at = document.find(begin);
    while (at != std::string::npos) {
        at += begin.size();
        const std::size_t end = document.find("```", at);
        blocks.push_back(document.substr(at, end - at));
        at = document.find(begin, end);
    }
    return blocks;
}

constexpr std::string_view details_heading = "\n## The details file\n";

void check_blocks(const std::vector<std::string>& blocks, const std::string& file)
{
    sqlite3* db = nullptr;
    BOOST_REQUIRE_EQUAL(sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    for (const std::string& sql : blocks) {
        sqlite3_stmt* query = nullptr;
        const char* rest = nullptr;
        BOOST_REQUIRE_MESSAGE(sqlite3_prepare_v2(db, sql.c_str(), -1, &query, &rest) == SQLITE_OK,
                              sql << sqlite3_errmsg(db));
        BOOST_CHECK_MESSAGE(sqlite3_step(query) == SQLITE_ROW, sql << "finds nothing");
        BOOST_CHECK_MESSAGE(std::string_view(rest).find_first_not_of(" \n") == std::string_view::npos,
                            sql << "is more than one statement");
        sqlite3_finalize(query);
    }
    sqlite3_close(db);
}

} // namespace

BOOST_AUTO_TEST_SUITE(index_document)

BOOST_AUTO_TEST_CASE(every_example_runs_and_finds_something)
{
    const temp_dir folder;
    test_registry registry = small_registry();
    registry[0].tags.push_back({"abc", digest_of("abc"), media_type::unknown}); // the digest in the document
    build(registry, folder / "index");
    const std::string document = read_file(std::filesystem::path(TEST_DATA_DIR) / "../docs/index.md");
    const auto blocks = sql_blocks(document.substr(0, document.find(details_heading)));
    BOOST_CHECK_GE(blocks.size(), 9u);
    check_blocks(blocks, folder / "index");
}

BOOST_AUTO_TEST_CASE(every_example_of_details_runs_and_finds_something)
{
    const temp_dir folder;
    manifest_details image;
    image.digest = digest_of("image");
    image.created = timestamp{1'500'000'000, 0};
    image.platform = {"linux", "amd64", ""};
    image.layers.push_back({digest_of("layer"), 1000, "application/layer"});
    image.labels = {{"maintainer", "somebody"}};
    manifest_details list;
    list.digest = digest_of("abc"); // the digest in the document
    list.children.push_back({image.digest, 500, media_type::oci_manifest, image.platform, {}});
    details_store::open(folder / "details").value().put(std::vector{image, list}).value();
    const std::string document = read_file(std::filesystem::path(TEST_DATA_DIR) / "../docs/index.md");
    const auto blocks = sql_blocks(document.substr(document.find(details_heading)));
    BOOST_CHECK_GE(blocks.size(), 6u);
    check_blocks(blocks, folder / "details");
}

BOOST_AUTO_TEST_CASE(the_view_names_every_media_type)
{
    const temp_dir folder;
    test_registry registry{{"a"}};
    for (int type = 0; type <= static_cast<int>(media_type::schema1_signed); ++type)
        registry[0].tags.push_back({std::to_string(type), digest_of("x"), static_cast<media_type>(type)});
    registry[0].tags.push_back({"long", digest::of("x", digest::algorithm::sha512)});
    build(registry, folder / "index");
    sqlite3* db = nullptr;
    const std::string file = folder / "index";
    BOOST_REQUIRE_EQUAL(sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    sqlite3_stmt* query = nullptr;
    sqlite3_prepare_v2(db, "SELECT ifnull(media_type, ''), digest FROM image ORDER BY tag", -1, &query, nullptr);
    for (const test_tag& tag : registry[0].tags) {
        BOOST_REQUIRE_EQUAL(sqlite3_step(query), SQLITE_ROW);
        BOOST_CHECK_EQUAL(reinterpret_cast<const char*>(sqlite3_column_text(query, 0)),
                          std::string(to_string(tag.type)));
        BOOST_CHECK_EQUAL(reinterpret_cast<const char*>(sqlite3_column_text(query, 1)), tag.digest.to_string());
    }
    sqlite3_finalize(query);
    sqlite3_close(db);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep::test
