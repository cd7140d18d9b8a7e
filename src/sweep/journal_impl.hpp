#ifndef REGSWEEP_SRC_SWEEP_JOURNAL_IMPL_HPP
#define REGSWEEP_SRC_SWEEP_JOURNAL_IMPL_HPP

#include "core/files.hpp"
#include "index/sqlite.hpp"
#include "regsweep/sweep/journal.hpp"

#include <unordered_map>

namespace regsweep {

/// 'rswj' in ASCII.
inline constexpr sqlite::file_kind journal_file{
    "journal", "keep it for `sqlite3 FILE .recover`, and name another journal for what is to be deleted now",
    0x7273776a, 2};

/// What `read_entry` reads, in its order.
inline constexpr const char* journal_entry_columns = "id, run_id, repository, digest, kind, media_type, placeholder,"
                                                     " manifest_id IS NOT NULL, state, message, intended_at,"
                                                     " settled_at";

/// Locks on single bytes of one file that no data is in: byte 0 for making the journal, byte n for run n. They belong
/// to the open file and not to the process, and the kernel lets go of them however that ends.
class byte_locks
{
public:
    /// Opens `<journal_name>.lock`, making it if there is none.
    static result<byte_locks> open(const std::filesystem::path& journal_name);

    result<void> lock(std::int64_t byte);
    result<void> unlock(std::int64_t byte);

    /// Whether another open file holds it; one's own locks do not count.
    result<bool> held_elsewhere(std::int64_t byte) const;

private:
    result<void> change(std::int64_t byte, short type);

    file_handle handle_;
    std::filesystem::path name_;
};

/// Opens a journal for reading and writing, makes it if there is none, and sees that it is one.
result<sqlite::connection> open_journal_file(const std::filesystem::path& file, byte_locks& locks);

struct journal::impl
{
    std::filesystem::path file;
    byte_locks locks;
    sqlite::connection db;
    std::vector<std::int64_t> own_runs; // running ones
    /// Manifests that entries of a running run have, so that the same one of other repositories is not written again:
    /// nobody prunes them meanwhile. The last ones only, see `most_written`.
    std::unordered_map<digest, std::int64_t> written;
    static constexpr std::size_t most_written = 65'536;

    impl(std::filesystem::path name, byte_locks held, sqlite::connection connected)
        : file(std::move(name)), locks(std::move(held)), db(std::move(connected))
    {}

    /// Runs `change` as one transaction.
    template<class Change>
    auto apply(Change change) -> decltype(change());

    // journal_write.cpp
    result<std::vector<std::int64_t>> write_intents(std::int64_t run, std::span<const journal_intent> intents);
    result<std::vector<std::int64_t>> add_manifests(std::span<const journal_intent> intents);
    result<void> add_tags(std::int64_t first_entry, std::span<const journal_intent> intents);
    result<void> settle(std::span<const journal_outcome> outcomes);
    result<void> settle_range(std::int64_t first, std::int64_t last, const journal_outcome& as, std::int64_t when);
    result<std::vector<std::int64_t>> prunable(std::int64_t older_than);
    result<prune_result> remove_runs(std::int64_t older_than);

    // journal.cpp
    error damaged(std::string_view what) const;
    result<bool> is_live(std::int64_t run) const;
    result<journal_entry> read_entry(const sqlite::statement& row);
    result<std::vector<journal_entry>> read_entries(sqlite::statement& query);
    result<void> count_entries(journal_run& run);
};

template<class Change>
auto journal::impl::apply(Change change) -> decltype(change())
{
    // A deferred transaction could not wait for another process once it had read.
    if (const auto begun = db.execute("BEGIN IMMEDIATE"); !begun)
        return begun.error();
    auto done = change();
    if (done) {
        const auto committed = db.execute("COMMIT");
        if (committed)
            return done;
        done = committed.error();
    }
    db.rollback();
    written.clear();
    return done;
}

} // namespace regsweep

#endif
