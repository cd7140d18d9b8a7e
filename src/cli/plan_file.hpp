#ifndef REGSWEEP_SRC_CLI_PLAN_FILE_HPP
#define REGSWEEP_SRC_CLI_PLAN_FILE_HPP

#include "core/files.hpp"
#include "regsweep/sweep/plan.hpp"

#include <string>

namespace regsweep::cli {

/// A plan on its way into a file, a step at a time. Functions throw `failure`.
class plan_file
{
public:
    plan_file(const std::string& name, const plan_header& header);

    void add(const plan_step& step);
    void keep(const kept_tags& tags) { writer_.keep(tags); }
    void finish();

private:
    void check(const result<void>& done);

    replacing_stream out_;
    plan_writer writer_;
};

/// A word of a command line as a shell wants it.
std::string quoted(const std::string& word);

} // namespace regsweep::cli

#endif
