#ifndef REGSWEEP_SRC_CLI_LOCK_FILE_HPP
#define REGSWEEP_SRC_CLI_LOCK_FILE_HPP

#include <string>

namespace regsweep::cli {

/// Holds a file so that of several runs with the same file one goes on. The system lets go of it when the process ends,
/// in whatever way; the file itself stays.
class lock_file
{
public:
    /// Throws `failure`: `errc::locked` if another process holds it, naming that process, and `errc::io`.
    explicit lock_file(const std::string& name);
    ~lock_file();
    lock_file(const lock_file&) = delete;
    lock_file& operator=(const lock_file&) = delete;

private:
    int file_ = -1;
};

} // namespace regsweep::cli

#endif
