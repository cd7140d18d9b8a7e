// Index and details in memory: what leads where.
#include "select/usage_impl.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace regsweep {

using number = content_graph::number;

namespace {

constexpr std::int64_t last_row = std::int64_t{1} << 28;
constexpr number no_number = content_graph::none;

} // namespace

// Fills a graph from the two files.
class graph_loader
{
public:
    graph_loader(content_graph::impl& into, const index& tags, const details_store& facts)
        : to_(into), tags_(tags), facts_(facts)
    {}

    result<void> run()
    {
        for (const auto step : {&graph_loader::read_links, &graph_loader::read_content, &graph_loader::connect,
                                &graph_loader::read_blobs, &graph_loader::read_tags, &graph_loader::read_referrers})
            if (const auto done = (this->*step)(); !done)
                return done;
        return {};
    }

private:
    struct row_link // from a manifest to a child or subject
    {
        std::uint32_t from;
        std::uint32_t to;
        std::uint32_t describes;
    };

    bool fits(std::int64_t row)
    {
        if (row >= 0 && row <= last_row)
            return true;
        damage_ = true;
        return false;
    }
    result<void> undamaged(const result<void>& walked) const
    {
        if (!damage_)
            return walked;
        return error(errc::bad_file, "the details file is damaged: its rows lead nowhere; remove it: what it held is "
                                     "read from the registry again");
    }
    number& number_at(std::int64_t row)
    {
        const auto place = static_cast<std::size_t>(row);
        if (place >= numbers_.size())
            numbers_.resize(std::max(place + 1, numbers_.size() + numbers_.size() / 2), no_number);
        return numbers_[place];
    }

    number platform_of(const platform* p);
    void name(std::int64_t row);
    result<void> read_links();
    result<void> read_content();
    result<void> connect();
    result<void> read_blobs();
    result<void> read_tags();
    result<void> read_referrers();

    content_graph::impl& to_;
    const index& tags_;
    const details_store& facts_;
    std::vector<number> numbers_; // of rows
    std::vector<row_link> children_;
    std::vector<row_link> subjects_;
    std::vector<bool> named_; // rows that links lead to
    std::map<const platform*, number> platforms_;
    bool damage_ = false;
};

number graph_loader::platform_of(const platform* p)
{
    const auto [at, fresh] = platforms_.try_emplace(p, static_cast<number>(to_.platforms.size()));
    if (fresh)
        to_.platforms.push_back(*p);
    return at->second;
}

void graph_loader::name(std::int64_t row)
{
    const auto place = static_cast<std::size_t>(row);
    if (place >= named_.size())
        named_.resize(std::max(place + 1, named_.size() * 2));
    named_[place] = true;
}

result<void> graph_loader::read_links()
{
    const auto into = [this](std::vector<row_link>& list) {
        return [this, &list](const link_view& l) {
            if (!fits(l.from) || !fits(l.to) || !fits(l.describes))
                return false;
            list.push_back({static_cast<number>(l.from), static_cast<number>(l.to), static_cast<number>(l.describes)});
            name(l.to);
            name(l.describes);
            return true;
        };
    };
    if (const auto done = undamaged(facts_.for_each_child_link(into(children_))); !done)
        return done;
    return undamaged(facts_.for_each_subject_link(into(subjects_)));
}

// Sizes, and numbers for manifests: those that are known, and those that are only named.
result<void> graph_loader::read_content()
{
    return undamaged(facts_.for_each_content([&](const content_view& c) {
        if (!fits(c.row))
            return false;
        const auto place = static_cast<std::size_t>(c.row);
        if (place >= to_.blob_sizes.size())
            to_.blob_sizes.resize(place + 1);
        to_.blob_sizes[place] = c.size.value_or(0);
        if (!c.known && (place >= named_.size() || !named_[place]))
            return true;
        const number made = to_.add(c.digest, static_cast<number>(c.row));
        number_at(c.row) = made;
        if (!c.known)
            return true;
        auto& f = to_.manifests[made];
        f.known = true;
        f.type = c.type;
        f.dated = c.created.has_value();
        f.created = c.created.value_or(timestamp()).seconds;
        f.created_ns = c.created.value_or(timestamp()).nanoseconds;
        f.platform = platform_of(c.platform);
        return true;
    }));
}

