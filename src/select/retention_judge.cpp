#include "select/retention_judge.hpp"

#include "regsweep/select/version.hpp"

#include <algorithm>
#include <unordered_map>

namespace regsweep::detail {
namespace {

constexpr std::uint32_t none = tag_decision::none;

/// Places by key, for keys that are places too: built once, in the order of what was added.
class link_table
{
public:
    void add(std::uint32_t from, std::uint32_t to) { links_.emplace_back(from, to); }

    void finish()
    {
        std::ranges::sort(links_);
        links_.erase(std::unique(links_.begin(), links_.end()), links_.end());
    }

    /// The places that `from` leads to, as pairs.
    auto of(std::uint32_t from) const
    {
        return std::ranges::equal_range(links_, from, {}, &std::pair<std::uint32_t, std::uint32_t>::first);
    }
    const auto& all() const noexcept { return links_; }

private:
    std::vector<std::pair<std::uint32_t, std::uint32_t>> links_;
};

/// Decides about one repository.
class repository_judge
{
public:
    repository_judge(const retention_policy& policy, std::vector<compiled_rule>& rules, timestamp now,
                     const in_use_references& used, const retention_repository& of)
        : policy_(policy), rules_(rules), used_(used), of_(of), facts_(of, now)
    {
        out_.tags.resize(of.tags.size());
        out_.manifests.resize(of.manifests.size());
        undecided_.resize(of.tags.size(), true);
        subject_of_tag_.resize(of.tags.size(), none);
        referrer_tag_.resize(of.tags.size(), false);
        untimed_.resize(of.tags.size(), false);
    }

    result<repository_decision> run()
    {
        read_links();
        find_used();
        decide_outright();
        for (std::uint32_t rule = 0; rule != rules_.size(); ++rule) {
            if (auto done = apply(rule); !done)
                return done.error();
        }
        if (auto done = find_what_stays(); !done)
            return done.error();
        settle_tags();
        explain_manifests();
        count();
        return std::move(out_);
    }

private:
    void decide(std::uint32_t tag, tag_fate fate, fate_reason reason, std::uint32_t rule = none)
    {
        out_.tags[tag].fate = fate;
        out_.tags[tag].reason = reason;
        out_.tags[tag].rule = rule;
        undecided_[tag] = false;
    }

    void read_links()
    {
        std::unordered_map<digest, std::uint32_t> places;
        for (std::uint32_t t = 0; t != of_.tags.size(); ++t) {
            const auto subject = referrers_tag_subject(of_.tags[t].name);
            if (!subject)
                continue;
            referrer_tag_[t] = true;
            if (places.empty())
                for (std::uint32_t m = 0; m != of_.manifests.size(); ++m)
                    places.emplace(of_.manifests[m].id, m);
            const auto found = places.find(*subject);
            if (found == places.end())
                continue;
            subject_of_tag_[t] = found->second;
            referrers_.add(found->second, of_.tags[t].manifest);
        }
        for (const auto& [subject, referrer] : of_.referrers)
            referrers_.add(subject, referrer);
        referrers_.finish();
        for (const auto& [subject, referrer] : referrers_.all())
            subjects_.add(referrer, subject);
        subjects_.finish();
        for (std::uint32_t m = 0; m != of_.manifests.size(); ++m)
            for (const std::uint32_t child : of_.manifests[m].children)
                parents_.add(child, m);
        parents_.finish();
        for (std::uint32_t t = 0; t != of_.tags.size(); ++t)
            tags_.add(of_.tags[t].manifest, t);
        tags_.finish();
    }

    /// What is in use by its digest, and the indexes that list it.
    void find_used()
    {
        holds_used_.resize(of_.manifests.size(), false);
        const used_names* names = used_.find(of_.name);
        if (names == nullptr && used_.anywhere.empty())
            return;
        std::vector<std::uint32_t> left;
        for (std::uint32_t m = 0; m != of_.manifests.size(); ++m)
            if (used_.anywhere.contains(of_.manifests[m].id) ||
                (names != nullptr && names->digests.contains(of_.manifests[m].id)))
                left.push_back(m);
        used_manifests_ = left;
        while (!left.empty()) {
            const std::uint32_t next = left.back();
            left.pop_back();
            if (holds_used_[next])
                continue;
            holds_used_[next] = true;
            for (const auto& [child, parent] : parents_.of(next))
                left.push_back(parent);
        }
    }

