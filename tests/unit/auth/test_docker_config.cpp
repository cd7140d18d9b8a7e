#include "regsweep/auth/docker_config.hpp"

#include "auth/text.hpp"
#include "common/temp_dir.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

using namespace regsweep;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

origin at(std::string_view address)
{
    return registry_address::parse(address).value().server;
}

std::string auth(std::string_view pair)
{
    return R"({"auth":")" + auth_text::base64_encode(pair) + "\"}";
}

docker_config_entry find(std::string_view json, std::string_view address, std::string_view path = {})
{
    return find_in_docker_config(json, "f.json", at(address), path).value();
}

std::string found(std::string_view json, std::string_view address, std::string_view path = {})
{
    const credentials c = find(json, address, path).found;
    return c.anonymous() ? "(none)" : c.user + "/" + std::string(c.secret.reveal());
}

// Some helpers in a folder of their own, as shell scripts.
class helpers
{
public:
    void add(std::string_view name, std::string_view script)
    {
        const fs::path file = folder_ / ("docker-credential-" + std::string(name));
        test::write_file(file, "#!/bin/sh\n" + std::string(script) + "\n");
        fs::permissions(file, fs::perms::owner_all);
    }
    std::string path() const { return folder_.path().string(); }
    fs::path operator/(std::string_view name) const { return folder_ / name; }

    result<std::optional<credentials>> ask(const std::string& name, std::string url = "reg.example",
                                           const helper_options& options = {}) const
    {
        return ask_credential_helper(name, url, "f.json, credsStore", path(), options);
    }

private:
    test::temp_dir folder_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(docker_config_text)

BOOST_AUTO_TEST_CASE(keys_match_however_they_are_written)
{
    const auto one = [](std::string_view key) {
        return R"({"auths":{")" + std::string(key) + "\":" + auth("u:p") + "}}";
    };
    struct sample
    {
        const char* key;
        const char* address;
        bool matches;
    };
    const std::vector<sample> samples = {
        {"reg.example", "reg.example", true},
        {"REG.example", "reg.example", true},
        {"https://reg.example", "reg.example", true},
        {"https://reg.example/", "reg.example", true},
        {"https://reg.example/v1/", "reg.example", true},
        {"https://reg.example/v2/", "reg.example", true},
        {"HTTPS://reg.example/v2", "reg.example", true},
        {"http://reg.example", "reg.example", true},
        {"reg.example:443", "reg.example", true},
        {"reg.example", "https://reg.example:443", true},
        {"reg.example:5000", "reg.example:5000", true},
        {"reg.example", "reg.example:5000", false},
        {"reg.example:5000", "reg.example", false},
        {"reg.example:80", "reg.example", false},
        {"localhost", "localhost", true},
        {"localhost:80", "localhost", true},
        {"localhost:5000", "localhost:5000", true},
        {"[::1]:5000", "[::1]:5000", true},
        {"https://[::1]:5000/v2/", "[::1]:5000", true},
        {"docker.io", "docker.io", true},
        {"https://index.docker.io/v1/", "docker.io", true},
        {"https://index.docker.io/v1/", "registry-1.docker.io", true},
        {"docker.io", "index.docker.io", true},
        {"registry-1.docker.io", "docker.io", true},
        {"evil-docker.io", "docker.io", false},
        {"docker.io.evil", "docker.io", false},
        {"reg.example.evil", "reg.example", false},
        {"example", "reg.example", false},
        {"", "reg.example", false},
        {"https://", "reg.example", false},
        {"reg.example@evil", "reg.example", false},
        {"evil/reg.example", "reg.example", false},
    };
    for (const sample& s : samples)
        BOOST_TEST((found(one(s.key), s.address) == "u/p") == s.matches, s.key << " for " << s.address);
}

BOOST_AUTO_TEST_CASE(the_longest_path_wins)
{
    const std::string json = R"({"auths":{"quay.io/team/app":)" + auth("app:1") + R"(,"quay.io":)" + auth("host:2") +
                             R"(,"quay.io/team":)" + auth("team:3") + R"(,"https://quay.io/v2/":)" + auth("old:4") +
                             "}}";
    BOOST_TEST(found(json, "quay.io", "team/app") == "app/1");
    BOOST_TEST(found(json, "quay.io", "/team/app/x/") == "app/1");
    BOOST_TEST(found(json, "quay.io", "team/application") == "team/3");
    BOOST_TEST(found(json, "quay.io", "team") == "team/3");
    BOOST_TEST(found(json, "quay.io", "teams") == "host/2");
    BOOST_TEST(found(json, "quay.io") == "host/2");
    const std::string below = R"({"auths":{"quay.io/team":)" + auth("team:3") + "}}";
    BOOST_TEST(found(below, "quay.io") == "(none)");
}

