"""What the measurements share: programs that run to their end, servers that end with their block, wrk."""
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time


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


def wrk_percentiles(url, seconds, script, connections=32):
    """Milliseconds of p50, p90 and p99."""
    _, _, _, text = run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", script, url])
    factor = {"us": 1e-3, "ms": 1, "s": 1e3}
    found = re.findall(r"^ +(50|90|99)% +([\d.]+)(us|ms|s)$", text, re.M)
    return {f"p{p}": float(value) * factor[unit] for p, value, unit in found}


def like_wrk(result, connections=32):
    """Percentiles of `regsweep bench` as wrk 4 would tell them.

    wrk does not print what it has measured: stats_correct (wrk's src/stats.c) adds, for each latency of twice the mean
    interval of a connection or more, others that are shorter by one interval after the other, to make up for requests
    that an open loop would have sent meanwhile. The median of a skewed distribution moves by a quarter. The same is
    done here to what regsweep has measured, so that both tell of the same.
    """
    def low(bucket):
        return bucket if bucket < 256 else (128 + bucket % 128) << (bucket // 128 - 1)

    interval = int(result["seconds"] * 1e6 / (result["requests"] // connections))
    counts = {}
    for one in result["operations"].values():
        for bucket, count in one["histogram"]["buckets"]:
            latency = (low(bucket) + low(bucket + 1)) // 2 // 1000
            counts[latency] = counts.get(latency, 0) + count
            added = latency - interval
            while latency >= 2 * interval and added > interval:
                counts[added] = counts.get(added, 0) + count
                added -= interval
    total = sum(counts.values())

    def percentile(percent):
        seen = 0
        for latency in sorted(counts):
            seen += counts[latency]
            if seen >= total * percent / 100:
                return latency / 1000
        return 0

    return {"p50": percentile(50), "p90": percentile(90), "p99": percentile(99)}


def load(options, address, *args):
    """One run of `regsweep bench` with GETs of manifests, 32 connections unless told otherwise."""
    _, _, _, text = run([options.regsweep, "bench", "-q", "-reg", address, "--op", "get", "--output", "json",
                         "--concurrency", "32", *args])
    result = json.loads(text)["runs"][0]
    if result["errors"]:
        sys.exit(f"regsweep bench met failures: {result['failures']}")
    return result


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

    def fill(self, repositories, tags, first=0, prefix="repo"):
        """Pushes `tags` distinct images into each repository; returns the paths of their manifests."""
        kind = "application/vnd.oci.image.manifest.v1+json"
        paths = []
        for r in range(first, first + repositories):
            name = f"bench/{prefix}-{r:03}"
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


# What regsweep asks manifests with: a registry's answer costs what it has to look at.
ACCEPT = ("application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
          "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, "
          "application/vnd.docker.distribution.manifest.v1+prettyjws;q=0.5, "
          "application/vnd.docker.distribution.manifest.v1+json;q=0.5")


def lua_script(folder, paths):
    script = os.path.join(folder, "paths.lua")
    with open(script, "w") as f:
        f.write("local paths = {\n" + "".join(f'"{p}",\n' for p in paths) + "}\nlocal i = 0\n"
                f'wrk.headers["Accept"] = "{ACCEPT}"\n'
                "request = function()\n  i = i % #paths + 1\n  return wrk.format(nil, paths[i])\nend\n")
    return script


def certificate(folder):
    """A certificate of 127.0.0.1 and its key, as files."""
    files = os.path.join(folder, "server.pem"), os.path.join(folder, "server.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", files[1],
                    "-out", files[0]], check=True, stderr=subprocess.DEVNULL)
    return files


class Nginx:
    """nginx with TLS before `upstream`, one process, keep-alive on both sides."""

    def __init__(self, folder, upstream, log=False):
        self.folder = tempfile.mkdtemp(prefix="nginx-", dir=folder)
        self.port = free_port()
        self.log = os.path.join(self.folder, "access.log")
        self.certificate, _ = certificate(self.folder)
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
