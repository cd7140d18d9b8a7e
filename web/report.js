// The page of `regsweep report --html`; its data: src/report/report_html.cpp.

const data = read_data("report");

// --- columns of all tags

const count = data.tags.name.length;
const repositories = data.repositories;
const repository_of = new Uint32Array(count);
const begin_of = new Uint32Array(repositories.name.length + 1);
repositories.tags.forEach((tags, r) => {
  begin_of[r + 1] = begin_of[r] + tags;
  repository_of.fill(r, begin_of[r], begin_of[r + 1]);
});
const tag_names = data.tags.name, manifest_of = data.tags.manifest, sizes = data.tags.size, uniques = data.tags.unique;
const created_of = (i) => data.manifests.created[manifest_of[i]];
const sized = data.total.size > 0;
const partly = repositories.name.length < data.all_repositories; // whether only some are shown
const plan = data.plan;

const hour = 3600, day = 24 * hour;
const ages = [day, 7 * day, 30 * day, 91 * day, 365 * day, Infinity, NaN]; // younger than; the last is unknown
const age_texts = ["up to 24 hours", "1 to 7 days", "8 to 30 days", "31 to 91 days", "92 to 365 days", "older", "unknown"];
const age_ticks = ["24 h", "7 days", "30 days", "91 days", "1 year", "older", "unknown"];
const age_of = Uint8Array.from({ length: count }, (_, i) => {
  const when = created_of(i);
  return when === null ? 6 : ages.findIndex((limit) => data.made_at - when < limit);
});

// The numbers of `tag_outlook`.
const outlooks = [
  { name: "stays", goes: false, why: "no step of the plan names it" },
  { name: "goes", goes: true },
  { name: "goes", goes: true, note: "nobody asked for it, but it has a digest that goes: " },
  { name: "goes", goes: true, note: "the tag alone, its image stays: " },
  { name: "stays", goes: false, why: "it has moved to another image since the plan was made" },
  { name: "stays", goes: false, why: "a tag that the plan does not name uses its image now" },
  { name: "stays", goes: false, why: "an index that stays lists its image" },
];
const goes = (i) => plan !== null && outlooks[plan.outlook[i]].goes;

// Manifests that lose a tag, and the first tag that they lose.
const loses = new Map();
if (plan) for (let i = 0; i < count; ++i) if (goes(i) && !loses.has(manifest_of[i])) loses.set(manifest_of[i], i);

// The plan's own words where it says why, with what is to be added.
function reason_text(i) {
  const outlook = outlooks[plan.outlook[i]], told = plan.reason[i] === null ? "" : plan.reasons[plan.reason[i]];
  return outlook.goes ? (outlook.note || "") + told : plan.outlook[i] === 0 && told ? told : outlook.why;
}
function why(i) {
  const text = reason_text(i);
  return plan.outlook[i] === 0 && loses.has(manifest_of[i]) ?
    text + "; it has the same image as " + image(loses.get(manifest_of[i])) + ", which goes" : text;
}

// --- words

const number = (value) => value.toLocaleString("en");
const plural = (value, one, many) => `${number(value)} ${value === 1 ? one : many || one + "s"}`;
const image = (i) => `${repositories.name[repository_of[i]]}:${tag_names[i]}`;
const digest = (m) => { const text = data.manifests.digest[m]; return text.includes(":") ? text : "sha256:" + text; };
const short = (m) => digest(m).replace(/^(sha\d+:.{12}).*$/, "$1");
const of_repositories = (shown) => partly ? `${number(shown)} of ${plural(data.all_repositories, "repository", "repositories")}` :
  plural(shown, "repository", "repositories");
function bytes(value) {
  if (value === null) return "unknown";
  if (value <= 1000) return value + " B";
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let unit = 0;
  for (value /= 1024; value >= 999.95 && unit + 1 < units.length; ++unit) value /= 1024;
  return value.toFixed(1) + " " + units[unit];
}
// The size of a repository of which manifests are not known.
const at_least = (r) => (repositories.unknown[r] ? "\u2265 " : "") + bytes(repositories.size[r]);
const about = (r, value) => (repositories.unknown[r] ? "\u2248 " : "") + bytes(value);
const date = (seconds) => seconds === null ? "unknown" : new Date(seconds * 1000).toISOString().slice(0, 10);
function ago(seconds) {
  if (seconds === null) return "unknown";
  const age = data.made_at - seconds;
  if (age < 0) return "in the future";
  const [size, name] = [[365 * day, "year"], [30 * day, "month"], [day, "day"], [hour, "hour"], [60, "minute"]]
    .find(([s]) => age >= s) || [1, "second"];
  return plural(Math.floor(age / size), name) + " ago";
}

