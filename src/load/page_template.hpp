#ifndef REGSWEEP_SRC_LOAD_PAGE_TEMPLATE_HPP
#define REGSWEEP_SRC_LOAD_PAGE_TEMPLATE_HPP

#include <string_view>

namespace regsweep {

/// The page of a report in three parts; between them go the report and the earlier one, as JSON or `null`, with every
/// `<` written `\u003c`.
extern const std::string_view page_before_report;
extern const std::string_view page_before_earlier;
extern const std::string_view page_end;

} // namespace regsweep

#endif
