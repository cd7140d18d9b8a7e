#include "regsweep/index/builder.hpp"

#include <benchmark/benchmark.h>

#include <unistd.h>

#include <filesystem>
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

// Pushes tags of one repository.
void push_record(regsweep::index_builder& into, std::int64_t number)
{
    auto* record = wait_for_record(into);
    record->repository = "team/app-" + std::to_string(number);
    record->finished = true;
    for (int i = 0; i != tags_of_record; ++i) {
        record->add("1.0." + std::to_string(i));
        auto& entry = record->entries.back();
        entry.what = regsweep::index_record::state::resolved;
        entry.type = regsweep::media_type::oci_manifest;
        entry.digest = regsweep::digest::of(std::to_string(number * tags_of_record + i));
    }
    into.push(record);
}

// Through the queue into a finished file: one item is one tag.
void index_build(benchmark::State& state)
{
    const auto file = std::filesystem::temp_directory_path() / ("regsweep-micro-" + std::to_string(getpid()) + ".db");
    regsweep::index_builder_options how;
    how.file = file;
    for (auto _ : state) {
        auto builder = regsweep::index_builder::create(how).value();
        for (std::int64_t number = 0; number != state.range(0); ++number)
            push_record(*builder, number);
        if (!builder->finish())
            state.SkipWithError("the index could not be written");
    }
    state.SetItemsProcessed(state.iterations() * state.range(0) * tags_of_record);
    std::filesystem::remove(file);
    std::filesystem::remove(file.string() + ".lock");
}
BENCHMARK(index_build)->Arg(1000)->Unit(benchmark::kMillisecond)->UseRealTime();

} // namespace
