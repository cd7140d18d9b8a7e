#ifndef REGSWEEP_SELECT_SELECTION_HPP
#define REGSWEEP_SELECT_SELECTION_HPP

#include "regsweep/core/digest.hpp"
#include "regsweep/core/error.hpp"
#include "regsweep/core/names.hpp"
#include "regsweep/index/index.hpp"
#include "regsweep/select/matcher.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep {

/// What a user asks for. Every field means what docker-registry-util's option of that name means.
struct selection_options
{
    std::vector<std::string> repositories{}; ///< names in full; repeated and unknown ones do no harm
    std::vector<std::string> tags{};         ///< selectors, see `tag_matcher`
    std::vector<std::string> regexes{};
    std::vector<std::string> exclude{}; ///< selectors of tags whose digests stay
    std::vector<std::string> exclude_regexes{};

    /// A digest is selected only if all its tags are, in every repository. Without it only the first repository, by
    /// name, that uses the digest is looked at: that it is one of the selected, and that none of the digest's tags
    /// there is excluded.
    bool match_all_tags = true;
    /// A digest that a repository outside of the selection uses is a conflict; without it, it stays.
    bool raise_intersecting_repo = true;
    /// A digest that a tag outside of the selection uses is a conflict; without it, it stays.
    bool raise_intersecting_tag = false;

    matcher_limits limits{};
};

/// One tag, in one repository, of a digest that was looked at. The views live as long as the selection.
class tag_use
{
public:
    std::string_view repository() const noexcept { return *repository_; }
    std::string_view tag() const noexcept { return {text_, length_}; }
    /// Whether it is one of the tags asked for.
    bool selected() const noexcept { return selected_; }
    /// Whether an exclusion names it; known only where it made a difference.
    bool excluded() const noexcept { return excluded_; }
    /// What the crawl saw there; `unknown` for an index from a JSON cache.
    media_type type() const noexcept { return type_; }

private:
    friend class selection;
    const std::string* repository_ = nullptr;
    const char* text_ = nullptr;
    std::uint32_t length_ = 0;
    bool selected_ = false;
    bool excluded_ = false;
    media_type type_ = media_type::unknown;
};

/// Why a digest is in the selection, or is not. `to_string` gives the names used in JSON.
enum class reason : std::uint8_t {
    all_selected,        ///< in: every tag of it is selected
    others_ignored,      ///< in: it has other tags, and `match_all_tags` is off
    excluded,            ///< out: a tag of it is excluded
    outside_tag,         ///< out: a tag outside of the selection uses it
    outside_repository,  ///< out: a repository outside of the selection uses it
    conflict_tag,        ///< as `outside_tag`, with `raise_intersecting_tag`
    conflict_repository, ///< as `outside_repository`, with `raise_intersecting_repo`
};

/// `all-selected`, `others-ignored`, `excluded`, `outside-tag`, `outside-repository`, `conflict-tag`,
/// `conflict-repository`.
std::string_view to_string(reason why) noexcept;

/// What became of one digest. A view into a selection, cheap to copy; lives as long as the selection.
class decision
{
public:
    const digest& id() const noexcept { return *id_; }
    bool in() const noexcept { return why_ == reason::all_selected || why_ == reason::others_ignored; }
    bool conflict() const noexcept { return why_ == reason::conflict_tag || why_ == reason::conflict_repository; }
    reason why() const noexcept { return why_; }

    /// The first repository, in the order of the options, in which it was selected: the one that
    /// docker-registry-util prints.
    std::string_view repository() const noexcept { return *repository_; }

    /// All tags of it in all repositories, sorted by repository and tag.
    std::span<const tag_use> uses() const noexcept { return uses_; }

    /// For `reason::excluded`: the tag, and the selector or regular expression that excludes it. Empty otherwise.
    std::string_view excluded_tag() const noexcept { return excluded_tag_; }
    std::string_view excluded_by() const noexcept { return excluded_by_; }

private:
    friend class selection;
    const digest* id_ = nullptr;
    const std::string* repository_ = nullptr;
    std::span<const tag_use> uses_;
    std::string_view excluded_tag_;
    std::string_view excluded_by_;
    reason why_ = reason::all_selected;
};

