#ifndef REGSWEEP_TESTS_INTEGRATION_PSEUDO_TERMINAL_HPP
#define REGSWEEP_TESTS_INTEGRATION_PSEUDO_TERMINAL_HPP

#include "common/process.hpp"

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace regsweep::test {

/// A program whose input, output and controlling terminal are a terminal that this class types on and reads.
/// One thread at a time.
class on_terminal
{
public:
    /// Starts it in this process's environment with what `options` adds.
    explicit on_terminal(process_options options)
    {
        // env(1) changes the environment, so that the child only has to exec.
        std::vector<std::string> args = {"env", "-C", options.folder.string()};
        for (const char* name : {"REGISTRY", "REGISTRY_USER", "REGISTRY_PASSWORD", "REGISTRY_CLIENT_KEY_PASSPHRASE"})
            args.insert(args.end(), {"-u", name});
        for (const auto& [name, value] : options.env)
            args.push_back(name + "=" + value);
        args.insert(args.end(), options.args.begin(), options.args.end());
        std::vector<char*> pointers;
        for (auto& arg : args)
            pointers.push_back(arg.data());
        pointers.push_back(nullptr);
        pid_ = forkpty(&master_, nullptr, nullptr, nullptr);
        if (pid_ < 0)
            throw std::system_error(errno, std::generic_category(), "cannot make a terminal");
        if (pid_ == 0) {
            execvp(pointers[0], pointers.data());
            _exit(127);
        }
    }
    ~on_terminal()
    {
        if (!status_) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(master_);
    }
    on_terminal(const on_terminal&) = delete;
    on_terminal& operator=(const on_terminal&) = delete;

    /// All that the terminal has shown so far, what it echoed included.
    const std::string& shown() const noexcept { return shown_; }

    /// Waits until it has shown `text`; false if the program ended, or half a minute passed, without it.
    bool wait_for(std::string_view text)
    {
        const auto end = clock::now() + std::chrono::seconds(30);
        while (shown_.find(text) == std::string::npos)
            if (!read_until(end))
                return false;
        return true;
    }

    void type(std::string_view text)
    {
        if (::write(master_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            throw std::system_error(errno, std::generic_category(), "cannot type");
    }

    /// Whether the terminal shows what is typed.
    bool echoes() const
    {
        termios now{};
        if (tcgetattr(master_, &now) != 0)
            throw std::system_error(errno, std::generic_category(), "no terminal");
        return (now.c_lflag & ECHO) != 0;
    }

    /// Its exit status once it has ended; -1 if a signal ended it, or it had to be killed after half a minute.
    int wait()
    {
        const auto end = clock::now() + std::chrono::seconds(30);
        while (read_until(end)) {
        }
        if (clock::now() >= end)
            ::kill(pid_, SIGKILL);
        int status = 0;
        ::waitpid(pid_, &status, 0);
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        return *status_;
    }

private:
    using clock = std::chrono::steady_clock;

    /// Reads what there is; false at the end of the program or of the time.
    bool read_until(clock::time_point end)
    {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - clock::now()).count();
        pollfd ready{master_, POLLIN, 0};
        if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0)
            return false;
        std::array<char, 4096> part;
        const ssize_t n = ::read(master_, part.data(), part.size());
        if (n <= 0)
            return false;
        shown_.append(part.data(), static_cast<std::size_t>(n));
        return true;
    }

    pid_t pid_ = -1;
    int master_ = -1;
    std::string shown_;
    std::optional<int> status_;
};

} // namespace regsweep::test

#endif
