// The page of `regsweep bench --html`; report: include/regsweep/load/report.hpp, docs/bench.md.

const report = read_data("report");
const earlier = read_data("earlier");
document.title = "Load on " + report.registry;

function digits(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}
const tick = (value) => value >= 1e6 ? +(value / 1e6).toPrecision(3) + "M" :
  value >= 1e4 ? +(value / 1e3).toPrecision(3) + "k" : +value.toPrecision(3) + "";
function ms(value) { return value >= 10000 ? digits(value / 1000) + " s" : digits(value) + " ms"; }

// The buckets of histogram.hpp: 128 from each power of two to the next.
function lowest(bucket) {
  if (bucket < 256) return bucket;
  const shift = Math.floor(bucket / 128) - 1;
  return (128 + bucket % 128) * 2 ** shift;
}
function merged(run) {
  const counts = new Map();
  let total = 0, max = 0;
  for (const one of Object.values(run.operations)) {
    max = Math.max(max, one.histogram.max_ns);
    for (const [bucket, count] of one.histogram.buckets) {
      counts.set(bucket, (counts.get(bucket) || 0) + count);
      total += count;
    }
  }
  return { total, max, buckets: [...counts].sort((a, b) => a[0] - b[0]) };
}
// Latency in ms at each count of nines, from 0 (all) to what the number of requests allows.
function nines(run) {
  const of = merged(run), out = [];
  let seen = 0;
  const last = Math.log10(Math.max(of.total, 10));
  for (const [bucket, count] of of.buckets) {
    const before = of.total - seen;
    seen += count;
    const value = Math.min(lowest(bucket + 1) - 1, of.max) / 1e6;
    out.push([Math.log10(of.total / before), value]);
    out.push([seen === of.total ? last : Math.log10(of.total / (of.total - seen)), value]);
  }
  return out;
}

const narrow = matchMedia("(max-width: 560px)").matches;
const height = 250, left = 52, right = 14, top = 12, bottom = 40;

function nice(low, high, wanted) {
  const span = Math.max(high - low, 1e-9), raw = span / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= raw);
  const out = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) out.push(v);
  return out;
}
function decades(low, high) {
  const out = [];
  for (let p = Math.floor(Math.log10(low)); 10 ** p <= high * 1.0001; ++p)
    for (const f of high / low > 500 ? [1] : [1, 2, 5])
      if (f * 10 ** p >= low * 0.9999 && f * 10 ** p <= high * 1.0001) out.push(f * 10 ** p);
  return out;
}

