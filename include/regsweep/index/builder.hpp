#ifndef REGSWEEP_INDEX_BUILDER_HPP
#define REGSWEEP_INDEX_BUILDER_HPP

#include "regsweep/index/index.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// What crawler and builder hand to each other: some tags of one repository, resolved, or its end, or both.
/// Records are recycled, so that a crawl allocates none in steady state.
struct index_record
{
    /// What became of one tag. A `state` other than `resolved` leaves it out of the index; after a resume, `gone` also
    /// takes out what the part held of it.
    enum class state : std::uint8_t { pending, resolved, gone, failed };
    struct entry
    {
        std::uint32_t begin = 0; ///< the tag's place in `names`
        std::uint32_t length = 0;
        state what = state::pending;
        media_type type = media_type::unknown;
        regsweep::digest digest;
    };

    std::string repository;
    std::string names; ///< the tags' names, one after the other
    std::vector<entry> entries;
    bool finished = false; ///< no further record of this repository follows
    bool complete = true;  ///< with `finished`: everything of it was read
    std::string problem;   ///< with `finished` and not `complete`: why

    std::string_view tag(const entry& e) const noexcept { return std::string_view(names).substr(e.begin, e.length); }
    void add(std::string_view tag_name); ///< as `pending`
    void clear() noexcept;               ///< keeps memory for the next use, unless it is much
};

/// Where and for what an index is built.
struct index_builder_options
{
    /// The finished index; empty builds it in memory (large ones spill to a temporary file). A name that ends in
    /// `.json` makes a JSON cache, which holds SHA-256 digests only and cannot be resumed.
    /// Otherwise the work goes into `<file>.part` beside it, guarded by `<file>.lock`.
    std::filesystem::path file;
    std::string registry; ///< `registry_address::canonical()`
    std::string scope;    ///< the patterns the crawl is limited to, canonical text; empty for all
    bool resume = false;  ///< go on with `<file>.part` where there is one of the same registry and scope
    std::size_t max_records =
        256;                  ///< records in existence at the most: 1 to 60,000; bounds memory, makes back-pressure
    unsigned commit_ms = 500; ///< how much work, in milliseconds, a kill may lose
};

/// Builds an index beside the old one with a thread of its own and renames it into place when it is complete.
/// A kill at any moment loses no more than `commit_ms` of work; a power failure may cost the part, which a resume
/// then notices, but never the old index.
class index_builder
{
public:
    /// Fails with `errc::locked` if another process builds or changes the same index, `errc::io`; `errc::bad_file` or
    /// `errc::newer_version` if `file` is there and nothing this program wrote, or the part to resume is damaged;
    /// `errc::bad_argument` if `resume` is asked and the part belongs to another registry or scope.
    static result<std::unique_ptr<index_builder>> create(index_builder_options options);

    /// Not finished: keeps `<file>.part` for a later `resume` (what was pushed is committed).
    ~index_builder();

    /// An empty record, or null while `max_records` are in use: then wait and try again. Any thread, lock-free.
    index_record* acquire() noexcept;
    /// Hands a record to the builder's thread; it comes back to `acquire` by itself. Any thread, lock-free.
    /// Records of one repository must be pushed one after the other (happens-before), the `finished` one last.
    void push(index_record* record) noexcept;
    /// Gives back a record unused. Any thread, lock-free.
    void release(index_record* record) noexcept;

    /// True once writing has failed (disk full): stop and ask `finish` for the error. Any thread, lock-free.
    bool failed() const noexcept;

    /// With `resume`: whether the part already holds all of this repository, completely. A repository that had ended
    /// as not complete is to be crawled again, its resolved tags are kept. Before the first push of
    /// this repository; any one thread at a time.
    bool already_finished(std::string_view repository) const;
    /// With `resume`: the tags of a repository that the part holds already, sorted; empty for unknown ones.
    std::vector<std::string> already_resolved(std::string_view repository) const;
    /// Whether `resume` was asked and a part was found.
    bool resumed() const noexcept;

    /// Waits until all is written, builds the secondary index, stores the summary, syncs and renames into place.
    /// Returns the finished index, open. Call it once, when no record is outstanding. A repository whose `finished`
    /// record never came is in the index as incomplete. After a failure the part is kept for `resume`, the old index
    /// is whole. Fails with `errc::io`, `errc::bad_file`, or `errc::bad_digest` for SHA-512 in a JSON cache.
    result<index> finish();

private:
    struct impl;
    explicit index_builder(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
