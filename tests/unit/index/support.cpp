#include "support.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>

namespace regsweep::test {

digest digest_of(std::string_view text)
{
    return digest::of(text);
}

test_registry small_registry()
{
    return {
        {"app/web", {{"1.0", digest_of("a")}, {"1.1", digest_of("b")}, {"latest", digest_of("b")}}},
        {"app/db", {{"9", digest_of("b"), media_type::docker_list}, {"10", digest_of("c"), media_type::oci_index}}},
        {"empty", {}},
        {"broken", {{"x", digest_of("d")}}, true, false, "2 of 3 tags: HTTP 500"},
    };
}

test_registry large_registry(std::size_t repositories, std::size_t tags)
{
    test_registry made(repositories);
    for (std::size_t r = 0; r < repositories; ++r) {
        made[r].name = "group" + std::to_string(r % 3) + "/service" + std::to_string(r);
        for (std::size_t t = 0; t < tags; ++t) {
            const std::string shared = t % 10 == 0 ? "shared" : made[r].name;
            made[r].tags.push_back({"v1." + std::to_string(t), digest_of(shared + std::to_string(t))});
        }
    }
    return made;
}

index_record* wait_for_record(index_builder& to)
{
    index_record* record = to.acquire();
    while (!record) {
        std::this_thread::yield();
        record = to.acquire();
    }
    return record;
}

void push(index_builder& to, const test_repository& from, std::size_t batch, const std::function<void()>& after_each)
{
    if (to.already_finished(from.name))
        return;
    const std::vector<std::string> list = to.already_resolved(from.name);
    const std::set<std::string> known(list.begin(), list.end());
    std::size_t next = 0;
    do {
        index_record* record = wait_for_record(to);
        record->repository = from.name;
        const std::size_t end = std::min(from.tags.size(), next + batch);
        for (; next < end; ++next) {
            if (known.contains(from.tags[next].name))
                continue;
            record->add(from.tags[next].name);
            record->entries.back().what = index_record::state::resolved;
            record->entries.back().type = from.tags[next].type;
            record->entries.back().digest = from.tags[next].digest;
        }
        record->finished = from.finished && next == from.tags.size();
        record->complete = from.complete;
        record->problem = from.problem;
        to.push(record);
        if (after_each)
            after_each();
    } while (next < from.tags.size());
}

index_builder_options options_for(const std::filesystem::path& file)
{
    index_builder_options options;
    options.file = file;
    options.registry = "https://registry.example:443";
    return options;
}

index build(const test_registry& from, const std::filesystem::path& file)
{
    const auto builder = index_builder::create(options_for(file)).value();
    for (const test_repository& repository : from)
        push(*builder, repository);
    return builder->finish().value();
}

std::string dump(const index& from)
{
    std::string text;
    from.for_each_repository([&](const repository_info& repository) {
            text += repository.name + " " + std::to_string(repository.tags) +
                    (repository.complete ? " complete" : " ") + repository.problem + "\n";
            from.for_each_tag(repository.name,
                              [&](const tag_view& tag) {
                                  text += "  " + std::string(tag.tag) + " " + tag.digest.to_string() + " " +
                                          std::string(to_string(tag.type)) + "\n";
                                  return true;
                              })
                .value();
            return true;
        })
        .value();
    return text;
}

std::string expected_dump(test_registry from)
{
    std::sort(from.begin(), from.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    std::string text;
    for (test_repository& repository : from) {
        text += repository.name + " " + std::to_string(repository.tags.size()) +
                (repository.complete ? " complete" : " ") + repository.problem + "\n";
        std::sort(repository.tags.begin(), repository.tags.end(),
                  [](const auto& a, const auto& b) { return a.name < b.name; });
        for (const test_tag& tag : repository.tags)
            text += "  " + tag.name + " " + tag.digest.to_string() + " " + std::string(to_string(tag.type)) + "\n";
    }
    return text;
}

int run_in_child(const std::function<int()>& child)
{
    const pid_t pid = ::fork();
    if (pid < 0)
        throw std::runtime_error("fork failed");
    if (pid == 0) {
        int code = 99;
        try {
            code = child();
        } catch (...) {
        }
        ::_exit(code);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool run_and_kill(const std::function<void(const std::function<void()>&)>& child, std::size_t count)
{
    int ends[2];
    if (::pipe(ends) != 0)
        throw std::runtime_error("pipe failed");
    const pid_t pid = ::fork();
    if (pid < 0)
        throw std::runtime_error("fork failed");
    if (pid == 0) {
        ::close(ends[0]);
        try {
            child([&] {
                if (::write(ends[1], "x", 1) != 1)
                    ::_exit(98);
            });
        } catch (...) {
            ::_exit(99);
        }
        ::_exit(0);
    }
    ::close(ends[1]);
    char byte = 0;
    while (count > 0 && ::read(ends[0], &byte, 1) == 1)
        --count;
    ::kill(pid, SIGKILL);
    int status = 0;
    ::waitpid(pid, &status, 0);
    ::close(ends[0]);
    return WIFSIGNALED(status);
}

} // namespace regsweep::test
