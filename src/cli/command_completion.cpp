#include "cli/choices.hpp"
#include "cli/completion.hpp"
#include "cli/config.hpp"
#include "cli/session.hpp"
#include "cli/terminal.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace regsweep::cli {
namespace {

// The scripts know nothing but how to ask: what is offered comes from the program's own options.
constexpr std::string_view bash_script = R"(# bash completion for regsweep
_regsweep() {
    local kind line
    COMPREPLY=()
    {
        IFS= read -r kind
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done
    } < <("${COMP_WORDS[0]}" __complete bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    case $kind in
        files) compopt -o default 2>/dev/null ;;
        stems) compopt -o nospace 2>/dev/null ;;
    esac
    return 0
}
complete -F _regsweep regsweep
)";

constexpr std::string_view zsh_script = R"(#compdef regsweep
# zsh completion for regsweep
_regsweep() {
    local -a lines found shown
    local line
    lines=("${(@f)$("${(Q)words[1]}" __complete zsh "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ $lines[1] == files ]]; then
        [[ $PREFIX == --*=* ]] && compset -P '*='
        _files
        return
    fi
    for line in "${(@)lines[2,-1]}"; do
        found+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    (( $#found )) || return 1
    if [[ $lines[1] == stems ]]; then
        compadd -S '' -d shown -a found
    else
        compadd -d shown -a found
    fi
}
if [[ $funcstack[1] == _regsweep ]]; then
    _regsweep "$@"
else
    compdef _regsweep regsweep
fi
)";

constexpr std::string_view fish_script = R"(# fish completion for regsweep
function __regsweep_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines ($words[1] __complete fish $words[2..-1] 2>/dev/null)
    if test "$lines[1]" = files
        __fish_complete_path (string replace -r '^--[^=]*=' '' -- (commandline -ct))
    else if set -q lines[2]
        printf '%s\n' $lines[2..-1]
    end
end
complete -c regsweep -f -a '(__regsweep_complete)'
)";

void parse(CLI::App& app, options& into, index_arguments arguments)
{
    add_common_options(app, into);
    std::reverse(arguments.begin(), arguments.end()); // as CLI11 wants them
    app.parse(std::move(arguments));
}

std::vector<std::string> registries_of_config(const index_arguments& arguments)
{
    try {
        CLI::App app;
        options given;
        parse(app, given, arguments);
        return configured_registries(given.config);
    } catch (const std::exception&) { // a shell that completes has no place for errors
        return {};
    }
}

// The index that a crawl with these options would fill.
std::optional<index> open_index(const index_arguments& arguments)
{
    try {
        CLI::App app;
        options given;
        parse(app, given, arguments);
        apply_config(app, given);
        const session s(std::move(given));
        if (s.index_file().empty())
            return std::nullopt;
        auto found = index::open(s.index_file());
        if (!found)
            return std::nullopt;
        const auto summary = found->summary();
        if (!summary || (!summary->registry.empty() && summary->registry != s.address().canonical()))
            return std::nullopt;
        return *std::move(found);
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

name_source names_of_index(const index_arguments& arguments)
{
    name_source out;
    out.registries = [arguments] { return registries_of_config(arguments); };
    const std::shared_ptr<const std::optional<index>> from =
        std::make_shared<std::optional<index>>(open_index(arguments));
    out.repositories = [from] {
        std::vector<std::string> names;
        if (from->has_value())
            (void)(*from)->for_each_repository([&](const repository_info& info) {
                if (info.tags != 0)
                    names.push_back(info.name);
                return true;
            });
        return names;
    };
    out.tags = [from](const std::string& repository) {
        std::vector<std::string> names;
        if (from->has_value())
            (void)(*from)->for_each_tag(repository, [&](const tag_view& view) {
                names.emplace_back(view.tag);
                return true;
            });
        return names;
    };
    return out;
}

int print_script(const std::string& shell)
{
    output out;
    out << (shell == "bash" ? bash_script : shell == "zsh" ? zsh_script : fish_script);
    out.finish();
    return exit_done;
}

} // namespace

int run_completion(const CLI::App& app, const std::vector<std::string>& arguments)
{
    if (arguments.empty())
        return exit_usage;
    const bool bash = arguments.front() == "bash";
    std::vector<std::string> words(arguments.begin() + 1, arguments.end());
    if (bash)
        words = joined_words(words);
    const auto found = complete(app, words, names_of_index);
    // bash replaces only what stands after the last cut.
    const auto cut = bash && !words.empty() ? words.back().find_last_of("=:") + 1 : 0;
    output out;
    out << (found.what == completion::kind::files   ? "files\n"
            : found.what == completion::kind::stems ? "stems\n"
                                                    : "words\n");
    for (const auto& [word, description] : found.words) {
        out << std::string_view(word).substr(cut);
        if (!bash && !description.empty())
            out << "\t" << description;
        out << "\n";
    }
    out.finish();
    return exit_done;
}

std::function<int()> add_completion(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("completion", "Print a script by which a shell completes commands, options, names");
    const auto shell = std::make_shared<std::string>();
    auto* const option = subcommand->add_option("shell", *shell, "The shell")->required();
    limit_to(*option, {{"bash", "bash"}, {"zsh", "zsh"}, {"fish", "fish"}});
    return [shell] { return print_script(*shell); };
}

} // namespace regsweep::cli
