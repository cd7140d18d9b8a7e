#include "core/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <random>
#include <system_error>
#include <utility>

namespace regsweep {

namespace {

constexpr std::size_t buffer_size = 256 * 1024;

std::string_view advice(int number) noexcept
{
    switch (number) {
    case ENOSPC:
    case EDQUOT: return "free space on its disk";
    case EFBIG: return "raise the file size limit (ulimit -f)";
    case EACCES:
    case EPERM:
    case EROFS: return "check the permissions of the file and its folder";
    case ENOENT: return "check the path";
    case EISDIR: return "name a file, not a folder";
    default: return "check the path and its disk";
    }
}

int write_all(int fd, std::string_view text) noexcept
{
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return 0;
}

result<void> sync_path(const std::filesystem::path& path, int flags)
{
    const file_handle handle(::open(path.c_str(), flags | O_CLOEXEC));
    if (!handle)
        return file_error("open", path, errno);
    // Some file systems cannot sync a folder and say so with EINVAL; there is nothing more to be done there.
    if (::fsync(handle.get()) != 0 && errno != EINVAL)
        return file_error("sync", path, errno);
    return {};
}

// A missing folder is no missing index.
error write_error(const std::filesystem::path& file, int number)
{
    error why = file_error("write", file, number);
    why.code = make_error_code(errc::io);
    return why;
}

std::filesystem::path folder_of(const std::filesystem::path& file)
{
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

} // namespace

file_handle::file_handle(file_handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

file_handle& file_handle::operator=(file_handle&& other) noexcept
{
    std::swap(fd_, other.fd_);
    return *this;
}

file_handle::~file_handle()
{
    if (fd_ >= 0)
        ::close(fd_);
}

error file_error(std::string_view deed, const std::filesystem::path& file, int number)
{
    std::string text = "cannot ";
    text += deed;
    text += " '" + file.string() + "': " + std::generic_category().message(number) + "; ";
    text += advice(number);
    return {number == ENOENT ? errc::not_found : errc::io, std::move(text)};
}

result<file_handle> open_to_read(const std::filesystem::path& file)
{
    file_handle handle(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!handle)
        return file_error("open", file, errno);
    struct stat what{};
    if (::fstat(handle.get(), &what) != 0)
        return file_error("open", file, errno);
    if (S_ISDIR(what.st_mode))
        return file_error("read", file, EISDIR);
    if (!S_ISREG(what.st_mode))
        return error(errc::io, "'" + file.string() + "' is no regular file; name another");
    return handle;
}

result<std::size_t> read_some(const file_handle& from, char* to, std::size_t limit, const std::filesystem::path& file)
{
    std::size_t done = 0;
    while (done < limit) {
        const ssize_t n = ::read(from.get(), to + done, limit - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return file_error("read", file, errno);
        if (n == 0)
            break;
        done += static_cast<std::size_t>(n);
    }
    return done;
}

result<std::string> read_head(const std::filesystem::path& file, std::size_t limit)
{
    const result<file_handle> from = open_to_read(file);
    if (!from)
        return from.error();
    std::string head(limit, '\0');
    const result<std::size_t> size = read_some(*from, head.data(), limit, file);
    if (!size)
        return size.error();
    head.resize(*size);
    return head;
}

result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to)
{
    if (const auto done = sync_path(from, O_RDONLY); !done)
        return done;
    if (::rename(from.c_str(), to.c_str()) != 0)
        return file_error("rename '" + from.string() + "' to", to, errno);
    return sync_path(folder_of(to), O_RDONLY | O_DIRECTORY);
}

replacing_writer::replacing_writer(std::filesystem::path target, std::filesystem::path part, file_handle to)
    : target_(std::move(target)), part_(std::move(part)), to_(std::move(to))
{
    buffer_.reserve(buffer_size);
}

result<replacing_writer> replacing_writer::create(const std::filesystem::path& target)
{
    std::filesystem::path final_name = resolve_links(target);
    struct stat old{};
    const bool exists = ::stat(final_name.c_str(), &old) == 0;
    if (exists && !S_ISREG(old.st_mode)) {
        file_handle to(::open(final_name.c_str(), O_WRONLY | O_CLOEXEC));
        if (!to)
            return write_error(final_name, errno);
        return replacing_writer(std::move(final_name), {}, std::move(to));
    }
    // In containers, processes that share a folder often have the same number.
    std::filesystem::path part;
    file_handle to;
    for (std::random_device random; !to;) {
        part = with_suffix(final_name, ".new." + std::to_string(random()));
        to = file_handle(
            ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, exists ? 0600 : 0666));
        if (!to && errno != EEXIST)
            return write_error(final_name, errno);
    }
    if (exists) // somebody else's file cannot have its permissions back, which is no reason not to write it
        static_cast<void>(::fchmod(to.get(), old.st_mode & 07777));
    return replacing_writer(std::move(final_name), std::move(part), std::move(to));
}

replacing_writer::~replacing_writer()
{
    if (to_ && !part_.empty())
        ::unlink(part_.c_str());
}

void replacing_writer::write(std::string_view text)
{
    if (buffer_.size() + text.size() > buffer_size)
        flush();
    buffer_ += text;
}

void replacing_writer::flush() noexcept
{
    if (error_ == 0)
        error_ = write_all(to_.get(), buffer_);
    buffer_.clear();
}

result<void> replacing_writer::finish()
{
    flush();
    if (error_)
        return write_error(target_, error_);
    if (!part_.empty())
        if (const auto done = rename_durably(part_, target_); !done)
            return done;
    to_ = file_handle();
    return {};
}

result<void> replacing_stream::finish()
{
    if (bad() && !to_.writer.failed())
        return write_error(to_.writer.target(), ENOMEM); // the stream itself has kept something
    return to_.writer.finish();
}

std::streambuf::int_type replacing_stream::buffer::overflow(int_type c)
{
    const char one = traits_type::to_char_type(c);
    if (traits_type::eq_int_type(c, traits_type::eof()) || xsputn(&one, 1) == 1)
        return traits_type::not_eof(c);
    return traits_type::eof();
}

std::streamsize replacing_stream::buffer::xsputn(const char* text, std::streamsize size)
{
    writer.write({text, static_cast<std::size_t>(size)});
    return writer.failed() ? 0 : size;
}

result<void> write_file(const std::filesystem::path& target, std::string_view text)
{
    auto to = replacing_writer::create(target);
    if (!to)
        return to.error();
    to->write(text);
    return to->finish();
}

file_lock& file_lock::operator=(file_lock&& other) noexcept
{
    std::swap(path_, other.path_);
    std::swap(handle_, other.handle_);
    return *this;
}

file_lock::~file_lock()
{
    release();
}

result<file_lock> file_lock::acquire(const std::filesystem::path& file, std::string_view noun)
{
    file_lock made;
    made.path_ = with_suffix(file, ".lock");
    while (true) {
        file_handle handle(::open(made.path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
        if (!handle) {
            error why = file_error("open", made.path_, errno);
            why.code = make_error_code(errc::io); // a missing folder is no missing index
            return why;
        }
        if (::flock(handle.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EINTR)
                continue;
            if (errno != EWOULDBLOCK)
                return file_error("lock", made.path_, errno);
            char text[24];
            const ssize_t n = ::pread(handle.get(), text, sizeof text, 0);
            long pid = 0;
            if (n > 0)
                std::from_chars(text, text + n, pid);
            const std::string who = pid > 0 ? "process " + std::to_string(pid) : "another process";
            return error(errc::locked, who + " is writing the " + std::string(noun) + " '" + file.string() +
                                           "'; wait for it or end it");
        }
        // The last holder may have removed the name between open and flock: then this lock guards nothing.
        struct stat held{};
        struct stat named{};
        if (::fstat(handle.get(), &held) != 0 || ::stat(made.path_.c_str(), &named) != 0 ||
            held.st_ino != named.st_ino || held.st_dev != named.st_dev)
            continue;
        // Only for the message to others; not being able to write it is no reason to stop.
        const std::string pid = std::to_string(::getpid()) + "\n";
        if (::ftruncate(handle.get(), 0) == 0)
            static_cast<void>(write_all(handle.get(), pid));
        made.handle_ = std::move(handle);
        return made;
    }
}

void file_lock::release() noexcept
{
    if (!handle_)
        return;
    ::unlink(path_.c_str());
    file_handle closing;
    std::swap(closing, handle_);
}

std::filesystem::path with_suffix(const std::filesystem::path& file, std::string_view suffix)
{
    std::filesystem::path longer = file;
    longer += suffix;
    return longer;
}

std::filesystem::path resolve_links(const std::filesystem::path& file)
{
    std::error_code ignored;
    if (!std::filesystem::is_symlink(file, ignored))
        return file;
    std::filesystem::path real = std::filesystem::weakly_canonical(file, ignored);
    return ignored ? file : real;
}

} // namespace regsweep
