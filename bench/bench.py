#!/usr/bin/env python3
"""Measures regsweep side by side with wrk, on the fake registry and on docker-registry, all on loopback.

Every comparison alternates both programs in one run and reports the median of the ratios, since the machine's speed
drifts. Prints a Markdown table; --json FILE keeps the numbers.
"""
import argparse
import hashlib
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

RESULTS = []


def note(section, what, value, target=""):
    RESULTS.append({"section": section, "what": what, "value": value, "target": target})
    print(f"{section:10} {what:62} {value:>22} {target}", flush=True)


class Child:
    """A server that ends with the block."""

    def __init__(self, argv, **kwargs):
        self.process = subprocess.Popen(argv, **kwargs)

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(argv, env=None):
    """Runs a program to its end: wall seconds, CPU seconds, peak KiB, standard output."""
    begin = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.PIPE, env=env)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begin
        out.seek(0)
        text = out.read().decode()
    if process.returncode not in (0,):
        sys.exit(f"{' '.join(argv)} ended with {process.returncode}: {errors.decode()}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, text


def wrk(url, seconds, connections=32, script=None):
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}"] + (["-s", script] if script else []) + [url]
    _, _, _, text = run(argv)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if failed:
        sys.exit(f"wrk met {failed.group(1)} failures at {url}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fake(options, *args):
    process = Child([options.fake, "--port", "0", *args], stdout=subprocess.PIPE, text=True)
    line = process.process.stdout.readline()
    return process, line.split()[-1]


def crawl(options, address, index, *args):
    wall, cpu, peak, text = run([options.regsweep, "refresh", "-reg", address, "-c", index, "--output", "json", *args])
    report = json.loads(text)
    return {"rate": report["tags"] / wall, "cpu": cpu / report["tags"] * 1e6, "peak": peak, "wall": wall,
            "tags": report["tags"]}


def ratio_rounds(rounds, ours, theirs):
    """Alternates both; the median of ours/theirs, and the medians of each."""
    pairs = []
    for i in range(rounds):
        if i % 2 == 0:
            a, b = ours(), theirs()
        else:
            b, a = theirs(), ours()
        pairs.append((a, b))
    return (statistics.median(a / b for a, b in pairs), statistics.median(a for a, _ in pairs),
            statistics.median(b for _, b in pairs))


def bench_fake(options, folder):
    server, address = fake(options, "--repos", "100", "--tags", "4000")
    with server:
        index = os.path.join(folder, "fake.db")
        cpu = []

        def ours():
            got = crawl(options, address, index)
            cpu.append(got["cpu"])
            return got["rate"]

        url = f"http://{address}/v2/synthetic/repo-000001/manifests/1.0.8"
        ratio, mine, theirs = ratio_rounds(options.rounds, ours, lambda: wrk(url, options.seconds))
    note("fake", "crawl with finished index, tags/s (400,000 tags)", f"{mine:,.0f}")
    note("fake", "wrk -t1 -c32 GET of a manifest, requests/s", f"{theirs:,.0f}")
    note("fake", "crawl / wrk, median of ratios", f"{ratio:.2f}", ">= 0.8")
    note("fake", "CPU of the crawl, microseconds a tag", f"{statistics.median(cpu):.1f}", "<= 16")


def bench_memory(options, folder):
    peaks = {}
    walls = {}
    for tags in (1_000_000, 4_000_000):
        server, address = fake(options, "--repos", "1000", "--tags", str(tags // 1000))
        with server:
            index = os.path.join(folder, f"m{tags}.db")
            got = crawl(options, address, index)
            peaks[tags] = got["peak"] / 1024
            walls[tags] = got["wall"]
            if tags == 1_000_000:
                bench_reading(options, address, index)
            os.unlink(index)
    note("memory", "peak at 1,000,000 tags in 1,000 repositories, MiB", f"{peaks[1_000_000]:.1f}", "<= 100")
    note("memory", "peak at 4,000,000 tags / at 1,000,000", f"{peaks[4_000_000] / peaks[1_000_000]:.2f}", "<= 1.10")
    note("memory", "time at 4,000,000 tags / 4 x time at 1,000,000",
         f"{walls[4_000_000] / walls[1_000_000] / 4:.2f}", "about 1")


def bench_reading(options, address, index):
    common = [options.regsweep, "-reg", address, "-c", index]
    one = "synthetic/repo-000500"

    def median_ms(argv):
        return statistics.median(run(argv)[0] for _ in range(21)) * 1000

    note("reading", "list-tag-names ONE_REPO of 1,000,000 tags, ms", f"{median_ms(common + ['list-tag-names', one]):.1f}",
         "<= 30")
    note("reading", "query-tags -r ONE -re '1\\.' of 1,000,000 tags, ms",
         f"{median_ms(common + ['query-tags', '-r', one, '-re', '1[.]']):.1f}", "<= 50")


class Registry:
    """Debian's docker-registry on a free port, its storage in `folder`."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "registry")
        os.makedirs(self.folder, exist_ok=True)
        self.port = free_port()
        config = os.path.join(folder, "registry.yml")
        with open(config, "w") as f:
            f.write(f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
                    f"storage: {{filesystem: {{rootdirectory: {self.folder}}}, delete: {{enabled: true}},"
                    f" maintenance: {{uploadpurging: {{enabled: false}}}}}}\n"
                    f"http: {{addr: 127.0.0.1:{self.port}}}\n")
        self.child = Child(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            try:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
                self.connection.request("GET", "/v2/")
                self.connection.getresponse().read()
                return
            except OSError:
                time.sleep(0.1)
        sys.exit("docker-registry does not answer")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def ask(self, verb, path, body=b"", headers=None):
        self.connection.request(verb, path, body, headers or {})
        answer = self.connection.getresponse()
        answer.read()
        if answer.status >= 300:
            sys.exit(f"{verb} {path}: {answer.status}")
        return answer

    def blob(self, repository, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        answer = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        location = answer.headers["Location"]
        path = re.sub(r"^https?://[^/]+", "", location)
        self.ask("PUT", path + ("&" if "?" in path else "?") + "digest=" + digest, content,
                 {"Content-Type": "application/octet-stream"})
        return digest

    def fill(self, repositories, tags, first=0):
        """Pushes `tags` distinct images into each repository; returns the paths of their manifests."""
        kind = "application/vnd.oci.image.manifest.v1+json"
        paths = []
        for r in range(first, first + repositories):
            name = f"bench/repo-{r:03}"
            config = self.blob(name, b"{}")
            for t in range(tags):
                manifest = json.dumps({
                    "schemaVersion": 2, "mediaType": kind, "layers": [],
                    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": config},
                    "annotations": {"of": f"{name} {t}"}}).encode()
                path = f"/v2/{name}/manifests/1.0.{t}"
                self.ask("PUT", path, manifest, {"Content-Type": kind})
                paths.append(path)
        return paths


def lua_script(folder, paths):
    script = os.path.join(folder, "paths.lua")
    with open(script, "w") as f:
        f.write("local paths = {\n" + "".join(f'"{p}",\n' for p in paths) + "}\nlocal i = 0\n"
                'wrk.headers["Accept"] = "application/vnd.oci.image.manifest.v1+json"\n'
                "request = function()\n  i = i % #paths + 1\n  return wrk.format(nil, paths[i])\nend\n")
    return script


def bench_registry(options, folder):
    registry = Registry(folder)
    with registry.child:
        paths = registry.fill(40, 150)
        script = lua_script(folder, paths)
        index = os.path.join(folder, "real.db")
        # wrk cannot send HEAD, so that both ask with GET here; HEAD is regsweep's own way and is told beside it.
        ratio, mine, theirs = ratio_rounds(
            options.rounds, lambda: crawl(options, registry.address, index, "--use-get-manifest")["rate"],
            lambda: wrk(f"http://{registry.address}/", options.seconds, script=script))
        head = statistics.median(crawl(options, registry.address, index)["rate"] for _ in range(options.rounds))
    note("registry", "crawl with GET of docker-registry, tags/s (6,000 tags)", f"{mine:,.0f}")
    note("registry", "wrk -t1 -c32 GET of the same manifests, requests/s", f"{theirs:,.0f}")
    note("registry", "crawl / wrk, median of ratios", f"{ratio:.2f}", ">= 0.95")
    note("registry", "crawl with HEAD, tags/s", f"{head:,.0f}")


def remove(options, address, index, *args):
    wall, _, peak, text = run([options.regsweep, "remove-repos", "-reg", address, "-c", index, "--output", "json",
                               "--no-raise-intersecting-repo", *args])
    report = json.loads(text)
    return {"wall": wall, "peak": peak, **report}


def bench_sweep(options, folder):
    server, address = fake(options, "--repos", "100", "--tags", "500", "--delete")
    with server:
        index = os.path.join(folder, "sweep.db")
        heads = []
        sweeps = []
        for _ in range(options.rounds):
            heads.append(crawl(options, address, index)["rate"])
            names = run([options.regsweep, "list-repo-names", "-reg", address, "-c", index])[3].split()
            got = remove(options, address, index, "-r", *names)
            sweeps.append((got["requests"] / got["seconds"], got["removed"] / got["seconds"]))
    ratio = statistics.median(s[0] / h for s, h in zip(sweeps, heads))
    note("sweep", "fake: requests/s of a verified sweep of 50,000 manifests", f"{statistics.median(s[0] for s in sweeps):,.0f}")
    note("sweep", "fake: the same / tags/s of the crawl, median of ratios", f"{ratio:.2f}", ">= 0.8")
    note("sweep", "fake: deletions/s, checked, journaled, indexed", f"{statistics.median(s[1] for s in sweeps):,.0f}")

    registry = Registry(folder)
    with registry.child:
        ratios = []
        for r in range(options.rounds):
            mine, theirs = 4, 4
            registry.fill(mine + theirs, 60, first=r * (mine + theirs))
            index = os.path.join(folder, f"sweep{r}.db")
            names = [f"bench/repo-{r * (mine + theirs) + i:03}" for i in range(mine + theirs)]
            crawl(options, registry.address, index)
            tags = json.loads(run([options.regsweep, "list-tag-names", "-reg", registry.address, "-c", index,
                                   "--output", "json", *names[mine:]])[3])["tags"]
            paths = [f"/v2/{t['repository']}/manifests/{t['digest']}" for t in tags]

            def ours():
                got = remove(options, registry.address, index, "-r", *names[:mine])
                return got["removed"] / got["seconds"]

            def curl():
                with open(os.path.join(folder, "urls"), "w") as f:
                    f.write("\n".join(f"http://{registry.address}{p}" for p in paths))
                begin = time.monotonic()
                subprocess.run(f"xargs -P32 -n8 curl -s -o /dev/null -X DELETE < {f.name}", shell=True, check=True)
                return len(paths) / (time.monotonic() - begin)

            a, b = (ours(), curl()) if r % 2 == 0 else (lambda y: (ours(), y))(curl())
            ratios.append(a / b)
    note("sweep", "docker-registry: deletions/s / xargs -P32 curl, median", f"{statistics.median(ratios):.2f}", ">= 0.95")


def bench_plan(options, folder):
    server, address = fake(options, "--repos", "1000", "--tags", "1000")
    with server:
        index = os.path.join(folder, "plan.db")
        crawl(options, address, index)
        names = run([options.regsweep, "list-repo-names", "-reg", address, "-c", index])[3].split()
        wall, _, peak, _ = run([options.regsweep, "remove-repos", "-reg", address, "-c", index, "--dry-run",
                                "--output", "json", "--plan-out", os.path.join(folder, "plan.json"), "-r", *names])
    note("plan", "1,000,000 selected tags planned and written, seconds", f"{wall:.2f}", "<= 3")
    note("plan", "the same, peak MiB", f"{peak / 1024:.0f}", "<= 300")


def bench_adaptive(options, folder):
    registry = Registry(folder)
    index = os.path.join(folder, "adaptive.db")
    with registry.child:
        registry.fill(40, 200)

        def rate(*args):
            return statistics.median(crawl(options, registry.address, index, *args)["rate"]
                                     for _ in range(options.rounds))

        fixed = {n: rate("--concurrency", str(n)) for n in (4, 8, 16, 32, 64, 128)}
        best = max(fixed, key=fixed.get)
        found = rate()
    note("adaptive", f"docker-registry: found by itself / best fixed level ({best})", f"{found / fixed[best]:.2f}", ">= 0.95")
    server, address = fake(options, "--repos", "4", "--tags", "1000", "--rate-limit", "200")
    with server:
        got = crawl(options, address, os.path.join(folder, "limited.db"))
    note("adaptive", "200 requests/s allowed, 429 above: tags/s", f"{got['rate']:.0f}", ">= 190")


def load(options, address, *args):
    """One run of `regsweep bench`, 32 connections unless told otherwise."""
    _, _, _, text = run([options.regsweep, "bench", "-q", "-reg", address, "--op", "get", "--output", "json",
                           "--concurrency", "32", *args])
    result = json.loads(text)["runs"][0]
    if result["errors"]:
        sys.exit(f"regsweep bench met failures: {result['failures']}")
    return result


def wrk_percentiles(url, seconds, script):
    """Milliseconds of p50, p90 and p99."""
    _, _, _, text = run(["wrk", "-t1", "-c32", f"-d{seconds}", "--latency", "-s", script, url])
    factor = {"us": 1e-3, "ms": 1, "s": 1e3}
    found = re.findall(r"^ +(50|90|99)% +([\d.]+)(us|ms|s)$", text, re.M)
    return {f"p{p}": float(value) * factor[unit] for p, value, unit in found}


def bench_load(options, folder):
    seconds = str(options.seconds)
    server, address = fake(options, "--repos", "100", "--tags", "4000", "--variants", "64")
    with server:
        url = f"http://{address}/v2/synthetic/repo-000001/manifests/1.0.0"
        one = ["-c", "None", "--repo", "synthetic/repo-000001", "--page-size", "1", "--duration", seconds]
        ratio, mine, theirs = ratio_rounds(
            options.rounds, lambda: load(options, address, *one)["rate"],
            lambda: wrk(url, options.seconds))
        held = min(load(options, address, *one, "--rate", str(int(mine * part)))["rate"]
                   / int(mine * part) for part in (0.2, 0.5, 0.8))
    note("load", "bench of the fake registry, requests/s", f"{mine:,.0f}")
    note("load", "wrk -t1 -c32 of the same, requests/s", f"{theirs:,.0f}")
    note("load", "bench / wrk, median of ratios", f"{ratio:.2f}", ">= 0.95")
    note("load", "open loop at 0.2, 0.5, 0.8 of that: least part of its rate", f"{held:.3f}", ">= 0.99")
    registry = Registry(folder)
    with registry.child:
        script = lua_script(folder, registry.fill(10, 100))
        index = os.path.join(folder, "load.db")
        crawl(options, registry.address, index)
        url = f"http://{registry.address}/"
        ratios = {"p50": [], "p90": [], "p99": []}
        for _ in range(options.rounds):
            ours = load(options, registry.address, "-c", index, "--order", "listed", "--duration", seconds)
            theirs = wrk_percentiles(url, options.seconds, script)
            for p in ratios:
                ratios[p].append(ours["latency_ms"][p] / theirs[p])
    for p, values in ratios.items():
        note("load", f"{p} at docker-registry, bench / wrk, median of ratios", f"{statistics.median(values):.2f}",
             "0.95 to 1.05")


class Nginx:
    """nginx with TLS before `upstream`, one process, keep-alive on both sides."""

    def __init__(self, folder, upstream, log=False):
        self.folder = tempfile.mkdtemp(prefix="nginx-", dir=folder)
        self.port = free_port()
        self.certificate = os.path.join(self.folder, "server.pem")
        self.log = os.path.join(self.folder, "access.log")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        os.path.join(self.folder, "server.key"), "-out", self.certificate],
                       check=True, stderr=subprocess.DEVNULL)
        access = f"access_log {self.log} connections buffer=64k;" if log else "access_log off;"
        paths = "".join(f"{kind}_temp_path {self.folder}/{kind};"
                        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config = os.path.join(self.folder, "nginx.conf")
        with open(config, "w") as f:
            f.write(f"daemon off; master_process off; pid {self.folder}/pid; error_log stderr error;"
                    f"events {{ worker_connections 1024; }} http {{ {paths}"
                    f"log_format connections '$connection $ssl_session_reused'; {access}"
                    f"upstream registry {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}"
                    f"server {{ listen 127.0.0.1:{self.port} ssl; ssl_certificate server.pem;"
                    "ssl_certificate_key server.key; keepalive_requests 100000000; location / {"
                    "proxy_pass http://registry; proxy_http_version 1.1; proxy_set_header Connection '';"
                    "proxy_set_header Host $http_host; } } }")
        self.child = Child(["nginx", "-e", "stderr", "-p", self.folder, "-c", config])
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("nginx does not listen")

    @property
    def address(self):
        return f"https://127.0.0.1:{self.port}"


def bench_tls(options, folder):
    server, address = fake(options, "--repos", "10", "--tags", "3000")
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
    note("tls", "crawl through nginx with TLS, tags/s (30,000 tags)", f"{mine:,.0f}")
    note("tls", "wrk -t1 -c32 GET of a manifest, same server, requests/s", f"{theirs:,.0f}")
    note("tls", "crawl / wrk, median of ratios", f"{ratio:.2f}", ">= 0.7")
    note("tls", "connections of a crawl with 32 requests in flight", f"{len(connections)}", "<= 33")
    note("tls", "of their handshakes, one each, shortened by resumption", f"{resumed}")


def bench_tokens(options, folder):
    life = 2
    server, address = fake(options, "--repos", "1", "--tags", "10000", "--bearer", "bench:secret", "--token-life-ms",
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
    if report["tags"] != 10000 or report["incomplete"]:
        sys.exit("the crawl did not outlive its tokens")
    note("tokens", f"requests of a crawl over {life}-second tokens", f"{report['requests']:,}")
    note("tokens", "seconds it took", f"{wall:.1f}")
    note("tokens", "tokens fetched", counters["tokens"], f"<= {int(wall / life) + 1}")


SECTIONS = {"fake": bench_fake, "memory": bench_memory, "registry": bench_registry, "sweep": bench_sweep,
            "plan": bench_plan, "adaptive": bench_adaptive, "load": bench_load, "tls": bench_tls,
            "tokens": bench_tokens}


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
                break
    return f"{os.cpu_count()} cores, {model}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--build", default="build/release", help="folder with regsweep and tests/fake_registry")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of one wrk run")
    parser.add_argument("--json", help="file for the numbers")
    options = parser.parse_args()
    for name in options.sections:
        if name not in SECTIONS:
            parser.error(f"no section '{name}'")
    options.regsweep = os.path.join(options.build, "regsweep")
    options.fake = os.path.join(options.build, "tests", "fake_registry")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder = tempfile.mkdtemp(prefix="regsweep-bench-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    try:
        for name in options.sections or SECTIONS:
            SECTIONS[name](options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\nOn {machine()}:\n\n| where | what | measured | aim |\n| --- | --- | ---: | --- |")
    for row in RESULTS:
        print(f"| {row['section']} | {row['what']} | {row['value']} | {row['target']} |")
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"machine": machine(), "results": RESULTS}, f, indent=1)


if __name__ == "__main__":
    main()