    /// What no rule is asked about.
    void decide_outright()
    {
        const used_names* names = used_.find(of_.name);
        for (std::uint32_t t = 0; t != of_.tags.size(); ++t) {
            const retention_tag& tag = of_.tags[t];
            if (names != nullptr && names->tags.contains(tag.name))
                decide(t, tag_fate::keep, fate_reason::in_use);
            else if (holds_used_[tag.manifest])
                decide(t, tag_fate::keep, fate_reason::holds_used);
            else if (std::ranges::any_of(policy_.protect, [&](const auto& glob) { return glob_match(glob, tag.name); }))
                decide(t, tag_fate::keep, fate_reason::protected_);
            else if (referrer_tag_[t] && !policy_.follow_referrers)
                decide(t, tag_fate::keep, fate_reason::referrer);
            else if (referrer_tag_[t] && subject_of_tag_[t] == none)
                decide(t, tag_fate::keep, fate_reason::orphan);
            else if (referrer_tag_[t])
                decide(t, tag_fate::remove, fate_reason::with_subject); // unless that stays
        }
    }

    result<void> apply(std::uint32_t number)
    {
        compiled_rule& rule = rules_[number];
        if (rule.rule().when.untagged)
            return {};
        const auto here = rule.has_repository(of_.name);
        if (!here)
            return here.error();
        if (!*here)
            return {};
        std::vector<std::uint32_t> found;
        for (std::uint32_t t = 0; t != of_.tags.size(); ++t) {
            if (!undecided_[t])
                continue;
            const auto named = rule.has_name(of_.tags[t].name);
            if (!named)
                return named.error();
            if (!*named)
                continue;
            const answer facts = rule.has_facts(facts_, of_.tags[t].manifest);
            if (facts == answer::yes)
                found.push_back(t);
            else if (facts == answer::unknown)
                decide_unsure(rule, number, t);
        }
        if (rule.rule().when.newest)
            return keep_newest(rule, number, found);
        for (const std::uint32_t t : found)
            decide(t, rule.rule().action == rule_action::keep ? tag_fate::keep : tag_fate::remove, fate_reason::by_rule,
                   number);
        return {};
    }

    void decide_unsure(const compiled_rule& rule, std::uint32_t number, std::uint32_t t)
    {
        if (rule.asks_time() && !facts_.created(of_.tags[t].manifest))
            untimed_[t] = true;
        if (rule.rule().action == rule_action::keep)
            decide(t, tag_fate::keep, fate_reason::unsure, number);
    }

    result<void> keep_newest(compiled_rule& rule, std::uint32_t number, const std::vector<std::uint32_t>& found)
    {
        const newest_condition& newest = *rule.rule().when.newest;
        std::unordered_map<std::string, std::vector<std::uint32_t>> groups;
        for (const std::uint32_t t : found) {
            auto group = rule.group(of_.tags[t].name);
            if (!group)
                return group.error();
            if (!*group)
                continue;
            if (newest.order == newest_order::created && !facts_.created(of_.tags[t].manifest))
                decide_unsure(rule, number, t);
            else
                groups[**group].push_back(t);
        }
        for (auto& [name, members] : groups) {
            if (members.size() > newest.count) {
                sort_newest_first(members, newest.order);
                members.resize(newest.count);
            }
            for (const std::uint32_t t : members)
                decide(t, tag_fate::keep, fate_reason::by_rule, number);
        }
        return {};
    }

    /// What is equal in the order asked for is in version order, then by name: the result depends on nothing else.
    void sort_newest_first(std::vector<std::uint32_t>& members, newest_order by) const
    {
        struct entry
        {
            std::uint32_t tag = 0;
            timestamp created;
            loose_version version;
        };
        std::vector<entry> entries;
        entries.reserve(members.size());
        for (const std::uint32_t t : members) {
            entries.push_back({t, {}, loose_version(of_.tags[t].name)});
            if (by == newest_order::created)
                entries.back().created = *facts_.created(of_.tags[t].manifest);
        }
        std::ranges::sort(entries, [&](const entry& a, const entry& b) {
            if (a.created != b.created)
                return a.created > b.created;
            if (by != newest_order::name)
                if (const auto order = sort_order(a.version, b.version); order != 0)
                    return order > 0;
            return of_.tags[a.tag].name > of_.tags[b.tag].name;
        });
        std::ranges::transform(entries, members.begin(), &entry::tag);
    }

    bool has_tags(std::uint32_t manifest) const { return !tags_.of(manifest).empty(); }

