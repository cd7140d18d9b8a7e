// Prints the tags of an index that a retention policy would remove: would_go INDEX POLICY
#include <regsweep/index/index.hpp>
#include <regsweep/select/retention.hpp>
#include <regsweep/select/retention_source.hpp>

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv)
try {
    if (argc != 3) {
        std::fputs("usage: would_go INDEX POLICY\n", stderr);
        return 2;
    }
    const auto tags = regsweep::index::open(argv[1]).value(); // `value()` throws a `failure` that says why
    const regsweep::timestamp now{.seconds = std::time(nullptr)};
    auto by = regsweep::retention::create(regsweep::read_policy(argv[2]).value(), now).value();
    regsweep::retention_source source(tags); // without details: no times, labels or platforms

    std::vector<std::string> names;
    tags.for_each_repository([&](const regsweep::repository_info& repository) {
            names.push_back(repository.name);
            return true;
        })
        .value();
    for (const auto& name : names) {
        const auto repository = source.read(name).value();
        const auto decided = by.decide(repository).value();
        for (std::size_t i = 0; i != repository.tags.size(); ++i)
            if (decided.tags[i].fate != regsweep::tag_fate::keep)
                std::printf("%s:%s: %s\n", name.c_str(), repository.tags[i].name.c_str(),
                            by.why(repository, decided, i).c_str());
    }
    return 0;
} catch (const std::exception& e) {
    std::fprintf(stderr, "would_go: %s\n", e.what());
    return 1;
}
