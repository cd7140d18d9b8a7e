#ifndef REGSWEEP_SRC_CLI_PLAN_FILE_HPP
#define REGSWEEP_SRC_CLI_PLAN_FILE_HPP

#include "regsweep/sweep/plan.hpp"

#include <fstream>
#include <string>

namespace regsweep::cli {

/// A plan on its way into a file, a step at a time, beside it until it is whole. Functions throw `failure`.
class plan_file
{
public:
    plan_file(std::string name, const plan_header& header);
    /// Removes what is not whole.
    ~plan_file();
    plan_file(const plan_file&) = delete;
    plan_file& operator=(const plan_file&) = delete;

    void add(const plan_step& step);
    void finish();

private:
    void check(const result<void>& done) const;

    std::string name_;
    std::string part_;
    std::ofstream out_;
    plan_writer writer_;
    bool whole_ = false;
};

/// A word of a command line as a shell wants it.
std::string quoted(const std::string& word);

} // namespace regsweep::cli

#endif
