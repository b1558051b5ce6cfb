#!/usr/bin/env python3
"""No file, no account: what a new user sees in the first seconds, and the ways in which it can go wrong."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases  # noqa: E402
from support.server import BIN, Hinomi, Process, free_port, request, wait_until  # noqa: E402


def test_first_screen_is_true_within_ten_seconds():
    started = time.monotonic()
    with Hinomi() as h:
        def memory():
            o = h.get("/api/hinomi/overview").json()
            return o if (o.get("memory") or {}).get("total_bytes") else None
        o = wait_until(memory, 10, "a true value on the first screen")
        total_kb = int(next(line for line in open("/proc/meminfo") if line.startswith("MemTotal")).split()[1])
        assert o["memory"]["total_bytes"] == total_kb * 1024, o["memory"]
        assert o["host"]["cpus"] == os.cpu_count(), o["host"]
        if o["host"]["in_container"]:
            assert o["host"]["container_kind"], o["host"]
        assert {s["id"] for s in o["next_steps"]} == {"connect_slack", "add_service", "add_check"}, o["next_steps"]
        assert time.monotonic() - started < 10 + 5


def test_stream_ticks_each_second():
    with Hinomi() as h:
        with socket.create_connection(("127.0.0.1", h.port), timeout=15) as s:
            s.sendall(b"GET /api/hinomi/overview/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
            got, events = b"", 0
            end = time.monotonic() + 12
            while events < 4 and time.monotonic() < end:
                part = s.recv(65536)
                assert part, "the stream ended"
                got += part
                events = got.count(b"event: overview")
            assert events >= 4, got[:500]
            head = got.split(b"\r\n\r\n", 1)[0].lower()
            assert b"text/event-stream" in head, head


def test_host_series_are_node_exporters():
    with Hinomi() as h:
        wait_until(lambda: h.scalar("count(node_cpu_seconds_total)"), 10, "cpu series")
        for name in ("node_memory_MemAvailable_bytes", "node_load1", "node_filesystem_avail_bytes", "node_network_receive_bytes_total",
                     "node_boot_time_seconds", "node_uname_info", "hinomi_samples_appended_total"):
            wait_until(lambda: h.query(name), 10, name)
        row = h.query("node_load1")[0]["metric"]
        assert row["job"] == "node" and row["instance"] == socket.gethostname(), row
        before = h.scalar("sum(node_cpu_seconds_total)")  # of all modes: a busy machine is never idle
        wait_until(lambda: h.scalar("sum(node_cpu_seconds_total)") > before, 10, "the counter moves")


def test_series_equal_real_node_exporter():
    """Names and label names of what node_exporter's default collectors show here, where hinomi has the collector."""
    exporter = "/usr/bin/prometheus-node-exporter"
    if not os.path.exists(exporter):
        raise cases.Skip("Debian's prometheus-node-exporter is not installed")
    port = free_port()
    process = Process([exporter, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"])
    try:
        def page():
            try:
                r = request(port, "GET", "/metrics")
                return r.text if r.status == 200 else None
            except OSError:
                return None
        theirs = {}
        for line in wait_until(page, 15, "node_exporter").split("\n"):
            if line.startswith("node_"):
                name = line.split("{")[0].split(" ")[0]
                labels = line[line.index("{") + 1:line.rindex("}")] if "{" in line else ""
                # an empty label is no label: a server that scrapes them drops it
                theirs.setdefault(name, set()).update(p.split("=")[0] for p in labels.split('",') if p and not p.rstrip('"').endswith("="))
    finally:
        process.stop()
    ours_must = ("node_cpu_seconds_total", "node_memory_", "node_disk_", "node_filesystem_", "node_network_receive_",
                 "node_network_transmit_", "node_load", "node_pressure_", "node_filefd_", "node_sockstat_", "node_vmstat_",
                 "node_timex_sync_status", "node_boot_time_seconds", "node_context_switches_total", "node_forks_total", "node_procs_")
    with Hinomi() as h:
        wait_until(lambda: h.scalar("count(node_filesystem_avail_bytes)"), 15, "filesystems")
        time_limit = time.monotonic() + 15
        missing = None
        while time.monotonic() < time_limit:
            ours = {}
            for s in h.get("/api/v1/series", **{"match[]": '{__name__=~"node_.+"}'}).json()["data"]:
                ours.setdefault(s["__name__"], set()).update(set(s) - {"__name__", "job", "instance"})
            missing = [n for n in theirs if n.startswith(ours_must) and n not in ours]
            if not missing:
                break
            time.sleep(1)
        assert not missing, f"node_exporter has and hinomi has not: {missing}"
        # node_exporter 1.9 says why a file system could not be asked; Debian 12's does not yet
        newer = {"device_error"}
        wrong = {n: (sorted(theirs[n]), sorted(ours[n])) for n in theirs
                 if n.startswith(ours_must) and theirs[n] and ours[n] - newer != theirs[n]}
        assert not wrong, f"other label names: {wrong}"


def test_a_taken_port_says_what_to_do():
    with Hinomi() as h:
        p = Process([BIN, "serve", "--data", tempfile.mkdtemp(prefix="hinomi-test-"), "--listen", f"127.0.0.1:{h.port}"])
        p.child.wait(30)
        assert p.child.returncode != 0
        assert str(h.port) in p.output() and "--listen" in p.output(), p.output()


def test_a_second_hinomi_on_the_same_data_is_kept_out():
    with Hinomi() as h:
        p = Process([BIN, "serve", "--data", h.data, "--listen", f"127.0.0.1:{free_port()}"])
        p.child.wait(30)
        assert p.child.returncode != 0
        assert f"pid {h.child.pid}" in p.output(), p.output()
        assert h.get("/-/healthy").status == 200


def test_no_auth_is_refused_off_loopback():
    p = Process([BIN, "serve", "--data", tempfile.mkdtemp(prefix="hinomi-test-"), "--listen", f"0.0.0.0:{free_port()}", "--no-auth"])
    p.child.wait(30)
    assert p.child.returncode != 0 and "no-auth" in p.output(), p.output()


def test_off_loopback_without_tls_is_refused():
    p = Process([BIN, "serve", "--data", tempfile.mkdtemp(prefix="hinomi-test-"), "--listen", f"0.0.0.0:{free_port()}"])
    p.child.wait(30)
    assert p.child.returncode != 0 and "TLS" in p.output().upper(), p.output()


def test_a_data_folder_that_cannot_be_written():
    p = Process([BIN, "serve", "--data", "/proc/hinomi", "--listen", f"127.0.0.1:{free_port()}"])
    p.child.wait(30)
    assert p.child.returncode != 0 and "/proc/hinomi" in p.output(), p.output()


def test_stops_gracefully_and_starts_again():
    h = Hinomi()
    try:
        wait_until(lambda: h.scalar("count(node_cpu_seconds_total)"), 10, "cpu series")
        at = time.time()
        assert h.stop() == 0, h.output()
        again = Hinomi(data=h.data)
        try:
            assert again.scalar("count(count_over_time(node_cpu_seconds_total[5m]))", time=at), "history survives a restart"
        finally:
            again.stop()
    finally:
        h.close()


def test_the_command_line_explains_itself():
    def run(*args):
        p = subprocess.run([BIN, *args], capture_output=True, text=True, timeout=30)
        return p.returncode, p.stdout, p.stderr
    rc, out, _ = run("--help")
    assert rc == 0 and "serve" in out and "config" in out, out
    rc, out, _ = run("version")
    assert rc == 0 and "hinomi" in out, out
    rc, out, err = run("srve")
    assert rc == 2 and "serve" in out + err, (out, err)
    for shell in ("bash", "zsh", "fish"):
        rc, out, _ = run("completion", shell)
        assert rc == 0 and "hinomi" in out, shell
    rc, _, _ = run("serve", "--no-such-flag")
    assert rc == 2


def test_health_and_own_metrics():
    with Hinomi() as h:
        assert h.get("/-/healthy").status == 200 and h.get("/-/ready").status == 200
        text = h.get("/metrics").text
        assert "# TYPE hinomi_samples_appended_total counter" in text and "process_resident_memory_bytes" in text
        assert h.get("/no/such/api").status in (200, 404)
        assert h.get("/api/hinomi/nothing").status == 404
        r = h.get("/")
        assert r.status == 200 and "text/html" in r.headers["content-type"] and "content-security-policy" in r.headers


if __name__ == "__main__":
    sys.exit(cases.main())
