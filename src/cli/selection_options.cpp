#include "cli/selection_options.hpp"

#include "cli/session.hpp"
#include "cli/terminal.hpp"
#include "regsweep/core/names.hpp"

#include <utility>

namespace regsweep::cli {
namespace {

// Whether the word is a tag, or an operator and what can be the beginning of one.
bool is_selector(std::string_view word)
{
    for (const std::string_view sign : {"<=", ">=", "==", "<", ">"})
        if (word.starts_with(sign))
            return valid_tag(word.substr(sign.size(), 1));
    return valid_tag(word);
}

std::string meant_by(std::string_view word)
{
    const std::string_view sign = word.starts_with("=>") ? ">=" : word.starts_with("=<") ? "<=" : "==";
    const std::size_t wrong = word.starts_with("=>") || word.starts_with("=<") ? 2 : word.starts_with("=") ? 1 : 0;
    const std::string meant = std::string(sign) + std::string(word.substr(wrong));
    return wrong != 0 && is_selector(meant) ? " (did you mean '" + printable(meant, 60) + "'?)" : "";
}

// Old scripts that have such words go on as they did.
void warn_of_selectors(const char* option, const std::vector<std::string>& words)
{
    for (const auto& word : words)
        if (!is_selector(word))
            terminal::standard().warning(std::string(option) + ": '" + printable(word, 60) +
                                         "' is neither a tag nor a version" + meant_by(word) +
                                         "; write a tag as it is, or a version after < > <= >= or ==, as in '>=1.2'");
}

} // namespace

void warn_of_unknown_repository(const std::string& name)
{
    terminal::standard().warning("the index has no repository '" + printable(name) +
                                 "'; list-repo-names shows what it has, --refresh reads anew");
}

void add_repository_selection(CLI::App& subcommand, selection_options& into)
{
    subcommand.add_option("--repo,-r", into.repositories, "Repositories, by their whole names")
        ->type_name("REPO")
        ->expected(1, -1)
        ->required();
}

void add_tag_selection(CLI::App& subcommand, selection_options& into)
{
    const auto list = [&](const char* names, std::vector<std::string>& target, const char* type, const char* text) {
        subcommand.add_option(names, target, text)->type_name(type)->expected(0, -1);
    };
    list("--tags,-t", into.tags, "TAG|VERSION", "Tags, or versions as in '>=1.2': operators < > <= >= ==");
    list("--regex", into.regexes, "REGEX", "Regular expressions that match from the start of the tag; also -re");
    list("--exclude,-x", into.exclude, "TAG|VERSION", "Tags or versions whose digests stay");
    list("--exclude-regex", into.exclude_regexes, "REGEX", "Regular expressions for the same; also -xre");
    subcommand.add_flag_callback(
        "--no-match-all-tags", [&into] { into.match_all_tags = false; },
        "Select digests although tags that are not selected use them. They lose those tags!");
    subcommand.add_flag("--raise-intersecting-tag", into.raise_intersecting_tag,
                        "Fail if a tag that is not selected uses a selected digest");
}

selection select(session& s, const index& from, selection_options options, bool tags)
{
    if (tags && options.tags.empty() && options.regexes.empty())
        throw usage_error("no tags selected: name some with -t or -re");
    options.raise_intersecting_repo = !s.options().keep_intersecting_repo;
    warn_of_selectors("-t", options.tags);
    warn_of_selectors("-x", options.exclude);
    auto found = tags ? select_tags(from, options) : select_repositories(from, options);
    if (!found && found.error().is(errc::bad_regex))
        throw usage_error(found.error().message());
    selection chosen = std::move(found).value();
    for (const auto& name : chosen.unknown_repositories())
        warn_of_unknown_repository(name);
    return chosen;
}

} // namespace regsweep::cli
