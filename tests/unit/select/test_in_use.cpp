#include "regsweep/select/in_use.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace regsweep;

namespace {

const std::string hex_a(64, 'a');
const std::string hex_b(64, 'b');

digest id(const std::string& hex)
{
    return digest::parse("sha256:" + hex).value();
}

result<in_use_references> read(const std::string& text, const std::string& registry = "reg.example.com")
{
    return parse_in_use(text, registry_address::parse(registry).value(), "refs");
}

} // namespace

BOOST_AUTO_TEST_SUITE(in_use)

BOOST_AUTO_TEST_CASE(references_in_all_their_forms)
{
    const auto used = read("reg.example.com/team/app:1.2 reg.example.com/team/app\n"
                           "# a comment\r\n"
                           "\tteam/app:2 docker-pullable://reg.example.com:443/team/app@sha256:" +
                           hex_a +
                           "\n"
                           "REG.example.com/web:x@sha256:" +
                           hex_b +
                           "\n\n"
                           "sha256:" +
                           hex_b + "  containerd://sha256:" + hex_a)
                          .value();
    const auto& app = used.repositories.at("team/app");
    BOOST_TEST((app.tags == std::set<std::string, std::less<>>{"1.2", "latest", "2"}));
    BOOST_TEST((app.digests == std::set<digest>{id(hex_a)}));
    const auto& web = used.repositories.at("web");
    BOOST_TEST((web.tags == std::set<std::string, std::less<>>{"x"}));
    BOOST_TEST((web.digests == std::set<digest>{id(hex_b)}));
    BOOST_TEST((used.anywhere == std::set<digest>{id(hex_a), id(hex_b)}));
    BOOST_TEST(used.references == 7U);
    BOOST_TEST(used.elsewhere == 0U);
    BOOST_TEST(used.has_digests());
}

BOOST_AUTO_TEST_CASE(other_registries_are_counted_and_left_out)
{
    const auto used = read("docker.io/library/nginx:1 quay.io/a/b:c reg.example.com:5000/app:1 localhost/app:1 "
                           "localhost:5000/app reg.example.com/app:1")
                          .value();
    BOOST_TEST(used.elsewhere == 5U);
    BOOST_TEST(used.references == 1U);
    BOOST_TEST(used.repositories.size() == 1U);
    BOOST_TEST(!used.has_digests());
}

BOOST_AUTO_TEST_CASE(ports_and_prefixes)
{
    BOOST_TEST(read("reg:5000/app:1 reg:80/app:2", "http://reg:5000").value().references == 1U);
    const auto short_host = read("reg/app:1 reg:80/app:2 reg:443/app:3", "http://reg").value();
    BOOST_TEST(short_host.references == 2U);
    BOOST_TEST((short_host.repositories.at("app").tags == std::set<std::string, std::less<>>{"1", "2"}));
    BOOST_TEST(read("[::1]:5000/app:1", "http://[::1]:5000").value().references == 1U);
    const auto used = read("reg.io/docker/local/app:1 app:2", "reg.io/docker/local").value();
    BOOST_TEST((used.repositories.at("app").tags == std::set<std::string, std::less<>>{"1", "2"}));
}

BOOST_AUTO_TEST_CASE(docker_hub_has_short_names)
{
    const auto used = read("nginx docker.io/library/redis:7 docker.io/me/app:1 index.docker.io/x/y:1 quay.io/a/b",
                           "registry-1.docker.io")
                          .value();
    BOOST_TEST(used.repositories.contains("library/nginx"));
    BOOST_TEST(used.repositories.contains("nginx"));
    BOOST_TEST(used.repositories.contains("library/redis"));
    BOOST_TEST(used.repositories.contains("me/app"));
    BOOST_TEST(used.repositories.contains("x/y"));
    BOOST_TEST(used.elsewhere == 1U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_an_error_with_its_line)
{
    for (const std::string bad : {"Team/App@x", "app:", "app@sha256:123", "app@", "/app", "app//b", "a:b:c", "app:ta/g",
                                  "reg.example.com/", "sha256:zz", "app:1@md5:1", "\x01", "app:1,app:2", ":1", "@"}) {
        const auto used = read("app:1\n\nother " + bad + "\n");
        BOOST_TEST(!used, bad);
        BOOST_TEST((!used && used.error().is(errc::bad_file) && used.error().detail.starts_with("refs:3: '")),
                   bad << ": " << (used ? "" : used.error().detail));
    }
}

BOOST_AUTO_TEST_CASE(an_empty_list_is_an_error)
{
    for (const std::string empty : {"", "\n \t\n", "# nothing\n"})
        BOOST_TEST((!read(empty) && read(empty).error().detail.find("expected image references") != std::string::npos));
    BOOST_TEST(read_in_use("/nonexistent/refs", registry_address::parse("r").value()).error().is(errc::io));
}

BOOST_AUTO_TEST_SUITE_END()
