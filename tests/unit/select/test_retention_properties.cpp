// Random repositories and policies: what must hold whatever they are.
#include "regsweep/select/retention.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace regsweep;

namespace {

constexpr timestamp today{1709251200, 500};
constexpr std::uint64_t rounds = 4000;

class world
{
public:
    explicit world(std::uint64_t seed) : random_(seed) {}

    std::size_t below(std::size_t n) { return random_() % n; }
    bool chance(unsigned percent) { return below(100) < percent; }
    template<class T>
    const T& any(const std::vector<T>& list)
    {
        return list[below(list.size())];
    }

    retention_repository repository()
    {
        retention_repository r;
        r.name = any<std::string>({"app", "team/app", "lib"});
        const std::size_t images = 1 + below(8);
        for (std::size_t i = 0; i != images; ++i)
            r.manifests.push_back(image());
        for (std::size_t i = below(3); i != 0; --i)
            r.manifests.push_back(index(r.manifests.size()));
        const std::vector<std::string> words = {"main-1", "main-2",     "main-3", "dev-1",  "dev-2",  "v1.0.0",
                                                "v1.1.0", "2.0.0-rc.1", "2.0.0",  "latest", "stable", "x"};
        for (const auto& word : words)
            if (chance(60))
                r.tags.push_back({word, place(r)});
        for (std::size_t i = below(4); i != 0; --i)
            add_referrer(r);
        std::shuffle(r.tags.begin(), r.tags.end(), random_);
        return r;
    }

    retention_policy policy()
    {
        retention_policy p;
        if (chance(40))
            p.protect = {any<std::string>({"latest", "stable", "*.sig", "v*"})};
        p.untag = chance(40);
        p.with_children = chance(40);
        p.follow_referrers = chance(75);
        for (std::size_t i = 1 + below(4); i != 0; --i)
            p.rules.push_back(rule());
        return p;
    }

    in_use_references used(const retention_repository& r)
    {
        in_use_references out;
        if (chance(30))
            out.repositories[r.name].tags.insert(any<std::string>({"main-1", "v1.0.0", "latest"}));
        if (chance(30))
            out.repositories[r.name].digests.insert(r.manifests[place(r)].id);
        if (chance(15))
            out.anywhere.insert(r.manifests[place(r)].id);
        return out;
    }

    std::mt19937_64& random() { return random_; }

private:
    std::uint32_t place(const retention_repository& r) { return static_cast<std::uint32_t>(below(r.manifests.size())); }

    retention_manifest image()
    {
        retention_manifest m;
        m.id = digest::of(std::to_string(random_()));
        m.type = media_type::oci_manifest;
        m.known = chance(85);
        if (!m.known)
            return m;
        m.platform = any<std::string>({"linux/amd64", "linux/arm64", "windows/amd64"});
        if (chance(40))
            m.labels = {{"team", any<std::string>({"web", "db"})}};
        switch (below(6)) {
        case 0: break;
        case 1: m.created = timestamp{-62135596800, 0}; break; // 0001-01-01
        case 2: m.created = timestamp{today.seconds + 1000, 0}; break;
        default:
            m.created = timestamp{today.seconds - static_cast<std::int64_t>(below(5)) * 86400,
                                  static_cast<std::uint32_t>(below(3)) * 500};
        }
        return m;
    }

    retention_manifest index(std::size_t known)
    {
        retention_manifest m;
        m.id = digest::of(std::to_string(random_()));
        m.type = media_type::oci_index;
        m.known = true;
        std::set<std::uint32_t> children;
        for (std::size_t i = below(4); i != 0; --i)
            children.insert(static_cast<std::uint32_t>(below(known)));
        m.children.assign(children.begin(), children.end());
        return m;
    }