/// The repository's share of `uses` that begins at its first element: `uses` is sorted by repository.
std::span<const tag_use> first_repository(std::span<const tag_use> uses) noexcept;

/// Whether deleting `decision::id()` in this repository is asked for: the digest is in, one of its tags there (these:
/// the repository's share of its uses) is selected, and none there is known to be excluded. The last can matter only
/// without `match_all_tags`: docker-registry-util looks at exclusions in one repository then, and so says that
/// a digest is selected whose excluded tag in another repository must survive nevertheless.
bool deletes(const decision& d, std::span<const tag_use> share) noexcept;

/// A deletion that the selection asks for: one digest in one repository. A view into the selection.
struct target
{
    std::string_view repository;
    const digest* id = nullptr;
    /// Every tag there that goes with it, selected or not; sorted.
    std::span<const tag_use> tags;
};

/// How many of what a selection holds.
struct selection_counts
{
    std::uint64_t in = 0;        ///< digests that are selected
    std::uint64_t out = 0;       ///< digests that have a selected tag and stay, conflicts included
    std::uint64_t conflicts = 0; ///< digests in conflict
    std::uint64_t tags = 0;      ///< selected tags of all these digests
};

/// A repository that was asked for and of which the index does not know everything.
struct incomplete_repository
{
    std::string name;
    std::string problem;
};

/// The answer to `selection_options`: every digest that has a selected tag, and what became of it.
/// Movable; const functions may be called by several threads at once. About 130 bytes and the tag's text for
/// a digest with one tag.
class selection
{
public:
    selection(selection&&) noexcept;
    selection& operator=(selection&&) noexcept;
    ~selection();

    /// The digests that were looked at, in the order of the options' repositories and the tags in them (bytewise).
    std::size_t size() const noexcept;
    decision operator[](std::size_t i) const noexcept;

    selection_counts counts() const noexcept;

    /// Fails with `errc::conflict` if a digest is in conflict, where docker-registry-util fails. The detail names the
    /// digests and the tags that stand in the way, 20 tags at the most, and counts the rest; `explain` names all.
    result<void> check() const;

    /// What is to be deleted, sorted by repository, in it by the selection's order. Fails as `check`.
    /// A digest is deleted only in repositories in which it was selected.
    result<std::vector<target>> targets() const;

    /// Repositories asked for that the index does not have.
    std::span<const std::string> unknown_repositories() const noexcept;
    /// Repositories asked for that a crawl could not read completely: tags may be missing from the decisions.
    std::span<const incomplete_repository> incomplete_repositories() const noexcept;

private:
    friend class selector;
    struct impl;
    explicit selection(std::unique_ptr<impl> p) noexcept;
    std::unique_ptr<impl> impl_;
};

/// Selects every digest of the options' repositories that no other repository uses. Looks at `repositories` and
/// `raise_intersecting_repo` only. Fails as the index does; conflicts are told by `selection::check`.
result<selection> select_repositories(const index& from, const selection_options& options);

/// Selects the digests of tags in the options' repositories. Reads these repositories' tags and the uses of each
/// digest found, nothing else, unless it found so many that to look through the whole index is faster. Fails as the
/// index does, and with `errc::bad_regex` and `errc::match_limit`; conflicts are told by `selection::check`.
result<selection> select_tags(const index& from, const selection_options& options);

/// The reason in one sentence, without the digest. Names 20 tags at the most and counts the rest.
std::string reason_text(const decision& d);

/// The decision for people: the digest with the reason, then what would be deleted, then all tags, a line each.
std::vector<std::string> explain(const decision& d);

/// The decision for programs. Keys: `digest`; `repositories`, those that use it; `selected_tags` and `other_tags`, each
/// `[{"repository", "tag"}]`; `in`; `conflict`; `reason`, see `to_string`; `text`, the reason in a sentence;
/// `excluded_tag` and `excluded_by`, only with the reason `excluded`; `deletes`, the tags that would be lost by
/// repository, `[{"repository", "tags"}]`, empty unless `in`.
boost::json::object to_json(const decision& d);

} // namespace regsweep

#endif
