#include "regsweep/load/report.hpp"

#include "web/page.hpp"

#include <sstream>

namespace regsweep {

std::string to_html(const load_report& report, const load_report* earlier)
{
    std::ostringstream out;
    web::page_writer page(out, web::page_kind::bench);
    page.begin_data("report");
    page.json(to_json(report));
    page.end_data();
    page.begin_data("earlier");
    page.json(earlier ? to_json(*earlier) : "null");
    page.end_data();
    page.finish();
    return out.str();
}

} // namespace regsweep
