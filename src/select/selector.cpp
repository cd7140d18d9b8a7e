#include "regsweep/select/selection.hpp"

#include "selection_impl.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace regsweep {
namespace {

/// The first bytes of a digest, so that most comparisons while sorting need no look at the record.
std::uint64_t leading_bytes(const digest& d) noexcept
{
    std::uint64_t value = 0;
    if (d.bytes().size() < sizeof value)
        return 0;
    std::memcpy(&value, d.bytes().data(), sizeof value);
    return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

} // namespace

/// Makes a selection: reads the tags asked for, then the uses of their digests, then decides about each.
class selector
{
public:
    selector(const index& from, const selection_options& options) : from_(from), options_(options) {}

    /// Calls `select` within a visit: all is read from one state of the index then, and a file is locked once
    /// rather than for each of a million questions.
    template<class Select>
    result<selection> in_one_state(Select select)
    {
        std::optional<result<selection>> answer;
        auto visited = from_.for_each_repository([&](const repository_info&) {
            answer.emplace(select());
            return false;
        });
        if (!visited)
            return visited.error();
        return answer ? std::move(*answer) : select();
    }

    result<selection> whole_repositories()
    {
        if (auto ok = read_candidates([](std::string_view) { return true; }); !ok)
            return ok.error();
        return finish([this](record& r) { decide_repository(r); });
    }

    result<selection> tags()
    {
        auto included = tag_matcher::create(options_.tags, options_.regexes, options_.limits);
        if (!included)
            return included.error();
        auto excluded = tag_matcher::create(options_.exclude, options_.exclude_regexes, options_.limits);
        if (!excluded)
            return excluded.error();
        excluded_ = &*excluded;
        keep_exclusions();
        if (auto ok = read_candidates([&](std::string_view tag) { return matches(*included, tag).has_value(); }); !ok)
            return ok.error();
        return finish([this](record& r) { decide_tags(r); });
    }

private:
    using record = selection::impl::record;

    /// A record's place, to be visited in the order of digests: an index on disk is then read front to back.
    struct visit
    {
        std::uint64_t leading = 0;
        std::uint32_t place = 0;
    };

    // To ask for one digest takes about as long as to look at 16 tags one after the other, measured with
    // a million; half of that is the limit, for a scan reads what nobody asked for.
    static constexpr std::size_t few_candidates = 1000;
    static constexpr std::uint64_t break_even = 8;

    void keep_exclusions()
    {
        auto& all = out_->exclusions;
        all = options_.exclude;
        all.insert(all.end(), options_.exclude_regexes.begin(), options_.exclude_regexes.end());
    }

    /// The item that matches. A matcher that gives up is remembered in `failed_` and counts as no match.
    std::optional<std::size_t> matches(tag_matcher& matcher, std::string_view tag)
    {
        auto item = matcher.match(tag);
        if (item)
            return *item;
        if (!failed_)
            failed_ = item.error();
        return std::nullopt;
    }

    std::uint32_t repository_id(std::string_view name)
    {
        if (const auto known = ids_.find(name); known != ids_.end())
            return known->second;
        const auto id = static_cast<std::uint32_t>(out_->repositories.size());
        active_.push_back(false);
        ids_.emplace(out_->repositories.emplace_back(name), id);
        return id;
    }

    /// Reads the tags of every repository asked for; digests of those that `wanted` likes become records.
    template<class Wanted>
    result<void> read_candidates(Wanted wanted)
    {
        wanted_ = std::move(wanted);
        for (const std::string& name : options_.repositories) {
            if (asked_.contains(name))
                continue;
            auto info = from_.find_repository(name);
            if (!info)
                return info.error();
            if (!*info) {
                if (std::ranges::find(out_->unknown, name) == out_->unknown.end())
                    out_->unknown.push_back(name);
                continue;
            }
            if (!(*info)->complete)
                out_->incomplete.push_back({name, (*info)->problem});
            if (auto ok = read_repository(name); !ok)
                return ok;
        }
        return {};
    }

    result<void> read_repository(std::string_view name)
    {
        const std::uint32_t id = repository_id(name);
        asked_.insert(out_->repositories[id]);
        const std::function<bool(const tag_view&)> add = [this, id](const tag_view& tag) {
            if (wanted_(tag.tag))
                add_candidate(tag.digest, id);
            return !failed_;
        };
        auto read = from_.for_each_tag(name, add);
        return failed_ ? result<void>(*failed_) : read;
    }

