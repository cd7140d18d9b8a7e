#include "http/inflate.hpp"

#include <zlib.h>

#include <array>
#include <memory>

namespace regsweep::http {

result<void> inflate(std::string& body, std::uint64_t limit)
{
    z_stream stream{};
    // 32: gzip or zlib header, detected.
    if (inflateInit2(&stream, 15 + 32) != Z_OK)
        return error(errc::bad_response, "zlib cannot be initialised");
    const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
    std::string out;
    std::array<char, 16384> chunk;
    stream.next_in = reinterpret_cast<Bytef*>(body.data());
    stream.avail_in = static_cast<uInt>(body.size());
    int state = Z_OK;
    while (state != Z_STREAM_END) {
        stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
        stream.avail_out = chunk.size();
        state = ::inflate(&stream, Z_NO_FLUSH);
        if (state != Z_OK && state != Z_STREAM_END)
            return error(errc::bad_response, "the compressed body is damaged or cut off");
        out.append(chunk.data(), chunk.size() - stream.avail_out);
        if (out.size() > limit)
            return error(errc::too_large, "the body grows over " + std::to_string(limit) + " bytes when decompressed");
    }
    body = std::move(out);
    return {};
}

} // namespace regsweep::http