// --- tables

let ids = 0;
const paged_tables = [];
const paper_rows = 200; // that are printed of each
let printing = false;
const button = (text, action, attributes) => {
  const node = make("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", action);
  return node;
};

// A table of which a page is shown at a time. columns: {title, cell(row) → text or node, key(row) → number, text or
// null, down: the first click puts the largest first, number: right-aligned, extra: not where it is narrow}.
class paged_table {
  constructor({ caption, columns, rows, page_rows, sort, note, none }) {
    Object.assign(this, { columns, rows: rows || [], page_rows: page_rows || 10, at: 0, none });
    this.sort = sort || null; // {column, down}
    this.ranks = new Map();
    this.head = make("tr", {});
    this.body = make("tbody", {});
    this.status = make("span", { class: "quiet", role: "status" });
    const id = "table-" + ++ids;
    // A button that has nothing more to do would take the keyboard's place with it.
    const go = (to) => (event) => {
      this.at = to();
      this.draw();
      if (event.currentTarget.disabled) (this.at ? this.back : this.forth).focus();
    };
    this.first = button("First", go(() => 0));
    this.back = button("Previous", go(() => this.at - this.page_rows));
    this.forth = button("Next", go(() => this.at + this.page_rows));
    this.last = button("Last", go(() => this.last_page()));
    this.table = make("table", { "aria-labelledby": id }, make("thead", {}, this.head), this.body);
    paged_tables.push(this);
    this.pager = make("nav", { class: "pager", "aria-label": "Pages of " + caption.toLowerCase() }, this.first, this.back,
      this.forth, this.last);
    this.node = make("section", { class: "card wide" }, make("h2", { id }, caption),
      note ? make("p", { class: "quiet" }, note) : null, this.table,
      make("div", { class: "foot" }, this.status, this.pager));
    columns.forEach((c, i) => {
      c.sorter = button(c.title, () => this.sort_by(i));
      c.head = make("th", { scope: "col", class: this.classes(c) }, c.sorter);
      this.head.append(c.head);
    });
  }
  classes(column) { return (column.number ? "number" : "text") + (column.extra ? " extra" : ""); }
  last_page() { return Math.max(0, Math.ceil(this.rows.length / this.page_rows) - 1) * this.page_rows; }

  sort_by(i) {
    const down = this.sort && this.sort.column === i ? !this.sort.down : Boolean(this.columns[i].down);
    this.sort = { column: i, down };
    this.show(this.rows);
  }
  // Shows these rows in the order that is chosen. What is unknown comes last in either direction.
  show(rows) {
    this.rows = rows;
    if (this.sort) {
      const { key, unknown } = this.keys(this.sort.column);
      const sign = this.sort.down ? -1 : 1;
      this.rows = rows.slice().sort((a, b) => unknown[a] - unknown[b] || sign * (key[a] - key[b]) || a - b);
    }
    this.at = 0;
    this.draw();
  }
  // Numbers that sort as the column does, by row. Rows are small numbers, and their columns never change.
  keys(i) {
    if (!this.ranks.has(i)) {
      const values = [], most = this.rows.reduce((m, r) => Math.max(m, r + 1), this.total || 0);
      for (let r = 0; r < most; ++r) values.push(this.columns[i].key(r));
      const unknown = Uint8Array.from(values, (v) => v === null ? 1 : 0);
      if (values.some((v) => typeof v === "string")) {
        const places = [...values.keys()].sort((a, b) => values[a] < values[b] ? -1 : values[a] > values[b] ? 1 : 0);
        let rank = 0;
        const key = new Float64Array(most);
        places.forEach((r, n) => { key[r] = n && values[r] !== values[places[n - 1]] ? ++rank : rank; });
        this.ranks.set(i, { key, unknown });
      } else {
        this.ranks.set(i, { key: Float64Array.from(values, (v) => v === null ? 0 : v), unknown });
      }
    }
    return this.ranks.get(i);
  }
  draw() {
    this.columns.forEach((c, i) => {
      const sorted = this.sort && this.sort.column === i;
      c.head.setAttribute("aria-sort", !sorted ? "none" : this.sort.down ? "descending" : "ascending");
    });
    const begin = printing ? 0 : this.at;
    const shown = this.rows.slice(begin, begin + (printing ? paper_rows : this.page_rows));
    this.body.replaceChildren(...Array.from(shown, (row) =>
      make("tr", {}, this.columns.map((c) => make("td", { class: this.classes(c) }, c.cell(row))))));
    if (!shown.length)
      this.body.append(make("tr", {}, make("td", { class: "text", colspan: this.columns.length }, this.none || "None.")));
    this.status.textContent = !shown.length ? "0 rows" :
      `${number(begin + 1)}\u2013${number(begin + shown.length)} of ${number(this.rows.length)}`;
    this.first.disabled = this.back.disabled = this.at === 0;
    this.forth.disabled = this.last.disabled = this.at >= this.last_page();
    this.pager.hidden = this.rows.length <= this.page_rows;
  }
}

