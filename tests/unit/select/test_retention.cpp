#include "regsweep/select/retention.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

using namespace regsweep;

namespace {

constexpr timestamp now{1709251200, 500}; // 2024-03-01T00:00:00.000000500Z

std::int64_t days(std::int64_t n)
{
    return n * 86400;
}

digest id_of(const std::string& name)
{
    return digest::of(name);
}

std::string tag_for(const std::string& name, const std::string& suffix = "")
{
    return "sha256-" + id_of(name).to_string().substr(7) + suffix;
}

/// A repository, manifests by name.
class builder
{
public:
    explicit builder(std::string repository = "app") { made.name = std::move(repository); }

    builder& image(const std::string& name, std::optional<std::int64_t> age_seconds = 0, string_pairs labels = {},
                   const std::string& platform = "linux/amd64")
    {
        retention_manifest m;
        m.id = id_of(name);
        m.type = media_type::oci_manifest;
        m.known = true;
        if (age_seconds)
            m.created = timestamp{now.seconds - *age_seconds, now.nanoseconds};
        m.platform = platform;
        m.labels = std::move(labels);
        return add(name, std::move(m));
    }
    builder& index(const std::string& name, const std::vector<std::string>& children)
    {
        retention_manifest m;
        m.id = id_of(name);
        m.type = media_type::oci_index;
        m.known = true;
        for (const auto& child : children)
            m.children.push_back(places.at(child));
        return add(name, std::move(m));
    }
    builder& tag(const std::string& tag, const std::string& manifest)
    {
        made.tags.push_back({tag, places.at(manifest)});
        return *this;
    }
    /// An image with a tag of the same name.
    builder& tagged(const std::string& name, std::optional<std::int64_t> age_seconds = 0)
    {
        return image(name, age_seconds).tag(name, name);
    }
    builder& refers(const std::string& referrer, const std::string& subject)
    {
        made.referrers.emplace_back(places.at(subject), places.at(referrer));
        return *this;
    }

    retention_repository made;
    std::map<std::string, std::uint32_t> places;

private:
    builder& add(const std::string& name, retention_manifest m)
    {
        places[name] = static_cast<std::uint32_t>(made.manifests.size());
        made.manifests.push_back(std::move(m));
        return *this;
    }
};

in_use_references used(const std::string& text)
{
    return parse_in_use(text, registry_address::parse("reg.io").value(), "refs").value();
}

struct verdicts
{
    std::set<std::string> removed;  ///< tags
    std::set<std::string> untagged; ///< tags
    std::set<std::string> gone;     ///< manifests
    std::map<std::string, std::string> why;
    repository_decision raw;
};

verdicts judge(const builder& in, const std::string& policy, const in_use_references& in_use = {})
{
    auto all = retention::create(parse_policy("version: 1\n" + policy, "p.yml").value(), now, in_use).value();
    verdicts out;
    out.raw = all.decide(in.made).value();
    for (std::size_t i = 0; i != in.made.tags.size(); ++i) {
        const auto& name = in.made.tags[i].name;
        if (out.raw.tags[i].fate == tag_fate::remove)
            out.removed.insert(name);
        if (out.raw.tags[i].fate == tag_fate::untag)
            out.untagged.insert(name);
        out.why[name] = all.why(in.made, out.raw, i);
    }
    for (const auto& [name, place] : in.places)
        if (!out.raw.manifests[place].stays) {
            out.gone.insert(name);
            out.why["@" + name] = all.why_manifest(in.made, out.raw, place);
        }
    return out;
}

std::set<std::string> removed(const builder& in, const std::string& policy, const in_use_references& in_use = {})
{
    return judge(in, policy, in_use).removed;
}

using names = std::set<std::string>;

std::string rules(const std::string& list)
{
    return "rules:\n" + list;
}

const std::string all_else = "- remove: {tags: '*'}\n";

} // namespace

BOOST_AUTO_TEST_SUITE(retentions)

BOOST_AUTO_TEST_CASE(the_first_rule_that_matches_decides_and_the_rest_is_kept)
{
    builder in;
    in.tagged("v1").tagged("v2").tagged("w1").tagged("x1");
    const auto got = judge(in, rules("- keep: {tags: v1}\n- remove: {tags: 'v*'}\n- name: double u\n"
                                     "  remove: {tags: 'w*'}\n- keep: {tags: 'w*'}\n"));
    BOOST_TEST(got.removed == (names{"v2", "w1"}), boost::test_tools::per_element());
    BOOST_TEST(got.why.at("v1") == "rule 1 (keep tags v1)");
    BOOST_TEST(got.why.at("v2") == "rule 2 (remove tags v*)");
    BOOST_TEST(got.why.at("w1") == "rule 3 'double u' (remove tags w*)");
    BOOST_TEST(got.why.at("x1") == "no rule matches");
    BOOST_TEST(got.raw.kept == 2U);
    BOOST_TEST(got.raw.removed == 2U);
    BOOST_TEST(got.raw.manifests_removed == 2U);
}