result<void> graph_loader::connect()
{
    // Rows come in order, and numbers rise with them.
    for (const row_link& l : children_) {
        const number parent = number_at(l.from);
        const number child = number_at(l.to);
        if (parent == no_number || child == no_number)
            continue;
        to_.children.begin(parent);
        to_.children.add(child);
        to_.described.push_back(l.describes == 0 ? no_number : number_at(l.describes));
    }
    children_ = {};
    for (const row_link& l : subjects_)
        if (const number from = number_at(l.from); from != no_number)
            to_.manifests[from].subject = number_at(l.to);
    return {};
}

result<void> graph_loader::read_blobs()
{
    return undamaged(facts_.for_each_blob_link([&](const link_view& l) {
        if (!fits(l.from) || !fits(l.to))
            return false;
        const number manifest = number_at(l.from);
        if (manifest == no_number || l.foreign || static_cast<std::size_t>(l.to) >= to_.blob_sizes.size())
            return true;
        to_.blobs.begin(manifest);
        to_.blobs.add(static_cast<number>(l.to));
        return true;
    }));
}

result<void> graph_loader::read_tags()
{
    struct named_tag
    {
        number repository;
        number manifest;
        digest subject;
    };
    std::vector<named_tag> named; // their subjects have numbers only when all tags are read
    std::vector<digest> ids;      // of a repository's tags
    std::vector<media_type> types;
    std::vector<std::pair<std::size_t, digest>> signatures; // tags that name a subject
    std::vector<number> found;
    result<void> inner;
    const auto outer = tags_.for_each_repository([&](const repository_info& info) {
        const auto here = static_cast<number>(to_.repositories.size());
        to_.repositories.push_back(info.name);
        to_.tagged.begin(here);
        ids.clear();
        types.clear();
        signatures.clear();
        inner = tags_.for_each_tag(info.name, [&](const tag_view& t) {
            if (const auto subject = referrers_tag_subject(t.tag))
                signatures.emplace_back(ids.size(), *subject);
            ids.push_back(t.digest);
            types.push_back(t.type);
            return true;
        });
        to_.ids.find_all(ids, found);
        to_.prefetch(found);
        for (std::size_t i = 0; i != ids.size(); ++i) {
            if (found[i] == no_number)
                found[i] = to_.find_or_add(ids[i]); // an earlier tag may have added it
            to_.tagged.add(found[i]);
            if (to_.manifests[found[i]].type == media_type::unknown)
                to_.manifests[found[i]].type = types[i];
        }
        for (const auto& [tag, subject] : signatures)
            named.push_back({here, found[tag], subject});
        return inner.has_value();
    });
    for (const auto& n : named)
        if (const number about = to_.ids.find(n.subject); about != no_number)
            to_.named.add(n.repository, {about, n.manifest});
    to_.named.close();
    return outer ? inner : outer;
}

result<void> graph_loader::read_referrers()
{
    number here = no_number;
    std::string last;
    const auto done =
        facts_.for_each_referrer([&](std::string_view repository, const digest& subject, const digest& referrer) {
            if (here == no_number || repository != last) {
                last = repository;
                const auto at = std::lower_bound(to_.repositories.begin(), to_.repositories.end(), last);
                const bool found = at != to_.repositories.end() && *at == last;
                here = found ? static_cast<number>(at - to_.repositories.begin()) : no_number;
            }
            const number about = to_.ids.find(subject);
            if (here != no_number && about != no_number)
                to_.told.add(here, {about, to_.find_or_add(referrer)});
            return true;
        });
    to_.told.close();
    return done;
}

