#include "regsweep/index/builder.hpp"

#include "core/files.hpp"
#include "index/builder_file.hpp"
#include "index/index_impl.hpp"
#include "index/json_cache.hpp"
#include "index/schema.hpp"
#include "index/sqlite.hpp"

#include <boost/lockfree/queue.hpp>

#include <sqlite3.h>

#include <array>
#include <atomic>
#include <chrono>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

namespace regsweep {

namespace {

using sqlite::connection;
using clock = std::chrono::steady_clock;

// How long the writer rests while a transaction is open and nothing is queued: short against commit_ms, long enough
// that pushing costs no system call. Without a transaction it sleeps until it is woken.
constexpr std::chrono::milliseconds nap{2};
constexpr std::size_t tags_together = 32;    // in one statement: half the time and a seventh of the allocations of one
constexpr std::size_t most_records = 60'000; // the lock-free queue counts in 16 bits
// What a recycled record may keep.
constexpr std::size_t kept_bytes = 256 * 1024;
constexpr std::size_t kept_entries = 8 * 1024;

std::string insert_sql(std::size_t rows)
{
    std::string sql = "INSERT OR IGNORE INTO tag(repository_id, name, digest, media_type) VALUES";
    for (std::size_t i = 0; i != rows; ++i) {
        const auto place = [&](std::size_t column) { return ",?" + std::to_string(3 * i + column); };
        sql += (i == 0 ? "(?1" : ",(?1") + place(2) + place(3) + place(4) + ")";
    }
    return sql;
}

} // namespace

void index_record::add(std::string_view tag_name)
{
    entry& added = entries.emplace_back();
    added.begin = static_cast<std::uint32_t>(names.size());
    added.length = static_cast<std::uint32_t>(tag_name.size());
    names += tag_name;
}

void index_record::clear() noexcept
{
    repository.clear();
    names.clear();
    entries.clear();
    finished = false;
    complete = true;
    problem.clear();
    if (names.capacity() > kept_bytes)
        names = std::string();
    if (entries.capacity() > kept_entries)
        entries = std::vector<entry>();
}

struct index_builder::impl
{
    using queue = boost::lockfree::queue<index_record*, boost::lockfree::fixed_sized<true>>;

    // A repository between its first record and its last.
    struct open_repository
    {
        std::int64_t id = 0;
        std::int64_t tags = 0;
    };

    explicit impl(index_builder_options given)
        : options(std::move(given)), what(build_target_of(options.file)), records(options.max_records),
          idle(options.max_records), pushed(options.max_records)
    {
        for (index_record& record : records)
            idle.bounded_push(&record);
    }
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;
    ~impl();

    result<void> prepare();
    result<void> prepare_statements();
    void start()
    {
        writer = std::thread([this] { run(); });
    }
    void stop();

    // The writer's thread.
    void run();
    void drain();
    void commit();
    void commit_if_due();
    void fail(error e);
    result<void> write(const index_record& record);
    result<open_repository*> find_or_add(const std::string& name);
    result<void> write_tags(const index_record& record, open_repository& repository);
    result<void> insert(sqlite::statement& with, const index_record& record,
                        std::span<const index_record::entry* const> entries, open_repository& repository);
    result<void> remove_tag(std::string_view tag, open_repository& repository);
    result<void> close_repository(const index_record& record, open_repository& repository);

    result<index> complete();
    result<index> complete_file();

    index_builder_options options;
    build_target what;
    std::filesystem::path part;
    file_lock lock;
    connection db;
    bool resumed = false;

    std::vector<index_record> records;
    queue idle;   // records nobody uses
    queue pushed; // records for the writer
    std::atomic<int> pushes{0};
    std::atomic<bool> stopping{false};
    std::atomic<bool> failed{false};
    error why; // written before `failed` is set, read after
    std::thread writer;