BOOST_AUTO_TEST_CASE(rules_are_for_the_repositories_they_name)
{
    for (const auto& [pattern, matches] : std::vector<std::pair<std::string, bool>>{{"team/app", true},
                                                                                    {"team/*", true},
                                                                                    {"team", false},
                                                                                    {"'*'", true},
                                                                                    {"/team.app/", true},
                                                                                    {"/team/", false},
                                                                                    {"{regex: 't.*'}", true},
                                                                                    {"[other, team/*]", true},
                                                                                    {"[other]", false}}) {
        builder in("team/app");
        in.tagged("a").tagged("b");
        BOOST_TEST(removed(in, rules("- repositories: " + pattern + "\n  remove: {tags: a}\n")).contains("a") ==
                       matches,
                   pattern);
    }
}

BOOST_AUTO_TEST_CASE(conditions_of_names_hold_together)
{
    builder in;
    in.tagged("1.2.0").tagged("1.2.0-rc.1").tagged("1.3.0").tagged("1.10").tagged("v1.2.0").tagged("latest");
    BOOST_TEST(removed(in, rules("- remove: {regex: '1[.]2.*'}\n")) == (names{"1.2.0", "1.2.0-rc.1"}));
    BOOST_TEST(removed(in, rules("- remove: {regex: '1[.]2'}\n")) == names()); // all of the tag must match
    BOOST_TEST(removed(in, rules("- remove: {regex: [lat.st, x]}\n")) == (names{"latest"}));
    BOOST_TEST(removed(in, rules("- remove: {version: '>=1.3'}\n")) == (names{"1.3.0", "1.10"}));
    BOOST_TEST(removed(in, rules("- remove: {semver: '<1.3'}\n")) == (names{"1.2.0", "v1.2.0"}));
    BOOST_TEST(removed(in, rules("- remove: {semver: '>=0.0.0-0', tags: '*-*'}\n")) == (names{"1.2.0-rc.1"}));
    BOOST_TEST(removed(in, rules("- remove: {tags: ['1*', 'v*'], version: '>=1.3'}\n")) == (names{"1.3.0", "1.10"}));
}

BOOST_AUTO_TEST_CASE(times)
{
    builder in;
    in.tagged("new", days(1)).tagged("edge", days(30)).tagged("old", days(31)).tagged("future", -days(400));
    in.tagged("unknown", std::nullopt);
    BOOST_TEST(removed(in, rules("- remove: {older_than: 30d}\n")) == (names{"edge", "old"}));
    const auto got = judge(in, rules("- keep: {younger_than: 30d}\n" + all_else));
    BOOST_TEST(got.removed == (names{"edge", "old"}));
    BOOST_TEST(got.raw.untimed == 1U);
    BOOST_TEST(got.why.at("unknown") == "rule 1 (keep younger than 30d) asks for its time, which is not known");
    BOOST_TEST(judge(in, rules("- remove: {older_than: 30d}\n")).why.at("unknown") ==
               "no rule matches; its time is not known");
    BOOST_TEST(removed(in, rules("- remove: {older_than: 10d, younger_than: 31d}\n")) == (names{"edge"}));
}

BOOST_AUTO_TEST_CASE(times_to_the_nanosecond_and_those_that_tell_nothing)
{
    const auto with_time = [](const std::string& text) {
        builder in;
        in.tagged("t");
        in.made.manifests[0].created = parse_timestamp(text);
        BOOST_TEST_REQUIRE(in.made.manifests[0].created.has_value(), text);
        return removed(in, rules("- remove: {older_than: 30d}\n")).contains("t");
    };
    BOOST_TEST(with_time("2024-01-31T00:00:00.0000005Z"));
    BOOST_TEST(!with_time("2024-01-31T00:00:00.000000501Z"));
    BOOST_TEST(with_time("2024-01-31T01:00:00+01:00"));
    BOOST_TEST(!with_time("2024-01-31T00:00:00-00:01"));
    BOOST_TEST(!with_time("2024-02-29T23:59:59Z"));
    BOOST_TEST(with_time("2020-02-29T12:00:00Z"));
    BOOST_TEST(!with_time("0001-01-01T00:00:00Z"));
    BOOST_TEST(!with_time("1970-01-01T00:00:00Z"));
    BOOST_TEST(!with_time("1980-01-01T00:00:01Z"));
    BOOST_TEST(with_time("2013-03-20T00:00:00Z"));
    BOOST_TEST(!with_time("9999-12-31T23:59:59Z"));
}

