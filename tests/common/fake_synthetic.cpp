#include "common/fake_synthetic.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace regsweep::test {

namespace {

constexpr std::size_t name_digits = 6;
constexpr std::string_view digest_prefix = "sha256:";
constexpr std::string_view zeros = "0000000000000000000000000000000000000000000000000000000000000000";
constexpr char hex[] = "0123456789abcdef";

/// Two naming schemes, because version order and tag patterns are to be measured as well.
std::string tag_name(std::size_t tag)
{
    return (tag % 4 == 3 ? "v-" : "1.0.") + std::to_string(tag);
}

/// Writes the lowest 64 bits of the number before `end`.
void put_hex(char* end, std::uint64_t number) noexcept
{
    for (int i = 0; i < 16; ++i, number >>= 4)
        *--end = hex[number & 15];
}

std::uint64_t scrambled(std::uint64_t x) noexcept
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

/// The start of a digest as a number, for lookup tables.
std::uint64_t key_of(std::string_view digest) noexcept
{
    std::uint64_t key = 0;
    if (digest.size() >= digest_prefix.size() + 16)
        std::from_chars(digest.data() + digest_prefix.size(), digest.data() + digest_prefix.size() + 16, key, 16);
    return key;
}

} // namespace

fake_synthetic::scratch::scratch()
    : context_(EVP_MD_CTX_new()), sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)),
      digest_(std::string(digest_prefix) + std::string(zeros))
{}

fake_synthetic::scratch::~scratch()
{
    EVP_MD_CTX_free(context_);
    EVP_MD_free(sha256_);
}

fake_synthetic::fake_synthetic(fake_synthetic_options options) : options_(std::move(options))
{
    if (options_.repositories > 1000000 || options_.tags > 0xffffffffU)
        throw std::invalid_argument("at most 1,000,000 synthetic repositories and 4,294,967,295 tags");
    if (options_.share == 1)
        throw std::invalid_argument("share is 0 or at least 2: the first tag has none before it");

    body_template_ = R"({"schemaVersion":2,"mediaType":")" + std::string(media_type) +
                     R"(","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1470,)"
                     R"("digest":"sha256:)";
    config_at_ = body_template_.size() + zeros.size();
    body_template_ += zeros;
    body_template_ += R"("},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip",)"
                      R"("size":2811969,"digest":"sha256:)";
    layer_at_ = body_template_.size() + zeros.size();
    body_template_ += zeros;
    body_template_ += R"("}]})";

    head_template_ = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body_template_.size()) +
                     "\r\nContent-Type: " + media_type + "\r\nDocker-Content-Digest: ";
    digest_at_ = head_template_.size();
    head_template_ += digest_prefix;
    head_template_ += zeros;
    head_template_ += "\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n";

    tag_names_.reserve(options_.tags);
    for (std::size_t i = 0; i < options_.tags; ++i)
        tag_names_.push_back(tag_name(i));
    std::sort(tag_names_.begin(), tag_names_.end());

    scratch with;
    for (std::size_t i = 0; i < options_.variants; ++i) {
        compute_answer(i, with);
        answers_.push_back(with.answer_);
    }
}

std::uint64_t fake_synthetic::content(std::size_t repository, std::size_t tag) const noexcept
{
    if (options_.share != 0 && tag % options_.share == options_.share - 1) {
        if (repository % 2 == 1)
            --repository;
        --tag; // an even repository's own tag before; an odd one's, through the even one, is the same content
    }
    const auto number = (static_cast<std::uint64_t>(repository) << 32) | tag;
    return options_.variants == 0 ? number : scrambled(number) % options_.variants;
}

void fake_synthetic::compute(std::uint64_t content, scratch& with) const
{
    with.bytes_.assign(body_template_);
    put_hex(with.bytes_.data() + config_at_, content);
    put_hex(with.bytes_.data() + layer_at_, scrambled(content));
    unsigned char raw[32];
    EVP_DigestInit_ex(with.context_, with.sha256_, nullptr);
    EVP_DigestUpdate(with.context_, with.bytes_.data(), with.bytes_.size());
    EVP_DigestFinal_ex(with.context_, raw, nullptr);
    char* out = with.digest_.data() + digest_prefix.size();
    for (const auto byte : raw) {
        *out++ = hex[byte >> 4];
        *out++ = hex[byte & 15];
    }
}

void fake_synthetic::compute_answer(std::uint64_t content, scratch& with) const
{
    compute(content, with);
    with.answer_.assign(head_template_);
    with.answer_.replace(digest_at_, with.digest_.size(), with.digest_);
    with.answer_ += with.bytes_;
}

std::string_view fake_synthetic::manifest(std::size_t repository, std::size_t tag, scratch& with) const
{
    compute(content(repository, tag), with);
    return with.bytes_;
}

std::string_view fake_synthetic::digest(std::size_t repository, std::size_t tag, scratch& with) const
{
    compute(content(repository, tag), with);
    return with.digest_;
}

