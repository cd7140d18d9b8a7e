// What a manifest, an image's config blob and an answer of the referrers API tell.

#include "fuzz/fuzz.hpp"
#include "regsweep/registry/manifest.hpp"

using namespace regsweep;
using fuzz::require;

namespace {

constexpr std::int64_t first_time = 315'619'200; // 1980-01-02T00:00:00Z
constexpr std::size_t most = 100'000;

void check_error(const error& e)
{
    require(e.is(errc::bad_json) || e.is(errc::bad_digest) || e.is(errc::too_large));
    require(!fuzz::has_control(e.message()));
}

void check_digest(const digest& d)
{
    require(!d.empty());
    require(digest::parse(d.to_string()).value() == d);
}

void check(const manifest_details& d)
{
    require(d.digest.empty() && d.size == 0); // for the caller to fill
    require(!d.created || d.created->seconds >= first_time);
    require(!d.created || (d.created->nanoseconds >= 0 && d.created->nanoseconds < 1'000'000'000));
    require(d.layers.size() <= most && d.children.size() <= most);
    if (d.config)
        check_digest(d.config->digest);
    for (const auto& layer : d.layers)
        check_digest(layer.digest);
    for (const auto& child : d.children)
        check_digest(child.digest);
    require(std::is_sorted(d.annotations.begin(), d.annotations.end()));
    require(std::is_sorted(d.labels.begin(), d.labels.end()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto text = fuzz::text(data, size);
    const auto found = parse_manifest(text);
    if (found)
        check(*found);
    else
        check_error(found.error());

    manifest_details image;
    image.type = media_type::oci_manifest;
    if (const auto added = add_config(text, image); added)
        check(image);
    else
        require(added.error().is(errc::bad_json));

    const auto referrers = parse_referrers(text);
    if (!referrers) {
        check_error(referrers.error());
        return 0;
    }
    require(referrers->size() <= most);
    for (const auto& one : *referrers)
        check_digest(one.digest);
    return 0;
}
