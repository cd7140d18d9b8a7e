#include "regsweep/select/usage.hpp"

#include "select/usage_impl.hpp"

#include <algorithm>

namespace regsweep {

namespace {

using number = content_graph::number;
constexpr number nobody = content_graph::none;
constexpr number several = content_graph::none - 1;

// Marks that are taken away all at once.
class marks
{
public:
    explicit marks(std::size_t size) : when_(size, 0) {}

    void clear() noexcept { ++now_; }
    /// Whether it was not marked yet.
    bool mark(number which) noexcept
    {
        if (when_[which] == now_)
            return false;
        when_[which] = now_;
        return true;
    }

private:
    std::vector<std::uint32_t> when_;
    std::uint32_t now_ = 1;
};

// Whose a blob is: nobody's, one's, or several's.
class owners
{
public:
    explicit owners(std::size_t blobs) : all_(blobs, nobody) {}

    void claim(number blob, number who) noexcept
    {
        number& owner = all_[blob];
        owner = owner == nobody || owner == who ? who : several;
    }
    number operator[](number blob) const noexcept { return all_[blob]; }

private:
    std::vector<number> all_;
};

template<class Visit>
void for_each_blob(const content_graph& of, number manifest, Visit visit)
{
    visit(of.blob_of(manifest));
    for (const number blob : of.blobs(manifest))
        visit(blob);
}

/// Walks from manifests to all that they lead to within a repository, with memory of its own that is used again.
class reach_walk
{
public:
    explicit reach_walk(const content_graph& of) : of_(of), seen_(of.manifests()) {}

    /// What these lead to, themselves included, each once; valid until the next call.
    std::span<const number> from(std::span<const number> roots, number repository)
    {
        seen_.clear();
        reached_.clear();
        const auto reach = [&](number manifest) {
            if (seen_.mark(manifest))
                reached_.push_back(manifest);
        };
        for (const number manifest : roots)
            reach(manifest);
        roots_ = reached_.size();
        const auto told = of_.told_referrers(repository);
        for (std::size_t i = 0; i != reached_.size(); ++i)
            for_each_led_to(of_, reached_[i], told, reach);
        return reached_;
    }
    /// How many of them are roots: the first ones.
    std::size_t roots() const noexcept { return roots_; }

private:
    const content_graph& of_;
    marks seen_;
    std::vector<number> reached_;
    std::size_t roots_ = 0;
};

// The sizes of what one owner has, each blob once, and its claims to it.
class size_counter
{
public:
    explicit size_counter(const content_graph& of) : of_(of), counted_(of.blobs()), owners_(of.blobs()) {}

    std::uint64_t count(std::span<const number> manifests, number owner)
    {
        counted_.clear();
        std::uint64_t bytes = 0;
        for (const number manifest : manifests)
            for_each_blob(of_, manifest, [&](number blob) {
                if (!counted_.mark(blob))
                    return;
                bytes += of_.blob_size(blob);
                owners_.claim(blob, owner);
            });
        return bytes;
    }
    const owners& whose() const noexcept { return owners_; }

private:
    const content_graph& of_;
    marks counted_;
    owners owners_;
};

std::uint64_t count_unknown(const content_graph& of, std::span<const number> manifests)
{
    return static_cast<std::uint64_t>(
        std::count_if(manifests.begin(), manifests.end(), [&](number m) { return !of.known(m); }));
}

// The sum of some repositories as if they were one.
class group_counter
{
public:
    explicit group_counter(const content_graph& of) : of_(of), blobs_(of.blobs()), manifests_(of.manifests()) {}

    void add(std::span<const number> manifests, std::size_t tagged, bool inside)
    {
        const std::uint8_t whose = inside ? in_group : elsewhere;
        for (std::size_t i = 0; i != manifests.size(); ++i) {
            if (inside)
                manifests_[manifests[i]] |= i < tagged ? in_group | has_tag : in_group;
            for_each_blob(of_, manifests[i], [&](number blob) { blobs_[blob] |= whose; });
        }
    }

    void put_into(repository_usage& to) const
    {
        for (number m = 0; m != of_.manifests(); ++m) {
            if (manifests_[m] == 0)
                continue;
            ++to.manifests;
            to.untagged += (manifests_[m] & has_tag) == 0 ? 1U : 0U;
            to.unknown += of_.known(m) ? 0U : 1U;
        }
        for (number blob = 0; blob != of_.blobs(); ++blob) {
            if ((blobs_[blob] & in_group) == 0)
                continue;
            to.logical_size += of_.blob_size(blob);
            if ((blobs_[blob] & elsewhere) == 0)
                to.unique_size += of_.blob_size(blob);
        }
        to.shared_size = to.logical_size - to.unique_size;
    }

private:
    static constexpr std::uint8_t in_group = 1;
    static constexpr std::uint8_t elsewhere = 2;
    static constexpr std::uint8_t has_tag = 4;

