#!/usr/bin/env python3
"""Who may come in: Host names, cross-site requests, accounts, roles, tokens, idle and slow clients."""
import json
import os
import pathlib
import resource
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases, remote_write  # noqa: E402
from support.server import BIN, Hinomi, request, wait_until  # noqa: E402

QUIET = "collect: {enabled: false}\n"


def test_a_foreign_host_name_is_refused():
    with Hinomi(QUIET) as h:
        r = request(h.port, "GET", "/api/hinomi/status", headers={"Host": "evil.example.com"})
        assert r.status in (400, 403, 421), r.status
        for name in (f"localhost:{h.port}", f"127.0.0.1:{h.port}"):
            assert request(h.port, "GET", "/api/hinomi/status", headers={"Host": name}).status == 200, name


def test_a_cross_site_write_is_refused():
    with Hinomi(QUIET) as h:
        body = json.dumps({"name": "x"}).encode()
        r = request(h.port, "POST", "/api/hinomi/services", body, {"Content-Type": "application/json", "Origin": "https://evil.example.com"})
        assert r.status == 403, r.status
        r = request(h.port, "POST", "/-/reload", b"", {"Origin": "https://evil.example.com"})
        assert r.status == 403, r.status


def test_answers_carry_security_headers():
    with Hinomi(QUIET) as h:
        head = h.get("/").headers
        csp = head["content-security-policy"]
        assert "default-src 'self'" in csp or "default-src 'none'" in csp, csp
        assert "unsafe-eval" not in csp and "script-src 'unsafe-inline'" not in csp, csp
        assert head["x-content-type-options"] == "nosniff" and "frame-ancestors" in csp, head


def user_add(h, name, role, password):
    p = subprocess.run([BIN, "user", "add", name, "--role", role, "--data", h.data, "--password-stdin"], input=password + "\n",
                       capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stderr


def test_accounts_roles_and_sessions():
    with Hinomi(QUIET + "server: {require_accounts: true}\n") as h:
        user_add(h, "eve", "viewer", "correct horse battery")
        user_add(h, "ada", "admin", "staple battery horse")
        assert h.get("/api/v1/query", query="1").status == 401
        assert h.get("/-/healthy").status == 200
        assert h.get("/api/hinomi/session").status in (200, 401)
        r = h.post("/api/hinomi/login", {"name": "eve", "password": "wrong"})
        assert r.status == 401, r.status
        r = h.post("/api/hinomi/login", {"name": "eve", "password": "correct horse battery"})
        assert r.status == 200, r.text
        cookie = r.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite" in cookie, cookie
        jar = {"Cookie": cookie.split(";")[0]}
        assert request(h.port, "GET", "/api/v1/query?query=1", headers=jar).status == 200
        session = request(h.port, "GET", "/api/hinomi/session", headers=jar).json()
        csrf = session.get("csrf") or session.get("csrf_token")
        body = json.dumps({"name": "x"}).encode()
        r = request(h.port, "POST", "/api/hinomi/services", body, {**jar, "Content-Type": "application/json", "X-Hinomi-CSRF": csrf})
        assert r.status == 403, "a viewer does not change things"
        r = h.post("/api/hinomi/login", {"name": "ada", "password": "staple battery horse"})
        jar = {"Cookie": r.headers["set-cookie"].split(";")[0], "Content-Type": "application/json"}
        assert request(h.port, "POST", "/api/hinomi/services", body, jar).status == 403, "no CSRF token"
        session = request(h.port, "GET", "/api/hinomi/session", headers=jar).json()
        jar["X-Hinomi-CSRF"] = session.get("csrf") or session.get("csrf_token")
        assert request(h.port, "POST", "/api/hinomi/services", body, jar).status // 100 == 2
        r = request(h.port, "POST", "/api/hinomi/tokens", json.dumps({"name": "ci", "scopes": ["write:series"]}).encode(), jar)
        assert r.status // 100 == 2, r.text
        token = r.json()["secret"]
        assert token not in request(h.port, "GET", "/api/hinomi/tokens", headers=jar).text, "shown once"
        rows = remote_write.body([({"__name__": "t"}, [(1, int(time.time() * 1000))])])
        bearer = {**remote_write.HEADERS, "Authorization": f"Bearer {token}"}
        assert h.post("/api/v1/write", rows, remote_write.HEADERS).status == 401
        assert h.post("/api/v1/write", rows, bearer).status // 100 == 2
        assert request(h.port, "GET", "/api/v1/query?query=1", headers={"Authorization": f"Bearer {token}"}).status == 403
        audit = request(h.port, "GET", "/api/hinomi/audit", headers=jar).text
        assert "ada" in audit and "battery" not in audit and token not in audit
        assert b"staple battery horse" not in (h.data / "state.db").read_bytes()
        assert request(h.port, "POST", "/api/hinomi/logout", b"", jar).status // 100 == 2
        assert request(h.port, "GET", "/api/v1/query?query=1", headers=jar).status == 401


def test_ten_thousand_idle_connections():
    want = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < want + 500:
        raise cases.Skip(f"this machine allows only {hard} files a process")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, want + 1000), hard))
    with Hinomi(QUIET) as h:
        idle = []
        try:
            for i in range(want):
                s = socket.socket()
                # Ephemeral ports of one address pair run out at 28,000; loopback has many addresses.
                s.bind((f"127.0.0.{2 + i % 8}", 0))
                s.connect(("127.0.0.1", h.port))
                idle.append(s)
            started = time.monotonic()
            assert h.get("/-/healthy").status == 200
            assert h.get("/api/v1/query", query="1").status == 200
            assert time.monotonic() - started < 10
            assert h.rss_bytes() < 300 << 20, h.rss_bytes()
        finally:
            for s in idle:
                s.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_slow_client_holds_up_nobody():
    with Hinomi(QUIET) as h:
        slow = [socket.create_connection(("127.0.0.1", h.port)) for _ in range(20)]
        try:
            for s in slow:
                s.sendall(b"POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\nabc")
            for _ in range(20):
                assert h.get("/api/v1/query", query="1").status == 200
        finally:
            for s in slow:
                s.close()


def test_garbage_on_the_wire():
    with Hinomi(QUIET) as h:
        for blob in (b"\x00" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 50_000 + b"\r\n", b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                     b"POST /api/v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n"):
            with socket.create_connection(("127.0.0.1", h.port), timeout=5) as s:
                try:
                    s.sendall(blob)
                    s.shutdown(socket.SHUT_WR)
                    got = s.recv(4096)
                    assert b"root:" not in got, got
                except OSError:
                    pass
        assert h.get("/-/healthy").status == 200


if __name__ == "__main__":
    sys.exit(cases.main())
