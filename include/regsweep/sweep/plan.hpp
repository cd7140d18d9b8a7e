#ifndef REGSWEEP_SWEEP_PLAN_HPP
#define REGSWEEP_SWEEP_PLAN_HPP

#include "regsweep/core/digest.hpp"
#include "regsweep/core/error.hpp"
#include "regsweep/core/names.hpp"
#include "regsweep/select/selection.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace regsweep {

/// A tag by its full name.
struct image_name
{
    std::string repository;
    std::string tag;

    friend bool operator==(const image_name&, const image_name&) = default;
};

enum class step_kind : std::uint8_t {
    remove, ///< delete a manifest by digest: every tag of it in the repository goes with it. `delete` in JSON
    untag,  ///< take one tag away; its manifest and all other tags stay
};

/// One request of a plan, with what a person needs to judge it.
struct plan_step
{
    /// How many names `also_used_by` holds at the most.
    static constexpr std::size_t most_shared = 100;

    step_kind kind = step_kind::remove;
    std::string repository;
    digest id;
    media_type type = media_type::unknown;
    /// `remove`: every tag that goes with the manifest, none for a child without tags. `untag`: the one tag.
    std::vector<std::string> tags;
    /// Those of `tags` that nobody asked for; only without `match_all_tags`.
    std::vector<std::string> unasked_tags;
    /// Tags, here or in other repositories, that use the digest and stay: the first `most_shared` of them.
    std::vector<image_name> also_used_by;
    std::uint64_t also_used_by_more = 0; ///< how many more of these there are
    std::string why;
    /// The manifests that this one lists, where it is an index and they were asked for; filled in after planning.
    std::vector<digest> children;

    friend bool operator==(const plan_step&, const plan_step&) = default;
};

/// What a plan says about itself.
struct plan_header
{
    std::string registry{};      ///< `registry_address::canonical()`
    std::int64_t created_at = 0; ///< seconds since 1970, UTC
    std::string command{};       ///< the command line that made it, without secrets
    bool with_children = false;  ///< delete the manifests that a deleted index lists, too
    bool untag = false;          ///< leave manifests that other tags use, see `make_plan`

    friend bool operator==(const plan_header&, const plan_header&) = default;
};

/// Tags that stay, and why: for people, nothing is done with them.
struct kept_tags
{
    std::string repository;
    std::vector<std::string> tags;
    std::string why;

    friend bool operator==(const kept_tags&, const kept_tags&) = default;
};

/// What a sweep is going to do. Regular types, no hidden state.
struct plan
{
    plan_header header;
    std::vector<plan_step> steps; ///< sorted by repository
    std::vector<kept_tags> kept;  ///< those that a policy keeps

    friend bool operator==(const plan&, const plan&) = default;
};

struct plan_counts
{
    std::uint64_t repositories = 0;
    std::uint64_t tags = 0;    ///< that go
    std::uint64_t digests = 0; ///< manifests that go, counted in every repository
};
plan_counts count(const plan& p);

/// The steps that a selection asks for, one after the other, sorted by repository. `take` returns an error to stop.
/// Fails with `errc::conflict` (see `selection::check`), and with `errc::bad_argument` for names that no registry
/// may use.
///
/// With `untag` a digest's selected tags go even if it is in use by others, whom that does not harm: conflicts and
/// outside tags are no reason to stop then. Excluded digests stay as they are, with all tags. A digest of whose tags
/// in a repository every one is selected is deleted there; otherwise there is a step for each selected tag.
result<void> make_steps(const selection& from, bool untag, const std::function<result<void>(plan_step)>& take);

/// Fails with `errc::bad_argument` if a step has names that no registry may use.
result<void> check_names(const plan_step& step);

/// All of `make_steps`, kept.
result<plan> make_plan(const selection& from, plan_header header);

/// The steps of each repository, of a plan's steps.
std::vector<std::span<const plan_step>> by_repository(std::span<const plan_step> steps);

/// Sorts deletions so that an index comes before the manifests it lists (`plan_step::children`), as registries that
/// protect listed manifests want it; otherwise the order stays. Restoring goes the other way round: `std::reverse` it.
void order_for_delete(std::vector<plan_step>& steps);

