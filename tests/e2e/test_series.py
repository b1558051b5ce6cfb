#!/usr/bin/env python3
"""Samples in and out of the running server: remote_write, scrapes, the Prometheus API, limits."""
import gzip
import json
import math
import os
import pathlib
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases, doubles, remote_write  # noqa: E402
from support.server import Hinomi, Process, free_port, request, wait_until  # noqa: E402

QUIET = "collect: {enabled: false}\n"
OPEN = "store: {series: {accept_window: unlimited}}\n" + QUIET


def write(h, rows, headers=None):
    return h.post("/api/v1/write", remote_write.body(rows), headers or remote_write.HEADERS)


def test_remote_write_is_queryable_at_once():
    now = int(time.time() * 1000)
    with Hinomi(QUIET) as h:
        r = write(h, [({"__name__": "m", "i": str(i)}, [(i / 4, now - 1000), (i, now)]) for i in range(100)])
        assert r.status == 204 or r.status == 200, r.text
        assert h.scalar("count(m)", time=now / 1000) == 100
        assert h.scalar('m{i="7"}', time=now / 1000) == 7
        assert h.scalar('sum(m offset 1s)', time=now / 1000) == sum(i / 4 for i in range(100))
        assert h.get("/api/v1/label/i/values", **{"match[]": "m"}).json()["data"][:2] == ["0", "1"]


def test_special_values_survive():
    now = int(time.time() * 1000)
    values = {"nan": float("nan"), "inf": float("inf"), "ninf": float("-inf"), "tiny": 5e-324, "big": 1.7976931348623157e308, "third": 1 / 3,
              "negzero": -0.0}
    with Hinomi(QUIET) as h:
        assert write(h, [({"__name__": "s", "k": k}, [(v, now)]) for k, v in values.items()]).status // 100 == 2
        for k, v in values.items():
            got = h.query(f's{{k="{k}"}}', time=now / 1000)[0]["value"][1]
            assert (math.isnan(float(got)) and math.isnan(v)) or float(got) == v, (k, got)


def test_partial_rejection_is_told():
    now = int(time.time() * 1000)
    with Hinomi(QUIET) as h:
        r = write(h, [({"__name__": "good"}, [(1, now)]), ({"__name__": "old_one"}, [(1, now - 30 * 86400_000)])])
        assert r.status == 400 and "old_one" in r.text, (r.status, r.text)
        assert h.scalar("good", time=now / 1000) == 1
        assert write(h, [({"__name__": "good"}, [(1, now)])]).status // 100 == 2, "an equal duplicate is fine"
        r = write(h, [({"__name__": "good"}, [(2, now)])])
        assert r.status == 400 and "good" in r.text, r.text