// A chart of lines. spec: x {low, high, ticks, label, name}, y {low, high, log, label, name}, lines [{points, colour,
// dash, dots, name, show}], shade [from, to] in x, marks [x].
function chart(spec) {
  const { x, y } = spec, width = spec.width || (narrow ? 360 : 520);
  const scaled = (v) => y.log ? Math.log10(v) : v;
  const px = (v) => left + (v - x.low) / (x.high - x.low || 1) * (width - left - right);
  const py = (v) => height - bottom -
    (scaled(Math.max(v, y.low)) - scaled(y.low)) / (scaled(y.high) - scaled(y.low) || 1) * (height - top - bottom);
  const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": spec.title });
  if (spec.shade && spec.shade[1] > spec.shade[0]) {
    svg.append(make("rect", { x: px(spec.shade[0]), y: top, width: px(spec.shade[1]) - px(spec.shade[0]),
      height: height - top - bottom, fill: "var(--shade)" }));
    svg.append(make("text", { x: px(spec.shade[0]) + 5, y: height - bottom - 6 }, "warm-up"));
  }
  for (const v of y.log ? decades(y.low, y.high) : nice(y.low, y.high, 5)) {
    svg.append(make("line", { class: "grid", x1: left, x2: width - right, y1: py(v), y2: py(v) }));
    svg.append(make("text", { x: left - 6, y: py(v) + 4, "text-anchor": "end" }, tick(v)));
  }
  for (const [v, name] of x.ticks)
    svg.append(make("text", { x: px(v), y: height - bottom + 17, "text-anchor": "middle" }, name));
  svg.append(make("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, x.label));
  for (const line of spec.lines) {
    if (!line.points.length) continue;
    const d = line.points.map(([a, b], i) => (i ? "L" : "M") + px(a).toFixed(1) + " " + py(b).toFixed(1)).join("");
    if (!line.dotsOnly)
      svg.append(make("path", { d, fill: "none", stroke: line.colour, "stroke-width": 2, "stroke-linejoin": "round",
        "stroke-dasharray": line.dash ? "5 4" : "none" }));
    if (line.dots || line.points.length === 1)
      for (const point of line.points)
        svg.append(make("circle", { cx: px(point[0]), cy: py(point[1]), r: 3.5, fill: point[3] || line.colour },
          make("title", {}, point[2] || "")));
  }
  return svg;
}
function card(title, explained, lines, ...rest) {
  const marks = make("p", {}, lines.filter((l) => l.name && l.points.length).map((l) => {
    const swatch = make("i", { class: l.dash ? "dash" : "" });
    swatch.style.borderTopColor = l.colour;
    return make("span", { class: "mark" }, swatch, l.name);
  }));
  return make("section", { class: "card" }, make("h2", {}, title), make("p", { class: "quiet" }, explained), marks, rest);
}
function top_of(lines) {
  const high = Math.max(1e-9, ...lines.flatMap((l) => l.points.map((p) => p[1]))) * 1.04;
  const ticks = nice(0, high, 5);
  return ticks.length > 1 ? Math.ceil(high / ticks[1]) * ticks[1] : high;
}
// From one line of the scale to another, around all that is shown.
function log_range(lines) {
  const all = lines.flatMap((l) => l.points.map((p) => p[1])).filter((v) => v > 0);
  if (!all.length) return { low: 0.1, high: 10 };
  const low = Math.min(...all), high = Math.max(...all), wide = high / low > 200;
  const factors = wide ? [1, 10] : [1, 2, 5, 10];
  const decade = (v) => 10 ** Math.floor(Math.log10(v));
  const below = factors.filter((f) => f * decade(low) <= low * 1.0001).pop() * decade(low);
  const above = factors.find((f) => f * decade(high) >= high * 0.9999) * decade(high);
  return { low: below, high: Math.max(above, below * 10) };
}

// --- which runs to show

const runs = report.runs;
const best = runs.reduce((a, b) => b.good_rate > a.good_rate ? b : a, runs[0]);
const twin = (run) => !earlier || !run ? null : earlier.runs.find((r) => r.concurrency === run.concurrency &&
  (r.wanted_rate === null) === (run.wanted_rate === null)) || null;
const before = twin(best);
const found = report.limit ? report.limit.rate : null;

function difference(now, then, less) {
  if (then === null || then === undefined || !(then > 0)) return null;
  const percent = (now / then - 1) * 100;
  const sign = percent >= 0 ? "+" : "\u2212";
  const better = less ? percent < 0 : percent > 0;
  return make("span", { class: "quiet " + (Math.abs(percent) < 1 ? "" : better ? "up" : "down") },
    `${sign}${Math.abs(percent).toFixed(1)} % from ${digits(then)}`);
}
function share(run) { return run.requests ? run.errors / run.requests * 100 : 0; }
function failures(run) { return Object.entries(run.failures).map(([k, n]) => `${k}: ${n.toLocaleString("en")}`).join(", "); }

// --- head and tiles

const when = (r) => moment(r.started_at);
page.append(make("h1", {}, "Load on " + report.registry));
page.append(make("p", { class: "quiet" }, (report.deletion ? "deletions of a plan" :
  `${report.mix} \u00b7 ${report.order} order, seed ${report.seed}`) + " \u00b7 " +
  `${report.threads} thread${report.threads === 1 ? "" : "s"} \u00b7 ${when(report)}` +
  (runs.some((r) => r.interrupted) ? " \u00b7 interrupted" : "")));
if (report.deletion) {
  const d = report.deletion, n = (v) => v.toLocaleString("en");
  page.append(make("p", { class: "quiet" }, `Plan of ${n(d.steps)} steps: ${n(d.settled)} settled (${n(d.gone)} had ` +
    `nothing left to do, ${n(d.failed)} failed, ${n(d.dropped)} left alone) \u00b7 ` +
    `regsweep restore ${d.run} takes it back`));
}
if (earlier)
  page.append(make("p", { class: "quiet" }, `Compared with ${earlier.registry}, ${earlier.mix}, ${when(earlier)}: dashed`));

if (best) {
  const l = best.latency_ms, o = before ? before.latency_ms : {};
  const how = best.wanted_rate === null ? `at ${best.concurrency} connection${best.concurrency === 1 ? "" : "s"}` :
    `of ${digits(best.wanted_rate)}/s wanted`;
  page.append(make("div", { class: "tiles" },
    report.limit ? tile("Limit", found === null ? "none" : digits(found), found === null ? "" : "/s",
      make("span", { class: "quiet" }, `p99 \u2264 ${ms(report.limit.slo_p99_ms)} for ${report.limit.hold_seconds} s`)) : null,
    report.limit ? null : tile("Rate " + how, digits(best.good_rate), "/s",
      difference(best.good_rate, before && before.good_rate, false)),
    tile("Half within (p50)", digits(l.p50), "ms", difference(l.p50, o.p50, true)),
    tile("99 % within (p99)", digits(l.p99), "ms", difference(l.p99, o.p99, true)),
    tile("Slowest", digits(l.max), "ms", difference(l.max, o.max, true)),
    tile("Errors", digits(share(best)), "%", make("span", { class: "quiet" + (best.errors ? " down" : "") },
      best.errors ? failures(best) : `of ${best.requests.toLocaleString("en")} requests`))));
}

// --- charts

const charts = make("div", { class: "charts" });
page.append(charts);

if (runs.length > 1) {
  const at = (list) => (run) => { const i = list.indexOf(run.concurrency); return i < 0 ? null : i; };
  const levels = [...new Set(runs.concat(earlier ? earlier.runs : []).map((r) => r.concurrency))].sort((a, b) => a - b);
  const place = at(levels);
  const rows = (list, f) => list.map((r) => [place(r), f(r), `${r.concurrency}: ${digits(f(r))}`])
    .filter((p) => p[0] !== null).sort((a, b) => a[0] - b[0]);
  const x = { low: -0.2, high: levels.length - 0.8, ticks: levels.map((v, i) => [i, v]), label: "connections" };
  const rates = [{ points: rows(runs, (r) => r.good_rate), colour: "var(--a)", dots: true, name: "requests/s" }];
  const times = [{ points: rows(runs, (r) => r.latency_ms.p50), colour: "var(--a)", dots: true, name: "p50" },
    { points: rows(runs, (r) => r.latency_ms.p99), colour: "var(--b)", dots: true, name: "p99" }];
  if (earlier) {
    rates.push({ points: rows(earlier.runs, (r) => r.good_rate), colour: "var(--quiet)", dash: true, name: "earlier" });
    times.push({ points: rows(earlier.runs, (r) => r.latency_ms.p99), colour: "var(--quiet)", dash: true, name: "earlier p99" });
  }
  charts.append(card("Rate at each concurrency", "More connections help up to where this goes flat.", rates,
    chart({ title: "rate at each concurrency", x, y: { low: 0, high: top_of(rates) }, lines: rates })));
  charts.append(card("Latency at each concurrency", "Milliseconds, on a logarithmic scale.", times,
    chart({ title: "latency at each concurrency", x, y: { ...log_range(times), log: true }, lines: times })));
}

if (report.limit && report.limit.trials.length) {
  const trials = report.limit.trials;
  const lines = [{ points: trials.map((t, i) => [i + 1, t.rate, `${digits(t.rate)}: ${t.held ? "holds" : t.why}`,
    t.held ? "var(--good)" : "var(--bad)"]), colour: "var(--quiet)", dash: true, dots: true }];
  const marks = [{ points: [1], colour: "var(--good)", name: "holds" }, { points: [1], colour: "var(--bad)", name: "does not" }];
  const step = Math.max(1, Math.ceil(trials.length / 12));
  charts.append(card("Search for the limit", "Requests/s that were tried, one after the other.", marks,
    chart({ title: "search for the limit", x: { low: 0.5, high: trials.length + 0.5, label: "trial",
      ticks: trials.map((t, i) => [i + 1, i + 1]).filter((t, i) => i % step === 0) },
      y: { low: 0, high: top_of(lines) }, lines })));
}

function seconds_axis(high) { return nice(0, high, 6).map((v) => [v, tick(v)]); }
const whole = (run) => run.series.filter((s, i) => s.seconds >= 0.5 || run.series.length === 1);
if (best && best.series.length) {
  const points = (run, f) => whole(run).map((s) => [s.begin + s.seconds / 2, f(s), `${s.begin} s: ${digits(f(s))}`]);
  // A load ends a little before or after a whole second: the scale need not show that.
  const end = (run) => run ? Math.round(Math.max(...run.series.map((s) => s.begin + s.seconds)) * 20) / 20 : 0;
  const x = { low: 0, high: Math.max(end(best), end(before)), label: "seconds" };
  x.ticks = seconds_axis(x.high);
  const warm = best.series.filter((s) => s.warmup);
  const shade = warm.length ? [0, report.warmup_seconds] : null;
  const rates = [{ points: points(best, (s) => s.requests / s.seconds), colour: "var(--a)", name: "requests/s" }];
  if (best.errors) rates.push({ points: points(best, (s) => s.errors / s.seconds), colour: "var(--bad)", name: "errors/s" });
  if (before) rates.push({ points: points(before, (s) => s.requests / s.seconds), colour: "var(--quiet)", dash: true, name: "earlier" });
  const which = runs.length > 1 ? ` (${best.concurrency} connections)` : "";
  charts.append(card("Rate over time" + which, "Answers in each second.", rates,
    chart({ title: "rate over time", x, y: { low: 0, high: top_of(rates) }, lines: rates, shade })));
  const times = [{ points: points(best, (s) => s.p50_ms), colour: "var(--a)", name: "p50" },
    { points: points(best, (s) => s.p99_ms), colour: "var(--b)", name: "p99" }];
  if (before) times.push({ points: points(before, (s) => s.p99_ms), colour: "var(--quiet)", dash: true, name: "earlier p99" });
  charts.append(card("Latency over time" + which, "Milliseconds; half and 99 % of each second's answers were faster.", times,
    chart({ title: "latency over time", x, y: { ...log_range(times), log: true }, lines: times, shade })));
}

if (best && best.requests) {
  // Where it stands in the last row alone it takes the whole row.
  const alone = charts.children.length % 2 === 0 && matchMedia("(min-width: 1000px)").matches;
  const lines = [{ points: nines(best), colour: "var(--a)", name: runs.length > 1 ? `${best.concurrency} connections` : "now" }];
  if (before && before.requests) lines.push({ points: nines(before), colour: "var(--quiet)", dash: true, name: "earlier" });
  const high = Math.max(...lines.flatMap((l) => l.points.map((p) => p[0])), 1);
  const names = ["0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999", "99.999999"];
  const ticks = names.map((n, i) => [i, n + " %"]).filter((t) => t[0] <= high);
  ticks.splice(0, 1, [Math.log10(2), "50 %"]);
  charts.append(card("Latency percentiles", "This share of the answers took at most so many milliseconds.", lines,
    chart({ title: "latency percentiles", width: alone ? 1060 : 0, x: { low: 0, high, ticks, label: "of all requests" },
      y: { ...log_range(lines), log: true }, lines })));
}

// --- tables

function table(head, rows) {
  return make("table", {}, make("thead", {}, make("tr", {}, head.map((h) => make("th", h === "outcome" ? { class: "text" } : {}, h)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell) =>
      make("td", cell && cell.text !== undefined ? { class: "text" } : {}, cell && cell.text !== undefined ? cell.text : cell))))));
}
const times = (l) => [l.min, l.mean, l.p50, l.p90, l.p99, l.p99_9, l.max].map(digits);
const heads = ["min", "mean", "p50", "p90", "p99", "p99.9", "max"];
if (runs.length > 1)
  page.append(make("section", { class: "card wide" }, make("h2", {}, "All levels"), make("p", { class: "quiet" }, "Latencies in milliseconds."),
    table(["connections", "requests/s", "errors", ...heads], runs.map((r) =>
      [String(r.concurrency), digits(r.good_rate), r.errors.toLocaleString("en"), ...times(r.latency_ms)]))));
