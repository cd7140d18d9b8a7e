#ifndef REGSWEEP_TESTS_INTEGRATION_CHECKS_HPP
#define REGSWEEP_TESTS_INTEGRATION_CHECKS_HPP

#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace regsweep::test {

/// Each of `parts` is in `text`.
inline void check_says(const std::string& text, const std::vector<std::string>& parts)
{
    for (const auto& part : parts)
        BOOST_TEST(text.find(part) != std::string::npos, text << " lacks '" << part << "'");
}

/// The program failed with this status and one error, on one line, which says all of `parts`.
inline void check_fails(const process_result& done, int exit_code, const std::vector<std::string>& parts)
{
    BOOST_TEST(done.exit_code == exit_code, done.err);
    BOOST_TEST(done.out == "");
    BOOST_TEST(count_errors(done.err) == 1U, done.err);
    for (const auto& line : lines(done.err))
        BOOST_TEST(line.starts_with("regsweep: "), "'" << line << "' goes on from the line before");
    check_says(done.err, parts);
}

} // namespace regsweep::test

#endif