BOOST_AUTO_TEST_CASE(forms_of_an_entry)
{
    const auto one = [](std::string_view entry) { return R"({"auths":{"r.example":)" + std::string(entry) + "}}"; };
    BOOST_TEST(found(one(auth("u:p:with:colons")), "r.example") == "u/p:with:colons");
    BOOST_TEST(found(one(auth("u:")), "r.example") == "u/");
    BOOST_TEST(found(one(auth(std::string_view("u:p\0\0", 5))), "r.example") == "u/p");
    BOOST_TEST(found(one(R"({"username":"u","password":"p"})"), "r.example") == "u/p");
    BOOST_TEST(found(one(R"({"auth":"","username":"u","password":"p"})"), "r.example") == "u/p");
    BOOST_TEST(found(one("{}"), "r.example") == "(none)");
    BOOST_TEST(found(one("null"), "r.example") == "(none)");
    BOOST_TEST(found(one("7"), "r.example") == "(none)");

    const credentials identity = find(one(R"({"auth":"dTpw","identitytoken":"idt"})"), "r.example").found;
    BOOST_TEST((identity.kind == credential_kind::identity_token));
    BOOST_TEST(identity.secret.reveal() == "idt");
    BOOST_TEST(identity.user == "u");
    BOOST_TEST(identity.source == "f.json, auths[\"r.example\"]");
    const credentials registry = find(one(R"({"registrytoken":"rt"})"), "r.example").found;
    BOOST_TEST((registry.kind == credential_kind::registry_token));
    BOOST_TEST(registry.secret.reveal() == "rt");
}

// An entry that a login with a helper leaves empty does not hide an older one.
BOOST_AUTO_TEST_CASE(empty_entries_are_passed_over)
{
    const std::string json = R"({"auths":{"r.example":{},"https://r.example/v2/":)" + auth("u:p") + "}}";
    BOOST_TEST(found(json, "r.example") == "u/p");
}

BOOST_AUTO_TEST_CASE(helpers_are_named)
{
    const std::string json = R"({"credsStore":"desktop","credHelpers":{"gcr.io":"gcloud","h.example:5000":"x"},
        "auths":{"https://old.example/v2/":{},"gcr.io":)" +
                             auth("u:p") + "}}";
    const auto gcr = find(json, "gcr.io");
    BOOST_TEST(gcr.helper == "gcloud");
    BOOST_TEST(gcr.helper_source == "f.json, credHelpers[\"gcr.io\"]");
    BOOST_TEST(gcr.helper_urls.front() == "gcr.io");
    BOOST_TEST(gcr.found.user == "u");
    BOOST_TEST(find(json, "h.example:5000").helper == "x");

    const auto store = find(json, "old.example");
    BOOST_TEST(store.helper == "desktop");
    BOOST_TEST(store.helper_source == "f.json, credsStore");
    const std::vector<std::string> urls = {"https://old.example/v2/", "old.example", "https://old.example"};
    BOOST_TEST(store.helper_urls == urls, boost::test_tools::per_element());
    const auto hub = find(json, "docker.io");
    const std::vector<std::string> hub_urls = {"https://index.docker.io/v1/"};
    BOOST_TEST(hub.helper_urls == hub_urls, boost::test_tools::per_element());
    BOOST_TEST(find("{}", "docker.io").helper.empty());
    BOOST_TEST(find(R"({"credsStore":5,"credHelpers":[1],"auths":"x"})", "docker.io").helper.empty());
}

BOOST_AUTO_TEST_CASE(malformed_text_is_named_with_its_place_and_without_its_words)
{
    struct sample
    {
        std::string text;
        const char* place;
    };
    const std::vector<sample> samples = {
        {"{\n  \"auths\": {\n    \"hunter2\" \"x\"\n", "line 3, column 15"},
        {"{\"auths\":{\"hunter2\":", "line 1, column 21"},
        {"{}\nhunter2", "line 2, column 1"},
        {"hunter2", "line 1, column 1"},
        {"[\"hunter2\"]", "line 1, column 1"},
        {"\"hunter2\"", "line 1, column 1"},
        {"{\"a\":\"\xff\xfehunter2\"}", "line 1"},
        {std::string(200, '['), "line 1"},
        {"\xef\xbb\xbf{}", "line 1"},
    };
    for (const sample& s : samples) {
        const auto r = find_in_docker_config(s.text, "some\nfile.json", at("r.example"));
        BOOST_REQUIRE_MESSAGE(r.has_error(), s.text);
        BOOST_TEST(r.error().is(errc::bad_file));
        const std::string message = r.error().message();
        BOOST_TEST(message.find(s.place) != std::string::npos, message);
        BOOST_TEST(message.find("file.json") != std::string::npos, message);
        BOOST_TEST(message.find("hunter2") == std::string::npos, message);
        BOOST_TEST(message.find('\n') == std::string::npos, message);
    }
    for (const char* empty : {"", " \n\t", "{}", "{\"auths\":{}}", " {} \n"})
        BOOST_TEST(found(empty, "r.example") == "(none)");
}

