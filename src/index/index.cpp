#include "regsweep/index/index.hpp"

#include "index/index_impl.hpp"
#include "index/json_cache.hpp"
#include "index/schema.hpp"

#include <sqlite3.h>

namespace regsweep {

namespace {

using sqlite::connection;

constexpr const char* repository_columns_by_name =
    "SELECT name, tags, complete, problem FROM repository WHERE name = ?1";
constexpr const char* all_repositories = "SELECT name, tags, complete, problem FROM repository ORDER BY name";
constexpr const char* tags_of_repository =
    "SELECT r.name, t.name, t.digest, t.media_type FROM repository r JOIN tag t ON t.repository_id = r.id"
    " WHERE r.name = ?1 ORDER BY t.name";
constexpr const char* uses_of_digest =
    "SELECT r.name, t.name, t.digest, t.media_type FROM tag t INDEXED BY tag_digest"
    " JOIN repository r ON r.id = t.repository_id WHERE t.digest = ?1 ORDER BY r.name, t.name";
// In the order of the secondary index, whose entries end in the repository's number.
constexpr const char* uses_by_digest =
    "SELECT t.digest, t.repository_id, r.name FROM tag t INDEXED BY tag_digest"
    " JOIN repository r ON r.id = t.repository_id ORDER BY t.digest, t.repository_id";
constexpr const char* one_tag =
    "SELECT t.digest FROM repository r JOIN tag t ON t.repository_id = r.id WHERE r.name = ?1 AND t.name = ?2";

error damaged(const std::filesystem::path& file, std::string_view what)
{
    const std::string name = file.empty() ? "the index" : "the index '" + file.string() + "'";
    return {errc::bad_file, name + " is damaged: " + std::string(what) + "; crawl again to build a new one"};
}

media_type stored_type(std::int64_t value) noexcept
{
    const bool known = value >= 0 && value <= static_cast<std::int64_t>(media_type::schema1_signed);
    return known ? static_cast<media_type>(value) : media_type::unknown;
}

repository_info read_repository(const sqlite::statement& row)
{
    return {std::string(row.text(0)), static_cast<std::uint64_t>(row.integer(1)), row.integer(2) != 0,
            std::string(row.text(3))};
}

// Counts a running visit function for as long as it lives.
class visit_guard
{
public:
    explicit visit_guard(int& count) noexcept : count_(count) { ++count_; }
    visit_guard(const visit_guard&) = delete;
    visit_guard& operator=(const visit_guard&) = delete;
    ~visit_guard() { --count_; }

private:
    int& count_;
};

result<void> visit_tags(sqlite::statement& query, const std::function<bool(const tag_view&)>& visit,
                        const std::filesystem::path& file)
{
    while (true) {
        const result<bool> row = query.step();
        if (!row)
            return row.error();
        if (!*row)
            return {};
        const result<digest> d = digest::from_bytes(query.blob(2));
        if (!d)
            return damaged(file, "a digest has neither 32 nor 64 bytes");
        if (!visit({query.text(0), query.text(1), *d, stored_type(query.integer(3))}))
            return {};
    }
}

result<connection> open_database(const std::filesystem::path& file)
{
    using mode = connection::mode;
    if (const auto fine = sqlite::check_header(file, schema::index_kind); !fine)
        return fine.error();
    result<connection> db = connection::open(file, mode::read_only, schema::index_kind);
    if (!db)
        return db.error();
    result<void> fine = schema::check_finished(*db, file.string());
    // A change that was killed left its journal, which only a writer can roll back.
    const int code = sqlite3_extended_errcode(db->raw());
    if (!fine &&
        (code == SQLITE_READONLY_ROLLBACK || code == SQLITE_READONLY_RECOVERY || code == SQLITE_READONLY_CANTINIT)) {
        db = connection::open(file, mode::read_write, schema::index_kind);
        if (!db)
            return db.error();
        fine = schema::check_finished(*db, file.string());
    }
    if (!fine)
        return fine.error();
    return db;
}

result<connection> load_json(const std::filesystem::path& file)
{
    result<connection> db = connection::open({}, connection::mode::create, schema::index_kind);
    if (!db)
        return db.error();
    if (const auto done = db->execute("PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536");
        !done)
        return done.error();
    if (const auto done = schema::create(*db); !done)
        return done.error();
    if (const auto done = db->execute("BEGIN"); !done)
        return done.error();
    if (const auto done = json_cache::read(file, *db); !done)
        return done.error();
    if (const auto done = db->execute("COMMIT"); !done)
        return done.error();
    if (const auto done = schema::finish(*db, 0); !done)
        return done.error();
    return db;
}

} // namespace

bool json_cache::is_json_name(const std::filesystem::path& file)
{
    return file.extension() == ".json";
}

index::index(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
index::index(index&&) noexcept = default;
index& index::operator=(index&&) noexcept = default;
index::~index() = default;

result<index> index::open(const std::filesystem::path& file)
{
    const std::filesystem::path real = resolve_links(file);
    const result<bool> json = json_cache::looks_like_one(real);
    if (!json)
        return json.error();
    result<connection> db = *json ? load_json(real) : open_database(real);
    if (!db)
        return db.error();
    return index(std::make_unique<impl>(std::move(*db), *json ? std::filesystem::path() : real));
}

result<index_summary> index::summary() const
{
    connection& db = impl_->db;
    index_summary found;
    for (auto [key, text] : {std::pair{"registry", &found.registry}, std::pair{"scope", &found.scope}}) {
        result<std::string> value = schema::meta(db, key);
        if (!value)
            return value.error();
        *text = std::move(*value);
    }
    auto query = db.cached("SELECT count(*), ifnull(sum(tags), 0), ifnull(sum(NOT complete), 0),"
                           " (SELECT value FROM meta WHERE key = 'finished_at'),"
                           " (SELECT value FROM meta WHERE key = 'digests') FROM repository");
    if (!query)
        return query.error();
    if (const result<bool> row = query->step(); !row)
        return row.error();
    found.repositories = static_cast<std::uint64_t>(query->integer(0));
    found.tags = static_cast<std::uint64_t>(query->integer(1));
    found.incomplete = static_cast<std::uint64_t>(query->integer(2));
    found.finished_at = query->integer(3);
    found.digests = static_cast<std::uint64_t>(query->integer(4));
    return found;
}

result<void> index::for_each_repository(const std::function<bool(const repository_info&)>& visit) const
{
    auto query = impl_->db.cached(all_repositories);
    if (!query)
        return query.error();
    const visit_guard guard(impl_->visits);
    while (true) {
        const result<bool> row = query->step();
        if (!row)
            return row.error();
        if (!*row || !visit(read_repository(*query)))
            return {};
    }
}

result<std::optional<repository_info>> index::find_repository(std::string_view name) const
{
    auto query = impl_->db.cached(repository_columns_by_name);
    if (!query)
        return query.error();
    const result<bool> row = query->bind(1, name).step();
    if (!row)
        return row.error();
    if (!*row)
        return std::nullopt;
    return read_repository(*query);
}

result<void> index::for_each_tag(std::string_view repository, const std::function<bool(const tag_view&)>& visit) const
{
    auto query = impl_->db.cached(tags_of_repository);
    if (!query)
        return query.error();
    const visit_guard guard(impl_->visits);
    query->bind(1, repository);
    return visit_tags(*query, visit, impl_->file);
}

result<void> index::for_each_use(const digest& d, const std::function<bool(const tag_view&)>& visit) const
{
    auto query = impl_->db.cached(uses_of_digest);
    if (!query)
        return query.error();
    const visit_guard guard(impl_->visits);
    query->bind(1, d.bytes());
    return visit_tags(*query, visit, impl_->file);
}

result<void> index::for_each_digest(const std::function<bool(const digest&, std::string_view)>& visit) const
{
    auto query = impl_->db.cached(uses_by_digest);
    if (!query)
        return query.error();
    const visit_guard guard(impl_->visits);
    digest last;
    std::int64_t last_repository = 0;
    while (true) {
        const result<bool> row = query->step();
        if (!row)
            return row.error();
        if (!*row)
            return {};
        const result<digest> d = digest::from_bytes(query->blob(0));
        if (!d)
            return damaged(impl_->file, "a digest has neither 32 nor 64 bytes");
        if (*d == last && query->integer(1) == last_repository)
            continue;
        last = *d;
        last_repository = query->integer(1);
        if (!visit(last, query->text(2)))
            return {};
    }
}

result<std::optional<digest>> index::find(std::string_view repository, std::string_view tag) const
{
    return impl_->find(repository, tag);
}

result<std::uint64_t> index::remove_digests(std::string_view repository, std::span<const digest> which)
{
    return impl_->apply([&] { return impl_->remove(repository, which); });
}

result<void> index::remove_tag(std::string_view repository, std::string_view tag)
{
    return impl_->apply([&] { return impl_->remove_one(repository, tag); });
}

result<void> index::put_tag(std::string_view repository, std::string_view tag, const digest& d, media_type type)
{
    if (repository.empty() || tag.empty() || d.empty())
        return error(errc::bad_argument, "a tag put into the index needs a repository, a name and a digest");
    return impl_->apply([&] { return impl_->put(repository, tag, d, type); });
}

result<void> index::begin()
{
    if (impl_->grouped)
        return error(errc::bad_argument, "a group of changes of the index has begun already; commit it first");
    if (const auto ready = impl_->open_for_writing(); !ready)
        return ready;
    if (const auto done = impl_->db.execute("BEGIN IMMEDIATE"); !done)
        return done;
    impl_->grouped = true;
    return {};
}

result<void> index::commit()
{
    if (!impl_->grouped)
        return error(errc::bad_argument, "there is no group of changes of the index to commit; begin one first");
    if (impl_->visits > 0)
        return error(errc::bad_argument, "the index cannot be changed from a visit function; collect first");
    if (const auto done = impl_->db.execute("COMMIT"); !done) {
        rollback();
        return done;
    }
    impl_->grouped = false;
    return {};
}

void index::rollback() noexcept
{
    if (!impl_->grouped)
        return;
    impl_->db.rollback();
    impl_->grouped = false;
}

result<void> index::write_json(const std::filesystem::path& file) const
{
    return json_cache::write(impl_->db, file);
}

result<void> index::impl::open_for_writing()
{
    if (visits > 0)
        return error(errc::bad_argument, "the index cannot be changed from a visit function; collect first");
    if (file.empty() || lock.held())
        return {};
    result<file_lock> taken = file_lock::acquire(file, schema::index_kind.noun);
    if (!taken)
        return taken.error();
    result<connection> writable = connection::open(file, connection::mode::read_write, schema::index_kind);
    if (!writable)
        return writable.error();
    // A crawl may have put another file under the name since this one was opened.
    if (const auto fine = sqlite::check_header(file, schema::index_kind); !fine)
        return fine;
    if (const auto fine = schema::check_finished(*writable, file.string()); !fine)
        return fine;
    db = std::move(*writable);
    lock = std::move(*taken);
    return {};
}

template<class Change>
auto index::impl::apply(Change change) -> decltype(change())
{
    if (const auto ready = open_for_writing(); !ready)
        return ready.error();
    if (!grouped)
        if (const auto begun = db.run("BEGIN IMMEDIATE"); !begun)
            return begun.error();
    auto done = change();
    if (done && grouped)
        return done;
    if (done) {
        const auto committed = db.run("COMMIT");
        if (committed)
            return done;
        done = committed.error();
    }
    // All of a group: to take back one of its changes, SQLite would copy every page that a change touches.
    db.rollback();
    grouped = false;
    return done;
}

result<std::optional<digest>> index::impl::find(std::string_view repository, std::string_view tag)
{
    auto query = db.cached(one_tag);
    if (!query)
        return query.error();
    const result<bool> row = query->bind(1, repository).bind(2, tag).step();
    if (!row)
        return row.error();
    if (!*row)
        return std::nullopt;
    result<digest> d = digest::from_bytes(query->blob(0));
    if (!d)
        return damaged(file, "a digest has neither 32 nor 64 bytes");
    return *d;
}

result<bool> index::impl::in_use(const digest& d)
{
    auto query = db.cached("SELECT 1 FROM tag INDEXED BY tag_digest WHERE digest = ?1 LIMIT 1");
    if (!query)
        return query.error();
    return query->bind(1, d.bytes()).step();
}

result<void> index::impl::count_tags(std::int64_t repository, std::int64_t more)
{
    auto update = db.cached("UPDATE repository SET tags = tags + ?1 WHERE id = ?2");
    if (!update)
        return update.error();
    return update->bind(1, more).bind(2, repository).run();
}

result<void> index::impl::count_digests(std::int64_t more)
{
    auto update = db.cached("UPDATE meta SET value = value + ?1 WHERE key = 'digests'");
    if (!update)
        return update.error();
    return update->bind(1, more).run();
}

result<std::int64_t> index::impl::find_or_add(std::string_view repository)
{
    auto query = db.cached("SELECT id FROM repository WHERE name = ?1");
    if (!query)
        return query.error();
    const result<bool> row = query->bind(1, repository).step();
    if (!row)
        return row.error();
    if (*row)
        return query->integer(0);
    auto add = db.cached("INSERT INTO repository(name, problem) VALUES(?1, 'only what was restored of it is known')");
    if (!add)
        return add.error();
    if (const auto done = add->bind(1, repository).run(); !done)
        return done.error();
    return db.last_id();
}

result<void> index::impl::put(std::string_view repository, std::string_view tag, const digest& d, media_type type)
{
    // Taking the old one out first keeps the counts in one place.
    if (const auto done = remove_one(repository, tag); !done)
        return done;
    const result<std::int64_t> id = find_or_add(repository);
    if (!id)
        return id.error();
    const result<bool> known = in_use(d);
    if (!known)
        return known.error();
    auto add = db.cached("INSERT INTO tag(repository_id, name, digest, media_type) VALUES(?1, ?2, ?3, ?4)");
    if (!add)
        return add.error();
    add->bind(1, *id).bind(2, tag).bind(3, d.bytes()).bind(4, static_cast<std::int64_t>(type));
    if (const auto done = add->run(); !done)
        return done;
    if (const auto done = count_tags(*id, 1); !done)
        return done;
    return *known ? result<void>() : count_digests(1);
}

result<std::uint64_t> index::impl::remove(std::string_view repository, std::span<const digest> which)
{
    auto query = db.cached("SELECT id FROM repository WHERE name = ?1");
    if (!query)
        return query.error();
    const result<bool> row = query->bind(1, repository).step();
    if (!row)
        return row.error();
    if (!*row)
        return std::uint64_t{0};
    const std::int64_t id = query->integer(0);
    auto remove = db.cached("DELETE FROM tag INDEXED BY tag_digest WHERE digest = ?1 AND repository_id = ?2");
    if (!remove)
        return remove.error();
    int tags = 0;
    int unused = 0;
    for (const digest& d : which) {
        if (const auto done = remove->bind(1, d.bytes()).bind(2, id).run(); !done)
            return done.error();
        const int removed = db.changes();
        if (removed == 0)
            continue;
        tags += removed;
        const result<bool> left = in_use(d);
        if (!left)
            return left.error();
        unused += *left ? 0 : 1;
    }
    if (tags == 0)
        return std::uint64_t{0};
    if (const auto done = count_tags(id, -tags); !done)
        return done.error();
    if (unused != 0)
        if (const auto done = count_digests(-unused); !done)
            return done.error();
    return static_cast<std::uint64_t>(tags);
}

result<void> index::impl::remove_one(std::string_view repository, std::string_view tag)
{
    const result<std::optional<digest>> old = find(repository, tag);
    if (!old)
        return old.error();
    if (!*old)
        return {};
    const result<std::int64_t> id = find_or_add(repository);
    if (!id)
        return id.error();
    auto remove = db.cached("DELETE FROM tag WHERE repository_id = ?1 AND name = ?2");
    if (!remove)
        return remove.error();
    if (const auto done = remove->bind(1, *id).bind(2, tag).run(); !done)
        return done;
    if (const auto done = count_tags(*id, -1); !done)
        return done;
    const result<bool> left = in_use(**old);
    if (!left)
        return left.error();
    return *left ? result<void>() : count_digests(-1);
}

} // namespace regsweep