const all_rows = Uint32Array.from({ length: count }, (_, i) => i);
const top_rows = (key, most) => {
  // The first ones only, without sorting all: rows that reach the smallest of them.
  const rows = all_rows.filter((i) => key(i) !== null);
  const values = Float64Array.from(rows, key).sort().reverse();
  if (rows.length <= most) return rows.sort((a, b) => key(b) - key(a) || a - b);
  const least = values[most - 1];
  return rows.filter((i) => key(i) >= least).sort((a, b) => key(b) - key(a) || a - b).slice(0, most);
};

// --- one tag in full

const dialog = make("dialog", { "aria-labelledby": "detail-title" });
function open_detail(i) {
  const m = manifest_of[i], facts = make("dl", {});
  const fact = (name, ...value) => facts.append(make("dt", {}, name), make("dd", {}, ...value));
  if (plan) fact("Plan", badge(i), " ", why(i));
  fact("Digest", make("code", {}, digest(m)));
  const kind = data.manifests.index[m] ? "multi-arch index" : "image";
  const platforms = data.platforms[data.manifests.platforms[m]];
  fact("Kind", platforms ? `${kind}, ${platforms}` : kind);
  const when = created_of(i);
  fact("Created", when === null ? "unknown" : `${moment(when)}, ${ago(when)}`);
  fact("Size", sizes[i] === null ? "unknown" : `${bytes(sizes[i])}, of which ${bytes(uniques[i])} no other tag uses`);
  const same = all_rows.filter((o) => o !== i && manifest_of[o] === m);
  if (same.length)
    fact("Same image", same.length > 50 ? `${plural(same.length, "tag")}, the first 50: ` : "",
      Array.from(same.slice(0, 50), image).join(", "));
  const labels = data.labels.of.find((l) => l[0] === m);
  if (labels)
    for (let p = 1; p < labels.length; p += 2)
      facts.append(make("dt", { class: "label" }, data.labels.texts[labels[p]]),
        make("dd", {}, data.labels.texts[labels[p + 1]]));
  const close = button("Close", () => dialog.close(), { class: "close" });
  dialog.replaceChildren(make("h2", { id: "detail-title" }, image(i)), facts, close);
  dialog.showModal();
}
const link = (i, text) => button(text, () => open_detail(i), { class: "link", title: "All that is known of it" });
const fate = (name) => make("span", { class: "badge " + name }, name);
const badge = (i) => fate(outlooks[plan.outlook[i]].name);

// --- the head of the page

const title = data.registry.replace(/^https:\/\/(.*?):443(?=\/|$)/, "$1");
document.title = "Registry report: " + title;
const distinct = data.manifests.digest.length;
page.append(make("h1", {}, title));
page.append(make("p", { class: "quiet" }, [
  data.indexed_at ? `Index of ${moment(data.indexed_at)}` : "Index of an unknown time",
  data.scope ? `only ${data.scope}` : "",
  partly ? `shows ${of_repositories(repositories.name.length)}` : "",
  `page of ${moment(data.made_at)}`,
].filter(Boolean).join(" \u00b7 ")));
if (data.incomplete)
  page.append(make("p", { class: "warn" }, `${plural(data.incomplete, "repository", "repositories")} could not be read ` +
    "completely: what is missing there is not on this page."));
if (data.total.unknown)
  page.append(make("p", { class: "warn" }, sized ?
    `${plural(data.total.unknown, "manifest")} of ${number(data.total.manifests)} are not known: ` +
    "what they use is not in these sizes." :
    "Sizes and times are not known: make the page without --no-details to read them."));

