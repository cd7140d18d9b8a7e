#include "cli/selection_options.hpp"

#include "cli/session.hpp"
#include "cli/terminal.hpp"

namespace regsweep::cli {

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
    selection chosen = (tags ? select_tags(from, options) : select_repositories(from, options)).value();
    for (const auto& name : chosen.unknown_repositories())
        terminal::standard().warning("the index has no repository '" + printable(name) +
                                     "'; list-repo-names shows what it has, --refresh reads anew");
    return chosen;
}

} // namespace regsweep::cli
