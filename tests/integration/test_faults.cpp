// Crawls of a registry that misbehaves.
#include "integration/fake_program.hpp"
#include "integration/index_content.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep::test;

namespace {

const std::vector<std::string> some_content{"--repos", "20", "--tags", "100", "--share", "5", "--tags-page", "30"};

std::vector<std::string> with(std::vector<std::string> args, const std::vector<std::string>& more)
{
    args.insert(args.end(), more.begin(), more.end());
    return args;
}

struct fixture
{
    process_result refresh(const fake_program& registry, const std::string& file,
                           const std::vector<std::string>& more = {}, const std::string& input = {}) const
    {
        return home.run(
            with({"refresh", "--output", "json", "-reg", registry.address(), "-c", home.file(file).string()}, more), {},
            input);
    }

    /// What the same registry holds when it behaves.
    index_content undisturbed() const
    {
        const fake_program registry(some_content);
        const auto done = refresh(registry, "undisturbed.db");
        BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
        return read_index(home.file("undisturbed.db"));
    }

    sandbox home;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(faults, fixture)

BOOST_AUTO_TEST_CASE(retries_make_up_for_errors_resets_and_cut_answers)
{
    const fake_program registry(with(
        some_content, {"--retry-after", "0", "--fault-rate", "0.03", "--reset-rate", "0.01", "--close-rate", "0.01"}));
    const auto done = refresh(registry, "index.db", {"--retries", "8"});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST(boost::json::parse(done.out).at("retries").to_number<int>() > 0);
    const auto found = read_index(home.file("index.db"));
    BOOST_TEST(found.incomplete.empty());
    BOOST_TEST((found.tags == undisturbed().tags));
}

BOOST_AUTO_TEST_CASE(connections_that_close_early_cost_no_retry)
{
    const fake_program registry(with(some_content, {"--close-after", "7"}));
    const auto done = refresh(registry, "index.db", {"--retries", "0"});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST((read_index(home.file("index.db")).tags == undisturbed().tags));
}

BOOST_AUTO_TEST_CASE(a_rate_limit_slows_the_crawl_and_loses_nothing)
{
    const fake_program registry(with(some_content, {"--rate-limit", "2000", "--retry-after", "0"}));
    const auto done = refresh(registry, "index.db", {"--retries", "20"});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST((read_index(home.file("index.db")).tags == undisturbed().tags));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_named_and_remembered)
{
    const auto whole = undisturbed();
    std::string names;
    for (const auto& [name, tags] : whole.tags)
        names += name + "\n";
    const fake_program registry(with(some_content, {"--fault-rate", "0.01", "--fault-status", "500"}));
    const auto done = refresh(registry, "index.db", {"--retries", "0", "--repos-from", "-"}, names);
    BOOST_TEST_REQUIRE(done.exit_code == 3, done.err);

    const auto found = read_index(home.file("index.db"));
    BOOST_TEST_REQUIRE(!found.incomplete.empty());
    for (const auto& name : found.incomplete)
        BOOST_TEST(done.err.find(name) != std::string::npos, name << " is not named");
    for (const auto& [name, tags] : found.tags) {
        const auto& expected = whole.tags.at(name);
        if (!found.incomplete.contains(name))
            BOOST_TEST((tags == expected), name << " counts as complete and is not");
        for (const auto& [tag, digest] : tags)
            BOOST_TEST(digest == expected.at(tag));
    }
}

BOOST_AUTO_TEST_SUITE_END()
