#!/usr/bin/env python3
"""Measures regsweep side by side with wrk, on the fake registry and on docker-registry, all on loopback.

Every comparison alternates both programs in one run and reports the median of the ratios, since the machine's speed
drifts. docs/performance.md says how to read the figures.
"""
import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from figures import Figures, compare, write_table
from measure import (Nginx, Registry, certificate, crawl, fake, like_wrk, load, lua_script, ratio_rounds, run,
                     wrk, wrk_percentiles)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, "tests", "common"))
from chromium import Browser


def bench_fake(options, folder, note):
    """The crawl of the fake registry, and what it costs."""
    tags = options.size(4000, 200)
    server, address = fake(options, "--repos", "100", "--tags", str(tags))
    with server:
        index = os.path.join(folder, "fake.db")
        cpu = []

        def ours():
            got = crawl(options, address, index)
            cpu.append(got["cpu"])
            return got["rate"]

        url = f"http://{address}/v2/synthetic/repo-000001/manifests/1.0.8"
        ratio, mine, theirs = ratio_rounds(options.rounds, ours, lambda: wrk(url, options.seconds))
        alone, _, _ = ratio_rounds(options.rounds,
                                   lambda: crawl(options, address, index, "--pipeline", "1")["rate"],
                                   lambda: wrk(url, options.seconds))
    note("crawl", f"crawl with the finished index, {100 * tags:,} tags", mine, "tags/s", digits=0, better="more")
    note("wrk", "wrk -t1 -c32, GET of a manifest", theirs, "requests/s", digits=0)
    note("crawl_wrk", "crawl / wrk", ratio, "", ">= 0.9", better="more", ratio=True)
    note("alone_wrk", "crawl with --pipeline 1 / wrk", alone, "", better="more", ratio=True)
    note("cpu", "CPU of the crawl", statistics.median(cpu), "µs a tag", "<= 12", 1, "less")


def instructions(argv, folder):
    """Instructions in user space, by perf, or where the machine has no counters by callgrind."""
    counted = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "--"] + argv, capture_output=True,
                             text=True) if shutil.which("perf") else None
    found = re.search(r"^(\d+),,instructions:u", counted.stderr, re.M) if counted else None
    if found:
        return int(found.group(1))
    done = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=" + os.path.join(folder, "callgrind")]
                          + argv, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"callgrind ended with {done.returncode}: {done.stderr}")
    return int(found.group(1))


def allocations(options, argv, folder):
    counted = os.path.join(folder, "allocations")
    run(argv, dict(os.environ, LD_PRELOAD=os.path.abspath(options.counter), COUNT_ALLOCATIONS_FILE=counted))
    with open(counted) as f:
        sqlite, others = (sum(numbers) for numbers in zip(*(map(int, line.split()) for line in f)))
    os.unlink(counted)
    return sqlite, others