    /// Whether a manifest without tags may go, should nothing that stays lead to it.
    result<bool> may_go(std::uint32_t m)
    {
        const bool follows = !subjects_.of(m).empty() || is_listed_by_referrers(m);
        if (follows && !policy_.follow_referrers)
            return false;
        for (std::uint32_t number = 0; number != rules_.size(); ++number) {
            const auto decides = decides_untagged(number, m);
            if (!decides)
                return decides.error();
            if (!*decides)
                continue;
            if (rules_[number].rule().action == rule_action::keep)
                return false;
            out_.manifests[m].rule = number;
            return true;
        }
        return follows || (policy_.with_children && !parents_.of(m).empty());
    }

    result<bool> decides_untagged(std::uint32_t number, std::uint32_t m)
    {
        compiled_rule& rule = rules_[number];
        if (!rule.rule().when.untagged)
            return false;
        auto here = rule.has_repository(of_.name);
        if (!here || !*here)
            return here;
        const answer facts = rule.has_facts(facts_, m);
        return facts == answer::yes || (facts == answer::unknown && rule.rule().action == rule_action::keep);
    }

    /// Whether only fallback tags of the referrers API lead to it.
    bool is_listed_by_referrers(std::uint32_t m) const
    {
        const auto parents = parents_.of(m);
        return !parents.empty() && std::ranges::all_of(parents, [&](const auto& link) {
            const auto tags = tags_.of(link.second);
            return !tags.empty() &&
                   std::ranges::all_of(tags, [&](const auto& tag) { return referrer_tag_[tag.second]; });
        });
    }

    /// `known`: whether the next run will know it although it has no tags.
    void stay(std::uint32_t manifest, fate_reason why, std::uint32_t other, bool known)
    {
        known = known || has_tags(manifest);
        if (stays_[manifest] && (known_[manifest] || !known))
            return;
        if (!stays_[manifest])
            stays_for_[manifest] = {why, other};
        stays_[manifest] = true;
        known_[manifest] = known;
        left_.push_back(manifest);
    }

    /// A manifest stays if a tag or its use keeps it, and then all that it lists and that refers to it. Manifests
    /// without tags stay if nobody asked for them to go; nothing leads to them after that, and so the next run does not
    /// know them: they keep what nobody asked for either, but no tag that a rule removes.
    result<void> find_what_stays()
    {
        stays_.resize(of_.manifests.size(), false);
        known_.resize(of_.manifests.size(), false);
        stays_for_.resize(of_.manifests.size());
        for (std::uint32_t t = 0; t != of_.tags.size(); ++t)
            if (out_.tags[t].fate == tag_fate::keep)
                stay(of_.tags[t].manifest, fate_reason::shared, t, true);
        for (const std::uint32_t m : used_manifests_)
            stay(m, fate_reason::holds_used, m, true);
        follow_what_stays();
        for (std::uint32_t m = 0; m != of_.manifests.size(); ++m) {
            if (stays_[m] || has_tags(m))
                continue;
            const auto goes = may_go(m);
            if (!goes)
                return goes.error();
            if (!*goes || holds_used_[m])
                stay(m, fate_reason::no_rule, m, false);
        }
        do
            follow_what_stays();
        while (keep_what_nobody_asked_for());
        for (std::uint32_t m = 0; m != of_.manifests.size(); ++m)
            out_.manifests[m].stays = stays_[m];
        return {};
    }

    void follow_what_stays()
    {
        while (!left_.empty()) {
            const std::uint32_t m = left_.back();
            left_.pop_back();
            const bool known = known_[m];
            for (const std::uint32_t child : of_.manifests[m].children)
                if (known || !has_own_tags(child))
                    stay(child, fate_reason::listed, m, known);
            for (const auto& [subject, referrer] : referrers_.of(m))
                if (known || !has_own_tags(referrer))
                    stay(referrer, fate_reason::refers, m, known);
        }
    }

    /// Whether it has tags that rules decide about.
    bool has_own_tags(std::uint32_t m) const
    {
        return std::ranges::any_of(tags_.of(m), [&](const auto& tag) { return !referrer_tag_[tag.second]; });
    }

