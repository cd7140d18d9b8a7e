#define BOOST_TEST_MODULE regsweep
#include <boost/test/unit_test.hpp>
