#ifndef REGSWEEP_SRC_WEB_PAGE_HPP
#define REGSWEEP_SRC_WEB_PAGE_HPP

#include <iosfwd>
#include <string>
#include <string_view>

namespace regsweep::web {

enum class page_kind { bench, report };

/// Writes one of the pages: a file that loads nothing, whose only script is its own (by hash). Between construction
/// and `finish` go its data. Whether that worked is for the stream to tell, which must outlive it.
class page_writer
{
public:
    page_writer(std::ostream& out, page_kind kind);

    /// An element that holds JSON, to be found by this id.
    void begin_data(std::string_view id);
    /// Some of that JSON. Every `<`, which JSON can have inside of strings only, is written so that nothing can end
    /// the element or begin another.
    void json(std::string_view text);
    void end_data();

    void finish();

private:
    std::ostream& out_;
    std::string script_;
    std::string_view tail_; ///< of the template, from the script on
};

} // namespace regsweep::web

#endif
