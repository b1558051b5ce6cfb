#!/usr/bin/env python3
"""What listens here and what it is: real servers on loopback, found without being told, also when their processes cannot be seen."""
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases, doubles, server  # noqa: E402
from support.server import Hinomi, Process, free_port, wait_until  # noqa: E402

NOBODY, STRANGER = 65534, 65533  # nginx's workers and PostgreSQL are nobody's; a stranger sees neither
PAGE = "# HELP shop_orders_total Orders.\n# TYPE shop_orders_total counter\nshop_orders_total 3\n"


def need(path):
    if not os.path.exists(path):
        raise cases.Skip(f"{path} is not installed")
    return path


def listener(h, port):
    return next((x for x in h.get("/api/hinomi/overview").json()["listeners"] if x["port"] == port and x["proto"] == "tcp"), None)


def found(h, port, kind):
    """Kinds become known when the listener has been asked."""
    seen = {}

    def right():
        seen["now"] = listener(h, port)
        return seen["now"] if seen["now"] and seen["now"]["kind"] == kind else None
    try:
        return wait_until(right, 40, kind)
    except AssertionError:
        raise AssertionError(f"port {port}: expected {kind}, found {seen['now']}") from None


class Folder:
    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="hinomi-test-")
        os.chmod(self.path, 0o755)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def certificate(folder, days):
    p = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem",
                        "-days", str(days), "-subj", "/CN=shop.test", "-addext", "subjectAltName=DNS:shop.test,DNS:www.shop.test"],
                       capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stderr


