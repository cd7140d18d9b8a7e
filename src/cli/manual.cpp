#include "cli/manual.hpp"

#include "cli/choices.hpp"
#include "core/files.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace regsweep::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_prose = 1024 * 1024;

/// What docs/regsweep.1 says, taken apart. Texts are roff, whole lines.
struct prose_text
{
    std::string title;                                                  // the .TH line
    std::map<std::string, std::string> sections;                        // by heading
    std::map<std::string, std::string> commands;                        // by name
    std::map<std::pair<std::string, std::string>, std::string> options; // by command (empty: all) and long name
};

std::string without_escapes(std::string_view roff)
{
    std::string out;
    for (std::size_t i = 0; i != roff.size(); ++i)
        if (roff[i] != '\\' || i + 1 == roff.size() || roff[i + 1] != '-')
            out += roff[i];
    return out;
}

std::string long_name_in(const std::string& heading)
{
    const auto begin = heading.find("--");
    if (begin == std::string::npos)
        return {};
    const auto end = heading.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-", begin);
    return heading.substr(begin + 2, end == std::string::npos ? end : end - begin - 2);
}

/// Reads the prose line by line.
class prose_reader
{
public:
    void take(const std::string& line)
    {
        static const std::string options_of = ".SS Options of ";
        if (line.starts_with(".TH "))
            out_.title = line;
        else if (line.starts_with(".SH "))
            open_section(line.substr(4));
        else if (section_ == "OPTIONS" && line.starts_with(options_of))
            open_options(without_escapes(line.substr(options_of.size())));
        else if (section_ == "COMMANDS" || section_ == "OPTIONS")
            take_entry(line);
        else
            out_.sections[section_] += line + "\n";
    }

    prose_text finish()
    {
        for (const char* needed : {"NAME", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"})
            if (!out_.sections.contains(needed))
                throw failure({errc::bad_file, std::string("the manual's prose has no section ") + needed});
        return std::move(out_);
    }

private:
    void open_section(const std::string& name)
    {
        section_ = name;
        of_.clear();
        entry_.clear();
    }

    void open_options(const std::string& commands)
    {
        of_.clear();
        entry_.clear();
        std::istringstream in(commands);
        for (std::string name; std::getline(in, name, ',');) {
            name.erase(0, name.find_first_not_of(' '));
            of_.push_back(name == "all commands" ? "" : name);
        }
    }

    void take_entry(const std::string& line)
    {
        if (line == ".TP") {
            heading_next_ = true;
            entry_.clear();
            return;
        }
        if (heading_next_) {
            heading_next_ = false;
            const std::string heading = without_escapes(line);
            if (section_ == "COMMANDS")
                entry_.push_back(&out_.commands[heading.substr(std::min<std::size_t>(3, heading.size()))]);
            else
                for (const auto& command : of_)
                    entry_.push_back(&out_.options[{command, long_name_in(heading)}]);
            return;
        }
        for (auto* text : entry_)
            *text += line + "\n";
    }

    prose_text out_;
    std::string section_;
    std::vector<std::string> of_;
    std::vector<std::string*> entry_;
    bool heading_next_ = false;
};

std::string escaped(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '\\': out += "\\e"; break;
        case '-': out += "\\-"; break;
        case '\'': out += "\\(aq"; break;
        case '`': out += "\\(ga"; break;
        case '^': out += "\\(ha"; break;
        case '~': out += "\\(ti"; break;
        case '\n': out += ' '; break;
        default: out += c;
        }
    }
    return out.starts_with('.') ? "\\&" + out : out;
}

std::string bold(std::string_view text)
{
    return "\\fB" + escaped(text) + "\\fR";
}

// `text|json` is to be written as it is, `REPO` stands for something.
std::string shown_type(const CLI::Option& option)
{
    const std::string type = option.get_type_name();
    const auto words = words_of(type);
    std::string out;
    for (std::size_t begin = 0; begin <= type.size();) {
        const auto end = std::min(type.find('|', begin), type.size());
        const std::string part = type.substr(begin, end - begin);
        const bool word = std::find(words.begin(), words.end(), part) != words.end();
        out += (out.empty() ? "" : "|") + (word ? bold(part) : "\\fI" + escaped(part) + "\\fR");
        begin = end + 1;
    }
    if (option.get_items_expected_max() >= CLI::detail::expected_max_vector_size)
        out += " ...";
    return out;
}

std::string sentence(std::string text)
{
    if (!text.empty() && text.back() != '.' && text.back() != '!')
        text += '.';
    return escaped(text) + "\n";
}

/// Writes the pages of one program.
class manual_writer
{
public:
    manual_writer(const CLI::App& app, prose_text prose) : app_(app), prose_(std::move(prose)) {}

    std::map<std::string, std::string> write() const
    {
        std::map<std::string, std::string> out;
        out[app_.get_name() + ".1"] = program();
        for (const auto* command : commands_of(app_))
            out[page_name(*command) + ".1"] = page(*command);
        return out;
    }

private:
    static std::vector<const CLI::App*> commands_of(const CLI::App& of)
    {
        return of.get_subcommands([](const CLI::App* c) { return !c->get_group().empty(); });
    }

    std::string page_name(const CLI::App& command) const { return app_.get_name() + "-" + command.get_name(); }

    // `journal prune`; empty for the program itself.
    std::string full_name(const CLI::App& command) const
    {
        if (&command == &app_)
            return {};
        const std::string before = full_name(*command.get_parent());
        return before + (before.empty() ? "" : " ") + command.get_name();
    }

    std::string section(const std::string& name) const
    {
        const auto found = prose_.sections.find(name);
        return found == prose_.sections.end() ? "" : ".SH " + name + "\n" + found->second;
    }

