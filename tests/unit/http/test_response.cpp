#include "http/inflate.hpp"
#include "regsweep/http/client.hpp"

#include <boost/test/unit_test.hpp>

#include <zlib.h>

#include <string>
#include <vector>

using namespace regsweep;
using namespace regsweep::http;

namespace {

// `window` as zlib has it: 15 for a zlib header, 15 + 16 for gzip, -15 for none.
std::string deflated(std::string text, int window)
{
    z_stream stream{};
    BOOST_TEST_REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(text.data());
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    BOOST_TEST_REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

constexpr std::uint64_t mebibyte = 1024 * 1024;

} // namespace

BOOST_AUTO_TEST_SUITE(responses)

BOOST_AUTO_TEST_CASE(headers)
{
    response rs;
    BOOST_TEST(rs.header("x").empty());
    rs.add_header("Content-Type", "text/plain");
    rs.add_header("Link", "<a>");
    rs.add_header("X", "");
    rs.add_header("LINK", "<b>");
    rs.body = "body";
    rs.status = 200;
    BOOST_TEST(rs.header("content-type") == "text/plain");
    BOOST_TEST(rs.header("CONTENT-TYPE") == "text/plain");
    BOOST_TEST(rs.header("Content-Typ").empty());
    BOOST_TEST(rs.header("link") == "<a>");
    const std::vector<std::string_view> both{"<a>", "<b>"};
    BOOST_TEST(rs.headers("link") == both, boost::test_tools::per_element());
    BOOST_TEST(rs.headers("y").empty());
    BOOST_TEST(rs.has_header("x"));
    BOOST_TEST(rs.header("x").empty());
    BOOST_TEST(!rs.has_header("y"));
    rs.clear();
    BOOST_TEST(rs.status == 0U);
    BOOST_TEST(rs.body.empty());
    BOOST_TEST(!rs.has_header("link"));
    rs.add_header("A", "1");
    BOOST_TEST(rs.header("a") == "1");
}

BOOST_AUTO_TEST_CASE(methods)
{
    BOOST_TEST(to_string(method::get) == "GET");
    BOOST_TEST(to_string(method::head) == "HEAD");
    BOOST_TEST(to_string(method::put) == "PUT");
    BOOST_TEST(to_string(method::post) == "POST");
    BOOST_TEST(to_string(method::del) == "DELETE");
}

BOOST_AUTO_TEST_CASE(errors_of_statuses)
{
    request rq;
    rq.target = "/v2/a/manifests/b";
    rq.authorization = "Basic c2VjcmV0";
    response rs;
    rs.status = 404;
    rs.body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"not \u001b[1m here","detail":{}}]})";
    const auto e = status_error(rq, rs);
    BOOST_TEST(e.is(errc::not_found));
    BOOST_TEST(e.http_status == 404U);
    BOOST_TEST(e.request == "GET /v2/a/manifests/b");
    BOOST_TEST(e.registry_code == "MANIFEST_UNKNOWN");
    BOOST_TEST(e.message().find('\x1b') == std::string::npos);
    BOOST_TEST(e.message().find("c2VjcmV0") == std::string::npos);

    for (const auto& [status, code] : {std::pair{401U, errc::unauthorized},
                                       {403U, errc::forbidden},
                                       {405U, errc::unsupported},
                                       {429U, errc::http_status},
                                       {500U, errc::http_status}}) {
        rs.status = status;
        BOOST_TEST(status_error(rq, rs).is(code), status);
    }
}

BOOST_AUTO_TEST_CASE(bodies_that_explain_nothing)
{
    const request rq;
    response rs;
    rs.status = 500;
    for (const std::string body :
         {"", "<html>", "[]", "{}", "null", R"({"errors":null})", R"({"errors":[]})", R"({"errors":["x"]})",
          R"({"errors":[{}]})", R"({"errors":[{"code":7}]})", "{\"a\":"}) {
        rs.body = body;
        const auto e = status_error(rq, rs);
        BOOST_TEST(e.http_status == 500U);
        BOOST_TEST(e.registry_code.empty());
    }
    rs.body = std::string(60000, '['); // deep
    BOOST_TEST(status_error(rq, rs).registry_code.empty());
    rs.body = R"({"errors":[{"code":"X"}]})" + std::string(mebibyte, ' ');
    BOOST_TEST(status_error(rq, rs).http_status == 500U);
}

BOOST_AUTO_TEST_CASE(a_wish_to_wait_is_told)
{
    response rs;
    rs.status = 429;
    rs.add_header("Retry-After", "3600");
    BOOST_TEST(status_error({}, rs).message().find("3600") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(inflate_knows_gzip_and_zlib)
{
    std::string text;
    for (int i = 0; i != 20000; ++i)
        text += std::to_string(i * 7919);
    for (const int window : {15, 15 + 16}) {
        std::string body = deflated(text, window);
        BOOST_TEST(inflate(body, mebibyte).has_value());
        BOOST_TEST((body == text));
        std::string empty = deflated("", window);
        BOOST_TEST(inflate(empty, mebibyte).has_value());
        BOOST_TEST(empty.empty());
    }
}

BOOST_AUTO_TEST_CASE(inflate_refuses_what_is_damaged)
{
    const std::string whole = deflated(std::string(1000, 'x') + "abc", 15 + 16);
    for (std::size_t size = 1; size != whole.size(); ++size) {
        std::string cut = whole.substr(0, size);
        const auto got = inflate(cut, mebibyte);
        BOOST_TEST_REQUIRE(got.has_error(), size);
        BOOST_TEST(got.error().is(errc::bad_response));
    }
    std::string wrong_sum = whole;
    wrong_sum[wrong_sum.size() - 6] = static_cast<char>(wrong_sum[wrong_sum.size() - 6] ^ 1);
    BOOST_TEST(inflate(wrong_sum, mebibyte).has_error());
    std::string junk = "this is not compressed at all";
    BOOST_TEST(inflate(junk, mebibyte).has_error());
}

BOOST_AUTO_TEST_CASE(inflate_stops_at_the_limit)
{
    const std::string bomb = deflated(std::string(8 * mebibyte, '\0'), 15 + 16);
    std::string body = bomb;
    BOOST_TEST(inflate(body, 8 * mebibyte).has_value());
    BOOST_TEST(body.size() == 8 * mebibyte);
    body = bomb;
    const auto got = inflate(body, 8 * mebibyte - 1);
    BOOST_TEST_REQUIRE(got.has_error());
    BOOST_TEST(got.error().is(errc::too_large));
}

BOOST_AUTO_TEST_SUITE_END()