const split = (text) => { const [value, unit] = text.split(" "); return [value, unit || ""]; };
const below = (text) => make("span", { class: "quiet" }, text);
const known_times = data.manifests.created.filter((c) => c !== null);
const oldest = known_times.length ? known_times.reduce((a, b) => Math.min(a, b)) : null;
page.append(make("div", { class: "tiles" },
  tile("Tags", number(count), "", below(`in ${of_repositories(repositories.name.length)}`)),
  tile("Images", number(distinct), "", below("different digests with a tag")),
  sized ? tile("Stored", ...split(bytes(data.total.size)), below("each blob once")) : null,
  sized ? tile("Shared", ...split(bytes(data.total.size - repositories.unique.reduce((a, b) => a + b, 0))),
    below("used by several repositories")) : null,
  oldest !== null ? tile("Oldest", ...split(ago(oldest).replace(" ago", "")), below("made " + date(oldest))) : null));

// --- charts

const colours = () => {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(["ink", "quiet", "line", "card", "a", "on-a", "a-soft", "on-soft", "bad"]
    .map((name) => [name, style.getPropertyValue("--" + name).trim()]));
};
const drawn = []; // {chart, options(colours)}
function chart_card(title, note, height, options, label, on_click) {
  const place = make("div", { class: "chart", role: "img", "aria-label": label });
  place.style.height = height + "px";
  const node = make("section", { class: "card" }, make("h2", {}, title), make("p", { class: "quiet" }, note), place);
  return { node, start() {
    const chart = charts.init(place, null, { renderer: "svg" });
    chart.on("click", on_click);
    drawn.push({ chart, options });
    chart.setOption(options(colours()));
  } };
}
function redraw() {
  const width = printing ? 640 : "auto";
  for (const { chart, options } of drawn) {
    chart.resize({ width });
    chart.setOption(options(colours()), true);
    chart.getZr().flush();
  }
}
// On paper the width is another one, which cannot be asked for yet: what A4 and Letter have.
function on_paper(is) {
  printing = is;
  for (const table of paged_tables) table.draw();
  redraw();
}
// A tooltip's lines as nodes: what is in them is text.
const tip = (title, ...lines) => make("div", {}, make("b", {}, title), lines.map((l) => make("div", {}, l)));
const tooltip = (c, formatter) => ({ formatter, confine: true, backgroundColor: c.card, borderColor: c.line,
  textStyle: { color: c.ink, fontSize: 13 }, extraCssText: "white-space: normal; max-width: 300px; overflow-wrap: anywhere" });

// Repositories below their first segment; what is too small to be seen is put together.
function tree(c) {
  const weight = (r) => sized ? repositories.size[r] : repositories.tags[r];
  const order = repositories.name.map((_, r) => r).filter((r) => weight(r) > 0).sort((a, b) => weight(b) - weight(a));
  const shown = order.slice(0, 120), rest = order.slice(120);
  const first = (r) => repositories.name[r].includes("/") ? repositories.name[r].split("/")[0] : "";
  const leaf = (r, name) => {
    const what = { name: visible(name), repository: r };
    if (!sized) return { ...what, value: weight(r), itemStyle: { color: c.a } };
    const shared = repositories.size[r] - repositories.unique[r];
    const unique = repositories.unique[r]; // the larger part has the name
    return { ...what, value: weight(r), children: [
      { name: unique >= shared ? what.name : "", repository: r, value: unique, itemStyle: { color: c.a } },
      { name: unique >= shared ? "" : what.name, repository: r, value: shared, itemStyle: { color: c["a-soft"] },
        label: { color: c["on-soft"] } },
    ].filter((part) => part.value > 0) };
  };
  const groups = new Map();
  for (const r of shown) {
    const name = first(r);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(r);
  }
  const out = [];
  for (const [name, members] of groups) {
    if (!name || members.length === 1) out.push(...members.map((r) => leaf(r, repositories.name[r])));
    else out.push({ name: visible(name) + "/", group: name, upperLabel: { show: true }, value: members.reduce((a, r) => a + weight(r), 0),
      children: members.map((r) => leaf(r, repositories.name[r].slice(name.length + 1))) });
  }
  if (rest.length)
    out.push({ name: `${plural(rest.length, "smaller repository", "smaller repositories")}`,
      value: rest.reduce((a, r) => a + weight(r), 0), itemStyle: { color: c.quiet } });
  return out;
}
const mark = (kind, text) => make("span", { class: "mark" }, make("i", { class: kind }), text);
const on_screen = (text) => make("span", { class: "screen" }, text);
const treemap = chart_card(sized ? "Size by repository" : "Tags by repository",
  make("span", {}, sized ? [mark("unique", "only here"), mark("shared", "also in other repositories, drawn in each of them")] :
    "Sizes are not known. ", on_screen("A click shows the tags. The table of repositories says the same.")), 380,
  (c) => ({ animation: false, tooltip: tooltip(c, (p) => {
    const r = p.data && p.data.repository;
    if (r === undefined) return tip(p.name, sized ? bytes(p.value) : plural(p.value, "tag"));
    const lines = [plural(repositories.tags[r], "tag")];
    if (sized) lines.unshift(`${at_least(r)}, ${about(r, repositories.unique[r])} only here`);
    if (sized && repositories.unknown[r]) lines.push(`${plural(repositories.unknown[r], "manifest")} not known`);
    return tip(repositories.name[r], ...lines);
  }),
    series: [{ type: "treemap", left: 0, right: 0, top: 0, bottom: 0, roam: false, nodeClick: false, data: tree(c),
      breadcrumb: { show: false }, visibleMin: 30,
      label: { color: c["on-a"], fontSize: 12, padding: 0, position: [4, 6], overflow: "truncate" },
      upperLabel: { height: 20, color: c.ink, fontSize: 12, padding: [0, 2] },
      levels: [
        { itemStyle: { borderColor: c.card, borderWidth: 0, gapWidth: 3 } },
        { itemStyle: { borderColor: c.card, borderWidth: 0, gapWidth: 2 } },
        { itemStyle: { borderColor: c.card, borderWidth: 0, gapWidth: 0 } },
      ], emphasis: { itemStyle: { opacity: 0.85 } } }] }),
  "Treemap of repositories by size; the table of repositories below has the same figures.",
  (p) => {
    if (!p.data) return;
    if (p.data.repository !== undefined) filter_by({ repository: repositories.name[p.data.repository] });
    else if (p.data.group) filter_by({ repository: p.data.group });
  });