    void add_referrer(retention_repository& r)
    {
        const std::uint32_t subject = place(r);
        const std::string named =
            "sha256-" + (chance(85) ? r.manifests[subject].id : digest::of("gone")).to_string().substr(7);
        const auto referrer = static_cast<std::uint32_t>(r.manifests.size());
        r.manifests.push_back(image());
        const bool taken = std::ranges::any_of(r.tags, [&](const auto& t) { return t.name.starts_with(named); });
        if (taken || chance(40)) {
            r.referrers.emplace_back(subject, referrer);
            if (chance(30))
                r.tags.push_back({"sbom-" + std::to_string(referrer), referrer});
        } else if (chance(50)) {
            r.tags.push_back({named + any<std::string>({".sig", ".att", ".sbom"}), chance(90) ? referrer : place(r)});
        } else {
            retention_manifest list = index(1);
            list.children = {referrer};
            r.manifests.push_back(std::move(list));
            r.tags.push_back({named, static_cast<std::uint32_t>(r.manifests.size() - 1)});
        }
    }

    retention_rule rule()
    {
        retention_rule out;
        if (chance(20))
            out.repositories = {any<name_pattern>({{"app", false}, {"*app", false}, {"l.b", true}})};
        out.action = chance(40) ? rule_action::keep : rule_action::remove;
        rule_conditions& when = out.when;
        when.untagged = chance(15);
        if (!when.untagged) {
            when.tags = {any<std::string>({"*", "main-*", "*-1", "v*", "sbom*", "[0-9]*"})};
            if (chance(20))
                when.regexes = {any<std::string>({".*-[12]", "v.*", "main-.|dev-."})};
            if (chance(15))
                when.semver =
                    version_range::parse(any<std::string>({"*", ">=1.1", ">=1.0.0-0"}), version_scheme::semantic)
                        .value();
            if (out.action == rule_action::keep && chance(50))
                when.newest = newest_condition{
                    1 + below(3), any<std::string>({"", "^([a-z]+)-", "^(.+)-(.)$"}),
                    any<newest_order>({newest_order::created, newest_order::version, newest_order::name})};
        }
        if (chance(25))
            when.younger_than = std::chrono::hours(24 * below(5));
        if (chance(25))
            when.older_than = std::chrono::hours(24 * below(5));
        if (chance(15))
            when.labels = {any<std::string>({"team", "team=web"})};
        if (chance(15))
            when.platforms = {any<std::string>({"linux/*", "*/arm64"})};
        return out;
    }