/// The order of `order_for_delete` for anything: `children_of(i)` gives the digests that `ids[i]` lists.
/// Returns places in `ids`, parents first; digests that list each other in a ring come last.
std::vector<std::size_t> parents_first(std::span<const digest> ids,
                                       const std::function<std::span<const digest>(std::size_t)>& children_of);

/// Writes a plan as JSON step by step, see docs/plan.md. `begin` once, `add` for every step, `keep` for tags that stay,
/// which it remembers until the end, `finish` once. Fails with `errc::io`. The stream must outlive it.
class plan_writer
{
public:
    explicit plan_writer(std::ostream& out) noexcept : out_(&out) {}

    result<void> begin(const plan_header& header);
    result<void> add(const plan_step& step);
    void keep(const kept_tags& tags);
    result<void> finish();

private:
    std::ostream* out_;
    bool first_ = true;
    std::string kept_; ///< in JSON
};

/// Writes a plan beside `file` and renames it into place. Fails with `errc::io`.
result<void> write_plan(const std::filesystem::path& file, const plan& p);

/// What a plan to be read may hold at the most.
struct plan_limits
{
    std::size_t steps = 10'000'000;            ///< and as many groups of tags that stay
    std::size_t step_bytes = 64 * 1024 * 1024; ///< the JSON text of one step, or of any other value
};

/// Reads and checks a plan: names, digests, that no tag or digest has two steps. Fails with `errc::io`,
/// `errc::bad_file` (no plan), `errc::bad_json` (names line and place, such as `steps[3].digest`),
/// `errc::newer_version` and `errc::too_large`.
result<plan> read_plan(std::istream& in, const plan_limits& limits = {});
result<plan> read_plan(const std::filesystem::path& file, const plan_limits& limits = {});

/// What a registry says about one repository right before its steps are executed.
struct live_repository
{
    /// Every tag and what it points to now. It must be complete: a tag that is missing here is not protected.
    std::map<std::string, digest, std::less<>> tags;
    /// The index manifests that exist now, and the manifests they list. As far as known: those with tags can be.
    std::unordered_map<digest, std::vector<digest>> indexes;
};

enum class verdict : std::uint8_t {
    go_ahead,
    outside_tag,    ///< a tag that the step does not name points to its digest now
    moved,          ///< no tag of the step points to its digest any more, and one points to another digest
    gone,           ///< none of the step's tags exists any more
    child_of_index, ///< an index that stays lists the digest
};

struct moved_tag
{
    std::string tag;
    digest now;

    friend bool operator==(const moved_tag&, const moved_tag&) = default;
};

/// What `verify` says about one step.
struct step_verdict
{
    verdict what = verdict::go_ahead;
    std::vector<std::string> outside_tags; ///< with `outside_tag`: all of them
    std::vector<moved_tag> moved_tags;     ///< the step's tags that point elsewhere now; they are not touched
    digest index;                          ///< with `child_of_index`: the index

    bool go() const noexcept { return what == verdict::go_ahead; }
    /// In one sentence, 20 names at the most; empty for a step that goes ahead with all its tags in place.
    std::string text() const;
};

/// How far a step is, while the others are looked at again.
enum class step_end : std::uint8_t {
    open,   ///< it is to be executed, or it is under way
    taken,  ///< what it names was gone, or was deleted
    stayed, ///< it was not executed, has failed, or nobody knows
};

/// Decides which steps may be executed, given what is live. `steps` are those of one repository, none deleting what
/// another deletes, no tag in two; `ends`, if not empty, tells of each how it ended. Rules:
/// - a deletion goes ahead only if every live tag that points to its digest is one of its own tags;
/// - a deletion that has tags needs one that still points to its digest;
/// - a deletion does not go ahead while an index lists its digest, unless that index is deleted by a step that does;
/// - an index that is there after its step has ended stays;
/// - an untag goes ahead only if its tag points to the digest it was planned with.
/// Returns a verdict for every step, in the same order. Execute in the order of `order_for_delete`; when a deletion of
/// an index then fails, verify again before its children are deleted.
std::vector<step_verdict> verify(std::span<const plan_step> steps, const live_repository& live,
                                 std::span<const step_end> ends = {});

} // namespace regsweep

#endif
