// What people read is compared with what the program does: options, commands, JSON and links.
#include "common/real_registry.hpp"
#include "integration/program.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>
#include <set>

using namespace regsweep::test;

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

const fs::path root = fs::path(TEST_DATA_DIR).parent_path();

const std::vector<std::string> commands = {
    "refresh", "list-repo-names", "list-tag-names", "query-repos", "query-tags", "du",
    "inspect", "report",          "remove-repos",   "remove-tags", "prune",      "apply",
    "journal", "journal prune",   "restore",        "bench",       "doctor",     "completion",
};

std::vector<std::string> words(const std::string& text, const std::string& separators)
{
    std::vector<std::string> all;
    std::size_t begin = 0;
    while ((begin = text.find_first_not_of(separators, begin)) != std::string::npos) {
        const auto end = text.find_first_of(separators, begin);
        all.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
        begin = end == std::string::npos ? text.size() : end;
    }
    return all;
}

/// A shell in a home of its own, where `regsweep` is the built program and REGISTRY a registry.
class shell
{
public:
    explicit shell(std::string registry) : registry_(std::move(registry))
    {
        fs::create_directory(home_.file("bin"));
        fs::create_symlink(program_under_test(), home_.file("bin") / "regsweep");
    }

    fs::path file(std::string_view name) const { return home_.file(name); }

    process_result run(const std::string& line) const
    {
        const char* path = std::getenv("PATH");
        auto options =
            home_.command({}, {{"REGISTRY", registry_},
                               {"PATH", home_.file("bin").string() + ":" + (path ? path : "/usr/bin:/bin")}});
        options.args = {"sh", "-c", line};
        return regsweep::test::run(options);
    }

private:
    sandbox home_;
    std::string registry_;
};

void fill(const real_registry& registry)
{
    const auto done = run({.args = {(root / "scripts" / "sample-registry.sh").string(), registry.url()}});
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
}

/// A fenced block of a Markdown file.
struct block
{
    std::string language;
    std::vector<std::string> text;
};

std::vector<block> blocks(const fs::path& file)
{
    std::vector<block> all;
    bool inside = false;
    for (const auto& line : lines(read_file(file))) {
        if (line.starts_with("```")) {
            if (!inside)
                all.push_back({line.substr(3), {}});
            inside = !inside;
        } else if (inside) {
            all.back().text.push_back(line);
        }
    }
    BOOST_TEST(!inside, file << " has a fence without an end");
    return all;
}

std::set<std::string> found(const std::string& text, const std::regex& what)
{
    std::set<std::string> all;
    for (std::sregex_iterator i(text.begin(), text.end(), what), end; i != end; ++i)
        all.insert((*i)[1].str());
    return all;
}

/// The options that `--help` of a command shows, `-h` and `--help` left out; of all commands for an empty name.
std::set<std::string> options_in_help(const std::string& command)
{
    const sandbox home;
    auto args = words(command, " ");
    args.emplace_back("--help");
    const auto done = home.run(args);
    BOOST_TEST(done.exit_code == 0, done.err);
    static const std::regex names("(-{1,2}[A-Za-z][A-Za-z0-9-]*)");
    static const std::regex old_names("also (-[a-z]+)");
    std::set<std::string> all;
    bool in_option = false;
    for (const auto& line : lines(done.out)) {
        if (line.starts_with("  -")) {
            const auto shown = line.substr(2, line.find("  ", 2) - 2);
            all.merge(found(shown.substr(0, shown.find_first_of(" {")), names));
        }
        in_option = line.starts_with("  -") || (in_option && line.starts_with("   "));
        if (in_option)
            all.merge(found(line, old_names));
    }
    all.erase("-h");
    all.erase("--help");
    return all;
}

/// The man page's options by command, from its headings `Options of A, B`.
std::map<std::string, std::set<std::string>> options_in_man()
{
    static const std::regex argument(R"(\\fI.*?\\fR)");
    static const std::regex names("(-{1,2}[A-Za-z][A-Za-z0-9-]*)");
    static const std::string heading = ".SS Options of ";
    std::map<std::string, std::set<std::string>> all;
    std::vector<std::string> where;
    std::string before;
    for (auto line : lines(read_file(root / "docs" / "regsweep.1"))) {
        line = std::regex_replace(line, std::regex(R"(\\-)"), "-");
        if (line.starts_with(".S"))
            where.clear();
        if (line.starts_with(heading)) {
            for (const auto& name : words(line.substr(heading.size()), ","))
                where.push_back(name.substr(name.find_first_not_of(' ')));
        } else if (before == ".TP" && !where.empty()) {
            for (const auto& name : where)
                all[name].merge(found(std::regex_replace(line, argument, ""), names));
        }
        before = line;
    }
    auto& common = all["all commands"];
    common.erase("-h");
    common.erase("--help");
    return all;
}