    // The writer's own.
    sqlite::statement insert_tag;
    sqlite::statement insert_tags; // `tags_together` of them
    std::unordered_map<std::string, open_repository> open;
    clock::time_point begun;
};

index_builder::impl::~impl()
{
    stop();
    if (what != build_target::file || !db.is_open())
        return;
    // Tidy only: without it an empty journal stays beside the part, and a part that has nothing to resume.
    static_cast<void>(db.execute("PRAGMA journal_mode=DELETE"));
    const auto repositories = db.integer("SELECT count(*) FROM repository");
    std::error_code ignored;
    if (repositories && *repositories == 0)
        std::filesystem::remove(part, ignored);
}

result<void> index_builder::impl::prepare()
{
    if (what != build_target::memory) {
        options.file = resolve_links(options.file);
        result<file_lock> taken = file_lock::acquire(options.file, schema::index_kind.noun);
        if (!taken)
            return taken.error();
        lock = std::move(*taken);
        if (const auto fine = check_replaceable(options.file, what); !fine)
            return fine;
    }
    if (what == build_target::file)
        part = with_suffix(options.file, ".part");
    if (what == build_target::file && options.resume) {
        result<connection> found = open_part(part, options);
        if (!found)
            return found.error();
        db = std::move(*found);
        resumed = db.is_open();
    }
    if (!resumed) {
        result<connection> made = create_part(part);
        if (!made)
            return made.error();
        db = std::move(*made);
    }
    return prepare_statements();
}

result<void> index_builder::impl::prepare_statements()
{
    if (const auto done = schema::set_meta(db, "registry", std::string_view(options.registry)); !done)
        return done;
    if (const auto done = schema::set_meta(db, "scope", std::string_view(options.scope)); !done)
        return done;
    for (auto [into, rows] : {std::pair(&insert_tag, std::size_t{1}), std::pair(&insert_tags, tags_together)}) {
        result<sqlite::statement> made = db.prepare(insert_sql(rows).c_str());
        if (!made)
            return made.error();
        *into = std::move(*made);
    }
    return {};
}

void index_builder::impl::stop()
{
    if (!writer.joinable())
        return;
    stopping.store(true, std::memory_order_release);
    pushes.fetch_add(1, std::memory_order_release);
    pushes.notify_one();
    writer.join();
}

void index_builder::impl::run()
{
    while (true) {
        const int seen = pushes.load(std::memory_order_acquire);
        // Read before the queue is emptied: what was pushed before `stop` is then written.
        const bool last = stopping.load(std::memory_order_acquire);
        drain();
        if (last) {
            commit();
            return;
        }
        if (db.in_transaction()) {
            std::this_thread::sleep_for(nap);
            commit_if_due();
        } else {
            pushes.wait(seen, std::memory_order_acquire);
        }
    }
}

void index_builder::impl::drain()
{
    index_record* record = nullptr;
    while (pushed.pop(record)) {
        // After a failure records only go round, so that nobody waits for one in vain.
        if (!failed.load(std::memory_order_relaxed)) {
            if (const auto done = write(*record); !done)
                fail(done.error());
        }
        record->clear();
        idle.bounded_push(record);
        commit_if_due();
    }
}

void index_builder::impl::commit()
{
    if (!db.in_transaction())
        return;
    if (const auto done = db.execute("COMMIT"); !done)
        fail(done.error());
}

void index_builder::impl::commit_if_due()
{
    if (db.in_transaction() && clock::now() - begun >= std::chrono::milliseconds(options.commit_ms))
        commit();
}

void index_builder::impl::fail(error e)
{
    db.rollback();
    if (failed.load(std::memory_order_relaxed))
        return;
    why = std::move(e);
    failed.store(true, std::memory_order_release);
}

result<void> index_builder::impl::write(const index_record& record)
{
    if (!db.in_transaction()) {
        if (const auto done = db.execute("BEGIN IMMEDIATE"); !done)
            return done;
        begun = clock::now();
    }
    const result<open_repository*> repository = find_or_add(record.repository);
    if (!repository)
        return repository.error();
    if (const auto done = write_tags(record, **repository); !done)
        return done;
    return record.finished ? close_repository(record, **repository) : result<void>();
}

result<index_builder::impl::open_repository*> index_builder::impl::find_or_add(const std::string& name)
{
    const auto [place, added] = open.try_emplace(name);
    open_repository& repository = place->second;
    if (!added)
        return &repository;
    auto insert = db.cached("INSERT OR IGNORE INTO repository(name) VALUES(?1)");
    if (!insert)
        return insert.error();
    if (const auto done = insert->bind(1, std::string_view(name)).run(); !done)
        return done.error();
    if (db.changes() == 1) {
        repository.id = db.last_id();
        return &repository;
    }
    // Known from before the resume, or named twice by the registry: not complete until its end comes again.
    auto known = db.cached("UPDATE repository SET complete = 0 WHERE name = ?1"
                           " RETURNING id, (SELECT count(*) FROM tag WHERE repository_id = repository.id)");
    if (!known)
        return known.error();
    const result<bool> row = known->bind(1, std::string_view(name)).step();
    if (!row)
        return row.error();
    repository = {known->integer(0), known->integer(1)};
    while (true) {
        // SQLite applies the change only when the statement is run to its end.
        const result<bool> more = known->step();
        if (!more)
            return more.error();
        if (!*more)
            return &repository;
    }
}

result<void> index_builder::impl::write_tags(const index_record& record, open_repository& repository)
{
    std::array<const index_record::entry*, tags_together> together{};
    std::size_t count = 0;
    for (const index_record::entry& entry : record.entries) {
        if (entry.what == index_record::state::resolved && !entry.digest.empty()) {
            // Said at once: learning it when the crawl is over would cost the crawl.
            if (what == build_target::json && entry.digest.how() != digest::algorithm::sha256)
                return json_cache::unfit_digest(record.repository, record.tag(entry));
            together[count++] = &entry;
        } else if (entry.what == index_record::state::gone && resumed) {
            if (const auto done = remove_tag(record.tag(entry), repository); !done)
                return done;
        }
        if (count != tags_together)
            continue;
        if (const auto done = insert(insert_tags, record, together, repository); !done)
            return done;
        count = 0;
    }
    for (std::size_t i = 0; i != count; ++i)
        if (const auto done = insert(insert_tag, record, {&together[i], 1}, repository); !done)
            return done;
    return {};
}

// `with` has a row for each of `entries`.
result<void> index_builder::impl::insert(sqlite::statement& with, const index_record& record,
                                         std::span<const index_record::entry* const> entries,
                                         open_repository& repository)
{
    with.bind(1, repository.id);
    int place = 2;
    for (const index_record::entry* entry : entries) {
        with.bind(place, record.tag(*entry)).bind(place + 1, entry->digest.bytes());
        with.bind(place + 2, static_cast<std::int64_t>(entry->type));
        place += 3;
    }
    const int code = with.step_raw();
    with.reset();
    if (code != SQLITE_DONE)
        return db.fail();
    const int inserted = db.changes();
    repository.tags += inserted;
    if (static_cast<std::size_t>(inserted) == entries.size())
        return {};
    // A page of tags that came twice, or tags that moved since the part was written.
    auto update = db.cached("UPDATE tag SET digest = ?1, media_type = ?2 WHERE repository_id = ?3 AND name = ?4");
    if (!update)
        return update.error();
    for (const index_record::entry* entry : entries) {
        update->bind(1, entry->digest.bytes()).bind(2, static_cast<std::int64_t>(entry->type));
        if (const auto done = update->bind(3, repository.id).bind(4, record.tag(*entry)).run(); !done)
            return done;
    }
    return {};
}

result<void> index_builder::impl::remove_tag(std::string_view tag, open_repository& repository)
{
    auto remove = db.cached("DELETE FROM tag WHERE repository_id = ?1 AND name = ?2");
    if (!remove)
        return remove.error();
    if (const auto done = remove->bind(1, repository.id).bind(2, tag).run(); !done)
        return done;
    repository.tags -= db.changes();
    return {};
}

result<void> index_builder::impl::close_repository(const index_record& record, open_repository& repository)
{
    auto update = db.cached("UPDATE repository SET tags = ?1, complete = ?2, problem = ?3 WHERE id = ?4");
    if (!update)
        return update.error();
    const std::string_view problem = record.complete          ? std::string_view()
                                     : record.problem.empty() ? std::string_view("not all of it could be read")
                                                              : std::string_view(record.problem);
    update->bind(1, repository.tags).bind(2, std::int64_t{record.complete}).bind(3, problem).bind(4, repository.id);
    if (const auto done = update->run(); !done)
        return done;
    open.erase(record.repository);
    return {};
}

result<index> index_builder::impl::complete()
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    insert_tag = sqlite::statement();
    insert_tags = sqlite::statement();
    if (const auto done = schema::finish(db, std::chrono::duration_cast<std::chrono::seconds>(now).count()); !done)
        return done.error();
    if (what == build_target::file)
        return complete_file();
    if (what == build_target::json) {
        if (const auto done = json_cache::write(db, options.file); !done)
            return done.error();
    }
    lock.release();
    return index(std::make_unique<index::impl>(std::move(db), std::filesystem::path()));
}

