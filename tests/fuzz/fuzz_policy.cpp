// A policy file: it is read or refused with a place, nothing is thrown, and what is read decides about a repository.

#include "fuzz/fuzz.hpp"
#include "regsweep/select/retention.hpp"

using namespace regsweep;
using fuzz::require;

namespace {

retention_repository sample()
{
    retention_repository out;
    out.name = "team/app";
    for (const std::string tag : {"latest", "v1.2.3", "v1.3.0-rc.1", "main-1", "main-2"}) {
        retention_manifest m;
        m.id = digest::of(tag);
        m.type = media_type::oci_manifest;
        m.known = tag != "latest";
        m.platform = "linux/amd64";
        if (tag != "main-1")
            m.created = timestamp{1'700'000'000, 0};
        out.tags.push_back({tag, static_cast<std::uint32_t>(out.manifests.size())});
        out.manifests.push_back(std::move(m));
    }
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    auto policy = parse_policy(fuzz::text(data, size), "p.yml");
    if (!policy) {
        require(policy.error().is(errc::bad_file));
        require(policy.error().detail.starts_with("p.yml:"));
        return 0;
    }
    for (const auto& rule : policy->rules)
        require(!problem_of(rule));
    auto all = retention::create(*policy, {1'709'251'200, 0});
    require(all.has_value());
    const auto of = sample();
    const auto decided = all->decide(of);
    require(decided || decided.error().is(errc::match_limit));
    if (decided)
        for (std::size_t t = 0; t != of.tags.size(); ++t)
            require(!all->why(of, *decided, t).empty());
    return 0;
}
