// Crawls a registry into an index file and prints the repositories with their tags: crawl_to_index ADDRESS FILE
#include <regsweep/crawl/crawler.hpp>
#include <regsweep/index/index.hpp>

#include <cstdio>
#include <exception>

int main(int argc, char** argv)
try {
    if (argc != 3) {
        std::fputs("usage: crawl_to_index ADDRESS FILE\n", stderr);
        return 2;
    }
    regsweep::crawl_options what;
    what.address = regsweep::registry_address::parse(argv[1]).value(); // `value()` throws a `failure` that says why
    regsweep::index_builder_options where;
    where.file = argv[2];
    where.registry = what.address.canonical();

    const auto builder = regsweep::index_builder::create(where).value();
    regsweep::crawler crawler(what);
    const auto report = crawler.run(*builder).value();
    const auto index = builder->finish().value();

    index
        .for_each_repository([](const regsweep::repository_info& repository) {
            std::printf("%s: %llu tags\n", repository.name.c_str(), static_cast<unsigned long long>(repository.tags));
            return true;
        })
        .value();
    return report.incomplete == 0 ? 0 : 3;
} catch (const std::exception& e) {
    std::fprintf(stderr, "crawl_to_index: %s\n", e.what());
    return 1;
}
