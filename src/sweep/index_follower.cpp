#include "sweep/index_follower.hpp"

#include <chrono>
#include <map>
#include <string_view>
#include <utility>

namespace regsweep {
namespace {

// How far the index is behind at the most.
constexpr std::chrono::milliseconds index_delay{300};

} // namespace

index_follower::index_follower(index* known) : known_(known)
{
    if (known_ != nullptr)
        thread_ = std::thread([this] { work(); });
}

index_follower::~index_follower()
{
    finish();
}

void index_follower::push(index_change change)
{
    if (known_ == nullptr || change.what == index_change::kind::none)
        return;
    const std::lock_guard lock(guard_);
    changes_.push_back(std::move(change));
}

result<void> index_follower::finish()
{
    {
        const std::lock_guard lock(guard_);
        over_ = true;
    }
    ended_.notify_one();
    if (thread_.joinable())
        thread_.join();
    return failure_ ? result<void>(*failure_) : result<void>();
}

bool index_follower::failed() const
{
    const std::lock_guard lock(guard_);
    return failure_.has_value();
}

void index_follower::work()
{
    std::unique_lock lock(guard_);
    for (bool last = false; !last;) {
        ended_.wait_for(lock, index_delay, [&] { return over_; });
        last = over_; // nobody pushes any more then
        const auto changes = std::exchange(changes_, {});
        if (changes.empty())
            continue;
        lock.unlock();
        const auto written = write(changes);
        lock.lock();
        if (!written && !failure_)
            failure_ = written.error();
    }
}

// A tag that the index does not have stays unknown.
result<void> index_follower::move(const index_change& what)
{
    const auto there = known_->find(what.repository, what.tag);
    if (!there)
        return there.error();
    return *there ? known_->put_tag(what.repository, what.tag, what.digest, what.type) : result<void>();
}

result<void> index_follower::write(const std::vector<index_change>& changes)
{
    auto done = known_->begin();
    if (!done)
        return done;
    std::map<std::string_view, std::vector<digest>> digests; // to be removed from each repository together
    for (const auto& c : changes) {
        if (c.what == index_change::kind::remove_digest)
            digests[c.repository].push_back(c.digest);
        else if (c.what == index_change::kind::move_tag)
            done = move(c);
        else
            done = known_->remove_tag(c.repository, c.tag);
        if (!done)
            break;
    }
    for (auto each = digests.begin(); done && each != digests.end(); ++each)
        if (const auto removed = known_->remove_digests(each->first, each->second); !removed)
            done = removed.error();
    if (done)
        return known_->commit();
    known_->rollback();
    return done;
}

} // namespace regsweep
