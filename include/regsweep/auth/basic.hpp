#ifndef REGSWEEP_AUTH_BASIC_HPP
#define REGSWEEP_AUTH_BASIC_HPP

#include "regsweep/auth/credentials.hpp"
#include "regsweep/core/error.hpp"

namespace regsweep {

/// The value of `Authorization` for Basic, RFC 7617, in the bytes given (UTF-8). Fails with `errc::bad_argument` if the
/// credentials are not a user and a password, the user has a colon, or either has control characters.
result<secret> basic_authorization(const credentials& who);

/// The value of `Authorization` for a bearer token, RFC 6750 §2.1. Fails with `errc::bad_argument` if the token is
/// empty or has characters that may not stand in a header.
result<secret> bearer_authorization(const secret& token);

} // namespace regsweep

#endif