bool fake_synthetic::append_answer(std::string_view path, bool head, scratch& with, std::string& out) const
{
    constexpr std::string_view api = "/v2/";
    constexpr std::string_view manifests = "/manifests/";
    const auto name_size = options_.prefix.size() + name_digits;
    if (path.size() <= api.size() + name_size + manifests.size() || !path.starts_with(api) ||
        path.substr(api.size() + name_size, manifests.size()) != manifests)
        return false;
    const auto repository = find_repository(path.substr(api.size(), name_size));
    if (!repository)
        return false;
    const auto tag = find_tag(path.substr(api.size() + name_size + manifests.size()));
    if (!tag)
        return false;
    const auto number = content(*repository, *tag);
    if (answers_.empty())
        compute_answer(number, with);
    const std::string& answer = answers_.empty() ? with.answer_ : answers_[number];
    out.append(answer, 0, head ? head_template_.size() : answer.size());
    return true;
}

std::string fake_synthetic::repository_name(std::size_t repository) const
{
    const auto digits = std::to_string(repository);
    return options_.prefix + std::string(name_digits - digits.size(), '0') + digits;
}

std::optional<std::size_t> fake_synthetic::find_repository(std::string_view name) const noexcept
{
    if (name.size() != options_.prefix.size() + name_digits || !name.starts_with(options_.prefix))
        return std::nullopt;
    std::size_t number = 0;
    const char* end = name.data() + name.size();
    const auto [read, failed] = std::from_chars(name.data() + options_.prefix.size(), end, number);
    if (failed != std::errc() || read != end || number >= options_.repositories)
        return std::nullopt;
    return number;
}

std::optional<std::size_t> fake_synthetic::find_tag(std::string_view name) const noexcept
{
    const bool version = name.starts_with("1.0.");
    if (!version && !name.starts_with("v-"))
        return std::nullopt;
    const auto digits = name.substr(version ? 4 : 2);
    if (digits.empty() || (digits.front() == '0' && digits.size() > 1))
        return std::nullopt;
    std::size_t number = 0;
    const auto [read, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (failed != std::errc() || read != digits.data() + digits.size() || number >= options_.tags ||
        (number % 4 == 3) == version)
        return std::nullopt;
    return number;
}

std::shared_ptr<const fake_synthetic::digest_table> fake_synthetic::digests_of(std::size_t repository) const
{
    constexpr std::size_t kept = 4096;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = digest_tables_.find(repository);
        if (found != digest_tables_.end())
            return found->second;
    }
    scratch with;
    auto table = std::make_shared<digest_table>();
    table->reserve(options_.tags);
    for (std::size_t i = 0; i < options_.tags; ++i)
        table->emplace_back(key_of(digest(repository, i, with)), static_cast<std::uint32_t>(i));
    std::sort(table->begin(), table->end());
    const std::scoped_lock lock(mutex_);
    if (digest_tables_.size() >= kept)
        digest_tables_.erase(digest_tables_.begin());
    digest_tables_[repository] = table;
    return table;
}

std::optional<std::size_t> fake_synthetic::find_reference(std::size_t repository, std::string_view reference) const
{
    if (!reference.starts_with(digest_prefix))
        return find_tag(reference);
    const auto table = digests_of(repository);
    scratch with;
    const auto key = key_of(reference);
    auto at = std::lower_bound(table->begin(), table->end(), std::pair(key, std::uint32_t{0}));
    for (; at != table->end() && at->first == key; ++at)
        if (digest(repository, at->second, with) == reference)
            return at->second;
    return std::nullopt;
}

std::vector<std::string> fake_synthetic::repositories(std::string_view last, std::size_t limit) const
{
    std::size_t low = 0;
    for (std::size_t high = options_.repositories; low < high;) {
        const auto middle = low + (high - low) / 2;
        if (repository_name(middle) <= last)
            low = middle + 1;
        else
            high = middle;
    }
    std::vector<std::string> names;
    for (; low < options_.repositories && names.size() < limit; ++low)
        names.push_back(repository_name(low));
    return names;
}

std::vector<std::string> fake_synthetic::tags(std::size_t repository, std::string_view last, std::size_t limit) const
{
    const auto first = std::upper_bound(tag_names_.begin(), tag_names_.end(), last);
    std::map<std::string, std::size_t> gone;
    {
        const std::scoped_lock lock(mutex_);
        if (const auto found = removed_.find(repository); found != removed_.end())
            gone = found->second;
    }
    const auto left = static_cast<std::size_t>(tag_names_.end() - first);
    if (gone.empty())
        return {first, first + static_cast<std::ptrdiff_t>(std::min(limit, left))};
    scratch with;
    std::vector<std::string> names;
    for (auto at = first; at != tag_names_.end() && names.size() < limit; ++at)
        if (!gone.contains(std::string(digest(repository, *find_tag(*at), with))))
            names.push_back(*at);
    return names;
}

bool fake_synthetic::remove(std::size_t repository, const std::string& digest)
{
    if (!find_reference(repository, digest))
        return false;
    if (!options_.remember_deletes)
        return true;
    const std::scoped_lock lock(mutex_);
    return ++removed_[repository][digest] == 1;
}

bool fake_synthetic::removed(std::size_t repository, const std::string& digest) const
{
    if (!options_.remember_deletes)
        return false;
    const std::scoped_lock lock(mutex_);
    const auto found = removed_.find(repository);
    return found != removed_.end() && found->second.contains(digest);
}

std::map<std::string, std::size_t> fake_synthetic::deletes() const
{
    const std::scoped_lock lock(mutex_);
    std::map<std::string, std::size_t> all;
    for (const auto& [repository, digests] : removed_)
        for (const auto& [digest, count] : digests)
            all[repository_name(repository) + "@" + digest] = count;
    return all;
}

} // namespace regsweep::test
