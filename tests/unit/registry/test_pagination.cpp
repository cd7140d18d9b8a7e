#include "regsweep/registry/pagination.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace regsweep;

namespace {

std::string next_of(std::vector<std::string_view> headers)
{
    return std::string(find_next_link(headers));
}

name_list list(const std::vector<std::string>& names)
{
    name_list out;
    for (const auto& name : names)
        out.push_back(name);
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(pagination)

BOOST_AUTO_TEST_CASE(links)
{
    struct row
    {
        std::string_view header;
        std::string_view next;
    };
    const row table[] = {
        {R"(</v2/_catalog?last=b&n=2>; rel="next")", "/v2/_catalog?last=b&n=2"},
        {"</a>; rel=next", "/a"},
        {"</a>;rel=next", "/a"},
        {"</a> ; rel = \"next\"", "/a"},
        {"</a>; REL=\"NEXT\"", "/a"},
        {"</a>; rel=\"prev next\"", "/a"},
        {"</a>; rel=\"  next\"", "/a"},
        {"</a>; rel=\"nextpage\"", ""},
        {"</a>; rel=\"prev\"", ""},
        {"</a>; rel=", ""},
        {"</a>; rel", ""},
        {"</a>", ""},
        {"</a>; rel=prev; rel=next", ""}, // only the first counts
        {"</a>; title=\"x; rel=next\"", ""},
        {"</a>; title=\"x, <b>; rel=next\"; rel=next", "/a"},
        {"</a>; title=\"say \\\"hi\\\"\"; rel=next", "/a"},
        {"</a>; title=\"never closed; rel=next", ""},
        {"</a>; rel=first, </b>; rel=next, </c>; rel=last", "/b"},
        {"</a,b>; rel=first, </c;d>; rel=next", "/c;d"},
        {"</a>; rel=next, </b>; rel=next", "/a"},
        {"</a>, </b>; rel=next", "/b"},
        {",,</b>; rel=next", "/b"},
        {"<>; rel=next", ""},
        {"https://h/a; rel=next", ""},
        {"</a; rel=next", ""},
        {"", ""},
        {"<", ""},
        {"\"", ""},
        {"</a>; rel=\"", ""},
        {"</a>; rel=\"\\", ""},
    };
    for (const row& r : table)
        BOOST_TEST(next_of({r.header}) == r.next, r.header);
    BOOST_TEST(next_of({}) == "");
    BOOST_TEST(next_of({"</a>; rel=prev", "</b>; rel=next"}) == "/b");
    BOOST_TEST(next_of({"</a", "</b>; rel=next"}) == "/b");
}

BOOST_AUTO_TEST_CASE(targets_of_next_pages)
{
    struct row
    {
        std::string_view registry;
        std::string_view reference;
        std::string_view target;
    };
    const row table[] = {
        {"h", "/v2/_catalog?last=b&n=2", "/v2/_catalog?last=b&n=2"},
        {"h", "https://h/v2/_catalog?n=2", "/v2/_catalog?n=2"},
        {"h", "https://H/v2/_catalog?n=2", "/v2/_catalog?n=2"},
        {"h", "//h/v2/x", "/v2/x"},
        {"h", "?last=b", "/v2/r/tags/list?last=b"},
        {"h", "list?last=b", "/v2/r/tags/list?last=b"},
        {"h", "/v2/x#fragment", "/v2/x"},
        {"h", "/v2/x?last=a b", "/v2/x?last=a%20b"},
        {"h", "/v2/x?last=a%2Fb", "/v2/x?last=a%2Fb"},
        {"h", "/v2/x?url=https://elsewhere/", "/v2/x?url=https://elsewhere/"},
        {"h", "list?url=https://elsewhere/", "/v2/r/tags/list?url=https://elsewhere/"},
        // A proxy in front of the registry: another scheme or port, the same host.
        {"h", "http://h/v2/x", "/v2/x"},
        {"h", "http://h:5000/v2/x", "/v2/x"},
        {"http://h:8080", "https://h/v2/x", "/v2/x"},
        {"[2001:db8::1]", "https://[2001:db8:0:0::1]:5000/v2/x", "/v2/x"},
        // A path that lacks the prefix gets it.
        {"https://h/p/q", "/v2/x?n=1", "/p/q/v2/x?n=1"},
        {"https://h/p/q", "/p/q/v2/x", "/p/q/v2/x"},
        {"https://h/p/q", "http://h/v2/x", "/p/q/v2/x"},
        {"https://h/p/q", "http://h/p/q/v2/x", "/p/q/v2/x"},
    };
    for (const row& r : table) {
        BOOST_TEST_CONTEXT(r.registry << " " << r.reference)
        {
            const auto at = registry_address::parse(r.registry).value();
            const auto got = resolve_next(at, "/v2/r/tags/list?n=2", r.reference);
            BOOST_TEST_REQUIRE(got.has_value(), (got ? "" : got.error().message()));
            BOOST_TEST(*got == r.target);
        }
    }
}

BOOST_AUTO_TEST_CASE(other_hosts_are_refused_by_name)
{
    const auto at = registry_address::parse("h").value();
    for (const std::string_view reference :
         {"https://evil.example/v2/x", "http://evil.example/v2/x", "//evil.example/v2/x", "https://h.evil.example/"}) {
        const auto got = resolve_next(at, "/v2/_catalog", reference);
        BOOST_TEST_REQUIRE(got.has_error(), reference);
        BOOST_TEST(got.error().is(errc::redirect_refused));
        BOOST_TEST(got.error().message().find("evil.example") != std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(unusable_references_are_refused)
{
    const auto at = registry_address::parse("h").value();
    for (const std::string& reference :
         {std::string(), std::string("https://"), std::string("ftp://h/x"), std::string("https://u:p@h/x"),
          std::string("https://h:99999/x"), std::string("/a\r\nX: y"), std::string("/a\x01"), std::string("/%zz"),
          "/" + std::string(10000, 'a')}) {
        const auto got = resolve_next(at, "/v2/_catalog", reference);
        BOOST_TEST_REQUIRE(got.has_error(), reference.substr(0, 100));
        BOOST_TEST(got.error().is(errc::bad_response), got.error().message());
        for (const char c : got.error().message())
            BOOST_TEST(static_cast<unsigned char>(c) >= 0x20);
    }
}

BOOST_AUTO_TEST_CASE(loops_are_noticed)
{
    page_guard guard;
    BOOST_TEST(guard.visit("/1", list({"a", "b"})).has_value());
    BOOST_TEST(guard.visit("/2", list({"c"})).has_value());
    const auto target = guard.visit("/1", list({"d"}));
    BOOST_TEST_REQUIRE(target.has_error());
    BOOST_TEST(target.error().is(errc::page_loop));
    BOOST_TEST(target.error().message().find("/1") != std::string::npos);

    page_guard other; // the same page under ever new targets
    BOOST_TEST(other.visit("/1", list({"a", "b"})).has_value());
    BOOST_TEST(other.visit("/2", list({"a", "b"})).has_error());
}

BOOST_AUTO_TEST_CASE(pages_of_the_same_letters_are_no_loop)
{
    page_guard guard;
    BOOST_TEST(guard.visit("/1", list({"1", "23"})).has_value());
    BOOST_TEST(guard.visit("/2", list({"12", "3"})).has_value());
    BOOST_TEST(guard.visit("/3", list({"123"})).has_value());
    BOOST_TEST(guard.visit("/4", list({"23", "1"})).has_value());
}

BOOST_AUTO_TEST_CASE(empty_pages_are_passed_but_not_for_ever)
{
    page_guard guard;
    int page = 0;
    const auto visit = [&](const name_list& names) { return guard.visit("/" + std::to_string(page++), names); };
    for (int i = 0; i != 500; ++i)
        BOOST_TEST(visit({}).has_value());
    BOOST_TEST(visit(list({"a"})).has_value());
    std::size_t passed = 0;
    while (passed < 5000 && visit({}))
        ++passed;
    BOOST_TEST(passed == page_guard::empty_limit);
}

BOOST_AUTO_TEST_SUITE_END()
