#include "regsweep/load/workload.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <map>
#include <set>

using namespace regsweep;
using namespace std::chrono_literals;

namespace {

using time_point = send_schedule::time_point;

const time_point start = time_point(1000h);

load_targets some_targets()
{
    load_targets out("/prefix", 50);
    out.add_repository("team/app");
    for (const char* tag : {"1", "2", "3", "4", "5"})
        out.add_manifest("team/app", tag);
    return out;
}

std::vector<std::string> paths(const load_targets& from, request_source source, std::size_t count)
{
    std::vector<std::string> out;
    for (std::size_t i = 0; i != count; ++i) {
        const auto choice = source.next();
        out.emplace_back(from.of(choice.op).path(choice.target));
    }
    return out;
}

operation_mix only(operation op)
{
    operation_mix mix{};
    mix[static_cast<std::size_t>(op)] = 1;
    return mix;
}

std::vector<send_schedule::slot> all_slots(send_schedule& of, time_point now)
{
    std::vector<send_schedule::slot> out;
    while (const auto slot = of.next(now))
        out.push_back(*slot);
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(mix)

BOOST_AUTO_TEST_CASE(is_read_and_written)
{
    const auto mix = parse_mix("head=80,tags=15,catalog=5,get=0");
    BOOST_TEST_REQUIRE(mix.has_value());
    BOOST_TEST(mix->at(static_cast<std::size_t>(operation::head)) == 80U);
    BOOST_TEST(to_string(*mix) == "catalog=5,tags=15,head=80");
    BOOST_TEST((parse_mix(to_string(*mix)).value() == *mix));
}

BOOST_AUTO_TEST_CASE(names_what_is_wrong)
{
    for (const char* bad : {"", "head", "head=", "head=x", "head=-1", "head=1,", "head=1,head=2", "push=1", "head=0",
                            "head=1000001", "head=1 ", "=1", "head=99999999999"}) {
        const auto mix = parse_mix(bad);
        BOOST_TEST_REQUIRE(!mix.has_value(), bad);
        BOOST_TEST(mix.error().is(errc::bad_argument), bad);
        BOOST_TEST(mix.error().detail.find("head=80") != std::string::npos, bad);
    }
}

BOOST_AUTO_TEST_CASE(every_operation_has_one_name)
{
    for (std::size_t i = 0; i != operations; ++i) {
        const auto op = static_cast<operation>(i);
        BOOST_TEST((parse_operation(to_string(op)) == op));
    }
    BOOST_TEST(!parse_operation("mix").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(targets)

BOOST_AUTO_TEST_CASE(are_request_paths_that_know_their_repository)
{
    load_targets all = some_targets();
    all.add_blob("team/b", "sha256:00");
    all.add_manifest("a b", "x%y");
    BOOST_TEST(all.of(operation::ping).path(0) == "/prefix/v2/");
    BOOST_TEST(all.of(operation::catalog).path(0) == "/prefix/v2/_catalog?n=50");
    BOOST_TEST(all.of(operation::tags).path(0) == "/prefix/v2/team/app/tags/list?n=50");
    BOOST_TEST(all.of(operation::tags).repository(0) == "team/app");
    BOOST_TEST(all.of(operation::head).path(0) == "/prefix/v2/team/app/manifests/1");
    BOOST_TEST(all.of(operation::get).path(5) == "/prefix/v2/a%20b/manifests/x%25y");
    BOOST_TEST(all.of(operation::get).repository(4) == "team/app");
    BOOST_TEST(all.of(operation::blob).path(0) == "/prefix/v2/team/b/blobs/sha256:00");
    BOOST_TEST(all.of(operation::blob).repository(0) == "team/b");
    BOOST_TEST(all.of(operation::ping).repository(0) == "");
}

BOOST_AUTO_TEST_CASE(must_be_there_for_what_the_mix_asks)
{
    const load_targets none("", 100);
    BOOST_TEST(check_targets(none, parse_mix("ping=1,catalog=1").value()).has_value());
    const auto checked = check_targets(none, parse_mix("ping=1,tags=1").value());
    BOOST_TEST_REQUIRE(!checked.has_value());
    BOOST_TEST(checked.error().is(errc::bad_argument));
    BOOST_TEST(checked.error().detail.find("'tags'") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(requests)

BOOST_AUTO_TEST_CASE(are_the_same_for_the_same_seed)
{
    const auto all = some_targets();
    const auto mix = parse_mix("head=3,tags=1,ping=1").value();
    const auto order = target_order::random;
    const auto first = paths(all, {all, mix, order, 7}, 200);
    BOOST_TEST(first == paths(all, {all, mix, order, 7}, 200));
    BOOST_TEST(first != paths(all, {all, mix, order, 8}, 200));
    BOOST_TEST(first != paths(all, {all, mix, order, 7, 1, 2}, 200));
}

BOOST_AUTO_TEST_CASE(come_as_often_as_the_mix_says)
{
    const auto all = some_targets();
    request_source source(all, parse_mix("head=80,tags=15,catalog=5").value(), target_order::random, 3);
    std::map<operation, int> seen;
    constexpr int draws = 100'000;
    for (int i = 0; i != draws; ++i)
        ++seen[source.next().op];
    BOOST_TEST(seen.size() == 3U);
    // Five standard deviations of a binomial of this size are below 0.7 %.
    BOOST_TEST(std::abs(seen[operation::head] / double(draws) - 0.80) < 0.007);
    BOOST_TEST(std::abs(seen[operation::tags] / double(draws) - 0.15) < 0.007);
    BOOST_TEST(std::abs(seen[operation::catalog] / double(draws) - 0.05) < 0.007);
}

BOOST_AUTO_TEST_CASE(at_random_reach_every_target_alike)
{
    const auto all = some_targets();
    request_source source(all, only(operation::head), target_order::random, 4);
    std::array<int, 5> seen{};
    for (int i = 0; i != 50'000; ++i)
        ++seen.at(source.next().target);
    for (const int n : seen)
        BOOST_TEST(std::abs(n - 10'000) < 500);
}

BOOST_AUTO_TEST_CASE(in_listed_order_are_dealt_out_among_the_threads)
{
    const auto all = some_targets();
    std::vector<std::size_t> seen;
    std::vector<request_source> sources;
    for (unsigned part = 0; part != 3; ++part)
        sources.emplace_back(all, only(operation::get), target_order::listed, 1, part, 3);
    for (int round = 0; round != 5; ++round)
        for (auto& source : sources)
            seen.push_back(source.next().target);
    for (std::size_t i = 0; i != seen.size(); ++i)
        BOOST_TEST(seen[i] == i % 5);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(closed_loop)

BOOST_AUTO_TEST_CASE(ends_by_time_after_the_warm_up)
{
    send_schedule s({.start = start, .warmup = 1s, .duration = 2s});
    BOOST_TEST(!s.next(start).value().measured);
    BOOST_TEST(!s.next(start + 999ms).value().measured);
    const auto first = s.next(start + 1s).value();
    BOOST_TEST(first.measured);
    BOOST_TEST((first.intended == start + 1s));
    BOOST_TEST(s.next(start + 2999ms).has_value());
    BOOST_TEST(!s.next(start + 3s).has_value());
    BOOST_TEST((s.end() == start + 3s));
    BOOST_TEST(s.unsent() == 0U);
}

BOOST_AUTO_TEST_CASE(ends_by_number_which_does_not_count_the_warm_up)
{
    send_schedule s({.start = start, .warmup = 1s, .requests = 2});
    BOOST_TEST(s.next(start).has_value());
    BOOST_TEST(s.next(start + 1s).has_value());
    BOOST_TEST(s.next(start + 50h).has_value());
    BOOST_TEST(!s.next(start + 50h).has_value());
}

BOOST_AUTO_TEST_CASE(splits_the_number_among_the_threads)
{
    std::size_t all = 0;
    for (unsigned part = 0; part != 4; ++part) {
        send_schedule s({.start = start, .requests = 10, .part = part, .parts = 4});
        all += all_slots(s, start).size();
    }
    BOOST_TEST(all == 10U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(open_loop)

BOOST_AUTO_TEST_CASE(is_due_at_even_distances_whenever_it_is_asked)
{
    send_schedule on_time({.start = start, .duration = 1s, .rate = 100});
    send_schedule late({.start = start, .duration = 1s, .rate = 100});
    const auto expected = all_slots(on_time, start);
    const auto delayed = all_slots(late, start + 900ms);
    BOOST_TEST_REQUIRE(expected.size() == 100U);
    BOOST_TEST_REQUIRE(delayed.size() == 100U);
    for (std::size_t i = 0; i != expected.size(); ++i) {
        BOOST_TEST((expected[i].intended == start + 10ms * static_cast<int>(i)));
        BOOST_TEST((delayed[i].intended == expected[i].intended));
    }
    BOOST_TEST(on_time.unsent() == 0U);
}

BOOST_AUTO_TEST_CASE(adds_up_to_the_rate_over_the_threads)
{
    std::set<time_point> seen;
    for (unsigned part = 0; part != 3; ++part) {
        send_schedule s({.start = start, .duration = 2s, .rate = 333, .part = part, .parts = 3});
        for (const auto& slot : all_slots(s, start))
            seen.insert(slot.intended);
        BOOST_TEST(s.unsent() == 0U);
    }
    BOOST_TEST(seen.size() == 666U);
    BOOST_TEST((*seen.begin() == start));
    BOOST_TEST((*seen.rbegin() < start + 2s));
}

BOOST_AUTO_TEST_CASE(tells_what_nobody_sent)
{
    send_schedule s({.start = start, .warmup = 1s, .duration = 1s, .rate = 50});
    for (int i = 0; i != 30; ++i)
        BOOST_TEST(s.next(start).has_value());
    BOOST_TEST(!s.next(start + 2s).has_value());
    BOOST_TEST(s.unsent() == 70U);
}

BOOST_AUTO_TEST_CASE(does_not_count_as_unsent_what_was_beyond_the_number)
{
    send_schedule s({.start = start, .duration = 1s, .requests = 40, .rate = 100});
    BOOST_TEST(all_slots(s, start).size() == 40U);
    BOOST_TEST(s.unsent() == 0U);
}

BOOST_AUTO_TEST_CASE(does_not_drift)
{
    send_schedule s({.start = start, .requests = 1'000'000, .rate = 30'000.5});
    time_point last{};
    while (const auto slot = s.next(start))
        last = slot->intended;
    const double seconds = std::chrono::duration<double>(last - start).count();
    BOOST_TEST(seconds == 999'999 / 30'000.5, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_SUITE_END()
