// A Docker config.json or containers auth.json.

#include "fuzz/fuzz.hpp"
#include "regsweep/auth/docker_config.hpp"

#include <string>
#include <utility>

using namespace regsweep;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view json = fuzz::text(data, size);
    for (const auto& [server, path] : {std::pair<origin, std::string_view>({true, "reg.example", 443}, "team/app"),
                                       {{true, "docker.io", 443}, ""},
                                       {{false, "localhost", 5000}, ""},
                                       {{true, "::1", 5000}, "a"}}) {
        const auto entry = find_in_docker_config(json, "config.json", server, path);
        if (!entry) {
            require(entry.error().is(errc::bad_file));
            const std::string message = entry.error().message();
            require(message.find("config.json") != std::string::npos && !fuzz::has_control(message));
            continue;
        }
        require(entry->helper.empty() == entry->helper_urls.empty());
        require(entry->helper_urls.size() <= 3);
        const credentials& found = entry->found;
        require(found.kind != credential_kind::basic || !found.user.empty());
        require(found.anonymous() || !found.source.empty());
        require(!fuzz::has_control(describe(found)));
        require(!fuzz::has_control(describe(denial{401, server.host, "basic", {}, false}, found)));
    }
    return 0;
}
