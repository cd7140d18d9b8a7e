#ifndef REGSWEEP_SWEEP_JOURNAL_HPP
#define REGSWEEP_SWEEP_JOURNAL_HPP

#include "regsweep/core/digest.hpp"
#include "regsweep/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// How an entry takes something out of the registry. The values are stored; never renumber them.
enum class journal_kind : std::uint8_t {
    remove = 0, ///< the manifest is deleted by its digest, and with it every tag that points to it
    untag = 1,  ///< a placeholder manifest is put under one tag and deleted by its own digest; the image stays
};

/// What became of an entry. The values are stored; never renumber them.
enum class journal_state : std::uint8_t {
    intended = 0, ///< written before the request; whether that reached the registry is not known
    done = 1,     ///< the registry accepted the delete
    gone = 2,     ///< it was not there any more
    failed = 3,   ///< it is still there
    restored = 4, ///< it was put back
    unneeded = 5, ///< written in case a request takes more than is asked for, which it did not
};
inline constexpr std::size_t journal_states = 6;

/// The values are stored; never renumber them.
enum class run_state : std::uint8_t {
    running = 0,
    done = 1,
    interrupted = 2, ///< stopped on request, failed, or its process ended without a word
};

/// What is about to be taken out of the registry, with all that is needed to put it back.
struct journal_intent
{
    std::string repository;
    regsweep::digest digest; ///< of the manifest; for `untag`, what the tag pointed to
    journal_kind kind = journal_kind::remove;
    std::string media_type{};        ///< the manifest's Content-Type, in full
    std::vector<std::string> tags{}; ///< all that point to `digest` in this repository; for `untag`, the one
    std::string manifest{};          ///< its bytes as received; empty: it cannot be restored
    regsweep::digest placeholder{};  ///< for `untag`: the digest of the placeholder manifest
};

/// What became of an intent.
struct journal_outcome
{
    std::int64_t entry = 0; ///< as `add_intents` returned it
    journal_state state = journal_state::done;
    std::string message{}; ///< why it failed
};

/// An intent and its outcome, as stored; without the manifest, which `journal::manifest` gives.
struct journal_entry
{
    std::int64_t id = 0;
    std::int64_t run = 0;
    std::string repository;
    regsweep::digest digest;
    journal_kind kind = journal_kind::remove;
    std::string media_type;
    std::vector<std::string> tags; ///< sorted bytewise
    regsweep::digest placeholder;
    bool restorable = false; ///< the manifest's bytes are there
    journal_state state = journal_state::intended;
    std::string message;
    std::int64_t intended_at = 0; ///< seconds since 1970, UTC
    std::int64_t settled_at = 0;  ///< when `state` was last set; 0 while intended
};

/// One run of a program that deletes.
struct journal_run
{
    std::int64_t id = 0;
    std::string registry;         ///< `registry_address::canonical()`
    std::string command;          ///< what the user asked for, without secrets
    std::int64_t started_at = 0;  ///< seconds since 1970, UTC
    std::int64_t finished_at = 0; ///< 0 if it did not say when it ended
    run_state state = run_state::running;
    std::uint64_t counts[journal_states] = {}; ///< entries by `journal_state`

    std::uint64_t count(journal_state s) const noexcept { return counts[static_cast<std::size_t>(s)]; }
};

/// What `journal::prune` removed.
struct prune_result
{
    std::uint64_t runs = 0;
    std::uint64_t entries = 0;
    std::uint64_t freed_bytes = 0; ///< how much shorter the file became
};

/// The record of what was deleted, a SQLite file. An intent is on disk before its request may be sent, so that no
/// delete that reached the registry goes without a record, whether the process is killed or the power fails; and what
/// was deleted can be put back. Several processes may use one journal; each waits up to 10 seconds for the other's
/// group. One thread at a time. Functions fail with `errc::io`, `errc::bad_file`, `errc::locked`; times are seconds
/// since 1970.
/// `<file>.lock` beside it tells running runs from those whose process has ended; leave it there.
class journal
{
public:
    /// Opens the journal, making one if there is none. A foreign, damaged or newer file (`errc::bad_file`,
    /// `errc::newer_version`) is left as it is.
    static result<journal> open(const std::filesystem::path& file);

    journal(journal&&) noexcept;
    journal& operator=(journal&&) noexcept;
    ~journal();

    /// Records the beginning of a run and returns its number. It counts as running until `finish_run`, or until this
    /// object or its process ends.
    result<std::int64_t> begin_run(std::string_view registry, std::string_view command);

    /// Records intents as one group and returns their entries' numbers in the same order. When it returns they
    /// survive a kill and a power failure: only then send the requests. Groups of some hundred cost little each.
    /// Records what became of earlier entries in the same group, which costs less than a group of its own.
    /// Fails with `errc::bad_argument` for an intent without repository or digest, or an `untag` without placeholder.
    result<std::vector<std::int64_t>> add_intents(std::int64_t run, std::span<const journal_intent> intents,
                                                  std::span<const journal_outcome> outcomes = {});

    /// Records what became of entries, of this or an earlier run, as one group. What is not recorded because of a
    /// kill is found by `unfinished`. Fails with `errc::bad_argument`, recording nothing, for an unknown entry.
    result<void> add_outcomes(std::span<const journal_outcome> outcomes);

    /// Records the end of a run: `done` or `interrupted`.
    result<void> finish_run(std::int64_t run, run_state state);

    /// All runs, oldest first. One that did not finish and whose process has ended is `interrupted`.
    result<std::vector<journal_run>> runs() const;

    /// Up to `limit` entries of a run with numbers above `after`, in the order they were added.
    result<std::vector<journal_entry>> entries(std::int64_t run, std::int64_t after, std::size_t limit) const;

    /// Calls `visit` for every entry of a run, in the order they were added; `visit` may use the journal, and returns
    /// false to stop.
    result<void> for_each_entry(std::int64_t run, const std::function<bool(const journal_entry&)>& visit) const;

    /// The manifest's bytes; nothing if the entry is unknown or was recorded without.
    result<std::optional<std::string>> manifest(std::int64_t entry) const;

    /// The entries of runs that have ended which are still `intended`: whether their requests reached the registry
    /// must be looked up there. Of one registry, or of all for an empty name.
    result<std::vector<journal_entry>> unfinished(std::string_view registry = {}) const;

    /// Records that entries were put back. Fails with `errc::bad_argument`, recording nothing, for an unknown entry.
    result<void> mark_restored(std::span<const std::int64_t> entries);

    /// Removes the runs that ended before `older_than` with their entries and the manifests nobody else needs, and
    /// makes the file shorter. Keeps running runs and those with unfinished entries.
    result<prune_result> prune(std::int64_t older_than);

private:
    struct impl;
    explicit journal(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
