#ifndef REGSWEEP_REGISTRY_DOCTOR_HPP
#define REGSWEEP_REGISTRY_DOCTOR_HPP

#include "regsweep/registry/client.hpp"
#include "regsweep/registry/health.hpp"

#include <memory>

namespace regsweep {

struct doctor_options
{
    registry_address address;
    std::string address_source; ///< where it comes from, for people
    registry_options registry;
    http::client_options http;
    std::vector<std::string> repositories; ///< to look into; if empty, what the catalog's first page names
    unsigned page_size = 1000;             ///< names to ask for in a page
};

/// Finds out what of a registry works, step by step, and changes nothing there.
class doctor
{
public:
    explicit doctor(doctor_options options);
    ~doctor();
    doctor(const doctor&) = delete;
    doctor& operator=(const doctor&) = delete;

    /// One finding for every check, in the order of the steps; what a failed step makes impossible is `not_checked`.
    /// Blocks; call it once.
    std::vector<finding> examine();

    /// Ends `examine` soon. Any thread.
    void cancel();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace regsweep

#endif