const per_age = new Array(ages.length).fill(0), going_per_age = new Array(ages.length).fill(0);
for (let i = 0; i < count; ++i) {
  ++per_age[age_of[i]];
  if (goes(i)) ++going_per_age[age_of[i]];
}
const age_chart = chart_card("Tags by age", make("span", {}, plan ? [mark("unique", "stays"), mark("goes", "goes")] : null,
  "When the image was made, each tag once. ", on_screen("A click shows the tags.")), 240,
  (c) => ({ animation: false, tooltip: tooltip(c, (p) => tip(age_texts[p.dataIndex], plural(per_age[p.dataIndex], "tag"),
    ...(plan ? [`${number(going_per_age[p.dataIndex])} go`] : []))),
    grid: { left: 4, right: 4, top: 22, bottom: 10, containLabel: true },
    xAxis: { type: "category", data: age_ticks, axisTick: { show: false }, axisLine: { lineStyle: { color: c.line } },
      axisLabel: { color: c.quiet, fontSize: 12, interval: 0, hideOverlap: false } },
    yAxis: { type: "value", show: false },
    series: (plan ? [["stays", (n) => per_age[n] - going_per_age[n], c.a], ["goes", (n) => going_per_age[n], c.bad]] :
      [["tags", (n) => per_age[n], c.a]]).map(([name, value, color], s, all) => ({ name, type: "bar", stack: "all",
      data: ages.map((_, n) => value(n)), itemStyle: { color }, barMaxWidth: 64,
      label: { show: s === all.length - 1, position: "top", color: c.ink, formatter: (p) => number(per_age[p.dataIndex]) } })) }),
  "Tags by age: " + ages.map((_, n) => `${age_texts[n]} ${number(per_age[n])}`).join(", "),
  (p) => filter_by({ age: p.dataIndex }));

// --- what the plan does