    /// What follows others goes only where it follows something that a rule takes: tags named for each other's
    /// manifests must not take each other. Returns whether there was any.
    bool keep_what_nobody_asked_for()
    {
        std::vector<bool> asked(of_.manifests.size(), false);
        std::vector<std::uint32_t> left;
        const auto ask = [&](std::uint32_t m) {
            if (stays_[m] || asked[m])
                return;
            asked[m] = true;
            left.push_back(m);
        };
        for (std::uint32_t t = 0; t != of_.tags.size(); ++t)
            if (out_.tags[t].rule != none)
                ask(of_.tags[t].manifest);
        for (std::uint32_t m = 0; m != of_.manifests.size(); ++m)
            if (out_.manifests[m].rule != none)
                ask(m);
        while (!left.empty()) {
            const std::uint32_t m = left.back();
            left.pop_back();
            std::ranges::for_each(of_.manifests[m].children, ask);
            for (const auto& [subject, referrer] : referrers_.of(m))
                ask(referrer);
        }
        bool found = false;
        for (std::uint32_t m = 0; m != of_.manifests.size(); ++m) {
            if (stays_[m] || asked[m])
                continue;
            stay(m, fate_reason::no_rule, m, false);
            found = true;
        }
        return found;
    }

    void settle_tags()
    {
        for (std::uint32_t t = 0; t != of_.tags.size(); ++t) {
            tag_decision& tag = out_.tags[t];
            const std::uint32_t m = of_.tags[t].manifest;
            if (tag.fate != tag_fate::remove)
                continue;
            if (referrer_tag_[t]) {
                tag.other = subject_of_tag_[t];
                if (stays_[m]) {
                    const bool subject_stays = stays_[subject_of_tag_[t]];
                    tag.fate = tag_fate::keep;
                    tag.reason = subject_stays ? fate_reason::refers : stays_for_[m].first;
                    tag.other = subject_stays ? subject_of_tag_[t] : stays_for_[m].second;
                }
            } else if (stays_[m]) {
                tag.fate = policy_.untag ? tag_fate::untag : tag_fate::keep;
                tag.reason = policy_.untag ? fate_reason::by_rule : stays_for_[m].first;
                tag.other = stays_for_[m].second;
            }
        }
    }

    void explain_manifests()
    {
        for (std::uint32_t m = 0; m != of_.manifests.size(); ++m) {
            manifest_decision& what = out_.manifests[m];
            if (what.stays || has_tags(m) || what.rule != none)
                continue;
            const auto parents = parents_.of(m);
            what.because = parents.empty() ? subjects_.of(m).front().second : parents.front().second;
        }
    }

    void count()
    {
        for (std::uint32_t t = 0; t != of_.tags.size(); ++t) {
            tag_decision& tag = out_.tags[t];
            out_.kept += tag.fate == tag_fate::keep ? 1U : 0U;
            out_.removed += tag.fate == tag_fate::remove ? 1U : 0U;
            out_.untagged += tag.fate == tag_fate::untag ? 1U : 0U;
            tag.untimed = tag.fate == tag_fate::keep && untimed_[t];
            out_.untimed += tag.untimed ? 1U : 0U;
        }
        for (const auto& m : out_.manifests)
            out_.manifests_removed += m.stays ? 0U : 1U;
    }

    const retention_policy& policy_;
    std::vector<compiled_rule>& rules_;
    const in_use_references& used_;
    const retention_repository& of_;
    manifest_facts facts_;
    repository_decision out_;
    std::vector<bool> undecided_;               ///< by tag, as those that follow
    std::vector<bool> referrer_tag_;            ///< named for a manifest
    std::vector<bool> untimed_;                 ///< a rule asked for its time in vain
    std::vector<std::uint32_t> subject_of_tag_; ///< of `referrer_tag_`, if it is known here
    std::vector<std::uint32_t> used_manifests_; ///< in use by their digests
    std::vector<bool> holds_used_;              ///< by manifest, as those that follow
    std::vector<bool> stays_;
    std::vector<bool> known_; ///< what stays and is known to the next run
    std::vector<std::pair<fate_reason, std::uint32_t>> stays_for_;
    std::vector<std::uint32_t> left_; ///< what stays and has not been followed yet
    link_table referrers_;            ///< from subjects
    link_table subjects_;             ///< from referrers
    link_table parents_;              ///< from children
    link_table tags_;                 ///< from manifests
};

} // namespace

result<repository_decision> judge_repository(const retention_policy& policy, std::vector<compiled_rule>& rules,
                                             timestamp now, const in_use_references& used,
                                             const retention_repository& of)
{
    return repository_judge(policy, rules, now, used, of).run();
}

} // namespace regsweep::detail
