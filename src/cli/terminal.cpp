#include "cli/terminal.hpp"

#include "cli/interruption.hpp"
#include "regsweep/core/error.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace regsweep::cli {
namespace {

void write_all(int fd, std::string_view text, int& failed)
{
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            failed = errno;
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::size_t columns()
{
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

} // namespace

terminal::terminal()
{
    interactive_ = isatty(STDERR_FILENO) == 1;
    const char* no_colour = std::getenv("NO_COLOR");
    const char* kind = std::getenv("TERM");
    colour_ = interactive_ && (no_colour == nullptr || *no_colour == '\0') && kind != nullptr &&
              std::string_view(kind) != "dumb";
}

terminal& terminal::standard()
{
    static terminal instance;
    return instance;
}

void terminal::set(log_level least, bool quiet)
{
    const std::lock_guard lock(guard_);
    least_ = least;
    quiet_ = quiet;
}

void terminal::say(log_level level, std::string_view text)
{
    const std::lock_guard lock(guard_);
    if (level != log_level::error && (quiet_ || level < least_))
        return;
    std::string out = line_.empty() ? "" : "\r\x1b[K";
    const char* word = level == log_level::error ? "error: " : level == log_level::warning ? "warning: " : "";
    const char* colour = level == log_level::error ? "\x1b[31m" : level == log_level::warning ? "\x1b[33m" : "";
    out += "regsweep: ";
    if (colour_ && *colour != '\0')
        out += colour + std::string(word) + "\x1b[0m";
    else
        out += word;
    out += text;
    out += "\n" + line_;
    int ignored = 0;
    write_all(STDERR_FILENO, out, ignored);
}

void terminal::progress(std::string_view line)
{
    const std::lock_guard lock(guard_);
    if (!interactive_ || quiet_)
        return;
    line_ = line.substr(0, columns() - 1);
    int ignored = 0;
    write_all(STDERR_FILENO, "\r\x1b[K" + line_, ignored);
}

progress_display::progress_display(std::function<std::string()> line) : line_(std::move(line))
{
    if (terminal::standard().shows_progress())
        thread_ = std::jthread([this](std::stop_token stop) {
            std::unique_lock lock(guard_);
            while (!woken_.wait_for(lock, stop, std::chrono::milliseconds(200), [&] { return stop.stop_requested(); }))
                terminal::standard().progress(line_());
        });
}

progress_display::~progress_display()
{
    if (!thread_.joinable())
        return;
    thread_.request_stop();
    thread_.join();
    terminal::standard().progress({});
}

std::string ask_secret(const std::string& prompt)
{
    std::FILE* tty = std::fopen("/dev/tty", "r+");
    if (tty == nullptr)
        return {};
    const int fd = fileno(tty);
    termios before{};
    tcgetattr(fd, &before);
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(fd, TCSAFLUSH, &silent);
    const interruption stop([&] {
        tcsetattr(fd, TCSAFLUSH, &before);
        ::_exit(exit_interrupted);
    });
    int ignored = 0;
    write_all(fd, prompt, ignored);
    std::string answer;
    for (char c = 0; ::read(fd, &c, 1) == 1 && c != '\n';)
        answer += c;
    tcsetattr(fd, TCSAFLUSH, &before);
    write_all(fd, "\n", ignored);
    std::fclose(tty);
    return answer;
}

output& output::operator<<(std::string_view text)
{
    buffer_ += text;
    if (buffer_.size() > 64 * 1024)
        flush();
    return *this;
}

void output::flush()
{
    int failed = 0;
    write_all(STDOUT_FILENO, buffer_, failed);
    buffer_.clear();
    if (failed != 0)
        throw failure({errc::io, std::string("standard output cannot be written (") + std::strerror(failed) + ")"});
}

void output::finish()
{
    flush();
}

std::string json_string(std::string_view text)
{
    return boost::json::serialize(boost::json::value(boost::json::string(text.data(), text.size())));
}

std::string with_commas(std::uint64_t number)
{
    std::string digits = std::to_string(number);
    for (std::size_t i = digits.size(); i > 3; i -= 3)
        digits.insert(i - 3, 1, ',');
    return digits;
}

std::string counted(std::uint64_t number, std::string_view what)
{
    return with_commas(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

} // namespace regsweep::cli
