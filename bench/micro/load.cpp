#include "regsweep/load/histogram.hpp"

#include <benchmark/benchmark.h>

#include <random>

namespace {

regsweep::histogram filled()
{
    std::mt19937 random(1);
    std::lognormal_distribution<double> latency(13, 1);
    regsweep::histogram out;
    for (int i = 0; i != 100000; ++i)
        out.record(regsweep::histogram::duration(static_cast<std::int64_t>(latency(random))));
    return out;
}

void histogram_record(benchmark::State& state)
{
    regsweep::histogram into;
    benchmark::DoNotOptimize(&into);
    std::int64_t latency = 200'000;
    for (auto _ : state) {
        into.record(regsweep::histogram::duration(latency));
        benchmark::ClobberMemory();
        latency = latency * 5 % 9'999'991 + 1000;
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(histogram_record);

void histogram_percentile(benchmark::State& state)
{
    const auto from = filled();
    for (auto _ : state)
        benchmark::DoNotOptimize(from.percentile(99));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(histogram_percentile);

} // namespace