    const content_graph& of_;
    std::vector<std::uint8_t> blobs_;
    std::vector<std::uint8_t> manifests_;
};

} // namespace

usage_report disk_usage(const content_graph& of, std::span<const number> repositories)
{
    std::vector<repository_usage> all(of.repositories());
    std::vector<bool> inside(of.repositories());
    for (const number r : repositories)
        inside[r] = true;
    reach_walk walk(of);
    size_counter sizes(of);
    group_counter group(of);
    usage_report out;
    for (number r = 0; r != of.repositories(); ++r) {
        const auto reached = walk.from(of.tagged(r), r);
        repository_usage& u = all[r];
        u.repository = r;
        u.tags = of.tagged(r).size();
        u.manifests = reached.size();
        u.untagged = reached.size() - walk.roots();
        u.unknown = count_unknown(of, reached);
        u.logical_size = sizes.count(reached, r);
        group.add(reached, walk.roots(), inside[r]);
        out.total.tags += inside[r] ? u.tags : 0;
    }
    for (number blob = 0; blob != of.blobs(); ++blob)
        if (const number owner = sizes.whose()[blob]; owner != nobody && owner != several)
            all[owner].unique_size += of.blob_size(blob);
    for (const number r : repositories) {
        out.repositories.push_back(all[r]);
        out.repositories.back().shared_size = all[r].logical_size - all[r].unique_size;
    }
    group.put_into(out.total);
    return out;
}

std::vector<std::vector<tag_usage>> tag_usages(const content_graph& of, std::span<const number> repositories)
{
    // Every tag of every repository counts: any of them may share what another has.
    std::vector<tag_usage> all;
    std::vector<std::size_t> first;
    reach_walk walk(of);
    size_counter sizes(of);
    for (number r = 0; r != of.repositories(); ++r) {
        first.push_back(all.size());
        for (const number& manifest : of.tagged(r)) {
            const auto reached = walk.from({&manifest, 1}, r);
            tag_usage u;
            u.logical_size = sizes.count(reached, static_cast<number>(all.size()));
            u.unknown = count_unknown(of, reached);
            all.push_back(u);
        }
    }
    for (number blob = 0; blob != of.blobs(); ++blob)
        if (const number owner = sizes.whose()[blob]; owner != nobody && owner != several)
            all[owner].unique_size += of.blob_size(blob);
    std::vector<std::vector<tag_usage>> out;
    for (const number r : repositories) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first[r]);
        out.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(of.tagged(r).size()));
        for (auto& u : out.back())
            u.shared_size = u.logical_size - u.unique_size;
    }
    return out;
}

freed_space freed_by(const content_graph& of, std::span<const manifest_deletion> deletions)
{
    std::vector<std::pair<number, number>> goes;
    goes.reserve(deletions.size());
    for (const auto& d : deletions)
        goes.emplace_back(d.repository, d.manifest);
    std::sort(goes.begin(), goes.end());
    std::vector<bool> stays(of.manifests());
    reach_walk walk(of);
    for (number r = 0; r != of.repositories(); ++r)
        for (const number manifest : walk.from(of.tagged(r), r))
            if (!stays[manifest] && !std::binary_search(goes.begin(), goes.end(), std::pair(r, manifest)))
                stays[manifest] = true;
    freed_space out;
    std::vector<bool> used(of.blobs());
    for (number m = 0; m != of.manifests(); ++m) {
        if (!stays[m])
            continue;
        out.unknown += of.known(m) ? 0U : 1U;
        for_each_blob(of, m, [&](number blob) { used[blob] = true; });
        for (const number child : of.children(m))
            used[of.blob_of(child)] = true;
    }
    std::vector<bool> gone(of.manifests());
    for (const auto& [repository, m] : goes) {
        if (stays[m] || gone[m])
            continue;
        gone[m] = true;
        out.unknown += of.known(m) ? 0U : 1U;
        for_each_blob(of, m, [&](number blob) {
            if (used[blob])
                return;
            used[blob] = true; // counted once, whoever else goes with it
            ++out.blobs;
            out.bytes += of.blob_size(blob);
        });
    }
    return out;
}

} // namespace regsweep