def test_wrong_bodies_are_refused_and_store_nothing():
    now = int(time.time() * 1000)
    good = remote_write.body([({"__name__": "x"}, [(1, now)])])
    with Hinomi(QUIET) as h:
        for body in (b"", b"garbage", good[:-3], remote_write.snappy(b"\x0a\xff\xff"), b"\xff\xff\xff\xff\x0f" + good):
            r = h.post("/api/v1/write", body, remote_write.HEADERS)
            assert r.status in (400, 413) or (body == b"" and r.status // 100 == 2), (body[:20], r.status, r.text)
        r = h.post("/api/v1/write", good, {**remote_write.HEADERS, "Content-Type": "text/plain"})
        assert r.status == 415, r.status
        bad_labels = remote_write.write_request([({"a": "1"}, [(1, now)])]).replace(b"\x0a\x01a", b"\x0a\x01\xff")
        r = h.post("/api/v1/write", remote_write.snappy(bad_labels), remote_write.HEADERS)
        assert r.status == 400, r.status
        assert h.query("x") == []
        assert h.get("/-/healthy").status == 200


def test_a_compressed_bomb_is_refused():
    with Hinomi(QUIET) as h:
        bomb = b"\xff\xff\xff\xff\x0f" + b"\x00" * 10  # says 4 GiB
        assert h.post("/api/v1/write", bomb, remote_write.HEADERS).status in (400, 413)
        packed = gzip.compress(b"query=" + b" " * (200 << 20), 9)
        r = h.post("/api/v1/query", packed, {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"})
        assert r.status in (400, 413, 415), r.status
        big = b"a" * (70 << 20)
        try:
            r = h.post("/api/v1/write", big, remote_write.HEADERS)
            assert r.status == 413, r.status
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused while we were still sending
        assert h.get("/-/healthy").status == 200
        assert h.rss_bytes() < 400 << 20, h.rss_bytes()


def test_the_api_answers_as_prometheus():
    now = int(time.time())
    with Hinomi(OPEN) as h:
        write(h, [({"__name__": "up_like", "job": "a"}, [(1, (now - 60) * 1000), (3, now * 1000)])])
        r = h.get("/api/v1/query_range", query="up_like", start=now - 60, end=now, step=60).json()
        assert r["data"] == {"resultType": "matrix", "result": [
            {"metric": {"__name__": "up_like", "job": "a"}, "values": [[now - 60, "1"], [now, "3"]]}]}, r
        assert h.get("/api/v1/query", query="1+1", time=now).json()["data"] == {"resultType": "scalar", "result": [now, "2"]}
        r = h.get("/api/v1/query", query="up_like{")
        assert r.status == 400 and r.json()["errorType"] == "bad_data" and "parse error" in r.json()["error"], r.text
        r = h.get("/api/v1/query_range", query="1", start=0, end=now, step=1)
        assert r.status == 400 and "11,000" in r.json()["error"], r.text
        r = h.get("/api/v1/query", query="up_like", time="tomorrow")
        assert r.status == 400, r.text
        body = urllib.parse.urlencode({"query": "up_like", "time": now}).encode()
        r = h.post("/api/v1/query", body, {"Content-Type": "application/x-www-form-urlencoded"})
        assert r.json()["data"]["result"][0]["value"] == [now, "3"], r.text
        assert h.get("/api/v1/labels").json()["data"][:2] == ["__name__", "job"]
        assert h.get("/api/v1/series", **{"match[]": "up_like"}).json()["data"] == [{"__name__": "up_like", "job": "a"}]
        assert h.get("/api/v1/series").status == 400
        assert h.get("/api/v1/format_query", query="sum(a)by(b)").json()["data"] == "sum by (b) (a)"
        assert h.get("/api/v1/parse_query", query="a+b").json()["data"]["type"] == "binaryExpr"
        for path in ("metadata", "targets", "rules", "alerts", "alertmanagers", "status/config", "status/flags", "status/runtimeinfo",
                     "status/buildinfo", "status/tsdb", "query_exemplars?query=a"):
            r = h.get("/api/v1/" + path)
            assert r.status == 200 and r.json()["status"] == "success", (path, r.text)
        assert h.get("/api/v1/status/buildinfo").json()["data"]["version"], "Grafana asks for it"


PAGE = """# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total{queue="mail",instance="inner"} %d
# TYPE depth gauge
depth 4.5
"""


def scrape_config(port, extra=""):
    return QUIET + f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: app
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{team: shop}}}}]
{extra}"""


def test_scrape_with_labels_up_and_staleness():
    state = {"n": 0, "mode": "ok"}

    def page(handler):
        state["n"] += 1
        if state["mode"] == "down":
            return "sorry", 500, "text/plain"
        return PAGE % state["n"], 200, "text/plain; version=0.0.4"
    server = doubles.metrics_page(page)
    try:
        with Hinomi(scrape_config(server.port)) as h:
            instance = f"127.0.0.1:{server.port}"
            wait_until(lambda: h.scalar('up{job="app"}') == 1, 15, "up")
            row = h.query("jobs_total")[0]
            assert row["metric"] == {"__name__": "jobs_total", "queue": "mail", "exported_instance": "inner", "instance": instance,
                                     "job": "app", "team": "shop"}, row
            assert h.scalar("scrape_samples_scraped") == 2
            target = h.get("/api/v1/targets").json()["data"]["activeTargets"][0]
            assert target["health"] == "up" and target["scrapePool"] == "app", target
            assert h.get("/api/v1/metadata", metric="jobs_total").json()["data"]["jobs_total"][0]["type"] == "counter"
            agent = server.received[0][2]
            assert "openmetrics" in agent["Accept"].lower() and "X-Prometheus-Scrape-Timeout-Seconds" in agent, agent
            state["mode"] = "down"
            wait_until(lambda: h.scalar('up{job="app"}') == 0, 15, "down is seen")
            wait_until(lambda: h.query("depth") == [], 5, "its series end")
            target = h.get("/api/v1/targets").json()["data"]["activeTargets"][0]
            assert target["health"] == "down" and "500" in target["lastError"], target
    finally:
        server.close()


def test_hostile_pages_fail_the_scrape_and_nothing_else():
    pages = {
        "giant": lambda: ("a 1\n" * 30_000_000, 200, "text/plain"),
        "garbage": lambda: (b"\xff\xfe{{{\n", 200, "text/plain"),
        "bomb": lambda: ("m{" + ",".join(f'l{i}="v"' for i in range(5000)) + "} 1\n", 200, "text/plain"),
    }
    for name, make in pages.items():
        body = make()
        server = doubles.metrics_page(lambda handler: body)
        try:
            with Hinomi(scrape_config(server.port)) as h:
                wait_until(lambda: h.scalar('up{job="app"}') == 0, 30, f"{name}: up is 0")
                wait_until(lambda: h.get("/api/v1/targets").json()["data"]["activeTargets"][0]["lastError"], 10, f"{name}: the reason")
                assert h.get("/-/healthy").status == 200
        finally:
            server.close()


def test_a_label_flood_is_limited_by_name():
    """Five thousand users as label values from one source: new series are refused by name, known ones go on."""
    config = QUIET + "store: {series: {series_per_metric_max: 1000}}\n"
    with Hinomi(config) as h:
        def now():
            return int(time.time() * 1000)
        assert write(h, [({"__name__": "known"}, [(1, now())])]).status // 100 == 2
        last = None
        for part in range(5):
            last = write(h, [({"__name__": "flood", "user": f"u{part}-{i}"}, [(1, now())]) for i in range(1000)])
        assert last.status in (400, 429) and "flood" in last.text and "user" in last.text, (last.status, last.text)
        assert write(h, [({"__name__": "known"}, [(2, now() + 1)])]).status // 100 == 2
        assert h.scalar("count(flood)") == 1000


def test_real_prometheus_sends_to_us():
    """Debian's prometheus as a remote_write sender: what it scraped of itself is here."""
    if not os.path.exists("/usr/bin/prometheus"):
        raise cases.Skip("Debian's prometheus is not installed")
    with Hinomi(QUIET) as h:
        port = free_port()
        config = h.data / "prometheus.yml"
        config.write_text(f"""
global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: self, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
remote_write: [{{url: "http://127.0.0.1:{h.port}/api/v1/write"}}]
""")
        p = Process(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={h.data}/prom", f"--web.listen-address=127.0.0.1:{port}",
                     "--log.level=warn"])
        try:
            wait_until(lambda: h.scalar("count(count_over_time(prometheus_build_info[1m])) >= 1"), 60, "Prometheus's samples")
            def both():
                at = time.time() - 5  # Prometheus sends what it scraped after its log was read
                q = "?" + urllib.parse.urlencode({"query": "count({job='self'})", "time": at})
                theirs = request(port, "GET", "/api/v1/query" + q).json()["data"]["result"]
                ours = h.query("count({job='self'})", time=at)
                return theirs and ours and theirs[0]["value"][1] == ours[0]["value"][1]
            wait_until(both, 30, "the same number of series at the same moment")
        finally:
            p.stop()


def test_real_node_exporter_is_scraped():
    if not os.path.exists("/usr/bin/prometheus-node-exporter"):
        raise cases.Skip("Debian's prometheus-node-exporter is not installed")
    port = free_port()
    p = Process(["/usr/bin/prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])
    try:
        with Hinomi(scrape_config(port)) as h:
            wait_until(lambda: h.scalar('up{job="app"}') == 1, 30, "node_exporter is up")
            assert h.scalar("scrape_samples_scraped") > 300
            assert h.query("node_exporter_build_info"), "its own build info"
    finally:
        p.stop()


if __name__ == "__main__":
    sys.exit(cases.main())
