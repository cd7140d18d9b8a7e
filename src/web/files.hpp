#ifndef REGSWEEP_SRC_WEB_FILES_HPP
#define REGSWEEP_SRC_WEB_FILES_HPP

#include <string_view>

/// The files of web/, as they are in the source tree.
namespace regsweep::web {

extern const std::string_view page_html;
extern const std::string_view page_css;
extern const std::string_view common_js;
extern const std::string_view bench_js;
extern const std::string_view report_js;
extern const std::string_view charts_js;

} // namespace regsweep::web

#endif
