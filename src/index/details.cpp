#include "regsweep/index/details.hpp"

#include "core/files.hpp"
#include "index/details_impl.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <unordered_set>

namespace regsweep {

namespace {

using sqlite::connection;
using sqlite::statement;

// Everything has one number, the row of its digest: a manifest's bytes are a blob, too.
constexpr const char* details_tables = R"(
CREATE TABLE meta(
    key TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;
CREATE TABLE content(
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    size INTEGER
);
CREATE TABLE text(
    id INTEGER PRIMARY KEY,
    value TEXT NOT NULL UNIQUE
);
CREATE TABLE platform(
    id INTEGER PRIMARY KEY,
    os TEXT NOT NULL,
    architecture TEXT NOT NULL,
    variant TEXT NOT NULL,
    UNIQUE(os, architecture, variant)
);
CREATE TABLE manifest(
    id INTEGER PRIMARY KEY REFERENCES content(id),
    media_type INTEGER NOT NULL,
    media_type_id INTEGER NOT NULL REFERENCES text(id),
    artifact_type_id INTEGER NOT NULL REFERENCES text(id),
    created INTEGER,
    created_ns INTEGER,
    platform_id INTEGER NOT NULL REFERENCES platform(id),
    subject_id INTEGER REFERENCES content(id)
);
CREATE TABLE blob(
    manifest_id INTEGER NOT NULL REFERENCES manifest(id),
    position INTEGER NOT NULL,
    content_id INTEGER NOT NULL REFERENCES content(id),
    media_type_id INTEGER NOT NULL REFERENCES text(id),
    elsewhere INTEGER NOT NULL,
    PRIMARY KEY(manifest_id, position)
) WITHOUT ROWID;
CREATE TABLE child(
    manifest_id INTEGER NOT NULL REFERENCES manifest(id),
    position INTEGER NOT NULL,
    content_id INTEGER NOT NULL REFERENCES content(id),
    media_type INTEGER NOT NULL,
    platform_id INTEGER NOT NULL REFERENCES platform(id),
    describes_id INTEGER REFERENCES content(id),
    PRIMARY KEY(manifest_id, position)
) WITHOUT ROWID;
CREATE INDEX child_content ON child(content_id);
CREATE INDEX manifest_subject ON manifest(subject_id) WHERE subject_id IS NOT NULL;
CREATE TABLE pair(
    manifest_id INTEGER NOT NULL REFERENCES manifest(id),
    kind INTEGER NOT NULL,
    key_id INTEGER NOT NULL REFERENCES text(id),
    value TEXT NOT NULL,
    PRIMARY KEY(manifest_id, kind, key_id)
) WITHOUT ROWID;
CREATE TABLE absent(
    id INTEGER PRIMARY KEY REFERENCES content(id)
);
CREATE TABLE repository(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE asked(
    repository_id INTEGER NOT NULL REFERENCES repository(id),
    subject_id INTEGER NOT NULL REFERENCES content(id),
    PRIMARY KEY(repository_id, subject_id)
) WITHOUT ROWID;
CREATE TABLE referrer(
    repository_id INTEGER NOT NULL REFERENCES repository(id),
    subject_id INTEGER NOT NULL REFERENCES content(id),
    content_id INTEGER NOT NULL REFERENCES content(id),
    PRIMARY KEY(repository_id, subject_id, content_id)
) WITHOUT ROWID;
CREATE INDEX referrer_subject ON referrer(subject_id);
CREATE VIEW manifest_facts AS
SELECT CASE length(c.digest) WHEN 32 THEN 'sha256:' ELSE 'sha512:' END || lower(hex(c.digest)) AS digest,
       t.value AS media_type, a.value AS artifact_type, c.size AS size,
       datetime(m.created, 'unixepoch') AS created, p.os AS os, p.architecture AS architecture, p.variant AS variant,
       (SELECT sum(s.size) FROM blob b JOIN content s ON s.id = b.content_id WHERE b.manifest_id = m.id) AS blob_size,
       m.id AS id
FROM manifest m JOIN content c ON c.id = m.id JOIN platform p ON p.id = m.platform_id
JOIN text t ON t.id = m.media_type_id JOIN text a ON a.id = m.artifact_type_id;
)";

constexpr const char* details_pragmas = "PRAGMA cache_size=-65536; PRAGMA synchronous=NORMAL; PRAGMA temp_store=FILE";

result<void> create_details(connection& db)
{
    if (const auto begun = db.execute("BEGIN IMMEDIATE"); !begun)
        return begun;
    // Another process may have made them since the file was found empty.
    const result<std::int64_t> made = db.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'content'");
    if (!made)
        return made.error();
    if (*made != 0)
        return db.execute("COMMIT");
    return db.execute(std::string(details_tables) +
                      "PRAGMA application_id=" + std::to_string(details_kind.application_id) +
                      ";PRAGMA user_version=" + std::to_string(details_kind.version) + ";COMMIT");
}

// Preparing is enough to see that tables, columns and indexes are there.
result<void> check_details(connection& db)
{
    for (const char* sql :
         {"SELECT c.id, c.digest, c.size, m.media_type, m.created, m.created_ns, m.subject_id, t.value, p.os,"
          " p.architecture, p.variant FROM manifest m JOIN content c ON c.id = m.id JOIN text t ON t.id ="
          " m.media_type_id JOIN platform p ON p.id = m.platform_id WHERE m.artifact_type_id = 1",
          "SELECT manifest_id, position, content_id, media_type_id, elsewhere FROM blob",
          "SELECT manifest_id, position, content_id, media_type, platform_id, describes_id FROM child"
          " INDEXED BY child_content WHERE content_id = ?1",
          "SELECT manifest_id, kind, key_id, value FROM pair", "SELECT id FROM absent",
          "SELECT r.name, s.subject_id, s.content_id, a.subject_id FROM repository r, referrer s, asked a"}) {
        const result<statement> prepared = db.prepare(sql);
        if (!prepared)
            return prepared.error();
    }
    return {};
}

bool is_empty_file(const std::filesystem::path& file)
{
    std::error_code ec;
    return std::filesystem::is_regular_file(file, ec) && std::filesystem::file_size(file, ec) == 0 && !ec;
}

} // namespace

error details_store::impl::damaged(std::string_view what) const
{
    const std::string name = file.empty() ? "the details" : "the details file '" + file.string() + "'";
    return {errc::bad_file, name + " is damaged: " + std::string(what) + "; " + std::string(details_kind.repair)};
}

details_store::details_store(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
details_store::details_store(details_store&&) noexcept = default;
details_store& details_store::operator=(details_store&&) noexcept = default;
details_store::~details_store() = default;

std::filesystem::path details_store::beside(const std::filesystem::path& index_file)
{
    return index_file.empty() ? index_file : with_suffix(resolve_links(index_file), ".details");
}

result<details_store> details_store::open(const std::filesystem::path& file)
{
    std::error_code ec;
    const bool fresh = file.empty() || !std::filesystem::exists(file, ec) || is_empty_file(file);
    if (!fresh) {
        if (const auto fine = sqlite::check_header(file, details_kind); !fine)
            return fine.error();
    }
    const bool read_only = !fresh && ::access(file.c_str(), W_OK) != 0;
    result<connection> db =
        connection::open(file, read_only ? connection::mode::read_only : connection::mode::create, details_kind);
    if (!db)
        return db.error();
    if (const auto done = db->execute(details_pragmas); !done)
        return done.error();
    if (fresh) {
        if (const auto done = create_details(*db); !done)
            return done.error();
    }
    if (const auto fine = check_details(*db); !fine)
        return fine.error();
    return details_store(std::make_unique<impl>(*std::move(db), file));
}

result<std::int64_t> details_store::impl::row_of(const digest& d) const
{
    auto query = db.cached("SELECT id FROM content WHERE digest = ?1");
    if (!query)
        return query.error();
    const result<bool> row = query->bind(1, d.bytes()).step();
    if (!row)
        return row.error();
    return *row ? query->integer(0) : 0;
}

result<digest> details_store::impl::digest_at(std::int64_t row) const
{
    auto query = db.cached("SELECT digest FROM content WHERE id = ?1");
    if (!query)
        return query.error();
    const result<bool> found = query->bind(1, row).step();
    if (!found)
        return found.error();
    if (!*found)
        return damaged("a digest is missing");
    const result<digest> d = digest::from_bytes(query->blob(0));
    return d ? d : damaged("a digest has neither 32 nor 64 bytes");
}

result<bool> details_store::impl::knows(std::int64_t row) const
{
    auto query = db.cached("SELECT 1 FROM manifest WHERE id = ?1");
    if (!query)
        return query.error();
    return query->bind(1, row).step();
}

result<bool> details_store::knows(const digest& d) const
{
    const result<std::int64_t> row = impl_->row_of(d);
    if (!row)
        return row.error();
    return *row == 0 ? result<bool>(false) : impl_->knows(*row);
}

namespace {

result<void> read_blobs(connection& db, std::int64_t row, manifest_details& into)
{
    auto query = db.cached("SELECT b.position, c.digest, c.size, t.value, b.elsewhere FROM blob b"
                           " JOIN content c ON c.id = b.content_id JOIN text t ON t.id = b.media_type_id"
                           " WHERE b.manifest_id = ?1 ORDER BY b.position");
    if (!query)
        return query.error();
    query->bind(1, row);
    return walk(*query, [&](const statement& r) -> result<bool> {
        const auto d = digest::from_bytes(r.blob(1));
        if (!d)
            return d.error();
        blob_descriptor one{*d, stored_size(r, 2), std::string(r.text(3)), r.integer(4) != 0};
        if (r.integer(0) == 0)
            into.config = std::move(one);
        else
            into.layers.push_back(std::move(one));
        return true;
    });
}

result<void> read_children(connection& db, std::int64_t row, manifest_details& into)
{
    auto query =
        db.cached("SELECT c.digest, c.size, h.media_type, p.os, p.architecture, p.variant, d.digest FROM child h"
                  " JOIN content c ON c.id = h.content_id JOIN platform p ON p.id = h.platform_id"
                  " LEFT JOIN content d ON d.id = h.describes_id WHERE h.manifest_id = ?1 ORDER BY h.position");
    if (!query)
        return query.error();
    query->bind(1, row);
    return walk(*query, [&](const statement& r) -> result<bool> {
        const auto d = digest::from_bytes(r.blob(0));
        if (!d)
            return d.error();
        child_descriptor one{*d, stored_size(r, 1), stored_media_type(r.integer(2)), stored_platform(r, 3), {}};
        if (!r.is_null(6)) {
            const auto about = digest::from_bytes(r.blob(6));
            if (!about)
                return about.error();
            one.describes = *about;
        }
        into.children.push_back(std::move(one));
        return true;
    });
}

result<void> read_pairs(connection& db, std::int64_t row, manifest_details& into)
{
    auto query = db.cached("SELECT p.kind, t.value, p.value FROM pair p JOIN text t ON t.id = p.key_id"
                           " WHERE p.manifest_id = ?1 ORDER BY p.kind, t.value");
    if (!query)
        return query.error();
    query->bind(1, row);
    return walk(*query, [&](const statement& r) -> result<bool> {
        auto& to = r.integer(0) == 0 ? into.annotations : into.labels;
        to.emplace_back(r.text(1), r.text(2));
        return true;
    });
}

} // namespace

result<std::optional<manifest_details>> details_store::find(const digest& d) const
{
    const result<std::int64_t> row = impl_->row_of(d);
    if (!row)
        return row.error();
    auto query = impl_->db.cached(
        "SELECT m.media_type, t.value, c.size, a.value, m.created, m.created_ns, p.os, p.architecture, p.variant,"
        " m.subject_id FROM manifest m JOIN content c ON c.id = m.id JOIN platform p ON p.id = m.platform_id"
        " JOIN text t ON t.id = m.media_type_id JOIN text a ON a.id = m.artifact_type_id WHERE m.id = ?1");
    if (!query)
        return query.error();
    const result<bool> found = query->bind(1, *row).step();
    if (!found)
        return found.error();
    if (!*found)
        return std::nullopt;
    manifest_details out;
    out.digest = d;
    out.type = stored_media_type(query->integer(0));
    out.media_type_name = query->text(1);
    out.size = stored_size(*query, 2).value_or(0);
    out.artifact_type = query->text(3);
    out.created = stored_time(*query, 4, 5);
    out.platform = stored_platform(*query, 6);
    if (!query->is_null(9)) {
        const auto subject = impl_->digest_at(query->integer(9));
        if (!subject)
            return subject.error();
        out.subject = *subject;
    }
    for (const auto read : {read_blobs, read_children, read_pairs})
        if (const auto done = read(impl_->db, *row, out); !done)
            return done.error();
    return out;
}

result<bool> details_store::is_absent(const digest& d) const
{
    auto query = impl_->db.cached("SELECT 1 FROM content c JOIN absent a ON a.id = c.id WHERE c.digest = ?1");
    if (!query)
        return query.error();
    return query->bind(1, d.bytes()).step();
}

result<std::optional<bool>> details_store::tells_referrers() const
{
    auto query = impl_->db.cached("SELECT value FROM meta WHERE key = 'referrers_api'");
    if (!query)
        return query.error();
    const result<bool> found = query->step();
    if (!found)
        return found.error();
    return *found ? std::optional(query->integer(0) != 0) : std::nullopt;
}

result<bool> details_store::asked_referrers(std::string_view repository, const digest& subject) const
{
    auto query = impl_->db.cached("SELECT 1 FROM repository r JOIN content c ON c.digest = ?2"
                                  " JOIN asked a ON a.repository_id = r.id AND a.subject_id = c.id WHERE r.name = ?1");
    if (!query)
        return query.error();
    return query->bind(1, repository).bind(2, subject.bytes()).step();
}

result<std::uint64_t> details_store::manifests() const
{
    const result<std::int64_t> count = impl_->db.integer("SELECT count(*) FROM manifest");
    if (!count)
        return count.error();
    return static_cast<std::uint64_t>(*count);
}

} // namespace regsweep