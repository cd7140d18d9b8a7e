#ifndef REGSWEEP_TESTS_UNIT_SWEEP_SWEEPING_HPP
#define REGSWEEP_TESTS_UNIT_SWEEP_SWEEPING_HPP

#include "common/fake_registry.hpp"
#include "common/temp_dir.hpp"

#include "regsweep/index/builder.hpp"
#include "regsweep/sweep/sweeper.hpp"

#include <string>
#include <vector>

namespace regsweep::test {

inline const std::string oci_index_type = "application/vnd.oci.image.index.v1+json";

/// Stores an index of these manifests; tags it unless `tag` is empty. Returns its digest.
inline std::string put_index(fake_registry& registry, const std::string& repository, const std::string& tag,
                             const std::vector<std::string>& children, const std::string& note = {})
{
    std::string text = R"({"schemaVersion":2,"mediaType":")" + oci_index_type + R"(","annotations":{"n":")" + note +
                       R"("},"manifests":[)";
    const char* comma = "";
    for (const auto& child : children) {
        const auto found = registry.store().find_manifest(repository, child);
        text += std::string(comma) + R"({"mediaType":")" + (found ? found->media_type : "") +
                R"(","size":1,"digest":")" + child + R"("})";
        comma = ",";
    }
    const auto id = registry.put_manifest(repository, text + "]}", oci_index_type);
    if (!tag.empty())
        registry.tag(repository, tag, id);
    return id;
}

/// Stores an image without a tag. Returns its digest.
inline std::string put_untagged(fake_registry& registry, const std::string& repository, const std::string& text)
{
    auto id = registry.put_image(repository, "for-a-moment", text);
    registry.remove_tag(repository, "for-a-moment");
    return id;
}

inline fake_rule rule_for(std::string method, std::string regex, fake_action action, std::size_t skip = 0,
                          std::size_t times = fake_unlimited)
{
    fake_rule rule;
    rule.method = std::move(method);
    rule.regex = std::move(regex);
    rule.action = std::move(action);
    rule.skip = skip;
    rule.count = times;
    return rule;
}

inline plan_step removal_of(const std::string& repository, const std::string& id, std::vector<std::string> tags)
{
    plan_step step;
    step.repository = repository;
    step.id = digest::parse(id).value();
    step.tags = std::move(tags);
    return step;
}

inline plan_step untag_of(const std::string& repository, const std::string& id, const std::string& tag)
{
    plan_step step = removal_of(repository, id, {tag});
    step.kind = step_kind::untag;
    return step;
}

/// A fake registry, with journal and index of it in a folder of their own.
class sweeping
{
public:
    explicit sweeping(fake_options fake = {})
        : registry(std::move(fake)), address(registry_address::parse(registry.url()).value()),
          records(journal::open(folder / "journal").value())
    {
        registry.start();
    }

    sweep_options options() const
    {
        sweep_options out;
        out.address = address;
        out.http.connect_timeout = std::chrono::milliseconds(5000);
        out.http.retry.retries = 3;
        out.http.retry.first_delay = std::chrono::milliseconds(1);
        out.http.retry.max_delay = std::chrono::milliseconds(5);
        return out;
    }

    static plan plan_of(std::vector<plan_step> steps)
    {
        plan out;
        out.header.command = "test";
        out.steps = std::move(steps);
        return out;
    }

    /// Images `1` to `count` in a repository, each with a tag of that name; the plan to delete them all.
    plan fill(const std::string& repository, int count)
    {
        std::vector<plan_step> steps;
        for (int i = 1; i <= count; ++i) {
            const auto tag = std::to_string(i);
            steps.push_back(removal_of(repository, registry.put_image(repository, tag, repository + tag), {tag}));
        }
        return plan_of(std::move(steps));
    }

    result<sweep_report> sweep(const plan& what, const sweep_options& how, index* known = nullptr)
    {
        return sweeper(how).run(what, records, known);
    }
    result<sweep_report> sweep(const plan& what, index* known = nullptr) { return sweep(what, options(), known); }

    sweeper::restore_report restore(std::int64_t run, index* known = nullptr, bool dry_run = false)
    {
        return sweeper(options()).restore(records, run, {}, dry_run, known).value();
    }

    /// The registry's tags as a crawl gives them, in an index file.
    index crawl(const std::string& name = "index") const
    {
        index_builder_options build;
        build.file = folder / name;
        build.registry = address.canonical();
        const auto builder = index_builder::create(std::move(build)).value();
        for (const auto& [repository, tags] : registry.snapshot()) {
            index_record* record = builder->acquire();
            record->clear();
            record->repository = repository;
            for (const auto& [tag, id] : tags) {
                record->add(tag);
                record->entries.back().what = index_record::state::resolved;
                record->entries.back().digest = digest::parse(id).value();
                record->entries.back().type = type_of(repository, id);
            }
            record->finished = true;
            builder->push(record);
        }
        return builder->finish().value();
    }

    static fake_snapshot content(const index& from)
    {
        fake_snapshot all;
        from.for_each_repository([&](const repository_info& repository) {
                all[repository.name];
                return true;
            })
            .value();
        for (auto& [name, tags] : all)
            from.for_each_tag(name,
                              [&tags = tags](const tag_view& tag) {
                                  tags[std::string(tag.tag)] = tag.digest.to_string();
                                  return true;
                              })
                .value();
        return all;
    }

    journal_run last_run() const { return records.runs().value().back(); }
    std::vector<journal_entry> entries(std::int64_t run) const { return records.entries(run, 0, 100'000).value(); }

    std::size_t deletes() const { return registry.requests("DELETE", fake_endpoint::manifests); }

    temp_dir folder{quick_folder()};
    fake_registry registry;
    registry_address address;
    journal records;

private:
    /// In memory where there is such a folder: these tests are about many runs, not about the disk.
    static std::filesystem::path quick_folder()
    {
        return std::filesystem::is_directory("/dev/shm") ? std::filesystem::path("/dev/shm")
                                                         : std::filesystem::temp_directory_path();
    }

    media_type type_of(const std::string& repository, const std::string& id) const
    {
        const auto found = const_cast<fake_registry&>(registry).store().find_manifest(repository, id);
        return found ? parse_media_type(found->media_type) : media_type::unknown;
    }
};

inline bool mentions(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

} // namespace regsweep::test

#endif
