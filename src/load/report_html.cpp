#include "regsweep/load/report.hpp"

#include "load/page_template.hpp"

namespace regsweep {
namespace {

// JSON inside of a script element: without a `<` nothing in it can end the element or begin another.
void append_json(std::string& page, const load_report* report)
{
    if (report == nullptr) {
        page += "null";
        return;
    }
    for (const char c : to_json(*report)) {
        if (c == '<')
            page += "\\u003c";
        else
            page += c;
    }
}

} // namespace

std::string to_html(const load_report& report, const load_report* earlier)
{
    std::string page(page_before_report);
    append_json(page, &report);
    page += page_before_earlier;
    append_json(page, earlier);
    page += page_end;
    return page;
}

} // namespace regsweep
