#include "cli/usage_text.hpp"

#include "cli/choices.hpp"
#include "regsweep/core/error.hpp"

namespace regsweep::cli {
namespace {

constexpr std::size_t longest_word = 60;

std::string quoted(const std::string& word)
{
    return "'" + printable(word, longest_word) + "'";
}

// Every long name under which an option of the command, or of all commands, can be given.
std::vector<std::string> option_names(const CLI::App& command)
{
    std::vector<std::string> out;
    for (const auto* at = &command; at != nullptr; at = at->get_parent())
        for (const auto* option : at->get_options())
            for (const auto& name : option->get_lnames())
                out.push_back("--" + name);
    return out;
}

std::vector<std::string> command_names(const CLI::App& app)
{
    std::vector<std::string> out;
    for (const auto* command : app.get_subcommands([](const CLI::App* c) { return !c->get_group().empty(); }))
        out.push_back(command->get_name());
    return out;
}

// CLI11's own words, where they say too little.
std::string reworded(const CLI::App& command, const CLI::ParseError& e)
{
    const std::string text = e.what();
    static const std::string conversion = "Could not convert: ";
    const auto equals = text.find(" = ");
    if (text.starts_with(conversion) && equals != std::string::npos) {
        const std::string value = text.substr(equals + 3);
        return text.substr(conversion.size(), equals - conversion.size()) + ": " + quoted(value) + " cannot be used" +
               suggestion(value, command_names(command));
    }
    static const std::string required = ": 1 required ";
    static const std::string missing = " missing";
    const auto colon = text.find(required);
    if (colon != std::string::npos && text.ends_with(missing)) {
        const auto type = colon + required.size();
        return text.substr(0, colon) + " needs a value: " + text.substr(type, text.size() - missing.size() - type);
    }
    return printable(text);
}

std::string what_is_wrong(const CLI::App& app, const CLI::ParseError& e)
{
    const CLI::App* command = &app;
    while (!command->get_subcommands().empty())
        command = command->get_subcommands().front();
    const auto rest = app.remaining(true);
    if (rest.empty() && command == &app && dynamic_cast<const CLI::RequiredError*>(&e) != nullptr)
        return "no command given";
    if (rest.empty())
        return reworded(*command, e);
    const std::string& word = rest.front();
    if (word.size() > 1 && word.front() == '-') {
        const std::string name = word.substr(0, word.find('='));
        return "unknown option " + quoted(name) + suggestion(name, option_names(*command));
    }
    if (command == &app)
        return "unknown command " + quoted(word) + suggestion(word, command_names(app));
    return "unexpected argument " + quoted(word) + " of " + command->get_name();
}

} // namespace

std::string usage_text(const CLI::App& app, const CLI::ParseError& e)
{
    const std::string text = what_is_wrong(app, e);
    return text + (text.ends_with('?') ? " See regsweep --help" : "; see regsweep --help");
}

} // namespace regsweep::cli
