#include "regsweep/registry/client.hpp"

#include "regsweep/registry/pagination.hpp"

#include <algorithm>
#include <functional>

namespace regsweep {
namespace {

using http::awaitable;
using http::method;

// Schema 1 last: a registry that could convert to it must have no reason to.
constexpr std::string_view accepted_manifests = "application/vnd.oci.image.index.v1+json, "
                                                "application/vnd.docker.distribution.manifest.list.v2+json, "
                                                "application/vnd.oci.image.manifest.v1+json, "
                                                "application/vnd.docker.distribution.manifest.v2+json, "
                                                "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5, "
                                                "application/vnd.docker.distribution.manifest.v1+json;q=0.5";

// Requests are sent one by one from then on: this registry redirects, or is too busy.
constexpr unsigned most_in_vain = 8;

constexpr bool plain(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~' || c == '/' || c == ':';
}

// RFC 3986 section 2.1; names that follow the specification need no encoding.
void append_path(std::string& target, std::string_view name)
{
    static constexpr char hex[] = "0123456789ABCDEF";
    while (true) {
        const auto end = std::find_if_not(name.begin(), name.end(), plain);
        const auto length = static_cast<std::size_t>(end - name.begin());
        target += name.substr(0, length);
        if (end == name.end())
            return;
        target += '%';
        target += hex[static_cast<unsigned char>(*end) >> 4];
        target += hex[static_cast<unsigned char>(*end) & 15];
        name.remove_prefix(length + 1);
    }
}

error with_request(error e, const http::request& rq)
{
    if (e.request.empty())
        e.request = std::string(http::to_string(rq.verb)) + " " + rq.target;
    if (e.is(errc::bad_json) || e.is(errc::bad_response) || e.is(errc::bad_digest) || e.is(errc::digest_mismatch))
        e.detail += "; regsweep doctor shows what the registry, or a proxy before it, gets wrong";
    return e;
}

// The digest of a manifest that was received whole, checked against what was announced and what was asked for.
result<digest> check_content(const http::request& rq, const http::response& rs, media_type type,
                             std::string_view reference)
{
    const std::string_view announced = rs.header("docker-content-digest");
    if (announced.empty() && is_schema1(type))
        return with_request({errc::bad_response, "a schema 1 manifest came without its digest"}, rq);
    if (announced.empty() && reference.find(':') == std::string_view::npos)
        return digest::of(rs.body);
    const auto expected = digest::parse(announced.empty() ? reference : announced);
    if (!expected)
        return with_request(expected.error(), rq);
    if (is_schema1(type)) // signed: its digest is that of the payload, not of the body
        return *expected;
    const digest actual = digest::of(rs.body, expected->how());
    if (actual != *expected)
        return with_request({errc::digest_mismatch, "the manifest was announced as " + expected->to_string() +
                                                        " but its content is " + actual.to_string()},
                            rq);
    if (!announced.empty() && reference.find(':') != std::string_view::npos && reference != announced)
        return with_request(
            {errc::digest_mismatch, "asked for " + printable(reference) + ", got " + expected->to_string()}, rq);
    return actual;
}

} // namespace

struct registry_client::impl
{
    impl(http::client& c, registry_address a, registry_options o)
        : connection(c), address(std::move(a)), auth(c, address, o.who), base(address.prefix + "/v2/"),
          get_only(o.use_get_manifest)
    {}

    error failed(const http::request& rq, const http::response& rs, access rights) const
    {
        error e = http::status_error(rq, rs);
        if (rs.status == 401 || rs.status == 403)
            e.detail = auth.explain(rs.status, rights);
        return e;
    }

    void manifest_target(std::string& target, std::string_view repository, std::string_view reference) const
    {
        target = base;
        append_path(target, repository);
        target += "/manifests/";
        append_path(target, reference);
    }

    // What an answer to `resolve` says; nothing if it is not the answer one hopes for.
    std::optional<result<std::optional<resolved_manifest>>>
    read_resolution(const http::request& rq, const http::response& rs, std::string_view reference) const
    {
        using found = result<std::optional<resolved_manifest>>;
        if (rs.status == 404)
            return found(std::nullopt);
        if (rs.status != 200)
            return std::nullopt;
        const media_type type = parse_media_type(rs.header("content-type"));
        const std::string_view announced = rs.header("docker-content-digest");
        if (rq.verb == method::head && announced.empty())
            return std::nullopt;
        const auto id = rq.verb == method::head ? digest::parse(announced) : check_content(rq, rs, type, reference);
        if (!id)
            return found(with_request(id.error(), rq));
        return found(resolved_manifest{*id, type});
    }

