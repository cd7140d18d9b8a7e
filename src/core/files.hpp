#ifndef REGSWEEP_SRC_CORE_FILES_HPP
#define REGSWEEP_SRC_CORE_FILES_HPP

#include "regsweep/core/error.hpp"

#include <cstddef>
#include <filesystem>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <utility>

namespace regsweep {

/// A file descriptor that closes itself.
class file_handle
{
public:
    file_handle() = default;
    explicit file_handle(int descriptor) noexcept : fd_(descriptor) {}
    file_handle(file_handle&& other) noexcept;
    file_handle& operator=(file_handle&& other) noexcept;
    ~file_handle();

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

/// `errc::io` (or `errc::not_found`) with errno's words: "cannot <deed> '<file>': <reason>; <advice>".
error file_error(std::string_view deed, const std::filesystem::path& file, int number);

result<file_handle> open_to_read(const std::filesystem::path& file);
/// Up to `limit` bytes; fewer only at the end of the file.
result<std::size_t> read_some(const file_handle& from, char* to, std::size_t limit, const std::filesystem::path& file);
/// The first `limit` bytes of a regular file, or all of it where it is shorter.
result<std::string> read_head(const std::filesystem::path& file, std::size_t limit);

/// Asks the kernel to put `from` under the name `to` for good: its bytes first, then the name.
result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// Writes a file beside its final name and renames it into place, with the permissions of the file that was there; a
/// writer that is not finished leaves nothing. Links are followed. What is no regular file, such as a pipe or a
/// terminal, is written to as it is.
class replacing_writer
{
public:
    static result<replacing_writer> create(const std::filesystem::path& target);
    replacing_writer(replacing_writer&&) noexcept = default;
    replacing_writer& operator=(replacing_writer&&) = delete;
    ~replacing_writer();

    void write(std::string_view text); ///< errors are kept for `finish`
    bool failed() const noexcept { return error_ != 0; }
    const std::filesystem::path& target() const noexcept { return target_; }
    result<void> finish();

private:
    replacing_writer(std::filesystem::path target, std::filesystem::path part, file_handle to);
    void flush() noexcept;

    std::filesystem::path target_;
    std::filesystem::path part_; ///< none: straight to the target
    file_handle to_;
    std::string buffer_;
    int error_ = 0;
};

/// The same as a stream, which turns bad when something cannot be written; `finish` tells why.
class replacing_stream : public std::ostream
{
public:
    explicit replacing_stream(replacing_writer to) : std::ostream(nullptr), to_(std::move(to)) { rdbuf(&to_); }
    result<void> finish();

private:
    struct buffer : std::streambuf
    {
        explicit buffer(replacing_writer to) : writer(std::move(to)) {}
        int_type overflow(int_type c) override;
        std::streamsize xsputn(const char* text, std::streamsize size) override;

        replacing_writer writer;
    };
    buffer to_;
};

/// A whole file.
result<void> write_file(const std::filesystem::path& target, std::string_view text);

/// `<file>.lock`, held by one process at a time; the kernel lets go of it when the process ends, however that is.
class file_lock
{
public:
    file_lock() = default;
    /// Fails with `errc::locked`, naming the process that holds it, or `errc::io`. Does not wait.
    static result<file_lock> acquire(const std::filesystem::path& file, std::string_view noun);
    file_lock(file_lock&&) noexcept = default;
    file_lock& operator=(file_lock&& other) noexcept;
    ~file_lock();

    bool held() const noexcept { return static_cast<bool>(handle_); }
    void release() noexcept;

private:
    std::filesystem::path path_;
    file_handle handle_;
};

/// `file` with `suffix` added to its name.
std::filesystem::path with_suffix(const std::filesystem::path& file, std::string_view suffix);

/// Follows symbolic links, so that renaming replaces what a link points to and not the link.
std::filesystem::path resolve_links(const std::filesystem::path& file);

} // namespace regsweep

#endif
