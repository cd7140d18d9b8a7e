#include "regsweep/sweep/journal.hpp"

#include "common/temp_dir.hpp"

#include <boost/test/unit_test.hpp>

#include <sqlite3.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <limits>
#include <set>
#include <thread>

namespace regsweep::test {

namespace {

constexpr std::string_view registry = "https://registry.example:443";
constexpr std::int64_t end_of_time = std::numeric_limits<std::int64_t>::max();

journal_intent intent(const std::string& name, std::size_t manifest_size = 300)
{
    std::string body = "{\"" + name + "\":1}";
    body.resize(std::max(body.size(), manifest_size), ' ');
    journal_intent made{"app/web", digest::of(body)};
    made.media_type = "application/vnd.oci.image.manifest.v1+json";
    made.tags = {name, "also-" + name};
    made.manifest = body;
    return made;
}

std::vector<journal_intent> intents(const std::string& prefix, std::size_t count)
{
    std::vector<journal_intent> made;
    for (std::size_t i = 0; i < count; ++i)
        made.push_back(intent(prefix + std::to_string(i)));
    return made;
}

void settle(journal& in, const std::vector<std::int64_t>& entries, journal_state state)
{
    std::vector<journal_outcome> outcomes;
    for (const std::int64_t entry : entries)
        outcomes.push_back({entry, state});
    in.add_outcomes(outcomes).value();
}

std::vector<journal_entry> all_entries(const journal& from, std::int64_t run)
{
    std::vector<journal_entry> found;
    from.for_each_entry(run,
                        [&](const journal_entry& entry) {
                            found.push_back(entry);
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

// A child process which writes one byte for each step it has done, and is killed by `kill`.
class stepping_child
{
public:
    explicit stepping_child(const std::function<void(const std::function<void()>&)>& work)
    {
        BOOST_REQUIRE_EQUAL(::pipe(ends_), 0);
        pid_ = ::fork();
        BOOST_REQUIRE_GE(pid_, 0);
        if (pid_ == 0) {
            try {
                work([this] {
                    if (::write(ends_[1], "x", 1) != 1)
                        ::_exit(98);
                });
            } catch (...) {
                ::_exit(99);
            }
            while (true)
                ::pause();
        }
        ::close(ends_[1]);
    }
    stepping_child(const stepping_child&) = delete;
    stepping_child& operator=(const stepping_child&) = delete;
    ~stepping_child()
    {
        kill();
        ::close(ends_[0]);
    }

    /// Waits until `count` more steps are done.
    bool wait(std::size_t count)
    {
        char byte = 0;
        while (count > 0 && ::read(ends_[0], &byte, 1) == 1)
            --count;
        return count == 0;
    }

    /// Ends it with SIGKILL; returns how many steps it had done since the last `wait`.
    std::size_t kill()
    {
        if (pid_ <= 0)
            return 0;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = 0;
        std::size_t more = 0;
        char byte = 0;
        while (::read(ends_[0], &byte, 1) == 1)
            ++more;
        return more;
    }

private:
    int ends_[2] = {-1, -1};
    pid_t pid_ = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(journal_recording)

BOOST_AUTO_TEST_CASE(gives_back_what_was_recorded)
{
    const temp_dir folder;
    std::int64_t run = 0;
    std::vector<std::int64_t> ids;
    journal_intent untag = intent("latest");
    untag.kind = journal_kind::untag;
    untag.tags = {"latest"};
    untag.placeholder = digest::of("placeholder");
    journal_intent bare{"app/db", digest::of("x", digest::algorithm::sha512)};
    {
        journal writer = journal::open(folder / "journal").value();
        run = writer.begin_run(registry, "delete --keep 3").value();
        ids = writer.add_intents(run, std::vector{intent("1"), untag, bare}).value();
        writer
            .add_outcomes(std::vector<journal_outcome>{{ids[0], journal_state::done},
                                                       {ids[2], journal_state::failed, "HTTP 500"}})
            .value();
        writer.finish_run(run, run_state::done).value();
    }
    const journal reader = journal::open(folder / "journal").value();
    const auto runs = reader.runs().value();
    BOOST_REQUIRE_EQUAL(runs.size(), 1u);
    BOOST_CHECK_EQUAL(runs[0].id, run);
    BOOST_CHECK_EQUAL(runs[0].registry, registry);
    BOOST_CHECK_EQUAL(runs[0].command, "delete --keep 3");
    BOOST_CHECK(runs[0].state == run_state::done);
    BOOST_CHECK_GE(runs[0].finished_at, runs[0].started_at);
    BOOST_CHECK_GT(runs[0].started_at, 0);
    BOOST_CHECK_EQUAL(runs[0].count(journal_state::intended), 1u);
    BOOST_CHECK_EQUAL(runs[0].count(journal_state::done), 1u);
    BOOST_CHECK_EQUAL(runs[0].count(journal_state::failed), 1u);

    const auto entries = all_entries(reader, run);
    BOOST_REQUIRE_EQUAL(entries.size(), 3u);
    BOOST_CHECK_EQUAL(entries[0].id, ids[0]);
    BOOST_CHECK_EQUAL(entries[0].repository, "app/web");
    BOOST_CHECK(entries[0].digest == intent("1").digest);
    BOOST_CHECK_EQUAL(entries[0].media_type, "application/vnd.oci.image.manifest.v1+json");
    BOOST_CHECK(entries[0].tags == (std::vector<std::string>{"1", "also-1"}));
    BOOST_CHECK(entries[0].kind == journal_kind::remove);
    BOOST_CHECK(entries[0].state == journal_state::done);
    BOOST_CHECK_GT(entries[0].settled_at, 0);
    BOOST_CHECK(entries[0].placeholder.empty());
    BOOST_CHECK(entries[0].restorable);
    BOOST_CHECK(reader.manifest(ids[0]).value() == intent("1").manifest);
    BOOST_CHECK(entries[1].kind == journal_kind::untag);
    BOOST_CHECK(entries[1].placeholder == digest::of("placeholder"));
    BOOST_CHECK(entries[1].state == journal_state::intended);
    BOOST_CHECK_EQUAL(entries[1].settled_at, 0);
    BOOST_CHECK(entries[2].digest == bare.digest);
    BOOST_CHECK_EQUAL(entries[2].message, "HTTP 500");
    BOOST_CHECK(!entries[2].restorable);
    BOOST_CHECK(!reader.manifest(ids[2]).value());
    BOOST_CHECK(!reader.manifest(12345).value());
}

BOOST_AUTO_TEST_CASE(one_manifest_is_stored_once)
{
    const temp_dir folder;
    journal writer = journal::open(folder / "journal").value();
    const std::int64_t run = writer.begin_run(registry, "").value();
    std::vector<journal_intent> same(50, intent("1", 100'000));
    for (std::size_t i = 0; i < same.size(); ++i)
        same[i].repository = "r" + std::to_string(i);
    const auto ids = writer.add_intents(run, same).value();
    for (const std::int64_t id : ids)
        BOOST_CHECK(writer.manifest(id).value() == same[0].manifest);
    writer.finish_run(run, run_state::done).value();
    writer.prune(0).value(); // moves the log into the file
    BOOST_CHECK_LT(std::filesystem::file_size(folder / "journal"), 1'000'000u);
}

BOOST_AUTO_TEST_CASE(bytes_are_kept_as_they_are)
{
    const temp_dir folder;
    journal writer = journal::open(folder / "journal").value();
    const std::int64_t run = writer.begin_run(registry, "x'); DROP TABLE run; --").value();
    journal_intent odd = intent("1");
    odd.manifest = std::string("a\0b\r\n\xff\xfe", 7);
    odd.tags = {"select", "'", "\""};
    const auto ids = writer.add_intents(run, std::vector{odd}).value();
    BOOST_CHECK(writer.manifest(ids[0]).value() == odd.manifest);
    BOOST_CHECK(all_entries(writer, run)[0].tags == (std::vector<std::string>{"\"", "'", "select"}));
    BOOST_CHECK_EQUAL(writer.runs().value()[0].command, "x'); DROP TABLE run; --");
}

BOOST_AUTO_TEST_CASE(pages_of_entries)
{
    const temp_dir folder;
    journal writer = journal::open(folder / "journal").value();
    const std::int64_t first = writer.begin_run(registry, "").value();
    const std::int64_t second = writer.begin_run(registry, "").value();
    std::vector<std::int64_t> wanted;
    for (int i = 0; i < 6; ++i) {
        const auto ids = writer.add_intents(first, intents(std::to_string(i) + "-", 400)).value();
        wanted.insert(wanted.end(), ids.begin(), ids.end());
        writer.add_intents(second, intents("other" + std::to_string(i), 3)).value();
    }
    std::vector<std::int64_t> seen;
    writer
        .for_each_entry(first,
                        [&](const journal_entry& entry) {
                            seen.push_back(entry.id);
                            settle(writer, {entry.id}, journal_state::gone); // a visitor may use the journal
                            return seen.size() < 1200;
                        })
        .value();
    BOOST_CHECK_EQUAL(seen.size(), 1200u);
    BOOST_CHECK(std::equal(seen.begin(), seen.end(), wanted.begin()));
    const auto page = writer.entries(first, wanted[9], 5).value();
    BOOST_REQUIRE_EQUAL(page.size(), 5u);
    BOOST_CHECK_EQUAL(page[0].id, wanted[10]);
    BOOST_CHECK(writer.entries(first, wanted.back(), 5).value().empty());
    BOOST_CHECK(writer.entries(77, 0, 5).value().empty());
}

BOOST_AUTO_TEST_CASE(refuses_what_could_not_be_repaired)
{
    const temp_dir folder;
    journal writer = journal::open(folder / "journal").value();
    const std::int64_t run = writer.begin_run(registry, "").value();
    const auto refused = [&](const journal_intent& wrong) {
        return writer.add_intents(run, std::vector{intent("fine"), wrong}).error().is(errc::bad_argument);
    };
    journal_intent wrong = intent("1");
    wrong.digest = digest();
    BOOST_CHECK(refused(wrong));
    wrong = intent("1");
    wrong.repository.clear();
    BOOST_CHECK(refused(wrong));
    wrong = intent("1");
    wrong.kind = journal_kind::untag;
    wrong.tags = {"1"};
    BOOST_CHECK(refused(wrong));
    wrong.placeholder = digest::of("p");
    wrong.tags = {"1", "2"};
    BOOST_CHECK(refused(wrong));
    BOOST_CHECK(all_entries(writer, run).empty());
    BOOST_CHECK(writer.add_intents(run + 1, intents("x", 1)).error().is(errc::bad_argument));
    BOOST_CHECK(writer.finish_run(run, run_state::running).error().is(errc::bad_argument));
    BOOST_CHECK(writer.finish_run(run + 1, run_state::done).error().is(errc::bad_argument));
    writer.finish_run(run, run_state::done).value();
    BOOST_CHECK(writer.add_intents(run, intents("x", 1)).error().is(errc::bad_argument));
}

BOOST_AUTO_TEST_CASE(a_group_of_outcomes_is_all_or_nothing)
{
    const temp_dir folder;
    journal writer = journal::open(folder / "journal").value();
    const std::int64_t run = writer.begin_run(registry, "").value();
    const auto ids = writer.add_intents(run, intents("x", 2)).value();
    const std::vector<journal_outcome> unknown{{ids[0], journal_state::done}, {999, journal_state::done}};
    BOOST_CHECK(writer.add_outcomes(unknown).error().is(errc::bad_argument));
    const std::vector<journal_outcome> back{{ids[0], journal_state::intended}};
    BOOST_CHECK(writer.add_outcomes(back).error().is(errc::bad_argument));
    BOOST_CHECK_EQUAL(writer.runs().value()[0].count(journal_state::intended), 2u);
    writer.add_outcomes({}).value();
}

BOOST_AUTO_TEST_CASE(marks_what_was_restored)
{
    const temp_dir folder;
    journal writer = journal::open(folder / "journal").value();
    const std::int64_t run = writer.begin_run(registry, "").value();
    const auto ids = writer.add_intents(run, intents("x", 3)).value();
    settle(writer, ids, journal_state::done);
    writer.finish_run(run, run_state::done).value();
    writer.mark_restored(std::vector{ids[0], ids[2]}).value();
    BOOST_CHECK_EQUAL(writer.runs().value()[0].count(journal_state::restored), 2u);
    BOOST_CHECK(all_entries(writer, run)[1].state == journal_state::done);
    BOOST_CHECK(writer.mark_restored(std::vector{ids[1], std::int64_t{999}}).error().is(errc::bad_argument));
    BOOST_CHECK(all_entries(writer, run)[1].state == journal_state::done);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(journal_kills)

BOOST_AUTO_TEST_CASE(no_intent_is_lost_that_was_acknowledged)
{
    constexpr std::size_t group = 7;
    for (const std::size_t moment : {std::size_t{1}, std::size_t{3}, std::size_t{20}}) {
        const temp_dir folder;
        stepping_child child([&](const std::function<void()>& step) {
            journal writer = journal::open(folder / "journal").value();
            const std::int64_t run = writer.begin_run(registry, "").value();
            for (std::size_t i = 0;; ++i) {
                const auto ids = writer.add_intents(run, intents(std::to_string(i) + "-", group)).value();
                step();
                settle(writer, ids, journal_state::done);
            }
        });
        BOOST_REQUIRE(child.wait(moment));
        const std::size_t groups = moment + child.kill();
        journal reader = journal::open(folder / "journal").value();
        const journal_run run = reader.runs().value().at(0);
        BOOST_CHECK(run.state == run_state::interrupted);
        const auto entries = all_entries(reader, run.id);
        // A group may have been written and not yet acknowledged; there is none in parts.
        BOOST_CHECK_GE(entries.size(), groups * group);
        BOOST_CHECK_LE(entries.size(), (groups + 1) * group);
        BOOST_CHECK_EQUAL(entries.size() % group, 0u);
        for (const journal_entry& entry : entries) {
            BOOST_CHECK(digest::of(reader.manifest(entry.id).value().value()) == entry.digest);
            BOOST_CHECK_EQUAL(entry.tags.size(), 2u);
        }
        const auto open = reader.unfinished(registry).value();
        BOOST_CHECK_EQUAL(open.size(), run.count(journal_state::intended));
        BOOST_CHECK_LE(open.size(), 2 * group);
        // The next run repairs it.
        std::vector<std::int64_t> ids;
        for (const journal_entry& entry : open)
            ids.push_back(entry.id);
        settle(reader, ids, journal_state::gone);
        BOOST_CHECK(reader.unfinished(registry).value().empty());
    }
}

BOOST_AUTO_TEST_CASE(an_untag_between_its_steps_is_found)
{
    const temp_dir folder;
    journal_intent untag = intent("latest");
    untag.kind = journal_kind::untag;
    untag.tags = {"latest"};
    untag.placeholder = digest::of("placeholder");
    stepping_child child([&](const std::function<void()>& step) {
        journal writer = journal::open(folder / "journal").value();
        const std::int64_t run = writer.begin_run(registry, "").value();
        writer.add_intents(run, std::vector{untag}).value();
        step();
        while (true)
            ::pause();
    });
    BOOST_REQUIRE(child.wait(1));
    const journal reader = journal::open(folder / "journal").value();
    BOOST_CHECK(reader.unfinished().value().empty()); // its process lives
    child.kill();
    const auto open = reader.unfinished().value();
    BOOST_REQUIRE_EQUAL(open.size(), 1u);
    BOOST_CHECK(open[0].placeholder == untag.placeholder);
    BOOST_CHECK(open[0].digest == untag.digest);
    BOOST_CHECK_EQUAL(open[0].tags.at(0), "latest");
    BOOST_CHECK(reader.unfinished("https://elsewhere:443").value().empty());
}

BOOST_AUTO_TEST_CASE(a_journal_killed_while_being_made)
{
    for (const int delay_us : {0, 300, 1000, 3000, 10'000}) {
        const temp_dir folder;
        stepping_child child([&](const std::function<void()>& step) {
            step();
            journal::open(folder / "journal").value();
        });
        BOOST_REQUIRE(child.wait(1));
        std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
        child.kill();
        journal made = journal::open(folder / "journal").value();
        made.begin_run(registry, "").value();
    }
}

BOOST_AUTO_TEST_CASE(killed_while_pruning)
{
    for (const int delay_us : {0, 500, 2000, 8000, 30'000}) {
        const temp_dir folder;
        {
            journal writer = journal::open(folder / "journal").value();
            for (const bool finished : {true, false}) {
                const std::int64_t run = writer.begin_run(registry, "").value();
                const auto ids = writer.add_intents(run, intents(finished ? "a" : "b", 300)).value();
                if (finished)
                    settle(writer, ids, journal_state::done);
                writer.finish_run(run, run_state::done).value();
            }
        }
        stepping_child child([&](const std::function<void()>& step) {
            journal writer = journal::open(folder / "journal").value();
            step();
            writer.prune(end_of_time).value();
        });
        BOOST_REQUIRE(child.wait(1));
        std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
        child.kill();
        journal reader = journal::open(folder / "journal").value();
        reader.prune(end_of_time).value();
        const auto runs = reader.runs().value();
        BOOST_REQUIRE_EQUAL(runs.size(), 1u);
        const auto entries = all_entries(reader, runs[0].id);
        BOOST_CHECK_EQUAL(entries.size(), 300u);
        for (const journal_entry& entry : entries)
            BOOST_CHECK(digest::of(reader.manifest(entry.id).value().value()) == entry.digest);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(journal_sharing)

BOOST_AUTO_TEST_CASE(running_runs_are_told_from_ended_ones)
{
    const temp_dir folder;
    const journal reader = journal::open(folder / "journal").value();
    std::optional<journal> writer = journal::open(folder / "journal").value();
    const std::int64_t run = writer->begin_run(registry, "").value();
    writer->add_intents(run, intents("x", 2)).value();
    BOOST_CHECK(reader.runs().value().at(0).state == run_state::running);
    BOOST_CHECK(writer->runs().value().at(0).state == run_state::running);
    BOOST_CHECK(reader.unfinished().value().empty());
    BOOST_CHECK(writer->unfinished().value().empty());
    writer.reset();
    BOOST_CHECK(reader.runs().value().at(0).state == run_state::interrupted);
    BOOST_CHECK_EQUAL(reader.unfinished().value().size(), 2u);
}

BOOST_AUTO_TEST_CASE(reading_while_another_process_writes)
{
    const temp_dir folder;
    constexpr std::size_t group = 50;
    journal reader = journal::open(folder / "journal").value();
    stepping_child child([&](const std::function<void()>& step) {
        journal writer = journal::open(folder / "journal").value();
        const std::int64_t run = writer.begin_run(registry, "").value();
        for (std::size_t i = 0; i < 40; ++i) {
            writer.add_intents(run, intents(std::to_string(i) + "-", group)).value();
            step();
        }
    });
    for (std::size_t seen = 1; seen <= 40; ++seen) {
        BOOST_REQUIRE(child.wait(1));
        const journal_run run = reader.runs().value().at(0);
        BOOST_CHECK_GE(run.count(journal_state::intended), seen * group);
        BOOST_CHECK_EQUAL(run.count(journal_state::intended) % group, 0u);
    }
}

BOOST_AUTO_TEST_CASE(several_processes_write_to_one_journal)
{
    const temp_dir folder;
    constexpr std::size_t groups = 15;
    const auto work = [&](const std::function<void()>& step) {
        journal writer = journal::open(folder / "journal").value();
        const std::int64_t run = writer.begin_run(registry, "").value();
        for (std::size_t i = 0; i < groups; ++i) {
            const auto ids = writer.add_intents(run, intents("t" + std::to_string(i) + "-", 20)).value();
            settle(writer, ids, journal_state::done);
        }
        writer.finish_run(run, run_state::done).value();
        step();
    };
    stepping_child first(work);
    stepping_child second(work);
    stepping_child third(work);
    BOOST_CHECK(first.wait(1) && second.wait(1) && third.wait(1));
    const journal reader = journal::open(folder / "journal").value();
    const auto runs = reader.runs().value();
    BOOST_REQUIRE_EQUAL(runs.size(), 3u);
    for (const journal_run& run : runs) {
        BOOST_CHECK_EQUAL(run.count(journal_state::done), groups * 20);
        BOOST_CHECK(run.state == run_state::done);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(journal_pruning)

BOOST_AUTO_TEST_CASE(frees_space_and_keeps_what_is_needed)
{
    const temp_dir folder;
    journal writer = journal::open(folder / "journal").value();
    const auto add_run = [&](const std::string& prefix, bool settled, bool finished) {
        const std::int64_t run = writer.begin_run(registry, prefix).value();
        const auto ids = writer.add_intents(run, intents(prefix, 400)).value();
        if (settled)
            settle(writer, ids, journal_state::done);
        if (finished)
            writer.finish_run(run, run_state::done).value();
        return run;
    };
    add_run("shared", true, true);
    add_run("old", true, true);
    const std::int64_t unfinished = add_run("unfinished", false, true);
    const std::int64_t running = add_run("shared", true, false); // the manifests of the first run again

    const prune_result nothing = writer.prune(1).value();
    BOOST_CHECK_EQUAL(nothing.runs, 0u);
    BOOST_CHECK_EQUAL(writer.runs().value().size(), 4u);

    const auto before = std::filesystem::file_size(folder / "journal");
    const prune_result pruned = writer.prune(end_of_time).value();
    BOOST_CHECK_EQUAL(pruned.runs, 2u);
    BOOST_CHECK_EQUAL(pruned.entries, 800u);
    BOOST_CHECK_GT(pruned.freed_bytes, 100'000u);
    BOOST_CHECK_EQUAL(std::filesystem::file_size(folder / "journal"), before - pruned.freed_bytes);
    const auto left = writer.runs().value();
    BOOST_REQUIRE_EQUAL(left.size(), 2u);
    BOOST_CHECK_EQUAL(left[0].id, unfinished);
    BOOST_CHECK_EQUAL(left[1].id, running);
    for (const std::int64_t run : {unfinished, running}) {
        for (const journal_entry& entry : all_entries(writer, run))
            BOOST_CHECK(digest::of(writer.manifest(entry.id).value().value()) == entry.digest);
    }
}

BOOST_AUTO_TEST_CASE(numbers_of_runs_are_never_used_again)
{
    const temp_dir folder;
    journal writer = journal::open(folder / "journal").value();
    const std::int64_t first = writer.begin_run(registry, "").value();
    writer.finish_run(first, run_state::interrupted).value();
    BOOST_CHECK_EQUAL(writer.prune(end_of_time).value().runs, 1u);
    BOOST_CHECK_GT(writer.begin_run(registry, "").value(), first);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(journal_damage)

namespace {

void check_refused(const std::filesystem::path& file, errc wanted)
{
    const std::string before = read_file(file);
    const auto opened = journal::open(file);
    BOOST_REQUIRE(!opened);
    BOOST_CHECK_MESSAGE(opened.error().is(wanted), opened.error().message());
    BOOST_CHECK_NE(opened.error().detail.find(file.string()), std::string::npos);
    BOOST_CHECK(read_file(file) == before);
}

} // namespace

BOOST_AUTO_TEST_CASE(refuses_foreign_newer_and_damaged_files)
{
    const temp_dir folder;
    write_file(folder / "text", "PATH=/bin\n");
    check_refused(folder / "text", errc::bad_file);
    run_sql(folder / "other", "CREATE TABLE t(x)");
    check_refused(folder / "other", errc::bad_file);
    {
        journal writer = journal::open(folder / "journal").value();
        const std::int64_t run = writer.begin_run(registry, "").value();
        writer.add_intents(run, intents("x", 200)).value();
    }
    const std::string whole = read_file(folder / "journal");
    write_file(folder / "cut", whole.substr(0, 20'000));
    check_refused(folder / "cut", errc::bad_file);
    write_file(folder / "newer", whole);
    run_sql(folder / "newer", "PRAGMA user_version=9");
    check_refused(folder / "newer", errc::newer_version);
    write_file(folder / "tables", whole);
    run_sql(folder / "tables", "DROP TABLE entry_tag");
    check_refused(folder / "tables", errc::bad_file);
    write_file(folder / "inside", whole.substr(0, 16'384) + std::string(whole.size() - 16'384, '\x5a'));
    const auto inside = journal::open(folder / "inside");
    const auto asked = inside ? inside->runs() : result<std::vector<journal_run>>(inside.error());
    BOOST_CHECK(asked.error().is(errc::bad_file));
}

BOOST_AUTO_TEST_CASE(a_journal_of_version_1_is_renewed)
{
    const temp_dir folder;
    const auto file = folder / "journal";
    const journal_intent known = intent("1", 1000);
    {
        journal writer = journal::open(file).value();
        const std::int64_t run = writer.begin_run(registry, "").value();
        writer.add_intents(run, {&known, 1}).value();
        writer.finish_run(run, run_state::done).value();
    }
    run_sql(file, "CREATE TABLE old(id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL);"
                  "INSERT INTO old SELECT * FROM manifest; DROP TABLE manifest; ALTER TABLE old RENAME TO manifest;"
                  "PRAGMA user_version=1");
    journal writer = journal::open(file).value();
    const std::int64_t run = writer.begin_run(registry, "").value();
    const auto ids = writer.add_intents(run, {&known, 1}).value();
    BOOST_CHECK(writer.manifest(1).value() == known.manifest);
    BOOST_CHECK(writer.manifest(ids.front()).value() == known.manifest);
}

BOOST_AUTO_TEST_CASE(an_empty_file_becomes_a_journal)
{
    const temp_dir folder;
    write_file(folder / "journal", "");
    journal made = journal::open(folder / "journal").value();
    BOOST_CHECK(made.runs().value().empty());
    BOOST_CHECK(journal::open(folder / "none/journal").error().is(errc::io));
}

BOOST_AUTO_TEST_CASE(a_full_disk_is_an_error_and_loses_nothing)
{
    const temp_dir folder;
    stepping_child child([&](const std::function<void()>& step) {
        std::signal(SIGXFSZ, SIG_IGN);
        journal writer = journal::open(folder / "journal").value();
        const std::int64_t run = writer.begin_run(registry, "").value();
        writer.add_intents(run, intents("x", 100)).value();
        const rlimit limit{1'000'000, RLIM_INFINITY};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        for (int i = 0; i < 100; ++i) {
            const auto added = writer.add_intents(run, intents("y" + std::to_string(i), 100));
            if (added)
                continue;
            if (added.error().is(errc::io))
                step();
            return;
        }
    });
    BOOST_CHECK(child.wait(1));
    child.kill();
    const journal reader = journal::open(folder / "journal").value();
    const auto entries = all_entries(reader, reader.runs().value().at(0).id);
    BOOST_CHECK_GE(entries.size(), 100u);
    BOOST_CHECK_EQUAL(entries.size() % 100, 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep::test
