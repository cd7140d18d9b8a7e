// The pages, in a browser: what they show, that they can be used, and that no name in them does anything.
#include "integration/checks.hpp"
#include "integration/page.hpp"
#include "regsweep/index/builder.hpp"
#include "regsweep/index/details.hpp"
#include "regsweep/load/report.hpp"
#include "regsweep/sweep/plan.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <ctime>
#include <thread>

using namespace regsweep;
using namespace regsweep::test;

namespace {

// Nothing listens there: a page is made of the index alone.
const std::string registry = "http://127.0.0.1:1";
constexpr std::int64_t day = 24 * 3600;

struct sample_tag
{
    std::string name;
    std::string image; ///< tags with the same have the same digest
};

/// An index with its details, without a registry.
class sample_registry
{
public:
    explicit sample_registry(const std::filesystem::path& file)
        : builder_(index_builder::create({.file = file, .registry = registry, .scope = {}}).value()),
          store_(details_store::open(details_store::beside(file)).value())
    {
        store_.begin().value();
    }

    void add_repository(const std::string& name, const std::vector<sample_tag>& tags)
    {
        index_record* record = builder_->acquire();
        for (; record == nullptr; record = builder_->acquire())
            std::this_thread::yield();
        record->repository = name;
        for (const auto& tag : tags) {
            record->add(tag.name);
            record->entries.back().what = index_record::state::resolved;
            record->entries.back().type = media_type::oci_manifest;
            record->entries.back().digest = digest::of(tag.image);
        }
        record->finished = true;
        builder_->push(record);
    }

    /// An image of one layer, `age` seconds old; nothing for an unknown time.
    void add_image(const std::string& name, std::uint64_t size, std::optional<std::int64_t> age,
                   const string_pairs& labels = {}, const std::string& architecture = "amd64")
    {
        manifest_details m;
        m.digest = digest::of(name);
        m.type = media_type::oci_manifest;
        m.size = 500;
        if (age)
            m.created = timestamp{now_ - *age, 0};
        m.platform = {"linux", architecture, ""};
        m.config = blob_descriptor{digest::of("config of " + name), 1000, "", false};
        m.layers.push_back({digest::of("layer of " + name), size, "", false});
        m.labels = labels;
        store_.put({&m, 1}).value();
    }