void check_options(const std::string& what, const std::set<std::string>& help, const std::set<std::string>& man)
{
    for (const auto& name : help)
        BOOST_TEST(man.contains(name), "the man page has no " << name << " of " << what);
    for (const auto& name : man)
        BOOST_TEST(help.contains(name), "the man page has " << name << ", which " << what << " has not");
}

/// Whether two JSON values have the same keys and types all the way down, as far as both have elements.
void check_shape(const json::value& example, const json::value& real, const std::string& where)
{
    if (example.is_object() && real.is_object()) {
        for (const auto& member : example.as_object()) {
            const json::value* other = real.as_object().if_contains(member.key());
            BOOST_TEST((other != nullptr), where << "." << member.key() << " is only in the example");
            if (other != nullptr)
                check_shape(member.value(), *other, where + "." + std::string(member.key()));
        }
        for (const auto& member : real.as_object())
            BOOST_TEST(example.as_object().contains(member.key()), where << "." << member.key() << " is not described");
        return;
    }
    if (example.is_array() && real.is_array()) {
        BOOST_TEST(example.as_array().size() == real.as_array().size(), where << " has another length");
        for (std::size_t i = 0; i < std::min(example.as_array().size(), real.as_array().size()); ++i)
            check_shape(example.at(i), real.at(i), where + "[" + std::to_string(i) + "]");
        return;
    }
    const auto same = [](const json::value& a, const json::value& b) {
        return a.kind() == b.kind() || (a.is_number() && b.is_number());
    };
    BOOST_TEST(same(example, real), where << " has another type");
}

std::vector<fs::path> markdown_files()
{
    std::vector<fs::path> all{root / "README.md"};
    for (const auto& entry : fs::recursive_directory_iterator(root / "docs"))
        if (entry.path().extension() == ".md")
            all.push_back(entry.path());
    return all;
}

/// The lines of a file's code blocks, fenced or indented, each with those that continue it.
std::vector<std::string> code_lines(const fs::path& file)
{
    std::vector<std::string> all;
    bool fenced = false;
    bool list = false; // what is indented below a list's item is its text
    bool continued = false;
    for (const auto& line : lines(read_file(file))) {
        const bool item = line.starts_with("- ") || line.starts_with("1. ");
        list = item || (list && (line.empty() || line.starts_with(" ")));
        if (line.starts_with("```")) {
            fenced = !fenced;
        } else if (fenced || (line.starts_with("    ") && !list)) {
            const auto begin = line.find_first_not_of(' ');
            const auto text = begin == std::string::npos ? std::string() : line.substr(begin);
            if (continued)
                all.back() += " " + text;
            else
                all.push_back(text);
            continued = text.ends_with("\\") || text.ends_with("|") || text.ends_with("&&");
            if (text.ends_with("\\"))
                all.back().pop_back();
        } else {
            continued = false;
        }
    }
    return all;
}

/// Runs the commands of a file's transcripts in their order against the sample registry and compares what they print.
/// Returns how many there are.
std::size_t replay(const fs::path& file)
{
    const real_registry registry;
    fill(registry);
    const shell in(registry.address());
    // Addresses, paths and durations are those of one machine.
    const auto common = [&](std::string text) {
        text = std::regex_replace(text, std::regex("127\\.0\\.0\\.1([:_])[0-9]+"), "127.0.0.1$1PORT");
        return std::regex_replace(text, std::regex("(seconds|tags/s|manifests/s|index|details)(  +)[^\n]*"), "$1");
    };
    std::size_t count = 0;
    for (const auto& example : blocks(file)) {
        if (example.language != "text")
            continue;
        std::string expected;
        std::string real;
        for (const auto& line : example.text) {
            expected += line + "\n";
            if (!line.starts_with("$ "))
                continue;
            ++count;
            real += (real.empty() ? "" : "\n") + line + "\n" + in.run(line.substr(2) + " 2>&1").out;
        }
        BOOST_TEST(lines(common(expected)) == lines(common(real)), boost::test_tools::per_element());
    }
    return count;
}

} // namespace

