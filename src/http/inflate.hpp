#ifndef REGSWEEP_SRC_HTTP_INFLATE_HPP
#define REGSWEEP_SRC_HTTP_INFLATE_HPP

#include "regsweep/core/error.hpp"

#include <cstdint>
#include <string>

namespace regsweep::http {

/// Replaces a gzip or zlib compressed body by its content. Fails with `errc::bad_response`, or `errc::too_large`
/// if it grows over `limit` bytes.
result<void> inflate(std::string& body, std::uint64_t limit);

} // namespace regsweep::http

#endif
