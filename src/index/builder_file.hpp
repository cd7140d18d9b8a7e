#ifndef REGSWEEP_SRC_INDEX_BUILDER_FILE_HPP
#define REGSWEEP_SRC_INDEX_BUILDER_FILE_HPP

#include "index/sqlite.hpp"
#include "regsweep/index/builder.hpp"

#include <filesystem>

namespace regsweep {

/// What an index is built into.
enum class build_target { memory, file, json };

build_target build_target_of(const std::filesystem::path& file);

/// An existing file is replaced only if it is what this program would write there, or empty.
result<void> check_replaceable(const std::filesystem::path& file, build_target what);

/// A change of the old index that was killed left a journal. SQLite would apply it to the new file under that name.
result<void> settle_old_journal(const std::filesystem::path& file);

/// A new part in place of any that is there; without a name, in memory.
result<sqlite::connection> create_part(const std::filesystem::path& part);

/// The part to go on with, or a closed connection where there is none.
result<sqlite::connection> open_part(const std::filesystem::path& part, const index_builder_options& options);

} // namespace regsweep

#endif
