#ifndef REGSWEEP_SELECT_RETENTION_SOURCE_HPP
#define REGSWEEP_SELECT_RETENTION_SOURCE_HPP

#include "regsweep/select/retention.hpp"
#include "regsweep/select/usage.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace regsweep {

/// Reads what `retention::decide` needs from an index, and from the details of manifests where these are at hand.
/// One thread at a time. What it was given must outlive it.
class retention_source
{
public:
    /// Names, digests and media types only.
    explicit retention_source(const index& tags);

    /// With the facts of manifests. Labels are those that the policy asks for. Fails as the store does.
    static result<retention_source> with_details(const index& tags, const content_graph& graph,
                                                 const details_store& facts, const retention_policy& policy);

    retention_source(retention_source&&) noexcept;
    retention_source& operator=(retention_source&&) noexcept;
    ~retention_source();

    /// A repository, its tags sorted. `also`: digests that the repository holds although no tag leads to them; those
    /// whose details are not known are left out. Fails as the index does.
    result<retention_repository> read(const std::string& repository, std::span<const digest> also = {});

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
