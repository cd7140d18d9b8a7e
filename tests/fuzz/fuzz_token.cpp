// The JSON that a token endpoint answers.

#include "fuzz/fuzz.hpp"
#include "regsweep/auth/basic.hpp"
#include "regsweep/auth/token.hpp"

using namespace regsweep;
using fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view body = fuzz::text(data, size);
    const auto received = std::chrono::system_clock::time_point(std::chrono::seconds(1'600'000'000));
    const token_limits limits;
    const auto answer = parse_token_answer(body, received, limits);
    if (answer) {
        require(bearer_authorization(answer->token).has_value());
        require(answer->life > std::chrono::seconds(0) && answer->life <= limits.maximum_life);
    } else {
        require(!fuzz::has_control(answer.error().message()));
    }
    parse_rfc3339(body);
    return 0;
}
