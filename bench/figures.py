"""The figures of a measurement: kept as JSON, compared with a baseline, and shown as the table of docs/performance.md."""
import json
import os

WORSE = 0.10  # by more than this part, a figure is marked
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def number(value, digits):
    return f"{value:,.{digits}f}" if value is not None else ""


class Figures:
    def __init__(self, about=None):
        self.about = about or {}  # machine, version, sizes
        self.rows = []

    def add(self, section, name, what, value, unit="", aim="", digits=2, better="", ratio=False):
        """`aim`: `>= 0.9`, `<= 12`, `0.95 to 1.05` or nothing; `better`: `more`, `less`, or nothing for a figure that only informs."""
        row = {"section": section, "name": name, "what": what, "value": value, "unit": unit, "aim": aim,
               "digits": digits, "better": better, "ratio": ratio}
        self.rows.append(row)
        print(f"{section:10} {what:64} {number(value, digits):>14} {unit:14} {aim}", flush=True)

    def sorted(self):
        """Ratios first: they hold on other machines, too."""
        return sorted(self.rows, key=lambda row: not row["ratio"])

    def by_name(self):
        return {f"{row['section']}.{row['name']}": row for row in self.rows}

    def merged_into(self, older):
        """These figures, and those of `older` in sections that were not measured now, if of the same sizes."""
        out = Figures(self.about)
        if older.about.get("sizes") != self.about.get("sizes"):
            out.rows = self.rows
            return out
        measured = {row["section"] for row in self.rows}
        out.rows = [row for row in older.rows if row["section"] not in measured] + self.rows
        return out

    def save(self, file):
        with open(file + ".part", "w") as f:
            json.dump({"about": self.about, "figures": self.sorted()}, f, indent=1, ensure_ascii=False)
            f.write("\n")
        os.replace(file + ".part", file)

    @staticmethod
    def read(file):
        with open(file) as f:
            stored = json.load(f)
        out = Figures(stored["about"])
        out.rows = stored["figures"]
        return out


def meets(row):
    """Whether a figure meets its aim; None without one."""
    words = row["aim"].replace("to", " ").split()
    if not words or row["value"] is None:
        return None
    if words[0] == ">=":
        return row["value"] >= float(words[1])
    if words[0] == "<=":
        return row["value"] <= float(words[1])
    return float(words[0]) <= row["value"] <= float(words[1])


def off_target(row, value):
    """How far a value is from the middle of an aim that has two ends."""
    low, high = (float(word) for word in row["aim"].split(" to "))
    return abs(value - (low + high) / 2)


def change(now, before):
    """The figure's change, and whether it is worse by more than `WORSE`."""
    if not before["value"]:
        return None, False
    part = now["value"] / before["value"] - 1
    if now["better"] == "more":
        return part, part < -WORSE
    if now["better"] == "less":
        return part, part > WORSE
    if " to " in now["aim"]:
        return part, off_target(now, now["value"]) - off_target(now, before["value"]) > WORSE
    return part, False


def compare(now, before):
    """Prints each figure beside the baseline; returns how many are worse."""
    known = before.by_name()
    marked = 0
    print(f"\nThe baseline is of: {before.about.get('machine', 'unknown')}, {before.about.get('sizes', 'full')} sizes")
    if before.about != now.about:
        print(f"These are of:       {now.about.get('machine', 'unknown')}, {now.about.get('sizes', 'full')} sizes: "
              "only ratios can be compared")
    print(f"\n{'':10} {'':64} {'now':>14} {'baseline':>14} {'change':>9}")
    for row in now.sorted():
        old = known.get(f"{row['section']}.{row['name']}")
        line = f"{row['section']:10} {row['what']:64} {number(row['value'], row['digits']):>14}"
        if old is None:
            print(line + f" {'none':>14}")
            continue
        part, worse = change(row, old)
        marked += worse
        print(line + f" {number(old['value'], old['digits']):>14} {'' if part is None else f'{part * 100:+.1f} %':>9}"
              + ("  WORSE" if worse else ""))
    print(f"\n{marked} of {len(now.rows)} figures are worse by more than {WORSE * 100:.0f} %")
    return marked


def table(figures):
    about = figures.about
    lines = [f"Measured on {about.get('machine', 'an unknown machine')}, version {about.get('version', 'unknown')}"
             + (", with the small sizes of `--quick`, which tell nothing about speed" if about.get("sizes") == "quick"
                else "") + ".", "",
             "| what | measured | aim | | to repeat |", "| --- | ---: | ---: | --- | --- |"]
    for row in figures.sorted():
        aim = row["aim"].replace(">=", "≥").replace("<=", "≤")
        judged = None if about.get("sizes") == "quick" else meets(row)
        verdict = {None: "", True: "met", False: "**missed**"}[judged]
        value = f"{number(row['value'], row['digits'])} {row['unit']}".strip()
        lines.append(f"| {row['what']} | {value} | {aim} | {verdict} | `scripts/bench.sh {row['section']}` |")
    return "\n".join(lines)


def write_table(figures, file):
    """Replaces what stands between the marks in `file`."""
    with open(file) as f:
        text = f.read()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    with open(file + ".part", "w") as f:
        f.write(text[:begin] + "\n" + table(figures) + "\n" + text[end:])
    os.replace(file + ".part", file)
