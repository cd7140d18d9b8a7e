#include "cli/details.hpp"
#include "cli/session.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <tuple>
#include <unordered_set>

namespace regsweep::cli {
namespace {

struct inspect_reference
{
    std::string repository; // empty for a digest alone
    std::string tag;
    regsweep::digest digest;
};

struct tag_use
{
    std::string repository;
    std::string tag;
};

struct referrer_use
{
    std::string repository;
    regsweep::digest digest;
    std::string by; // how it is known: subject, referrers API, tag, attestation

    friend bool operator<(const referrer_use& a, const referrer_use& b)
    {
        return std::tie(a.repository, a.digest, a.by) < std::tie(b.repository, b.digest, b.by);
    }
};

// All that is known of one manifest.
struct inspection
{
    regsweep::digest digest;
    media_type type = media_type::unknown; // as the index has it
    std::optional<manifest_details> facts;
    std::uint64_t total_size = 0;
    std::vector<tag_use> tags;
    std::vector<regsweep::digest> parents;
    std::set<referrer_use> referrers;
};

usage_error no_reference(const std::string& text)
{
    return usage_error("'" + printable(text, 200) +
                       "' is no image: give REPO:TAG, REPO@DIGEST or @DIGEST, as in web:1.0");
}

inspect_reference parse_reference(const session& s, std::string text)
{
    const std::string given = text;
    if (const std::string host = s.address().name + "/"; text.starts_with(host))
        text.erase(0, host.size());
    if (const auto alone = digest::parse(text))
        return {{}, {}, *alone};
    if (const auto at = text.find('@'); at != std::string::npos) {
        const auto d = digest::parse(std::string_view(text).substr(at + 1));
        if (!d || (at != 0 && !valid_repository(text.substr(0, at))))
            throw no_reference(given);
        return {text.substr(0, at), {}, *d};
    }
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || !valid_repository(text.substr(0, colon)) || !valid_tag(text.substr(colon + 1)))
        throw no_reference(given);
    return {text.substr(0, colon), text.substr(colon + 1), {}};
}

// Whether the repository has the digest by a tag, or by an index that has one.
bool has_digest(const index& from, const details_store& facts, const std::string& repository, const digest& d)
{
    std::vector<digest> climb{d};
    std::unordered_set<digest> seen{d};
    bool found = false;
    while (!climb.empty() && !found) {
        const digest at = climb.back();
        climb.pop_back();
        const auto go = [&](const digest& parent) {
            if (seen.insert(parent).second)
                climb.push_back(parent);
        };
        from.for_each_use(at, [&](const tag_view& t) { return !(found = t.repository == repository); }).value();
        facts.for_each_parent(at, [&](const digest& parent) { return go(parent), true; }).value();
        facts
            .for_each_referrer([&](std::string_view where, const digest& subject, const digest& referrer) {
                if (where == repository && referrer == at)
                    go(subject);
                return true;
            })
            .value();
    }
    return found;
}

digest find_digest(const session& s, const index& from, const details_store& facts, const inspect_reference& what)
{
    const std::string advice = "; look with list-tag-names, or crawl again with --refresh";
    if (!what.tag.empty()) {
        const auto found = from.find(what.repository, what.tag).value();
        if (!found)
            throw failure({errc::not_found, "the index of " + s.address().name + " has no '" + what.repository + ":" +
                                                what.tag + "'" + advice});
        return *found;
    }
    const bool known = what.repository.empty() ? facts.knows(what.digest).value() : false;
    bool used = known;
    if (!used && what.repository.empty())
        from.for_each_use(what.digest, [&](const tag_view&) { return !(used = true); }).value();
    else if (!used)
        used = has_digest(from, facts, what.repository, what.digest);
    if (!used)
        throw failure({errc::not_found, "the index of " + s.address().name + " has no '" + what.repository + "@" +
                                            what.digest.to_string() + "'" + advice});
    return what.digest;
}

// Tags that are named for this digest, in the repositories that have it.
void add_named_referrers(const index& from, inspection& to, const std::set<std::string>& repositories)
{
    const std::string text = to.digest.to_string();
    if (!text.starts_with("sha256:"))
        return;
    static constexpr std::array<const char*, 4> tails = {"", ".sig", ".att", ".sbom"};
    for (const auto& repository : repositories)
        for (const char* tail : tails)
            if (const auto found = from.find(repository, "sha256-" + text.substr(7) + tail).value())
                to.referrers.insert({repository, *found, "tag"});
}

void add_referrers(const index& from, const details_store& facts, inspection& to)
{
    std::set<std::string> repositories;
    for (const auto& t : to.tags)
        repositories.insert(t.repository);
    for (const auto& parent : to.parents) {
        from.for_each_use(parent, [&](const tag_view& t) { return repositories.emplace(t.repository), true; }).value();
        const auto list = facts.find(parent).value();
        for (const auto& child : list ? list->children : std::vector<child_descriptor>())
            if (child.describes == to.digest)
                to.referrers.insert({{}, child.digest, "attestation"});
    }
    facts
        .for_each_referrer_of(to.digest,
                              [&](std::string_view repository, const digest& d) {
                                  to.referrers.insert({std::string(repository), d, "referrers API"});
                                  return true;
                              })
        .value();
    facts
        .for_each_with_subject(to.digest,
                               [&](const digest& d) { return to.referrers.insert({{}, d, "subject"}), true; })
        .value();
    add_named_referrers(from, to, repositories);
}

inspection look_at(const index& from, const details_store& facts, const digest& d)
{
    inspection out;
    out.digest = d;
    out.facts = facts.find(d).value();
    from.for_each_use(d,
                      [&](const tag_view& t) {
                          out.type = t.type;
                          out.tags.push_back({std::string(t.repository), std::string(t.tag)});
                          return true;
                      })
        .value();
    facts.for_each_parent(d, [&](const digest& parent) { return out.parents.push_back(parent), true; }).value();
    if (out.facts)
        out.total_size = total_size(facts, *out.facts);
    add_referrers(from, facts, out);
    return out;
}

std::string text_or_null(std::string_view text)
{
    return text.empty() ? "null" : json_string(text);
}

std::string size_or_null(const std::optional<std::uint64_t>& size)
{
    return size ? std::to_string(*size) : "null";
}

std::string platform_json(const platform& p)
{
    if (p.empty())
        return "null";
    return "{\"os\":" + json_string(p.os) + ",\"architecture\":" + json_string(p.architecture) +
           ",\"variant\":" + json_string(p.variant) + "}";
}

std::string blob_json(const blob_descriptor& b)
{
    return "{\"digest\":" + json_string(b.digest.to_string()) + ",\"size\":" + size_or_null(b.size) +
           ",\"media_type\":" + json_string(b.media_type) + ",\"foreign\":" + (b.foreign ? "true" : "false") + "}";
}

std::string child_json(const child_descriptor& c)
{
    return "{\"digest\":" + json_string(c.digest.to_string()) + ",\"size\":" + size_or_null(c.size) +
           ",\"media_type\":" + text_or_null(to_string(c.type)) + ",\"platform\":" + platform_json(c.platform) +
           ",\"describes\":" + text_or_null(c.describes.to_string()) + "}";
}

template<class List, class Print>
std::string list_json(const List& list, Print print)
{
    std::string out = "[";
    for (const auto& each : list)
        out += (out.size() == 1 ? "" : ",") + print(each);
    return out + "]";
}

std::string pairs_json(const string_pairs& pairs)
{
    std::string out = "{";
    for (const auto& [key, value] : pairs)
        out += (out.size() == 1 ? "" : ",") + json_string(key) + ":" + json_string(value);
    return out + "}";
}

std::string type_name(const inspection& what)
{
    return what.facts ? what.facts->media_type_name : std::string(to_string(what.type));
}

void print_inspect_json(const session& s, const inspection& what)
{
    const manifest_details facts = what.facts.value_or(manifest_details());
    output out;
    out << "{\"registry\":" << json_string(s.address().canonical())
        << ",\"digest\":" << json_string(what.digest.to_string()) << ",\"known\":" << (what.facts ? "true" : "false")
        << ",\"media_type\":" << text_or_null(type_name(what))
        << ",\"artifact_type\":" << text_or_null(facts.artifact_type)
        << ",\"size\":" << (what.facts ? std::to_string(facts.size) : "null")
        << ",\"total_size\":" << (what.facts ? std::to_string(what.total_size) : "null")
        << ",\"created\":" << (facts.created ? json_string(to_string(*facts.created)) : "null")
        << ",\"platform\":" << platform_json(facts.platform)
        << ",\"subject\":" << text_or_null(facts.subject.to_string())
        << ",\"config\":" << (facts.config ? blob_json(*facts.config) : "null")
        << ",\"layers\":" << list_json(facts.layers, blob_json)
        << ",\n\"children\":" << list_json(facts.children, child_json) << ",\n\"tags\":"
        << list_json(what.tags,
                     [](const tag_use& t) {
                         return "{\"repository\":" + json_string(t.repository) + ",\"tag\":" + json_string(t.tag) + "}";
                     })
        << ",\n\"parents\":" << list_json(what.parents, [](const digest& d) { return json_string(d.to_string()); })
        << ",\"referrers\":"
        << list_json(what.referrers,
                     [](const referrer_use& r) {
                         return "{\"repository\":" + text_or_null(r.repository) +
                                ",\"digest\":" + json_string(r.digest.to_string()) + ",\"by\":" + json_string(r.by) +
                                "}";
                     })
        << ",\n\"labels\":" << pairs_json(facts.labels) << ",\"annotations\":" << pairs_json(facts.annotations)
        << "}\n";
    out.finish();
}

// Lines of a label and a value; values without a label stand under the last one.
class labelled_lines
{
public:
    void line(std::string label, const std::string& value)
    {
        label.resize(14, ' ');
        out_ << label << value << "\n";
    }
    template<class List, class Print>
    void list(const std::string& label, const List& all, Print print)
    {
        bool first = true;
        for (const auto& each : all)
            line(std::exchange(first, false) ? label : "", print(each));
    }
    void finish() { out_.finish(); }

private:
    output out_;
};

std::string blob_text(const blob_descriptor& b)
{
    return b.digest.to_string() + "  " + (b.size ? human_size(*b.size) : "size unknown") +
           (b.media_type.empty() ? "" : "  " + printable(b.media_type)) + (b.foreign ? "  (held elsewhere)" : "");
}

std::string child_text(const child_descriptor& c)
{
    std::string out = c.digest.to_string();
    if (!c.describes.empty())
        return out + "  about " + c.describes.to_string();
    if (!c.platform.empty())
        out += "  " + printable(to_string(c.platform));
    return out;
}

void print_facts(labelled_lines& out, const inspection& what)
{
    const manifest_details& facts = *what.facts;
    if (!facts.artifact_type.empty())
        out.line("artifact type", printable(facts.artifact_type));
    out.line("size", human_size(what.total_size) + ", the manifest itself " + human_size(facts.size));
    if (facts.children.empty())
        out.line("created", facts.created ? to_string(*facts.created) : "unknown");
    if (!facts.platform.empty())
        out.line("platform", printable(to_string(facts.platform)));
    if (!facts.subject.empty())
        out.line("subject", facts.subject.to_string());
    if (facts.config)
        out.line("config", blob_text(*facts.config));
    out.list("layers", facts.layers, blob_text);
    out.list("children", facts.children, child_text);
}

void print_inspect_text(const inspection& what)
{
    labelled_lines out;
    out.line("digest", what.digest.to_string());
    const std::string type = type_name(what);
    out.line("media type", type.empty() ? "unknown" : printable(type));
    if (what.facts)
        print_facts(out, what);
    out.list("tags", what.tags, [](const tag_use& t) { return t.repository + ":" + t.tag; });
    out.list("parents", what.parents, [](const digest& d) { return d.to_string(); });
    out.list("referrers", what.referrers, [](const referrer_use& r) {
        return r.digest.to_string() + "  by " + r.by + (r.repository.empty() ? "" : " in " + r.repository);
    });
    const auto pair_text = [](const auto& p) { return printable(p.first) + "=" + printable(p.second); };
    if (what.facts) {
        out.list("labels", what.facts->labels, pair_text);
        out.list("annotations", what.facts->annotations, pair_text);
    }
    out.finish();
}

std::string size_text(const std::optional<std::uint64_t>& size)
{
    return size ? human_size(*size) : std::string();
}

void add_parts(table& rows, const manifest_details& facts)
{
    const auto blob = [&](const char* part, const blob_descriptor& b) {
        rows.add(
            {part, short_digest(b.digest), size_text(b.size), b.media_type + (b.foreign ? " (held elsewhere)" : "")});
    };
    if (facts.config)
        blob("config", *facts.config);
    for (const auto& layer : facts.layers)
        blob("layer", layer);
    for (const auto& child : facts.children)
        rows.add({"child", short_digest(child.digest), size_text(child.size),
                  child.describes.empty() ? to_string(child.platform) : "about " + short_digest(child.describes)});
}

void print_inspect_table(const inspection& what)
{
    output out;
    table rows(out, {{"part"}, {"digest"}, {"size", table::align::right}, {"what"}});
    rows.add({"manifest", short_digest(what.digest), what.facts ? human_size(what.facts->size) : std::string(),
              type_name(what)});
    if (what.facts)
        add_parts(rows, *what.facts);
    for (const auto& parent : what.parents)
        rows.add({"parent", short_digest(parent), "", ""});
    for (const auto& r : what.referrers)
        rows.add({"referrer", short_digest(r.digest), "",
                  "by " + r.by + (r.repository.empty() ? "" : " in " + r.repository)});
    for (const auto& t : what.tags)
        rows.add({"tag", "", "", t.repository + ":" + t.tag});
    if (what.facts)
        rows.add({"total", "", human_size(what.total_size), ""});
    rows.finish();
    out.finish();
}

int inspect(session& s, const std::string& reference)
{
    const auto wanted = parse_reference(s, reference);
    const index from = s.open_index();
    const details_store facts = details_of(s, from);
    const auto what = look_at(from, facts, find_digest(s, from, facts, wanted));
    if (!what.facts)
        terminal::standard().warning(
            "the registry does not have this manifest any more, or could not give it; --refresh reads anew");
    if (s.options().output == output_format::json)
        print_inspect_json(s, what);
    else if (s.options().output == output_format::table)
        print_inspect_table(what);
    else
        print_inspect_text(what);
    return s.status();
}

} // namespace

command_runner add_inspect(CLI::App& app, CLI::App*& subcommand)
{
    subcommand = app.add_subcommand("inspect", "Show all that is known of an image, and what uses it");
    const auto reference = std::make_shared<std::string>();
    subcommand->add_option("image", *reference, "REPO:TAG, REPO@DIGEST or @DIGEST")->type_name("IMAGE")->required();
    return [reference](session& s) { return inspect(s, *reference); };
}

} // namespace regsweep::cli
