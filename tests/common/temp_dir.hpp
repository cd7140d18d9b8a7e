#ifndef REGSWEEP_TESTS_COMMON_TEMP_DIR_HPP
#define REGSWEEP_TESTS_COMMON_TEMP_DIR_HPP

#include <filesystem>
#include <string>
#include <string_view>

namespace regsweep::test {

/// A new empty folder, removed with all that is in it at the end. Throws `std::system_error` if it cannot be made.
class temp_dir
{
public:
    /// Below `$TMPDIR` or `/tmp`.
    temp_dir();
    /// Below this folder.
    explicit temp_dir(const std::filesystem::path& parent);
    ~temp_dir();
    temp_dir(const temp_dir&) = delete;
    temp_dir& operator=(const temp_dir&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }
    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// The whole of a file, byte for byte. Throws `std::system_error`.
std::string read_file(const std::filesystem::path& file);

/// Makes `file` hold exactly `content`. Throws `std::system_error`.
void write_file(const std::filesystem::path& file, std::string_view content);

} // namespace regsweep::test

#endif
