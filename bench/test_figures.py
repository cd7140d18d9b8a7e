"""Tests what is computed from measurements, without a measurement."""
import contextlib
import io
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import figures
import measure


def some(ratio, rate):
    out = figures.Figures({"machine": "one", "sizes": "full", "version": "2"})
    with contextlib.redirect_stdout(io.StringIO()):
        out.add("load", "rate", "bench", rate, "requests/s", digits=0, better="more")
        out.add("load", "cpu", "its CPU", 10, "µs", "<= 12", 1, "less")
        out.add("load", "bench_wrk", "bench / wrk", ratio, "", ">= 0.95", better="more", ratio=True)
        out.add("load", "p50", "p50, bench / wrk", 1.02, "", "0.95 to 1.05", ratio=True)
    return out


def compared(now, before):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        marked = figures.compare(now, before)
    return marked, text.getvalue()


class Figures(unittest.TestCase):
    def test_marks_what_is_worse_by_more_than_a_tenth(self):
        self.assertEqual(compared(some(0.91, 1000), some(1.0, 1000))[0], 0)
        marked, text = compared(some(0.89, 1000), some(1.0, 1000))
        self.assertEqual(marked, 1)
        (line,) = [line for line in text.splitlines() if "WORSE" in line]
        self.assertIn("bench / wrk", line)
        self.assertIn("-11.0 %", line)
        self.assertEqual(compared(some(1.0, 1000), some(0.5, 2000))[0], 1)

    def test_less_is_better_for_costs_and_the_middle_for_a_range(self):
        worse = some(1, 1)
        worse.rows[1]["value"] = 12
        worse.rows[3]["value"] = 0.8
        self.assertEqual(compared(worse, some(1, 1))[0], 2)
        self.assertEqual(compared(some(1, 1), worse)[0], 0)

    def test_tells_ratios_first_and_what_has_no_baseline(self):
        _, text = compared(some(1, 1), figures.Figures())
        names = [line for line in text.splitlines() if line.startswith("load")]
        self.assertIn("bench / wrk", names[0])
        self.assertTrue(all(line.endswith("none") for line in names))

    def test_knows_what_meets_its_aim(self):
        self.assertEqual([figures.meets(row) for row in some(0.9, 1).rows], [None, True, False, True])

    def test_keeps_sections_that_were_not_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "baseline.json")
            older = some(0.5, 5)
            with contextlib.redirect_stdout(io.StringIO()):
                older.add("tls", "rate", "over TLS", 7)
            older.save(file)
            some(0.9, 9).merged_into(figures.Figures.read(file)).save(file)
            stored = figures.Figures.read(file).by_name()
        self.assertEqual(stored["tls.rate"]["value"], 7)
        self.assertEqual(stored["load.rate"]["value"], 9)
        self.assertEqual(len(stored), 5)

    def test_mixes_no_small_sizes_with_full_ones(self):
        quick = some(0.5, 5)
        quick.about["sizes"] = "quick"
        quick.rows[0]["section"] = "tls"
        self.assertEqual(len(some(0.9, 9).merged_into(quick).rows), 4)

    def test_writes_the_table_between_its_marks_again_and_again(self):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "page.md")
            with open(page, "w") as f:
                f.write(f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n")
            figures.write_table(some(0.5, 1), page)
            figures.write_table(some(0.9, 12345), page)
            with open(page) as f:
                text = f.read()
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))
        self.assertIn("| bench | 12,345 requests/s |  |  | `scripts/bench.sh load` |", text)
        self.assertIn("| bench / wrk | 0.90 | ≥ 0.95 | **missed** |", text)
        self.assertNotIn("0.50", text)
        self.assertNotIn("old", text)


class LikeWrk(unittest.TestCase):
    @staticmethod
    def result(latencies_us, seconds):
        def bucket(ns):  # include/regsweep/load/histogram.hpp
            shift = ns.bit_length() - 8
            return ns if ns < 256 else (shift << 7) + (ns >> shift)

        return {"seconds": seconds, "requests": len(latencies_us), "operations": {
            "get": {"histogram": {"buckets": [[bucket(us * 1000), 1] for us in latencies_us]}}}}

    def test_leaves_what_takes_about_the_same(self):
        got = measure.like_wrk(self.result([100] * 100, 0.01), connections=1)
        self.assertAlmostEqual(got["p50"], 0.1, delta=0.001)
        self.assertAlmostEqual(got["p99"], 0.1, delta=0.001)

    def test_adds_what_a_pause_has_hidden(self):
        # Nine answers after 10 µs and one after 1000: an interval of 109 µs, and so 8 more between 109 and 1000.
        got = measure.like_wrk(self.result([10] * 9 + [1000], 0.00109), connections=1)
        self.assertAlmostEqual(got["p50"], 0.01, delta=0.001)
        self.assertAlmostEqual(got["p90"], 0.891, delta=0.01)
        self.assertAlmostEqual(got["p99"], 1.0, delta=0.01)


if __name__ == "__main__":
    unittest.main()
