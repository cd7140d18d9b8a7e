#include "cli/bench_targets.hpp"

#include "cli/session.hpp"
#include "cli/terminal.hpp"
#include "regsweep/load/sample.hpp"

#include <algorithm>

namespace regsweep::cli {
namespace {

constexpr std::size_t most_targets = 10'000'000;
constexpr std::size_t blob_manifests = 200;
constexpr std::uint64_t largest_blob = std::uint64_t{16} << 20;

bool has(const operation_mix& mix, operation op)
{
    return mix[static_cast<std::size_t>(op)] != 0;
}

bool needs_manifests(const operation_mix& mix)
{
    return has(mix, operation::head) || has(mix, operation::get) || has(mix, operation::blob);
}

bool needs_names(const operation_mix& mix)
{
    return needs_manifests(mix) || has(mix, operation::tags);
}

using references = std::vector<registry_sample::reference>;

// Keeps `blob_manifests` of all, each as likely as any other (reservoir sampling).
class manifest_sample
{
public:
    explicit manifest_sample(std::uint64_t seed) : random_(seed) {}
    void add(std::string_view repository, std::string_view reference)
    {
        ++seen_;
        if (kept_.size() < blob_manifests)
            kept_.emplace_back(repository, reference);
        else if (const std::size_t place = random_.below(seen_); place < blob_manifests)
            kept_[place] = {std::string(repository), std::string(reference)};
    }
    const references& kept() const noexcept { return kept_; }

private:
    split_mix random_;
    std::size_t seen_ = 0;
    references kept_;
};

void read_index(const index& from, bool manifests, load_targets& into, manifest_sample& some)
{
    std::vector<std::string> names;
    from.for_each_repository([&](const repository_info& info) {
            names.push_back(info.name);
            into.add_repository(info.name);
            return names.size() < most_targets;
        })
        .value();
    std::size_t count = 0;
    for (const auto& name : names) {
        if (!manifests || count == most_targets)
            break;
        from.for_each_tag(name,
                          [&](const tag_view& view) {
                              into.add_manifest(name, view.tag);
                              some.add(name, view.tag);
                              return ++count < most_targets;
                          })
            .value();
    }
}

void read_registry(session& s, const load_options& load, load_targets& into, manifest_sample& some)
{
    const crawl_options& limits = s.connection();
    sample_options how;
    how.names = limits.names;
    how.patterns = limits.patterns;
    how.page_size = s.options().page_size;
    const bool exact = std::none_of(how.patterns.begin(), how.patterns.end(), [](const std::string& pattern) {
        return pattern.find_first_of("*?[") != std::string::npos;
    });
    if (exact && how.names.empty())
        how.names = how.patterns;
    const auto found = read_sample(load, how).value();
    for (const auto& name : found.repositories)
        into.add_repository(name);
    for (const auto& [repository, tag] : found.manifests) {
        into.add_manifest(repository, tag);
        some.add(repository, tag);
    }
    terminal::standard().info("there is no index: asking for " + with_commas(found.manifests.size()) + " tags of " +
                              with_commas(found.repositories.size()) + " repositories that a short look found");
}

} // namespace

load_targets find_targets(session& s, const load_options& load)
{
    load_targets targets(s.address().prefix, s.options().page_size);
    manifest_sample some(load.seed);
    if (!needs_names(load.mix))
        return targets;
    std::error_code ec;
    if (s.options().refresh || (!s.index_file().empty() && std::filesystem::exists(s.index_file(), ec)))
        read_index(s.open_index(), needs_manifests(load.mix), targets, some);
    else
        read_registry(s, load, targets, some);
    if (has(load.mix, operation::blob))
        for (const auto& [repository, digest] : find_blobs(load, some.kept(), largest_blob))
            targets.add_blob(repository, digest);
    return targets;
}

} // namespace regsweep::cli
