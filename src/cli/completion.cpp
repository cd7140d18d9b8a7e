#include "cli/completion.hpp"

#include "cli/choices.hpp"
#include "regsweep/core/names.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace regsweep::cli {
namespace {

using context_names = std::function<name_source(const index_arguments&)>;

constexpr std::size_t most_words = 10'000; // a list that is longer helps nobody

bool visible(const CLI::App* command)
{
    return !command->get_group().empty();
}

/// Reads a command line up to its last word, as CLI11 would.
class command_line
{
public:
    explicit command_line(const CLI::App& app) : root_(&app), command_(&app) {}

    void take(const std::string& word)
    {
        if (options_end_ || word.size() < 2 || word.front() != '-')
            return take_value(word);
        pending_ = nullptr;
        if (word == "--") {
            options_end_ = true;
            return;
        }
        const bool is_long = word.starts_with("--");
        const auto equals = is_long ? word.find('=') : std::string::npos;
        const CLI::Option* option = find(is_long ? word.substr(0, equals) : word.substr(0, 2));
        if (option == nullptr || !takes_values(*option))
            return;
        if (equals != std::string::npos)
            values_.emplace_back(option, word.substr(equals + 1));
        else if (!is_long && word.size() > 2)
            values_.emplace_back(option, word.substr(2));
        else {
            pending_ = option;
            taken_ = 0;
        }
    }

    const CLI::App& command() const noexcept { return *command_; }
    bool options_end() const noexcept { return options_end_; }

    /// The option that the next word is a value of, or null.
    const CLI::Option* pending() const
    {
        return pending_ != nullptr && taken_ < pending_->get_items_expected_max() ? pending_ : nullptr;
    }

    /// The positional that the next word is, or null.
    const CLI::Option* positional() const
    {
        int before = positionals_;
        for (const auto* option : command_->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
            if (before < option->get_items_expected_max())
                return option;
            before -= option->get_items_expected_max();
        }
        return nullptr;
    }

    const CLI::Option* find(const std::string& name) const
    {
        for (const auto* at = command_; at != nullptr; at = at->get_parent())
            if (const auto* option = at->get_option_no_throw(name))
                return option;
        return nullptr;
    }

    std::vector<std::string> values(const CLI::Option* of) const
    {
        std::vector<std::string> out;
        for (const auto& [option, value] : values_)
            if (option == of)
                out.push_back(value);
        return out;
    }

    index_arguments which_index() const
    {
        index_arguments out;
        for (const char* name : {"--registry", "--config", "--cache", "--repo"})
            for (const auto& value : values(root_->get_option_no_throw(name)))
                out.push_back(std::string(name) + "=" + value);
        return out;
    }

private:
    void take_value(const std::string& word)
    {
        if (const auto* option = pending()) {
            values_.emplace_back(option, word);
            ++taken_;
            return;
        }
        const auto known = command_->get_subcommands([&](const CLI::App* c) { return c->get_name() == word; });
        if (!known.empty()) {
            command_ = known.front();
            positionals_ = 0;
        } else {
            ++positionals_;
        }
    }

    const CLI::App* root_;
    const CLI::App* command_;
    const CLI::Option* pending_ = nullptr;
    int taken_ = 0;
    int positionals_ = 0;
    bool options_end_ = false;
    std::vector<std::pair<const CLI::Option*, std::string>> values_;
};

/// Gathers what begins as the last word does.
class candidates
{
public:
    candidates(const command_line& before, std::string word, const context_names& names)
        : before_(before), word_(std::move(word)), names_(names)
    {}

