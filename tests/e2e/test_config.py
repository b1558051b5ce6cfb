#!/usr/bin/env python3
"""Configuration: wrong files, reload all or nothing, export."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases  # noqa: E402
from support.server import BIN, Hinomi, Process, free_port, wait_until  # noqa: E402


def check(text, name="hinomi.yml"):
    with tempfile.TemporaryDirectory() as d:
        path = pathlib.Path(d) / name
        path.write_text(text)
        p = subprocess.run([BIN, "config", "check", path], capture_output=True, text=True, timeout=30)
        return p.returncode, (p.stdout + p.stderr).replace(d + "/", "")


def test_findings_name_file_line_column_and_a_suggestion():
    rc, out = check("server:\n  lissten: 127.0.0.1:1\nglobal:\n  scrape_interval: 15 seconds\n")
    assert rc != 0
    assert "hinomi.yml:2:3" in out and "listen" in out, out
    assert "hinomi.yml:4:20" in out, out
    rc, out = check("scrape_configs:\n  - job_nam: x\n")
    assert rc != 0 and "hinomi.yml:2:5" in out and "job_name" in out, out
    rc, out = check("a: [1, 2\n")
    assert rc != 0 and "hinomi.yml:" in out, out
    rc, out = check("")
    assert rc == 0, out


def test_a_prometheus_file_loads_as_it_is():
    rc, out = check("""
global:
  scrape_interval: 15s
  evaluation_interval: 15s
  external_labels: {cluster: a}
rule_files: []
scrape_configs:
  - job_name: prometheus
    metrics_path: /metrics
    scheme: http
    basic_auth: {username: u, password: p}
    static_configs:
      - targets: ["localhost:9090"]
        labels: {app: prometheus}
    relabel_configs:
      - source_labels: [__address__]
        regex: '(.*):\\d+'
        target_label: host
        replacement: '$1'
    metric_relabel_configs:
      - source_labels: [__name__]
        regex: go_.*
        action: drop
""", "prometheus.yml")
    assert rc == 0, out


def test_alertmanagers_grammar_loads():
    rc, out = check("""
global: {resolve_timeout: 5m}
route:
  receiver: team
  group_by: [alertname]
  routes:
    - matchers: [severity="critical"]
      receiver: pager
      mute_time_intervals: [nights]
receivers:
  - name: team
    slack_configs: [{api_url: "http://127.0.0.1:1/x", channel: '#a'}]
  - name: pager
    webhook_configs: [{url: "http://127.0.0.1:1/y"}]
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [instance]
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: '22:00', end_time: '24:00'}]
""")
    assert rc == 0, out
    rc, out = check("route: {receiver: nobody}\nreceivers: [{name: team}]\n")
    assert rc != 0 and "nobody" in out, out
    rc, out = check("route: {receiver: team}\nreceivers:\n  - name: team\n    email_configs: [{to: x@example.com}]\n")
    assert rc != 0 and "hinomi.yml:4:" in out and "nobody would be told" in out, out


def test_wrong_rules_are_found_by_check():
    with tempfile.TemporaryDirectory() as d:
        rules = pathlib.Path(d) / "r.yml"
        rules.write_text("groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: sum(x\n")
        rc, out = check(f"rule_files: ['{rules}']\n")
        assert rc != 0 and "r.yml:5" in out, out


def test_secrets_come_from_files_and_environment_and_are_never_shown():
    with tempfile.TemporaryDirectory() as d:
        secret = pathlib.Path(d) / "pw"
        secret.write_text("hunter2\n")
        text = ("collect: {enabled: false}\nscrape_configs:\n  - job_name: ${JOB}\n    basic_auth: {username: u, password_file: '" + str(secret) +
                "'}\n    static_configs: [{targets: ['127.0.0.1:1']}]\n")
        with Hinomi(text, env={"JOB": "from-env"}) as h:
            shown = h.get("/api/v1/status/config").text + h.get("/api/hinomi/config").text
            assert "from-env" in shown and "hunter2" not in shown, shown
            assert "hunter2" not in h.output()


def test_reload_is_all_or_nothing():
    with Hinomi("collect: {enabled: false}\nscrape_configs: [{job_name: one, static_configs: [{targets: ['127.0.0.1:1']}]}]\n") as h:
        def pools():
            return {t["scrapePool"] for t in h.get("/api/v1/targets").json()["data"]["activeTargets"]}
        wait_until(lambda: pools() == {"one"}, 10, "the first target")
        h.config_path.write_text("collect: {enabled: false}\nscrape_configs: [{job_name: two, static_configs: [{targets: ['127.0.0.1:1']}]}]\n")
        assert h.post("/-/reload").status == 200
        wait_until(lambda: pools() == {"two"}, 10, "the second target")
        h.config_path.write_text("scrape_configs: [{job_name: three, static_configs: [{targets: ['127.0.0.1:1']}]}]\nscrape_config: []\n")
        r = h.post("/-/reload")
        assert r.status // 100 in (4, 5) and "scrape_config" in r.text, (r.status, r.text)
        assert pools() == {"two"}, "nothing of a wrong file is taken"
        assert "hinomi_config_last_reload_successful 0" in h.get("/metrics").text
        h.config_path.write_text("collect: {enabled: false}\nscrape_configs: [{job_name: four, static_configs: [{targets: ['127.0.0.1:1']}]}]\n")
        h.child.send_signal(signal.SIGHUP)
        wait_until(lambda: pools() == {"four"}, 10, "SIGHUP reloads")
        wait_until(lambda: "hinomi_config_last_reload_successful 1" in h.get("/metrics").text, 10, "the metric follows")


def test_serve_refuses_a_wrong_file():
    with tempfile.TemporaryDirectory() as d:
        path = pathlib.Path(d) / "x.yml"
        path.write_text("servr: {}\n")
        p = Process([BIN, "serve", "--config", path, "--data", d + "/data", "--listen", f"127.0.0.1:{free_port()}"])
        p.child.wait(30)
        assert p.child.returncode != 0 and "x.yml:1:1" in p.output() and "server" in p.output(), p.output()


def test_what_the_screen_adds_can_be_exported():
    with Hinomi("collect: {enabled: false}\n") as h:
        r = h.post("/api/hinomi/scrape-offers/accept", {"url": "http://127.0.0.1:9/metrics", "job": "found"})
        assert r.status // 100 == 2, r.text
        wait_until(lambda: any(t["scrapePool"] == "found" for t in h.get("/api/v1/targets").json()["data"]["activeTargets"]), 10, "the target")
        text = h.get("/api/hinomi/config/export").text
        assert "job_name: found" in text and "127.0.0.1:9" in text, text
        with tempfile.TemporaryDirectory() as d:
            path = pathlib.Path(d) / "export.yml"
            path.write_text(text)
            assert subprocess.run([BIN, "config", "check", path]).returncode == 0


if __name__ == "__main__":
    sys.exit(cases.main())
