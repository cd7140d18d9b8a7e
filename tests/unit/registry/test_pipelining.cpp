#include "registry/pipelining.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using regsweep::pipelining;

// Answers come at `rate` a second for a tenth of a second.
void feed(pipelining& p, pipelining::time_point& now, double rate)
{
    for (int i = 0; i != 100; ++i) {
        now += std::chrono::milliseconds(1);
        p.answered(now, static_cast<unsigned>(rate / 1000));
    }
}

struct fixture
{
    pipelining::time_point now{std::chrono::seconds(1)};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(pipelining_control, fixture)

BOOST_AUTO_TEST_CASE(a_fixed_depth_is_kept_and_never_tried)
{
    pipelining p(3);
    feed(p, now, 100'000);
    BOOST_TEST(!p.take_trial());
    BOOST_TEST(p.depth(32) == 3U);
}

BOOST_AUTO_TEST_CASE(a_slow_registry_is_asked_one_by_one)
{
    pipelining p(0);
    feed(p, now, 14'000);
    BOOST_TEST(!p.take_trial());
    BOOST_TEST(p.depth(32) == 1U);
}

BOOST_AUTO_TEST_CASE(a_fast_one_is_tried_once_and_believed_only_then)
{
    pipelining p(0);
    feed(p, now, 50'000);
    BOOST_TEST(p.depth(32) == 1U);
    BOOST_TEST(p.take_trial());
    BOOST_TEST(!p.take_trial());
    feed(p, now, 50'000);
    BOOST_TEST(p.depth(32) == 1U);
    p.tried(true);
    BOOST_TEST(p.depth(32) == pipelining::deep);
}

BOOST_AUTO_TEST_CASE(other_answers_than_before_end_it_for_good)
{
    pipelining p(0);
    feed(p, now, 50'000);
    BOOST_TEST(p.take_trial());
    p.tried(false);
    feed(p, now, 50'000);
    BOOST_TEST(!p.take_trial());
    BOOST_TEST(p.depth(32) == 1U);
}

BOOST_AUTO_TEST_CASE(a_registry_that_becomes_slow_is_asked_one_by_one_until_it_is_fast_again)
{
    pipelining p(0);
    feed(p, now, 50'000);
    BOOST_TEST(p.take_trial());
    p.tried(true);
    feed(p, now, 10'000);
    BOOST_TEST(p.depth(32) == pipelining::deep);
    feed(p, now, 1'000);
    BOOST_TEST(p.depth(32) == 1U);
    feed(p, now, 50'000);
    BOOST_TEST(!p.take_trial());
    BOOST_TEST(p.depth(32) == pipelining::deep);
}

BOOST_AUTO_TEST_CASE(several_connections_are_kept_busy)
{
    pipelining p(0, 1'000);
    feed(p, now, 2'000);
    BOOST_TEST(p.take_trial());
    p.tried(true);
    BOOST_TEST(p.depth(1) == 1U);
    BOOST_TEST(p.depth(7) == 1U);
    BOOST_TEST(p.depth(12) == 3U);
    BOOST_TEST(p.depth(256) == pipelining::deep);
    BOOST_TEST(pipelining(16).depth(4) == 4U); // what is asked for is kept, within what may be in flight
}

BOOST_AUTO_TEST_SUITE_END()
