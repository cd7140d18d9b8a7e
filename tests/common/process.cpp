#include "common/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace regsweep::test {

namespace {

using clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what, int why)
{
    throw std::system_error(why, std::generic_category(), what);
}

int memory_file(const char* name)
{
    const int file = memfd_create(name, MFD_CLOEXEC);
    if (file < 0)
        fail("cannot make a file in memory", errno);
    return file;
}

std::string content(int file)
{
    struct stat info{};
    if (file < 0 || fstat(file, &info) != 0)
        return {};
    std::string text(static_cast<std::size_t>(info.st_size), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = pread(file, text.data() + done, text.size() - done, static_cast<off_t>(done));
        if (n <= 0)
            break;
        done += static_cast<std::size_t>(n);
    }
    text.resize(done);
    return text;
}

void fill(int file, std::string_view text)
{
    while (!text.empty()) {
        const ssize_t n = ::write(file, text.data(), text.size());
        if (n < 0)
            fail("cannot write a file in memory", errno);
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    lseek(file, 0, SEEK_SET);
}

bool changes_behaviour(std::string_view variable)
{
    const std::string_view name = variable.substr(0, variable.find('='));
    return name.starts_with("REGISTRY") || name.starts_with("DOCKER_") || name.starts_with("XDG_") ||
           name.starts_with("REGSWEEP_") || name.ends_with("_proxy") || name.ends_with("_PROXY") ||
           name.starts_with("SSL_CERT_") || name == "NO_COLOR" || name == "REQUESTS_CA_BUNDLE";
}

std::vector<std::string> environment(const std::map<std::string, std::string>& added)
{
    std::vector<std::string> all;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        if (!changes_behaviour(text) && !added.contains(std::string(text.substr(0, text.find('=')))))
            all.emplace_back(text);
    }
    for (const auto& [name, value] : added)
        all.push_back(name + "=" + value);
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (auto& text : texts)
        all.push_back(text.data());
    all.push_back(nullptr);
    return all;
}

/// What the child does between fork and exec: nothing but system calls.
struct child_plan
{
    char* const* args;
    char* const* env;
    const char* folder;
    std::array<int, 3> files;
    int report; ///< where the errno of a failed exec goes
    pid_t parent;
};

[[noreturn]] void become(const child_plan& plan)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != plan.parent)
        _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    for (int i = 0; i < 3; ++i)
        dup2(plan.files[static_cast<std::size_t>(i)], i);
    if (plan.folder[0] == '\0' || chdir(plan.folder) == 0)
        execvpe(plan.args[0], plan.args, plan.env);
    const int why = errno;
    [[maybe_unused]] const ssize_t n = ::write(plan.report, &why, sizeof why);
    _exit(127);
}

} // namespace

process::process(const process_options& options)
{
    auto args = options.args;
    auto env = environment(options.env);
    const auto arg_pointers = pointers(args);
    const auto env_pointers = pointers(env);
    const std::string folder = options.folder.string();

    const int in = memory_file("stdin");
    fill(in, options.input);
    out_ = memory_file("stdout");
    err_ = memory_file("stderr");
    std::array<int, 2> report{};
    if (pipe2(report.data(), O_CLOEXEC) != 0)
        fail("cannot make a pipe", errno);

    const child_plan plan{arg_pointers.data(), env_pointers.data(), folder.c_str(),
                          {in, out_, err_},    report[1],           getpid()};
    pid_ = fork();
    if (pid_ == 0)
        become(plan);
    const int fork_error = errno;
    ::close(in);
    ::close(report[1]);

    int why = pid_ < 0 ? fork_error : 0;
    const ssize_t n = pid_ < 0 ? 0 : ::read(report[0], &why, sizeof why);
    ::close(report[0]);
    if (pid_ < 0 || n == sizeof why) {
        if (pid_ > 0)
            waitpid(pid_, nullptr, 0);
        pid_ = -1;
        close_all();
        fail("cannot run " + options.args.front(), why);
    }
    // Not glibc's function: the header of 2.36 declares it with C++ linkage.
    handle_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    if (handle_ < 0)
        fail("cannot watch a process", errno);
}

process::process(process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), handle_(std::exchange(other.handle_, -1)),
      out_(std::exchange(other.out_, -1)), err_(std::exchange(other.err_, -1)),
      status_(std::exchange(other.status_, std::nullopt))
{}

process& process::operator=(process&& other) noexcept
{
    std::swap(pid_, other.pid_);
    std::swap(handle_, other.handle_);
    std::swap(out_, other.out_);
    std::swap(err_, other.err_);
    std::swap(status_, other.status_);
    return *this;
}

process::~process()
{
    if (pid_ > 0 && !status_) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    close_all();
}

void process::close_all() noexcept
{
    for (int* file : {&handle_, &out_, &err_}) {
        if (*file >= 0)
            ::close(*file);
        *file = -1;
    }
}

bool process::running()
{
    return !wait_for_end(std::chrono::milliseconds(0));
}

void process::signal(int number)
{
    if (!status_)
        kill(pid_, number);
}

std::string process::out() const
{
    return content(out_);
}

std::string process::err() const
{
    return content(err_);
}

bool process::wait_for_output(const std::string& text, std::chrono::milliseconds limit)
{
    return wait_for_text(out_, text, limit);
}

bool process::wait_for_error(const std::string& text, std::chrono::milliseconds limit)
{
    return wait_for_text(err_, text, limit);
}

bool process::wait_for_text(int file, const std::string& text, std::chrono::milliseconds limit)
{
    const auto end = clock::now() + limit;
    while (content(file).find(text) == std::string::npos) {
        if (clock::now() > end)
            return false;
        if (wait_for_end(std::chrono::milliseconds(2)))
            return content(file).find(text) != std::string::npos;
    }
    return true;
}

bool process::wait_for_end(std::chrono::milliseconds limit)
{
    if (status_)
        return true;
    const auto end = clock::now() + limit;
    pollfd watched{handle_, POLLIN, 0};
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - clock::now()).count();
        const int ready = poll(&watched, 1, left > 0 ? static_cast<int>(left) : 0);
        if (ready > 0)
            break;
        if (ready == 0)
            return false;
        if (errno != EINTR)
            fail("cannot wait for a process", errno);
    }
    int status = 0;
    waitpid(pid_, &status, 0);
    status_ = status;
    return true;
}

process_result process::wait(std::chrono::milliseconds limit)
{
    process_result result;
    if (!wait_for_end(limit)) {
        result.killed = true;
        signal(SIGKILL);
        wait_for_end(std::chrono::seconds(30));
    }
    const int status = status_.value_or(0);
    if (WIFEXITED(status))
        result.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status))
        result.signal = WTERMSIG(status);
    result.out = out();
    result.err = err();
    return result;
}

process_result run(const process_options& options, std::chrono::milliseconds limit)
{
    return process(options).wait(limit);
}

std::vector<std::string> lines(const std::string& text)
{
    std::vector<std::string> all;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        all.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return all;
}

} // namespace regsweep::test
