#include "load/tally.hpp"

#include <boost/test/unit_test.hpp>

using namespace regsweep;
using namespace std::chrono_literals;

namespace {

using time_point = send_schedule::time_point;
const time_point from = time_point(1000h);
const time_point end = from + 10s;

finished_request request(time_point intended, time_point sent, time_point ended, unsigned status = 200)
{
    finished_request out;
    out.op = operation::head;
    out.measured = intended >= from;
    out.intended = intended;
    out.sent = sent;
    out.ended = ended;
    out.status = status;
    out.body_bytes = 10;
    return out;
}

load_result result_of(const tally& counted)
{
    load_result out;
    counted.add_to(out);
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(counting)

BOOST_AUTO_TEST_CASE(latency_counts_from_the_intended_time)
{
    tally t(from, end);
    t.add(request(from, from + 300ms, from + 310ms));
    const auto out = result_of(t);
    BOOST_TEST(out.requests == 1U);
    BOOST_TEST((out.latency().max() == 310ms));
}

BOOST_AUTO_TEST_CASE(the_warm_up_is_left_out)
{
    tally t(from, end);
    t.add(request(from - 1s, from - 1s, from - 900ms));
    t.add(request(from + 1s, from + 1s, from + 1100ms));
    const auto out = result_of(t);
    BOOST_TEST(out.warmup_requests == 1U);
    BOOST_TEST(out.requests == 1U);
    BOOST_TEST(t.answered() == 1.0);
}

BOOST_AUTO_TEST_CASE(requests_on_an_edge_count_for_the_rate_by_their_part_inside)
{
    tally t(from, end);
    t.add(request(from - 1s, from - 1s, from + 3s));   // three quarters
    t.add(request(end - 1s, end - 1s, end + 1s, 503)); // half
    t.add(request(from - 3s, from - 3s, from - 1s));   // nothing
    t.add(request(end - 10ms, end + 10ms, end + 1s));  // sent late: nothing
    BOOST_TEST(t.answered() == 1.25);
    BOOST_TEST(t.good() == 0.75);
    BOOST_TEST(result_of(t).requests == 2U);
}

BOOST_AUTO_TEST_CASE(every_failure_is_counted_by_its_kind_or_status)
{
    tally t(from, end);
    t.add(request(from, from, from + 1ms, 429));
    t.add(request(from, from, from + 1ms, 429));
    t.add(request(from, from, from + 1ms, 404));
    auto lost = request(from, from, from + 1ms, 0);
    lost.failure = errc::connection_lost;
    lost.op = operation::tags;
    t.add(lost);
    t.add(request(from, from, from + 1ms, 204));
    const auto out = result_of(t);
    const std::map<std::string, std::uint64_t> expected{{"http_429", 2}, {"http_404", 1}, {"connection_lost", 1}};
    BOOST_TEST((out.failures() == expected));
    BOOST_TEST(out.errors == 4U);
    BOOST_TEST(out.requests == 5U);
    BOOST_TEST(out.by_operation[static_cast<std::size_t>(operation::tags)].errors == 1U);
    BOOST_TEST(out.by_operation[static_cast<std::size_t>(operation::head)].body_bytes == 40U);
}

BOOST_AUTO_TEST_CASE(results_of_threads_add_up)
{
    tally a(from, end);
    tally b(from, end);
    a.add(request(from, from, from + 1ms));
    b.add(request(from, from, from + 5ms, 500));
    load_result out;
    a.add_to(out);
    b.add_to(out);
    BOOST_TEST(out.requests == 2U);
    BOOST_TEST(out.errors == 1U);
    BOOST_TEST((out.latency().min() == 1ms));
    BOOST_TEST((out.latency().max() == 5ms));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(intervals)

BOOST_AUTO_TEST_CASE(are_taken_once)
{
    tally t(from, end);
    t.add(request(from, from, from + 1ms));
    t.add(request(from, from, from + 1ms, 500));
    const auto first = t.take_interval(1);
    BOOST_TEST(first.requests == 2U);
    BOOST_TEST(first.errors == 1U);
    BOOST_TEST(t.take_interval(1).requests == 0U);
    BOOST_TEST(result_of(t).requests == 2U);
}

BOOST_AUTO_TEST_CASE(are_complete_when_every_thread_has_given_its_part)
{
    interval_board board(2, 1.0);
    interval_part part;
    part.seconds = 1;
    part.requests = 3;
    part.latency.record(2ms);
    board.publish(0, part);
    BOOST_TEST(!board.latest().has_value());
    board.publish(1, part);
    board.publish(0, part);
    BOOST_TEST_REQUIRE(board.latest().has_value());
    BOOST_TEST(board.latest()->requests == 6U);
    BOOST_TEST(board.latest()->warmup);
    BOOST_TEST(board.latest()->p99_ms == 2.0);
    board.leave(); // the other thread has no second interval
    BOOST_TEST(board.latest()->begin == 1.0);
    BOOST_TEST(!board.latest()->warmup);
    part.seconds = 0.5;
    board.publish(2, part);
    board.leave();
    const auto all = board.all();
    BOOST_TEST_REQUIRE(all.size() == 3U);
    BOOST_TEST(all[2].requests == 3U);
    BOOST_TEST(all[2].seconds == 0.5);
}

BOOST_AUTO_TEST_SUITE_END()
