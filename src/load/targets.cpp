#include "regsweep/load/workload.hpp"

namespace regsweep {
namespace {

constexpr bool plain(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~' || c == '/' || c == ':';
}

// RFC 3986 section 2.1.
void append_encoded(std::string& to, std::string_view name)
{
    static constexpr char hex[] = "0123456789ABCDEF";
    for (const char c : name) {
        if (plain(c)) {
            to += c;
            continue;
        }
        to += '%';
        to += hex[static_cast<unsigned char>(c) >> 4];
        to += hex[static_cast<unsigned char>(c) & 15];
    }
}

} // namespace

load_targets::load_targets(std::string_view prefix, unsigned page_size)
    : base_(std::string(prefix) + "/v2/"), page_("?n=" + std::to_string(page_size))
{
    ping_.push_back(base_, 0, 0);
    catalog_.push_back(base_ + "_catalog" + page_, 0, 0);
}

void load_targets::append(target_list& to, std::string_view repository, std::string_view kind,
                          std::string_view reference)
{
    scratch_ = base_;
    append_encoded(scratch_, repository);
    const std::size_t length = scratch_.size() - base_.size();
    scratch_ += kind;
    append_encoded(scratch_, reference);
    to.push_back(scratch_, base_.size(), length);
}

void load_targets::add_repository(std::string_view name)
{
    append(tags_, name, "/tags/list" + page_, {});
}

void load_targets::add_manifest(std::string_view repository, std::string_view reference)
{
    append(manifests_, repository, "/manifests/", reference);
}

void load_targets::add_blob(std::string_view repository, std::string_view digest)
{
    append(blobs_, repository, "/blobs/", digest);
}

const target_list& load_targets::of(operation op) const noexcept
{
    switch (op) {
    case operation::ping: return ping_;
    case operation::catalog: return catalog_;
    case operation::tags: return tags_;
    case operation::head:
    case operation::get: return manifests_;
    case operation::blob: return blobs_;
    case operation::remove: return none_;
    }
    return ping_;
}

} // namespace regsweep