    void add_candidate(const digest& d, std::uint32_t repository)
    {
        active_[repository] = true;
        if (!out_->records.empty() && out_->records.back().id == d)
            return;
        record& r = out_->records.emplace_back();
        r.id = d;
        r.repository = repository;
    }

    template<class Decide>
    result<selection> finish(Decide decide)
    {
        const std::vector<visit> all = visits();
        if (auto read = read_uses(all); !read)
            return read.error();
        for (const visit& next : all) {
            decide(out_->records[next.place]);
            if (failed_)
                return *failed_;
        }
        std::erase_if(out_->records, [](const record& r) { return r.repeated; });
        return selection(std::move(out_));
    }

    /// The records to visit, in the order of their digests; all but the first of the same digest are marked.
    std::vector<visit> visits()
    {
        auto& records = out_->records;
        std::vector<visit> all;
        all.reserve(records.size());
        for (const record& r : records)
            all.push_back({leading_bytes(r.id), static_cast<std::uint32_t>(all.size())});
        std::ranges::sort(all, [&](const visit& a, const visit& b) {
            if (a.leading != b.leading)
                return a.leading < b.leading;
            const auto order = records[a.place].id <=> records[b.place].id;
            return order != 0 ? order < 0 : a.place < b.place;
        });
        const digest* last = nullptr;
        std::erase_if(all, [&](const visit& v) {
            record& r = records[v.place];
            r.repeated = last != nullptr && *last == r.id;
            last = &r.id;
            return r.repeated;
        });
        return all;
    }

    /// Reads every tag of every candidate: asks for each, or looks through the whole index where that is faster.
    result<void> read_uses(const std::vector<visit>& all)
    {
        auto scan = scan_is_faster(all.size());
        if (!scan)
            return scan.error();
        if (auto read = *scan ? scan_for_uses(all) : ask_for_uses(all); !read)
            return read;
        if (failed_)
            return *failed_;
        return check_uses(all);
    }

    result<bool> scan_is_faster(std::size_t candidates) const
    {
        if (candidates < few_candidates)
            return false;
        auto known = from_.summary();
        if (!known)
            return known.error();
        return candidates > known->tags / break_even;
    }

    result<void> ask_for_uses(const std::vector<visit>& all)
    {
        for (const visit& next : all) {
            record& r = out_->records[next.place];
            r.first_use = static_cast<std::uint32_t>(out_->uses.size());
            if (auto read = from_.for_each_use(r.id, add_use_); !read || failed_)
                return read;
            r.use_count = static_cast<std::uint32_t>(out_->uses.size() - r.first_use);
        }
        return {};
    }

    result<void> scan_for_uses(const std::vector<visit>& all)
    {
        std::vector<std::uint32_t> owners; // for every use, its record's place
        const std::function<bool(const tag_view&)> keep = [&](const tag_view& tag) {
            if (const auto place = find_candidate(all, tag.digest)) {
                add_use(tag);
                owners.push_back(*place);
            }
            return !failed_;
        };
        result<void> read;
        auto visited = from_.for_each_repository([&](const repository_info& repository) {
            read = from_.for_each_tag(repository.name, keep);
            return read.has_value() && !failed_;
        });
        group_uses(owners);
        return visited ? read : visited;
    }

    std::optional<std::uint32_t> find_candidate(const std::vector<visit>& all, const digest& d) const
    {
        const std::uint64_t leading = leading_bytes(d);
        auto found = std::ranges::lower_bound(all, leading, {}, &visit::leading);
        for (; found != all.end() && found->leading == leading; ++found) {
            if (out_->records[found->place].id == d)
                return found->place;
        }
        return std::nullopt;
    }

    /// Brings the uses of each record together, in the order they came in.
    void group_uses(const std::vector<std::uint32_t>& owners)
    {
        for (const std::uint32_t owner : owners)
            ++out_->records[owner].use_count;
        std::uint32_t next = 0;
        for (record& r : out_->records) {
            r.first_use = next;
            next += std::exchange(r.use_count, 0);
        }
        std::vector<tag_use> grouped(out_->uses.size());
        for (std::size_t i = 0; i != owners.size(); ++i) {
            record& r = out_->records[owners[i]];
            grouped[r.first_use + r.use_count++] = out_->uses[i];
        }
        out_->uses = std::move(grouped);
    }

