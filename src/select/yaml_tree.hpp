#ifndef REGSWEEP_SELECT_YAML_TREE_HPP
#define REGSWEEP_SELECT_YAML_TREE_HPP

#include "regsweep/core/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace regsweep::detail {

enum class yaml_kind { null, scalar, list, map };

/// One value of a YAML document, with its place.
struct yaml_node
{
    yaml_kind kind = yaml_kind::null;
    std::size_t line = 1; ///< from 1, and so is `column`
    std::size_t column = 1;
    std::string text;             ///< of a scalar
    std::vector<yaml_node> items; ///< of a list; of a map: its keys, scalars all, each before its value
};

/// The error for a place of a file: `name:line:column: what`.
error yaml_error(std::string_view name, std::size_t line, std::size_t column, const std::string& what);

/// Reads the one document of a text. Anchors, aliases, explicit types, keys that are repeated or no scalars, NUL bytes
/// and what is nested or large beyond measure are refused. Fails with `errc::bad_file`.
result<yaml_node> read_yaml(std::string_view text, std::string_view name);

} // namespace regsweep::detail

#endif