result<index> index_builder::impl::complete_file()
{
    // Leaves one file without a journal beside it.
    if (const auto done = db.execute("PRAGMA journal_mode=DELETE"); !done)
        return done.error();
    db = connection();
    if (const auto done = settle_old_journal(options.file); !done)
        return done.error();
    if (const auto done = rename_durably(part, options.file); !done)
        return done.error();
    lock.release();
    return index::open(options.file);
}

index_builder::index_builder(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
index_builder::~index_builder() = default;

result<std::unique_ptr<index_builder>> index_builder::create(index_builder_options options)
{
    if (options.max_records == 0 || options.max_records > most_records)
        return error(errc::bad_argument,
                     "an index builder needs 1 to 60000 records, not " + std::to_string(options.max_records));
    auto made = std::make_unique<impl>(std::move(options));
    if (const auto done = made->prepare(); !done)
        return done.error();
    made->start();
    return std::unique_ptr<index_builder>(new index_builder(std::move(made)));
}

index_record* index_builder::acquire() noexcept
{
    index_record* record = nullptr;
    return impl_->idle.pop(record) ? record : nullptr;
}

void index_builder::push(index_record* record) noexcept
{
    impl_->pushed.bounded_push(record);
    impl_->pushes.fetch_add(1, std::memory_order_release);
    impl_->pushes.notify_one();
}

void index_builder::release(index_record* record) noexcept
{
    record->clear();
    impl_->idle.bounded_push(record);
}

bool index_builder::failed() const noexcept
{
    return impl_->failed.load(std::memory_order_acquire);
}

bool index_builder::already_finished(std::string_view repository) const
{
    if (!impl_->resumed)
        return false;
    auto query = impl_->db.prepare("SELECT complete FROM repository WHERE name = ?1");
    if (!query)
        return false;
    return query->bind(1, repository).step_raw() == SQLITE_ROW && query->integer(0) != 0;
}

std::vector<std::string> index_builder::already_resolved(std::string_view repository) const
{
    std::vector<std::string> tags;
    if (!impl_->resumed)
        return tags;
    auto query = impl_->db.prepare("SELECT name FROM tag WHERE repository_id ="
                                   " (SELECT id FROM repository WHERE name = ?1) ORDER BY name");
    if (!query)
        return tags;
    query->bind(1, repository);
    // What cannot be read is resolved again; the writer may be using the connection's error text.
    while (query->step_raw() == SQLITE_ROW)
        tags.emplace_back(query->text(0));
    return tags;
}

bool index_builder::resumed() const noexcept
{
    return impl_->resumed;
}

result<index> index_builder::finish()
{
    impl_->stop();
    if (failed())
        return impl_->why;
    if (!impl_->db.is_open())
        return error(errc::bad_argument, "this index is finished already; build another with another builder");
    return impl_->complete();
}

} // namespace regsweep
