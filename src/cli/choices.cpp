#include "cli/choices.hpp"

#include "regsweep/core/error.hpp"
#include "regsweep/core/nearest.hpp"

#include <algorithm>
#include <sstream>

namespace regsweep::cli {
namespace {

constexpr double least_rate = 0.00001; // about one a day
constexpr double most_rate = 1'000'000;

} // namespace

void limit_to(CLI::Option& option, std::vector<choice> words, const std::vector<choice>& aliases)
{
    std::vector<std::string> names;
    std::string type;
    std::string list;
    for (const auto& [word, value] : words) {
        names.push_back(word);
        type += (type.empty() ? "" : "|") + word;
        list += (list.empty() ? "" : ", ") + word;
    }
    words.insert(words.end(), aliases.begin(), aliases.end());
    const auto check = [words = std::move(words), names = std::move(names), list](std::string& given) {
        const std::string lower = CLI::detail::to_lower(given);
        const auto found = std::find_if(words.begin(), words.end(), [&](const choice& c) { return c.first == lower; });
        if (found == words.end())
            return "'" + printable(given, 60) + "' is none of " + list + suggestion(lower, names);
        given = found->second;
        return std::string();
    };
    option.transform(CLI::Validator(check, ""))->type_name(type);
}

CLI::Validator file_name()
{
    return {[](std::string& given) { return std::string(given.empty() ? "is empty: name a file" : ""); }, ""};
}

CLI::Validator repository_glob()
{
    return {[](std::string& given) {
                return std::string(given.empty() ? "is empty: give a name or a glob, as in 'team/*'" : "");
            },
            ""};
}

CLI::Validator number_between(double least, double most)
{
    std::ostringstream bounds;
    bounds.precision(10);
    bounds << least << " to " << most;
    std::ostringstream shown;
    shown << "FLOAT in [" << least << " - " << most << "]";
    const auto check = [least, most, text = bounds.str()](std::string& given) {
        double number = 0;
        const bool fine = CLI::detail::lexical_cast(given, number) && number >= least && number <= most;
        return fine ? std::string() : "'" + printable(given, 60) + "' is no number from " + text;
    };
    return {check, shown.str()};
}

bool is_rate(double number) noexcept
{
    return number == 0 || (number >= least_rate && number <= most_rate);
}

CLI::Validator rate()
{
    const auto check = [](std::string& given) {
        double number = 0;
        const bool fine = CLI::detail::lexical_cast(given, number) && is_rate(number);
        return fine ? std::string()
                    : "'" + printable(given, 60) + "' is no number from 0.00001 to 1000000, nor 0 for no limit";
    };
    return {check, ""};
}

bool takes_values(const CLI::Option& option)
{
    return option.get_items_expected_max() > 0;
}

std::vector<std::string> words_of(std::string_view type_name)
{
    std::vector<std::string> out;
    while (type_name.find('|') != std::string_view::npos || !out.empty()) {
        const auto word = type_name.substr(0, type_name.find('|'));
        const bool literal =
            !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
        out.push_back(literal ? std::string(word) : std::string());
        if (word.size() == type_name.size())
            break;
        type_name.remove_prefix(word.size() + 1);
    }
    std::erase(out, std::string());
    return out;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known)
{
    const std::vector<std::string_view> names(known.begin(), known.end());
    const auto near = nearest(word, names);
    return near.empty() ? "" : ": did you mean '" + std::string(near) + "'?";
}

} // namespace regsweep::cli