BOOST_AUTO_TEST_CASE(the_newest_of_each_group)
{
    builder in;
    in.tagged("main-1", 50).tagged("main-2", 40).tagged("main-3", 30).tagged("dev-1", 20).tagged("dev-2", 99);
    in.tagged("other", 1).tagged("main-x", std::nullopt);
    const std::string keep = "- keep: {newest: 2, group_by: '^([a-z]+)-'}\n";
    BOOST_TEST(removed(in, rules(keep + all_else)) == (names{"main-1", "other"}));
    BOOST_TEST(judge(in, rules(keep)).removed == names()); // what falls through is kept if nothing else says so
    BOOST_TEST(removed(in, rules("- keep: {newest: 1, group_by: '^(.+)-(.)'}\n" + all_else)) == (names{"other"}));
    BOOST_TEST(removed(in, rules("- keep: {newest: 1, group_by: '[a-z]+', tags: '*-?'}\n" + all_else)) ==
               (names{"main-1", "main-2", "dev-2", "other"}));
    BOOST_TEST(removed(in, rules("- keep: {newest: 3}\n" + all_else)) == (names{"main-1", "main-2", "dev-2"}));
    BOOST_TEST(removed(in, rules("- keep: {newest: 2, order: name, tags: 'main-?'}\n" + all_else)) ==
               (names{"main-1", "main-2", "dev-1", "dev-2", "other"}));
}

BOOST_AUTO_TEST_CASE(the_newest_by_version)
{
    builder in;
    in.tagged("1.9").tagged("1.10").tagged("1.2").tagged("1.10-alpine");
    BOOST_TEST(removed(in, rules("- keep: {newest: 2, order: version}\n" + all_else)) == (names{"1.9", "1.2"}));
    BOOST_TEST(removed(in, rules("- keep: {newest: 2, order: name}\n" + all_else)) == (names{"1.10", "1.10-alpine"}));
    // All were made in the same moment: the version decides.
    BOOST_TEST(removed(in, rules("- keep: {newest: 2}\n" + all_else)) == (names{"1.9", "1.2"}));
}

BOOST_AUTO_TEST_CASE(labels_platforms_and_media_types)
{
    builder in;
    in.image("a", 0, {{"team", "web-2"}, {"keep", ""}}).tag("a", "a");
    in.image("b", 0, {{"team", "db"}}, "linux/arm64/v8").tag("b", "b");
    in.index("ab", {"a", "b"}).tag("ab", "ab");
    in.tagged("c");
    in.made.manifests[in.places["c"]].known = false;
    in.made.manifests[in.places["c"]].platform.clear();
    in.made.manifests[in.places["c"]].type = media_type::unknown;
    const auto kept = [&](const std::string& conditions) {
        names all{"a", "ab", "b", "c"};
        for (const auto& name : removed(in, rules("- keep: " + conditions + "\n" + all_else)))
            all.erase(name);
        return all;
    };
    BOOST_TEST(kept("{labels: keep}") == (names{"a", "ab", "b", "c"})); // `b` is listed by `ab`
    const auto gone = [&](const std::string& conditions) {
        builder alone = in;
        alone.made.manifests[alone.places["ab"]].children.clear();
        return removed(alone, rules("- remove: " + conditions + "\n"));
    };
    BOOST_TEST(gone("{labels: 'team=web*'}") == (names{"a"}));
    BOOST_TEST(gone("{labels: [keep, 'team=db']}") == names());
    BOOST_TEST(gone("{labels: team}") == (names{"a", "b"}));
    BOOST_TEST(gone("{platform: 'linux/arm64*'}") == (names{"b"}));
    BOOST_TEST(gone("{media_type: 'application/vnd.oci.image.manifest*'}") == (names{"a", "b"}));
    // Of an index every platform must match before it goes.
    BOOST_TEST(removed(in, rules("- remove: {platform: 'linux/arm64*'}\n")) == names());
    BOOST_TEST(removed(in, rules("- remove: {platform: 'linux/*'}\n")) == (names{"a", "ab", "b"}));
    BOOST_TEST(judge(in, rules("- keep: {platform: windows/*}\n" + all_else)).why.at("c") ==
               "rule 1 (keep platform windows/*) asks for what is not known of it");
}

