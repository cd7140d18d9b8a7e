#ifndef REGSWEEP_TESTS_COMMON_PROCESS_HPP
#define REGSWEEP_TESTS_COMMON_PROCESS_HPP

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace regsweep::test {

/// How a program is started.
struct process_options
{
    /// The program, found in PATH where it has no slash, and its arguments.
    std::vector<std::string> args;
    /// Added to the environment of this process, which is passed on without what changes what regsweep does:
    /// REGISTRY…, DOCKER_…, …_proxy, XDG_….
    std::map<std::string, std::string> env{};
    /// What it reads from its standard input.
    std::string input{};
    /// Where it runs; empty: where this process runs.
    std::filesystem::path folder{};
};

/// What became of a program.
struct process_result
{
    int exit_code = -1;  ///< -1 if a signal ended it
    int signal = 0;      ///< the signal that ended it
    std::string out;     ///< its standard output
    std::string err;     ///< its standard error
    bool killed = false; ///< it ran longer than it was given and was killed
};

/// A child process. Input and outputs are files in memory, so nothing has to be pumped and nothing can block. Dies
/// with the thread that started it. One thread at a time.
class process
{
public:
    /// Starts it. Throws `std::system_error` if the program cannot be run.
    explicit process(const process_options& options);
    /// Kills it if it is still running.
    ~process();
    process(process&& other) noexcept;
    process& operator=(process&& other) noexcept;

    pid_t pid() const noexcept { return pid_; }
    bool running();
    /// Sends a signal; nothing happens if it has ended.
    void signal(int number);
    /// What it has written so far.
    std::string out() const;
    std::string err() const;

    /// Waits until its standard output (or error) holds `text`; false if it ended or `limit` passed without it.
    bool wait_for_output(const std::string& text, std::chrono::milliseconds limit = std::chrono::seconds(30));
    bool wait_for_error(const std::string& text, std::chrono::milliseconds limit = std::chrono::seconds(30));
    /// Waits until it has ended; false if `limit` passed before.
    bool wait_for_end(std::chrono::milliseconds limit);

    /// Waits for its end, kills it after `limit`, and gives what became of it.
    process_result wait(std::chrono::milliseconds limit = std::chrono::seconds(120));

private:
    bool wait_for_text(int file, const std::string& text, std::chrono::milliseconds limit);
    void close_all() noexcept;

    pid_t pid_ = -1;
    int handle_ = -1; ///< pidfd, readable once the process has ended
    int out_ = -1;
    int err_ = -1;
    std::optional<int> status_; ///< as `waitpid` gives it, once it is known
};

/// Runs a program to its end.
process_result run(const process_options& options, std::chrono::milliseconds limit = std::chrono::seconds(120));

/// The lines of a text, without their ends.
std::vector<std::string> lines(const std::string& text);

} // namespace regsweep::test

#endif
