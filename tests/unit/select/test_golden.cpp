// docker-registry-util's own answers to 90 command lines over one cache, given again by this layer.
#include "regsweep/select/selection.hpp"
#include "regsweep/select/version.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_to.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace regsweep {
namespace {

using strings = std::vector<std::string>;

const std::string data = TEST_DATA_DIR "/golden/selection/";

struct command_line
{
    std::string command;
    std::map<std::string, strings> lists; // values of options that take some, and of none: the command's own
    std::map<std::string, bool> flags;
};

command_line read_command_line(const strings& words)
{
    command_line line;
    std::string list;
    for (const std::string& word : words) {
        if (word.starts_with("--"))
            line.flags[word] = true;
        else if (word == "-r" || word == "-t" || word == "-re" || word == "-x" || word == "-xre")
            list = word;
        else if (line.command.empty())
            line.command = word;
        else
            line.lists[list].push_back(word);
    }
    return line;
}

selection_options options_of(command_line& line)
{
    selection_options options;
    options.repositories = line.lists["-r"];
    options.tags = line.lists["-t"];
    options.regexes = line.lists["-re"];
    options.exclude = line.lists["-x"];
    options.exclude_regexes = line.lists["-xre"];
    options.match_all_tags = !line.flags["--no-match-all-tags"];
    options.raise_intersecting_repo = !line.flags["--no-raise-intersecting-repo"];
    options.raise_intersecting_tag = line.flags["--raise-intersecting-tag"];
    return options;
}

std::string padded(std::string text, std::size_t width)
{
    text.resize(std::max(width, text.size()), ' ');
    return text;
}

std::size_t longest(const strings& names)
{
    std::size_t most = 0;
    for (const std::string& name : names)
        most = std::max(most, name.size());
    return most;
}

struct output
{
    bool ok = true;
    strings lines;
    std::string counted;
    std::size_t count = 0;
};

output query(const index& from, command_line& line)
{
    const selection_options options = options_of(line);
    const bool whole = line.command == "query-repos";
    const selection found = whole ? select_repositories(from, options).value() : select_tags(from, options).value();
    output out{.ok = !found.check().has_error(), .lines = {}, .counted = "selected digests"};
    if (!out.ok) {
        BOOST_TEST(found.check().error().is(errc::conflict));
        BOOST_TEST(found.counts().conflicts > 0u);
        return out;
    }
    for (std::size_t i = 0; i != found.size(); ++i) {
        const decision d = found[i];
        if (d.in())
            out.lines.push_back(padded(std::string(d.repository()), longest(options.repositories)) + "  " +
                                d.id().to_string());
    }
    out.count = out.lines.size();
    BOOST_TEST(found.counts().in == out.count);
    return out;
}

strings all_repositories(const index& from)
{
    strings names;
    from.for_each_repository([&](const repository_info& info) {
            names.push_back(info.name);
            return true;
        })
        .value();
    return names;
}

output list_tags(const index& from, command_line& line)
{
    const strings repositories = line.lists[""].empty() ? all_repositories(from) : line.lists[""];
    output out{.ok = true, .lines = {}, .counted = "tags"};
    for (const std::string& repository : repositories) {
        strings tags;
        from.for_each_tag(repository,
                          [&](const tag_view& tag) {
                              tags.emplace_back(tag.tag);
                              return true;
                          })
            .value();
        sort_tags(tags, line.flags["--reverse-sort"]);
        for (const std::string& tag : tags)
            out.lines.push_back(line.flags["--image-names"] ? "registry.invalid/" + repository + ":" + tag
                                                            : padded(repository, longest(repositories)) + "  " + tag);
    }
    out.count = out.lines.size();
    return out;
}

output run(const index& from, command_line line)
{
    output out;
    if (line.command == "list-repo-names") {
        out = {.ok = true, .lines = all_repositories(from), .counted = "repositories"};
        out.count = out.lines.size();
    } else {
        out = line.command == "list-tag-names" ? list_tags(from, line) : query(from, line);
    }
    if (out.ok && line.flags["--count"]) {
        const std::string text = "Number of " + out.counted + ": " + std::to_string(out.count);
        out.lines.push_back(text);
        out.lines.emplace_back(text.size(), '-');
    }
    std::ranges::sort(out.lines);
    return out;
}

boost::json::value read_json(const std::string& file)
{
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return boost::json::parse(text.str());
}

} // namespace

BOOST_AUTO_TEST_SUITE(golden)

BOOST_AUTO_TEST_CASE(every_answer_is_that_of_docker_registry_util)
{
    const index from = index::open(data + "cache.json").value();
    const auto cases = read_json(data + "cases.json");
    BOOST_TEST(cases.as_array().size() >= 90u);
    for (const auto& one : cases.as_array()) {
        const auto argv = boost::json::value_to<strings>(one.at("argv"));
        BOOST_TEST_CONTEXT(boost::json::serialize(one.at("argv")))
        {
            const output out = run(from, read_command_line(argv));
            BOOST_TEST(out.ok == one.at("ok").as_bool());
            BOOST_TEST(out.lines == boost::json::value_to<strings>(one.at("stdout")), boost::test_tools::per_element());
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace regsweep
