#include "regsweep/load/sample.hpp"

#include "regsweep/registry/manifest.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>
#include <exception>
#include <set>

namespace regsweep {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using http::awaitable;
using reference = registry_sample::reference;

constexpr std::size_t at_a_time = 8;

// A client for a few requests, run to their end on this thread.
class short_session
{
public:
    explicit short_session(const load_options& how)
        : connection_(io_, how.http), registry(connection_, how.address, how.registry)
    {}

    void run(std::vector<awaitable<void>> all)
    {
        std::size_t left = all.size();
        std::exception_ptr broken;
        for (auto& one : all)
            asio::co_spawn(io_, std::move(one), [&](const std::exception_ptr& e) {
                if (e)
                    broken = e;
                if (--left == 0)
                    connection_.cancel(); // its clock must not keep us waiting
            });
        io_.run();
        if (broken)
            std::rethrow_exception(broken);
    }
    void run(awaitable<void> one)
    {
        std::vector<awaitable<void>> all;
        all.push_back(std::move(one));
        run(std::move(all));
    }

private:
    asio::io_context io_{1};
    http::client connection_;

public:
    registry_client registry;
};

awaitable<void> ping(registry_client& registry, result<void>& out)
{
    registry_buffers buffers;
    out = co_await registry.ping(buffers);
}

bool wanted(const std::vector<std::string>& patterns, std::string_view name)
{
    return patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                           [&](const std::string& pattern) { return glob_match(pattern, name); });
}

awaitable<void> read_catalog(registry_client& registry, const sample_options& limits, result<registry_sample>& out)
{
    registry_buffers buffers;
    std::string target = registry.catalog_target(limits.page_size);
    std::set<std::string> seen;
    while (!target.empty() && out->repositories.size() < limits.repositories && seen.insert(target).second) {
        auto page = co_await registry.catalog(target, buffers);
        if (!page) {
            out = page.error();
            co_return;
        }
        for (std::size_t i = 0; i != page->names.size() && out->repositories.size() < limits.repositories; ++i)
            if (wanted(limits.patterns, page->names[i]))
                out->repositories.emplace_back(page->names[i]);
        target = std::move(page->next);
    }
}

awaitable<void> read_tags(registry_client& registry, const sample_options& limits, registry_sample& out,
                          std::size_t& next, std::vector<std::string>& readable)
{
    registry_buffers buffers;
    while (next < out.repositories.size() && out.manifests.size() < limits.manifests) {
        const std::string name = out.repositories[next++];
        const std::string target = registry.tags_target(name, limits.page_size);
        auto page = co_await registry.tags(name, target, buffers);
        if (!page || !*page)
            continue;
        readable.push_back(name);
        const name_list& tags = (*page)->names;
        for (std::size_t i = 0; i != tags.size() && out.manifests.size() < limits.manifests; ++i)
            out.manifests.emplace_back(name, tags[i]);
    }
}

struct blob_search
{
    registry_client& registry;
    const std::vector<reference>& manifests;
    std::uint64_t largest;
    std::size_t next = 0;
    std::set<reference> found{};
};

void add_descriptor(blob_search& search, const std::string& repository, const json::value& from)
{
    const auto* object = from.if_object();
    const auto* name = object ? object->if_contains("digest") : nullptr;
    const auto* size = object ? object->if_contains("size") : nullptr;
    if (name == nullptr || !name->is_string() || size == nullptr || !size->is_number())
        return;
    boost::system::error_code ec;
    const auto bytes = size->to_number<std::uint64_t>(ec);
    const auto parsed = digest::parse(std::string_view(name->get_string().data(), name->get_string().size()));
    if (!ec && parsed && bytes <= search.largest)
        search.found.emplace(repository, parsed->to_string());
}

void add_blobs(blob_search& search, const std::string& repository, const std::string& body)
{
    boost::system::error_code ec;
    const json::value parsed = json::parse(body, ec);
    if (ec || !parsed.is_object())
        return;
    if (const auto* config = parsed.get_object().if_contains("config"))
        add_descriptor(search, repository, *config);
    const auto* layers = parsed.get_object().if_contains("layers");
    if (layers == nullptr || !layers->is_array())
        return;
    for (const auto& layer : layers->get_array())
        add_descriptor(search, repository, layer);
}

awaitable<void> search_manifests(blob_search& search)
{
    registry_buffers buffers;
    while (search.next < search.manifests.size()) {
        const reference what = search.manifests[search.next++];
        auto got = co_await search.registry.get_manifest(what.first, what.second, buffers);
        if (!got || !*got)
            continue;
        if (is_index((*got)->type)) {
            const auto children = parse_children((*got)->body);
            if (!children || children->empty())
                continue;
            const std::string child = children->front().digest.to_string();
            got = co_await search.registry.get_manifest(what.first, child, buffers);
            if (!got || !*got)
                continue;
        }
        add_blobs(search, what.first, (*got)->body);
    }
}

} // namespace

result<void> check_registry(const load_options& how)
{
    short_session to(how);
    result<void> out;
    to.run(ping(to.registry, out));
    return out;
}

result<registry_sample> read_sample(const load_options& how, const sample_options& limits)
{
    result<registry_sample> out = registry_sample();
    if (limits.names.empty()) {
        short_session to(how);
        to.run(read_catalog(to.registry, limits, out));
        if (!out)
            return out;
    } else {
        out->repositories = limits.names;
    }
    short_session to(how);
    std::size_t next = 0;
    std::vector<std::string> readable;
    std::vector<awaitable<void>> all;
    for (std::size_t i = 0; i != at_a_time; ++i)
        all.push_back(read_tags(to.registry, limits, *out, next, readable));
    to.run(std::move(all));
    // In one order, whoever answered first: what is asked for must depend on the seed alone.
    std::sort(readable.begin(), readable.end());
    std::sort(out->manifests.begin(), out->manifests.end());
    out->repositories = std::move(readable);
    return out;
}

std::vector<reference> find_blobs(const load_options& how, const std::vector<reference>& manifests,
                                  std::uint64_t largest)
{
    short_session to(how);
    blob_search search{to.registry, manifests, largest};
    std::vector<awaitable<void>> all;
    for (std::size_t i = 0; i != at_a_time; ++i)
        all.push_back(search_manifests(search));
    to.run(std::move(all));
    return {search.found.begin(), search.found.end()};
}

} // namespace regsweep
