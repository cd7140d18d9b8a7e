#include "regsweep/load/report.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <random>

using namespace regsweep;

namespace {

load_result some_result(std::mt19937_64& random, double rate)
{
    load_result out;
    out.concurrency = 16;
    out.wanted_rate = rate;
    out.seconds = 1.234568;
    out.warmup_requests = 5;
    out.unsent = 3;
    out.bytes = 123'456'789'012;
    out.connections = 17;
    out.rate = 1234.568;
    out.good_rate = 1000.1;
    out.interrupted = true;
    out.first_failure = "a \"quoted\" </script> \xc3\xa4 word";
    for (const auto op : {operation::head, operation::catalog}) {
        operation_result& one = out.by_operation[static_cast<std::size_t>(op)];
        for (int i = 0; i != 500; ++i)
            one.latency.record(std::chrono::nanoseconds(1000 + random() % 100'000'000));
        one.requests = 500;
        one.errors = 7;
        one.body_bytes = 1000;
        one.failures = {{"http_429", 5}, {"timed_out", 2}};
        out.requests += 500;
        out.errors += 7;
    }
    out.series = {{0, 1, true, 400, 2, 1.5, 20.25}, {1, 0.2345, false, 600, 5, 1.25, 30.125}};
    return out;
}

load_report some_report()
{
    std::mt19937_64 random(41);
    load_report out;
    out.registry = "https://registry.example:443/<img src=x onerror=alert(1)>";
    out.started_at = 1'234'567'890;
    out.mix = parse_mix("head=80,catalog=20").value();
    out.order = target_order::listed;
    out.seed = 18'446'744'073'709'551'615U;
    out.threads = 2;
    out.warmup_seconds = 1.5;
    out.runs = {some_result(random, 0), some_result(random, 250.5)};
    limit_report limit;
    limit.slo_p99_ms = 50;
    limit.max_errors = 0.01;
    limit.hold_seconds = 10;
    limit.rate = 812.25;
    limit.trials = {{100, 2, 99.5, 12.5, 0, true, ""}, {200, 2, 150.25, 312.5, 0.125, false, "12.5 % errors"}};
    out.limit = limit;
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(report_as_json)

BOOST_AUTO_TEST_CASE(comes_back_as_it_was)
{
    auto report = some_report();
    BOOST_TEST((read_report(to_json(report)).value() == report));
    report.limit->rate.reset();
    BOOST_TEST((read_report(to_json(report)).value() == report));
    report.limit.reset();
    report.deletion = deletion_report{7, 100, 90, 5, 3, 2};
    BOOST_TEST((read_report(to_json(report)).value() == report));
    report.runs.clear();
    BOOST_TEST((read_report(to_json(report)).value() == report));
    report.runs.emplace_back();
    BOOST_TEST((read_report(to_json(report)).value() == report));
}

BOOST_AUTO_TEST_CASE(holds_the_figures_people_look_for)
{
    const auto report = some_report();
    const auto json = boost::json::parse(to_json(report));
    const auto& run = json.at("runs").at(0);
    BOOST_TEST(run.at("requests").to_number<int>() == 1000);
    BOOST_TEST(run.at("wanted_rate").is_null());
    BOOST_TEST(json.at("runs").at(1).at("wanted_rate").to_number<double>() == 250.5);
    BOOST_TEST(run.at("failures").at("http_429").to_number<int>() == 10);
    const auto p99 = static_cast<double>(report.runs[0].latency().percentile(99).count()) / 1e6;
    BOOST_TEST(run.at("latency_ms").at("p99").to_number<double>() == p99, boost::test_tools::tolerance(1e-6));
    BOOST_TEST(run.at("operations").as_object().size() == 2U);
    BOOST_TEST(run.at("operations").at("head").at("latency_ms").as_object().contains("p99_9"));
}

BOOST_AUTO_TEST_CASE(is_refused_when_it_is_something_else)
{
    const auto code = [](std::string_view text) {
        const auto got = read_report(text);
        return got ? boost::system::error_code() : got.error().code;
    };
    BOOST_TEST(code("") == make_error_code(errc::bad_json));
    BOOST_TEST(code("{") == make_error_code(errc::bad_json));
    BOOST_TEST(code("[]") == make_error_code(errc::bad_file));
    BOOST_TEST(code("{\"format\":1}") == make_error_code(errc::bad_file));
    BOOST_TEST(code("{\"format\":\"regsweep-bench\"}") == make_error_code(errc::bad_file));
    BOOST_TEST(code("{\"format\":\"regsweep-bench\",\"version\":2}") == make_error_code(errc::newer_version));
}

BOOST_AUTO_TEST_CASE(may_be_cut_or_changed_anywhere_without_harm)
{
    std::mt19937_64 random(42);
    const std::string whole = to_json(some_report());
    for (int i = 0; i != 300; ++i) {
        std::string text = whole;
        for (int k = 0; k != 3; ++k)
            text[random() % text.size()] = "0a\"{}[],:-"[random() % 10];
        if (i % 3 == 0)
            text.resize(random() % text.size());
        const auto got = read_report(text);
        BOOST_TEST((got || !got.error().detail.empty()));
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(report_as_page)

BOOST_AUTO_TEST_CASE(holds_both_reports_and_no_markup_from_them)
{
    const auto report = some_report();
    const std::string page = to_html(report, &report);
    BOOST_TEST(page.find("<img") == std::string::npos);
    BOOST_TEST(page.find("</script> \xc3\xa4") == std::string::npos);
    std::size_t scripts = 0;
    for (auto at = page.find("</script>"); at != std::string::npos; at = page.find("</script>", at + 1))
        ++scripts;
    BOOST_TEST(scripts == 3U);
    // What stands between the elements is the report again, once the escapes are read.
    for (const char* id : {"report", "earlier"}) {
        const std::string open = "<script type=\"application/json\" id=\"" + std::string(id) + "\">";
        const auto begin = page.find(open) + open.size();
        const auto text = page.substr(begin, page.find("</script>", begin) - begin);
        BOOST_TEST((read_report(text).value() == report), id);
    }
}

BOOST_AUTO_TEST_CASE(loads_nothing)
{
    const std::string page = to_html(load_report(), nullptr);
    BOOST_TEST(page.find("src=") == std::string::npos);
    BOOST_TEST(page.find("href=") == std::string::npos);
    BOOST_TEST(page.find("@import") == std::string::npos);
    BOOST_TEST(page.find("url(") == std::string::npos);
    BOOST_TEST(page.find("default-src 'none'") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
