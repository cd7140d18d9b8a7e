#include "common/fake_store.hpp"

#include "regsweep/core/digest.hpp"

namespace regsweep::test {

namespace {

std::string digest_of(const std::string& bytes, const std::string& given)
{
    return given.empty() ? digest::of(bytes).to_string() : given;
}

std::string image_text(const std::string& config, std::size_t config_size, const std::string& layer,
                       std::size_t layer_size)
{
    return R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",)"
           R"("config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":)" +
           std::to_string(config_size) + R"(,"digest":")" + config +
           R"("},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":)" +
           std::to_string(layer_size) + R"(,"digest":")" + layer + R"("}]})";
}

} // namespace

const fake_store::repository_content* fake_store::find(const std::string& repository) const
{
    const auto found = repositories_.find(repository);
    return found == repositories_.end() ? nullptr : &found->second;
}

std::string fake_store::put_manifest(const std::string& repository, std::string bytes, std::string media_type,
                                     const std::string& digest)
{
    auto name = digest_of(bytes, digest);
    const std::scoped_lock lock(mutex_);
    repositories_[repository].manifests[name] = {std::move(media_type), std::move(bytes), name};
    return name;
}

void fake_store::tag(const std::string& repository, const std::string& tag, const std::string& digest)
{
    const std::scoped_lock lock(mutex_);
    repositories_[repository].tags[tag] = digest;
}

std::string fake_store::put_image(const std::string& repository, const std::string& name, const std::string& text)
{
    const std::string config =
        R"({"architecture":"amd64","os":"linux","config":{"Labels":{"text":")" + text + R"("}}})";
    const std::string layer = "layer of " + text;
    const auto manifest =
        image_text(put_blob(repository, config), config.size(), put_blob(repository, layer), layer.size());
    auto digest = put_manifest(repository, manifest, "application/vnd.docker.distribution.manifest.v2+json");
    tag(repository, name, digest);
    return digest;
}

std::string fake_store::put_blob(const std::string& repository, std::string bytes, const std::string& digest)
{
    auto name = digest_of(bytes, digest);
    const std::scoped_lock lock(mutex_);
    repositories_[repository].blobs[name] = std::move(bytes);
    return name;
}

bool fake_store::remove_tag(const std::string& repository, const std::string& tag)
{
    const std::scoped_lock lock(mutex_);
    const auto found = repositories_.find(repository);
    return found != repositories_.end() && found->second.tags.erase(tag) != 0;
}

bool fake_store::remove_manifest(const std::string& repository, const std::string& digest)
{
    const std::scoped_lock lock(mutex_);
    const auto found = repositories_.find(repository);
    if (found == repositories_.end() || found->second.manifests.erase(digest) == 0)
        return false;
    std::erase_if(found->second.tags, [&](const auto& t) { return t.second == digest; });
    return true;
}

void fake_store::break_deletes(std::size_t how_many)
{
    const std::scoped_lock lock(mutex_);
    deletes_to_break_ = how_many;
}

bool fake_store::break_delete(const std::string& repository, const std::string& digest)
{
    const std::scoped_lock lock(mutex_);
    const auto found = repositories_.find(repository);
    if (deletes_to_break_ == 0 || found == repositories_.end() || found->second.manifests.erase(digest) == 0)
        return false;
    --deletes_to_break_;
    return true;
}

bool fake_store::remove_blob(const std::string& repository, const std::string& digest)
{
    const std::scoped_lock lock(mutex_);
    const auto found = repositories_.find(repository);
    return found != repositories_.end() && found->second.blobs.erase(digest) != 0;
}

void fake_store::add_repository(const std::string& repository)
{
    const std::scoped_lock lock(mutex_);
    repositories_[repository];
}

bool fake_store::has_repository(const std::string& repository) const
{
    const std::scoped_lock lock(mutex_);
    return find(repository) != nullptr;
}

fake_snapshot fake_store::snapshot() const
{
    const std::scoped_lock lock(mutex_);
    fake_snapshot all;
    for (const auto& [name, content] : repositories_)
        all[name] = content.tags;
    return all;
}

std::optional<fake_manifest> fake_store::find_manifest(const std::string& repository,
                                                       const std::string& reference) const
{
    const std::scoped_lock lock(mutex_);
    const auto* content = find(repository);
    if (content == nullptr)
        return std::nullopt;
    const auto tagged = content->tags.find(reference);
    const auto found = content->manifests.find(tagged == content->tags.end() ? reference : tagged->second);
    if (found == content->manifests.end())
        return std::nullopt;
    return found->second;
}

std::optional<std::string> fake_store::find_blob(const std::string& repository, const std::string& digest) const
{
    const std::scoped_lock lock(mutex_);
    const auto* content = find(repository);
    if (content == nullptr)
        return std::nullopt;
    const auto found = content->blobs.find(digest);
    if (found == content->blobs.end())
        return std::nullopt;
    return found->second;
}

bool fake_store::has_blob(const std::string& repository, const std::string& digest) const
{
    const std::scoped_lock lock(mutex_);
    const auto* content = find(repository);
    return content != nullptr && content->blobs.contains(digest);
}

bool fake_store::has_manifest(const std::string& repository, const std::string& digest) const
{
    const std::scoped_lock lock(mutex_);
    const auto* content = find(repository);
    return content != nullptr && content->manifests.contains(digest);
}

std::vector<std::string> fake_store::repositories(const std::string& last, std::size_t limit, bool only_tagged) const
{
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> names;
    for (auto at = repositories_.upper_bound(last); at != repositories_.end() && names.size() < limit; ++at)
        if (!only_tagged || !at->second.tags.empty())
            names.push_back(at->first);
    return names;
}

std::optional<std::vector<std::string>> fake_store::tags(const std::string& repository, const std::string& last,
                                                         std::size_t limit) const
{
    const std::scoped_lock lock(mutex_);
    const auto* content = find(repository);
    if (content == nullptr)
        return std::nullopt;
    std::vector<std::string> names;
    for (auto at = content->tags.upper_bound(last); at != content->tags.end() && names.size() < limit; ++at)
        names.push_back(at->first);
    return names;
}

std::string fake_store::start_upload(const std::string& repository)
{
    const std::scoped_lock lock(mutex_);
    repositories_[repository];
    auto name = "upload-" + std::to_string(next_upload_++);
    uploads_[name];
    return name;
}

std::optional<std::size_t> fake_store::append(const std::string& upload, std::string_view bytes)
{
    const std::scoped_lock lock(mutex_);
    const auto found = uploads_.find(upload);
    if (found == uploads_.end())
        return std::nullopt;
    found->second += bytes;
    return found->second.size();
}

std::optional<std::string> fake_store::finish(const std::string& upload)
{
    const std::scoped_lock lock(mutex_);
    const auto found = uploads_.find(upload);
    if (found == uploads_.end())
        return std::nullopt;
    auto bytes = std::move(found->second);
    uploads_.erase(found);
    return bytes;
}

} // namespace regsweep::test