BOOST_AUTO_TEST_CASE(an_index_is_as_new_as_its_newest_child)
{
    builder in;
    in.image("x", days(50)).image("y", days(5)).index("xy", {"x", "y"}).tag("multi", "xy");
    BOOST_TEST(removed(in, rules("- remove: {older_than: 10d}\n")) == names());
    BOOST_TEST(removed(in, rules("- remove: {older_than: 5d}\n")) == (names{"multi"}));
    in.made.manifests[in.places["xy"]].created = timestamp{now.seconds - days(20), 0};
    BOOST_TEST(removed(in, rules("- remove: {older_than: 10d}\n")) == (names{"multi"}));
}

BOOST_AUTO_TEST_CASE(a_manifest_stays_while_a_tag_of_it_stays)
{
    builder in;
    in.tagged("a").tag("b", "a");
    const auto got = judge(in, rules("- remove: {tags: b}\n"));
    BOOST_TEST(got.removed == names());
    BOOST_TEST(got.why.at("b") == "the tag a keeps its manifest, although rule 1 (remove tags b) matches");
    const auto alone = judge(in, "untag: true\n" + rules("- remove: {tags: b}\n"));
    BOOST_TEST(alone.removed == names());
    BOOST_TEST(alone.untagged == (names{"b"}));
    BOOST_TEST(alone.gone == names());
    BOOST_TEST(alone.raw.untagged == 1U);
    BOOST_TEST(judge(in, "untag: true\n" + rules(all_else)).gone == (names{"a"}));
}

BOOST_AUTO_TEST_CASE(children_of_an_index_that_stays_stay)
{
    builder in;
    in.image("x").image("y").index("xy", {"x", "y"}).tag("multi", "xy").tag("x-tag", "x");
    const auto got = judge(in, rules("- remove: {tags: x-tag}\n"));
    BOOST_TEST(got.removed == names());
    BOOST_TEST(got.why.at("x-tag").starts_with("an index that stays lists its manifest: sha256:"));
    BOOST_TEST(judge(in, "untag: true\n" + rules("- remove: {tags: x-tag}\n")).untagged == (names{"x-tag"}));
    // Without being asked for, children stay when their index goes.
    BOOST_TEST(judge(in, rules("- remove: {tags: multi}\n")).gone == (names{"xy"}));
    const auto with = judge(in, "with_children: true\n" + rules("- remove: {tags: multi}\n"));
    BOOST_TEST(with.gone == (names{"xy", "y"}));
    BOOST_TEST(with.why.at("@y").starts_with("goes with sha256:"));
    in.index("other", {"y"}).tag("other", "other");
    BOOST_TEST(judge(in, "with_children: true\n" + rules("- remove: {tags: multi}\n")).gone == (names{"xy"}));
}

BOOST_AUTO_TEST_CASE(manifests_without_tags_go_by_their_own_rules)
{
    builder in;
    in.image("x", days(9)).image("y", days(1)).index("xy", {"x", "y"}).tag("multi", "xy").image("lost", days(9));
    BOOST_TEST(judge(in, rules("- remove: {untagged: true}\n")).gone == (names{"lost"}));
    BOOST_TEST(judge(in, rules(all_else)).gone == (names{"xy"}));
    const auto old = judge(in, rules(all_else + "- remove: {untagged: true, older_than: 5d}\n"));
    BOOST_TEST(old.gone == (names{"xy", "x", "lost"}));
    BOOST_TEST(old.why.at("@lost") == "rule 2 (remove untagged, older than 5d)");
    const auto kept =
        judge(in, "with_children: true\n" + rules("- keep: {untagged: true, younger_than: 5d}\n" + all_else));
    BOOST_TEST(kept.gone == (names{"xy", "x"}));
    BOOST_TEST(judge(in, rules("- repositories: other\n  remove: {untagged: true}\n")).gone == names());
}

BOOST_AUTO_TEST_CASE(signatures_follow_their_image)
{
    builder in;
    in.tagged("one").tagged("two").image("s1").image("s2").image("sbom").image("bundle").index("list", {"bundle"});
    in.tag(tag_for("one", ".sig"), "s1").tag(tag_for("two", ".sig"), "s2").tag(tag_for("one"), "list");
    in.refers("sbom", "one").refers("bundle", "one");
    const auto got = judge(in, rules("- keep: {newest: 1, tags: two}\n- remove: {tags: '*'}\n"));
    BOOST_TEST(got.removed == (names{"one", tag_for("one", ".sig"), tag_for("one")}));
    BOOST_TEST(got.gone == (names{"one", "s1", "sbom", "bundle", "list"}));
    BOOST_TEST(got.why.at(tag_for("two", ".sig")).starts_with("it refers to a manifest that stays: "));
    BOOST_TEST(got.why.at(tag_for("one", ".sig")).starts_with("it refers to a manifest that goes: "));
    // They take no place among the newest, and no rule takes them.
    BOOST_TEST(removed(in, rules("- keep: {newest: 2, order: name}\n" + all_else)) == names());
    const auto stay = judge(in, "referrers: keep\n" + rules(all_else));
    BOOST_TEST(stay.gone == (names{"one", "two"}));
    BOOST_TEST(stay.why.at(tag_for("one")) == "the policy keeps what refers to others");
    const auto guarded = judge(in, "protect: '*.sig'\n" + rules(all_else));
    BOOST_TEST(guarded.gone == (names{"one", "two", "sbom", "bundle", "list"}));
}