const reasons = []; // {goes, text, tags}
const reason_of = plan ? new Uint32Array(count) : null;
function plan_section() {
  const known = new Map();
  let going = 0;
  for (let i = 0; i < count; ++i) {
    const kind = plan.outlook[i], text = reason_text(i);
    const key = kind + " " + text;
    if (!known.has(key)) known.set(key, reasons.push({ goes: outlooks[kind].goes, text, tags: 0 }) - 1);
    const r = reason_of[i] = known.get(key);
    ++reasons[r].tags;
    if (outlooks[kind].goes) ++going;
  }
  const table = new paged_table({ caption: "What goes, what stays, and why", page_rows: 10,
    rows: reasons.map((_, r) => r), sort: { column: 2, down: true }, columns: [
      { title: "Plan", key: (r) => reasons[r].goes ? 0 : 1,
        cell: (r) => fate(reasons[r].goes ? "goes" : "stays") },
      { title: "Why", key: (r) => reasons[r].text, cell: (r) => reasons[r].text },
      { title: "Tags", number: true, down: true, key: (r) => reasons[r].tags, cell: (r) =>
        button(number(reasons[r].tags), () => filter_by({ reason: r }), { class: "link", title: "Show these tags" }) },
    ] });
  const more = [];
  if (plan.missing) more.push(`${plural(plan.missing, "tag")} of the plan ${plan.missing === 1 ? "is" : "are"} gone already.`);
  if (plan.elsewhere)
    more.push(`${plural(plan.elsewhere, "tag")} of the plan ${plan.elsewhere === 1 ? "is" : "are"} in repositories that are ` +
      "not shown.");
  if (more.length) table.node.append(make("p", { class: "quiet" }, more.join(" ")));
  const out = [make("div", { class: "tiles plan" },
    tile("Plan: go", number(going), going === 1 ? "tag" : "tags",
      below(`of ${number(count)}`)),
    tile("Plan: stay", number(count - going), count - going === 1 ? "tag" : "tags", below("what the plan leaves")),
    tile("Plan: frees", ...split(sized ? (plan.freed_unknown ? "\u2248\u00a0" : "") + bytes(plan.freed) : "unknown"),
      below(!sized ? "sizes are not known" : (partly ? "in all repositories, " : "") + "when the registry collects garbage" +
        (plan.freed_unknown ? `; ${plural(plan.freed_unknown, "manifest")} not known` : ""))),
    make("div", { class: "card tile" }, make("span", { class: "quiet" }, "Made"), make("p", { class: "command" },
      make("code", {}, plan.command || "")), make("span", { class: "quiet" }, moment(plan.created_at)))), table.node];
  table.show(table.rows);
  if (plan.untagged_count) {
    const children = new paged_table({ caption: "Manifests without a tag that go", rows: plan.untagged.map((_, n) => n),
      note: plan.untagged_count > plan.untagged.length ?
        `The first ${number(plan.untagged.length)} of ${number(plan.untagged_count)}.` : "",
      columns: [
        { title: "Repository", key: (n) => repositories.name[plan.untagged[n][0]], cell: (n) => repositories.name[plan.untagged[n][0]] },
        { title: "Digest", key: (n) => plan.untagged[n][1], cell: (n) => make("code", {}, plan.untagged[n][1].slice(0, 19)) },
        { title: "Why", key: (n) => plan.reasons[plan.untagged[n][2]], cell: (n) => plan.reasons[plan.untagged[n][2]] },
      ] });
    children.show(children.rows);
    out.push(children.node);
  }
  return out;
}
if (plan) page.append(...plan_section());
page.append(make("div", { class: "charts one" }, treemap.node, age_chart.node));

// --- repositories, largest, oldest, duplicates

const going_in = new Uint32Array(repositories.name.length);
for (let i = 0; i < count; ++i) if (goes(i)) ++going_in[repository_of[i]];
const column = {
  repository: { title: "Repository", key: (i) => repository_of[i], cell: (i) => repositories.name[repository_of[i]] },
  tag: { title: "Tag", key: (i) => tag_names[i], cell: (i) => link(i, tag_names[i]) },
  size: { title: "Size", number: true, down: true, key: (i) => sizes[i], cell: (i) => bytes(sizes[i]) },
  unique: { title: "Unique", number: true, down: true, extra: true, key: (i) => uniques[i], cell: (i) => bytes(uniques[i]) },
  created: { title: "Created", number: true, key: created_of,
    cell: (i) => make("span", { title: ago(created_of(i)) }, date(created_of(i))) },
  digest: { title: "Digest", extra: true, key: (i) => data.manifests.digest[manifest_of[i]],
    cell: (i) => make("code", { title: digest(manifest_of[i]) }, short(manifest_of[i])) },
  plan: { title: "Plan", key: (i) => (goes(i) ? 0 : 1), cell: (i) => make("span", { title: why(i) }, badge(i)) },
};
const columns = (...names) => names.map((name) => ({ ...column[name] }));

