#!/usr/bin/env python3
"""The requests of Grafana's Prometheus data source, replayed in the form its source gives them. Grafana itself is
not to be had on a test machine, so this reads what it would read and says what it would make of it.

From grafana/grafana: pkg/promlib/client/client.go (form posts of queries; series and labels first as POST, label values
and metadata as GET), healthcheck.go (1+1 at t=4), heuristics.go (a "features" map in buildinfo would make us Mimir, with
a ruler to write to), converter/prom.go (what an answer must look like), models/query.go (the range is laid on the step's
grid), packages/grafana-prometheus/src: resource_clients.ts and constants.ts (limit=40000, {__name__!=""}),
metric_find_query.ts (template variables), utf8_support.ts (U__ names); pkg/services/ngalert/api/lotex_prom.go (rules and
alerts of a data source).
"""
import gzip
import json
import pathlib
import re
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases, doubles, remote_write  # noqa: E402
from support.server import Hinomi, request, wait_until  # noqa: E402

AGENT = {"User-Agent": "Grafana/12.0.2", "Accept-Encoding": "gzip"}
FORM = {**AGENT, "Content-Type": "application/x-www-form-urlencoded"}
# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string, without names
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
LIMIT = "40000"

CONFIG = """
store: {series: {accept_window: unlimited}}
collect: {enabled: false}
"""


def read(r):
    body = gzip.decompress(r.body) if r.headers.get("content-encoding") == "gzip" else r.body
    assert r.headers["content-type"].startswith("application/json"), (r.status, r.headers)
    return json.loads(body)


def encoded(params):
    """url.Values.Encode: sorted by key."""
    return urllib.parse.urlencode(sorted(params.items()), doseq=True)


def post(h, path, params):
    return request(h.port, "POST", "/" + path, encoded(params).encode(), FORM)


def get(h, path, params=None):
    return request(h.port, "GET", "/" + path + ("?" + encoded(params) if params else ""), headers=AGENT)


def resource(h, path, params, method="POST"):
    """Client.QueryResource: POST, and GET where that is refused; data is the answer's "data"."""
    only_get = path.startswith(("api/v1/label/", "api/v1/metadata"))
    r = get(h, path, params) if only_get or method == "GET" else post(h, path, params)
    if r.status in (400, 405) and not only_get:
        r = get(h, path, params)
    answer = read(r)
    assert r.status == 200 and answer["status"] == "success", (path, params, r.status, answer)
    return answer["data"]


def frames(answer):
    """What converter/prom.go takes from an answer: [(labels, times, values)]; it fails on anything else."""
    assert list(answer)[0] == "status" and answer["status"] == "success", answer
    data = answer["data"]
    if isinstance(data, list):
        return data
    assert list(data)[:2] == ["resultType", "result"], list(data)  # the type before what needs it, as a stream is read
    if data["resultType"] in ("scalar", "string"):
        ts, value = data["result"]
        assert isinstance(ts, (int, float)) and isinstance(value, str)
        return [({}, [ts], [value if data["resultType"] == "string" else float(value)])]
    out = []
    for s in data["result"]:
        points = s["values"] if data["resultType"] == "matrix" else [s["value"]]
        assert all(isinstance(t, (int, float)) and isinstance(v, str) for t, v in points)
        out.append((s["metric"], [t for t, _ in points], [float(v) for _, v in points]))
    return out


class Filled:
    """A server with an hour of samples every 15 s."""

    def __enter__(self):
        self.h = Hinomi(CONFIG)
        self.now = int(time.time())
        rows = []
        for job in ("shop", "mail"):
            for code in ("200", "500"):
                rows.append(({"__name__": "http_requests_total", "job": job, "code": code},
                             [(float(i), (self.now - 3600 + 15 * i) * 1000) for i in range(241)]))
        for le, n in (("0.1", 1), ("1", 2), ("+Inf", 3)):
            rows.append(({"__name__": "http_seconds_bucket", "job": "shop", "le": le}, [(float(n * i), (self.now - 3600 + 15 * i) * 1000) for i in range(241)]))
        rows.append(({"__name__": "queue_depth", "job": "mail", "kø.navn": "a b"}, [(7.0, (self.now - 15) * 1000), (7.0, self.now * 1000)]))
        r = self.h.post("/api/v1/write", remote_write.body(rows), remote_write.HEADERS)
        assert r.status // 100 == 2, r.text
        self.range = {"start": str(self.now - 3600), "end": str(self.now)}
        return self

    def __exit__(self, *why):
        self.h.__exit__(*why)


def test_save_and_test_says_that_we_are_a_prometheus():
    with Hinomi(CONFIG) as h:
        r = post(h, "api/v1/query", {"query": "1+1", "time": "4"})
        assert r.status == 200 and frames(read(r)) == [({}, [4], [2.0])], r.text
        r = get(h, "api/v1/status/buildinfo")
        info = read(r)["data"]
        assert r.status == 200 and not info.get("features"), info
        assert all(isinstance(info[k], str) for k in ("version", "revision", "branch", "buildUser", "buildDate", "goVersion")), info
        m = re.fullmatch(SEMVER, info["version"])
        assert m and (int(m.group(1)), int(m.group(2))) >= (2, 24), info  # from 2.24 on it asks for labels with match[]


