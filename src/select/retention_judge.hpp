#ifndef REGSWEEP_SELECT_RETENTION_JUDGE_HPP
#define REGSWEEP_SELECT_RETENTION_JUDGE_HPP

#include "regsweep/select/retention.hpp"
#include "select/retention_rules.hpp"

#include <vector>

namespace regsweep::detail {

/// Decides about one repository; `rules` are those of `policy`. Fails with `errc::match_limit`.
result<repository_decision> judge_repository(const retention_policy& policy, std::vector<compiled_rule>& rules,
                                             timestamp now, const in_use_references& used,
                                             const retention_repository& of);

} // namespace regsweep::detail

#endif
