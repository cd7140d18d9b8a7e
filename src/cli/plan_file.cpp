#include "cli/plan_file.hpp"

namespace regsweep::cli {

plan_file::plan_file(const std::string& name, const plan_header& header)
    : out_(replacing_writer::create(name).value()), writer_(out_)
{
    check(writer_.begin(header));
}

void plan_file::add(const plan_step& step)
{
    check(writer_.add(step));
}

void plan_file::finish()
{
    check(writer_.finish());
    out_.finish().value();
}

void plan_file::check(const result<void>& done)
{
    if (!done)
        out_.finish().value(); // says why it cannot
    done.value();
}

std::string quoted(const std::string& word)
{
    if (!word.empty() && word.find_first_of(" \t\n'\"\\<>|&;()$`*?[]#~!{}") == std::string::npos)
        return word;
    std::string out = "'";
    for (const char c : word)
        out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

} // namespace regsweep::cli