    std::string synopsis(const CLI::App& command) const
    {
        std::string out = bold(app_.get_name()) + " [\\fIoptions\\fR] " + bold(full_name(command));
        bool more = false;
        for (const auto* option : command.get_options()) {
            if (option == command.get_help_ptr() || option->get_positional())
                continue;
            if (option->get_required())
                out += " " + bold("--" + option->get_lnames().front()) + " " + shown_type(*option);
            more = more || !option->get_required();
        }
        out += more ? " [\\fI" + escaped(command.get_name()) + "\\-options\\fR]" : "";
        for (const auto* option : command.get_options([](const CLI::Option* o) { return o->get_positional(); }))
            out += option->get_required() ? " " + shown_type(*option) : " [" + shown_type(*option) + "]";
        out += "\n";
        for (const auto* inner : commands_of(command))
            out += synopsis(*inner);
        return out;
    }

    std::string option(const CLI::App& command, const CLI::Option& o) const
    {
        std::string names;
        const auto add = [&](const std::string& name) { names += (names.empty() ? "" : ", ") + bold(name); };
        for (const auto& name : o.get_snames())
            add("-" + name);
        for (const auto& name : o.get_lnames())
            add("--" + name);
        for (const auto& [old_name, name] : old_names())
            if (name.starts_with("--") && o.check_lname(std::string(name.substr(2))))
                add(std::string(old_name));
        const auto text = prose_.options.find({full_name(command), o.get_lnames().front()});
        return ".TP\n" + names + (takes_values(o) ? " " + shown_type(o) : "") + "\n" +
               (text != prose_.options.end() ? text->second : sentence(o.get_description()));
    }

    std::string options(const CLI::App& command) const
    {
        std::string out;
        for (const auto* o : command.get_options([](const CLI::Option* one) { return one->get_positional(); }))
            out += ".TP\n" + shown_type(*o) + "\n" + sentence(o->get_description());
        for (const auto* o : command.get_options())
            if (!o->get_positional() && !o->get_group().empty() && (&command == &app_ || o != command.get_help_ptr()))
                out += option(command, *o);
        return out;
    }

    std::string description(const CLI::App& command) const
    {
        const auto text = prose_.commands.find(full_name(command));
        return text != prose_.commands.end() ? text->second : sentence(command.get_description());
    }

    std::string title(const std::string& name) const
    {
        const auto rest = prose_.title.find(" 1 ");
        std::string upper = name;
        std::transform(upper.begin(), upper.end(), upper.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        return ".TH " + escaped(upper) + (rest == std::string::npos ? " 1" : prose_.title.substr(rest)) + "\n";
    }

    std::string page(const CLI::App& command) const
    {
        std::string about = command.get_description();
        about[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(about[0])));
        std::string out = title(page_name(command)) + ".SH NAME\n" + escaped(page_name(command)) + " \\- " +
                          escaped(about) + "\n.SH SYNOPSIS\n.nf\n" + synopsis(command) + ".fi\n.SH DESCRIPTION\n" +
                          description(command);
        for (const auto* inner : commands_of(command))
            out += ".SS " + escaped(full_name(*inner)) + "\n" + description(*inner);
        out += ".SH OPTIONS\nThe options of all commands are in\n.BR " + escaped(app_.get_name()) + " (1).\n" +
               options(command);
        for (const auto* inner : commands_of(command))
            out += ".SS Options of " + escaped(full_name(*inner)) + "\n" + options(*inner);
        return out + section("EXIT STATUS") + ".SH SEE ALSO\n.BR " + escaped(app_.get_name()) + " (1)\n";
    }

    std::string program() const
    {
        std::string out = prose_.title + "\n" + section("NAME") + ".SH SYNOPSIS\n.nf\n";
        for (const auto* command : commands_of(app_))
            out += synopsis(*command);
        out += ".fi\n" + section("DESCRIPTION") + ".SH COMMANDS\n";
        std::string pages;
        for (const auto* command : commands_of(app_)) {
            out += ".TP\n.BR " + escaped(page_name(*command)) + " (1)\n" + sentence(command->get_description());
            pages += ".BR " + escaped(page_name(*command)) + " (1),\n";
        }
        out += ".SH OPTIONS\nThese are the options of all commands; each command's page has its own.\n" + options(app_);
        for (const char* name : {"EXIT STATUS", "ENVIRONMENT", "FILES", "NOTES", "EXAMPLES"})
            out += section(name);
        return out + ".SH SEE ALSO\n" + pages + prose_.sections.at("SEE ALSO");
    }

    const CLI::App& app_;
    prose_text prose_;
};

std::string read_prose(const fs::path& file)
{
    std::ifstream in(file, std::ios::binary);
    std::string text(largest_prose + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad() || !in.eof() || in.gcount() == 0)
        throw failure({errc::io, file.string() + ": cannot be read, or is no manual"});
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

} // namespace

std::map<std::string, std::string> manual_pages(const CLI::App& app, std::string_view prose)
{
    prose_reader reader;
    std::istringstream in{std::string(prose)};
    for (std::string line; std::getline(in, line);)
        reader.take(line);
    return manual_writer(app, reader.finish()).write();
}

int write_manual(const CLI::App& app, const std::vector<std::string>& arguments)
{
    if (arguments.size() != 2)
        throw usage_error("__manual wants the file with the prose and a folder");
    const fs::path folder = arguments[1];
    for (const auto& [name, text] : manual_pages(app, read_prose(arguments[0]))) {
        write_file(folder / name, text).value();
    }
    return exit_done;
}

} // namespace regsweep::cli
