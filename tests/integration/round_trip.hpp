#ifndef REGSWEEP_TESTS_INTEGRATION_ROUND_TRIP_HPP
#define REGSWEEP_TESTS_INTEGRATION_ROUND_TRIP_HPP

#include "common/push.hpp"
#include "common/real_registry.hpp"
#include "integration/index_content.hpp"
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace regsweep::test {

/// Some images, one of them shared and one multi-arch; `removable:old` shares its digest with nothing.
inline content push_sample(push_client& to, int repositories = 3)
{
    content pushed;
    const auto put = [&](const std::string& repository, const manifest& m, const std::vector<std::string>& tags) {
        to.push(repository, m, tags);
        for (const auto& tag : tags)
            pushed[repository][tag] = to.resolve(repository, tag);
    };
    for (int i = 0; i != repositories; ++i)
        put("sample/repo-" + std::to_string(i), make_image(std::to_string(i)), {"1.0", "1.1"});
    put("multi", make_index({make_image("multi", family::oci), make_image("multi", family::oci, "arm64")}), {"1.0"});
    put("removable", make_image("old"), {"old"});
    put("removable", make_image("new"), {"new"});
    return pushed;
}

/// A registry without authentication that holds the sample, for servers that stand before it.
struct plain_registry
{
    plain_registry() : client(registry.address()), pushed(push_sample(client)) {}

    real_registry registry;
    push_client client;
    content pushed;
};

/// Copies what a registry holds into another one, whose users cannot push in a simple way.
inline void copy_storage(const real_registry& from, const real_registry& to)
{
    std::filesystem::copy(from.storage(), to.storage(), std::filesystem::copy_options::recursive);
}

/// Crawls with `args`, compares with what was pushed, removes `removable:old`, crawls, restores it, and crawls again.
inline void check_round_trip(const sandbox& home, const std::vector<std::string>& args, const content& pushed,
                             const sandbox::variables& env = {})
{
    const std::string file = home.file("index.db").string();
    const auto run = [&](std::vector<std::string> command) {
        command.insert(command.end(), args.begin(), args.end());
        command.insert(command.end(), {"-c", file});
        const auto done = home.run(command, env);
        BOOST_TEST(done.exit_code == 0, shown(command) << ": exit " << done.exit_code << ": " << done.err);
        return done;
    };
    const auto refreshed = [&](const char* pipeline = "1") {
        run({"refresh", "--pipeline", pipeline});
        return read_index(file).tags;
    };
    BOOST_TEST((refreshed() == pushed), "the crawl found something else than was pushed");
    BOOST_TEST((refreshed("8") == pushed), "requests sent together find something else");
    run({"remove-tags", "-r", "removable", "-t", "old", "--yes"});
    content without = pushed;
    without.at("removable").erase("old");
    BOOST_TEST((refreshed() == without), "the removed tag is still there, or more is missing");
    run({"restore", "last"});
    BOOST_TEST((refreshed() == pushed), "the restored registry is not what it was");
    std::vector<std::string> names;
    for (const auto& [repository, tags] : pushed)
        names.push_back(repository);
    BOOST_TEST(sorted_lines(run({"list-repo-names"}).out) == names, boost::test_tools::per_element());
}

} // namespace regsweep::test

#endif