const partly_known = sized && repositories.unknown.some((n) => n > 0);
const repository_table = new paged_table({ caption: "Repositories",
  note: partly_known ? "\u2265 and \u2248: not all manifests of the repository are known." : "", rows: repositories.name.map((_, r) => r),
  sort: sized ? { column: 2, down: true } : { column: 1, down: true }, columns: [
    { title: "Repository", key: (r) => r, cell: (r) => button(repositories.name[r],
      () => filter_by({ repository: repositories.name[r] }), { class: "link", title: "Show its tags" }) },
    { title: "Tags", number: true, down: true, key: (r) => repositories.tags[r], cell: (r) => number(repositories.tags[r]) },
    ...(sized ? [
      { title: "Size", number: true, down: true, key: (r) => repositories.size[r], cell: at_least },
      { title: "Only here", number: true, down: true, key: (r) => repositories.unique[r],
        cell: (r) => about(r, repositories.unique[r]) },
      { title: "Shared", number: true, down: true, extra: true, key: (r) => repositories.size[r] - repositories.unique[r],
        cell: (r) => about(r, repositories.size[r] - repositories.unique[r]) }] : []),
    ...(plan ? [{ title: "Go", number: true, down: true, key: (r) => going_in[r], cell: (r) => number(going_in[r]) }] : []),
  ] });
repository_table.show(repository_table.rows);
page.append(repository_table.node);

// One tag for each image: the first that has it.
const first_of_image = new Uint8Array(count);
{
  const seen = new Uint8Array(distinct);
  for (let i = 0; i < count; ++i) if (!seen[manifest_of[i]]) first_of_image[i] = seen[manifest_of[i]] = 1;
}
function top_table(caption, note, key, names) {
  const rows = top_rows((i) => first_of_image[i] ? key(i) : null, 50);
  if (!rows.length) return null;
  const table = new paged_table({ caption, note, columns: columns(...names) });
  table.show(rows);
  return table.node;
}
page.append(make("div", { class: "charts" },
  sized ? top_table("Largest images", "By the size of all that the tag leads to; the first tag of each image.", (i) => sizes[i],
    ["repository", "tag", "size", "created"]) : null,
  top_table("Oldest images", "The first tag of each image.", (i) => created_of(i) === null ? null : -created_of(i),
    ["repository", "tag", "size", "created"])));

function duplicates() {
  const last = new Int32Array(distinct).fill(-1), places = new Uint32Array(distinct), tags = new Uint32Array(distinct);
  const first = new Uint32Array(distinct);
  for (let i = 0; i < count; ++i) {
    const m = manifest_of[i];
    if (!tags[m]++) first[m] = i;
    if (last[m] !== repository_of[i]) { last[m] = repository_of[i]; ++places[m]; }
  }
  const rows = [];
  for (let m = 0; m < distinct; ++m) if (places[m] > 1) rows.push(m);
  const table = new paged_table({ caption: "Same image in several repositories", rows, sort: { column: sized ? 4 : 2, down: true },
    none: partly ? "No image is in more than one of the repositories that are shown." :
      "No image is in more than one repository.",
    note: (rows.length ? "The registry stores each of them once." : "") +
      (rows.length && partly ? " Counted in the repositories that are shown." : ""), columns: [
      { title: "Digest", extra: true, key: (m) => data.manifests.digest[m], cell: (m) => make("code", { title: digest(m) }, short(m)) },
      { title: "First tag", key: (m) => first[m], cell: (m) => link(first[m], image(first[m])) },
      { title: "Repositories", number: true, down: true, key: (m) => places[m], cell: (m) => number(places[m]) },
      { title: "Tags", number: true, down: true, key: (m) => tags[m], cell: (m) =>
        button(number(tags[m]), () => filter_by({ search: digest(m) }), { class: "link", title: "Show these tags" }) },
      ...(sized ? [{ title: "Size", number: true, down: true, key: (m) => sizes[first[m]], cell: (m) => bytes(sizes[first[m]]) }] : []),
    ] });
  table.show(rows);
  return table.node;
}
page.append(duplicates());

// --- all tags

const main_table = new paged_table({ caption: "All tags", page_rows: 50, rows: all_rows, none: "No tag is like this.",
  columns: columns("repository", "tag", ...(sized ? ["size", "unique"] : []), "created", "digest", ...(plan ? ["plan"] : [])) });
main_table.total = count;

const search = make("input", { type: "search", id: "search", placeholder: "Words of repository, tag or digest", autocomplete: "off",
  spellcheck: "false", "aria-keyshortcuts": "/" });
const in_repository = make("input", { type: "search", id: "in-repository", list: "repository-names", placeholder: "All",
  autocomplete: "off", spellcheck: "false" });
