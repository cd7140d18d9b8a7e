// `main` is in Boost's archive and the suite's entry in the archive of test_main.cpp, which stands before it on the
// linker's line: without something that names the entry here, the linker leaves it out.

#include <boost/test/unit_test_suite.hpp>

boost::unit_test::test_suite* init_unit_test_suite(int, char**);

extern boost::unit_test::test_suite* (*const test_entry)(int, char**);
boost::unit_test::test_suite* (*const test_entry)(int, char**) = &init_unit_test_suite;
