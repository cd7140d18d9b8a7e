#include "regsweep/index/builder.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <thread>

namespace {

constexpr int tags_of_record = 256;

regsweep::index_record* wait_for_record(regsweep::index_builder& from)
{
    auto* record = from.acquire();
    for (; record == nullptr; record = from.acquire())
        std::this_thread::yield();
    return record;
}

// The lock-free list of free records: one item is one record taken and given back.
void queue_record(benchmark::State& state)
{
    auto builder = regsweep::index_builder::create({}).value();
    for (auto _ : state) {
        auto* record = wait_for_record(*builder);
        benchmark::DoNotOptimize(record);
        builder->release(record);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(queue_record);

// Through the queue into the index, whose thread is what this one waits for: one item is one tag.
void index_rows(benchmark::State& state)
{
    auto builder = regsweep::index_builder::create({}).value();
    std::int64_t number = 0;
    for (auto _ : state) {
        auto* record = wait_for_record(*builder);
        record->repository = "team/app-" + std::to_string(number);
        record->finished = true;
        for (int i = 0; i != tags_of_record; ++i) {
            record->add("1.0." + std::to_string(i));
            auto& entry = record->entries.back();
            entry.what = regsweep::index_record::state::resolved;
            entry.type = regsweep::media_type::oci_manifest;
            entry.digest = regsweep::digest::of(std::to_string(number * tags_of_record + i));
        }
        builder->push(record);
        ++number;
    }
    benchmark::DoNotOptimize(builder->finish());
    state.SetItemsProcessed(state.iterations() * tags_of_record);
}
BENCHMARK(index_rows)->Unit(benchmark::kMicrosecond)->UseRealTime()->Iterations(1000);

} // namespace