    /// The tag that led to a digest must be among its uses, or others may be missing too: nothing may be decided then.
    result<void> check_uses(const std::vector<visit>& all) const
    {
        for (const visit& next : all) {
            const record& r = out_->records[next.place];
            if (std::ranges::none_of(out_->uses_of(r), &tag_use::selected))
                return error(errc::bad_file, "the index contradicts itself about " + r.id.to_string() + "; refresh it");
        }
        return {};
    }

    void add_use(const tag_view& tag)
    {
        if (last_name_ == nullptr || *last_name_ != tag.repository) {
            const std::uint32_t id = repository_id(tag.repository);
            last_name_ = &out_->repositories[id];
            last_is_active_ = active_[id];
        }
        const bool selected = last_is_active_ && wanted_(tag.tag);
        out_->uses.push_back(out_->make_use(*last_name_, tag, selected));
    }

    void decide_repository(record& r)
    {
        if (std::ranges::all_of(out_->uses_of(r), &tag_use::selected))
            r.why = reason::all_selected;
        else
            r.why = options_.raise_intersecting_repo ? reason::conflict_repository : reason::outside_repository;
    }

    /// Goes through the repositories that use the digest, by name; the first that speaks against it decides.
    void decide_tags(record& r)
    {
        const auto uses = out_->uses_of(r);
        auto left = uses;
        while (!left.empty()) {
            const auto share = left.first(first_repository(left).size());
            left = left.subspan(share.size());
            if (speaks_against(r, share)) {
                protect_excluded(uses); // tags may be taken away alone all the same
                return;
            }
            if (!options_.match_all_tags)
                break;
        }
        protect_excluded(left);
        r.why = std::ranges::all_of(uses, &tag_use::selected) ? reason::all_selected : reason::others_ignored;
    }

    bool speaks_against(record& r, std::span<tag_use> share)
    {
        if (!is_active(share)) {
            r.why = options_.raise_intersecting_repo ? reason::conflict_repository : reason::outside_repository;
            return true;
        }
        if (options_.match_all_tags && !std::ranges::all_of(share, &tag_use::selected)) {
            r.why = options_.raise_intersecting_tag ? reason::conflict_tag : reason::outside_tag;
            return true;
        }
        const auto item = exclude(share);
        if (!item)
            return false;
        r.why = reason::excluded;
        r.excluded_by = static_cast<std::uint32_t>(*item);
        return true;
    }

    bool is_active(std::span<tag_use> share) const
    {
        return share.front().selected() || active_[ids_.at(share.front().repository())];
    }

    /// Marks the first excluded tag; returns what excludes it.
    std::optional<std::size_t> exclude(std::span<tag_use> share)
    {
        for (tag_use& use : share) {
            if (const auto item = matches(*excluded_, use.tag())) {
                selection::impl::mark_excluded(use);
                return item;
            }
        }
        return std::nullopt;
    }

    /// Marks excluded tags in the repositories that the decision did not look at.
    void protect_excluded(std::span<tag_use> left)
    {
        if (out_->exclusions.empty())
            return;
        while (!left.empty()) {
            const auto share = left.first(first_repository(left).size());
            left = left.subspan(share.size());
            if (is_active(share))
                exclude(share);
        }
    }

    const index& from_;
    const selection_options& options_;
    std::unique_ptr<selection::impl> out_ = std::make_unique<selection::impl>();
    tag_matcher* excluded_ = nullptr;
    std::function<bool(std::string_view)> wanted_;
    std::optional<error> failed_;

    std::unordered_map<std::string_view, std::uint32_t> ids_;
    std::unordered_set<std::string_view> asked_;
    std::vector<bool> active_; // by id: asked for, and with a tag that is wanted

    const std::function<bool(const tag_view&)> add_use_ = [this](const tag_view& tag) {
        add_use(tag);
        return !failed_;
    };
    const std::string* last_name_ = nullptr;
    bool last_is_active_ = false;
};

result<selection> select_repositories(const index& from, const selection_options& options)
{
    selector one(from, options);
    return one.in_one_state([&] { return one.whole_repositories(); });
}

result<selection> select_tags(const index& from, const selection_options& options)
{
    selector one(from, options);
    return one.in_one_state([&] { return one.tags(); });
}

} // namespace regsweep
