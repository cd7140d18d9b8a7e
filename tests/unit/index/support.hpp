#ifndef REGSWEEP_TESTS_UNIT_INDEX_SUPPORT_HPP
#define REGSWEEP_TESTS_UNIT_INDEX_SUPPORT_HPP

#include "regsweep/index/builder.hpp"
#include "regsweep/index/index.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::test {

/// A digest that depends on `text` alone.
digest digest_of(std::string_view text);

struct test_tag
{
    std::string name;
    regsweep::digest digest;
    media_type type = media_type::oci_manifest;
};

struct test_repository
{
    std::string name;
    std::vector<test_tag> tags{};
    bool finished = true;
    bool complete = true;
    std::string problem{};
};

using test_registry = std::vector<test_repository>;

/// Two repositories that share a digest, an empty one and an incomplete one.
test_registry small_registry();
/// `repositories` times `tags` tags; every tenth digest is shared between repositories.
test_registry large_registry(std::size_t repositories, std::size_t tags);

/// An empty record, waiting for one.
index_record* wait_for_record(index_builder& to);

/// Pushes a repository in records of `batch` tags, leaving out what the builder holds after a resume.
void push(index_builder& to, const test_repository& from, std::size_t batch = 256,
          const std::function<void()>& after_each = {});

/// Builds an index in `file`, or in memory.
index build(const test_registry& from, const std::filesystem::path& file = {});
index_builder_options options_for(const std::filesystem::path& file);

/// All an index knows, as text.
std::string dump(const index& from);
/// What `dump` gives for a registry, worked out without an index.
std::string expected_dump(test_registry from);

/// Runs `child` in a process of its own; its result is the exit code. -1 if it was killed.
int run_in_child(const std::function<int()>& child);

/// Runs `child(signal)` in a process of its own and kills it with SIGKILL when it has called `signal` `count` times.
/// Returns whether it was killed before it ended.
bool run_and_kill(const std::function<void(const std::function<void()>&)>& child, std::size_t count);

} // namespace regsweep::test

#endif
