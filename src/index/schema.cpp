#include "index/schema.hpp"

#include <string>

namespace regsweep::schema {

namespace {

// `complete` begins as 0: what a crawl did not finish stays marked without a further step.
// Digests stand in the tag rows as raw bytes: a table of digests would have to be held or searched while crawling.
constexpr const char* tables = R"(
CREATE TABLE meta(
    key TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;
CREATE TABLE repository(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    tags INTEGER NOT NULL DEFAULT 0,
    complete INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT 'the crawl ended before all of it was read'
);
CREATE TABLE tag(
    repository_id INTEGER NOT NULL REFERENCES repository(id),
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    media_type INTEGER NOT NULL,
    PRIMARY KEY(repository_id, name)
) WITHOUT ROWID;
CREATE VIEW image AS
SELECT r.name AS repository, t.name AS tag,
       CASE length(t.digest) WHEN 32 THEN 'sha256:' ELSE 'sha512:' END || lower(hex(t.digest)) AS digest,
       CASE t.media_type
           WHEN 1 THEN 'application/vnd.docker.distribution.manifest.v2+json'
           WHEN 2 THEN 'application/vnd.docker.distribution.manifest.list.v2+json'
           WHEN 3 THEN 'application/vnd.oci.image.manifest.v1+json'
           WHEN 4 THEN 'application/vnd.oci.image.index.v1+json'
           WHEN 5 THEN 'application/vnd.docker.distribution.manifest.v1+json'
           WHEN 6 THEN 'application/vnd.docker.distribution.manifest.v1+prettyjws'
       END AS media_type
FROM tag t JOIN repository r ON r.id = t.repository_id;
INSERT INTO meta(key, value) VALUES('state', 'building');
)";

constexpr const char* set_meta_sql = "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)";

} // namespace

result<void> create(sqlite::connection& db)
{
    const std::string sql = "BEGIN IMMEDIATE;" + std::string(tables) +
                            "PRAGMA application_id=" + std::to_string(index_kind.application_id) +
                            ";PRAGMA user_version=" + std::to_string(index_kind.version) + ";COMMIT";
    return db.execute(sql);
}

namespace {

result<void> store_digest_count(sqlite::connection& db)
{
    // In the order of the secondary index this needs no memory, however many digests there are.
    auto query = db.prepare("SELECT count(DISTINCT digest), (SELECT count(*) FROM tag INDEXED BY tag_digest),"
                            " (SELECT ifnull(sum(tags), 0) FROM repository) FROM tag INDEXED BY tag_digest");
    if (!query)
        return query.error();
    if (const result<bool> row = query->step(); !row)
        return row.error();
    if (query->integer(1) != query->integer(2))
        return error(errc::bad_file, "the index does not hold as many tags as were written to it (" +
                                         std::to_string(query->integer(1)) + ", not " +
                                         std::to_string(query->integer(2)) + "); crawl again without resuming");
    return set_meta(db, "digests", query->integer(0));
}

} // namespace

result<void> finish(sqlite::connection& db, std::int64_t finished_at)
{
    const auto steps = [&]() -> result<void> {
        // The sorter makes runs of this size: those that fit the processor's cache are built twice as fast.
        if (const auto done = db.execute("PRAGMA cache_size=-1024"); !done)
            return done;
        if (const auto done = db.execute("BEGIN IMMEDIATE; DROP INDEX IF EXISTS tag_digest;"
                                         "CREATE INDEX tag_digest ON tag(digest);"
                                         "UPDATE repository SET tags = (SELECT count(*) FROM tag"
                                         " WHERE repository_id = repository.id) WHERE NOT complete");
            !done)
            return done;
        if (const auto done = store_digest_count(db); !done)
            return done;
        if (const auto done = set_meta(db, "finished_at", finished_at); !done)
            return done;
        if (const auto done = set_meta(db, "state", std::string_view("finished")); !done)
            return done;
        return db.execute("COMMIT; PRAGMA cache_size=-32768");
    };
    const result<void> done = steps();
    if (!done)
        db.rollback();
    return done;
}

result<void> check_finished(sqlite::connection& db, std::string_view name)
{
    // Preparing is enough to see that tables, columns and the secondary index are there.
    for (const char* sql : {"SELECT id, name, tags, complete, problem FROM repository",
                            "SELECT repository_id, name, digest, media_type FROM tag INDEXED BY tag_digest"
                            " WHERE digest = ?1"}) {
        const result<sqlite::statement> prepared = db.prepare(sql);
        if (!prepared) {
            const result<std::string> state = meta(db, "state");
            if (state && *state == "building")
                break; // said better below
            return prepared.error();
        }
    }
    const result<std::string> state = meta(db, "state");
    if (!state)
        return state.error();
    if (*state != "finished")
        return error(errc::bad_file, "'" + std::string(name) +
                                         "' is an index whose crawl has not ended; resume that crawl to finish it");
    return {};
}

result<std::string> meta(sqlite::connection& db, std::string_view key)
{
    auto query = db.cached("SELECT value FROM meta WHERE key = ?1");
    if (!query)
        return query.error();
    const result<bool> row = query->bind(1, key).step();
    if (!row)
        return row.error();
    return *row ? std::string(query->text(0)) : std::string();
}

result<void> set_meta(sqlite::connection& db, std::string_view key, std::string_view value)
{
    auto change = db.cached(set_meta_sql);
    if (!change)
        return change.error();
    return change->bind(1, key).bind(2, value).run();
}

result<void> set_meta(sqlite::connection& db, std::string_view key, std::int64_t value)
{
    auto change = db.cached(set_meta_sql);
    if (!change)
        return change.error();
    return change->bind(1, key).bind(2, value).run();
}

} // namespace regsweep::schema