    // A manifest that was received with status 200.
    result<std::optional<manifest>> read_manifest(const http::request& rq, const http::response& rs,
                                                  std::string_view reference) const
    {
        manifest out;
        out.content_type = rs.header("content-type");
        out.type = parse_media_type(out.content_type);
        const auto checked = check_content(rq, rs, out.type, reference);
        if (!checked)
            return checked.error();
        out.digest = *checked;
        out.body = rs.body;
        return std::optional<manifest>(std::move(out));
    }

    // Settles each of `wanted`: together, or with `alone(one)` what was not answered together. Returns how many were.
    template<class Wanted, class Make, class Take, class Alone>
    awaitable<std::size_t> settle_all(access rights, std::span<Wanted> wanted, registry_buffers& buffers, Make make,
                                      Take take, Alone alone)
    {
        const auto together = co_await send_together(rights, wanted, buffers, make, take);
        for (Wanted& one : wanted) {
            if (one.settled)
                continue;
            one.found = co_await alone(one);
            one.settled = true;
        }
        co_return together.value_or(0);
    }

    // Sends a request for each of `wanted` together on one connection. `make(rq, one)` makes one, and `take(rq, one)`
    // reads its answer: false where it is not the one hoped for. Returns how many are settled, or nothing if that is
    // not possible here and nothing was sent.
    template<class Wanted, class Make, class Take>
    awaitable<std::optional<std::size_t>> send_together(access rights, std::span<Wanted> wanted,
                                                        registry_buffers& buffers, Make make, Take take)
    {
        const auto authorization = auth.standing(rights);
        if (!authorization || !connection.may_repeat() || vain >= most_in_vain)
            co_return std::nullopt;
        buffers.together.resize(std::max(buffers.together.size(), wanted.size()));
        const std::span<http::request> rqs(buffers.together.data(), wanted.size());
        for (std::size_t i = 0; i != wanted.size(); ++i) {
            rqs[i].accept = accepted_manifests;
            rqs[i].authorization = *authorization;
            make(rqs[i], wanted[i]);
        }
        std::size_t settled = 0;
        const auto read = [&](std::size_t i) {
            wanted[i].settled = take(rqs[i], wanted[i]);
            if (wanted[i].settled)
                ++settled;
        };
        const http::answer_sink sink = std::cref(read);
        const auto sent = co_await connection.send_together(auth.endpoint(), rqs, buffers.answer, sink);
        if (settled != 0)
            vain = 0;
        else if (!sent || *sent)
            ++vain;
        if (sent && !*sent)
            co_return std::nullopt;
        co_return settled;
    }

    result<name_page> read_page(const http::request& rq, const http::response& rs,
                                result<name_list> (*parse)(std::string_view)) const
    {
        auto names = parse(rs.body);
        if (!names)
            return with_request(names.error(), rq);
        name_page page;
        page.names = *std::move(names);
        const auto links = rs.headers("link");
        const std::string_view next = find_next_link(links);
        if (next.empty())
            return page;
        auto target = resolve_next(address, rq.target, next);
        if (!target)
            return with_request(target.error(), rq);
        page.next = *std::move(target);
        return page;
    }