def bench_cost(options, folder, note):
    """What one more tag costs: the difference of two crawls."""
    few, many = options.size((5000, 25000), (500, 1500))
    costs = []
    for tags in (few, many):
        server, address = fake(options, "--repos", "10", "--tags", str(tags // 10))
        with server:
            argv = [options.regsweep, "refresh", "-reg", address, "-c", os.path.join(folder, f"cost{tags}.db"), "-q",
                    "--concurrency", "32"]
            costs.append((instructions(argv, folder), *allocations(options, argv, folder)))
    per_tag = [(b - a) / (many - few) for a, b in zip(*costs)]
    note("instructions", "instructions of the crawl in user space", per_tag[0], "a tag", digits=0, better="less")
    note("allocations", "allocations of the crawl, in steady state, without SQLite's", per_tag[2], "a tag", "<= 1",
         better="less")
    note("sqlite_allocations", "allocations of SQLite, its index included", per_tag[1], "a tag", better="less")


def bench_memory(options, folder, note):
    """Peak memory of large crawls."""
    million, four = options.size((1_000_000, 4_000_000), (20_000, 80_000))
    repositories = million // 1000
    got = {}
    for tags in (million, four):
        server, address = fake(options, "--repos", str(repositories), "--tags", str(tags // repositories))
        with server:
            index = os.path.join(folder, f"memory{tags}.db")
            got[tags] = crawl(options, address, index)
            os.unlink(index)
    peaks = [got[tags]["peak"] / 1024 for tags in (million, four)]
    note("peak", f"peak memory of a crawl of {million:,} tags", peaks[0], "MiB", "<= 100", 1, "less")
    note("growth", f"peak memory at {four:,} tags / at {million:,}", peaks[1] / peaks[0], "", "<= 1.10", better="less",
         ratio=True)
    note("time", f"time at {four:,} tags / 4 x time at {million:,}", got[four]["wall"] / got[million]["wall"] / 4,
         better="less", ratio=True)


def bench_reading(options, folder, note):
    """Questions to a large index."""
    repositories = options.size(1000, 20)
    tags = repositories * 1000
    server, address = fake(options, "--repos", str(repositories), "--tags", "1000")
    with server:
        index = os.path.join(folder, "reading.db")
        crawl(options, address, index)
    common = [options.regsweep, "-reg", address, "-c", index]
    one = f"synthetic/repo-{repositories // 2:06}"

    def median_ms(argv):
        return statistics.median(run(common + argv)[0] for _ in range(options.size(21, 3))) * 1000

    note("list", f"list-tag-names ONE of {tags:,} tags", median_ms(["list-tag-names", one]), "ms", "<= 30", 1, "less")
    note("query", f"query-tags -r ONE -re '1[.]' of {tags:,} tags",
         median_ms(["query-tags", "-r", one, "-re", "1[.]"]), "ms", "<= 50", 1, "less")


def micro(options, pattern):
    """Nanoseconds an item of each microbenchmark."""
    argv = [options.micro, "--benchmark_format=json", f"--benchmark_filter={pattern}",
            f"--benchmark_min_time={options.size(0.5, 0.001)}"]
    return {one["name"]: 1e9 / one["items_per_second"]
            for one in json.loads(run(argv)[3])["benchmarks"] if not one.get("error_occurred")}


def bench_index(options, _folder, note):
    """Building an index without a crawl."""
    (cost,) = micro(options, "^index_build/").values()
    note("build", "index build, through its queue into a file", 1e9 / cost, "rows/s", digits=0, better="more")


def bench_micro(options, _folder, note):
    """The small benchmarks."""
    for name, cost in micro(options, "-^index_build/").items():
        plain = name.replace("/iterations:1", "").replace("/real_time", "")
        note(plain, f"microbenchmark {plain}", cost, "ns an item", better="less")


def bench_registry(options, folder, note):
    """The crawl of docker-registry."""
    registry = Registry(folder)
    with registry.child:
        repositories, tags = options.size((40, 150), (4, 50))
        script = lua_script(folder, registry.fill(repositories, tags))
        index = os.path.join(folder, "real.db")
        # wrk cannot send HEAD, so that both ask with GET here; HEAD is regsweep's own way and is told beside it.
        ratio, mine, theirs = ratio_rounds(
            options.rounds, lambda: crawl(options, registry.address, index, "--use-get-manifest")["rate"],
            lambda: wrk(f"http://{registry.address}/", options.seconds, script=script))
        head = statistics.median(crawl(options, registry.address, index)["rate"] for _ in range(options.rounds))
    note("crawl_get", f"docker-registry: crawl with GET, {repositories * tags:,} tags", mine, "tags/s", digits=0, better="more")
    note("wrk", "docker-registry: wrk -t1 -c32, GET of the same manifests", theirs, "requests/s", digits=0)
    note("crawl_wrk", "docker-registry: crawl / wrk", ratio, "", ">= 0.95", better="more", ratio=True)
    note("crawl_head", "docker-registry: crawl with HEAD", head, "tags/s", digits=0, better="more")


def remove(options, address, index, *args):
    wall, _, peak, text = run([options.regsweep, "remove-repos", "-reg", address, "-c", index, "--output", "json",
                               "--no-raise-intersecting-repo", *args])
    report = json.loads(text)
    return {"wall": wall, "peak": peak, **report}


def sweep_fake(options, folder, note):
    tags = options.size(500, 50)
    server, address = fake(options, "--repos", "100", "--tags", str(tags), "--delete")
    with server:
        index = os.path.join(folder, "sweep.db")
        heads = []
        sweeps = []
        for _ in range(options.rounds):
            heads.append(crawl(options, address, index, "--pipeline", "1")["rate"])
            names = run([options.regsweep, "list-repo-names", "-reg", address, "-c", index])[3].split()
            got = remove(options, address, index, "-r", *names)
            sweeps.append((got["requests"] / got["seconds"], got["removed"] / got["seconds"]))
    note("requests", f"verified sweep of {100 * tags:,} manifests", statistics.median(s[0] for s in sweeps), "requests/s",
         digits=0, better="more")
    note("requests_crawl", "requests/s of the sweep / tags/s of the crawl with --pipeline 1",
         statistics.median(s[0] / h for s, h in zip(sweeps, heads)), "", ">= 0.8", better="more", ratio=True)
    note("deletions", "deletions, checked, journaled, indexed", statistics.median(s[1] for s in sweeps), "a second",
         digits=0, better="more")


def beside_curl(options, registry, folder, prefix, repositories, tags):
    """Deletions/s of a sweep / those of curl, and / those of a curl that reads each manifest first: the medians."""
    ratios, fair = [], []
    for r in range(options.rounds):
        names = [f"bench/{prefix}-{r * 2 * repositories + i:03}" for i in range(2 * repositories)]
        mine, theirs = names[:repositories], names[repositories:]
        registry.fill(len(names), tags, first=r * len(names), prefix=prefix)
        index = os.path.join(folder, f"{prefix}{r}.db")
        crawl(options, registry.address, index)
        found = json.loads(run([options.regsweep, "list-tag-names", "-reg", registry.address, "-c", index,
                                "--output", "json", *theirs])[3])["tags"]
        urls = os.path.join(folder, "urls")
        with open(urls, "w") as f:
            f.writelines(f"http://{registry.address}/v2/{t['repository']}/manifests/{t['digest']}\n" for t in found)

        def ours():
            got = remove(options, registry.address, index, "-r", *mine)
            return got["seconds"] / got["removed"]

        def curl(verb):
            begin = time.monotonic()
            accept = "-H 'Accept: application/vnd.oci.image.manifest.v1+json'"
            subprocess.run(f"xargs -P32 -n8 curl -s {accept} -X {verb} < {urls}", shell=True, check=True,
                           stdout=subprocess.DEVNULL)
            return (time.monotonic() - begin) / len(found)

        own = ours() if r % 2 == 0 else None
        read, delete = curl("GET"), curl("DELETE")
        own = own or ours()
        ratios.append(delete / own)
        fair.append((read + delete) / own)
    return statistics.median(ratios), statistics.median(fair)


def bench_sweep(options, folder, note):
    """Deletions."""
    sweep_fake(options, folder, note)
    registry = Registry(folder)
    with registry.child:
        large, _ = beside_curl(options, registry, folder, "large", 1, options.size(500, 20))
        small, fair = beside_curl(options, registry, folder, "small", 4, options.size(60, 10))
    what = "docker-registry, repositories of {} tags: deletions/s / those of xargs -P32 curl"
    note("curl", what.format(500), large, "", ">= 0.95", better="more", ratio=True)
    note("curl_small", what.format(60), small, "", better="more", ratio=True)
    note("curl_read", what.format(60) + " that reads each manifest first", fair, "", better="more", ratio=True)


def bench_restore(options, folder, note):
    """Taking a sweep back."""
    registry = Registry(folder)
    with registry.child:
        registry.fill(options.size(20, 2), options.size(100, 20))
        index = os.path.join(folder, "restore.db")
        common = ["-reg", registry.address, "-c", index]
        crawl(options, registry.address, index)
        names = run([options.regsweep, "list-repo-names", *common])[3].split()
        rates = []
        for _ in range(options.rounds):
            removed = remove(options, registry.address, index, "-r", *names)["removed"]
            wall, _, _, text = run([options.regsweep, "restore", "last", "--output", "json", *common])
            back = json.loads(text)
            if back["manifests"] != removed or back["failed"]:
                sys.exit(f"not all of {removed} manifests were restored: {text}")
            rates.append(removed / wall)
    note("rate", f"docker-registry: restore of {removed:,} manifests with their tags", statistics.median(rates),
         "a second", digits=0, better="more")


def bench_plan(options, folder, note):
    """A large plan."""
    repositories = options.size(1000, 20)
    server, address = fake(options, "--repos", str(repositories), "--tags", "1000")
    with server:
        index = os.path.join(folder, "plan.db")
        crawl(options, address, index)
        names = run([options.regsweep, "list-repo-names", "-reg", address, "-c", index])[3].split()
        wall, _, peak, _ = run([options.regsweep, "remove-repos", "-reg", address, "-c", index, "--dry-run",
                                "--output", "json", "--plan-out", os.path.join(folder, "plan.json"), "-r", *names])
    note("time", f"{repositories * 1000:,} selected tags planned and written", wall, "s", "<= 3", better="less")
    note("peak", "the same, peak memory", peak / 1024, "MiB", "<= 300", 0, "less")


def bench_prune(options, folder, note):
    """A large plan that a policy makes."""
    repositories = options.size(1000, 20)
    policy = os.path.join(folder, "policy.yml")
    with open(policy, "w") as f:
        f.write("version: 1\nmax_remove: 100%\nprotect: [latest]\nrules:\n"
                "- keep: {newest: 10, order: version, group_by: '^([0-9]+)[.]'}\n"
                "- keep: {semver: '>=100000'}\n- remove: {regex: '[0-9.]+'}\n")
    server, address = fake(options, "--repos", str(repositories), "--tags", "1000")
    with server:
        index = os.path.join(folder, "prune.db")
        crawl(options, address, index)
        prune = [options.regsweep, "prune", "-reg", address, "-c", index, "--no-refresh", "--policy", policy]
        wall, _, peak, _ = run([*prune, "--output", "json", "--plan-out", os.path.join(folder, "prune.json")])
        note("time", f"{repositories * 1000:,} tags decided about by a policy and written", wall, "s", "<= 5",
             better="less")
        note("peak", "the same, peak memory", peak / 1024, "MiB", "<= 400", 0, "less")
        crawl(options, address, index, "--details")
        # The fake's images have no times of their own.
        with contextlib.closing(sqlite3.connect(index + ".details")) as details:
            details.execute("UPDATE manifest SET created = 1600000000 + id, created_ns = 0")
            details.commit()
        with open(policy, "w") as f:
            f.write("version: 1\nmax_remove: 100%\nrules:\n- keep: {newest: 5}\n- remove: {older_than: 1d}\n")
        wall, _, peak, text = run(prune)
    note("facts", f"{repositories * 1000:,} tags decided about by the facts of as many manifests, all but "
         f"{5 * repositories:,} to go", wall, "s", "<= 5", better="less")
    note("facts_peak", "the same, peak memory", peak / 1024, "MiB", "<= 400", 0, "less")
    if f"{995 * repositories:,} manifests" not in text:
        sys.exit("the policy with facts made another plan:\n" + text)


def bench_report(options, folder, note):
    """The page of a registry, written and opened in Chromium."""
    tags = options.size(1000, 20)
    server, address = fake(options, "--repos", "100", "--tags", str(tags), "--share", "5")
    page, index = os.path.join(folder, "report.html"), os.path.join(folder, "report.db")
    with server:
        crawl(options, address, index, "--details")
        wall, _, peak, _ = run([options.regsweep, "report", "-reg", address, "-c", index, "--html", page])
    with Browser() as browser:
        opened = [browser.open(page) for _ in range(options.rounds)]
    what = f"page of {100 * tags:,} tags"
    note("write", f"{what}, written from the index", wall, "s", better="less")
    note("peak", "the same, peak memory", peak / 1024, "MiB", digits=0, better="less")
    note("bytes", f"{what}, size", os.path.getsize(page) / 1048576, "MiB", digits=1, better="less")
    note("open", f"{what}, from its opening in Chromium until it can be used", statistics.median(opened) / 1000, "s",
         "<= 2", better="less")


def bench_adaptive(options, folder, note):
    """What adaptive concurrency finds by itself."""
    registry = Registry(folder)
    index = os.path.join(folder, "adaptive.db")
    with registry.child:
        registry.fill(options.size(40, 4), options.size(200, 50))

        def rate(*args):
            return statistics.median(crawl(options, registry.address, index, *args)["rate"]
                                     for _ in range(options.rounds))

        fixed = {n: rate("--concurrency", str(n)) for n in (4, 8, 16, 32, 64, 128)}
        found = rate()
    note("found", "docker-registry: rate found by itself / of the best fixed level", found / max(fixed.values()), "",
         ">= 0.95", better="more", ratio=True)
    server, address = fake(options, "--repos", "4", "--tags", str(options.size(1000, 100)), "--rate-limit", "200")
    with server:
        got = crawl(options, address, os.path.join(folder, "limited.db"))
    note("limited", "200 requests/s allowed, 429 above", got["rate"], "tags/s", ">= 190", 0, "more")


def load_latencies(options, folder, note):
    registry = Registry(folder)
    with registry.child:
        # wrk takes its script's paths in their order, as --order listed takes the index's: the same for both.
        paths = sorted(registry.fill(10, options.size(100, 10)))
        script = lua_script(folder, paths)
        index = os.path.join(folder, "load.db")
        crawl(options, registry.address, index)
        url = f"http://{registry.address}/"
        ratios = {"p50": [], "p90": [], "p99": []}
        for r in range(3 * options.rounds):  # short ones, as the machine's speed drifts
            def ours():
                return like_wrk(load(options, registry.address, "-c", index, "--order", "listed", "--duration",
                                     str(options.seconds)))

            def theirs():
                return wrk_percentiles(url, options.seconds, script)

            a, b = (ours(), theirs()) if r % 2 == 0 else (lambda y: (ours(), y))(theirs())
            for p, values in ratios.items():
                values.append(a[p] / b[p])
    for p, values in ratios.items():
        note(p, f"docker-registry: {p} of bench / of wrk", statistics.median(values), "",
             "0.95 to 1.05", ratio=True)


def bench_load(options, folder, note):
    """The load generator."""
    server, address = fake(options, "--repos", "100", "--tags", str(options.size(4000, 200)), "--variants", "64")
    with server:
        url = f"http://{address}/v2/synthetic/repo-000001/manifests/1.0.0"
        one = ["-c", "None", "--repo", "synthetic/repo-000001", "--page-size", "1", "--duration", str(options.seconds)]
        ratio, mine, theirs = ratio_rounds(
            options.rounds, lambda: load(options, address, *one)["rate"],
            lambda: wrk(url, options.seconds))
        held = min(load(options, address, *one, "--rate", str(int(mine * part)))["rate"]
                   / int(mine * part) for part in (0.2, 0.5, 0.8))
    note("rate", "bench of the fake registry", mine, "requests/s", digits=0, better="more")
    note("wrk", "wrk -t1 -c32 of the same", theirs, "requests/s", digits=0)
    note("bench_wrk", "bench / wrk", ratio, "", ">= 0.95", better="more", ratio=True)
    note("open_loop", "open loop at 0.2, 0.5, 0.8 of that: least part of its rate", held, "", ">= 0.99", 3, "more", True)
    load_latencies(options, folder, note)


def bench_tls(options, folder, note):
    """The crawl over TLS."""
    tags = options.size(3000, 100)
    server, address = fake(options, "--repos", "10", "--tags", str(tags))
    index = os.path.join(folder, "tls.db")
    path = "/v2/synthetic/repo-000001/manifests/1.0.0"
    with server:
        front = Nginx(folder, address)
        trust = ["--verify", front.certificate, "--concurrency", "32"]
        with front.child:
            ratio, mine, theirs = ratio_rounds(options.rounds,
                                               lambda: crawl(options, front.address, index, *trust)["rate"],
                                               lambda: wrk(front.address + path, options.seconds))
        front = Nginx(folder, address, log=True)
        with front.child:
            crawl(options, front.address, index, "--verify", front.certificate, "--concurrency", "32")
        with open(front.log) as f:
            connections = dict(line.split() for line in f)
    resumed = sum(1 for how in connections.values() if how == "r")
    note("crawl", f"crawl through nginx with TLS, {10 * tags:,} tags", mine, "tags/s", digits=0, better="more")
    note("wrk", "wrk -t1 -c32 GET of a manifest, same server", theirs, "requests/s", digits=0)
    note("crawl_wrk", "crawl through nginx with TLS / wrk", ratio, "", ">= 0.7", better="more", ratio=True)
    note("connections", "connections of a TLS crawl with 32 requests in flight", len(connections), "", "<= 33", 0, "less")
    note("resumed", "of their handshakes, one each, shortened by resumption", resumed, digits=0)


def bench_threads(options, folder, note):
    """One thread and two, with TLS."""
    tags = options.size(100_000, 2000)
    files = certificate(folder)
    server, address = fake(options, "--repos", "100", "--tags", str(tags // 100), "--tls", *files)
    index = os.path.join(folder, "threads.db")
    costs = {1: [], 2: []}
    rates = {1: [], 2: []}
    with server:
        for _ in range(options.rounds):
            for threads in costs:
                got = crawl(options, "https://" + address, index, "--verify", files[0], "--concurrency", "32", "--threads",
                            str(threads))
                costs[threads].append(got["cpu"])
                rates[threads].append(got["rate"])
    note("cpu_1", "CPU of a TLS crawl with one thread", statistics.median(costs[1]), "µs a tag", digits=1, better="less")
    note("cpu_2_1", "CPU a tag with two threads / with one",
         statistics.median(b / a for a, b in zip(costs[1], costs[2])), "", "<= 1.10", better="less", ratio=True)
    note("rate_2_1", "tags/s with two threads / with one, the server on the same cores",
         statistics.median(b / a for a, b in zip(rates[1], rates[2])), better="more", ratio=True)


def bench_tokens(options, folder, note):
    """A crawl that outlives its tokens."""
    life = options.size(2, 1)
    tags = options.size(10000, 2000)
    server, address = fake(options, "--repos", "1", "--tags", str(tags), "--bearer", "bench:secret", "--token-life-ms",
                           str(life * 1000), "--latency-ms", "20", "--stats")
    environment = dict(os.environ, REGISTRY_USER="bench", REGISTRY_PASSWORD="secret")
    with server as process:
        # A repository by name: without the catalog there is one scope, and so one token at a time.
        wall, _, _, text = run([options.regsweep, "refresh", "-reg", address, "-c", os.path.join(folder, "tokens.db"),
                                "--output", "json", "--repo", "synthetic/repo-000000", "--concurrency", "32"],
                               environment)
        process.send_signal(signal.SIGTERM)
        counters = dict(line.split() for line in process.communicate()[0].splitlines())
    report = json.loads(text)
    if report["tags"] != tags or report["incomplete"]:
        sys.exit("the crawl did not outlive its tokens")
    note("requests", f"requests of a crawl over {life}-second tokens, {tags:,} tags", report["requests"], digits=0)
    note("seconds", "seconds it took", wall, "s", digits=1)
    note("tokens", "tokens it fetched", int(counters["tokens"]), "", f"<= {int(wall / life) + 1}", 0, "less")


SECTIONS = {name.removeprefix("bench_"): function for name, function in list(globals().items())
            if name.startswith("bench_")}


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
                break
    return f"{os.cpu_count()} cores, {model}"


def arguments():
    known = "\n".join(f"  {name:10} {function.__doc__}" for name, function in SECTIONS.items())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="sections, all of them by default:\n" + known)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not to measure")
    parser.add_argument("--rounds", type=int, help="of each comparison [5]")
    parser.add_argument("--seconds", type=int, help="of one run of wrk or bench [4]")
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"), help="folder with the programs")
    parser.add_argument("--baseline", default=os.path.join(ROOT, "bench/baseline.json"), help="the file to compare with")
    parser.add_argument("--compare", action="store_true",
                        help="show the baseline beside the figures; exit status 1 if one is worse by more than 10 %%")
    parser.add_argument("--save-baseline", action="store_true",
                        help="store the figures in the baseline file; sections that were not measured stay")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--from", dest="stored", metavar="FILE",
                        help="measure nothing: compare, show or store the figures of a file that --json has written")
    parser.add_argument("--table", action="store_true",
                        help="measure nothing: write the figures of the baseline file, or of --from, into --page")
    parser.add_argument("--page", default=os.path.join(ROOT, "docs/performance.md"), help="the page with the table")
    options = parser.parse_args()
    for name in options.sections:
        if name not in SECTIONS:
            parser.error(f"no section '{name}': it is one of {', '.join(SECTIONS)}")
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 4)
    options.size = lambda full, quick: quick if options.quick else full
    options.regsweep = os.path.join(options.build, "regsweep")
    options.fake = os.path.join(options.build, "tests", "fake_registry")
    options.micro = os.path.join(options.build, "bench", "regsweep_micro")
    options.counter = os.path.join(options.build, "bench", "count_allocations.so")
    return options


def measure(options):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    figures = Figures({"machine": machine(), "version": run([options.regsweep, "--version"])[3].split()[-1],
                       "sizes": "quick" if options.quick else "full"})
    folder = tempfile.mkdtemp(prefix="regsweep-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        for name in options.sections or SECTIONS:
            def note(*args, section=name, **kwargs):
                figures.add(section, *args, **kwargs)

            SECTIONS[name](options, tempfile.mkdtemp(prefix=name, dir=folder), note)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures


def read(file):
    try:
        return Figures.read(file)
    except (OSError, ValueError, KeyError) as e:
        sys.exit(f"{file}: no figures can be read from it ({e}); --save-baseline or --json writes such a file")


def main():
    options = arguments()
    if options.table:
        write_table(read(options.stored or options.baseline), options.page)
        return 0
    baseline = read(options.baseline) if options.compare else None  # found out before it takes an hour
    figures = read(options.stored) if options.stored else measure(options)
    if options.json:
        figures.save(options.json)
    marked = compare(figures, baseline) if options.compare else 0
    if options.save_baseline:
        older = read(options.baseline) if os.path.exists(options.baseline) else Figures()
        figures.merged_into(older).save(options.baseline)
    return 1 if marked else 0


if __name__ == "__main__":
    sys.exit(main())
