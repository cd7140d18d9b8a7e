#ifndef REGSWEEP_TESTS_INTEGRATION_INDEX_CONTENT_HPP
#define REGSWEEP_TESTS_INTEGRATION_INDEX_CONTENT_HPP

#include "integration/program.hpp"

#include "regsweep/index/index.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace regsweep::test {

/// Everything an index holds, repositories without tags included.
struct index_content
{
    content tags;
    std::set<std::string> incomplete; ///< repositories that were not read completely
};

/// Throws `failure` if the index is damaged.
inline index_content read_index(const std::filesystem::path& file)
{
    index_content all;
    const auto index = regsweep::index::open(file).value();
    index
        .for_each_repository([&all](const repository_info& repository) {
            all.tags[repository.name];
            if (!repository.complete)
                all.incomplete.insert(repository.name);
            return true;
        })
        .value();
    for (auto& [name, tags] : all.tags)
        index
            .for_each_tag(name,
                          [&tags = tags](const tag_view& tag) {
                              tags[std::string(tag.tag)] = tag.digest.to_string();
                              return true;
                          })
            .value();
    return all;
}

} // namespace regsweep::test

#endif
