// Crawls that are killed, interrupted, run twice at once or run out of disk: the old index stays whole, and what was
// read already is not lost.
#include "integration/fake_program.hpp"
#include "integration/index_content.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>

using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
// Another program than the one built with the tests is one with a sanitizer, which is slower.
const auto a_second = sanitized || std::getenv("REGSWEEP_PROGRAM") ? 5s : 1s;

constexpr int kills = 50;

/// What a complete index holds.
content complete_index(const std::filesystem::path& file)
{
    auto all = read_index(file);
    BOOST_TEST_REQUIRE(all.incomplete.empty());
    return std::move(all.tags);
}

/// 60 repositories of 500 tags; slow enough for a crawl to take a while, and pages on both levels.
struct fixture
{
    std::vector<std::string> refresh(std::vector<std::string> more = {}) const
    {
        more.insert(more.begin(), {"refresh", "-reg", registry.address(), "-c", index.string(), "--page-size", "200"});
        return more;
    }

    /// An index of other content than a whole crawl gives, to see which one is there.
    void make_old_index() const
    {
        const auto done = home.run(refresh({"--repo", "synthetic/repo-00000*"}));
        BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    }

    /// What an undisturbed crawl finds: the same whenever it is asked, so it is asked once.
    const content& whole() const
    {
        static const content all = [this] {
            const auto file = home.file("whole.db");
            const auto done = home.run({"refresh", "-reg", registry.address(), "-c", file.string()});
            BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
            return complete_index(file);
        }();
        return all;
    }

    /// Starts a refresh and waits until it has got somewhere.
    process started_refresh() const
    {
        process crawl(home.command(refresh()));
        auto part = index;
        part += ".part";
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (!std::filesystem::exists(part) && std::chrono::steady_clock::now() < end)
            BOOST_TEST_REQUIRE(!crawl.wait_for_end(5ms), "the crawl ended too early: " << crawl.err());
        return crawl;
    }

    sandbox home;
    std::filesystem::path index = home.file("index.db");
    fake_program registry{{"--repos", "60", "--tags", "500", "--share", "7", "--latency-ms", "2"}};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(disturbed_crawl, fixture)

BOOST_AUTO_TEST_CASE(killed_at_any_moment_and_resumed_equals_an_undisturbed_crawl)
{
    const content& expected = whole();
    BOOST_TEST_REQUIRE(expected.size() == 60U);
    make_old_index();
    const content old = complete_index(index);
    BOOST_TEST_REQUIRE(old.size() == 10U);
    const auto saved = home.file("old.db");
    std::filesystem::copy_file(index, saved);

    const auto seed = std::random_device{}();
    BOOST_TEST_MESSAGE("seed " << seed);
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> moment(0, 900);

    int killed = 0;
    int finished = 0;
    const auto check = [&](bool done) {
        const content now = complete_index(index);
        BOOST_TEST_REQUIRE((now == old || now == expected), "seed " << seed << ": the index is neither old nor new");
        if (done)
            BOOST_TEST_REQUIRE((now == expected), "seed " << seed << ": a finished crawl left the old index");
        if (now != expected)
            return;
        ++finished;
        std::filesystem::copy_file(saved, index, std::filesystem::copy_options::overwrite_existing);
    };
    while (killed < kills) {
        process crawl(home.command(refresh({"--resume"})));
        crawl.wait_for_end(std::chrono::milliseconds(moment(random)));
        crawl.signal(SIGKILL);
        const auto done = crawl.wait();
        BOOST_TEST_REQUIRE((done.signal == SIGKILL || done.exit_code == 0), "seed " << seed << ": " << done.err);
        killed += done.signal == SIGKILL ? 1 : 0;
        check(done.exit_code == 0);
    }
    const auto last = home.run(refresh({"--resume"}));
    BOOST_TEST(last.exit_code == 0, "seed " << seed << ": " << last.err);
    check(true);
    BOOST_TEST_MESSAGE(finished << " crawls finished in spite of " << killed << " kills");
}

BOOST_AUTO_TEST_CASE(resume_reads_only_what_is_missing)
{
    auto crawl = started_refresh();
    crawl.wait_for_end(1200ms);
    crawl.signal(SIGKILL);
    BOOST_TEST_REQUIRE(crawl.wait().signal == SIGKILL);

    const auto resumed = home.run(refresh({"--resume", "--output", "json"}));
    BOOST_TEST_REQUIRE(resumed.exit_code == 0, resumed.err);
    const auto summary = boost::json::parse(resumed.out);
    BOOST_TEST(summary.at("tags").to_number<int>() == 30'000);
    BOOST_TEST(summary.at("requests").to_number<int>() < 30'000);
    BOOST_TEST((complete_index(index) == whole()));
}

BOOST_AUTO_TEST_CASE(an_interrupt_ends_at_once_and_keeps_what_is_there)
{
    make_old_index();
    const content old = complete_index(index);
    auto crawl = started_refresh();
    crawl.wait_for_end(700ms);
    crawl.signal(SIGINT);
    BOOST_TEST(crawl.wait_for_end(a_second), "still running after a second");
    const auto done = crawl.wait();
    BOOST_TEST(done.exit_code == 130, done.err);
    BOOST_TEST(done.err.find("--resume") != std::string::npos, done.err);
    BOOST_TEST((complete_index(index) == old));

    const auto resumed = home.run(refresh({"--resume"}));
    BOOST_TEST(resumed.exit_code == 0, resumed.err);
    BOOST_TEST((complete_index(index) == whole()));
}

BOOST_AUTO_TEST_CASE(two_refreshes_at_once)
{
    auto first = started_refresh();
    const auto second = home.run(refresh());
    BOOST_TEST(first.running());
    BOOST_TEST(second.exit_code == 1);
    BOOST_TEST(second.out == "");
    BOOST_TEST(count_errors(second.err) == 1U, second.err);
    BOOST_TEST(second.err.find(index.string()) != std::string::npos, second.err);
    BOOST_TEST(first.wait().exit_code == 0);
    BOOST_TEST((complete_index(index) == whole()));
}

BOOST_AUTO_TEST_CASE(a_full_disk)
{
    make_old_index();
    const content old = complete_index(index);
    // A limit on the size of files fails a write just like a full disk, and needs no disk of its own.
    auto limited = home.command(refresh());
    limited.args.insert(limited.args.begin(), {"sh", "-c", "trap '' XFSZ; ulimit -f 1000; exec \"$@\"", "sh"});
    const auto done = run(limited);
    BOOST_TEST(done.exit_code == 1);
    BOOST_TEST(count_errors(done.err) == 1U, done.err);
    BOOST_TEST((complete_index(index) == old));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(hanging_registry)

BOOST_AUTO_TEST_CASE(an_interrupt_does_not_wait_for_answers)
{
    const fake_program registry({"--repos", "5", "--tags", "5", "--latency-ms", "60000"});
    const sandbox home;
    const auto part = home.file("index.db.part");
    process crawl(home.command({"refresh", "-reg", registry.address(), "-c", home.file("index.db").string()}));
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!std::filesystem::exists(part) && std::chrono::steady_clock::now() < end)
        BOOST_TEST_REQUIRE(!crawl.wait_for_end(5ms), crawl.err());
    crawl.wait_for_end(100ms);
    crawl.signal(SIGINT);
    BOOST_TEST(crawl.wait_for_end(a_second), "still running after a second");
    BOOST_TEST(crawl.wait().exit_code == 130);
}

BOOST_AUTO_TEST_SUITE_END()
