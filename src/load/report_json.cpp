#include "regsweep/load/report.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <cmath>

namespace regsweep {
namespace {

namespace json = boost::json;

constexpr std::string_view format_name = "regsweep-bench";
constexpr std::uint64_t format_version = 1;

json::string text(std::string_view from)
{
    return json::string(from.data(), from.size());
}

// Rounded to what was measured: with so few digits, reading them back gives the same number.
double rounded(double value, double steps)
{
    return std::round(value * steps) / steps;
}

json::object latency_json(const histogram& h)
{
    const auto ms = [](double ns) { return rounded(ns / 1e6, 1e6); };
    const auto at = [&](double percent) { return ms(static_cast<double>(h.percentile(percent).count())); };
    return {{"min", ms(static_cast<double>(h.min().count()))},
            {"mean", ms(h.mean())},
            {"stddev", ms(h.standard_deviation())},
            {"p50", at(50)},
            {"p90", at(90)},
            {"p99", at(99)},
            {"p99_9", at(99.9)},
            {"max", ms(static_cast<double>(h.max().count()))}};
}

json::object histogram_json(const histogram& h)
{
    json::array counts;
    h.for_each([&](std::size_t bucket, std::uint64_t count) { counts.push_back(json::array{bucket, count}); });
    return {{"min_ns", h.min().count()}, {"max_ns", h.max().count()}, {"sum_ns", h.sum()}, {"buckets", counts}};
}

json::object failures_json(const std::map<std::string, std::uint64_t>& failures)
{
    json::object out;
    for (const auto& [kind, count] : failures)
        out[text(kind)] = count;
    return out;
}

json::object operation_json(const operation_result& from, double seconds)
{
    return {{"requests", from.requests},
            {"errors", from.errors},
            {"failures", failures_json(from.failures)},
            {"rate", seconds > 0 ? rounded(static_cast<double>(from.requests) / seconds, 1e3) : 0.0},
            {"body_bytes", from.body_bytes},
            {"latency_ms", latency_json(from.latency)},
            {"histogram", histogram_json(from.latency)}};
}

json::object run_json(const load_result& from)
{
    json::object by_operation;
    for (std::size_t i = 0; i != operations; ++i)
        if (from.by_operation[i].requests != 0)
            by_operation[text(to_string(static_cast<operation>(i)))] =
                operation_json(from.by_operation[i], from.seconds);
    json::array series;
    for (const auto& second : from.series)
        series.push_back(json::object{{"begin", rounded(second.begin, 1e6)},
                                      {"seconds", rounded(second.seconds, 1e6)},
                                      {"warmup", second.warmup},
                                      {"requests", second.requests},
                                      {"errors", second.errors},
                                      {"p50_ms", rounded(second.p50_ms, 1e6)},
                                      {"p99_ms", rounded(second.p99_ms, 1e6)}});
    return {{"concurrency", from.concurrency},
            {"wanted_rate", from.wanted_rate > 0 ? json::value(rounded(from.wanted_rate, 1e3)) : json::value(nullptr)},
            {"seconds", rounded(from.seconds, 1e6)},
            {"requests", from.requests},
            {"warmup_requests", from.warmup_requests},
            {"errors", from.errors},
            {"failures", failures_json(from.failures())},
            {"first_failure", text(from.first_failure)},
            {"unsent", from.unsent},
            {"bytes", from.bytes},
            {"connections", from.connections},
            {"rate", rounded(from.rate, 1e3)},
            {"good_rate", rounded(from.good_rate, 1e3)},
            {"interrupted", from.interrupted},
            {"latency_ms", latency_json(from.latency())},
            {"operations", std::move(by_operation)},
            {"series", std::move(series)}};
}

json::object limit_json(const limit_report& from)
{
    json::array trials;
    for (const auto& trial : from.trials)
        trials.push_back(json::object{{"rate", rounded(trial.rate, 1e3)},
                                      {"seconds", rounded(trial.seconds, 1e6)},
                                      {"reached", rounded(trial.reached, 1e3)},
                                      {"p99_ms", rounded(trial.p99_ms, 1e6)},
                                      {"errors", rounded(trial.errors, 1e6)},
                                      {"held", trial.held},
                                      {"why", text(trial.why)}});
    return {{"slo_p99_ms", from.slo_p99_ms},
            {"max_errors", from.max_errors},
            {"hold_seconds", from.hold_seconds},
            {"rate", from.rate ? json::value(rounded(*from.rate, 1e3)) : json::value(nullptr)},
            {"trials", std::move(trials)}};
}

json::object deletion_json(const deletion_report& from)
{
    return {{"run", from.run},   {"steps", from.steps},   {"settled", from.settled},
            {"gone", from.gone}, {"failed", from.failed}, {"dropped", from.dropped}};
}

std::string string_of(const json::value& v)
{
    const auto& s = v.as_string();
    return {s.data(), s.size()};
}

template<class T>
void read(const json::object& from, const char* key, T& into)
{
    const json::value& v = from.at(key);
    if constexpr (std::is_same_v<T, bool>)
        into = v.as_bool();
    else if constexpr (std::is_same_v<T, std::string>)
        into = string_of(v);
    else
        into = v.to_number<T>();
}

histogram read_histogram(const json::object& from)
{
    const auto ns = [&](const char* key) { return from.at(key).to_number<std::int64_t>(); };
    const auto& counts = from.at("buckets").as_array();
    if (counts.empty())
        return {};
    histogram out = histogram::with(histogram::duration(ns("min_ns")), histogram::duration(ns("max_ns")),
                                    from.at("sum_ns").to_number<std::uint64_t>());
    for (const auto& entry : counts)
        out.add(entry.as_array().at(0).to_number<std::size_t>(), entry.as_array().at(1).to_number<std::uint64_t>());
    return out;
}

operation_result read_operation(const json::object& from)
{
    operation_result out;
    read(from, "requests", out.requests);
    read(from, "errors", out.errors);
    read(from, "body_bytes", out.body_bytes);
    for (const auto& entry : from.at("failures").as_object())
        out.failures[std::string(entry.key().data(), entry.key().size())] = entry.value().to_number<std::uint64_t>();
    out.latency = read_histogram(from.at("histogram").as_object());
    return out;
}

load_interval read_interval(const json::object& from)
{
    load_interval out;
    read(from, "begin", out.begin);
    read(from, "seconds", out.seconds);
    read(from, "warmup", out.warmup);
    read(from, "requests", out.requests);
    read(from, "errors", out.errors);
    read(from, "p50_ms", out.p50_ms);
    read(from, "p99_ms", out.p99_ms);
    return out;
}

load_result read_run(const json::object& from)
{
    load_result out;
    read(from, "concurrency", out.concurrency);
    if (!from.at("wanted_rate").is_null())
        read(from, "wanted_rate", out.wanted_rate);
    read(from, "seconds", out.seconds);
    read(from, "requests", out.requests);
    read(from, "warmup_requests", out.warmup_requests);
    read(from, "errors", out.errors);
    read(from, "first_failure", out.first_failure);
    read(from, "unsent", out.unsent);
    read(from, "bytes", out.bytes);
    read(from, "connections", out.connections);
    read(from, "rate", out.rate);
    read(from, "good_rate", out.good_rate);
    read(from, "interrupted", out.interrupted);
    for (const auto& entry : from.at("operations").as_object()) {
        const auto op = parse_operation(std::string_view(entry.key().data(), entry.key().size()));
        if (op)
            out.by_operation[static_cast<std::size_t>(*op)] = read_operation(entry.value().as_object());
    }
    for (const auto& entry : from.at("series").as_array())
        out.series.push_back(read_interval(entry.as_object()));
    return out;
}

limit_report read_limit(const json::object& from)
{
    limit_report out;
    read(from, "slo_p99_ms", out.slo_p99_ms);
    read(from, "max_errors", out.max_errors);
    read(from, "hold_seconds", out.hold_seconds);
    if (!from.at("rate").is_null())
        out.rate = from.at("rate").to_number<double>();
    for (const auto& entry : from.at("trials").as_array()) {
        const auto& object = entry.as_object();
        limit_trial trial;
        read(object, "rate", trial.rate);
        read(object, "seconds", trial.seconds);
        read(object, "reached", trial.reached);
        read(object, "p99_ms", trial.p99_ms);
        read(object, "errors", trial.errors);
        read(object, "held", trial.held);
        read(object, "why", trial.why);
        out.trials.push_back(std::move(trial));
    }
    return out;
}

deletion_report read_deletion(const json::object& from)
{
    deletion_report out;
    read(from, "run", out.run);
    read(from, "steps", out.steps);
    read(from, "settled", out.settled);
    read(from, "gone", out.gone);
    read(from, "failed", out.failed);
    read(from, "dropped", out.dropped);
    return out;
}

load_report read_fields(const json::object& from)
{
    load_report out;
    read(from, "registry", out.registry);
    read(from, "started_at", out.started_at);
    out.mix = parse_mix(string_of(from.at("mix"))).value();
    out.order = string_of(from.at("order")) == "listed" ? target_order::listed : target_order::random;
    read(from, "seed", out.seed);
    read(from, "threads", out.threads);
    read(from, "warmup_seconds", out.warmup_seconds);
    for (const auto& entry : from.at("runs").as_array())
        out.runs.push_back(read_run(entry.as_object()));
    if (!from.at("limit").is_null())
        out.limit = read_limit(from.at("limit").as_object());
    if (const auto* deletion = from.if_contains("deletion"); deletion != nullptr && !deletion->is_null())
        out.deletion = read_deletion(deletion->as_object());
    return out;
}

} // namespace

std::string to_json(const load_report& report)
{
    json::array runs;
    for (const auto& run : report.runs)
        runs.push_back(run_json(run));
    const json::object out{
        {"format", text(format_name)},
        {"version", format_version},
        {"registry", text(report.registry)},
        {"started_at", report.started_at},
        {"mix", text(to_string(report.mix))},
        {"order", report.order == target_order::listed ? "listed" : "random"},
        {"seed", report.seed},
        {"threads", report.threads},
        {"warmup_seconds", report.warmup_seconds},
        {"runs", std::move(runs)},
        {"limit", report.limit ? json::value(limit_json(*report.limit)) : json::value(nullptr)},
        {"deletion", report.deletion ? json::value(deletion_json(*report.deletion)) : json::value(nullptr)}};
    return json::serialize(out);
}

result<load_report> read_report(std::string_view from)
{
    boost::system::error_code ec;
    const json::value parsed = json::parse(from, ec);
    if (ec)
        return error(errc::bad_json, "this is no JSON (" + ec.message() + ")");
    const auto* object = parsed.if_object();
    const auto* format = object ? object->if_contains("format") : nullptr;
    if (format == nullptr || !format->is_string() || format->get_string() != json::string_view(format_name))
        return error(errc::bad_file, "this is no report of regsweep bench --output json");
    try {
        if (object->at("version").to_number<std::uint64_t>() > format_version)
            return error(errc::newer_version, "a newer version of regsweep has written this report");
        return read_fields(*object);
    } catch (const std::exception& e) {
        return error(errc::bad_file, std::string("this report is damaged: ") + e.what());
    }
}

} // namespace regsweep