if (best)
  page.append(make("section", { class: "card wide" },
    make("h2", {}, "Operations" + (runs.length > 1 ? ` with ${best.concurrency} connections` : "")),
    make("p", { class: "quiet" }, "Latencies in milliseconds, failed requests included" +
      (best.wanted_rate === null ? "." : ", counted from when each request was due.") +
      (best.unsent ? ` ${best.unsent.toLocaleString("en")} requests were due but never sent: all connections were busy.` : "")),
    table(["operation", "requests", "errors", "requests/s", ...heads], Object.entries(best.operations).map(([name, o]) =>
      [name, o.requests.toLocaleString("en"), o.errors.toLocaleString("en"), digits(o.rate), ...times(o.latency_ms)])),
    best.first_failure ? make("p", { class: "quiet" }, "First failure: " + best.first_failure) : null));
if (report.limit)
  page.append(make("section", { class: "card wide" }, make("h2", {}, "Trials of the search"),
    table(["requests/s", "seconds", "answered/s", "p99, ms", "errors", "outcome"], report.limit.trials.map((t) =>
      [digits(t.rate), t.seconds.toFixed(1), digits(t.reached), digits(t.p99_ms), (t.errors * 100).toFixed(2) + " %",
        { text: t.held ? "holds" : t.why }]))));
