#include "cli/interruption.hpp"

#include "cli/options.hpp"
#include "cli/terminal.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace regsweep::cli {
namespace {

constexpr int grace_ms = 900;

sigset_t signals()
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

} // namespace

void block_interruptions()
{
    const sigset_t set = signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

interruption::interruption(std::function<void()> stop) : stop_(std::move(stop)), wake_(eventfd(0, EFD_CLOEXEC))
{
    thread_ = std::jthread([this](const std::stop_token& over) { watch(over); });
}

interruption::~interruption()
{
    thread_.request_stop();
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
    thread_.join();
    ::close(wake_);
}

void interruption::watch(const std::stop_token& over)
{
    const sigset_t set = signals();
    const int fd = signalfd(-1, &set, SFD_CLOEXEC);
    bool stopping = false;
    while (!over.stop_requested()) {
        pollfd events[2] = {{fd, POLLIN, 0}, {wake_, POLLIN, 0}};
        const int ready = ::poll(events, 2, stopping ? grace_ms : -1);
        if (over.stop_requested() || ready < 0)
            break;
        if (stopping) {
            terminal::standard().progress({});
            _exit(exit_interrupted);
        }
        if ((events[0].revents & POLLIN) == 0)
            continue;
        signalfd_siginfo info;
        [[maybe_unused]] const auto got = ::read(fd, &info, sizeof info);
        stopping = true;
        stop_();
    }
    ::close(fd);
}

interruption end_when_interrupted()
{
    return interruption([] { ::_exit(exit_interrupted); });
}

error explain_interruption(error e, std::string left)
{
    if (e.is(errc::cancelled))
        e.detail = std::move(left);
    return e;
}

} // namespace regsweep::cli
