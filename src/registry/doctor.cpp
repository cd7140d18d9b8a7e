#include "regsweep/registry/doctor.hpp"

#include "regsweep/http/probe.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <exception>

namespace regsweep {
namespace {

namespace asio = boost::asio;
using http::awaitable;
using http::method;

constexpr std::array<std::string_view, 18> steps = {
    "address", "proxy",         "name", "connection", "TLS",  "API",    "login",      "clock",    "limits",
    "catalog", "catalog pages", "tags", "tag pages",  "HEAD", "digest", "multi-arch", "deletion", "referrers",
};

constexpr std::size_t most_repositories = 20; // that are looked into for one with tags
constexpr std::size_t most_tags = 10;         // that are looked at for an index

constexpr std::string_view accepted = "application/vnd.oci.image.index.v1+json, "
                                      "application/vnd.docker.distribution.manifest.list.v2+json, "
                                      "application/vnd.oci.image.manifest.v1+json, "
                                      "application/vnd.docker.distribution.manifest.v2+json, "
                                      "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5";

// Of nothing that exists: deleting it changes nothing.
std::string unknown_digest()
{
    std::array<unsigned char, 32> bytes{};
    if (RAND_bytes(bytes.data(), bytes.size()) != 1)
        throw failure({errc::io, "the system gives no random numbers"});
    return digest::from_bytes(bytes).value().to_string();
}

bool refuses(const error& e) noexcept
{
    return e.is(errc::unauthorized) || e.is(errc::forbidden) || e.is(errc::not_found) || e.is(errc::unsupported) ||
           e.http_status == 401 || e.http_status == 403 || e.http_status == 404 || e.http_status == 405;
}

} // namespace

struct doctor::impl
{
    explicit impl(doctor_options o) : options(std::move(o))
    {
        if (!options.registry.who.tokens)
            options.registry.who.tokens = make_token_store();
    }

    void add(finding one) { found.push_back(std::move(one)); }
    bool failed() const { return !found.empty() && found.back().how == condition::problem; }

    bool reach();
    void ask();
    std::vector<finding> all() const;

    awaitable<void> converse();
    awaitable<bool> enter();
    awaitable<void> list_repositories();
    awaitable<void> page_catalog(std::size_t known);
    awaitable<bool> find_repository();
    awaitable<void> page_tags();
    awaitable<void> read_manifest();
    awaitable<void> find_index(method verb);
    awaitable<void> try_deletion();
    awaitable<void> ask_referrers();
    awaitable<result<void>> send(method verb, std::string target, access rights);

    std::string in_repository(std::string_view rest) const
    {
        return options.address.prefix + "/v2/" + repository + "/" + std::string(rest);
    }

