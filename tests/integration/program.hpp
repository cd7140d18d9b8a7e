#ifndef REGSWEEP_TESTS_INTEGRATION_PROGRAM_HPP
#define REGSWEEP_TESTS_INTEGRATION_PROGRAM_HPP

#include "common/process.hpp"
#include "common/temp_dir.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace regsweep::test {

/// Repository → tag → digest: what a registry holds, and docker-registry-util's cache as well.
using content = std::map<std::string, std::map<std::string, std::string>>;

/// Of the environment, such as one with a sanitizer; else the one that was built with the tests.
inline std::string program_under_test()
{
    const char* other = std::getenv("REGSWEEP_PROGRAM");
    return other ? other : REGSWEEP_PROGRAM;
}

/// A home of its own, in which the built program runs: nothing of the caller's settings or caches is seen.
class sandbox
{
public:
    using variables = std::map<std::string, std::string>;

    std::filesystem::path file(std::string_view name) const { return folder_ / name; }
    std::filesystem::path cache_folder() const { return folder_ / "cache"; }

    process_options command(const std::vector<std::string>& args, const variables& env = {}) const
    {
        process_options options;
        options.args = {program_under_test()};
        options.args.insert(options.args.end(), args.begin(), args.end());
        options.env = env;
        options.env.emplace("HOME", folder_.path().string());
        options.env.emplace("XDG_CACHE_HOME", cache_folder().string());
        options.folder = folder_.path();
        return options;
    }

    process_result run(const std::vector<std::string>& args, const variables& env = {},
                       const std::string& input = {}) const
    {
        auto options = command(args, env);
        options.input = input;
        return regsweep::test::run(options);
    }

private:
    temp_dir folder_;
};

inline std::vector<std::string> sorted_lines(const std::string& text)
{
    auto all = lines(text);
    std::sort(all.begin(), all.end());
    return all;
}

/// How many errors a program's standard error reports; notes and warnings may come with one.
inline std::size_t count_errors(const std::string& text)
{
    std::size_t count = 0;
    for (const auto& line : lines(text))
        count += line.starts_with("regsweep: error: ") ? 1U : 0U;
    return count;
}

/// Reads docker-registry-util's JSON cache.
inline content read_json_cache(const std::filesystem::path& file)
{
    content all;
    const auto cache = boost::json::parse(read_file(file));
    for (const auto& repository : cache.as_object()) {
        auto& tags = all[std::string(repository.key())];
        for (const auto& tag : repository.value().as_object())
            tags[std::string(tag.key())] = std::string(tag.value().as_string());
    }
    return all;
}

/// `text` on one line for messages of failed tests.
inline std::string shown(const std::vector<std::string>& args)
{
    std::string text;
    for (const auto& arg : args)
        text += (text.empty() ? "" : " ") + arg;
    return text;
}

} // namespace regsweep::test

#endif
