#!/usr/bin/env python3
"""Benchmarks beside real peers, in one run, in CPU seconds of the server process: bench/run.py series|host|all.

Peers are Debian's prometheus and victoria-metrics. Every server starts fresh, gets the same bytes, and is
stopped by its own pid. Results are printed as a table and written to bench/results/<name>.md with versions and the
machine. CPU seconds and ratios, not wall time: these figures survive a noisy neighbour, wall time does not.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))
os.environ.setdefault("HINOMI_BIN", str(TOP / "build/bench/bin/hinomi"))
from support.server import BIN, Process, free_port, request, wait_until  # noqa: E402

LOAD = TOP / "build/bench/bin/series_load"


class Peer:
    """One server under test, with what it takes to start it, wait for it and ask it."""
    name = ""
    write_path = "/api/v1/write"
    ready_path = "/-/ready"

    def __init__(self):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix=f"bench-{self.name}-"))
        self.start()

    def start(self):
        self.port = free_port()
        started = time.monotonic()
        self.process = Process(self.command())
        wait_until(self.ready, 120, f"{self.name} ready")
        self.start_seconds = time.monotonic() - started

    def ready(self):
        if self.process.child.poll() is not None:
            raise AssertionError(f"{self.name} ended:\n{self.process.output()[-2000:]}")
        try:
            return request(self.port, "GET", self.ready_path, timeout=5).status == 200
        except OSError:
            return False

    def restart(self):
        self.process.stop(120)
        self.start()

    def close(self):
        self.process.stop(120)
        shutil.rmtree(self.data, ignore_errors=True)

    def disk_bytes(self):
        return sum(p.stat().st_blocks * 512 for p in self.data.rglob("*") if p.is_file())

    def anonymous_bytes(self):
        return self.process.rss_bytes("RssAnon")

    def query_cpu(self, path, params, times):
        """CPU ms of the server for one query; the answer must be a success."""
        query = path + "?" + urllib.parse.urlencode(params)
        r = request(self.port, "GET", query, timeout=120)
        if r.status != 200:
            raise AssertionError(f"{self.name}: {r.status} {r.text[:300]}")
        before = self.process.cpu_seconds()
        for _ in range(times):
            request(self.port, "GET", query, timeout=120)
        return (self.process.cpu_seconds() - before) * 1000 / times, len(r.body)


class Hinomi(Peer):
    name = "hinomi"

    def command(self):
        config = self.data / "bench.yml"
        if not config.exists():
            config.write_text("store: {series: {accept_window: unlimited, retention: 3650d}}\ncollect: {enabled: false}\n")
        return [BIN, "serve", "--config", config, "--data", self.data / "data", "--listen", f"127.0.0.1:{self.port}"]

    def version(self):
        return subprocess.run([BIN, "version"], capture_output=True, text=True).stdout.strip().split("\n")[0]


class Prometheus(Peer):
    name = "prometheus"

    def command(self):
        config = self.data / "prometheus.yml"
        config.write_text("global: {scrape_interval: 1h}\n")
        return ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.data}/tsdb", "--web.enable-remote-write-receiver",
                "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=error"]

    def version(self):
        p = subprocess.run(["prometheus", "--version"], capture_output=True, text=True)
        return (p.stdout + p.stderr).split("\n")[0]


class VictoriaMetrics(Peer):
    name = "victoria-metrics"
    ready_path = "/health"

    def command(self):
        return ["victoria-metrics", f"-storageDataPath={self.data}", f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=100y",
                "-search.latencyOffset=0s", "-search.disableCache", "-loggerLevel=ERROR", "-search.maxUniqueTimeseries=2000000"]

    def version(self):
        p = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}", "victoria-metrics"], capture_output=True, text=True)
        return p.stdout


PEERS = [Prometheus, VictoriaMetrics, Hinomi]


def load(peer, series, steps, step_ms, end_ms, order="same", churn=0):
    before = peer.process.cpu_seconds()
    command = [LOAD, peer.port, peer.write_path, series, steps, step_ms, end_ms, 2, order, churn]
    p = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=3600)
    if p.returncode:
        raise AssertionError(f"{peer.name}: the load broke off: {p.stdout} {p.stderr} {peer.process.output()[-2000:]}")
    result = json.loads(p.stdout)
    result["cpu"] = peer.process.cpu_seconds() - before
    return result


def queries(end_ms):
    end, start = end_ms / 1000, end_ms / 1000 - 6 * 3600
    six = {"start": start, "end": end}
    return [
        ("sum by (host)(rate()), 3,333 series, 6 h at 60 s", "/api/v1/query_range",
         {"query": "sum by (host)(rate(http_requests_total[5m]))", "step": 60, **six}, 3),
        ("histogram_quantile, 3,333 buckets, 6 h at 60 s", "/api/v1/query_range",
         {"query": "histogram_quantile(0.9, sum by (le)(rate(request_duration_seconds_bucket[5m])))", "step": 60, **six}, 3),
        ("count over all series, 6 h at 300 s", "/api/v1/query_range",
         {"query": 'count({host=~".+"})', "step": 300, **six}, 2),
        ("rate of 200 series, 1 h at 15 s", "/api/v1/query_range",
         {"query": 'rate(http_requests_total{host=~"host-000[0-9]"}[5m])', "start": end - 3600, "end": end, "step": 15}, 10),
        ("one raw series, 6 h", "/api/v1/query",
         {"query": 'queue_length{host="host-0001",path="/v1/resource/3/0"}[6h]', "time": end}, 30),
        ("label values of host", "/api/v1/label/host/values", {"start": start, "end": end}, 30),
        ("instant alert ratio", "/api/v1/query",
         {"query": "sum by (job)(rate(http_requests_total[5m])) / on(job) sum by (job)(rate(request_duration_seconds_bucket[5m])) > 0.5",
          "time": end}, 10),
    ]


def bench_series(options):
    steps = max(40, int(1440 * options.scale))
    # Whole minutes, so that every server evaluates the same steps.
    end_ms = int(time.time()) // 60 * 60 * 1000
    rows, versions = {}, {}
    for kind in PEERS:
        peer = kind()
        versions[peer.name] = peer.version()
        print(f"-- {versions[peer.name]}", flush=True)
        try:
            r = load(peer, 20000, steps, 15000, end_ms)
            assert r["refused"] == 0, f"{peer.name} refused {r['refused']} bodies"
            millions = r["samples"] / 1e6
            row = rows.setdefault("remote_write, CPU s per 1 M samples", {})
            row[peer.name] = r["cpu"] / millions
            rows.setdefault("anonymous KiB per active series (20k)", {})[peer.name] = peer.anonymous_bytes() / 1024 / 20000
            for name, path, params, times in queries(end_ms):
                cpu, size = peer.query_cpu(path, params, times)
                rows.setdefault(f"{name}, CPU ms", {})[peer.name] = cpu
                print(f"   {name}: {cpu:.1f} ms, {size} bytes", flush=True)
            peer.restart()
            rows.setdefault(f"start with {millions:.1f} M samples after a clean stop, wall s", {})[peer.name] = peer.start_seconds
            rows.setdefault("bytes per sample on disk after the restart", {})[peer.name] = peer.disk_bytes() / r["samples"]
        finally:
            peer.close()
        if options.shuffle:
            peer = kind()
            try:
                r = load(peer, 20000, max(20, steps // 10), 15000, end_ms, "shuffle")
                rows.setdefault("same, series order shuffled in every body", {})[peer.name] = r["cpu"] / (r["samples"] / 1e6)
            finally:
                peer.close()
    report("series", rows, versions, f"20,000 series x {steps} steps of 15 s; two keep-alive connections; bodies of 2,000 samples")


def bench_host(options):
    """One host watched each second for a minute: hinomi by itself."""
    data = pathlib.Path(tempfile.mkdtemp(prefix="bench-host-"))
    port = free_port()
    process = Process([BIN, "serve", "--data", data, "--listen", f"127.0.0.1:{port}"])
    rows = {}
    try:
        def ready():
            try:
                return request(port, "GET", "/-/ready").status == 200
            except OSError:
                return False
        wait_until(ready, 30, "ready")
        time.sleep(15)
        before, started = process.cpu_seconds(), time.monotonic()
        time.sleep(options.seconds)
        cpu = (process.cpu_seconds() - before) / (time.monotonic() - started) * 100
        rows["idle, watching this host each second, % of a core"] = {"hinomi": cpu}
        rows["RSS, MiB"] = {"hinomi": process.rss_bytes() / 2**20}
    finally:
        process.stop()
        shutil.rmtree(data, ignore_errors=True)
    report("host", rows, {"hinomi": Hinomi.version(None)}, f"{options.seconds} s; {len(os.listdir('/proc'))} entries in /proc")


def report(name, rows, versions, what):
    names = [k.name for k in PEERS if any(k.name in row for row in rows.values())]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for title, row in rows.items():
        lines.append(f"| {title} | " + " | ".join(f"{row[n]:.4g}" if n in row else "-" for n in names) + " |")
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    text = f"# {name}\n\n{what}.\n\n" + "\n".join(lines) + "\n\nVersions: " + "; ".join(versions.values()) + \
        f".\nMachine: {cpu.group(1) if cpu else platform.machine()}, {os.cpu_count()} processors, Linux {platform.release().split('-')[0]}. " \
        f"Recorded {datetime.date.today().isoformat()} by `./dev bench {name}`. CPU seconds are the server process's own (user and system).\n"
    print(text)
    results = TOP / "bench/results"
    results.mkdir(exist_ok=True)
    (results / f"{name}.md").write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=["series", "host", "all"], nargs="?", default="all")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the 1,440 steps")
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    if options.name in ("series", "all"):
        bench_series(options)
    if options.name in ("host", "all"):
        bench_host(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
