#ifndef REGSWEEP_TESTS_INTEGRATION_FAKE_PROGRAM_HPP
#define REGSWEEP_TESTS_INTEGRATION_FAKE_PROGRAM_HPP

#include "common/process.hpp"

#include <stdexcept>
#include <string>
#include <vector>

namespace regsweep::test {

/// The fake registry as a program of its own, on a free port.
class fake_program
{
public:
    explicit fake_program(const std::vector<std::string>& args) : process_(options(args))
    {
        const std::string word = "listening on ";
        if (!process_.wait_for_output("\n"))
            throw std::runtime_error("the fake registry does not start: " + process_.err());
        const std::string first = lines(process_.out()).front();
        if (!first.starts_with(word))
            throw std::runtime_error("the fake registry says: " + first);
        address_ = first.substr(word.size());
    }

    const std::string& address() const noexcept { return address_; }

private:
    static process_options options(const std::vector<std::string>& args)
    {
        process_options start{.args = {FAKE_REGISTRY_PROGRAM}};
        start.args.insert(start.args.end(), args.begin(), args.end());
        return start;
    }

    process process_;
    std::string address_;
};

} // namespace regsweep::test

#endif