number digest_numbers::find(const digest& d) const noexcept
{
    if (table_.empty())
        return no_number;
    const std::size_t mask = table_.size() - 1;
    for (std::size_t at = d.hash() & mask;; at = (at + 1) & mask)
        if (table_[at] == no_number || is(table_[at], d))
            return table_[at];
}

void digest_numbers::find_all(std::span<const digest> some, std::vector<number>& out) const
{
    out.assign(some.size(), no_number);
    if (table_.empty())
        return;
    const std::size_t mask = table_.size() - 1;
    for (const digest& d : some)
        __builtin_prefetch(&table_[d.hash() & mask]);
    for (const digest& d : some)
        if (const number n = table_[d.hash() & mask]; n != no_number)
            prefetch(n);
    for (std::size_t i = 0; i != some.size(); ++i)
        out[i] = find(some[i]);
}

bool digest_numbers::is(number n, const digest& d) const noexcept
{
    if (std::memcmp(short_[n].data(), d.bytes().data(), short_[n].size()) != 0)
        return false;
    const auto at = long_.find(n);
    return at == long_.end() ? d.how() == digest::algorithm::sha256 : at->second == d;
}

number digest_numbers::add(const digest& d)
{
    if (short_.size() * 2 >= table_.size())
        grow();
    const number made = size();
    auto& first_bytes = short_.emplace_back();
    std::memcpy(first_bytes.data(), d.bytes().data(), first_bytes.size());
    if (d.how() != digest::algorithm::sha256)
        long_.emplace(made, d);
    const std::size_t mask = table_.size() - 1;
    std::size_t at = d.hash() & mask;
    while (table_[at] != no_number)
        at = (at + 1) & mask;
    table_[at] = made;
    return made;
}

void digest_numbers::grow()
{
    table_.assign(std::max<std::size_t>(1024, table_.size() * 2), no_number);
    const std::size_t mask = table_.size() - 1;
    for (number n = 0; n != size(); ++n) {
        std::size_t at = (*this)[n].hash() & mask;
        while (table_[at] != no_number)
            at = (at + 1) & mask;
        table_[at] = n;
    }
}

digest digest_numbers::operator[](number n) const noexcept
{
    const auto at = long_.find(n);
    return at == long_.end() ? *digest::from_bytes(short_[n]) : at->second;
}

number content_graph::impl::add(const digest& d, number blob)
{
    const number made = ids.add(d);
    manifests.emplace_back();
    manifests.back().blob = blob;
    return made;
}

number content_graph::impl::find_or_add(const digest& d)
{
    const number found = ids.find(d);
    if (found != none)
        return found;
    blob_sizes.push_back(0);
    return add(d, static_cast<number>(blob_sizes.size() - 1));
}

void content_graph::impl::prefetch(std::span<const number> some) const noexcept
{
    for (const number n : some) {
        if (n == none)
            continue;
        __builtin_prefetch(&manifests[n]);
        ids.prefetch(n);
    }
}

void number_pairs::close()
{
    std::sort(added_.begin(), added_.end());
    added_.erase(std::unique(added_.begin(), added_.end()), added_.end());
    all_.reserve(added_.size());
    for (const auto& [repository, p] : added_) {
        const auto at = parts_.try_emplace(parts_.end(), repository, all_.size(), 0);
        ++at->second.second;
        all_.push_back(p);
    }
    added_ = {};
}

std::span<const number_pairs::pair> number_pairs::operator[](number repository) const noexcept
{
    const auto at = parts_.find(repository);
    if (at == parts_.end())
        return {};
    return {all_.data() + at->second.first, at->second.second};
}

content_graph::content_graph(std::unique_ptr<impl> p) noexcept : impl_(std::move(p)) {}
content_graph::content_graph(content_graph&&) noexcept = default;
content_graph& content_graph::operator=(content_graph&&) noexcept = default;
content_graph::~content_graph() = default;

result<content_graph> content_graph::load(const index& tags, const details_store& facts)
{
    auto made = std::make_unique<impl>();
    made->platforms.emplace_back();
    if (const auto done = facts.read_together([&] { return graph_loader(*made, tags, facts).run(); }); !done)
        return done.error();
    return content_graph(std::move(made));
}

