#include "cli/lock_file.hpp"

#include "regsweep/core/error.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace regsweep::cli {
namespace {

// The process that holds the lock has written its number.
std::string holder(int file)
{
    std::array<char, 32> text{};
    const auto size = ::pread(file, text.data(), text.size(), 0);
    std::string number(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    number.resize(std::min(number.find_first_not_of("0123456789"), number.size()));
    return number.empty() ? "" : " (process " + number + ")";
}

} // namespace

lock_file::lock_file(const std::string& name)
{
    file_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file_ < 0)
        throw failure({errc::io, "cannot open the lock file '" + printable(name) + "': " + std::strerror(errno) +
                                     "; name another"});
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
        const std::string who = holder(file_);
        ::close(file_);
        throw failure({errc::locked, "another run" + who + " holds the lock file '" + printable(name) +
                                         "': nothing was done; wait for it or end it"});
    }
    const std::string number = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file_, 0) != 0 || ::pwrite(file_, number.data(), number.size(), 0) < 0) {
        ::close(file_);
        throw failure({errc::io, "cannot write the lock file '" + printable(name) + "': is there space left?"});
    }
}

lock_file::~lock_file()
{
    ::close(file_);
}

} // namespace regsweep::cli