    http::client& connection;
    registry_address address;
    authenticator auth;
    std::string base;
    bool get_only;     // HEAD is refused here, or tells no digest
    unsigned vain = 0; // how often in a row requests were sent together and none was answered as one hopes
};

registry_client::registry_client(http::client& connection, registry_address address, registry_options options)
    : impl_(std::make_unique<impl>(connection, std::move(address), std::move(options)))
{}

registry_client::~registry_client() = default;

const registry_address& registry_client::address() const noexcept
{
    return impl_->address;
}

http::client& registry_client::connection() noexcept
{
    return impl_->connection;
}

std::string registry_client::catalog_target(unsigned page_size) const
{
    return impl_->base + "_catalog?n=" + std::to_string(page_size);
}

std::string registry_client::tags_target(std::string_view repository, unsigned page_size) const
{
    std::string target = impl_->base;
    append_path(target, repository);
    return target + "/tags/list?n=" + std::to_string(page_size);
}

awaitable<result<name_page>> registry_client::catalog(const std::string& target, registry_buffers& buffers)
{
    const access rights{access::kind::catalog, {}};
    http::request rq;
    rq.target = target;
    rq.accept = "application/json";
    auto sent = co_await impl_->auth.send(rq, buffers.answer, rights);
    if (!sent)
        co_return sent.error();
    if (buffers.answer.status != 200)
        co_return impl_->failed(rq, buffers.answer, rights);
    co_return impl_->read_page(rq, buffers.answer, parse_catalog);
}

awaitable<result<std::optional<name_page>>> registry_client::tags(std::string_view repository,
                                                                  const std::string& target, registry_buffers& buffers)
{
    const access rights{access::kind::pull, repository};
    http::request rq;
    rq.target = target;
    rq.accept = "application/json";
    auto sent = co_await impl_->auth.send(rq, buffers.answer, rights);
    if (!sent)
        co_return sent.error();
    if (buffers.answer.status == 404)
        co_return std::optional<name_page>();
    if (buffers.answer.status != 200)
        co_return impl_->failed(rq, buffers.answer, rights);
    auto page = impl_->read_page(rq, buffers.answer, parse_tags);
    if (!page)
        co_return page.error();
    co_return std::optional<name_page>(*std::move(page));
}

awaitable<result<std::optional<resolved_manifest>>>
registry_client::resolve(std::string_view repository, std::string_view reference, registry_buffers& buffers)
{
    const access rights{access::kind::pull, repository};
    http::request rq;
    rq.accept = accepted_manifests;
    http::response& rs = buffers.answer;
    impl_->manifest_target(rq.target, repository, reference);
    while (true) {
        rq.verb = impl_->get_only ? method::get : method::head;
        auto sent = co_await impl_->auth.send(rq, rs, rights);
        if (!sent)
            co_return sent.error();
        if (auto found = impl_->read_resolution(rq, rs, reference))
            co_return *std::move(found);
        const bool refused = rs.status == 200 || rs.status == 400 || rs.status == 405 || rs.status == 501;
        if (rq.verb == method::get || !refused)
            co_return impl_->failed(rq, rs, rights);
        impl_->get_only = true;
    }
}

awaitable<std::size_t> registry_client::resolve_all(std::string_view repository, std::span<resolution> wanted,
                                                    registry_buffers& buffers)
{
    const auto make = [this, repository](http::request& rq, const resolution& one) {
        rq.verb = impl_->get_only ? method::get : method::head;
        impl_->manifest_target(rq.target, repository, one.reference);
    };
    const auto take = [this, &buffers](const http::request& rq, resolution& one) {
        auto found = impl_->read_resolution(rq, buffers.answer, one.reference);
        if (!found)
            return false;
        one.found = *std::move(found);
        return true;
    };
    const access rights{access::kind::pull, repository};
    const auto alone = [this, repository, &buffers](const resolution& one) {
        return resolve(repository, one.reference, buffers);
    };
    return impl_->settle_all(rights, wanted, buffers, make, take, alone);
}

awaitable<bool> registry_client::answers_in_order(std::string_view repository, std::span<const known_resolution> known,
                                                  registry_buffers& buffers)
{
    std::vector<resolution> wanted;
    for (const known_resolution& one : known)
        wanted.push_back({one.reference});
    const std::size_t settled = co_await resolve_all(repository, wanted, buffers);
    bool same = settled == wanted.size();
    for (std::size_t i = 0; i != wanted.size(); ++i)
        same = same && wanted[i].found && *wanted[i].found && (*wanted[i].found)->digest == known[i].digest;
    co_return same;
}

awaitable<result<std::optional<manifest>>>
registry_client::get_manifest(std::string_view repository, std::string_view reference, registry_buffers& buffers)
{
    const access rights{access::kind::pull, repository};
    http::request rq;
    rq.accept = accepted_manifests;
    impl_->manifest_target(rq.target, repository, reference);
    http::response& rs = buffers.answer;
    auto sent = co_await impl_->auth.send(rq, rs, rights);
    if (!sent)
        co_return sent.error();
    if (rs.status == 404)
        co_return std::optional<manifest>();
    if (rs.status != 200)
        co_return impl_->failed(rq, rs, rights);
    co_return impl_->read_manifest(rq, rs, reference);
}

awaitable<std::size_t> registry_client::get_manifests(std::string_view repository, std::span<manifest_reading> wanted,
                                                      registry_buffers& buffers)
{
    const auto make = [this, repository](http::request& rq, const manifest_reading& one) {
        rq.verb = method::get;
        impl_->manifest_target(rq.target, repository, one.reference);
    };
    const auto take = [this, &buffers](const http::request& rq, manifest_reading& one) {
        if (buffers.answer.status == 404)
            one.found = std::optional<manifest>();
        else if (buffers.answer.status == 200)
            one.found = impl_->read_manifest(rq, buffers.answer, one.reference);
        else
            return false;
        return true;
    };
    const access rights{access::kind::pull, repository};
    const auto alone = [this, repository, &buffers](const manifest_reading& one) {
        return get_manifest(repository, one.reference, buffers);
    };
    return impl_->settle_all(rights, wanted, buffers, make, take, alone);
}

awaitable<result<bool>> registry_client::delete_manifest(std::string_view repository, const digest& what,
                                                         registry_buffers& buffers, const sending& when)
{
    const access rights{access::kind::remove, repository};
    http::request rq;
    rq.verb = method::del;
    rq.has_turn = when.has_turn;
    rq.not_after = when.not_after;
    impl_->manifest_target(rq.target, repository, what.to_string());
    auto sent = co_await impl_->auth.send(rq, buffers.answer, rights);
    if (!sent)
        co_return sent.error();
    if (buffers.answer.status == 404)
        co_return false;
    if (buffers.answer.status / 100 != 2)
        co_return impl_->failed(rq, buffers.answer, rights);
    co_return true;
}

awaitable<bool> registry_client::delete_manifests(std::string_view repository, std::span<deletion> wanted,
                                                  registry_buffers& buffers)
{
    const auto make = [this, repository](http::request& rq, const deletion& one) {
        rq.verb = method::del;
        impl_->manifest_target(rq.target, repository, one.digest.to_string());
    };
    const access rights{access::kind::remove, repository};
    const auto take = [this, rights, &buffers](const http::request& rq, deletion& one) {
        const unsigned status = buffers.answer.status;
        if (status == 404 || status / 100 == 2)
            one.found = status != 404;
        else if (status / 100 == 4 && status != 401 && !http::retry_policy::transient(status))
            one.found = impl_->failed(rq, buffers.answer, rights);
        else
            return false;
        return true;
    };
    const auto settled = co_await impl_->send_together(rights, wanted, buffers, make, take);
    co_return settled.has_value();
}

awaitable<result<bool>> registry_client::delete_tag(std::string_view repository, std::string_view tag,
                                                    registry_buffers& buffers)
{
    const access rights{access::kind::remove, repository};
    http::request rq;
    rq.verb = method::del;
    impl_->manifest_target(rq.target, repository, tag);
    auto sent = co_await impl_->auth.send(rq, buffers.answer, rights);
    if (!sent)
        co_return sent.error();
    if (buffers.answer.status == 404)
        co_return false;
    if (buffers.answer.status / 100 == 2)
        co_return true;
    error e = impl_->failed(rq, buffers.answer, rights);
    if (buffers.answer.status == 400)
        e.code = make_error_code(errc::unsupported);
    co_return e;
}

awaitable<result<digest>> registry_client::put_manifest(std::string_view repository, std::string_view reference,
                                                        std::string_view content_type, std::string_view body,
                                                        registry_buffers& buffers)
{
    const access rights{access::kind::push, repository};
    http::request rq;
    rq.verb = method::put;
    rq.content_type = content_type;
    rq.body = body;
    impl_->manifest_target(rq.target, repository, reference);
    auto sent = co_await impl_->auth.send(rq, buffers.answer, rights);
    if (!sent)
        co_return sent.error();
    if (buffers.answer.status / 100 != 2)
        co_return impl_->failed(rq, buffers.answer, rights);
    const std::string_view announced = buffers.answer.header("docker-content-digest");
    if (announced.empty())
        co_return digest::of(body);
    auto parsed = digest::parse(announced);
    if (!parsed)
        co_return with_request(parsed.error(), rq);
    co_return *parsed;
}

awaitable<result<void>> registry_client::put_blob(std::string_view repository, std::string_view content,
                                                  registry_buffers& buffers)
{
    const access rights{access::kind::push, repository};
    const std::string name = digest::of(content).to_string();
    http::response& rs = buffers.answer;
    http::request rq;
    rq.verb = method::head;
    rq.target = impl_->base;
    append_path(rq.target, repository);
    const std::string repository_target = rq.target;
    rq.target += "/blobs/" + name;
    auto sent = co_await impl_->auth.send(rq, rs, rights);
    if (!sent)
        co_return sent.error();
    if (rs.status == 200)
        co_return result<void>();
    // distribution-spec, "Pushing a blob monolithically": POST for a session, then PUT to the Location.
    rq.verb = method::post;
    rq.target = repository_target + "/blobs/uploads/";
    sent = co_await impl_->auth.send(rq, rs, rights);
    if (!sent)
        co_return sent.error();
    if (rs.status != 202)
        co_return impl_->failed(rq, rs, rights);
    auto location = resolve_next(impl_->address, rq.target, rs.header("location"));
    if (!location)
        co_return with_request({errc::bad_response, "the upload's Location cannot be used"}, rq);
    rq.verb = method::put;
    rq.target = *location + (location->find('?') == std::string::npos ? "?digest=" : "&digest=") + name;
    rq.content_type = "application/octet-stream";
    rq.body = content;
    sent = co_await impl_->auth.send(rq, rs, rights);
    if (!sent)
        co_return sent.error();
    if (rs.status / 100 != 2)
        co_return impl_->failed(rq, rs, rights);
    co_return result<void>();
}

awaitable<result<void>> registry_client::ping(registry_buffers& buffers)
{
    const access rights{access::kind::ping, {}};
    http::request rq;
    rq.target = impl_->base;
    auto sent = co_await impl_->auth.send(rq, buffers.answer, rights);
    if (!sent)
        co_return sent.error();
    if (buffers.answer.status != 200)
        co_return impl_->failed(rq, buffers.answer, rights);
    co_return result<void>();
}

} // namespace regsweep
