#include "regsweep/core/names.hpp"
#include "regsweep/select/matcher.hpp"
#include "regsweep/select/version.hpp"

#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

namespace {

// Tags as registries hold them: versions, builds, branches.
std::vector<std::string> some_tags(std::size_t count)
{
    std::mt19937 random(1);
    const auto below = [&](unsigned n) { return std::to_string(random() % n); };
    std::vector<std::string> tags;
    for (std::size_t i = 0; i != count; ++i) {
        std::string tag = below(20) + "." + below(40) + "." + below(100);
        if (i % 3 == 1)
            tag += "-rc" + below(9);
        if (i % 3 == 2)
            tag = "main-" + below(100000);
        tags.push_back(std::move(tag));
    }
    return tags;
}

void version_sort(benchmark::State& state)
{
    const auto tags = some_tags(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) {
        std::vector<std::string_view> sorted(tags.begin(), tags.end());
        regsweep::sort_tags(sorted);
        benchmark::DoNotOptimize(sorted.data());
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(version_sort)->Arg(1000)->Arg(100000)->Unit(benchmark::kMicrosecond);

void version_compare(benchmark::State& state)
{
    const regsweep::loose_version a("1.10.2-rc1");
    const regsweep::loose_version b("1.10.2-rc2");
    for (auto _ : state)
        benchmark::DoNotOptimize(regsweep::compare(a, b));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(version_compare);

// One item is one tag that is looked at.
void match_all(benchmark::State& state, const std::vector<std::string>& selectors,
               const std::vector<std::string>& regexes)
{
    const auto tags = some_tags(10000);
    auto matcher = regsweep::tag_matcher::create(selectors, regexes).value();
    for (auto _ : state)
        for (const auto& tag : tags)
            benchmark::DoNotOptimize(matcher.match(tag));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(tags.size()));
}

void match_exact(benchmark::State& state)
{
    match_all(state, {"1.2.3", "latest", "main-1"}, {});
}
BENCHMARK(match_exact)->Unit(benchmark::kMicrosecond);

void match_selector(benchmark::State& state)
{
    match_all(state, {">=19.30"}, {});
}
BENCHMARK(match_selector)->Unit(benchmark::kMicrosecond);

void match_regex(benchmark::State& state)
{
    match_all(state, {}, {R"(\d+\.\d+\.\d+-rc\d$)"});
}
BENCHMARK(match_regex)->Unit(benchmark::kMicrosecond);

void match_glob(benchmark::State& state)
{
    const auto tags = some_tags(10000);
    for (auto _ : state)
        for (const auto& tag : tags)
            benchmark::DoNotOptimize(regsweep::glob_match("1?.*-rc[0-9]", tag));
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(tags.size()));
}
BENCHMARK(match_glob)->Unit(benchmark::kMicrosecond);

} // namespace
