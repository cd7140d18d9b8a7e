#include "core/files.hpp"
#include "regsweep/sweep/plan.hpp"
#include "sweep/plan_scanner.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <initializer_list>
#include <ostream>
#include <set>
#include <unordered_set>
#include <utility>

namespace regsweep {
namespace {

namespace json = boost::json;

constexpr std::string_view format_name = "regsweep-plan";
constexpr std::int64_t format_version = 1;
constexpr std::array media_types = {media_type::docker_manifest, media_type::docker_list, media_type::oci_manifest,
                                    media_type::oci_index,       media_type::schema1,     media_type::schema1_signed};

// Writing

/// `text` as JSON can hold it: bytes that are no UTF-8 would make the plan unreadable.
json::string safe_text(std::string_view text)
{
    json::string safe(text);
    boost::system::error_code failed;
    json::parse(json::serialize(safe), failed);
    if (failed)
        std::ranges::replace_if(safe, [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return safe;
}

json::array to_json(const std::vector<std::string>& texts)
{
    json::array out;
    for (const std::string& text : texts)
        out.push_back(safe_text(text));
    return out;
}

json::object to_json(const plan_step& step)
{
    json::object out;
    out["kind"] = step.kind == step_kind::remove ? "delete" : "untag";
    out["repository"] = step.repository;
    out["digest"] = step.id.to_string();
    if (step.type != media_type::unknown)
        out["media_type"] = to_string(step.type);
    out["tags"] = to_json(step.tags);
    if (!step.unasked_tags.empty())
        out["unasked_tags"] = to_json(step.unasked_tags);
    if (!step.also_used_by.empty()) {
        json::array names;
        for (const image_name& name : step.also_used_by)
            names.push_back(json::object{{"repository", safe_text(name.repository)}, {"tag", safe_text(name.tag)}});
        out["also_used_by"] = std::move(names);
    }
    if (step.also_used_by_more != 0)
        out["also_used_by_more"] = step.also_used_by_more;
    out["reason"] = safe_text(step.why);
    if (!step.children.empty()) {
        json::array children;
        for (const digest& child : step.children)
            children.push_back(json::string(child.to_string()));
        out["children"] = std::move(children);
    }
    return out;
}

json::object to_json(const kept_tags& kept)
{
    return {{"repository", safe_text(kept.repository)}, {"tags", to_json(kept.tags)}, {"reason", safe_text(kept.why)}};
}

result<void> written(const std::ostream& out)
{
    if (out.good())
        return {};
    return error(errc::io, "the plan cannot be written; is the disk full?");
}

// Reading

/// Takes the fields of one object apart, and remembers the first thing that is wrong.
class field_reader
{
public:
    field_reader(const json::object& from, std::string path) : from_(from), path_(std::move(path)) {}

    void wrong(std::string_view where, const std::string& what)
    {
        if (problem_.empty())
            problem_ = path_ + (path_.empty() || where.empty() ? "" : ".") + std::string(where) + ": " + what;
    }
    const std::string& problem() const noexcept { return problem_; }

    void only(std::initializer_list<std::string_view> known)
    {
        for (const auto& field : from_) {
            if (std::ranges::find(known, std::string_view(field.key())) == known.end())
                wrong(printable(field.key(), 50), "unknown here");
        }
    }

    const json::value* find(std::string_view name, bool needed)
    {
        const json::value* found = from_.if_contains(name);
        if (found == nullptr && needed)
            wrong(name, "missing");
        return found;
    }

    std::string text(std::string_view name)
    {
        const json::value* found = find(name, true);
        if (found == nullptr)
            return {};
        if (!found->is_string())
            return wrong(name, "must be a string"), std::string();
        return std::string(found->get_string());
    }

    std::uint64_t number(std::string_view name)
    {
        const json::value* found = find(name, false);
        if (found == nullptr)
            return 0;
        if (found->is_int64() && found->get_int64() >= 0)
            return static_cast<std::uint64_t>(found->get_int64());
        if (found->is_uint64())
            return found->get_uint64();
        wrong(name, "must be a number from 0");
        return 0;
    }

    /// Calls `read(element, where)` for every element of an array.
    template<class Read>
    void each(std::string_view name, bool needed, Read read)
    {
        const json::value* found = find(name, needed);
        if (found == nullptr)
            return;
        if (!found->is_array())
            return wrong(name, "must be an array");
        std::size_t i = 0;
        for (const json::value& element : found->get_array())
            read(element, std::string(name) + "[" + std::to_string(i++) + "]");
    }

    digest read_digest(const json::value& value, std::string_view where)
    {
        if (!value.is_string())
            return wrong(where, "must be a string"), digest();
        const auto read = digest::parse(value.get_string());
        if (!read)
            return wrong(where, "not a digest: " + printable(value.get_string(), 100)), digest();
        return *read;
    }

    std::string read_tag(const json::value& value, std::string_view where)
    {
        if (!value.is_string())
            return wrong(where, "must be a string"), std::string();
        const std::string tag(value.get_string());
        if (!valid_tag(tag))
            wrong(where, "not a tag: " + printable(tag, 150));
        return tag;
    }

private:
    const json::object& from_;
    std::string path_;
    std::string problem_;
};

image_name read_image_name(field_reader& fields, const json::value& value, const std::string& where)
{
    if (!value.is_object())
        return fields.wrong(where, "must be an object"), image_name();
    field_reader inner(value.get_object(), where);
    inner.only({"repository", "tag"});
    image_name name{inner.text("repository"), inner.text("tag")};
    if (!valid_repository(name.repository))
        inner.wrong("repository", "not a repository name: " + printable(name.repository, 300));
    if (!valid_tag(name.tag))
        inner.wrong("tag", "not a tag: " + printable(name.tag, 150));
    if (!inner.problem().empty())
        fields.wrong("", inner.problem());
    return name;
}

void read_kind(field_reader& fields, plan_step& step)
{
    const std::string kind = fields.text("kind");
    if (kind != "delete" && kind != "untag")
        fields.wrong("kind", "must be delete or untag");
    step.kind = kind == "untag" ? step_kind::untag : step_kind::remove;
}

void read_media_type(field_reader& fields, plan_step& step)
{
    if (fields.find("media_type", false) == nullptr)
        return;
    const std::string name = fields.text("media_type");
    const auto known = std::ranges::find_if(media_types, [&](media_type type) { return to_string(type) == name; });
    if (known == media_types.end())
        return fields.wrong("media_type", "not a manifest's media type: " + printable(name, 100));
    step.type = *known;
}

void check_tags(field_reader& fields, const plan_step& step)
{
    if (step.kind == step_kind::untag && step.tags.size() != 1)
        fields.wrong("tags", "an untag step has one tag");
    for (const std::string& tag : step.unasked_tags) {
        if (std::ranges::find(step.tags, tag) == step.tags.end())
            fields.wrong("unasked_tags", "not one of tags: " + tag);
    }
}

std::string read_repository(field_reader& fields)
{
    const std::string name = fields.text("repository");
    if (!valid_repository(name))
        fields.wrong("repository", "not a repository name: " + printable(name, 300));
    return name;
}

kept_tags read_kept(field_reader& fields)
{
    kept_tags kept;
    fields.only({"repository", "tags", "reason"});
    kept.repository = read_repository(fields);
    fields.each("tags", true,
                [&](const auto& value, const auto& where) { kept.tags.push_back(fields.read_tag(value, where)); });
    kept.why = fields.text("reason");
    return kept;
}

plan_step read_step(field_reader& fields)
{
    plan_step step;
    fields.only({"kind", "repository", "digest", "media_type", "tags", "unasked_tags", "also_used_by",
                 "also_used_by_more", "reason", "children"});
    read_kind(fields, step);
    step.repository = read_repository(fields);
    if (const json::value* id = fields.find("digest", true))
        step.id = fields.read_digest(*id, "digest");
    read_media_type(fields, step);
    fields.each("tags", true,
                [&](const auto& value, const auto& where) { step.tags.push_back(fields.read_tag(value, where)); });
    fields.each("unasked_tags", false, [&](const auto& value, const auto& where) {
        step.unasked_tags.push_back(fields.read_tag(value, where));
    });
    fields.each("also_used_by", false, [&](const auto& value, const auto& where) {
        step.also_used_by.push_back(read_image_name(fields, value, where));
    });
    step.also_used_by_more = fields.number("also_used_by_more");
    step.why = fields.text("reason");
    fields.each("children", false, [&](const auto& value, const auto& where) {
        step.children.push_back(fields.read_digest(value, where));
    });
    check_tags(fields, step);
    return step;
}

/// Reads the whole file: a JSON object of header fields and `steps`.
class plan_reader
{
public:
    plan_reader(std::istream& in, const plan_limits& limits) : scanner_(in, limits.step_bytes), limits_(limits) {}

    result<plan> read()
    {
        if (!scanner_.take('{'))
            return no_plan();
        if (auto fields = read_fields(); !fields)
            return fields.error();
        if (scanner_.peek() >= 0)
            return scanner_.wrong("something follows the plan");
        if (auto header = read_header(); !header)
            return header.error();
        if (!has_steps_)
            return error(errc::bad_json, "steps: missing");
        // Somebody may have put plans together.
        if (!std::ranges::is_sorted(plan_.steps, {}, &plan_step::repository))
            std::ranges::stable_sort(plan_.steps, {}, &plan_step::repository);
        return std::move(plan_);
    }

private:
    static error no_plan()
    {
        return {errc::bad_file, "this is no plan of regsweep: it does not begin with {\"format\": \"" +
                                    std::string(format_name) + "\""};
    }

    result<void> read_fields()
    {
        if (scanner_.take('}'))
            return {};
        for (;;) {
            if (auto field = read_field(); !field)
                return field;
            if (scanner_.take('}'))
                return {};
            if (auto comma = scanner_.expect(','); !comma)
                return comma;
        }
    }

    result<void> read_field()
    {
        auto name = scanner_.value();
        if (!name)
            return name.error();
        if (!name->is_string())
            return scanner_.wrong("expected a field's name");
        if (auto colon = scanner_.expect(':'); !colon)
            return colon;
        if (name->get_string() == "steps")
            return read_array("steps", has_steps_, &plan_reader::read_one_step);
        if (name->get_string() == "kept")
            return read_array("kept", has_kept_, &plan_reader::read_one_kept);
        auto value = scanner_.value();
        if (!value)
            return value.error();
        if (!header_.emplace(name->get_string(), std::move(*value)).second)
            return scanner_.wrong("the field " + printable(name->get_string(), 50) + " is there twice");
        return check_format();
    }

    /// As soon as they are known: another format, or a newer one, may differ in all that follows.
    result<void> check_format()
    {
        const json::value* format = header_.if_contains("format");
        if (format != nullptr && *format != json::value(format_name))
            return no_plan();
        const json::value* version = header_.if_contains("version");
        if (version == nullptr)
            return {};
        if (!version->is_int64() || version->get_int64() < 1)
            return error(errc::bad_json, "version: must be a number from 1");
        if (version->get_int64() > format_version)
            return error(errc::newer_version, "the plan has version " + std::to_string(version->get_int64()) +
                                                  ", this program reads up to " + std::to_string(format_version) +
                                                  "; use the program that wrote it");
        return {};
    }

    result<void> read_array(const char* name, bool& seen, result<void> (plan_reader::*element)())
    {
        if (std::exchange(seen, true))
            return scanner_.wrong("the field " + std::string(name) + " is there twice");
        if (auto open = scanner_.expect('['); !open)
            return open;
        if (scanner_.take(']'))
            return {};
        for (;;) {
            if (auto one = (this->*element)(); !one)
                return one;
            if (scanner_.take(']'))
                return {};
            if (auto comma = scanner_.expect(','); !comma)
                return comma;
        }
    }

    result<void> read_one_step()
    {
        return read_object("steps", plan_.steps, [&](field_reader& fields) {
            plan_step step = read_step(fields);
            if (fields.problem().empty())
                check_unique(fields, step);
            return step;
        });
    }

    result<void> read_one_kept() { return read_object("kept", plan_.kept, read_kept); }

    template<class T, class Read>
    result<void> read_object(const char* name, std::vector<T>& into, Read take)
    {
        if (into.size() == limits_.steps)
            return error(errc::too_large, "the plan has more than " + std::to_string(limits_.steps) + " " + name);
        const std::string path = std::string(name) + "[" + std::to_string(into.size()) + "]";
        auto value = scanner_.value();
        if (!value)
            return value.error();
        if (!value->is_object())
            return bad(path + ": must be an object");
        field_reader fields(value->get_object(), path);
        T one = take(fields);
        if (!fields.problem().empty())
            return bad(fields.problem());
        into.push_back(std::move(one));
        return {};
    }

    void check_unique(field_reader& fields, const plan_step& step)
    {
        const bool removes = step.kind == step_kind::remove;
        const std::string id = step.repository + "@" + step.id.to_string();
        if ((removes ? untagged_ : removed_).contains(id))
            fields.wrong("digest", "it is both deleted and untagged in " + step.repository);
        if (!(removes ? removed_ : untagged_).insert(id).second && removes)
            fields.wrong("digest", "an earlier step deletes it in " + step.repository + " already");
        for (const std::string& tag : step.tags) {
            if (!tags_.insert(step.repository + ":" + tag).second)
                fields.wrong("tags", "an earlier step has the tag " + step.repository + ":" + tag);
        }
    }

    error bad(const std::string& what) const
    {
        return {errc::bad_json, "line " + std::to_string(scanner_.line()) + ": " + what};
    }

    result<void> read_header()
    {
        field_reader fields(header_, "");
        fields.only({"format", "version", "registry", "created_at", "command", "with_children", "untag"});
        if (header_.if_contains("format") == nullptr)
            return no_plan();
        fields.find("version", true);
        plan_header& header = plan_.header;
        header.registry = fields.text("registry");
        fields.find("created_at", true);
        header.created_at = static_cast<std::int64_t>(std::min<std::uint64_t>(fields.number("created_at"), INT64_MAX));
        header.command = fields.text("command");
        header.with_children = flag(fields, "with_children");
        header.untag = flag(fields, "untag");
        if (header.registry.empty())
            fields.wrong("registry", "must not be empty");
        if (!fields.problem().empty())
            return error(errc::bad_json, fields.problem());
        return {};
    }

    static bool flag(field_reader& fields, std::string_view name)
    {
        const json::value* found = fields.find(name, true);
        if (found != nullptr && !found->is_bool())
            fields.wrong(name, "must be true or false");
        return found != nullptr && found->is_bool() && found->get_bool();
    }

    detail::plan_scanner scanner_;
    plan_limits limits_;
    json::object header_;
    plan plan_;
    bool has_steps_ = false;
    bool has_kept_ = false;
    std::unordered_set<std::string> removed_;
    std::unordered_set<std::string> untagged_;
    std::unordered_set<std::string> tags_;
};

} // namespace

result<void> plan_writer::begin(const plan_header& header)
{
    json::object fields;
    fields["format"] = format_name;
    fields["version"] = format_version;
    fields["registry"] = safe_text(header.registry);
    fields["created_at"] = header.created_at;
    fields["command"] = safe_text(header.command);
    fields["with_children"] = header.with_children;
    fields["untag"] = header.untag;
    *out_ << "{\n";
    for (const auto& field : fields)
        *out_ << "  " << json::serialize(json::string(field.key())) << ": " << json::serialize(field.value()) << ",\n";
    *out_ << "  \"steps\": [";
    first_ = true;
    return written(*out_);
}

result<void> plan_writer::add(const plan_step& step)
{
    *out_ << (first_ ? "\n    " : ",\n    ") << json::serialize(to_json(step));
    first_ = false;
    return written(*out_);
}

void plan_writer::keep(const kept_tags& tags)
{
    kept_ += (kept_.empty() ? "\n    " : ",\n    ") + json::serialize(to_json(tags));
}

result<void> plan_writer::finish()
{
    *out_ << (first_ ? "]" : "\n  ]");
    if (!kept_.empty())
        *out_ << ",\n  \"kept\": [" << kept_ << "\n  ]";
    *out_ << "\n}\n";
    out_->flush();
    return written(*out_);
}

result<void> write_plan(const std::filesystem::path& file, const plan& p)
{
    auto to = replacing_writer::create(file);
    if (!to)
        return to.error();
    replacing_stream out(*std::move(to));
    plan_writer writer(out);
    auto done = writer.begin(p.header);
    for (auto step = p.steps.begin(); done && step != p.steps.end(); ++step)
        done = writer.add(*step);
    for (const auto& tags : p.kept)
        writer.keep(tags);
    if (done)
        done = writer.finish();
    return done || out.bad() ? out.finish() : done;
}

result<plan> read_plan(std::istream& in, const plan_limits& limits)
{
    auto read = plan_reader(in, limits).read();
    if (read.has_value() && in.bad())
        return error(errc::io, "the plan cannot be read to its end; look at its disk, or make the plan again");
    return read;
}

result<plan> read_plan(const std::filesystem::path& file, const plan_limits& limits)
{
    std::ifstream in(file, std::ios::binary);
    if (!in)
        return error(errc::io, "cannot open the plan \"" + printable(file.string()) + "\"");
    auto read = read_plan(in, limits);
    if (read)
        return read;
    error why = read.error();
    why.detail = "the plan \"" + printable(file.string()) + "\": " + why.detail;
    return why;
}

} // namespace regsweep
