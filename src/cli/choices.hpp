#ifndef REGSWEEP_SRC_CLI_CHOICES_HPP
#define REGSWEEP_SRC_CLI_CHOICES_HPP

#include <CLI/App.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace regsweep::cli {

/// A word and what stands for it when CLI11 converts it.
using choice = std::pair<std::string, std::string>;

/// Lets `option` take these words only, in any case, and names them as its type (`text|json`). A word that is none of
/// them is told with the nearest one. `aliases` are understood, but not named.
void limit_to(CLI::Option& option, std::vector<choice> words, const std::vector<choice>& aliases = {});

/// The same, for an option that sets an enumeration.
template<class Enum>
    requires std::is_enum_v<Enum>
void limit_to(CLI::Option& option, const std::vector<std::pair<std::string, Enum>>& words,
              const std::vector<std::pair<std::string, Enum>>& aliases = {})
{
    const auto as_text = [](const auto& from) {
        std::vector<choice> out;
        out.reserve(from.size());
        for (const auto& [word, value] : from)
            out.emplace_back(word, std::to_string(static_cast<std::underlying_type_t<Enum>>(value)));
        return out;
    };
    limit_to(option, as_text(words), as_text(aliases));
}

/// What the name of a file is checked with: it is not empty, as that of a variable that a script forgot to set.
CLI::Validator file_name();

/// The same for a glob of repositories: an empty one matches none.
CLI::Validator repository_glob();

/// A number from `least` to `most`, which `nan` is not.
CLI::Validator number_between(double least, double most);

/// What may be done in a second: 0 for no limit, else what lets a run go on within a day or so.
bool is_rate(double number) noexcept;
CLI::Validator rate();

/// Whether values follow the option: it is no flag.
bool takes_values(const CLI::Option& option);

/// The words that an option with this type name takes literally: `last` of `RUN|last`.
std::vector<std::string> words_of(std::string_view type_name);

/// `: did you mean 'NAME'?`, or nothing if no name is like the word.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

} // namespace regsweep::cli

#endif
