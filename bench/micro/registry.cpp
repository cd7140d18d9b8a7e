#include "regsweep/core/digest.hpp"
#include "regsweep/registry/lists.hpp"
#include "regsweep/registry/manifest.hpp"
#include "regsweep/registry/pagination.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <string_view>

namespace {

std::string list_of(int names)
{
    std::string text = R"({"name":"team/app","tags":[)";
    for (int i = 0; i != names; ++i)
        text += (i == 0 ? "\"" : ",\"") + ("1.0." + std::to_string(i)) + "-alpine\"";
    return text + "]}";
}

std::string digest_text(int number)
{
    return regsweep::digest::of(std::to_string(number)).to_string();
}

std::string image_manifest(int layers)
{
    std::string text = R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)"
                       R"({"mediaType":"application/vnd.oci.image.config.v1+json","size":7023,"digest":")" +
                       digest_text(-1) + R"("},"layers":[)";
    for (int i = 0; i != layers; ++i)
        text += std::string(i == 0 ? "" : ",") +
                R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":32654,"digest":")" +
                digest_text(i) + "\"}";
    return text + "]}";
}

std::string image_index(int children)
{
    std::string text = R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)";
    for (int i = 0; i != children; ++i)
        text += std::string(i == 0 ? "" : ",") +
                R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","size":527,"digest":")" + digest_text(i) +
                R"(","platform":{"architecture":"amd64","os":"linux"}})";
    return text + "]}";
}

// A page of a tag list; one item is one tag.
void list_parse(benchmark::State& state)
{
    const std::string text = list_of(static_cast<int>(state.range(0)));
    for (auto _ : state)
        benchmark::DoNotOptimize(regsweep::parse_tags(text));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(list_parse)->Arg(100)->Arg(1000);

void manifest_parse(benchmark::State& state)
{
    const std::string text = image_manifest(static_cast<int>(state.range(0)));
    for (auto _ : state)
        benchmark::DoNotOptimize(regsweep::parse_manifest(text));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(manifest_parse)->Arg(8);

void manifest_children(benchmark::State& state)
{
    const std::string text = image_index(static_cast<int>(state.range(0)));
    for (auto _ : state)
        benchmark::DoNotOptimize(regsweep::parse_children(text));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(manifest_children)->Arg(8);

void link_next(benchmark::State& state)
{
    const std::array<std::string_view, 1> header{R"(</v2/team/app/tags/list?last=1.0.999&n=1000>; rel="next")"};
    for (auto _ : state)
        benchmark::DoNotOptimize(regsweep::find_next_link(header));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(link_next);

void digest_parse(benchmark::State& state)
{
    const std::string text = digest_text(1);
    for (auto _ : state)
        benchmark::DoNotOptimize(regsweep::digest::parse(text));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(digest_parse);

void digest_print(benchmark::State& state)
{
    const auto one = regsweep::digest::of("one");
    for (auto _ : state)
        benchmark::DoNotOptimize(one.to_string());
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(digest_print);

} // namespace