BOOST_AUTO_TEST_SUITE(docs)

BOOST_AUTO_TEST_CASE(the_man_page_has_the_options_of_every_command)
{
    auto man = options_in_man();
    check_options("all commands", options_in_help(""), man["all commands"]);
    man.erase("all commands");
    for (const auto& command : commands) {
        check_options(command, options_in_help(command), man[command]);
        man.erase(command);
    }
    for (const auto& [name, options] : man)
        BOOST_TEST(options.empty(), "the man page has options of '" << name << "', which is no command");
}

BOOST_AUTO_TEST_CASE(the_man_page_has_every_command)
{
    const sandbox home;
    const auto help = home.run({"--help"}).out;
    const auto listed = help.substr(help.find("\nSubcommands:\n"));
    const auto man = read_file(root / "docs" / "regsweep.1");
    const auto names = found(listed, std::regex("\n  ([a-z][a-z-]*) "));
    BOOST_TEST(names.size() == commands.size() - 1); // `journal prune` is in journal's own help
    for (const auto& name : names) {
        BOOST_TEST((std::find(commands.begin(), commands.end(), name) != commands.end()), name << " is not tested");
        const auto entry = "\n.TP\n.B " + std::regex_replace(name, std::regex("-"), R"(\-)") + "\n";
        BOOST_TEST((man.find(entry) != std::string::npos), "the man page does not describe " << name);
    }
}

BOOST_AUTO_TEST_CASE(the_man_page_has_no_errors)
{
    const auto done = run(
        {.args = {"man", "--warnings", "-l", (root / "docs" / "regsweep.1").string()}, .env = {{"LC_ALL", "C.UTF-8"}}});
    BOOST_TEST(done.exit_code == 0);
    BOOST_TEST(done.err == "");
}

BOOST_AUTO_TEST_CASE(the_commands_of_the_readme_parse)
{
    const real_registry registry;
    fill(registry);
    const shell in(registry.address());
    write_file(in.file("repos.txt"), "web\nteam/api\n");
    write_file(in.file("password.txt"), "secret\n");
    fs::copy_file(root / "examples" / "policies" / "branches.yml", in.file("policy.yml"));
    write_file(in.file("in-use.txt"), registry.address() + "/web:1.2 docker.io/library/nginx\n");
    std::size_t count = 0;
    for (const auto& example : blocks(root / "README.md")) {
        if (example.language != "sh")
            continue;
        for (auto line : example.text) {
            if (!line.starts_with("regsweep"))
                continue;
            ++count;
            // Nobody listens there: such a command fails, but not for how it is written.
            const bool elsewhere = line.find("registry.example.com") != std::string::npos;
            line = std::regex_replace(line, std::regex(R"(registry\.example\.com)"), "127.0.0.1");
            if (elsewhere || line.find("localhost") != std::string::npos)
                line = std::regex_replace(line, std::regex("^regsweep"), "regsweep --retries 0 --timeout 5");
            const auto done = in.run(line);
            const bool local = !elsewhere && line.find("localhost") == std::string::npos;
            BOOST_TEST(done.exit_code != 2, line << ": " << done.err);
            BOOST_TEST((!local || done.exit_code == 0), line << ": exit " << done.exit_code << ", " << done.err);
        }
    }
    BOOST_TEST(count > 20U);
}

