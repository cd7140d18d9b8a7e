#ifndef REGSWEEP_SRC_CLI_DETAILS_HPP
#define REGSWEEP_SRC_CLI_DETAILS_HPP

#include "cli/session.hpp"
#include "cli/table.hpp"
#include "regsweep/crawl/details.hpp"
#include "regsweep/select/usage.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace regsweep::cli {

/// The details of an index, and what reading them took.
struct read_details
{
    details_store store;
    std::filesystem::path file; ///< empty for memory
    details_report report;
    std::uint64_t forgotten = 0; ///< manifests that no tag leads to any more
};

/// Reads what the store beside the session's index lacks of `from`, asks again what may have changed, and forgets what
/// is in no use. Says on standard error what could not be read, and lets the session's status be `exit_partly` then.
read_details refresh_details(session& s, const index& from);

/// The store, with all that `from` leads to: asks the registry only for what is new. Otherwise as `refresh_details`.
details_store details_of(session& s, const index& from);

/// The same with the graph of both.
struct detailed_graph
{
    details_store store;
    content_graph graph;
};
detailed_graph graph_of(session& s, const index& from);

/// Bytes of a manifest with its config, layers and children, each blob once, as far as they are known.
std::uint64_t total_size(const details_store& facts, const manifest_details& top);

/// What earlier commands found out about images, for tables: the registry is not asked.
class known_details
{
public:
    explicit known_details(const session& s);

    bool any() const noexcept { return store_.has_value(); } ///< there is a details file
    /// Names of the columns that `cells` fills: none without a details file.
    std::vector<table::column> columns() const;
    /// Age and size of one image, `-` where they are not known.
    std::vector<std::string> cells(const digest& d);

private:
    std::optional<details_store> store_;
    std::unordered_map<digest, std::vector<std::string>> seen_;
    std::int64_t now_;
};

/// `1234567` as `1.2 MiB`, 1,000 bytes and less as `1000 B`.
std::string human_size(std::uint64_t bytes);

} // namespace regsweep::cli

#endif
