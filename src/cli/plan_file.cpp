#include "cli/plan_file.hpp"

#include <filesystem>

namespace regsweep::cli {

plan_file::plan_file(std::string name, const plan_header& header)
    : name_(std::move(name)), part_(name_ + ".part"), out_(part_, std::ios::binary | std::ios::trunc), writer_(out_)
{
    check(writer_.begin(header));
}

plan_file::~plan_file()
{
    std::error_code ignored;
    if (!whole_)
        std::filesystem::remove(part_, ignored);
}

void plan_file::add(const plan_step& step)
{
    check(writer_.add(step));
}

void plan_file::finish()
{
    check(writer_.finish());
    out_.close();
    std::error_code failed;
    if (out_)
        std::filesystem::rename(part_, name_, failed);
    if (!out_ || failed)
        check(error(errc::io, {}));
    whole_ = true;
}

void plan_file::check(const result<void>& done) const
{
    if (!done)
        throw failure({errc::io, "cannot write the plan '" + printable(name_) +
                                     "': is the folder writable, and is there space left?"});
}

std::string quoted(const std::string& word)
{
    if (!word.empty() && word.find_first_of(" \t'\"\\<>|&;()$`*?[]#~!{}") == std::string::npos)
        return word;
    std::string out = "'";
    for (const char c : word)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

} // namespace regsweep::cli
