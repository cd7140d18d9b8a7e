#include "index/json_cache.hpp"

#include "core/files.hpp"
#include "regsweep/core/digest.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace regsweep::json_cache {

namespace {

constexpr std::size_t piece_size = 256 * 1024;
// Registries allow 255 bytes for a repository and 128 for a tag; a digest has at most 135.
constexpr std::size_t max_text = 4096;

bool json_space(char c) noexcept
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool fit_name(std::string_view name) noexcept
{
    return !name.empty() && std::none_of(name.begin(), name.end(),
                                         [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Takes the parser's events and puts the tags into the tables; `problem_` says why it stopped.
class loader
{
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = max_text;
    static constexpr std::size_t max_string_size = max_text;

    using code = boost::json::error_code;

    loader(sqlite::connection& db, sqlite::statement repository, sqlite::statement tag)
        : db_(db), insert_repository_(std::move(repository)), insert_tag_(std::move(tag))
    {}

    const std::string& problem() const noexcept { return problem_; }
    const error& storage() const noexcept { return storage_; }

    bool on_document_begin(code&) { return true; }
    bool on_document_end(code&) { return true; }

    bool on_object_begin(code& ec)
    {
        if (depth_ == 2)
            return refuse("a tag's value must be a digest, not an object", ec);
        ++depth_;
        return true;
    }

    bool on_object_end(std::size_t, code& ec)
    {
        --depth_;
        return depth_ != 1 || store_count(ec);
    }

    bool on_array_begin(code& ec) { return refuse_value("an array", ec); }
    bool on_array_end(std::size_t, code&) { return true; }

    bool on_key_part(boost::json::string_view text, std::size_t, code&)
    {
        text_.append(text.data(), text.size());
        return true;
    }

    bool on_key(boost::json::string_view text, std::size_t, code& ec)
    {
        text_.append(text.data(), text.size());
        const bool fine = depth_ == 1 ? begin_repository(ec) : begin_tag(ec);
        text_.clear();
        return fine;
    }

    bool on_string_part(boost::json::string_view text, std::size_t, code& ec)
    {
        if (depth_ != 2)
            return refuse_value("a string", ec);
        text_.append(text.data(), text.size());
        return true;
    }

    bool on_string(boost::json::string_view text, std::size_t, code& ec)
    {
        if (depth_ != 2)
            return refuse_value("a string", ec);
        text_.append(text.data(), text.size());
        const bool fine = store_tag(ec);
        text_.clear();
        return fine;
    }

    bool on_number_part(boost::json::string_view, code& ec) { return refuse_value("a number", ec); }
    bool on_int64(std::int64_t, boost::json::string_view, code& ec) { return refuse_value("a number", ec); }
    bool on_uint64(std::uint64_t, boost::json::string_view, code& ec) { return refuse_value("a number", ec); }
    bool on_double(double, boost::json::string_view, code& ec) { return refuse_value("a number", ec); }
    bool on_bool(bool, code& ec) { return refuse_value("a boolean", ec); }
    bool on_null(code& ec) { return refuse_value("null", ec); }
    bool on_comment_part(boost::json::string_view, code&) { return true; }
    bool on_comment(boost::json::string_view, code&) { return true; }

private:
    bool refuse(std::string why, code& ec)
    {
        problem_ = std::move(why);
        ec = make_error_code(errc::bad_json);
        return false;
    }

    bool refuse_value(std::string_view what, code& ec)
    {
        const std::string_view wanted = depth_ == 0   ? "the file must hold an object of repositories, not "
                                        : depth_ == 1 ? "a repository's value must be an object of tags, not "
                                                      : "a tag's value must be a digest string, not ";
        return refuse(std::string(wanted) + std::string(what), ec);
    }

    bool refuse_storage(code& ec)
    {
        storage_ = db_.fail();
        ec = storage_.code;
        return false;
    }

    bool begin_repository(code& ec)
    {
        if (!fit_name(text_))
            return refuse("repository name '" + printable(text_) + "' is empty or has control characters", ec);
        const int done = insert_repository_.bind(1, std::string_view(text_)).step_raw();
        insert_repository_.reset();
        if ((done & 0xff) == SQLITE_CONSTRAINT)
            return refuse("repository '" + printable(text_) + "' appears twice", ec);
        if (done != SQLITE_DONE)
            return refuse_storage(ec);
        repository_ = db_.last_id();
        count_ = 0;
        return true;
    }

    bool begin_tag(code& ec)
    {
        if (!fit_name(text_))
            return refuse("tag name '" + printable(text_) + "' is empty or has control characters", ec);
        tag_ = text_;
        return true;
    }

    bool store_tag(code& ec)
    {
        const result<digest> value = digest::parse(text_);
        if (!value)
            return refuse("tag '" + printable(tag_) + "' has no valid digest but '" + printable(text_) + "'", ec);
        insert_tag_.bind(1, repository_).bind(2, std::string_view(tag_)).bind(3, value->bytes());
        const int done = insert_tag_.step_raw();
        insert_tag_.reset();
        if ((done & 0xff) == SQLITE_CONSTRAINT)
            return refuse("tag '" + printable(tag_) + "' appears twice in its repository", ec);
        if (done != SQLITE_DONE)
            return refuse_storage(ec);
        ++count_;
        return true;
    }

    bool store_count(code& ec)
    {
        auto update = db_.cached("UPDATE repository SET tags = ?1 WHERE id = ?2");
        if (update && update->bind(1, count_).bind(2, repository_).run())
            return true;
        return refuse_storage(ec);
    }

    sqlite::connection& db_;
    sqlite::statement insert_repository_;
    sqlite::statement insert_tag_;
    int depth_ = 0;
    std::string text_;
    std::string tag_;
    std::int64_t repository_ = 0;
    std::int64_t count_ = 0;
    std::string problem_;
    error storage_;
};

// Where the parser is, for messages.
struct place
{
    std::uint64_t line = 1;
    std::uint64_t column = 1; // in bytes

    void advance(std::string_view text) noexcept
    {
        const auto lines = std::count(text.begin(), text.end(), '\n');
        if (lines == 0) {
            column += text.size();
            return;
        }
        line += static_cast<std::uint64_t>(lines);
        column = text.size() - text.rfind('\n');
    }
};

error malformed(const std::filesystem::path& file, const place& where, std::string_view why)
{
    return {errc::bad_json, "'" + file.string() + "', line " + std::to_string(where.line) + ", column " +
                                std::to_string(where.column) + ": " + std::string(why) +
                                "; crawl again or repair the file"};
}

result<void> parse(const std::filesystem::path& file, const file_handle& from,
                   boost::json::basic_parser<loader>& parser)
{
    const auto piece = std::make_unique<std::array<char, piece_size>>();
    place where;
    while (true) {
        const result<std::size_t> size = read_some(from, piece->data(), piece->size(), file);
        if (!size)
            return size.error();
        const bool more = *size == piece->size();
        boost::json::error_code ec;
        std::size_t used = parser.write_some(more, piece->data(), *size, ec);
        // The parser leaves what follows the document to its caller.
        while (!ec && used < *size && json_space((*piece)[used]))
            ++used;
        where.advance({piece->data(), used});
        if (!ec && used < *size)
            return malformed(file, where, "there is something after the end of the object");
        if (!ec && more)
            continue;
        if (!ec)
            return {};
        const loader& events = parser.handler();
        if (events.storage().code)
            return events.storage();
        if (ec == boost::json::error::incomplete)
            return malformed(file, where, "the file ends early");
        if (ec == boost::json::error::too_deep)
            return malformed(file, where, "nested too deeply");
        if (ec == boost::json::error::key_too_large || ec == boost::json::error::string_too_large)
            return malformed(file, where, "a name or digest is longer than 4096 bytes");
        return malformed(file, where, events.problem().empty() ? "malformed JSON: " + ec.message() : events.problem());
    }
}

// Python's json.dump(…, ensure_ascii=False) escapes these and nothing else.
void append_string(std::string& to, std::string_view text)
{
    static constexpr std::string_view hex = "0123456789abcdef";
    to += '"';
    for (const char c : text) {
        switch (c) {
        case '"': to += "\\\""; break;
        case '\\': to += "\\\\"; break;
        case '\n': to += "\\n"; break;
        case '\r': to += "\\r"; break;
        case '\t': to += "\\t"; break;
        case '\f': to += "\\f"; break;
        case '\b': to += "\\b"; break;
        default:
            if (static_cast<unsigned char>(c) >= 0x20) {
                to += c;
                break;
            }
            to += "\\u00";
            to += hex[static_cast<unsigned char>(c) >> 4];
            to += hex[static_cast<unsigned char>(c) & 15];
        }
    }
    to += '"';
}

void append_digest(std::string& to, std::span<const unsigned char> raw)
{
    static constexpr std::string_view hex = "0123456789abcdef";
    to += "\"sha256:";
    for (const unsigned char c : raw) {
        to += hex[c >> 4];
        to += hex[c & 15];
    }
    to += '"';
}

} // namespace

error unfit_digest(std::string_view repository, std::string_view tag)
{
    return {errc::bad_digest, printable(repository) + ":" + printable(tag) +
                                  " has no SHA-256 digest, and the JSON cache can hold no other; use an index file"
                                  " with another ending than .json"};
}

result<bool> looks_like_one(const std::filesystem::path& file)
{
    const result<std::string> head = read_head(file, 4096);
    if (!head)
        return head.error();
    const auto first = std::find_if_not(head->begin(), head->end(), json_space);
    return first != head->end() && *first == '{';
}

result<void> read(const std::filesystem::path& file, sqlite::connection& db)
{
    const result<file_handle> from = open_to_read(file);
    if (!from)
        return from.error();
    std::error_code ec;
    if (const auto size = std::filesystem::file_size(file, ec); !ec && size > max_file_size)
        return error(errc::too_large, "'" + file.string() + "' is larger than 4 GiB; use an index instead of JSON");
    result<sqlite::statement> repository =
        db.prepare("INSERT INTO repository(name, complete, problem) VALUES(?1, 1, '')");
    if (!repository)
        return repository.error();
    result<sqlite::statement> tag =
        db.prepare("INSERT INTO tag(repository_id, name, digest, media_type) VALUES(?1, ?2, ?3, 0)");
    if (!tag)
        return tag.error();
    boost::json::parse_options options;
    options.max_depth = 8;
    boost::json::basic_parser<loader> parser(options, db, std::move(*repository), std::move(*tag));
    return parse(file, *from, parser);
}

result<void> write(sqlite::connection& db, const std::filesystem::path& file)
{
    auto query =
        db.cached("SELECT r.id, r.name, t.name, t.digest FROM repository r JOIN tag t ON t.repository_id = r.id"
                  " WHERE r.complete ORDER BY r.name, t.name");
    if (!query)
        return query.error();
    result<replacing_writer> to = replacing_writer::create(file);
    if (!to)
        return to.error();
    std::int64_t current = 0;
    std::string text = "{";
    while (true) {
        const result<bool> row = query->step();
        if (!row)
            return row.error();
        if (!*row)
            break;
        const std::int64_t repository = query->integer(0);
        if (repository != current) {
            text += current ? "}, " : "";
            append_string(text, query->text(1));
            text += ": {";
        } else {
            text += ", ";
        }
        current = repository;
        if (query->blob(3).size() != 32)
            return unfit_digest(query->text(1), query->text(2));
        append_string(text, query->text(2));
        text += ": ";
        append_digest(text, query->blob(3));
        to->write(text);
        text.clear();
        if (to->failed())
            break;
    }
    to->write(text);
    to->write(current ? "}}" : "}");
    return to->finish();
}

} // namespace regsweep::json_cache