def test_a_panel_asks_for_a_range():
    with Filled() as f:
        step = 15
        start, end = (f.now - 3600) // step * step, f.now // step * step
        r = post(f.h, "api/v1/query_range", {"query": "sum by (job) (rate(http_requests_total[1m0s]))", "start": str(start), "end": str(end), "step": str(step)})
        assert r.status == 200, r.text
        got = frames(read(r))
        assert [labels for labels, _, _ in got] == [{"job": "mail"}, {"job": "shop"}], got
        for _, times, values in got:
            assert times == sorted(set(times)) and all(start <= t <= end and (t - start) % step == 0 for t in times)
            assert len(times) >= 230 and all(abs(v - 2 / 15) < 1e-9 for v in values[8:]), values[:12]
        with_timeout = post(f.h, "api/v1/query_range", {"query": "queue_depth", "start": str(start), "end": f"{f.now + 0.5}", "step": "7.5", "timeout": "30s"})
        assert with_timeout.status == 200, with_timeout.text
        r = get(f.h, "api/v1/query_range", {"query": "queue_depth", "start": str(start), "end": str(end + step), "step": str(step)})  # httpMethod: GET
        assert frames(read(r))[0][2] == [7.0] * len(frames(read(r))[0][1])


def test_a_table_asks_for_an_instant():
    with Filled() as f:
        r = post(f.h, "api/v1/query", {"query": 'http_requests_total{code="500"}', "time": f"{f.now}.123"})
        got = frames(read(r))
        assert {labels["job"] for labels, _, _ in got} == {"shop", "mail"}, got
        assert all(times == [f.now + 0.123] and values == [240.0] for _, times, values in got), got
        assert frames(read(post(f.h, "api/v1/query", {"query": '"hello"', "time": str(f.now)}))) == [({}, [f.now], ["hello"])]


def test_errors_and_notices_are_shown_as_told():
    with Filled() as f:
        r = post(f.h, "api/v1/query", {"query": "sum(", "time": str(f.now)})
        answer = read(r)
        assert r.status == 400 and answer["status"] == "error" and answer["errorType"] == "bad_data" and "parse error" in answer["error"], answer
        answer = read(post(f.h, "api/v1/query", {"query": "rate(queue_depth[5m])", "time": str(f.now)}))
        assert answer["status"] == "success" and "counter" in answer["infos"][0], answer
        answer = read(post(f.h, "api/v1/query", {"query": "quantile(2, queue_depth)", "time": str(f.now)}))
        assert answer["status"] == "success" and "quantile" in answer["warnings"][0], answer
        answer = read(post(f.h, "api/v1/query_range", {"query": "up", "start": "0", "end": str(f.now), "step": "1"}))
        assert answer["errorType"] == "bad_data" and "11,000" in answer["error"], answer


def test_exemplars_are_a_list():
    with Filled() as f:
        r = post(f.h, "api/v1/query_exemplars", {"query": "rate(http_requests_total[5m])", **f.range})
        assert r.status == 200 and frames(read(r)) == [], r.text


def test_the_query_builder_finds_metrics_labels_and_values():
    with Filled() as f:
        metrics = resource(f.h, "api/v1/label/__name__/values", {"limit": LIMIT, **f.range})
        assert metrics == ["http_requests_total", "http_seconds_bucket", "queue_depth"], metrics
        keys = resource(f.h, "api/v1/labels", {"limit": LIMIT, **f.range})
        assert keys == ["__name__", "code", "job", "kø.navn", "le"], keys
        keys = resource(f.h, "api/v1/labels", {"limit": LIMIT, **f.range, "match[]": "http_requests_total"})
        assert keys == ["__name__", "code", "job"], keys
        keys = resource(f.h, "api/v1/labels", {"limit": LIMIT, **f.range, "match[]": '{__name__="http_requests_total",job="shop"}'}, method="GET")
        assert keys == ["__name__", "code", "job"], keys
        several = resource(f.h, "api/v1/labels", {**f.range, "match[]": ["http_seconds_bucket", "queue_depth"]})
        assert several == ["__name__", "job", "kø.navn", "le"], several
        values = resource(f.h, "api/v1/label/code/values", {"limit": LIMIT, **f.range, "match[]": '{__name__="http_requests_total",job="shop"}'})
        assert values == ["200", "500"], values
        assert resource(f.h, "api/v1/label/job/values", {"limit": "1", **f.range}) == ["mail"]
        # a name that is not of the old kind comes as U__ with its letters in hexadecimal
        assert resource(f.h, "api/v1/label/U__k_f8__2e_navn/values", {"limit": LIMIT, **f.range}) == ["a b"]
        old = {"start": str(f.now - 86400 * 3), "end": str(f.now - 86400 * 2)}
        assert resource(f.h, "api/v1/label/job/values", old) == []


