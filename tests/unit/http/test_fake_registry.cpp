// The fake registry itself, over plain sockets: what other tests rely on must hold without the client under test.

#include "common/fake_registry.hpp"

#include "regsweep/core/digest.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

using namespace regsweep::test;
using namespace std::chrono_literals;

namespace {

struct answer
{
    int status = 0;
    std::string head;
    std::string body;
    bool complete = false; ///< the connection did not end before the body did

    std::string header(const std::string& name) const
    {
        for (std::size_t at = head.find("\r\n"); at != std::string::npos; at = head.find("\r\n", at)) {
            at += 2;
            const auto end = std::min(head.find("\r\n", at), head.size());
            const auto colon = head.find(':', at);
            if (colon < end && equal_no_case(std::string_view(head).substr(at, colon - at), name))
                return head.substr(colon + 2, end - colon - 2);
        }
        return {};
    }
};

/// A blocking connection that knows just enough HTTP. Gives up after ten seconds.
class raw_client
{
public:
    explicit raw_client(const fake_registry& registry) : fd_(::socket(AF_INET, SOCK_STREAM, 0))
    {
        const timeval limit{10, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(registry.port());
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
            throw std::runtime_error("cannot connect to the fake registry");
    }
    ~raw_client() { ::close(fd_); }
    raw_client(const raw_client&) = delete;
    raw_client& operator=(const raw_client&) = delete;

    int fd() const { return fd_; }

    void send(std::string_view text) const
    {
        while (!text.empty()) {
            const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                return;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }

    void request(const std::string& method, const std::string& target, const std::string& headers = {},
                 const std::string& body = {})
    {
        head_only_ = method == "HEAD";
        auto text = method + " " + target + " HTTP/1.1\r\nHost: test\r\n" + headers;
        if (!body.empty())
            text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        send(text + "\r\n" + body);
    }

    /// Whether more bytes came. `reset()` tells how the connection ended.
    bool more()
    {
        char block[16384];
        const auto size = ::recv(fd_, block, sizeof block, 0);
        reset_ = size < 0 && errno == ECONNRESET;
        if (size > 0)
            in_.append(block, static_cast<std::size_t>(size));
        return size > 0;
    }
    bool reset() const { return reset_; }

    /// Everything up to the end of the connection.
    std::string rest()
    {
        while (more()) {
        }
        return std::move(in_);
    }

    answer read()
    {
        answer a;
        std::size_t end = 0;
        while ((end = in_.find("\r\n\r\n")) == std::string::npos)
            if (!more())
                return a;
        a.head = in_.substr(0, end);
        in_.erase(0, end + 4);
        std::from_chars(a.head.data() + 9, a.head.data() + 12, a.status);
        if (equal_no_case(a.header("Transfer-Encoding"), "chunked") && !head_only_)
            read_chunks(a);
        else
            read_body(a);
        return a;
    }

    answer get(const std::string& target, const std::string& headers = {})
    {
        request("GET", target, headers);
        return read();
    }

    answer ask(const std::string& method, const std::string& target, const std::string& headers = {},
               const std::string& body = {})
    {
        request(method, target, headers, body);
        return read();
    }

private:
    void read_chunks(answer& a)
    {
        fake_chunks chunks;
        while (chunks.read(in_) == fake_parse::incomplete)
            if (!more())
                return;
        a.body = chunks.body();
        a.complete = true;
        in_.erase(0, chunks.consumed());
    }

    void read_body(answer& a)
    {
        const auto length = a.header("Content-Length");
        const auto size = head_only_ || length.empty() ? std::size_t{0} : std::stoul(length);
        while (in_.size() < size)
            if (!more())
                break;
        a.complete = in_.size() >= size;
        a.body = in_.substr(0, size);
        in_.erase(0, size);
    }

    int fd_;
    std::string in_;
    bool head_only_ = false;
    bool reset_ = false;
};

struct running : fake_registry
{
    explicit running(fake_options options = {}) : fake_registry(std::move(options)) { start(); }
};

std::vector<std::string> names(const answer& a, const char* member)
{
    const auto root = boost::json::parse(a.body);
    std::vector<std::string> all;
    if (root.at(member).is_array())
        for (const auto& one : root.at(member).as_array())
            all.emplace_back(one.as_string());
    return all;
}

std::string error_code_of(const answer& a)
{
    return std::string(boost::json::parse(a.body).at("errors").at(0).at("code").as_string());
}

/// The target in `Link`; empty without one.
std::string next_of(const answer& a)
{
    const auto link = a.header("Link");
    const auto end = link.find('>');
    return end == std::string::npos ? std::string() : link.substr(1, end - 1);
}

fake_options synthetic(std::size_t repositories, std::size_t tags)
{
    fake_options options;
    options.synthetic.repositories = repositories;
    options.synthetic.tags = tags;
    return options;
}

constexpr const char* image_type = "application/vnd.docker.distribution.manifest.v2+json";
constexpr const char* oci_index_type = "application/vnd.oci.image.index.v1+json";

} // namespace

BOOST_AUTO_TEST_SUITE(fake_registry_stored)

BOOST_AUTO_TEST_CASE(greets_as_a_registry)
{
    running registry;
    raw_client client(registry);
    const auto a = client.get("/v2/");
    BOOST_TEST(a.status == 200);
    BOOST_TEST(a.body == "{}");
    BOOST_TEST(a.header("Docker-Distribution-Api-Version") == "registry/2.0");
    BOOST_TEST(client.get("/v2/a/referrers/sha256:00").status == 404);
    BOOST_TEST(client.get("/elsewhere").status == 404);
}

BOOST_AUTO_TEST_CASE(pages_through_the_catalog)
{
    running registry;
    std::vector<std::string> expected;
    for (const auto* name : {"a", "b/c", "b/d", "e", "f"}) {
        registry.put_image(name, "1", name);
        expected.emplace_back(name);
    }
    raw_client client(registry);
    std::vector<std::string> seen;
    std::string target = "/v2/_catalog?n=2";
    int pages = 0;
    for (; !target.empty() && pages < 10; ++pages) {
        const auto a = client.get(target);
        for (auto& name : names(a, "repositories"))
            seen.push_back(name);
        target = next_of(a);
    }
    BOOST_TEST(pages == 3);
    BOOST_TEST(seen == expected, boost::test_tools::per_element());
    BOOST_TEST(client.get("/v2/_catalog?n=2").header("Link") == "</v2/_catalog?last=b%2Fc&n=2>; rel=\"next\"");
    BOOST_TEST(client.get("/v2/_catalog?n=5").header("Link") == "");
    BOOST_TEST(error_code_of(client.get("/v2/_catalog?n=x")) == "PAGINATION_NUMBER_INVALID");
}

BOOST_AUTO_TEST_CASE(caps_pages_and_tells_tags)
{
    fake_options options;
    options.api.page_cap = 2;
    running registry(options);
    for (const auto* tag : {"1", "2", "3"})
        registry.put_image("a", tag, tag);
    raw_client client(registry);
    const auto first = client.get("/v2/a/tags/list?n=100");
    BOOST_TEST(names(first, "tags").size() == 2U);
    BOOST_TEST(names(client.get(next_of(first)), "tags").size() == 1U);
    BOOST_TEST(error_code_of(client.get("/v2/missing/tags/list")) == "NAME_UNKNOWN");
}

BOOST_AUTO_TEST_CASE(refuses_large_pages_and_drops_emptied_repositories_on_request)
{
    fake_options options;
    options.api.page_cap = 2;
    options.api.refuse_large_page = true;
    options.api.default_tags_page = 1;
    options.api.drop_empty_repositories = true;
    options.api.default_page = 2;
    running registry(options);
    for (const auto* tag : {"1", "2"})
        registry.put_image("a", tag, tag);
    registry.store().add_repository("b");
    raw_client client(registry);
    BOOST_TEST(error_code_of(client.get("/v2/_catalog?n=3")) == "PAGINATION_NUMBER_INVALID");
    BOOST_TEST(names(client.get("/v2/_catalog"), "repositories").size() == 1U);
    BOOST_TEST(names(client.get("/v2/a/tags/list"), "tags").size() == 1U);
    BOOST_TEST(names(client.get("/v2/a/tags/list?n=2"), "tags").size() == 2U);
}

BOOST_AUTO_TEST_CASE(keeps_chunked_bodies_apart)
{
    fake_options options;
    options.rate_limit = 1;
    running registry(options);
    raw_client client(registry);
    // Answered 200 or 429, a body must not be taken for a part of the next one.
    for (int i = 0; i < 3; ++i) {
        client.send("PUT /v2/a/manifests/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n");
        client.read();
    }
    for (const auto& logged : registry.log())
        BOOST_TEST(logged.body == "{}");
    BOOST_TEST(registry.log().size() == 3U);
}

BOOST_AUTO_TEST_CASE(tells_all_tags_at_once_if_not_paginating)
{
    fake_options options;
    options.api.paginate_tags = false;
    running registry(options);
    for (const auto* tag : {"1", "2", "3"})
        registry.put_image("a", tag, tag);
    raw_client client(registry);
    const auto a = client.get("/v2/a/tags/list?n=1&last=2");
    BOOST_TEST(names(a, "tags").size() == 3U);
    BOOST_TEST(a.header("Link") == "");
}

BOOST_AUTO_TEST_CASE(serves_manifests_by_tag_and_digest)
{
    running registry;
    const auto digest = registry.put_image("a/b", "1.0", "text");
    raw_client client(registry);
    const auto by_tag = client.get("/v2/a/b/manifests/1.0");
    BOOST_TEST(by_tag.status == 200);
    BOOST_TEST(by_tag.header("Docker-Content-Digest") == digest);
    BOOST_TEST(by_tag.header("Content-Type") == image_type);
    BOOST_TEST(regsweep::digest::of(by_tag.body).to_string() == digest);
    BOOST_TEST(client.get("/v2/a/b/manifests/" + digest).body == by_tag.body);
    const auto head = client.ask("HEAD", "/v2/a/b/manifests/1.0");
    BOOST_TEST(head.header("Content-Length") == std::to_string(by_tag.body.size()));
    BOOST_TEST(head.header("Docker-Content-Digest") == digest);
    BOOST_TEST(client.get("/v2/a/b/manifests/1.0", "If-None-Match: \"" + digest + "\"\r\n").status == 304);
    BOOST_TEST(error_code_of(client.get("/v2/a/b/manifests/2.0")) == "MANIFEST_UNKNOWN");
    BOOST_TEST(registry.counts().connections == 1U);
}

BOOST_AUTO_TEST_CASE(negotiates_like_docker_registry)
{
    running registry;
    const auto child = registry.put_image("a", "child", "text");
    const auto index = registry.put_manifest("a", R"({"schemaVersion":2,"manifests":[]})", oci_index_type);
    registry.tag("a", "index", index);
    const auto list = registry.put_manifest(
        "a", R"({"manifests":[{"digest":")" + child + R"(","platform":{"architecture":"amd64","os":"linux"}}]})",
        "application/vnd.docker.distribution.manifest.list.v2+json");
    registry.tag("a", "list", list);
    raw_client client(registry);
    BOOST_TEST(client.ask("HEAD", "/v2/a/manifests/index", "Accept: */*\r\n").status == 404);
    const std::string accept = "Accept: " + std::string(image_type) + "\r\nAccept: x/y, " + oci_index_type + "\r\n";
    BOOST_TEST(client.ask("HEAD", "/v2/a/manifests/index", accept).header("Docker-Content-Digest") == index);
    BOOST_TEST(client.get("/v2/a/manifests/list", accept).header("Docker-Content-Digest") == child);
}

BOOST_AUTO_TEST_CASE(deletes_by_digest_with_all_its_tags)
{
    running registry;
    const auto digest = registry.put_image("a", "1", "text");
    registry.tag("a", "latest", digest);
    const auto kept = registry.put_image("a", "2", "other");
    raw_client client(registry);
    const auto by_tag = client.ask("DELETE", "/v2/a/manifests/1");
    BOOST_TEST(by_tag.status == 400);
    BOOST_TEST(error_code_of(by_tag) == "DIGEST_INVALID");
    BOOST_TEST(client.ask("DELETE", "/v2/a/manifests/" + digest).status == 202);
    const fake_snapshot expected{{"a", {{"2", kept}}}};
    BOOST_TEST((registry.snapshot() == expected));
    BOOST_TEST(client.ask("DELETE", "/v2/a/manifests/" + digest).status == 404);
    BOOST_TEST(client.ask("DELETE", "/v2/a/manifests/" + kept).status == 202);
    BOOST_TEST(client.get("/v2/a/tags/list").body == "{\"name\":\"a\",\"tags\":null}\n");
}

BOOST_AUTO_TEST_CASE(deletes_by_tag_or_not_at_all_on_request)
{
    fake_options options;
    options.api.delete_by_tag = true;
    running by_tag(options);
    const auto digest = by_tag.put_image("a", "1", "text");
    by_tag.tag("a", "2", digest);
    raw_client client(by_tag);
    BOOST_TEST(client.ask("DELETE", "/v2/a/manifests/1").status == 202);
    BOOST_TEST((by_tag.snapshot() == fake_snapshot{{"a", {{"2", digest}}}}));

    options.api.delete_enabled = false;
    running never(options);
    never.put_image("a", "1", "text");
    raw_client other(never);
    const auto refused = other.ask("DELETE", "/v2/a/manifests/" + digest);
    BOOST_TEST(refused.status == 405);
    BOOST_TEST(error_code_of(refused) == "UNSUPPORTED");
}

BOOST_AUTO_TEST_CASE(takes_blobs_and_manifests)
{
    fake_options options;
    options.api.missing_reference_status = 400;
    running registry(options);
    raw_client client(registry);
    const std::string blob = "some bytes";
    const auto digest = regsweep::digest::of(blob).to_string();
    const auto manifest = R"({"schemaVersion":2,"config":{"digest":")" + digest + R"("},"layers":[]})";
    const auto type = "Content-Type: " + std::string(image_type) + "\r\n";
    const auto early = client.ask("PUT", "/v2/a/manifests/1", type, manifest);
    BOOST_TEST(early.status == 400);
    BOOST_TEST(error_code_of(early) == "MANIFEST_BLOB_UNKNOWN");

    const auto started = client.ask("POST", "/v2/a/blobs/uploads/");
    BOOST_TEST(started.status == 202);
    const auto upload = started.header("Location");
    client.send("PATCH " + upload +
                " HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsome \r\n5\r\nbytes\r\n0\r\n\r\n");
    BOOST_TEST(client.read().header("Range") == "0-9");
    BOOST_TEST(client.ask("PUT", upload + "?digest=" + digest).status == 201);
    BOOST_TEST(client.get("/v2/a/blobs/" + digest).body == blob);

    BOOST_TEST(client.ask("PUT", "/v2/a/manifests/1", type, manifest).status == 201);
    const auto stored = regsweep::digest::of(manifest).to_string();
    BOOST_TEST(client.ask("HEAD", "/v2/a/manifests/1").header("Docker-Content-Digest") == stored);
    const auto wrong = client.ask("PUT", "/v2/a/manifests/" + digest, type, manifest);
    BOOST_TEST(error_code_of(wrong) == "DIGEST_INVALID");
    BOOST_TEST(client.ask("POST", "/v2/b/blobs/uploads/?digest=" + digest, "", blob).status == 201);
    BOOST_TEST(client.ask("POST", "/v2/b/blobs/uploads/?digest=" + digest, "", "not these").status == 400);
}

BOOST_AUTO_TEST_CASE(asks_to_continue_before_a_body)
{
    running registry;
    raw_client client(registry);
    client.send("PUT /v2/a/manifests/1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    BOOST_TEST(client.read().status == 100);
    client.send("{}");
    BOOST_TEST(client.read().status == 201);
}

BOOST_AUTO_TEST_CASE(calls_the_hook_before_the_answer)
{
    fake_registry* changed = nullptr;
    fake_options options;
    options.on_request = [&](const fake_request& request) {
        if (request.method == "HEAD")
            changed->tag("a", "1", "sha256:moved");
    };
    fake_registry registry(options);
    changed = &registry;
    registry.put_image("a", "1", "text");
    registry.start();
    raw_client client(registry);
    BOOST_TEST(client.get("/v2/a/manifests/1").status == 200);
    BOOST_TEST(client.ask("HEAD", "/v2/a/manifests/1").status == 404);
}

BOOST_AUTO_TEST_CASE(answers_pipelined_requests_in_order)
{
    for (const auto latency : {0ms, 1ms}) {
        auto options = synthetic(2, 9);
        options.record = false;
        options.latency = latency;
        running registry(options);
        raw_client client(registry);
        std::string text;
        for (const auto* tag : {"1.0.0", "1.0.1", "v-3"})
            text += "GET /v2/synthetic/repo-000001/manifests/" + std::string(tag) + " HTTP/1.1\r\n\r\n";
        client.send(text + "GET /v2/ HTTP/1.1\r\n\r\n");
        fake_synthetic::scratch with;
        for (const std::size_t tag : {0U, 1U, 3U})
            BOOST_TEST(client.read().header("Docker-Content-Digest") == registry.synthetic().digest(1, tag, with));
        BOOST_TEST(client.read().body == "{}");
    }
}

BOOST_AUTO_TEST_CASE(refuses_what_is_not_http)
{
    running registry;
    raw_client client(registry);
    client.send("nonsense\r\n\r\n");
    BOOST_TEST(client.read().status == 400);
    BOOST_TEST(client.rest() == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fake_registry_synthetic)

BOOST_AUTO_TEST_CASE(serves_computed_content_that_hashes_right)
{
    for (const std::size_t variants : {0U, 3U}) {
        auto options = synthetic(3, 8);
        options.synthetic.variants = variants;
        for (const bool record : {true, false}) {
            options.record = record; // both ways through the server
            running registry(options);
            raw_client client(registry);
            std::set<std::string> digests;
            for (const auto& tag : names(client.get("/v2/synthetic/repo-000002/tags/list"), "tags")) {
                const auto target = "/v2/synthetic/repo-000002/manifests/" + tag;
                const auto a = client.get(target);
                const auto digest = a.header("Docker-Content-Digest");
                BOOST_TEST(regsweep::digest::of(a.body).to_string() == digest);
                BOOST_TEST(boost::json::parse(a.body).at("layers").as_array().size() == 1U);
                BOOST_TEST(client.ask("HEAD", target).header("Docker-Content-Digest") == digest);
                BOOST_TEST(client.get("/v2/synthetic/repo-000002/manifests/" + digest).body == a.body);
                digests.insert(digest);
            }
            if (variants == 0)
                BOOST_TEST(digests.size() == 8U);
            else
                BOOST_TEST(digests.size() <= variants);
            BOOST_TEST(client.ask("HEAD", "/v2/synthetic/repo-000002/manifests/1.0.8").status == 404);
            BOOST_TEST(client.ask("HEAD", "/v2/synthetic/repo-000002/manifests/1.0.3").status == 404);
            BOOST_TEST(client.ask("HEAD", "/v2/synthetic/repo-000003/manifests/1.0.0").status == 404);
        }
    }
}

BOOST_AUTO_TEST_CASE(pages_through_computed_and_stored_names)
{
    running registry(synthetic(5, 11));
    registry.put_image("a", "1", "text");
    registry.put_image("synthetic/repo-000002-b", "1", "text");
    registry.put_image("z", "1", "text");
    raw_client client(registry);
    std::vector<std::string> seen;
    for (std::string target = "/v2/_catalog?n=3"; !target.empty();) {
        const auto a = client.get(target);
        for (auto& name : names(a, "repositories"))
            seen.push_back(name);
        target = next_of(a);
    }
    BOOST_TEST(seen.size() == 8U);
    BOOST_TEST(std::is_sorted(seen.begin(), seen.end()));
    std::set<std::string> tags;
    for (std::string target = "/v2/synthetic/repo-000004/tags/list?n=4"; !target.empty();) {
        const auto a = client.get(target);
        for (auto& name : names(a, "tags"))
            BOOST_TEST(tags.insert(name).second);
        target = next_of(a);
    }
    BOOST_TEST(tags.size() == 11U);
}

BOOST_AUTO_TEST_CASE(shares_digests_on_request)
{
    auto options = synthetic(2, 8);
    options.synthetic.share = 4;
    const fake_synthetic content(options.synthetic);
    fake_synthetic::scratch with;
    std::map<std::string, int> uses;
    for (std::size_t repository = 0; repository < 2; ++repository)
        for (std::size_t tag = 0; tag < 8; ++tag)
            ++uses[std::string(content.digest(repository, tag, with))];
    BOOST_TEST(uses.size() == 12U);
    BOOST_TEST(uses[std::string(content.digest(0, 2, with))] == 3);
    BOOST_TEST(content.digest(1, 3, with) == std::string(content.digest(0, 3, with)));
}

BOOST_AUTO_TEST_CASE(remembers_deletes_on_request)
{
    auto options = synthetic(2, 4);
    for (const bool remember : {false, true}) {
        options.synthetic.remember_deletes = remember;
        running registry(options);
        raw_client client(registry);
        fake_synthetic::scratch with;
        const std::string digest(registry.synthetic().digest(1, 0, with));
        const auto target = "/v2/synthetic/repo-000001/manifests/";
        BOOST_TEST(client.ask("DELETE", target + digest).status == 202);
        BOOST_TEST(client.ask("HEAD", std::string(target) + "1.0.0").status == (remember ? 404 : 200));
        BOOST_TEST(names(client.get("/v2/synthetic/repo-000001/tags/list"), "tags").size() == (remember ? 3U : 4U));
        BOOST_TEST(client.ask("DELETE", target + digest).status == (remember ? 404 : 202));
        BOOST_TEST(registry.synthetic().deletes().size() == (remember ? 1U : 0U));
        BOOST_TEST(client.ask("DELETE", target + regsweep::digest::of("x").to_string()).status == 404);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fake_registry_faults)

BOOST_AUTO_TEST_CASE(applies_a_rule_so_many_times)
{
    running registry;
    registry.put_image("a", "1", "text");
    const auto rule =
        registry.add_rule("GET", "/manifests/", fake_action::answer(429, {{"Retry-After", http_date(1)}}), 2);
    raw_client client(registry);
    const auto refused = client.get("/v2/a/manifests/1");
    BOOST_TEST(refused.status == 429);
    BOOST_TEST(refused.header("Retry-After").ends_with(" GMT"));
    BOOST_TEST(client.get("/v2/").status == 200);
    BOOST_TEST(client.ask("HEAD", "/v2/a/manifests/1").status == 200);
    BOOST_TEST(client.get("/v2/a/manifests/1").status == 429);
    BOOST_TEST(client.get("/v2/a/manifests/1").status == 200);
    BOOST_TEST(registry.rule_hits(rule) == 2U);
    registry.clear_rules();
    BOOST_TEST(registry.rule_hits(rule) == 0U);
}

BOOST_AUTO_TEST_CASE(skips_and_matches_by_regex_and_chance)
{
    running registry;
    fake_rule second;
    second.regex = "_catalog\\?n=[0-9]+$";
    second.skip = 1;
    second.count = 1;
    second.action = fake_action::answer(503);
    registry.add_rule(second);
    fake_rule half;
    half.path = "/token";
    half.probability = 0.5;
    half.action = fake_action::answer(502);
    const auto chance = registry.add_rule(half);
    raw_client client(registry);
    std::vector<int> statuses;
    for (int i = 0; i < 3; ++i)
        statuses.push_back(client.get("/v2/_catalog?n=1").status);
    BOOST_TEST(statuses == (std::vector<int>{200, 503, 200}), boost::test_tools::per_element());
    for (int i = 0; i < 100; ++i)
        client.get("/token");
    BOOST_TEST(registry.rule_hits(chance) > 20U);
    BOOST_TEST(registry.rule_hits(chance) < 80U);
}

BOOST_AUTO_TEST_CASE(applies_rules_to_the_fast_path_as_well)
{
    auto options = synthetic(1, 1);
    options.record = false;
    running registry(options);
    raw_client client(registry);
    const auto* target = "/v2/synthetic/repo-000000/manifests/1.0.0";
    BOOST_TEST(client.ask("HEAD", target).status == 200);
    registry.add_rule("HEAD", "", fake_action::answer(405));
    const auto refused = client.ask("HEAD", target);
    BOOST_TEST(refused.status == 405);
    BOOST_TEST(client.get(target).status == 200);
}

BOOST_AUTO_TEST_CASE(resets_and_closes)
{
    running registry;
    registry.put_image("a", "1", "text");
    registry.add_rule("", "/v2/reset", fake_action::reset_after());
    registry.add_rule("", "/v2/close", fake_action::close_after());
    registry.add_rule("GET", "/manifests/", fake_action::reset_after(25));
    {
        raw_client client(registry);
        client.request("GET", "/v2/reset");
        BOOST_TEST(client.rest() == "");
        BOOST_TEST(client.reset());
    }
    {
        raw_client client(registry);
        client.request("GET", "/v2/close");
        BOOST_TEST(client.rest() == "");
        BOOST_TEST(!client.reset());
    }
    {
        raw_client client(registry);
        client.request("GET", "/v2/a/manifests/1");
        BOOST_TEST(client.rest().size() <= 25U); // RST may overtake what was sent
        BOOST_TEST(client.reset());
    }
}

BOOST_AUTO_TEST_CASE(deletes_though_the_answer_is_lost)
{
    for (const bool effect : {true, false}) {
        running registry;
        const auto digest = registry.put_image("a", "1", "text");
        auto lost = fake_action::close_after();
        lost.effect = effect;
        registry.add_rule("DELETE", "", lost);
        raw_client client(registry);
        client.request("DELETE", "/v2/a/manifests/" + digest);
        client.rest();
        BOOST_TEST(registry.snapshot()["a"].empty() == effect);
    }
}

BOOST_AUTO_TEST_CASE(lies_about_the_length)
{
    running registry;
    fake_action longer;
    longer.length_error = 5;
    longer.ending = fake_ending::close;
    registry.add_rule("", "", longer, 1);
    fake_action shorter;
    shorter.length_error = -1;
    registry.add_rule("", "", shorter, 1);
    raw_client client(registry);
    const auto a = client.get("/v2/");
    BOOST_TEST(a.header("Content-Length") == "7");
    BOOST_TEST(!a.complete);
    raw_client other(registry);
    BOOST_TEST(other.get("/v2/").body == "{");
}

BOOST_AUTO_TEST_CASE(frames_answers_in_every_way)
{
    running registry;
    registry.put_image("a", "1", "text");
    raw_client reference(registry);
    const auto expected = reference.get("/v2/a/manifests/1").body;

    fake_action chunked;
    chunked.chunked = true;
    registry.add_rule("", "", chunked, 2);
    raw_client client(registry);
    const auto a = client.get("/v2/a/manifests/1");
    BOOST_TEST(a.body == expected);
    BOOST_TEST(a.header("Content-Length") == "");
    BOOST_TEST(client.ask("HEAD", "/v2/a/manifests/1").header("Transfer-Encoding") == "chunked");

    fake_action until_close;
    until_close.no_length = true;
    registry.add_rule("", "", until_close, 1);
    client.request("GET", "/v2/a/manifests/1");
    BOOST_TEST(client.read().header("Connection") == "close");
    BOOST_TEST(client.rest() == expected);

    fake_action old;
    old.http_1_0 = true;
    registry.add_rule("", "", old, 1);
    raw_client second(registry);
    BOOST_TEST(second.get("/v2/a/manifests/1").head.starts_with("HTTP/1.0 200"));
    BOOST_TEST(second.rest() == "");

    fake_action interim;
    interim.interim = true;
    interim.gzip = true;
    registry.add_rule("", "", interim, 1);
    raw_client third(registry);
    BOOST_TEST(third.get("/v2/a/manifests/1").status == 100);
    const auto zipped = third.read();
    BOOST_TEST(zipped.header("Content-Encoding") == "gzip");
    BOOST_TEST(zipped.body.starts_with("\x1f\x8b"));
}

BOOST_AUTO_TEST_CASE(changes_headers_and_bodies)
{
    running registry;
    registry.put_image("a", "1", "text");
    fake_action action;
    action.remove_headers = {"docker-content-digest"};
    action.set_headers = {{"Warning", "299 - \"old\""}, {"Link", "<http://{address}{target}>; rel=\"next\""}};
    action.body = "{\"garbage";
    action.huge_header = 100000;
    registry.add_rule("", "", action, 1);
    fake_action raw;
    raw.raw = "garbage";
    raw.ending = fake_ending::close;
    raw_client client(registry);
    const auto a = client.get("/v2/a/manifests/1");
    BOOST_TEST(a.body == "{\"garbage");
    BOOST_TEST(a.header("Docker-Content-Digest") == "");
    BOOST_TEST(a.header("Link") == "<" + registry.url() + "/v2/a/manifests/1>; rel=\"next\"");
    BOOST_TEST(a.header("Warning") == "299 - \"old\"");
    BOOST_TEST(a.header("X-Padding").size() == 100000U);
    registry.add_rule("", "", raw, 1);
    client.request("GET", "/v2/");
    BOOST_TEST(client.rest() == "garbage");
    registry.add_rule("", "", fake_action::redirect(307, "https://example.com{target}"), 1);
    raw_client other(registry);
    BOOST_TEST(other.get("/v2/x?y").header("Location") == "https://example.com/v2/x?y");
}

BOOST_AUTO_TEST_CASE(sends_slowly_and_without_end)
{
    running registry;
    fake_action slow;
    slow.delay = 1ms;
    slow.header_interval = 1ms;
    slow.body_interval = 1ms;
    slow.piece = 16;
    registry.add_rule("", "", slow, 1);
    fake_action endless;
    endless.endless_body = true;
    registry.add_rule("", "", endless, 1);
    raw_client client(registry);
    BOOST_TEST(client.get("/v2/").body == "{}");
    client.request("GET", "/v2/");
    std::size_t blocks = 0;
    while (blocks < 200 && client.more())
        ++blocks;
    BOOST_TEST(blocks == 200U);
}

BOOST_AUTO_TEST_CASE(changes_links)
{
    const auto link = [](fake_link_style style, const std::string& base) {
        fake_options options;
        options.api.link_style = style;
        options.api.link_base = base;
        running registry(options);
        for (const auto* name : {"a", "b", "c", "d"})
            registry.put_image(name, "1", "text");
        raw_client client(registry);
        return client.get("/v2/_catalog?n=2&last=a").header("Link");
    };
    BOOST_TEST(link(fake_link_style::unquoted, "") == "</v2/_catalog?last=c&n=2>; rel=next");
    BOOST_TEST(link(fake_link_style::loop, "") == "</v2/_catalog?last=a&n=2>; rel=\"next\"");
    BOOST_TEST(link(fake_link_style::none, "") == "");
    BOOST_TEST(link(fake_link_style::standard, "https://other:1") ==
               "<https://other:1/v2/_catalog?last=c&n=2>; rel=\"next\"");
    BOOST_TEST(link(fake_link_style::several, "").find("rel=\"first\", </v2/_catalog?last=c&n=2>") !=
               std::string::npos);
    BOOST_TEST(link(fake_link_style::standard, "http://{address}").starts_with("<http://127.0.0.1:"));
}

BOOST_AUTO_TEST_CASE(limits_the_rate)
{
    auto options = synthetic(1, 1);
    options.rate_limit = 5;
    running registry(options);
    raw_client client(registry);
    answer last;
    int good = 0;
    // A second may begin while this runs: twice the limit and one more cannot all be good.
    for (int i = 0; i < 11; ++i) {
        auto a = client.get("/v2/synthetic/repo-000000/manifests/1.0.0");
        good += a.status == 200 ? 1 : 0;
        if (a.status != 200)
            last = a;
    }
    BOOST_TEST(good >= 5);
    BOOST_TEST(last.status == 429);
    BOOST_TEST(last.header("Retry-After") == "1");
    BOOST_TEST(registry.counts().rate_limited == 11U - static_cast<unsigned>(good));
}

BOOST_AUTO_TEST_CASE(ends_connections_by_count_and_idle_time)
{
    fake_options options;
    options.requests_per_connection = 2;
    options.idle_timeout = 20ms;
    options.extra_headers = {{"RateLimit-Remaining", "7;w=60"}};
    running registry(options);
    raw_client counted(registry);
    BOOST_TEST(counted.get("/v2/").header("Connection") == "");
    const auto second = counted.get("/v2/");
    BOOST_TEST(second.header("Connection") == "close");
    BOOST_TEST(second.header("RateLimit-Remaining") == "7;w=60");
    BOOST_TEST(counted.rest() == "");
    raw_client idle(registry);
    BOOST_TEST(idle.get("/v2/").status == 200);
    BOOST_TEST(idle.rest() == "");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fake_registry_counts)

BOOST_AUTO_TEST_CASE(logs_and_counts)
{
    running registry;
    registry.put_image("a", "1", "text");
    raw_client client(registry);
    client.get("/v2/a/manifests/1", "User-Agent: me\r\nAuthorization: Basic eA==\r\nAccept: x\r\nAccept: y\r\n");
    client.ask("HEAD", "/v2/a/manifests/2");
    raw_client other(registry);
    other.get("/v2/_catalog");
    const auto log = registry.log();
    BOOST_REQUIRE(log.size() == 3U);
    BOOST_TEST(log[0].method == "GET");
    BOOST_TEST(log[0].target == "/v2/a/manifests/1");
    BOOST_TEST(log[0].user_agent == "me");
    BOOST_TEST(log[0].authorization == "Basic eA==");
    BOOST_TEST(log[0].accept == "x, y");
    BOOST_TEST(log[0].status == 200U);
    BOOST_TEST(log[1].status == 404U);
    BOOST_TEST(log[2].connection == 1U);
    BOOST_TEST(registry.requests("GET", "/v2/a/") == 1U);
    BOOST_TEST(registry.requests("", "/v2/a/") == 2U);
    BOOST_TEST(registry.requests("HEAD", fake_endpoint::manifests) == 1U);
    BOOST_TEST(registry.requests("", fake_endpoint::catalog) == 1U);
    registry.stop();
    BOOST_TEST(registry.counts().requests == 3U);
    BOOST_TEST(registry.counts().connections == 2U);
    BOOST_TEST(registry.counts().max_concurrent == 1U);
    registry.clear_log();
    BOOST_TEST(registry.log().empty());
}

BOOST_AUTO_TEST_CASE(counts_concurrent_requests)
{
    fake_options options;
    options.latency = 30ms;
    options.threads = 2;
    running registry(options);
    raw_client a(registry);
    raw_client b(registry);
    raw_client c(registry);
    for (auto* client : {&a, &b, &c})
        client->request("GET", "/v2/");
    for (auto* client : {&a, &b, &c})
        BOOST_TEST(client->read().status == 200);
    BOOST_TEST(registry.counts().max_concurrent >= 2U);
    BOOST_TEST(registry.counts().max_concurrent <= 3U);
}

BOOST_AUTO_TEST_CASE(serves_many_connections_on_several_threads)
{
    auto options = synthetic(4, 50);
    options.threads = 2;
    running registry(options);
    const auto work = [&] {
        raw_client client(registry);
        for (int i = 0; i < 50; ++i) {
            client.get("/v2/synthetic/repo-000003/manifests/1.0." + std::to_string(i));
            registry.put_image("a", std::to_string(i), "text");
            client.get("/v2/a/tags/list");
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back(work);
    for (auto& thread : threads)
        thread.join();
    BOOST_TEST(registry.counts().requests == 400U);
    BOOST_TEST(registry.requests("GET", fake_endpoint::manifests) == 200U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fake_registry_auth)

BOOST_AUTO_TEST_CASE(wants_basic_credentials)
{
    fake_options options;
    options.auth.kind = fake_auth_kind::basic;
    running registry(options);
    raw_client client(registry);
    const auto refused = client.get("/v2/");
    BOOST_TEST(refused.status == 401);
    BOOST_TEST(refused.header("WWW-Authenticate") == "Basic realm=\"fake registry\"");
    BOOST_TEST(client.get("/v2/", "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n").status == 200);
    BOOST_TEST(client.get("/v2/", "Authorization: Basic dXNlcjp3cm9uZw==\r\n").status == 401);
}

std::string token_in(const answer& a, const char* member = "token")
{
    return std::string(boost::json::parse(a.body).at(member).as_string());
}

BOOST_AUTO_TEST_CASE(issues_and_checks_tokens)
{
    fake_options options;
    options.auth.kind = fake_auth_kind::bearer;
    options.auth.anonymous_pull = true;
    options.auth.expires_in = 60;
    running registry(options);
    registry.put_image("a/b", "1", "text");
    raw_client client(registry);
    const auto refused = client.get("/v2/a/b/manifests/1");
    BOOST_TEST(refused.status == 401);
    BOOST_TEST(refused.header("WWW-Authenticate") == "Bearer realm=\"" + registry.url() +
                                                         "/token\",service=\"fake-registry\","
                                                         "scope=\"repository:a/b:pull\"");
    const auto issued = client.get("/token?service=fake-registry&scope=repository:a/b:pull,delete");
    BOOST_TEST(boost::json::parse(issued.body).at("expires_in").as_int64() == 60);
    const auto bearer = "Authorization: Bearer " + token_in(issued) + "\r\n";
    BOOST_TEST(client.get("/v2/a/b/manifests/1", bearer).status == 200);
    const auto outside = client.get("/v2/_catalog", bearer);
    BOOST_TEST(outside.status == 401);
    BOOST_TEST(outside.header("WWW-Authenticate").ends_with("error=\"insufficient_scope\""));
    // Without credentials, only to pull.
    BOOST_TEST(client.ask("DELETE", "/v2/a/b/manifests/1", bearer).status == 401);
    const auto full = client.get("/token?scope=registry%3Acatalog%3A*&scope=repository:a/b:delete",
                                 "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n");
    BOOST_TEST(client.get("/v2/_catalog", "Authorization: Bearer " + token_in(full) + "\r\n").status == 200);
    BOOST_TEST(client.get("/token", "Authorization: Basic dXNlcjp3cm9uZw==\r\n").status == 401);
    BOOST_TEST(registry.auth().tokens_issued() == 2U);
    registry.auth().revoke_all();
    BOOST_TEST(client.get("/v2/a/b/manifests/1", bearer).status == 401);
}

BOOST_AUTO_TEST_CASE(takes_oauth2_grants_and_lets_tokens_expire)
{
    fake_options options;
    options.auth.kind = fake_auth_kind::bearer;
    options.auth.token_field = "access_token";
    options.auth.lifetime = 0ms;
    options.auth.issued_at = true;
    running registry(options);
    raw_client client(registry);
    const auto form = "Content-Type: application/x-www-form-urlencoded\r\n";
    const auto refreshed = client.ask("POST", "/token", form, "grant_type=refresh_token&refresh_token=refresh");
    BOOST_TEST(refreshed.status == 200);
    BOOST_TEST(token_in(refreshed, "refresh_token") == "refresh");
    BOOST_TEST(token_in(refreshed, "issued_at").ends_with("Z"));
    BOOST_TEST(refreshed.body.find("expires_in") == std::string::npos);
    BOOST_TEST(client.ask("POST", "/token", form, "grant_type=password&username=user&password=password").status == 200);
    BOOST_TEST(client.ask("POST", "/token", form, "grant_type=password&username=user&password=no").status == 401);
    const auto bearer = "Authorization: Bearer " + token_in(refreshed, "access_token") + "\r\n";
    const auto expired = client.get("/v2/", bearer);
    BOOST_TEST(expired.status == 401);
    BOOST_TEST(expired.header("WWW-Authenticate").ends_with("error=\"invalid_token\""));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(fake_registry_tls)

struct tls_free
{
    void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
    void operator()(SSL* p) const { SSL_free(p); }
    void operator()(SSL_SESSION* p) const { SSL_SESSION_free(p); }
    void operator()(BIO* p) const { BIO_free(p); }
    void operator()(X509* p) const { X509_free(p); }
};
template<class T>
using tls_ptr = std::unique_ptr<T, tls_free>;

tls_ptr<SSL_CTX> trusting(const std::string& ca)
{
    tls_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
    const tls_ptr<BIO> text(BIO_new_mem_buf(ca.data(), static_cast<int>(ca.size())));
    const tls_ptr<X509> certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), certificate.get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    return context;
}

/// One request on a connection of its own. Returns the answer's first line, or the certificate check's verdict.
std::string ask_over_tls(const fake_registry& registry, SSL_CTX* context, const char* host,
                         tls_ptr<SSL_SESSION>* session = nullptr)
{
    const raw_client client(registry);
    const tls_ptr<SSL> tls(SSL_new(context));
    SSL_set_fd(tls.get(), client.fd());
    SSL_set1_host(tls.get(), host);
    if (session != nullptr && *session)
        SSL_set_session(tls.get(), session->get());
    if (SSL_connect(tls.get()) != 1)
        return X509_verify_cert_error_string(SSL_get_verify_result(tls.get()));
    constexpr std::string_view request = "GET /v2/ HTTP/1.1\r\nConnection: close\r\n\r\n";
    SSL_write(tls.get(), request.data(), static_cast<int>(request.size()));
    std::string text;
    char block[4096];
    for (int size = 0; (size = SSL_read(tls.get(), block, sizeof block)) > 0;)
        text.append(block, static_cast<std::size_t>(size));
    if (session != nullptr)
        session->reset(SSL_get1_session(tls.get()));
    const bool in_order = SSL_get_shutdown(tls.get()) == SSL_RECEIVED_SHUTDOWN;
    SSL_shutdown(tls.get());
    return text.substr(0, text.find("\r\n")) + (in_order ? "" : " truncated");
}

fake_options with_tls(const fake_certificates& made)
{
    fake_options options;
    options.certificate = made.server_certificate;
    options.key = made.server_key;
    return options;
}

BOOST_AUTO_TEST_CASE(answers_over_tls_and_resumes)
{
    const auto made = make_certificates();
    running registry(with_tls(made));
    const auto context = trusting(made.ca);
    tls_ptr<SSL_SESSION> session;
    BOOST_TEST(registry.url().starts_with("https://"));
    BOOST_TEST(ask_over_tls(registry, context.get(), "localhost", &session) == "HTTP/1.1 200 OK");
    BOOST_TEST(ask_over_tls(registry, context.get(), "localhost", &session) == "HTTP/1.1 200 OK");
    BOOST_TEST(registry.counts().handshakes == 2U);
    BOOST_TEST(registry.counts().resumed == 1U);
    fake_action cut;
    cut.ending = fake_ending::truncate;
    registry.add_rule("", "", cut);
    BOOST_TEST(ask_over_tls(registry, context.get(), "localhost") == "HTTP/1.1 200 OK truncated");
}

BOOST_AUTO_TEST_CASE(makes_bad_certificates_on_request)
{
    fake_certificate_options options;
    options.names = {"other.example"};
    const auto other = make_certificates(options);
    running wrong_host(with_tls(other));
    BOOST_TEST(ask_over_tls(wrong_host, trusting(other.ca).get(), "localhost") == "hostname mismatch");
    BOOST_TEST(ask_over_tls(wrong_host, trusting(other.ca).get(), "other.example") == "HTTP/1.1 200 OK");

    options.names = {"localhost"};
    options.valid_from = -200;
    options.valid_until = -100;
    const auto old = make_certificates(options);
    running expired(with_tls(old));
    BOOST_TEST(ask_over_tls(expired, trusting(old.ca).get(), "localhost") == "certificate has expired");
    BOOST_TEST(ask_over_tls(expired, trusting(other.ca).get(), "localhost") != "HTTP/1.1 200 OK");
}

BOOST_AUTO_TEST_CASE(wants_client_certificates_on_request)
{
    const auto made = make_certificates();
    auto options = with_tls(made);
    options.client_ca = made.ca;
    running registry(options);
    const auto context = trusting(made.ca);
    BOOST_TEST(ask_over_tls(registry, context.get(), "localhost") != "HTTP/1.1 200 OK");
    const tls_ptr<BIO> certificate(BIO_new_mem_buf(made.client_certificate.data(), -1));
    const tls_ptr<X509> shown(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
    SSL_CTX_use_certificate(context.get(), shown.get());
    const tls_ptr<BIO> key_text(BIO_new_mem_buf(made.client_key.data(), -1));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr);
    SSL_CTX_use_PrivateKey(context.get(), key);
    EVP_PKEY_free(key);
    BOOST_TEST(ask_over_tls(registry, context.get(), "localhost") == "HTTP/1.1 200 OK");
}

BOOST_AUTO_TEST_SUITE_END()
