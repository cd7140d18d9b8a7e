// A file given as an index: the JSON cache, or anything else that is opened as one.

#include "common/temp_dir.hpp"
#include "fuzz/fuzz.hpp"
#include "regsweep/index/index.hpp"

#include <string>

using namespace regsweep;
using fuzz::require;

namespace {

std::string content(const regsweep::index& of)
{
    std::string out;
    const auto done = of.for_each_repository([&](const repository_info& r) {
        require(r.complete);
        if (r.tags == 0)
            return true; // the format has no place for it
        std::uint64_t tags = 0;
        require(of.for_each_tag(r.name, [&](const tag_view& t) {
                      ++tags;
                      out += r.name + "\n" + std::string(t.tag) + "\n" + t.digest.to_string() + "\n";
                      return true;
                  }).has_value());
        require(tags == r.tags);
        return true;
    });
    require(done.has_value());
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    static const test::temp_dir folder;
    const auto file = folder / "cache.json";
    test::write_file(file, fuzz::text(data, size));
    const auto first = regsweep::index::open(file);
    if (!first) {
        require(!fuzz::has_control(first.error().message()));
        return 0;
    }
    if (fuzz::text(data, size).starts_with("SQLite"))
        return 0;
    // What was read is written and read again as the same.
    const auto copy = folder / "copy.json";
    if (!first->write_json(copy))
        return 0; // a SHA-512 has no place in the format
    const auto second = regsweep::index::open(copy);
    require(second.has_value());
    require(content(*first) == content(*second));
    return 0;
}