const names = make("datalist", { id: "repository-names" }, repositories.name.slice(0, 1000).map((name) => make("option", { value: name })));
const choice = (id, options) => make("select", { id }, options.map(([value, text]) => make("option", { value }, text)));
const by_age = choice("by-age", [["", "Any"], ...age_texts.map((text, n) => [n, text])]);
const by_plan = choice("by-plan", [["", "Any"], ["goes", "Goes"], ["stays", "Stays"]]);
const clear = button("Clear", () => { filter_by({}); search.focus({ preventScroll: true }); }, { class: "clear" });
const chosen_reason = make("p", { class: "chosen", hidden: "" });
let only_reason = null;
const field = (name, control, ...more) =>
  make("label", { class: "field", for: control.id }, make("span", { class: "quiet" }, name), control, more);
main_table.node.querySelector("table").before(make("form", { class: "filters", role: "search" },
  field("Search (press /)", search), field("Repository or path", in_repository, names), field("Age", by_age),
  plan ? field("Plan", by_plan) : null, clear), chosen_reason);
main_table.node.id = "tags";
main_table.node.tabIndex = -1;
page.append(main_table.node, dialog);

const lower_names = { repository: repositories.name.map((n) => n.toLowerCase()), tag: null };
// Each word must be in the repository's name, in the tag or at the digest's beginning, or be a part of REPO:TAG.
function word_test(word) {
  lower_names.tag = lower_names.tag || tag_names.map((n) => n.toLowerCase());
  const { repository, tag } = lower_names;
  const in_name = repository.map((name) => name.includes(word));
  const hex = word.replace(/^sha256:/, ""), is_digest = /^[0-9a-f]{6,}$/.test(hex) || word.includes(":");
  const colon = word.lastIndexOf(":");
  const before = word.slice(0, colon), after = word.slice(colon + 1);
  const ends = colon < 0 ? null : repository.map((name) => name.endsWith(before));
  return (i) => in_name[repository_of[i]] || tag[i].includes(word) ||
    (is_digest && data.manifests.digest[manifest_of[i]].startsWith(hex)) ||
    (ends !== null && ends[repository_of[i]] && tag[i].startsWith(after));
}
function apply_filters() {
  const tests = search.value.toLowerCase().split(/\s+/).filter(Boolean).map(word_test);
  const wanted = in_repository.value.trim().replace(/\/$/, "");
  if (wanted) {
    const fits = repositories.name.map((name) => name === wanted || name.startsWith(wanted + "/"));
    tests.push((i) => fits[repository_of[i]]);
  }
  if (by_age.value !== "") { const age = Number(by_age.value); tests.push((i) => age_of[i] === age); }
  if (plan && by_plan.value !== "") { const going = by_plan.value === "goes"; tests.push((i) => goes(i) === going); }
  if (only_reason !== null) tests.push((i) => reason_of[i] === only_reason);
  chosen_reason.hidden = only_reason === null;
  if (only_reason !== null)
    chosen_reason.replaceChildren("Why: " + reasons[only_reason].text + " ", button("Any reason", () => { only_reason = null; apply_filters(); }));
  main_table.show(tests.length ? all_rows.filter((i) => tests.every((test) => test(i))) : all_rows);
}
// Sets all filters, leaves those out that are not named, and goes to the table.
function filter_by({ repository, age, reason, search: text }) {
  search.value = text || "";
  in_repository.value = repository || "";
  by_age.value = age === undefined ? "" : String(age);
  by_plan.value = "";
  only_reason = reason === undefined ? null : reason;
  apply_filters();
  main_table.node.scrollIntoView();
  main_table.node.focus({ preventScroll: true });
}
let waiting = 0;
const soon = () => { clearTimeout(waiting); waiting = setTimeout(apply_filters, count > 20000 ? 120 : 0); };
for (const control of [search, in_repository]) control.addEventListener("input", soon);
for (const control of [by_age, by_plan]) control.addEventListener("change", apply_filters);
main_table.node.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); apply_filters(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
  event.preventDefault();
  search.focus();
  search.select();
});
main_table.show(all_rows);

if (data.labels.left_out)
  page.append(make("p", { class: "quiet" }, `${plural(data.labels.left_out, "label")} of images left out to keep the page small.`));

treemap.start();
age_chart.start();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
let resizing = 0;
addEventListener("resize", () => { cancelAnimationFrame(resizing); resizing = requestAnimationFrame(redraw); });
addEventListener("beforeprint", () => on_paper(true));
addEventListener("afterprint", () => on_paper(false));
document.documentElement.dataset.ready = "yes";
