#include "regsweep/select/in_use.hpp"

#include "regsweep/core/names.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>

namespace regsweep {
namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";
constexpr std::size_t file_limit = std::size_t{256} * 1024 * 1024;

std::string lower(std::string_view text)
{
    std::string out(text);
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

bool is_docker_hub(std::string_view host) noexcept
{
    return host == "docker.io" || host == "index.docker.io" || host == "registry-1.docker.io";
}

/// A reference in its parts; the registry is empty where none is named.
struct reference
{
    std::string_view registry;
    std::string_view repository;
    std::string_view tag;
    std::string_view digest;
};

// docker-pullable://, docker://, containerd:// and whatever runtimes write else.
std::string_view without_scheme(std::string_view text) noexcept
{
    const std::size_t end = text.find("://");
    return end == std::string_view::npos ? text : text.substr(end + 3);
}

// The first part is a registry if it cannot be a repository's.
bool names_registry(std::string_view part) noexcept
{
    return part == "localhost" || part.find_first_of(".:") != std::string_view::npos ||
           std::ranges::any_of(part, [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool valid_authority(std::string_view text) noexcept
{
    const std::size_t end = text.starts_with('[') ? text.find(']') : 0;
    if (end == std::string_view::npos)
        return false;
    const std::size_t colon = text.find(':', end);
    const std::string_view port = colon == std::string_view::npos ? "0" : text.substr(colon + 1);
    return colon != 0 && !port.empty() && port.find_first_not_of("0123456789") == std::string_view::npos;
}

reference split(std::string_view text)
{
    reference out;
    if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
        out.digest = text.substr(at + 1);
        text = text.substr(0, at);
    }
    if (const std::size_t slash = text.find('/');
        slash != std::string_view::npos && names_registry(text.substr(0, slash))) {
        out.registry = text.substr(0, slash);
        text.remove_prefix(slash + 1);
    }
    if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
        out.tag = text.substr(colon + 1);
        text = text.substr(0, colon);
        if (out.tag.empty()) // told apart from a reference without a tag
            out.tag = ":";
    }
    out.repository = text;
    return out;
}

class in_use_reader
{
public:
    in_use_reader(const registry_address& registry, std::string_view name) : registry_(registry), name_(name) {}

    result<in_use_references> read(std::string_view text)
    {
        for (std::size_t line = 1; !text.empty(); ++line) {
            const std::size_t end = std::min(text.find('\n'), text.size());
            if (auto taken = read_line(text.substr(0, end), line); !taken)
                return taken.error();
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        if (out_.references + out_.elsewhere == 0)
            return error(errc::bad_file, printable(name_) +
                                             ": expected image references, found none: nothing is deleted, for what "
                                             "should have listed them may have failed");
        return std::move(out_);
    }

private:
    result<void> read_line(std::string_view line, std::size_t number)
    {
        if (line.starts_with('#'))
            return {};
        for (;;) {
            line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
            if (line.empty())
                return {};
            const std::string_view word = line.substr(0, line.find_first_of(blanks));
            line.remove_prefix(word.size());
            if (!take(without_scheme(word)))
                return error(errc::bad_file, printable(name_) + ":" + std::to_string(number) + ": '" +
                                                 printable(word, 200) +
                                                 "' is no image reference: expected "
                                                 "[registry/]repository[:tag][@sha256:...]");
        }
    }

    /// False if it is no reference.
    bool take(std::string_view text)
    {
        if (text.starts_with("sha256:") || text.starts_with("sha512:")) {
            const auto id = digest::parse(text);
            if (!id)
                return false;
            out_.anywhere.insert(*id);
            ++out_.references;
            return true;
        }
        const reference parts = split(text);
        std::optional<digest> id;
        if (parts.digest.data() != nullptr) {
            const auto read = digest::parse(parts.digest);
            if (!read)
                return false;
            id = *read;
        }
        if (!valid_repository(parts.repository) || (!parts.tag.empty() && !valid_tag(parts.tag)))
            return false;
        if (!parts.registry.empty() && !valid_authority(parts.registry))
            return false;
        if (!parts.registry.empty() && !is_this(parts.registry)) {
            ++out_.elsewhere;
            return true;
        }
        ++out_.references;
        for (const std::string& repository : names_here(parts))
            add(out_.repositories[repository], parts.tag, id);
        return true;
    }

    static void add(used_names& to, std::string_view tag, const std::optional<digest>& id)
    {
        if (id)
            to.digests.insert(*id);
        if (!tag.empty())
            to.tags.emplace(tag);
        else if (!id)
            to.tags.emplace("latest");
    }

    bool is_this(std::string_view registry) const
    {
        const std::string given = lower(registry);
        const origin& here = registry_.server;
        if (is_docker_hub(given))
            return is_docker_hub(here.host);
        const bool ipv6 = here.host.find(':') != std::string::npos;
        const std::string host = ipv6 ? "[" + here.host + "]" : here.host;
        return given == host + ":" + std::to_string(here.port) || given == here.authority();
    }

    /// The names that a reference's repository may have here: with a registry's prefix taken off, as Docker Hub's
    /// short names are meant, and as it stands.
    std::vector<std::string> names_here(const reference& parts) const
    {
        std::vector<std::string> names{std::string(parts.repository)};
        std::string_view prefix = registry_.prefix;
        prefix.remove_prefix(std::min(prefix.find_first_not_of('/'), prefix.size()));
        if (!prefix.empty() && parts.repository.starts_with(std::string(prefix) + "/"))
            names.emplace_back(parts.repository.substr(prefix.size() + 1));
        // A host without a dot looks as a repository's first part does.
        const std::string host = registry_.server.authority() + "/";
        if (parts.registry.empty() && parts.repository.starts_with(host))
            names.emplace_back(parts.repository.substr(host.size()));
        if (is_docker_hub(registry_.server.host) && parts.repository.find('/') == std::string_view::npos)
            names.push_back("library/" + std::string(parts.repository));
        return names;
    }

    const registry_address& registry_;
    std::string_view name_;
    in_use_references out_;
};

result<std::string> read_all(std::istream& in, const std::string& name)
{
    std::string text;
    std::string block(64 * 1024, '\0');
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() != 0) {
        text.append(block, 0, static_cast<std::size_t>(in.gcount()));
        if (text.size() > file_limit)
            return error(errc::too_large,
                         printable(name) + ": larger than 256 MiB; leave images of other registries out");
    }
    if (in.bad() || !in.eof())
        return error(errc::io, printable(name) + ": cannot be read: is it there, and may you read it?");
    return text;
}

} // namespace

bool in_use_references::has_digests() const noexcept
{
    return !anywhere.empty() ||
           std::ranges::any_of(repositories, [](const auto& names) { return !names.second.digests.empty(); });
}

result<in_use_references> parse_in_use(std::string_view text, const registry_address& registry, std::string_view name)
{
    return in_use_reader(registry, name).read(text);
}

result<in_use_references> read_in_use(const std::string& file, const registry_address& registry)
{
    const std::string name = file == "-" ? "standard input" : file;
    std::ifstream opened;
    if (file != "-")
        opened.open(file, std::ios::binary);
    const auto text = read_all(file == "-" ? std::cin : opened, name);
    if (!text)
        return text.error();
    return parse_in_use(*text, registry, name);
}

} // namespace regsweep