def nginx(folder, tls_port, port):
    need("/usr/sbin/nginx")
    need("/usr/bin/openssl")
    certificate(folder, 9)
    temp = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    pathlib.Path(folder, "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{ access_log off; {temp}
  server {{ listen 127.0.0.1:{tls_port} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; return 200 ok; }}
  server {{ listen 127.0.0.1:{port}; return 200 ok; }} }}""", encoding="utf-8")
    return Process(["/usr/sbin/nginx", "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"])


def redis(folder, port):
    return Process([need("/usr/bin/redis-server"), "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", ""])


def test_nginx_and_the_days_left_of_its_certificate():
    with Folder() as folder:
        tls_port, port = free_port(), free_port()
        process = nginx(folder, tls_port, port)
        try:
            with Hinomi() as h:
                assert found(h, port, "nginx")["process"] == "nginx"
                row = wait_until(lambda: next((c for c in h.get("/api/hinomi/overview").json()["certificates"]
                                               if c["address"] == f"127.0.0.1:{tls_port}"), None), 40, "the certificate")
                assert row["subject"] == "CN=shop.test" and row["names"] == ["shop.test", "www.shop.test"], row
                assert 8.9 < row["days_left"] <= 9, row
                assert listener(h, tls_port)["tls"] is True and listener(h, port)["tls"] is False
                left = wait_until(lambda: h.scalar(f'(probe_ssl_earliest_cert_expiry{{address="127.0.0.1:{tls_port}"}} - time()) / 86400'), 30,
                                  "the series of the certificate")
                assert 8.9 < left <= 9, left
                assert h.query(f'hinomi_listener_info{{port="{port}", kind="nginx"}}')
        finally:
            process.stop()


def test_redis_is_not_spoken_to_over_http():
    with Folder() as folder:
        port = free_port()
        process = redis(folder, port)
        try:
            with Hinomi() as h:
                found(h, port, "redis")
                assert listener(h, port)["scrape_offer"] is None
        finally:
            process.stop()
        assert "SECURITY ATTACK" not in process.output(), process.output()


def test_postgresql():
    binary = next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"))), None)
    if not binary or os.geteuid() != 0:
        raise cases.Skip("PostgreSQL is not installed, or it cannot be run as its user")
    with Folder() as folder:
        port = free_port()
        os.chown(folder, NOBODY, NOBODY)
        run = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
        made = subprocess.run([*run, binary.with_name("initdb"), "-D", f"{folder}/db", "-A", "trust", "-U", "test", "--no-sync"],
                              capture_output=True, text=True, timeout=120)
        assert made.returncode == 0, made.stderr
        process = Process([*run, binary, "-D", f"{folder}/db", "-p", port, "-h", "127.0.0.1", "-k", folder])
        try:
            with Hinomi() as h:
                found(h, port, "postgresql")
        finally:
            process.stop()
        assert "invalid length of startup packet" not in process.output(), process.output()


def test_metrics_pages_are_offered_and_the_offer_works():
    exporter, port = "/usr/bin/prometheus-node-exporter", free_port()
    page = doubles.metrics_page(lambda _: (PAGE, 200, "text/plain; version=0.0.4"))
    other = doubles.metrics_page(lambda _: ("<html>hello</html>", 200, "text/html"))
    process = Process([exporter, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]) if os.path.exists(exporter) else None
    try:
        with Hinomi() as h:
            offer = found(h, page.port, "metrics")["scrape_offer"]
            assert offer["url"] == f"http://127.0.0.1:{page.port}/metrics", offer
            assert found(h, other.port, "http")["scrape_offer"] is None
            if process:
                assert found(h, port, "node_exporter")["scrape_offer"]["job"] == "node_exporter"
        assert {path for _, path, _ in page.received} == {"/metrics"}, page.received
        config = "collect: {enabled: false}\nscrape_configs:\n" + offer["yaml"].replace("- job_name", "- scrape_interval: 1s\n  job_name", 1)
        with Hinomi(config) as h:
            wait_until(lambda: h.scalar("shop_orders_total") == 3, 30, "what the offer says works as it stands")
    finally:
        page.close()
        other.close()
        if process:
            process.stop()


def test_kinds_without_seeing_the_processes():
    """As its own user, as the package runs it, hinomi cannot see whose socket it is: it asks."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise cases.Skip("needs root, to run hinomi as somebody else")
    need("/usr/bin/redis-server")
    with Folder() as folder, Folder() as data:
        os.chown(data, STRANGER, STRANGER)
        copy = pathlib.Path(folder, "hinomi.real")
        shutil.copy(server.BIN, copy)
        copy.chmod(0o755)
        script = pathlib.Path(folder, "hinomi")
        script.write_text(f'#!/bin/sh\nexec setpriv --reuid {STRANGER} --regid {STRANGER} --clear-groups {copy} "$@"\n', encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        tls_port, port, redis_port = free_port(), free_port(), free_port()
        processes = [redis(folder, redis_port)]
        own, server.BIN = server.BIN, script
        try:
            processes.append(nginx(folder, tls_port, port))
            with Hinomi(data=data) as h:
                row = found(h, redis_port, "redis")
                assert row["process"] is None, row
                found(h, port, "http")
                wait_until(lambda: any(c["address"] == f"127.0.0.1:{tls_port}" for c in h.get("/api/hinomi/overview").json()["certificates"]),
                           40, "the certificate")
        finally:
            server.BIN = own
            for process in processes:
                process.stop()


def test_a_listener_that_ends_goes():
    page = doubles.metrics_page(lambda _: (PAGE, 200, "text/plain; version=0.0.4"))
    with Hinomi() as h:
        found(h, page.port, "metrics")
        page.close()
        wait_until(lambda: listener(h, page.port) is None, 40, "it is no longer listed")
        wait_until(lambda: not h.query(f'hinomi_listener_info{{port="{page.port}"}}'), 10, "its series has ended")


def test_probing_can_be_switched_off():
    page = doubles.metrics_page(lambda _: (PAGE, 200, "text/plain; version=0.0.4"))
    try:
        with Hinomi("collect: {probe_disabled: true}\n") as h:
            wait_until(lambda: listener(h, page.port), 40, "the listener")
            time.sleep(4)  # a second round
            assert listener(h, page.port)["kind"] == "unknown"
    finally:
        page.close()


if __name__ == "__main__":
    sys.exit(cases.main())