    completion find()
    {
        if (!before_.options_end() && word_.starts_with("--") && word_.find('=') != std::string::npos) {
            const auto equals = word_.find('=');
            const auto* option = before_.find(word_.substr(0, equals));
            prefix_ = word_.substr(0, equals + 1);
            word_.erase(0, equals + 1);
            if (option != nullptr)
                values_of(*option);
        } else if (!before_.options_end() && word_.starts_with('-')) {
            options();
        } else if (const auto* option = before_.pending()) {
            values_of(*option);
        } else {
            for (const auto* command : before_.command().get_subcommands(visible))
                add(command->get_name(), command->get_description());
            if (const auto* positional = before_.positional())
                values_of(*positional);
        }
        return std::move(out_);
    }

private:
    void add(const std::string& word, const std::string& description = {})
    {
        if (word.starts_with(word_) && out_.words.size() < most_words)
            out_.words.emplace_back(prefix_ + word, description);
    }

    void options()
    {
        for (const auto* at = &before_.command(); at != nullptr; at = at->get_parent()) {
            for (const auto* option : at->get_options()) {
                if (option->get_positional() || option->get_group().empty())
                    continue;
                for (const auto& name : option->get_lnames())
                    if (before_.find("--" + name) == option) // not hidden by the command's own
                        add("--" + name, option->get_description());
                for (const auto& name : option->get_snames())
                    if (before_.find("-" + name) == option)
                        add("-" + name, option->get_description());
            }
        }
        for (const auto& [old_name, name] : old_names())
            if (const auto* option = before_.find(std::string(name)))
                add(std::string(old_name), option->get_description());
    }

    void values_of(const CLI::Option& option)
    {
        const std::string type = option.get_type_name();
        for (const auto& word : words_of(type))
            add(word);
        if (type == "FILE")
            out_.what = completion::kind::files;
        else if (type == "REPO" || (type == "GLOB" && option.check_lname("repo")))
            repositories();
        else if (type == "ADDRESS")
            registries();
        else if (type == "TAG|VERSION")
            tags();
        else if (type == "IMAGE")
            images();
    }

    void repositories()
    {
        for (const auto& name : names_(before_.which_index()).repositories())
            if (valid_repository(name))
                add(name);
    }

    void registries()
    {
        for (const auto& name : names_(before_.which_index()).registries())
            if (valid_tag(name)) // of such characters, no shell takes any for its own
                add(name);
    }

    void tags()
    {
        const auto source = names_(before_.which_index());
        std::vector<std::string> all;
        for (const auto& repository : before_.values(before_.command().get_option_no_throw("--repo")))
            for (auto& tag : source.tags(repository))
                if (valid_tag(tag) && tag.starts_with(word_))
                    all.push_back(std::move(tag));
        std::sort(all.begin(), all.end());
        all.erase(std::unique(all.begin(), all.end()), all.end());
        for (const auto& tag : all)
            add(tag);
    }

    void images()
    {
        const auto source = names_(before_.which_index());
        const auto colon = word_.find(':');
        if (colon == std::string::npos) {
            out_.what = completion::kind::stems;
            for (const auto& name : source.repositories())
                if (valid_repository(name))
                    add(name + ":");
            return;
        }
        const std::string repository = word_.substr(0, colon);
        prefix_ = repository + ":";
        word_.erase(0, colon + 1);
        for (const auto& tag : source.tags(repository))
            if (valid_tag(tag))
                add(tag);
    }

    const command_line& before_;
    std::string word_;
    const context_names& names_;
    std::string prefix_; // of the word, that stays as it is
    completion out_;
};

} // namespace

completion complete(const CLI::App& app, const std::vector<std::string>& words, const context_names& names)
{
    if (words.empty())
        return {};
    command_line before(app);
    for (std::size_t i = 0; i + 1 < words.size(); ++i)
        before.take(with_long_name(words[i]));
    return candidates(before, words.back(), names).find();
}

std::vector<std::string> joined_words(const std::vector<std::string>& words)
{
    const auto cut = [](const std::string& word) {
        return !word.empty() && word.find_first_not_of("=:") == std::string::npos;
    };
    std::vector<std::string> out;
    bool join = false;
    for (const auto& word : words) {
        if (!out.empty() && (join || cut(word)))
            out.back() += word;
        else
            out.push_back(word);
        join = cut(word);
    }
    return out;
}

} // namespace regsweep::cli