BOOST_AUTO_TEST_CASE(every_command_line_of_the_documents_is_understood)
{
    // In a shell that finds nothing but this, so that no other command of a line is carried out.
    const sandbox home;
    fs::create_directory(home.file("bin"));
    write_file(home.file("bin/regsweep"), "#!/bin/sh\n\"" + program_under_test() + "\" __parse \"$@\" >>" +
                                              home.file("out").string() + " 2>>" + home.file("refused").string() +
                                              "\necho \"$*\" >>" + home.file("seen").string() + "\n");
    fs::permissions(home.file("bin/regsweep"), fs::perms::owner_all);
    static const std::regex command(R"((^|\$ |[|;&] *|\$\()regsweep [^:])");
    static const std::regex redirection(R"( (<|>>?) ?[^ ]+)");
    std::size_t count = 0;
    for (const auto& file : markdown_files()) {
        for (auto line : code_lines(file)) {
            if (!std::regex_search(line, command) || line.starts_with("chroot"))
                continue; // what is quoted for another system's shell is not this one's
            ++count;
            if (line.starts_with("$ "))
                line.erase(0, 2);
            auto shell = home.command({}, {{"PATH", home.file("bin").string()}, {"CI_PROJECT_PATH", "team/app"}});
            shell.args = {"/bin/sh", "-c", std::regex_replace(line, redirection, "")};
            for (const char* name : {"seen", "refused"})
                write_file(home.file(name), "");
            regsweep::test::run(shell);
            BOOST_TEST(read_file(home.file("seen")) != "", file << ": nothing is run by: " << line);
            BOOST_TEST(read_file(home.file("refused")) == "", file << ": " << line);
        }
    }
    BOOST_TEST(count > 100U);
}

BOOST_AUTO_TEST_CASE(the_transcript_of_the_readme_is_what_happens)
{
    BOOST_TEST(replay(root / "README.md") > 5U);
}

BOOST_AUTO_TEST_CASE(the_tutorial_is_what_happens)
{
    BOOST_TEST(replay(root / "docs" / "tutorial.md") > 8U);
}

BOOST_AUTO_TEST_CASE(the_json_examples_have_the_keys_of_the_output)
{
    const real_registry registry;
    fill(registry);
    const shell in(registry.address());
    std::string last;
    std::string command;
    std::size_t count = 0;
    for (const auto& example : blocks(root / "docs" / "json.md")) {
        if (example.language == "sh") {
            for (const auto& line : example.text) {
                command = line;
                last = in.run(line).out;
            }
        } else if (example.language == "json") {
            std::string text;
            for (const auto& line : example.text)
                text += line + "\n";
            BOOST_TEST_CONTEXT(command)
            {
                boost::system::error_code failed;
                const auto real = json::parse(last, failed);
                BOOST_TEST(!failed, "no JSON: " << last);
                if (!failed)
                    check_shape(json::parse(text), real, "");
            }
            ++count;
        }
    }
    BOOST_TEST(count > 10U);
}

BOOST_AUTO_TEST_CASE(the_messages_told_of_are_in_the_program)
{
    // Literals that stand beside each other are one, and `+` between two is where something is put in.
    static const std::regex joint(R"("\s*\n?\s*")");
    std::vector<std::string> sources;
    for (const auto& entry : fs::recursive_directory_iterator(root / "src"))
        if (entry.path().extension() == ".cpp" || entry.path().extension() == ".hpp")
            sources.push_back(std::regex_replace(read_file(entry.path()), joint, ""));
    const auto has = [](const std::string& source, const std::vector<std::string>& parts) {
        return std::all_of(parts.begin(), parts.end(),
                           [&](const auto& part) { return source.find(part) != std::string::npos; });
    };
    static const std::regex row("^\\| `([^`]+)` \\|.*");
    std::size_t count = 0;
    for (const auto& line : lines(read_file(root / "docs" / "troubleshooting.md"))) {
        std::smatch match;
        if (!std::regex_match(line, match, row))
            continue;
        ++count;
        std::vector<std::string> parts;
        std::string rest = match[1].str();
        static const std::string gap = "…";
        for (auto at = rest.find(gap); at != std::string::npos; at = rest.find(gap)) {
            parts.push_back(rest.substr(0, at));
            rest.erase(0, at + gap.size());
        }
        parts.push_back(rest);
        BOOST_TEST(std::any_of(sources.begin(), sources.end(), [&](const auto& source) { return has(source, parts); }),
                   "no source has the message: " << match[1].str());
    }
    BOOST_TEST(count > 40U);
}

BOOST_AUTO_TEST_CASE(links_lead_to_files)
{
    static const std::regex link(R"(\]\(([^)#: ]+)(#[^)]*)?\))");
    std::size_t count = 0;
    for (const auto& file : markdown_files()) {
        for (const auto& target : found(read_file(file), link)) {
            ++count;
            BOOST_TEST(fs::exists(file.parent_path() / target),
                       file << " links to " << target << ", which is not there");
        }
    }
    BOOST_TEST(count > 5U);
}

BOOST_AUTO_TEST_SUITE_END()
