#ifndef REGSWEEP_SRC_SWEEP_LIVE_HPP
#define REGSWEEP_SRC_SWEEP_LIVE_HPP

#include "registry/pipelining.hpp"
#include "regsweep/registry/client.hpp"
#include "regsweep/sweep/plan.hpp"
#include "sweep/parallel.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace regsweep {

/// The right to have one request in flight, with the buffers for it.
class lease_pool
{
public:
    explicit lease_pool(std::size_t size) : permits_(size) {}

    class lease
    {
    public:
        lease(lease_pool& from, std::unique_ptr<registry_buffers> b) : from_(&from), buffers_(std::move(b)) {}
        lease(lease&& other) noexcept : from_(std::exchange(other.from_, nullptr)), buffers_(std::move(other.buffers_))
        {}
        lease& operator=(lease&&) = delete;
        ~lease()
        {
            if (from_ != nullptr)
                from_->give_back(std::move(buffers_));
        }
        registry_buffers& buffers() noexcept { return *buffers_; }

    private:
        lease_pool* from_;
        std::unique_ptr<registry_buffers> buffers_;
    };

    http::awaitable<lease> get()
    {
        if (!permits_.try_acquire())
            co_await permits_.acquire();
        ++out_;
        if (spare_.empty())
            co_return lease(*this, std::make_unique<registry_buffers>());
        auto buffers = std::move(spare_.back());
        spare_.pop_back();
        co_return lease(*this, std::move(buffers));
    }

    std::size_t out() const noexcept { return out_; }

private:
    void give_back(std::unique_ptr<registry_buffers> buffers)
    {
        --out_;
        spare_.push_back(std::move(buffers));
        permits_.release();
    }

    semaphore permits_;
    std::size_t out_ = 0;
    std::vector<std::unique_ptr<registry_buffers>> spare_;
};

/// Manifests that were read while a repository was looked at, so that they need not be read again to be journaled.
/// All shelves of a sweep share one room; what does not fit is read again later.
class manifest_shelf
{
public:
    explicit manifest_shelf(std::size_t& room) noexcept : room_(&room) {} ///< bytes, must outlive it
    ~manifest_shelf() { clear(); }
    manifest_shelf(const manifest_shelf&) = delete;
    manifest_shelf& operator=(const manifest_shelf&) = delete;

    bool has_room() const noexcept { return *room_ != 0; }
    void put(manifest what)
    {
        const std::size_t size = size_of(what);
        if (size <= *room_ && kept_.try_emplace(what.digest, std::move(what)).second)
            *room_ -= size;
    }
    const manifest* find(const digest& id) const
    {
        const auto place = kept_.find(id);
        return place == kept_.end() ? nullptr : &place->second;
    }
    std::optional<manifest> take(const digest& id)
    {
        auto node = kept_.extract(id);
        if (node.empty())
            return std::nullopt;
        *room_ += size_of(node.mapped());
        return std::move(node.mapped());
    }
    void clear() noexcept
    {
        for (const auto& [id, what] : kept_)
            *room_ += size_of(what);
        kept_.clear();
    }

private:
    static std::size_t size_of(const manifest& what) noexcept { return what.body.size() + 2 * sizeof(manifest); }

    std::size_t* room_;
    std::unordered_map<digest, manifest> kept_;
};

/// A repository as it is now, with what else was learnt on the way.
struct live_state : live_repository
{
    std::unordered_map<digest, media_type> types; ///< of the manifests seen
};

/// With what a registry is read. All must live until the reading is over.
struct live_reading
{
    registry_client* registry;
    lease_pool* leases;
    pipelining* pipeline;                 ///< learns of the answers, and says how many requests to send together
    unsigned concurrency;                 ///< requests in flight, of all readings together
    unsigned page_size;                   ///< of the tag list
    std::function<std::size_t()> at_once; ///< asked now and again how many requests there may be
};

/// Every tag that a repository lists now; none for an unknown repository.
http::awaitable<result<name_list>> list_tags(registry_client& registry, const std::string& repository,
                                             unsigned page_size, registry_buffers& buffers);

/// Reads what a repository holds now: every tag with its digest, and every index manifest that a tag or step names
/// with the manifests it lists, nested ones too. An unknown repository is an empty one. Fails if anything cannot be
/// read, since what is not known cannot be protected. The manifests of the steps' tags are put on the shelf, if there
/// is one.
http::awaitable<result<live_state>> read_live(live_reading how, std::string repository,
                                              std::span<const plan_step> steps, manifest_shelf* shelf);

} // namespace regsweep

#endif