    std::mt19937_64 random_;
};

repository_decision decide(const retention_repository& r, const retention_policy& p, const in_use_references& used)
{
    return retention::create(p, today, used).value().decide(r).value();
}

bool in_use_by_digest(const retention_repository& r, const in_use_references& used, std::size_t m)
{
    const auto* names = used.find(r.name);
    return used.anywhere.contains(r.manifests[m].id) || (names && names->digests.contains(r.manifests[m].id));
}

/// What is known after a decision was carried out: what tags and use lead to.
retention_repository carried_out(const retention_repository& r, const repository_decision& d,
                                 const in_use_references& used)
{
    retention_repository left;
    left.name = r.name;
    std::vector<bool> present(r.manifests.size(), false);
    std::vector<std::uint32_t> todo;
    const auto reach = [&](std::uint32_t m) {
        if (!present[m] && d.manifests[m].stays) {
            present[m] = true;
            todo.push_back(m);
        }
    };
    for (std::size_t t = 0; t != r.tags.size(); ++t)
        if (d.tags[t].fate == tag_fate::keep)
            reach(r.tags[t].manifest);
    for (std::uint32_t m = 0; m != r.manifests.size(); ++m)
        if (in_use_by_digest(r, used, m))
            reach(m);
    while (!todo.empty()) {
        const auto m = todo.back();
        todo.pop_back();
        std::ranges::for_each(r.manifests[m].children, reach);
        for (const auto& [subject, referrer] : r.referrers)
            if (subject == m)
                reach(referrer);
    }
    std::vector<std::uint32_t> places(r.manifests.size());
    for (std::uint32_t m = 0; m != r.manifests.size(); ++m)
        if (present[m]) {
            places[m] = static_cast<std::uint32_t>(left.manifests.size());
            left.manifests.push_back(r.manifests[m]);
        }
    for (auto& m : left.manifests) {
        std::erase_if(m.children, [&](std::uint32_t child) { return !present[child]; });
        for (auto& child : m.children)
            child = places[child];
    }
    for (std::size_t t = 0; t != r.tags.size(); ++t)
        if (d.tags[t].fate == tag_fate::keep)
            left.tags.push_back({r.tags[t].name, places[r.tags[t].manifest]});
    for (const auto& [subject, referrer] : r.referrers)
        if (present[subject] && present[referrer])
            left.referrers.emplace_back(places[subject], places[referrer]);
    return left;
}

using fates = std::map<std::string, int>;

fates by_name(const retention_repository& r, const repository_decision& d)
{
    fates out;
    for (std::size_t t = 0; t != r.tags.size(); ++t)
        out[r.tags[t].name] = static_cast<int>(d.tags[t].fate) * 100 + static_cast<int>(d.tags[t].rule + 1);
    for (std::size_t m = 0; m != r.manifests.size(); ++m)
        out[r.manifests[m].id.to_string()] = d.manifests[m].stays ? 1 : 0;
    return out;
}

retention_repository shuffled(const retention_repository& r, std::mt19937_64& random)
{
    retention_repository out;
    out.name = r.name;
    std::vector<std::uint32_t> order(r.manifests.size());
    for (std::uint32_t m = 0; m != order.size(); ++m)
        order[m] = m;
    std::shuffle(order.begin(), order.end(), random);
    std::vector<std::uint32_t> places(order.size());
    for (std::uint32_t i = 0; i != order.size(); ++i)
        places[order[i]] = i;
    for (const auto m : order) {
        out.manifests.push_back(r.manifests[m]);
        for (auto& child : out.manifests.back().children)
            child = places[child];
        std::shuffle(out.manifests.back().children.begin(), out.manifests.back().children.end(), random);
    }
    for (const auto& tag : r.tags)
        out.tags.push_back({tag.name, places[tag.manifest]});
    for (const auto& [subject, referrer] : r.referrers)
        out.referrers.emplace_back(places[subject], places[referrer]);
    std::shuffle(out.tags.begin(), out.tags.end(), random);
    std::shuffle(out.referrers.begin(), out.referrers.end(), random);
    return out;
}

/// For every round: a repository, a policy, what is in use, the decision.
template<class Check>
void for_all(const Check& check)
{
    for (std::uint64_t seed = 1; seed <= rounds; ++seed) {
        world w(seed);
        const auto r = w.repository();
        const auto p = w.policy();
        const auto used = w.used(r);
        BOOST_TEST_CONTEXT("seed " << seed)
        {
            check(w, r, p, used, decide(r, p, used));
        }
    }
}

/// Whether a rule may match an ordinary tag, `newest` and what is not known apart: written without the code under test.
bool may_match(const retention_rule& rule, const retention_repository& r, const retention_tag& tag)
{
    const auto& when = rule.when;
    const bool here = rule.repositories.empty() ||
                      (rule.repositories[0].regex ? r.name == "lib" : glob_match(rule.repositories[0].text, r.name));
    return here && !when.untagged && glob_match(when.tags[0], tag.name);
}

} // namespace

BOOST_AUTO_TEST_SUITE(retention_properties)

