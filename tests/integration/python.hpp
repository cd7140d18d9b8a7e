#ifndef REGSWEEP_TESTS_INTEGRATION_PYTHON_HPP
#define REGSWEEP_TESTS_INTEGRATION_PYTHON_HPP

#include "common/process.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace regsweep::test {

/// A Python that has the modules; Debian has them for its own.
inline std::string python_with(const std::string& modules)
{
    for (const std::string python : {"python3", "/usr/bin/python3"})
        if (run({.args = {python, "-c", "import " + modules}}).exit_code == 0)
            return python;
    BOOST_FAIL("no python3 has " << modules << ": scripts/install-deps.sh --test installs it");
    return {};
}

} // namespace regsweep::test

#endif