    doctor_options options;
    asio::io_context context{1};
    std::unique_ptr<http::client> client;
    std::unique_ptr<authenticator> auth;
    std::unique_ptr<registry_client> registry;
    std::vector<finding> found;
    std::string why_not = "a step before it failed"; // what comes later is not checked
    registry_buffers buffers;
    std::vector<std::string> candidates;
    std::string repository; // that is looked into
    std::vector<std::string> tags;
    std::string manifest_digest;
    http::response answer;
};

bool doctor::impl::reach()
{
    const origin& server = options.address.server;
    add(judge_address(options.address, options.address_source));
    const auto through = http::choose_proxy(options.http.proxies, server);
    if (!through) {
        add(judge_failure("proxy", through.error()));
        return false;
    }
    add(judge_proxy(*through));
    const auto seen = http::probe(server, *through, options.http.tls, options.http.connect_timeout);
    add(judge_name(*through ? (*through)->server.host : server.host, seen));
    if (failed())
        return false;
    add(judge_connection(seen));
    if (failed())
        return false;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    add(judge_tls(server, seen, options.http.tls.verify,
                  std::chrono::duration_cast<std::chrono::seconds>(now).count()));
    return !failed();
}

awaitable<result<void>> doctor::impl::send(method verb, std::string target, access rights)
{
    http::request rq;
    rq.verb = verb;
    rq.target = std::move(target);
    rq.accept = accepted;
    auto sent = co_await auth->send(rq, answer, rights);
    co_return sent;
}

// To the registry's door, first without credentials and then with them.
awaitable<bool> doctor::impl::enter()
{
    http::request rq;
    rq.target = options.address.prefix + "/v2/";
    http::response asked;
    auto sent = co_await client->send(auth->endpoint(), rq, asked);
    if (!sent) {
        add(judge_failure("API", sent.error()));
        co_return false;
    }
    add(judge_clock(asked.header("date"), std::chrono::system_clock::now()));
    add(judge_api(options.address, asked));
    if (failed())
        co_return false;
    sent = co_await auth->send(rq, answer, {access::kind::ping, {}});
    if (!sent) {
        add(judge_failure("login", sent.error()));
        co_return false;
    }
    const bool refused = answer.status == 401 || answer.status == 403;
    add(judge_login(asked, answer, options.registry.who.who,
                    refused ? auth->explain(answer.status, {access::kind::ping, {}}) : std::string()));
    co_return !failed();
}

awaitable<void> doctor::impl::list_repositories()
{
    const bool named = !options.repositories.empty();
    auto page = co_await registry->catalog(registry->catalog_target(options.page_size), buffers);
    if (!page && refuses(page.error())) {
        add(judge_no_catalog(page.error().http_status, named, page.error().detail));
        co_return;
    }
    if (!page) {
        add(judge_failure("catalog", page.error()));
        co_return;
    }
    const std::size_t names = page->names.size();
    add(judge_list("catalog", {options.page_size, names, !page->next.empty()}, {}));
    for (std::size_t i = 0; !named && i != names && candidates.size() != most_repositories; ++i)
        if (valid_repository(page->names[i]))
            candidates.emplace_back(page->names[i]);
    co_await page_catalog(page->next.empty() ? names : names + 1);
}

awaitable<void> doctor::impl::page_catalog(std::size_t known)
{
    paging_facts seen;
    seen.known = known;
    auto first = co_await registry->catalog(registry->catalog_target(1), buffers);
    if (!first) {
        add(judge_failure("catalog pages", first.error()));
        co_return;
    }
    seen.first = first->names.size();
    seen.more = !first->next.empty();
    if (known > 1 && seen.first == 1 && seen.more) {
        auto second = co_await registry->catalog(first->next, buffers);
        if (!second) {
            add(judge_failure("catalog pages", second.error()));
            co_return;
        }
        seen.second = second->names.size();
        seen.repeated = seen.second != 0 && second->names[0] == first->names[0];
    }
    add(judge_paging("catalog pages", seen));
}

// One with two tags, so that pages can be looked at, or one with any.
awaitable<bool> doctor::impl::find_repository()
{
    std::optional<finding> best;
    for (const auto& name : candidates) {
        auto page = co_await registry->tags(name, registry->tags_target(name, options.page_size), buffers);
        if (!page) {
            if (!best)
                best = judge_failure("tags", page.error());
            continue;
        }
        const std::size_t names = *page ? (*page)->names.size() : 0;
        if (names <= tags.size())
            continue;
        repository = name;
        tags.clear();
        for (std::size_t i = 0; i != names; ++i)
            if (valid_tag((*page)->names[i]))
                tags.emplace_back((*page)->names[i]);
        best = judge_list("tags", {options.page_size, names, !(*page)->next.empty()}, " in " + repository);
        if (names > 1)
            break;
    }
    if (best)
        add(*std::move(best));
    if (tags.empty())
        why_not = candidates.empty() ? "no repository is known to look into" : "no repository with tags was found";
    co_return !tags.empty();
}

awaitable<void> doctor::impl::page_tags()
{
    paging_facts seen;
    seen.known = tags.size();
    auto first = co_await registry->tags(repository, registry->tags_target(repository, 1), buffers);
    if (!first || !*first) {
        add(judge_failure("tag pages", first ? error(errc::not_found, "the repository is gone") : first.error()));
        co_return;
    }
    const name_page& page = **first;
    seen.first = page.names.size();
    seen.more = !page.next.empty();
    if (seen.known > 1 && seen.first == 1 && seen.more) {
        auto second = co_await registry->tags(repository, page.next, buffers);
        if (!second) {
            add(judge_failure("tag pages", second.error()));
            co_return;
        }
        seen.second = *second ? (*second)->names.size() : 0;
        seen.repeated = seen.second != 0 && (*second)->names[0] == page.names[0];
    }
    add(judge_paging("tag pages", seen));
}

awaitable<void> doctor::impl::read_manifest()
{
    const access rights{access::kind::pull, repository};
    const bool get_only = options.registry.use_get_manifest;
    std::string told;
    bool head_works = false;
    if (!get_only) {
        auto sent = co_await send(method::head, in_repository("manifests/" + tags.front()), rights);
        if (sent && answer.status == 200)
            told = answer.header("docker-content-digest");
        head_works = sent && answer.status == 200;
        add(sent ? judge_head(answer, false) : judge_failure("HEAD", sent.error()));
    } else {
        add(judge_head(answer, true));
    }
    auto sent = co_await send(method::get, in_repository("manifests/" + tags.front()), rights);
    add(sent ? judge_digest(answer, told) : judge_failure("digest", sent.error()));
    if (sent && answer.status == 200)
        manifest_digest = digest::of(answer.body).to_string();
    co_await find_index(head_works ? method::head : method::get);
}

awaitable<void> doctor::impl::find_index(method verb)
{
    const access rights{access::kind::pull, repository};
    const std::size_t most = std::min(tags.size(), most_tags);
    for (std::size_t i = 0; i != most; ++i) {
        const std::string target = in_repository("manifests/" + tags[i]);
        auto sent = co_await send(verb, target, rights);
        if (!sent || answer.status != 200 || !is_index(parse_media_type(answer.header("content-type"))))
            continue;
        if (verb == method::head)
            sent = co_await send(method::get, target, rights);
        add(sent ? judge_index(repository + ":" + tags[i], &answer, most) : judge_failure("multi-arch", sent.error()));
        co_return;
    }
    add(judge_index({}, nullptr, most));
}

awaitable<void> doctor::impl::try_deletion()
{
    const access rights{access::kind::remove, repository};
    http::request rq;
    rq.verb = method::del;
    rq.target = in_repository("manifests/" + unknown_digest());
    auto sent = co_await auth->send(rq, answer, rights);
    if (!sent && refuses(sent.error())) { // by the server that gives tokens
        add(judge_deletion(403, {}, sent.error().detail));
        co_return;
    }
    if (!sent) {
        add(judge_failure("deletion", sent.error()));
        co_return;
    }
    const bool refused = answer.status == 401 || answer.status == 403;
    add(judge_deletion(answer.status, http::status_error(rq, answer).registry_code,
                       refused ? auth->explain(answer.status, rights) : std::string()));
}

awaitable<void> doctor::impl::ask_referrers()
{
    auto sent =
        co_await send(method::get, in_repository("referrers/" + manifest_digest), {access::kind::pull, repository});
    add(sent ? judge_referrers(answer) : judge_failure("referrers", sent.error()));
}

awaitable<void> doctor::impl::converse()
{
    const bool entered = co_await enter();
    if (!entered)
        co_return;
    candidates = options.repositories;
    co_await list_repositories();
    const bool chosen = co_await find_repository();
    if (!chosen) {
        add(judge_limits(answer));
        co_return;
    }
    co_await page_tags();
    co_await read_manifest();
    add(judge_limits(answer)); // of a manifest, which are counted where others are not
    co_await try_deletion();
    if (!manifest_digest.empty())
        co_await ask_referrers();
}

void doctor::impl::ask()
{
    try { // a certificate, a key, or credentials that cannot be sent
        client = std::make_unique<http::client>(context, options.http);
        auth = std::make_unique<authenticator>(*client, options.address, options.registry.who);
        registry = std::make_unique<registry_client>(*client, options.address, options.registry);
    } catch (const failure& f) {
        add(judge_failure("API", f.why()));
        return;
    }
    std::exception_ptr thrown;
    bool done = false;
    asio::co_spawn(context, converse(), [&](std::exception_ptr e) {
        thrown = std::move(e);
        done = true;
    });
    while (!done) // the client's own timer never ends
        context.run_one();
    if (thrown)
        std::rethrow_exception(thrown);
}

std::vector<finding> doctor::impl::all() const
{
    std::vector<finding> out;
    out.reserve(steps.size());
    for (const auto name : steps) {
        const auto one = std::find_if(found.begin(), found.end(), [&](const finding& f) { return f.check == name; });
        out.push_back(one != found.end() ? *one : finding{std::string(name), condition::not_checked, why_not, {}});
    }
    return out;
}

doctor::doctor(doctor_options options) : impl_(std::make_unique<impl>(std::move(options))) {}

doctor::~doctor() = default;

std::vector<finding> doctor::examine()
{
    if (impl_->reach())
        impl_->ask();
    return impl_->all();
}

void doctor::cancel()
{
    asio::post(impl_->context, [this] {
        if (impl_->client)
            impl_->client->cancel();
    });
}

} // namespace regsweep
