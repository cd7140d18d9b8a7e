#include "regsweep/registry/content.hpp"

#include "regsweep/registry/pagination.hpp"

namespace regsweep {

using http::awaitable;

struct content_client::impl
{
    impl(http::client& connection, registry_address at, const registry_options& options)
        : address(std::move(at)), auth(connection, address, options.who), base(address.prefix + "/v2/")
    {}

    error failed(const http::request& rq, const http::response& rs, access rights) const
    {
        error e = http::status_error(rq, rs);
        if (rs.status == 401 || rs.status == 403)
            e.detail = auth.explain(rs.status, rights);
        return e;
    }

    // Names of repositories follow the specification here: they come from an index.
    std::string target(std::string_view repository, std::string_view kind, const digest& id) const
    {
        return base + std::string(repository) + std::string(kind) + id.to_string();
    }

    registry_address address;
    authenticator auth;
    std::string base;
};

content_client::content_client(http::client& connection, registry_address address, registry_options options)
    : impl_(std::make_unique<impl>(connection, std::move(address), options))
{}

content_client::~content_client() = default;

awaitable<result<std::optional<std::string_view>>> content_client::blob(std::string_view repository, const digest& id,
                                                                        registry_buffers& buffers)
{
    const access rights{access::kind::pull, repository};
    http::request rq;
    rq.target = impl_->target(repository, "/blobs/", id);
    http::response& rs = buffers.answer;
    auto sent = co_await impl_->auth.send(rq, rs, rights);
    if (!sent)
        co_return sent.error();
    if (rs.status == 404)
        co_return std::optional<std::string_view>();
    if (rs.status != 200)
        co_return impl_->failed(rq, rs, rights);
    if (digest::of(rs.body, id.how()) != id)
        co_return error(errc::digest_mismatch, "the blob's content has another digest", "GET " + rq.target);
    co_return std::optional<std::string_view>(rs.body);
}

awaitable<result<std::optional<std::vector<digest>>>>
content_client::referrers(std::string_view repository, const digest& subject, registry_buffers& buffers)
{
    const access rights{access::kind::pull, repository};
    http::response& rs = buffers.answer;
    std::vector<digest> found;
    page_guard pages;
    http::request rq;
    rq.accept = "application/vnd.oci.image.index.v1+json";
    rq.target = impl_->target(repository, "/referrers/", subject);
    while (true) {
        auto sent = co_await impl_->auth.send(rq, rs, rights);
        if (!sent)
            co_return sent.error();
        // Registries that do not know the path say so in many ways.
        if (rs.status == 404 || rs.status == 400 || rs.status == 405 || rs.status == 501)
            co_return std::optional<std::vector<digest>>();
        if (rs.status != 200)
            co_return impl_->failed(rq, rs, rights);
        const auto listed = parse_referrers(rs.body);
        if (!listed && listed.error().is(errc::bad_json))
            co_return std::optional<std::vector<digest>>();
        if (!listed)
            co_return error(listed.error());
        name_list page; // tells pages that repeat
        for (const auto& each : *listed) {
            found.push_back(each.digest);
            page.push_back(each.digest.to_string());
        }
        if (found.size() > referrers_limit)
            co_return error(errc::too_large, "more than " + std::to_string(referrers_limit) + " referrers",
                            "GET " + rq.target);
        const auto links = rs.headers("link");
        const std::string_view next = find_next_link(links);
        if (next.empty())
            co_return std::optional<std::vector<digest>>(std::move(found));
        if (const auto fine = pages.visit(rq.target, page); !fine)
            co_return error(fine.error());
        auto target = resolve_next(impl_->address, rq.target, next);
        if (!target)
            co_return target.error();
        rq.target = *std::move(target);
    }
}

} // namespace regsweep
