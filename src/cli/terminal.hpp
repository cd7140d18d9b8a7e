#ifndef REGSWEEP_SRC_CLI_TERMINAL_HPP
#define REGSWEEP_SRC_CLI_TERMINAL_HPP

#include "cli/options.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace regsweep::cli {

/// Standard error: messages, and a progress line where it is a terminal. Thread-safe.
class terminal
{
public:
    void set(log_level least, bool quiet);

    bool interactive() const noexcept { return interactive_; } ///< standard error is a terminal
    bool shows_progress() const noexcept { return interactive_ && !quiet_; }

    void debug(std::string_view text) { say(log_level::debug, text); }
    void info(std::string_view text) { say(log_level::info, text); }
    void warning(std::string_view text) { say(log_level::warning, text); }
    void error(std::string_view text) { say(log_level::error, text); }

    /// Replaces the progress line; empty takes it away.
    void progress(std::string_view line);

    /// A terminal for standard error, as the process found it.
    static terminal& standard();

private:
    terminal();
    void say(log_level level, std::string_view text);
    void clear_line();

    std::mutex guard_;
    std::string line_;
    log_level least_ = log_level::info;
    bool quiet_ = false;
    bool interactive_ = false;
    bool colour_ = false;
};

/// Calls `line` a few times a second and shows what it returns, until it is destroyed. Does nothing where no progress
/// is shown.
class progress_display
{
public:
    explicit progress_display(std::function<std::string()> line);
    ~progress_display();

private:
    void run();

    std::function<std::string()> line_;
    std::mutex guard_;
    std::condition_variable_any woken_;
    std::jthread thread_;
};

/// Asks for a secret on the terminal, without echo. Empty if there is no terminal.
std::string ask_secret(const std::string& prompt);

/// Standard output, buffered. `finish` throws `failure` if something could not be written.
class output
{
public:
    output& operator<<(std::string_view text);
    void finish();

private:
    void flush();
    std::string buffer_;
};

/// `text` as a JSON string, quotes included.
std::string json_string(std::string_view text);

/// `1234567` as `1,234,567`.
std::string with_commas(std::uint64_t number);
/// `1 tag`, `1,234 tags`.
std::string counted(std::uint64_t number, std::string_view what);

} // namespace regsweep::cli

#endif