    void finish()
    {
        builder_->finish().value();
        store_.commit().value();
    }

private:
    std::int64_t now_ = std::time(nullptr);
    std::unique_ptr<index_builder> builder_;
    details_store store_;
};

std::vector<std::string> report_args(const std::filesystem::path& index, std::vector<std::string> more)
{
    std::vector<std::string> args = {"--registry", registry, "-c", index.string(), "report", "--no-details"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
}

void make_page(const sandbox& home, const std::vector<std::string>& more)
{
    auto all = more;
    all.insert(all.end(), {"--html", home.file("page.html").string()});
    const auto done = home.run(report_args(home.file("index.db"), all));
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST(done.out == "");
    for (const auto& file : std::filesystem::directory_iterator(home.file("")))
        BOOST_TEST(file.path().string().find(".new.") == std::string::npos, file.path());
}

// JavaScript for what a person looks at.
const std::string rows = "document.querySelectorAll('#tags tbody tr')";
const std::string position = "document.querySelector('#tags [role=status]').textContent";
std::string cell(int row, int column)
{
    return rows + "[" + std::to_string(row) + "].cells[" + std::to_string(column) + "].textContent";
}
std::string head(const std::string& name)
{
    return "[...document.querySelectorAll('#tags th button')].find((b) => b.textContent === '" + name + "')";
}
std::string button(const std::string& name)
{
    return "[...document.querySelectorAll('#tags button')].find((b) => b.textContent === '" + name + "')";
}
std::string tile(const std::string& name)
{
    return "[...document.querySelectorAll('.tile')].find((t) => t.firstChild.textContent === '" + name +
           "').querySelector('b').textContent";
}
std::string section(const std::string& title)
{
    return "[...document.querySelectorAll('section')].find((s) => s.querySelector('h2').textContent === '" + title +
           "')";
}

// Characters that cannot be seen are told by their numbers.
std::string as_shown(std::string text)
{
    const std::vector<std::pair<std::string, std::string>> told = {{"\xe2\x80\xa8", "\\u2028"},
                                                                   {"\xe2\x80\xa9", "\\u2029"},
                                                                   {"\xe2\x80\xae", "\\u202e"},
                                                                   {"\x01", "\\u0001"},
                                                                   {"\x1f", "\\u001f"}};
    for (const auto& [unseen, number] : told)
        for (auto at = text.find(unseen); at != std::string::npos; at = text.find(unseen))
            text.replace(at, unseen.size(), number);
    return text;
}

// 100 repositories of four teams with 1,000 tags each, of sizes and ages that rise with their number. Every tenth
// image is also in the repository before.
constexpr int repositories = 100;
constexpr int tags_of_each = 1000;

void make_large(const std::filesystem::path& file)
{
    sample_registry made(file);
    const std::vector<std::string> teams = {"backend", "frontend", "infra", "ml"};
    for (int r = 0; r != repositories; ++r) {
        std::vector<sample_tag> tags;
        const std::string repository = teams[static_cast<std::size_t>(r) % 4] + "/service-" + std::to_string(r);
        for (int t = 0; t != tags_of_each; ++t) {
            const bool shared = r != 0 && t % 10 == 0;
            const std::string image = std::to_string(shared ? r - 1 : r) + "." + std::to_string(shared ? t + 1 : t);
            tags.push_back({"1." + std::to_string(t), image});
            if (!shared)
                made.add_image(image, 1'000'000 + static_cast<std::uint64_t>(r * tags_of_each + t) * 100,
                               t == 999 ? std::nullopt : std::optional(t * day / 2 + 60));
        }
        made.add_repository(repository, tags);
    }
    made.finish();
}

} // namespace

BOOST_AUTO_TEST_SUITE(report)

BOOST_AUTO_TEST_CASE(a_hundred_thousand_tags_can_be_searched_sorted_and_filtered_by_mouse_and_keyboard)
{
    const sandbox home;
    make_large(home.file("index.db"));
    make_page(home, {});
    page_session page;
    page.check("document.documentElement.dataset.ready", "yes");
    page.check("document.querySelector('h1').textContent", registry);
    page.check(tile("Tags"), "100,000 ");
    page.check(rows + ".length", 50);
    page.check(position, "1–50 of 100,000");
    page.check("document.querySelectorAll('.chart svg').length", 2);

    // The keyboard leads to the search, words narrow it, Clear takes them away.
    page.key("/");
    page.check("document.activeElement.id", "search");
    page.type("service-42 1.99");
    page.until(position + " !== '1–50 of 100,000'");
    page.check(position, "1–11 of 11");
    page.check(cell(0, 0), "infra/service-42");
    page.check(cell(0, 1), "1.99");
    page.click(button("Clear"));
    page.check(position, "1–50 of 100,000");

    // By a column, from the keyboard: the largest first, then the smallest.
    page.check("(" + head("Size") + ".focus(), true)", true);
    page.key("Enter");
    page.check(head("Size") + ".closest('th').getAttribute('aria-sort')", "descending");
    page.check(cell(0, 0), "ml/service-99");
    page.check(cell(0, 1), "1.999");
    page.check(cell(0, 2), "10.5 MiB");
    page.key("Enter");
    page.check(cell(0, 1), "1.0");
    page.check(head("Size") + ".closest('th').getAttribute('aria-sort')", "ascending");

    page.click(button("Last"));
    page.check(position, "99,951–100,000 of 100,000");
    page.check("document.activeElement.textContent", "Previous");
    page.key("Enter");
    page.check(position, "99,901–99,950 of 100,000");

    // What is unknown comes last whichever way; old and new by the column's head.
    page.click(head("Created"));
    page.click(head("Created"));
    page.check("document.querySelector('#tags tbody td:nth-child(5)').textContent !== 'unknown'", true);
    page.check("(() => { const s = document.getElementById('by-age'); s.value = '6'; "
               "s.dispatchEvent(new Event('change')); return " +
                   position + "; })()",
               "1–50 of 100");
    page.click(button("Clear"));
    page.click("document.getElementById('in-repository')");
    page.type("frontend");
    page.until(position + " === '1–50 of 25,000'");

    // A tag in full, and out again by Escape.
    page.click("document.querySelector('#tags tbody .link')");
    page.check("document.querySelector('dialog').open", true);
    page.check("/sha256:[0-9a-f]{64}/.test(document.querySelector('dialog').textContent)", true);
    page.key("Escape");
    page.check("document.querySelector('dialog').open", false);

    // The chart leads to the tags of an age, the table of duplicates to those of an image.
    page.click(section("Tags by age") + ".querySelectorAll('svg path[fill=\"#1f5fbf\"]')[1]");
    page.check("document.getElementById('by-age').value", "1");
    page.click(section("Same image in several repositories") + ".querySelectorAll('td.number .link')[0]");
    page.until(position + " === '1–2 of 2'");

    page.size(400, 800);
    page.until("document.documentElement.scrollWidth <= 400");
    page.run(home.file("page.html"));
}

BOOST_AUTO_TEST_CASE(no_name_tag_or_label_does_anything_but_be_read)
{
    const std::vector<std::string> hostile = {
        "</script><script>window.pwned = 1</script>",
        "<img src=x onerror=\"window.pwned = 2\">",
        "\"><svg onload='window.pwned = 3'>",
        "<!--<script>",
        "{{constructor.constructor('window.pwned = 4')()}}",
        "\xe2\x80\xa8\xe2\x80\xa9line \x01\x1f\\u003cb\\",
        "javascript:window.pwned=5",
        "__proto__",
        "\xff\xfe no UTF-8",
        "&lt;i&gt; \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x98\x80 \xe2\x80\xae"
        "evil",
        "http://127.0.0.1:1/x.png",
    };
    const sandbox home;
    {
        sample_registry made(home.file("index.db"));
        std::vector<sample_tag> tags;
        string_pairs labels;
        for (const auto& text : hostile) {
            tags.push_back({text, text});
            labels.emplace_back(text, text);
        }
        for (const auto& text : hostile) {
            made.add_repository(text, tags);
            made.add_image(text, 1000, day, labels, text);
        }
        made.finish();
    }
    make_page(home, {});
    page_session page;
    page.check("document.documentElement.dataset.ready", "yes");
    page.check(tile("Tags"), std::to_string(hostile.size() * hostile.size()) + " ");
    page.check("[document.scripts.length, document.images.length, document.querySelectorAll('[onload], [onerror], "
               "a, iframe').length].join()",
               "2,0,0");
    page.key("/");
    page.type("<img src=x");
    page.until(cell(0, 1) + ".includes('<img src=x')");
    page.click("document.querySelector('#tags tbody .link')");
    for (const auto& text : hostile)
        if (text.front() != '\xff')
            page.check("[...document.querySelectorAll('dialog dd')].some((d) => d.textContent === " +
                           boost::json::serialize(boost::json::value(as_shown(text))) + ")",
                       true);
    page.key("Escape");
    // The pointer over every part of the treemap, for its tooltips.
    page.check("(async () => { for (const one of document.querySelectorAll('.chart svg path')) { "
               "const r = one.getBoundingClientRect(); one.dispatchEvent(new MouseEvent('mousemove', {bubbles: true, "
               "clientX: r.left + 5, clientY: r.top + 5})); await 0; } return true; })()",
               true);
    page.click("document.querySelector('.chart svg path')");
    page.check("[window.pwned, document.scripts.length, document.images.length].join()", ",2,0");
    page.run(home.file("page.html"));
}

BOOST_AUTO_TEST_CASE(a_plan_shows_what_goes_and_why)
{
    const sandbox home;
    {
        sample_registry made(home.file("index.db"));
        made.add_repository(
            "web", {{"1.0", "a"}, {"1.1", "b"}, {"dev-1", "c"}, {"dev-2", "d"}, {"dev-3", "e"}, {"latest", "b"}});
        made.add_repository("web/copy", {{"dev-1", "c"}});
        for (const std::string image : {"a", "b", "c", "d", "e"})
            made.add_image(image, 10'000'000, 40 * day);
        made.finish();
    }
    plan p;
    p.header = {registry, 1700000000, "regsweep remove-tags -r web -re dev-", false, false};
    const auto add = [&](step_kind kind, const std::string& image, std::vector<std::string> tags) {
        plan_step step;
        step.kind = kind;
        step.repository = "web";
        step.id = digest::of(image);
        step.tags = std::move(tags);
        step.why = "older than 30 days";
        p.steps.push_back(std::move(step));
    };
    add(step_kind::remove, "c", {"dev-1", "dev-0"});
    add(step_kind::remove, "other", {"dev-2"});
    add(step_kind::remove, "e", {"dev-3"});
    add(step_kind::remove, "b", {"1.1"});
    write_plan(home.file("plan.json"), p).value();
    make_page(home, {"--plan", home.file("plan.json").string()});
    page_session page;
    page.check(tile("Plan: go"), "2 tags");
    page.check(tile("Plan: frees"), "9.5 MiB"); // the image of dev-1 is in web/copy, too
    page.check(section("What goes, what stays, and why") + ".textContent.includes('older than 30 days')", true);
    page.check(section("What goes, what stays, and why") + ".textContent.includes('1 tag of the plan is gone')", true);
    page.check("(() => { const s = document.getElementById('by-plan'); s.value = 'goes'; "
               "s.dispatchEvent(new Event('change')); return " +
                   position + "; })()",
               "1–2 of 2");
    page.check(cell(0, 1), "dev-1");
    const auto why = [&](const std::string& tag) {
        return "[..." + rows + "].find((r) => r.cells[0].textContent === 'web' && r.cells[1].textContent === '" + tag +
               "').lastChild.firstChild.title";
    };
    page.click(button("Clear"));
    page.check(why("1.0"), "no step of the plan names it");
    page.check(why("dev-2"), "it has moved to another image since the plan was made");
    page.check(why("1.1"), "a tag that the plan does not name uses its image now");
    page.check(cell(6, 0), "web/copy");
    page.check(rows + "[6].lastChild.firstChild.title",
               "no step of the plan names it; it has the same image as web:dev-1, which goes");
    page.click(section("What goes, what stays, and why") + ".querySelector('td.number .link')");
    page.check("document.querySelector('.chosen').hidden", false);
    page.check("(document.querySelector('.chosen button').click(), " + position + ")", "1–7 of 7");
    // On paper, tables are whole, and the charts are not dark.
    page.act({"dark", true});
    page.check("getComputedStyle(document.querySelector('.card')).backgroundColor", "rgb(27, 32, 39)");
    page.until("document.querySelectorAll('.chart svg path[fill=\"#6ea8fe\"]').length > 0");
    page.check("(dispatchEvent(new Event('beforeprint')), document.querySelectorAll('.chart svg "
               "path[fill=\"#1f5fbf\"]').length > 0)",
               true);
    page.run(home.file("page.html"));
}

BOOST_AUTO_TEST_CASE(the_page_can_be_piped_and_says_when_sizes_are_unknown)
{
    const sandbox home;
    {
        sample_registry made(home.file("index.db"));
        made.add_repository("a", {{"1", "a"}});
        made.add_repository("empty", {});
        made.finish();
    }
    const auto done = home.run(report_args(home.file("index.db"), {"--html", "-", "-r", "a"}));
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST(done.out.starts_with("<!doctype html>"));
    BOOST_TEST(done.out.ends_with("</html>\n"));
    write_file(home.file("page.html"), done.out);
    page_session page;
    page.check("document.querySelector('.warn').textContent",
               "Sizes and times are not known: make the page without --no-details to read them.");
    page.check(tile("Tags"), "1 ");
    page.check("document.querySelector('h1 + p').textContent.includes('shows 1 of 2 repositories')", true);
    page.check(section("Same image in several repositories") + ".textContent.includes('repositories that are shown')",
               true);
    page.run(home.file("page.html"));
}

BOOST_AUTO_TEST_CASE(the_benchmarks_page_is_of_the_same_kind)
{
    load_report loaded;
    loaded.registry = "</script><img src=x onerror=alert(1)>";
    const temp_dir folder;
    write_file(folder / "page.html", to_html(loaded, nullptr));
    page_session page;
    page.check("document.querySelector('h1').textContent", "Load on " + loaded.registry);
    page.check("document.images.length", 0);
    page.run(folder / "page.html");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_is_said_in_one_line)
{
    const sandbox home;
    {
        sample_registry made(home.file("index.db"));
        made.add_repository("a", {{"1", "a"}});
        made.finish();
    }
    const auto report = [&](const std::vector<std::string>& more) {
        return home.run(report_args(home.file("index.db"), more));
    };
    const auto page = home.file("page.html").string();
    check_fails(report({}), 2, {"--html"});
    check_fails(report({"--html", page, "-r", "b"}), 1, {"no repository 'b'"});
    check_fails(report({"--html", page, "--plan", home.file("none").string()}), 1, {"none"});
    check_fails(report({"--html", home.file("none").string() + "/page.html"}), 1, {"cannot write", "check the path"});
    check_fails(report({"--html", "/dev/full/page.html"}), 1, {"cannot write"});
    check_fails(report({"--html", ""}), 2, {"--html", "name a file"});
    check_fails(report({"--html", home.file("").string()}), 1, {"cannot write", "name a file, not a folder"});
    check_fails(report({"--html", "/dev/full"}), 1, {"cannot write '/dev/full'", "space"});
    BOOST_TEST(!std::filesystem::exists(page));
}

BOOST_AUTO_TEST_CASE(what_is_no_plain_file_stays_what_it_is)
{
    const sandbox home;
    {
        sample_registry made(home.file("index.db"));
        made.add_repository("a", {{"1", "a"}});
        made.finish();
    }
    const auto target = home.file("target.html"), link = home.file("link.html");
    write_file(target, "old");
    std::filesystem::permissions(target, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::filesystem::create_symlink("target.html", link);
    const auto done = home.run(report_args(home.file("index.db"), {"--html", link.string()}));
    BOOST_TEST_REQUIRE(done.exit_code == 0, done.err);
    BOOST_TEST(std::filesystem::is_symlink(link));
    BOOST_TEST(read_file(target).starts_with("<!doctype html>"));
    BOOST_TEST((std::filesystem::status(target).permissions() ==
                (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)));
    const auto null = home.run(report_args(home.file("index.db"), {"--html", "/dev/null"}));
    BOOST_TEST(null.exit_code == 0, null.err);
    BOOST_TEST(std::filesystem::is_character_file("/dev/null"));
}

BOOST_AUTO_TEST_SUITE_END()
