#ifndef REGSWEEP_SRC_CLI_INTERRUPTION_HPP
#define REGSWEEP_SRC_CLI_INTERRUPTION_HPP

#include "regsweep/core/error.hpp"

#include <functional>
#include <string>
#include <thread>

namespace regsweep::cli {

/// Blocks SIGINT and SIGTERM for the process: call it before the first thread starts.
void block_interruptions();

/// While it lives, SIGINT and SIGTERM call `stop`, from a thread of its own. If what was to be stopped does not end
/// soon, or at a second signal, the process ends with exit status 130: nothing that it leaves behind is half done.
class interruption
{
public:
    explicit interruption(std::function<void()> stop);
    ~interruption();
    interruption(const interruption&) = delete;
    interruption& operator=(const interruption&) = delete;

private:
    void watch(const std::stop_token& over);

    std::function<void()> stop_;
    int wake_ = -1;
    std::jthread thread_;
};

/// One that ends the process at once, with exit status 130: for waiting on a person, a pipe or another program, while
/// nothing is begun that would have to end orderly.
interruption end_when_interrupted();

/// `e`; if it is an interruption, with what that has left and how to go on, for `main` to say.
error explain_interruption(error e, std::string left);

} // namespace regsweep::cli

#endif