BOOST_AUTO_TEST_CASE(malformed_entries_are_named_only_when_they_are_ours)
{
    for (const std::string& entry : {std::string(R"({"auth":"hunter2!"})"), auth("hunter2"), auth(":hunter2"),
                                     std::string(R"({"password":"hunter2"})")}) {
        const std::string json = R"({"auths":{"r.example":)" + entry + "}}";
        const auto r = find_in_docker_config(json, "f.json", at("r.example"));
        BOOST_REQUIRE_MESSAGE(r.has_error(), entry);
        const std::string message = r.error().message();
        BOOST_TEST(message.find("hunter2") == std::string::npos, message);
        BOOST_TEST(message.find("auths[\"r.example\"]") != std::string::npos, message);
        BOOST_TEST(found(json, "other.example") == "(none)");
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(credential_helpers)

BOOST_AUTO_TEST_CASE(a_helper_gives_credentials)
{
    helpers h;
    h.add("good", "read -r url || true\n[ \"$1\" = get ] && [ $# = 1 ] || exit 3\n"
                  "printf '{\"ServerURL\":\"%s\",\"Username\":\"alice\",\"Secret\":\"for %s\"}' \"$url\" \"$url\"");
    const credentials c = h.ask("good", "https://reg.example:5000/v2/").value().value();
    BOOST_TEST((c.kind == credential_kind::basic));
    BOOST_TEST(c.user == "alice");
    BOOST_TEST(c.secret.reveal() == "for https://reg.example:5000/v2/");
    BOOST_TEST(c.source.find("docker-credential-good") != std::string::npos);
    BOOST_TEST(c.source.find("f.json, credsStore") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_helper_gives_an_identity_token)
{
    helpers h;
    h.add("idt", "echo '{\"Username\":\"<token>\",\"Secret\":\"idt\"}'");
    const credentials c = h.ask("idt").value().value();
    BOOST_TEST((c.kind == credential_kind::identity_token));
    BOOST_TEST(c.user.empty());
    BOOST_TEST(c.secret.reveal() == "idt");
}

BOOST_AUTO_TEST_CASE(not_found_is_no_error)
{
    helpers h;
    h.add("none", "echo 'credentials not found in native keychain'; exit 1");
    h.add("none2", "echo 'Error: Credentials Not Found' >&2; exit 1");
    h.add("empty", "echo '{\"Username\":\"\",\"Secret\":\"\"}'");
    for (const char* name : {"none", "none2", "empty"}) {
        const auto r = h.ask(name);
        BOOST_REQUIRE_MESSAGE(r.has_value(), name);
        BOOST_TEST(!r->has_value());
    }
}

BOOST_AUTO_TEST_CASE(failures_are_told_without_secrets)
{
    helpers h;
    h.add("locked", "echo 'the keychain is locked' >&2; exit 2");
    h.add("stdout", "echo 'exit status 36: unlock it'; exit 1");
    h.add("leaky", "echo '{\"Username\":\"u\",\"Secret\":\"hunter2\"}'\n"
                   "echo 'bad: password=hunter2 token: hunter2 Secret \"hunter2\" Bearer hunter2 "
                   "eyJhbGciOiJIUzI1NiJ9hunter2.eyJzdWIiOiIxMjM0NTY3ODkwhunter2' >&2\nexit 1");
    h.add("json", "echo '{\"Secret\":\"hunter2\"}'; exit 1");
    h.add("crash", "kill -9 $$");
    struct sample
    {
        const char* name;
        const char* expected;
    };
    const std::vector<sample> samples = {{"locked", "exit code 2: the keychain is locked"},
                                         {"stdout", "exit code 1: exit status 36: unlock it"},
                                         {"leaky", "exit code 1: bad: password=***"},
                                         {"json", "exit code 1"},
                                         {"crash", "signal 9"}};
    for (const sample& s : samples) {
        const auto r = h.ask(s.name);
        BOOST_REQUIRE_MESSAGE(r.has_error(), s.name);
        const std::string message = r.error().message();
        BOOST_TEST(r.error().is(errc::unauthorized), message);
        BOOST_TEST(message.find(s.expected) != std::string::npos, message);
        BOOST_TEST(message.find("hunter2") == std::string::npos, message);
        BOOST_TEST(message.find("docker-credential-" + std::string(s.name)) != std::string::npos, message);
    }
}

BOOST_AUTO_TEST_CASE(malformed_answers)
{
    helpers h;
    h.add("words", "echo hunter2");
    h.add("cut", "printf '{\"Username\":\"u\",\"Secret\":\"hunter2'");
    h.add("list", "echo '[\"hunter2\"]'");
    h.add("nouser", "echo '{\"Secret\":\"hunter2\"}'");
    h.add("silent", "exit 0");
    for (const char* name : {"words", "cut", "list", "nouser", "silent"}) {
        const auto r = h.ask(name);
        BOOST_REQUIRE_MESSAGE(r.has_error(), name);
        BOOST_TEST(r.error().is(errc::bad_response), name);
        BOOST_TEST(r.error().message().find("hunter2") == std::string::npos, name);
    }
}

// The helper's child holds the output open: it must not outlive the time limit either.
BOOST_AUTO_TEST_CASE(a_helper_that_hangs_is_killed_with_its_children)
{
    helpers h;
    h.add("slow", "echo $$ > " + (h / "pid").string() + "\nsleep 300 & sleep 300");
    h.add("closed", "exec >&- 2>&-; sleep 300");
    helper_options options;
    options.timeout = 300ms;
    for (const char* name : {"slow", "closed"}) {
        const auto r = h.ask(name, "r", options);
        BOOST_REQUIRE(r.has_error());
        BOOST_TEST(r.error().is(errc::timed_out), r.error().message());
    }
    const pid_t group = std::stoi(test::read_file(h / "pid"));
    // Killed children of a killed parent are reaped by init a moment later; until then the group still has members.
    bool gone = false;
    for (int i = 0; i != 500 && !gone; ++i) {
        gone = ::kill(-group, 0) != 0;
        if (!gone)
            ::usleep(10'000);
    }
    BOOST_TEST(gone);
}

BOOST_AUTO_TEST_CASE(output_is_bounded)
{
    helpers h;
    h.add("yes", "exec yes hunter2");
    h.add("noisy", "exec yes hunter2 >&2");
    for (const char* name : {"yes", "noisy"}) {
        const auto r = h.ask(name);
        BOOST_REQUIRE(r.has_error());
        BOOST_TEST(r.error().is(errc::too_large), r.error().message());
        BOOST_TEST(r.error().message().find("hunter2") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(names_and_urls_cannot_reach_a_shell_or_another_folder)
{
    helpers h;
    h.add("good", "touch " + (h / "ran").string());
    for (const char* bad :
         {"", "../good", "a/b", "good;true", "good x", "$(true)", "`true`", "good\n", "g\xc3\xb6od"}) {
        const auto r = h.ask(bad);
        BOOST_REQUIRE_MESSAGE(r.has_error(), bad);
        BOOST_TEST(r.error().is(errc::bad_argument), bad);
    }
    BOOST_TEST(h.ask("good", "a\nb").error().is(errc::bad_argument));
    BOOST_TEST(h.ask("good", std::string(5000, 'a')).error().is(errc::bad_argument));
    BOOST_TEST(!fs::exists(h / "ran"));
    BOOST_TEST(h.ask("missing").error().is(errc::not_found));
    // Relative folders, the current one among them, are not searched.
    const fs::path before = fs::current_path();
    fs::current_path(h.path());
    for (const char* path : {"", ".", ":", "./", "::."})
        BOOST_TEST(ask_credential_helper("good", "r", "", path).error().is(errc::not_found), path);
    fs::current_path(before);
    BOOST_TEST(!fs::exists(h / "ran"));
}

BOOST_AUTO_TEST_CASE(a_helper_may_leave_its_input_unread)
{
    helpers h;
    h.add("deaf", "exec <&-; echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
    for (int i = 0; i != 20; ++i)
        BOOST_TEST(h.ask("deaf", std::string(2048, 'a')).value().has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(docker_config_lookup)

BOOST_AUTO_TEST_CASE(files_in_order)
{
    const std::map<std::string, std::string> set = {{"HOME", "/h"}, {"XDG_RUNTIME_DIR", "/run/u"}, {"PATH", "/bin"}};
    const auto get = [&](const char* name) -> const char* {
        const auto i = set.find(name);
        return i == set.end() ? nullptr : i->second.c_str();
    };
    docker_environment e = docker_environment::from(get);
    BOOST_TEST(e.path == "/bin");
    const std::vector<std::string> expected = {"/h/.docker/config.json", "/run/u/containers/auth.json",
                                               "/h/.config/containers/auth.json"};
    BOOST_TEST(docker_config_files(e) == expected, boost::test_tools::per_element());
    e.docker_config = "/d";
    e.xdg_config_home = "/x";
    e.registry_auth_file = "/a.json";
    const std::vector<std::string> all = {"/a.json", "/d/config.json", "/run/u/containers/auth.json",
                                          "/x/containers/auth.json"};
    BOOST_TEST(docker_config_files(e) == all, boost::test_tools::per_element());
    BOOST_TEST(docker_config_files(docker_environment()).empty());
}

BOOST_AUTO_TEST_CASE(the_first_file_with_credentials_wins)
{
    test::temp_dir home;
    fs::create_directories(home / ".docker");
    fs::create_directories(home / ".config/containers");
    docker_environment e;
    e.home = home.path().string();
    BOOST_TEST(find_docker_credentials(e, at("r.example")).value().anonymous());
    test::write_file(home / ".docker/config.json", R"({"auths":{"r.example":)" + auth("docker:1") + "}}");
    test::write_file(home / ".config/containers/auth.json",
                     R"({"auths":{"r.example":)" + auth("podman:2") + R"(,"p.example":)" + auth("podman:3") + "}}");
    const credentials c = find_docker_credentials(e, at("r.example")).value();
    BOOST_TEST(c.user == "docker");
    BOOST_TEST(c.source.find((home / ".docker/config.json").string()) != std::string::npos);
    BOOST_TEST(find_docker_credentials(e, at("p.example")).value().user == "podman");
    BOOST_TEST(find_docker_credentials(e, at("q.example")).value().anonymous());
}

BOOST_AUTO_TEST_CASE(unusable_files_are_named)
{
    test::temp_dir home;
    fs::create_directories(home / ".docker/config.json");
    docker_environment e;
    e.home = home.path().string();
    const auto folder = find_docker_credentials(e, at("r.example"));
    BOOST_REQUIRE(folder.has_error());
    BOOST_TEST(folder.error().is(errc::io));
    BOOST_TEST(folder.error().message().find("config.json") != std::string::npos);

    docker_environment named;
    named.registry_auth_file = (home / "missing.json").string();
    const auto missing = find_docker_credentials(named, at("r.example"));
    BOOST_REQUIRE(missing.has_error());
    BOOST_TEST(missing.error().is(errc::io));
    BOOST_TEST(missing.error().message().find("REGISTRY_AUTH_FILE") != std::string::npos);

    test::write_file(home / "bad.json", "{hunter2");
    named.registry_auth_file = (home / "bad.json").string();
    const auto bad = find_docker_credentials(named, at("r.example"));
    BOOST_REQUIRE(bad.has_error());
    BOOST_TEST(bad.error().is(errc::bad_file));

    if (::geteuid() != 0) {
        fs::permissions(home / "bad.json", fs::perms::none);
        BOOST_TEST(find_docker_credentials(named, at("r.example")).error().is(errc::io));
    }
}

BOOST_AUTO_TEST_CASE(a_helper_is_asked_first_and_the_file_is_the_fallback)
{
    helpers h;
    h.add("store", "read -r url || true\ncase $url in\n"
                   "https://a.example) echo '{\"Username\":\"helper\",\"Secret\":\"s\"}';;\n"
                   "*) echo 'credentials not found in native keychain'; exit 1;;\nesac");
    test::temp_dir home;
    test::write_file(home / "auth.json", R"({"credsStore":"store","auths":{"a.example":)" + auth("file:1") +
                                             R"(,"b.example":)" + auth("file:2") + "}}");
    docker_environment e;
    e.registry_auth_file = (home / "auth.json").string();
    e.path = "/nonexistent:" + h.path();
    BOOST_TEST(find_docker_credentials(e, at("a.example")).value().user == "helper");
    BOOST_TEST(find_docker_credentials(e, at("b.example")).value().user == "file");
    BOOST_TEST(find_docker_credentials(e, at("c.example")).value().anonymous());
    e.path = "/nonexistent";
    BOOST_TEST(find_docker_credentials(e, at("b.example")).error().is(errc::not_found));
}

BOOST_AUTO_TEST_SUITE_END()