number content_graph::manifests() const noexcept
{
    return impl_->ids.size();
}

number content_graph::unknown() const noexcept
{
    return static_cast<number>(
        std::count_if(impl_->manifests.begin(), impl_->manifests.end(), [](const impl::facts& m) { return !m.known; }));
}

void content_graph::prefetch(std::span<const number> some) const noexcept
{
    impl_->prefetch(some);
}

number content_graph::repositories() const noexcept
{
    return static_cast<number>(impl_->repositories.size());
}

std::string_view content_graph::repository(number which) const noexcept
{
    return impl_->repositories[which];
}

number content_graph::find_repository(std::string_view name) const noexcept
{
    const auto& all = impl_->repositories;
    const auto at = std::lower_bound(all.begin(), all.end(), name);
    return at != all.end() && *at == name ? static_cast<number>(at - all.begin()) : none;
}

number content_graph::find(const digest& d) const noexcept
{
    return d.empty() ? none : impl_->ids.find(d);
}

digest content_graph::id(number manifest) const noexcept
{
    return impl_->ids[manifest];
}

bool content_graph::known(number manifest) const noexcept
{
    return impl_->manifests[manifest].known;
}

media_type content_graph::type(number manifest) const noexcept
{
    return impl_->manifests[manifest].type;
}

std::optional<timestamp> content_graph::created(number manifest) const noexcept
{
    const auto& m = impl_->manifests[manifest];
    return m.dated ? std::optional(timestamp{m.created, m.created_ns}) : std::nullopt;
}

const platform& content_graph::platform(number manifest) const noexcept
{
    return impl_->platforms[impl_->manifests[manifest].platform];
}

number content_graph::subject(number manifest) const noexcept
{
    return impl_->manifests[manifest].subject;
}

std::span<const number> content_graph::tagged(number repository) const noexcept
{
    return impl_->tagged[repository];
}

std::span<const number> content_graph::children(number manifest) const noexcept
{
    return impl_->children[manifest];
}

number content_graph::blobs() const noexcept
{
    return static_cast<number>(impl_->blob_sizes.size());
}

std::span<const number> content_graph::blobs(number manifest) const noexcept
{
    return impl_->blobs[manifest];
}

number content_graph::blob_of(number manifest) const noexcept
{
    return impl_->manifests[manifest].blob;
}

std::uint64_t content_graph::blob_size(number blob) const noexcept
{
    return impl_->blob_sizes[blob];
}

std::vector<number> content_graph::present(number repository) const
{
    std::vector<number> out;
    std::unordered_set<number> seen;
    const auto reach = [&](number manifest) {
        if (seen.insert(manifest).second)
            out.push_back(manifest);
    };
    for (const number manifest : tagged(repository))
        reach(manifest);
    for (std::size_t i = 0; i != out.size(); ++i)
        for_each_led_to(*this, out[i], told_referrers(repository), reach);
    return out;
}

std::span<const std::pair<number, number>> content_graph::told_referrers(number repository) const noexcept
{
    return impl_->told[repository];
}

std::vector<std::pair<number, number>> content_graph::referrers(number repository) const
{
    return referrers(repository, present(repository));
}

std::vector<std::pair<number, number>> content_graph::referrers(number repository,
                                                                std::span<const number> present_there) const
{
    std::vector<std::pair<number, number>> out;
    for (const auto* list : {&impl_->told, &impl_->named})
        for (const auto& p : (*list)[repository])
            out.push_back(p);
    for (const number manifest : present_there) {
        if (const number about = subject(manifest); about != none)
            out.emplace_back(about, manifest);
        const auto listed = children(manifest);
        const std::size_t first = impl_->children.begin_of(manifest);
        for (std::size_t i = 0; i != listed.size(); ++i)
            if (impl_->described[first + i] != none)
                out.emplace_back(impl_->described[first + i], listed[i]);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

} // namespace regsweep
