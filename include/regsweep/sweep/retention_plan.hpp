#ifndef REGSWEEP_SWEEP_RETENTION_PLAN_HPP
#define REGSWEEP_SWEEP_RETENTION_PLAN_HPP

#include "regsweep/select/retention.hpp"
#include "regsweep/sweep/plan.hpp"

#include <vector>

namespace regsweep {

/// The steps that a decision about one repository asks for, sorted by what they delete, an index before what it lists.
/// Fails with `errc::bad_argument` for names that no registry may use.
result<std::vector<plan_step>> make_steps(const retention& by, const retention_repository& of,
                                          const repository_decision& decided);

/// The tags that a decision about one repository keeps, by why it does.
std::vector<kept_tags> find_kept(const retention& by, const retention_repository& of,
                                 const repository_decision& decided);

} // namespace regsweep

#endif
