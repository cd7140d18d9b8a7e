#ifndef REGSWEEP_TESTS_UNIT_SELECT_REGISTRY_MODEL_HPP
#define REGSWEEP_TESTS_UNIT_SELECT_REGISTRY_MODEL_HPP

#include "regsweep/index/index.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace regsweep::test {

/// A folder of its own that goes with the object.
class temporary_folder
{
public:
    temporary_folder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "regsweep_select_XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    ~temporary_folder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;

    const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

/// repository → tag → digest
using registry_model = std::map<std::string, std::map<std::string, digest>>;

inline index make_index(const registry_model& model)
{
    boost::json::object all;
    for (const auto& [repository, tags] : model) {
        boost::json::object entry;
        for (const auto& [tag, d] : tags)
            entry[tag] = d.to_string();
        all[repository] = std::move(entry);
    }
    const temporary_folder folder;
    const auto file = folder.path() / "cache.json";
    std::ofstream(file) << boost::json::serialize(all);
    return index::open(file).value();
}

/// A digest for every short name.
inline digest digest_of(std::string_view name)
{
    return digest::of(name);
}

} // namespace regsweep::test

#endif