BOOST_AUTO_TEST_CASE(a_signature_with_a_name_of_its_own)
{
    builder in;
    in.tagged("image").tagged("my-sbom").refers("my-sbom", "image");
    BOOST_TEST(removed(in, rules("- remove: {tags: my-sbom}\n")) == names());
    BOOST_TEST(removed(in, rules("- remove: {tags: image}\n")) == (names{"image"}));
    BOOST_TEST(removed(in, rules(all_else)) == (names{"image", "my-sbom"}));
}

BOOST_AUTO_TEST_CASE(what_is_named_for_nothing_known_stays)
{
    builder in;
    in.tagged("a").tag(tag_for("gone", ".sig"), "a").image("b").tag(tag_for("b"), "b");
    in.image("c").image("d").tag(tag_for("c"), "d").tag(tag_for("d"), "c");
    const auto got = judge(in, rules(all_else));
    BOOST_TEST(got.gone == names());
    BOOST_TEST(got.why.at(tag_for("gone", ".sig")) == "it is named for a manifest that is not known here");
}

BOOST_AUTO_TEST_CASE(what_is_protected_or_in_use_stays)
{
    builder in;
    in.tagged("latest").tagged("a").tagged("b").tagged("c").image("x").index("ix", {"x"}).tag("multi", "ix");
    in.image("s").tag(tag_for("c", ".sig"), "s");
    BOOST_TEST(removed(in, "protect: [latest, 'm*']\n" + rules("- remove: {tags: [latest, multi, a]}\n")) ==
               (names{"a"}));
    const auto got = judge(in, rules(all_else), used("reg.io/app:a app@" + id_of("c").to_string() + " other:b"));
    BOOST_TEST(got.removed == (names{"latest", "b", "multi"}));
    BOOST_TEST(got.why.at("a") == "it is in use");
    BOOST_TEST(got.why.at("c") == "its manifest, or one that it lists, is in use");
    // A platform of an index keeps the index, with all that it lists; by a digest alone in any repository.
    BOOST_TEST(judge(in, "with_children: true\n" + rules(all_else), used(id_of("x").to_string())).gone ==
               (names{"latest", "a", "b", "c", "s"}));
    BOOST_TEST(judge(in, "untag: true\n" + rules(all_else), used("app:a")).untagged == names());
}

BOOST_AUTO_TEST_CASE(too_much_at_once_is_refused)
{
    builder in("team/app");
    in.tagged("a").tagged("b").tagged("c");
    const auto check = [&](const std::string& policy) {
        auto all = retention::create(parse_policy("version: 1\n" + policy, "p").value(), now).value();
        return all.check_limit(in.made, all.decide(in.made).value());
    };
    BOOST_TEST(check(rules("- remove: {tags: a}\n")).has_value());
    const auto refused = check(rules("- remove: {tags: [a, b]}\n"));
    BOOST_TEST_REQUIRE(!refused);
    BOOST_TEST(refused.error().is(errc::over_limit));
    BOOST_TEST(
        refused.error().detail.starts_with("the policy takes 2 of the 3 tags of repository 'team/app', more than 50%"));
    BOOST_TEST(check("max_remove: 2\n" + rules("- remove: {tags: [a, b]}\n")).has_value());
    BOOST_TEST(!check("max_remove: 1\n" + rules("- remove: {tags: [a, b]}\n")).has_value());
}

BOOST_AUTO_TEST_CASE(a_regular_expression_that_takes_forever_ends)
{
    builder in;
    in.tagged(std::string(100, 'a') + "!");
    auto all = retention::create(
                   parse_policy("version: 1\n" + rules("- remove: {regex: '(a+)+(a+)+(a+)+$b'}\n"), "p").value(), now)
                   .value();
    const auto decided = all.decide(in.made);
    BOOST_TEST((decided.has_value() || decided.error().is(errc::match_limit)));
}

BOOST_AUTO_TEST_SUITE_END()