def test_the_metrics_browser_asks_for_series():
    with Filled() as f:
        series = resource(f.h, "api/v1/series", {**f.range, "match[]": '{__name__!=""}', "limit": LIMIT})
        assert len(series) == 8 and {"__name__": "queue_depth", "job": "mail", "kø.navn": "a b"} in series, series
        series = resource(f.h, "api/v1/series", {**f.range, "match[]": '{"kø.navn"!=""}', "limit": LIMIT})
        assert [s["__name__"] for s in series] == ["queue_depth"], series
        series = resource(f.h, "api/v1/series", {**f.range, "match[]": '{__name__="http_requests_total",code!=""}', "limit": "3"}, method="GET")
        assert len(series) == 3, series


def test_template_variables():
    with Filled() as f:
        assert resource(f.h, "api/v1/label/job/values", {"match[]": 'http_requests_total{code="500"}', **f.range}) == ["mail", "shop"]
        assert resource(f.h, "api/v1/labels", {"match[]": '{__name__=~".*seconds.*"}', **f.range}) == ["__name__", "job", "le"]
        data = resource(f.h, "api/v1/query", {"query": "topk(1, http_requests_total)", "time": str(f.now)})
        assert data["resultType"] == "vector" and len(data["result"]) == 1, data
        assert len(resource(f.h, "api/v1/series", {"match[]": "queue_depth", **f.range})) == 1


PAGE = """# HELP jobs_total Jobs done.
# TYPE jobs_total counter
jobs_total 5
# HELP took_seconds How long.
# TYPE took_seconds histogram
took_seconds_bucket{le="+Inf"} 1
took_seconds_sum 1
took_seconds_count 1
"""


def test_metadata_gives_type_and_help():
    server = doubles.metrics_page(lambda handler: (PAGE, 200, "text/plain; version=0.0.4"))
    try:
        with Hinomi(CONFIG + f"global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: app, static_configs: [{{targets: ['127.0.0.1:{server.port}']}}]}}]\n") as h:
            data = wait_until(lambda: resource(h, "api/v1/metadata", {}), 15, "a scrape")
            assert data["jobs_total"] == [{"type": "counter", "help": "Jobs done.", "unit": ""}], data
            assert data["took_seconds"][0]["type"] == "histogram", data
            assert list(resource(h, "api/v1/metadata", {"metric": "jobs_total"})) == ["jobs_total"]
            assert len(resource(h, "api/v1/metadata", {"limit": "1"})) == 1
    finally:
        server.close()


RULES = """
groups:
  - name: shop
    interval: 1s
    rules:
      - record: job:depth:sum
        expr: sum(depth)
      - alert: TooDeep
        expr: depth > 10
        labels: {severity: page}
        annotations: {summary: 'deep: {{ $value }}'}
"""


def test_alerting_shows_our_rules_and_alerts():
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as rules:
        rules.write(RULES)
        rules.flush()
        with Hinomi(CONFIG + f"rule_files: ['{rules.name}']\n") as h:
            r = h.post("/api/v1/write", remote_write.body([({"__name__": "depth"}, [(42.0, int(time.time() * 1000))])]), remote_write.HEADERS)
            assert r.status // 100 == 2, r.text
            wait_until(lambda: h.get("/api/v1/alerts").json()["data"]["alerts"], 20, "an alert")
            groups = read(get(h, "api/v1/rules"))["data"]["groups"]
            shop = next(g for g in groups if g["name"] == "shop")
            assert shop["interval"] == 1 and shop["file"] == rules.name and isinstance(shop["evaluationTime"], (int, float)), shop
            record, alert = shop["rules"]
            assert (record["type"], record["name"], record["query"], record["health"]) == ("recording", "job:depth:sum", "sum(depth)", "ok"), record
            assert (alert["type"], alert["name"], alert["state"], alert["duration"]) == ("alerting", "TooDeep", "firing", 0), alert
            assert alert["labels"] == {"severity": "page"} and alert["annotations"] == {"summary": "deep: {{ $value }}"}, alert
            one = alert["alerts"][0]
            assert one["state"] == "firing" and float(one["value"]) == 42 and one["labels"]["alertname"] == "TooDeep", one
            assert one["annotations"] == {"summary": "deep: 42"}, one
            for stamp in (shop["lastEvaluation"], alert["lastEvaluation"], one["activeAt"]):
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", stamp), stamp
            only = read(get(h, "api/v1/rules", {"type": "record", "rule_group[]": "shop"}))["data"]["groups"]
            assert [[r["name"] for r in g["rules"]] for g in only] == [["job:depth:sum"]], only
            alerts = read(get(h, "api/v1/alerts"))["data"]["alerts"]
            assert [a["labels"]["alertname"] for a in alerts] == ["TooDeep"], alerts
            # Grafana looks for a ruler where Mimir has one
            assert get(h, "api/v1/rules/test/test", {"subtype": "cortex"}).status == 404


if __name__ == "__main__":
    sys.exit(cases.main())
