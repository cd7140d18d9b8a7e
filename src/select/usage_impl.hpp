#ifndef REGSWEEP_SRC_SELECT_USAGE_IMPL_HPP
#define REGSWEEP_SRC_SELECT_USAGE_IMPL_HPP

#include "regsweep/select/usage.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <string>

namespace regsweep {

/// Lists of numbers, one for each of a row of things, in two allocations. Filled in order.
class number_lists
{
public:
    using number = content_graph::number;

    /// Ends the lists of all before `owner`: what is added next is its.
    void begin(number owner) { ends_.resize(std::max<std::size_t>(ends_.size(), owner), all_.size()); }
    void add(number value) { all_.push_back(value); }
    std::size_t size() const noexcept { return all_.size(); }

    std::span<const number> operator[](number owner) const noexcept
    {
        const std::size_t first = begin_of(owner);
        return {all_.data() + first, (owner < ends_.size() ? ends_[owner] : all_.size()) - first};
    }
    /// The place of the first of a list among all that were added.
    std::size_t begin_of(number owner) const noexcept
    {
        return owner == 0 ? 0 : owner <= ends_.size() ? ends_[owner - 1] : all_.size();
    }

private:
    std::vector<number> all_;
    std::vector<std::size_t> ends_;
};

/// Digests and their numbers: 32 bytes each and a table of places.
class digest_numbers
{
public:
    using number = content_graph::number;

    number size() const noexcept { return static_cast<number>(short_.size()); }
    number find(const digest& d) const noexcept;
    /// `find` for each of `some`, which waits for memory far less than one after the other.
    void find_all(std::span<const digest> some, std::vector<number>& out) const;
    void prefetch(number n) const noexcept { __builtin_prefetch(short_[n].data()); }
    /// Adds a digest that is not there.
    number add(const digest& d);
    digest operator[](number n) const noexcept;

private:
    bool is(number n, const digest& d) const noexcept;
    void grow();

    std::vector<std::array<unsigned char, 32>> short_; // the first bytes of longer ones
    std::map<number, digest> long_;
    std::vector<number> table_; // open addressing
};

/// Sorted pairs of numbers, for those repositories that have any.
class number_pairs
{
public:
    using number = content_graph::number;
    using pair = std::pair<number, number>;

    void add(number repository, pair p) { added_.emplace_back(repository, p); }
    /// To be called when all are added, before the first look.
    void close();
    std::span<const pair> operator[](number repository) const noexcept;

private:
    std::vector<std::pair<number, pair>> added_;
    std::vector<pair> all_;
    std::map<number, std::pair<std::size_t, std::size_t>> parts_; // begin and size
};

/// Calls `visit` for what `manifest` leads to directly within a repository whose told referrers are these.
template<class Visit>
void for_each_led_to(const content_graph& of, number_pairs::number manifest, std::span<const number_pairs::pair> told,
                     Visit visit)
{
    for (const auto child : of.children(manifest))
        visit(child);
    auto at = std::lower_bound(told.begin(), told.end(), number_pairs::pair(manifest, 0));
    for (; at != told.end() && at->first == manifest; ++at)
        visit(at->second);
}

struct content_graph::impl
{
    struct facts
    {
        std::int64_t created = 0;
        std::uint32_t created_ns = 0;
        number platform = 0;
        number subject = none;
        number blob = 0; // its own bytes
        media_type type = media_type::unknown;
        bool known = false;
        bool dated = false;
    };
    digest_numbers ids;
    std::vector<facts> manifests;
    std::vector<regsweep::platform> platforms;
    number_lists children;
    std::vector<number> described; // for each child: what it is about, or `none`
    number_lists blobs;
    std::vector<std::uint64_t> blob_sizes;
    std::vector<std::string> repositories;
    number_lists tagged;
    number_pairs told;  // by the referrers API
    number_pairs named; // by tags like sha256-<hex>.sig

    number add(const digest& d, number blob);
    number find_or_add(const digest& d);
    void prefetch(std::span<const number> some) const noexcept;
};

} // namespace regsweep

#endif