BOOST_AUTO_TEST_CASE(nothing_that_is_kept_loses_its_manifest)
{
    std::uint64_t removed = 0;
    std::uint64_t untagged = 0;
    for_all([&](world&, const auto& r, const auto& p, const auto& used, const auto& d) {
        for (std::size_t t = 0; t != r.tags.size(); ++t) {
            const bool stays = d.manifests[r.tags[t].manifest].stays;
            BOOST_TEST((d.tags[t].fate == tag_fate::remove) == !stays, r.tags[t].name);
            removed += stays ? 0U : 1U;
            untagged += d.tags[t].fate == tag_fate::untag ? 1U : 0U;
            BOOST_TEST((d.tags[t].fate != tag_fate::untag || p.untag));
        }
        // In what is left nothing is missing that was there before.
        std::map<digest, retention_manifest> before;
        for (const auto& m : r.manifests)
            before[m.id] = m;
        const auto left = carried_out(r, d, used);
        for (const auto& m : left.manifests)
            BOOST_TEST(m.children.size() == before.at(m.id).children.size());
        std::size_t pairs = 0;
        for (const auto& [subject, referrer] : r.referrers)
            pairs += std::ranges::find(left.manifests, r.manifests[subject].id, &retention_manifest::id) !=
                             left.manifests.end()
                         ? 1U
                         : 0U;
        BOOST_TEST(left.referrers.size() == pairs);
        for (std::size_t m = 0; m != r.manifests.size(); ++m)
            if (in_use_by_digest(r, used, m))
                BOOST_TEST(d.manifests[m].stays);
    });
    BOOST_TEST(removed > rounds / 4); // the worlds are not all quiet
    BOOST_TEST(untagged > rounds / 100);
}

BOOST_AUTO_TEST_CASE(what_is_named_to_be_kept_is_kept)
{
    for_all([&](world&, const auto& r, const auto& p, const auto& used, const auto& d) {
        const auto* names = used.find(r.name);
        for (std::size_t t = 0; t != r.tags.size(); ++t) {
            const auto& name = r.tags[t].name;
            const bool kept = d.tags[t].fate == tag_fate::keep;
            if (std::ranges::any_of(p.protect, [&](const auto& glob) { return glob_match(glob, name); }) ||
                (names && names->tags.contains(name)))
                BOOST_TEST(kept, name);
            if (name.starts_with("sha256-"))
                continue;
            const auto removes = [&](const auto& rule) {
                return rule.action == rule_action::remove && may_match(rule, r, r.tags[t]);
            };
            if (std::ranges::none_of(p.rules, removes))
                BOOST_TEST(kept, name);
            // The first rule that can match at all keeps without asking for more.
            const auto first =
                std::ranges::find_if(p.rules, [&](const auto& rule) { return may_match(rule, r, r.tags[t]); });
            if (first == p.rules.end() || first->action != rule_action::keep)
                continue;
            auto bare = first->when;
            bare.tags.clear();
            if (bare == rule_conditions())
                BOOST_TEST(kept, name);
        }
    });
}

BOOST_AUTO_TEST_CASE(order_does_not_matter)
{
    for_all([&](world& w, const auto& r, const auto& p, const auto& used, const auto& d) {
        const auto other = shuffled(r, w.random());
        BOOST_TEST((by_name(other, decide(other, p, used)) == by_name(r, d)));
    });
}

BOOST_AUTO_TEST_CASE(a_second_time_there_is_nothing_to_do)
{
    for_all([&](world&, const auto& r, const auto& p, const auto& used, const auto& d) {
        const auto left = carried_out(r, d, used);
        const auto again = decide(left, p, used);
        BOOST_TEST(again.removed == 0U);
        BOOST_TEST(again.untagged == 0U);
        BOOST_TEST(again.manifests_removed == 0U);
    });
}

BOOST_AUTO_TEST_CASE(every_decision_has_its_sentence)
{
    for_all([&](world&, const auto& r, const auto& p, const auto& used, const auto& d) {
        const auto all = retention::create(p, today, used).value();
        for (std::size_t t = 0; t != r.tags.size(); ++t)
            BOOST_TEST(!all.why(r, d, t).empty());
        for (std::size_t m = 0; m != r.manifests.size(); ++m) {
            const bool tagged = std::ranges::any_of(r.tags, [&](const auto& tag) { return tag.manifest == m; });
            if (!d.manifests[m].stays && !tagged)
                BOOST_TEST(!all.why_manifest(r, d, m).empty());
        }
        BOOST_TEST(d.kept + d.removed + d.untagged == r.tags.size());
    });
}

BOOST_AUTO_TEST_SUITE_END()
