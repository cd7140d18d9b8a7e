// What docker-registry-util 1.0.3 printed for 90 random command lines, on one cache file.
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep::test;

namespace {

const std::filesystem::path folder = std::filesystem::path(TEST_DATA_DIR) / "golden" / "selection";

std::vector<std::string> strings(const boost::json::value& list)
{
    std::vector<std::string> all;
    for (const auto& item : list.as_array())
        all.emplace_back(item.as_string());
    return all;
}

} // namespace

BOOST_AUTO_TEST_SUITE(golden)

BOOST_AUTO_TEST_CASE(every_case_through_the_program)
{
    const sandbox home;
    const auto cache = home.file("cache.json");
    const std::string before = read_file(folder / "cache.json");
    write_file(cache, before);

    const auto cases = boost::json::parse(read_file(folder / "cases.json"));
    BOOST_TEST_REQUIRE(cases.as_array().size() == 90U);
    for (const auto& one : cases.as_array()) {
        std::vector<std::string> args{"-c", cache.string(), "-reg", "registry.invalid"};
        for (const auto& arg : strings(one.at("argv")))
            args.push_back(arg);
        BOOST_TEST_CONTEXT("regsweep " << shown(args))
        {
            const auto done = home.run(args);
            if (one.at("ok").as_bool()) {
                BOOST_TEST(done.exit_code == 0, "exit " << done.exit_code << ": " << done.err);
                BOOST_TEST(sorted_lines(done.out) == strings(one.at("stdout")), boost::test_tools::per_element());
            } else {
                BOOST_TEST(done.exit_code == 1);
                BOOST_TEST(done.out == "");
                BOOST_TEST(count_errors(done.err) == 1U, done.err);
            }
        }
    }
    BOOST_TEST((read_file(cache) == before), "queries changed the cache file");
}

BOOST_AUTO_TEST_SUITE_END()
