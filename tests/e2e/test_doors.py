#!/usr/bin/env python3
"""Who may come in: Host names, cross-site requests, accounts, roles, tokens, idle and slow clients."""
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases, remote_write  # noqa: E402
from support.server import BIN, TOP, Hinomi, request, wait_until  # noqa: E402

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


def test_announced_bodies_take_no_room():
    with Hinomi(ACCOUNTS) as h:
        headers = {**remote_write.HEADERS, **token(h, "sender", "write:series")}
        announced = [socket.create_connection(("127.0.0.1", h.port)) for _ in range(200)]
        try:
            for s in announced:  # 3.2 GB announced by nobody in particular, 3 bytes sent
                s.sendall(b"POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 16000000\r\n\r\nabc")
            for i in range(10):
                rows = remote_write.body([({"__name__": "t"}, [(1, int(time.time() * 1000) + i)])])
                r = request(h.port, "POST", "/api/v1/write", rows, headers)
                assert r.status == 204, (r.status, r.text)
        finally:
            for s in announced:
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


ACCOUNTS = QUIET + "server: {require_accounts: true}\n"
JSON = {"Content-Type": "application/json"}


def raw(port, data, timeout=10):
    """Sends bytes as they are and returns all that comes back until the server closes."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        try:
            s.sendall(data)
            while chunk := s.recv(65536):
                got += chunk
        except (TimeoutError, ConnectionError):
            pass
    return got


def token(h, name, *scopes):
    command = [BIN, "token", "create", name, "--data", h.data] + [x for s in scopes for x in ("--scope", s)]
    p = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert p.returncode == 0, p.stderr
    return {"Authorization": "Bearer " + re.search(r"hnm_[A-Za-z0-9_-]{43}", p.stdout).group()}


def routes():
    """(method, path, access) of every route, read from the one list of them."""
    text = (TOP / "src/api/routes.c").read_text(encoding="utf-8")
    found = re.findall(r'R\("([A-Z]+)",\s*"([^"]+)",\s*\w+,\s*(\w+),', text)
    assert len(found) > 60, len(found)
    return [(m, re.sub(r":\w+", "1", p), a) for m, p, a in found]


def test_a_proxy_in_front_makes_nobody_local():
    with Hinomi(QUIET + "server: {public_url: 'https://watch.example.com'}\n") as h:
        assert h.get("/api/hinomi/status").status == 200
        for name, value in (("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-Proto", "https"), ("Forwarded", "for=10.0.0.1"),
                            ("Via", "1.1 proxy"), ("CF-Connecting-IP", "10.0.0.1"), ("X-Envoy-External-Address", "10.0.0.1"),
                            ("Host", "watch.example.com")):
            r = request(h.port, "GET", "/api/hinomi/status", headers={name: value})
            assert r.status == 401, (name, r.status)
            r = request(h.port, "POST", "/api/hinomi/login", b'{"name":"mallory","password":"correct horse"}', {name: value, **JSON})
            assert r.status in (401, 429), "no first account for " + name
        assert h.get("/api/hinomi/session").json()["first_user"] is True
        old = raw(h.port, b"GET /api/hinomi/status HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        assert b" 401 " in old.split(b"\r\n")[0], old[:100]
        # A header at the end of a hundred others is not left out unseen.
        many = "".join(f"X-{i}: y\r\n" for i in range(120))
        got = raw(h.port, f"GET /api/hinomi/status HTTP/1.1\r\nHost: localhost\r\n{many}X-Forwarded-For: 1.1.1.1\r\n"
                          "Connection: close\r\n\r\n".encode())
        assert b" 400 " in got.split(b"\r\n")[0], got[:100]


def test_host_names_that_lie():
    with Hinomi(QUIET) as h:
        for host in ("evil.example.com", "127.0.0.1.evil.example.com", "localhost.evil.example.com", "evil.example.com:80", "[::1]evil",
                     "localhost:80@evil", "localhost:x", "127.1", ""):
            got = raw(h.port, f"GET /api/hinomi/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert got.split(b" ")[1] in (b"400", b"421"), (host, got[:100])
        for lines in ("", "Host: localhost\r\nHost: evil.example.com\r\n"):
            got = raw(h.port, f"GET /api/hinomi/status HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
            assert got.split(b" ")[1] in (b"400", b"421"), (lines, got[:100])
        got = raw(h.port, b"GET http://evil.example.com/api/hinomi/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b" 400 " in got.split(b"\r\n")[0], got[:100]
        for host in ("localhost", "LOCALHOST:1", "[::1]:11900", "127.0.0.2"):
            got = raw(h.port, f"GET /api/hinomi/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert b" 200 " in got.split(b"\r\n")[0], (host, got[:100])


def test_pages_of_other_sites():
    """What a page that somebody looks at can make their browser send to a hinomi without accounts."""
    receiver = json.dumps({"name": "x", "kind": "webhook", "url": "http://127.0.0.1:9/"}).encode()
    rows = remote_write.body([({"__name__": "planted"}, [(1, int(time.time() * 1000))])])
    form = {"Content-Type": "text/plain"}
    with Hinomi(QUIET) as h:
        for origin in ("https://evil.example.com", "null", f"http://127.0.0.1:{h.port + 1}", f"http://127.0.0.1.evil:{h.port}",
                       f"ftp://127.0.0.1:{h.port}", ""):
            for method, path, body, headers in (("POST", "/api/hinomi/notify/receivers", receiver, form),
                                                ("POST", "/api/hinomi/notify/receivers", receiver, JSON),
                                                ("POST", "/api/v1/write", rows, form), ("POST", "/-/reload", b"", form),
                                                ("POST", "/api/v1/query", b"query=1", {"Content-Type": "application/x-www-form-urlencoded"}),
                                                ("POST", "/api/hinomi/login", b'{"name":"m","password":"correct horse"}', JSON),
                                                ("DELETE", "/api/hinomi/services/x", b"", form)):
                assert request(h.port, method, path, body, {**headers, "Origin": origin}).status == 403, (origin, path)
        # Without Origin: browsers say it in Sec-Fetch-Site, and a form cannot send JSON.
        for site in ("cross-site", "same-site"):
            assert request(h.port, "POST", "/-/reload", b"", {"Sec-Fetch-Site": site}).status == 403
            drawn = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
            assert request(h.port, "GET", "/api/v1/query?query=1", headers=drawn).status == 403
            assert request(h.port, "GET", "/api/hinomi/overview/stream", headers=drawn).status == 403
            frame = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
            assert request(h.port, "GET", "/metrics", headers=frame).status == 403
            link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
            assert request(h.port, "GET", "/", headers=link).status == 200
        assert request(h.port, "POST", "/api/hinomi/notify/receivers", receiver, form).status == 415
        own = {"Origin": f"http://127.0.0.1:{h.port}", "Sec-Fetch-Site": "same-origin", **JSON}
        assert request(h.port, "POST", "/api/hinomi/services", b'{"name":"mine"}', own).status == 201
        assert h.get("/api/hinomi/notify/receivers").json()["receivers"] == []
        assert h.query("planted") == [] and h.get("/api/hinomi/session").json()["first_user"] is True
        for path in ("/", "/api/v1/query?query=1"):
            assert "access-control-allow-origin" not in request(h.port, "GET", path, headers={"Origin": "https://evil.example.com"}).headers


def test_every_route_asks_who_and_what_for():
    """Each route, without a credential and with each kind that is too weak for it."""
    rank = {"none": 0, "read": 1, "write": 2, "admin": 3}
    need = {"VIEWER": 1, "EDITOR": 2, "WRITE_SERIES": 2, "ADMIN": 3}
    with Hinomi(ACCOUNTS) as h:
        weak = {"none": {}, "read": token(h, "r", "read"), "write": token(h, "w", "write"), "admin": token(h, "a", "admin")}
        only_series, only_agent = token(h, "s", "write:series"), token(h, "g", "agent")
        for method, path, access in routes():
            if access == "ANYONE":
                continue
            where = f"{method} {path}"
            assert request(h.port, method, path, b"").status == 401, where
            assert request(h.port, method, path, b"", {"Authorization": "Bearer hnm_" + "A" * 43}).status == 401, where
            assert request(h.port, method, path, b"", {"Cookie": "hinomi_session=" + "A" * 43}).status == 401, where
            for name, headers in weak.items():
                if name != "none" and rank[name] < need[access]:
                    assert request(h.port, method, path, b"", headers).status == 403, (where, name)
            for headers in (only_series, only_agent):
                if access != "WRITE_SERIES" or headers is only_agent:
                    assert request(h.port, method, path, b"", headers).status == 403, where
        for path in ("//api/v1/query", "/API/v1/query", "/api/v1/query/", "/api/v1/query;x", "/api/v1//query", "/api%2fv1/query"):
            r = request(h.port, "GET", path + "?query=1")  # not the API's: nothing, or the page of the screen
            assert r.status in (400, 404) or "text/html" in r.headers["content-type"], path
        assert request(h.port, "GET", "/%61pi/v1/query?query=1").status == 401
        for method in ("OPTIONS", "TRACE", "PUT", "PATCH", "get"):
            assert request(h.port, method, "/api/hinomi/tokens").status in (400, 405, 501), method
        assert request(h.port, "HEAD", "/api/hinomi/users").status == 401
        # The agents' own door: neither a token of ours nor a guess opens it, and guesses cost nothing lasting.
        for headers in ({}, weak["admin"], {"Authorization": "Bearer hna_" + "A" * 43}):
            assert request(h.port, "GET", "/api/hinomi/agent/poll", headers=headers).status in (401, 404)
        size = (h.data / "state.db").stat().st_size
        for i in range(100):
            r = request(h.port, "POST", "/api/hinomi/agent/enroll", json.dumps({"token": f"hne_{i:043}", "host": "x"}).encode(), JSON)
            assert r.status == 401, (r.status, r.text)
        assert (h.data / "state.db").stat().st_size == size
        assert request(h.port, "GET", "/api/hinomi/agents", headers=weak["read"]).json()["agents"] == []


def test_a_wrong_credential_is_not_none():
    """Where no credential is needed, a revoked one is told all the same, and never taken for an open door."""
    with Hinomi(QUIET) as h:
        assert h.get("/api/hinomi/status").status == 200
        for value in ("Bearer hnm_" + "A" * 43, "Bearer hna_" + "A" * 43, "Bearer", "Basic !!!", "Basic YTpi", "Digest x", "Bearer " + "A" * 9000):
            assert request(h.port, "GET", "/api/hinomi/status", headers={"Authorization": value}).status == 401, value[:40]
        enrol = h.post("/api/hinomi/agents/enroll-token", {}).json()["token"]
        agent = h.post("/api/hinomi/agent/enroll", {"token": enrol, "host": "x"}).json()
        assert h.post("/api/hinomi/agent/enroll", {"token": enrol, "host": "y"}).status == 401, "once"
        bearer = {"Authorization": "Bearer " + agent["secret"]}
        assert request(h.port, "GET", "/api/hinomi/agent", headers=bearer).status == 200
        assert request(h.port, "GET", "/api/hinomi/agents", headers=bearer).status == 401, "an agent opens its own door alone"
        assert request(h.port, "DELETE", "/api/hinomi/agents/" + agent["id"]).status == 204
        assert request(h.port, "GET", "/api/hinomi/agent", headers=bearer).status == 401, "deleted"


def test_sessions_are_made_here_and_end():
    with Hinomi(ACCOUNTS) as h:
        user_add(h, "ada", "admin", "staple battery horse")
        fixed = "B" * 43
        login = b'{"name":"ada","password":"staple battery horse"}'
        r = request(h.port, "POST", "/api/hinomi/login", login, {**JSON, "Cookie": f"hinomi_session={fixed}"})
        jar = r.headers["set-cookie"].split(";")[0]
        assert r.status == 200 and fixed not in jar and "SameSite=Strict" in r.headers["set-cookie"]
        assert request(h.port, "GET", "/api/hinomi/users", headers={"Cookie": f"hinomi_session={fixed}"}).status == 401
        assert request(h.port, "POST", "/api/hinomi/login", login, {"Content-Type": "text/plain"}).status == 415
        body = b'{"name":"x"}'
        for csrf in ("", "x", "A" * 43, "A" * 4000):
            r = request(h.port, "POST", "/api/hinomi/services", body, {**JSON, "Cookie": jar, "X-Hinomi-CSRF": csrf})
            assert r.status == 403, csrf[:50]
        # The same from a page of another port of this host, which the browser sends the cookie to and from.
        csrf = request(h.port, "GET", "/api/hinomi/session", headers={"Cookie": jar}).json()["csrf"]
        r = request(h.port, "POST", "/api/hinomi/services", body,
                    {**JSON, "Cookie": jar, "X-Hinomi-CSRF": csrf, "Origin": f"http://127.0.0.1:{h.port + 1}"})
        assert r.status == 403
        p = subprocess.run([BIN, "user", "passwd", "ada", "--data", h.data, "--password-stdin"], input="brand new password\n",
                           capture_output=True, text=True, timeout=60)
        assert p.returncode == 0, p.stderr
        # A new password ends what the old one opened; the server looks again within 10 s.
        wait_until(lambda: request(h.port, "GET", "/api/hinomi/users", headers={"Cookie": jar}).status == 401, 20, "the session's end")


def test_the_first_account_is_an_admin():
    with Hinomi(QUIET) as h:
        user = {"name": "eve", "role": "viewer", "password": "correct horse battery"}
        assert h.post("/api/hinomi/users", user).status == 409
        assert h.get("/api/hinomi/users").json()["users"] == [], "nobody locked themselves out"
        assert h.post("/api/hinomi/users", {**user, "name": "ada", "role": "admin"}).status == 201
        assert h.get("/api/hinomi/users").status == 401, "and the door is closed"
        assert h.post("/api/hinomi/users", {**user, "name": "eve2", "role": "admin"}).status == 401


def test_guessing_passwords_is_slow_and_bounded():
    with Hinomi(ACCOUNTS) as h:
        user_add(h, "ada", "admin", "staple battery horse")
        before, statuses = h.rss_bytes(), []

        def guess(i):
            r = request(h.port, "POST", "/api/hinomi/login", json.dumps({"name": f"u{i % 7}", "password": f"guess {i} long enough"}).encode(), JSON)
            statuses.append(r.status)
        threads = [threading.Thread(target=guess, args=(i,)) for i in range(60)]
        for t in threads:
            t.start()
        started = time.monotonic()
        assert h.get("/-/healthy").status == 200 and time.monotonic() - started < 5
        for t in threads:
            t.join()
        assert set(statuses) <= {401, 429, 503} and statuses.count(401) <= 25, statuses
        # One hash at a time takes 64 MiB, whatever comes in at once.
        assert h.rss_bytes("VmHWM") - before < 400 << 20, h.rss_bytes("VmHWM")
        r = h.post("/api/hinomi/login", {"name": "ada", "password": "staple battery horse"})
        assert r.status == 429 and int(r.headers["retry-after"]) > 0, "this address has to wait"


SECRETS = """
global: {slack_api_url: "https://hooks.slack.com/services/S3CR3T0"}
receivers:
- name: a
  slack_configs: [{channel: '#x', http_config: {proxy_url: "http://pu:S3CR3T1@127.0.0.1:1/", authorization: {credentials: S3CR3T2}}}]
  webhook_configs: [{url: "http://u:S3CR3T3@127.0.0.1:9/x?token=S3CR3T4", http_config: {basic_auth: {username: u, password: S3CR3T5}}}]
route: {receiver: a}
scrape_configs:
- {job_name: j, basic_auth: {username: u, password: S3CR3T6}, static_configs: [{targets: ["127.0.0.1:9"]}]}
- {job_name: k, authorization: {credentials: S3CR3T7}, proxy_url: "http://p:S3CR3T8@127.0.0.1:1", static_configs: [{targets: ["127.0.0.1:9"]}]}
- {job_name: l, http_sd_configs: [{url: "http://u:S3CR3T9@127.0.0.1:9/sd"}]}
agents:
- {host: ".*", scrape_configs: [{job_name: z, basic_auth: {username: q, password: S3CR3T10}, static_configs: [{targets: ["127.0.0.1:1"]}]}]}
"""


def test_secrets_are_shown_to_nobody():
    with Hinomi(QUIET + SECRETS) as h:
        hook = {"name": "hook", "kind": "webhook", "url": "http://u:S3CR3T11@127.0.0.1:9/S3CR3T12?k=S3CR3T13"}
        assert h.post("/api/hinomi/notify/receivers", hook).status == 201
        for name in ("hook", "a"):
            r = h.post("/api/hinomi/notify/test", {"receiver": name})
            assert "S3CR3T" not in r.text, r.text
        for method, path, access in routes():
            if method == "GET" and "*" not in path and "stream" not in path:
                text = h.get(path).text
                assert "S3CR3T" not in text, (path, re.findall(r".{60}S3CR3T\w*", text))
        assert "S3CR3T" not in h.output(), h.output()
        assert "<secret>" in h.get("/api/v1/status/config").text


def test_a_check_reads_no_files_and_no_environment():
    with Hinomi(QUIET, env={"S3CR3T_NAME": "S3CR3T"}) as h:
        secret = h.data / "private.txt"
        secret.write_text("S3CR3T: value\n", encoding="utf-8")
        for text in (f"include: [{secret}]", f"rule_files: [{secret}]", f"scrape_config_files: [{secret}]",
                     f"scrape_configs: [{{job_name: j, basic_auth: {{username: u, password_file: {secret}}}}}]",
                     "server: {listen: '${S3CR3T_NAME}'}", "global: {scrape_interval: '${S3CR3T_NAME}'}"):
            r = request(h.port, "POST", "/api/hinomi/config/check", text.encode(), {"Content-Type": "application/yaml"})
            assert r.status == 200 and "S3CR3T: value" not in r.text and '"S3CR3T"' not in r.text, r.text
            assert "found \\\"S3CR3T\\\"" not in r.text, r.text


def test_what_may_be_scraped():
    """Someone who may accept offers can make hinomi ask any address; they do not get to read what it answers."""
    page = b"S3CR3T{ not metrics at all\n"
    with Hinomi(QUIET) as h, socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(20)
        for url in ("file:///etc/passwd", "gopher://127.0.0.1/", "http://", "http://u:p@127.0.0.1:1/", "http://127.0.0.1:1/\r\nX: y",
                    "http://127.0.0.1:99999/", "javascript:alert(1)"):
            r = h.post("/api/hinomi/scrape-offers/accept", {"url": url, "job": "x"})
            assert r.status == 400, (url, r.status, r.text)
        r = h.post("/api/hinomi/scrape-offers/accept", {"url": f"http://127.0.0.1:{inner.getsockname()[1]}/latest", "job": "x"})
        assert r.status == 201, r.text
        c, _ = inner.accept()
        with c:
            c.recv(65536)
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(page) + page)
            wait_until(lambda: h.get("/api/v1/targets").json()["data"]["activeTargets"][0]["lastError"], 20, "the scrape's failure")
        assert "not metrics" not in h.get("/api/v1/targets").text, h.get("/api/v1/targets").text
        assert any(e["action"] == "scrape.accept" for e in h.get("/api/hinomi/audit").json()["entries"])


def test_requests_that_want_too_much():
    with Hinomi(QUIET) as h:
        now = int(time.time())
        h.post("/api/v1/write", remote_write.body([({"__name__": "t", "v": "a" * 2000}, [(1, now * 1000)])]), remote_write.HEADERS)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        bombs = ["(" * 200_000 + "1" + ")" * 200_000, "-" * 500_000 + "1", "1" + "+1" * 200_000, "abs(" * 100_000 + "t" + ")" * 100_000,
                 't{v=~"(a+)+b"}', 't{v=~"' + "(" * 5000 + "a" + ")" * 5000 + '"}', 't{v=~"(a{1000}){1000}"}', "sum_over_time(t[100y:1ms])",
                 "1" + "^1" * 100_000, 'label_replace(t,"x","$1","v","(a*)*(a*)*(a*)*b")', "t[1" + "0" * 100_000 + "d]",
                 'count_values("x",' * 1000 + "t" + ")" * 1000]
        for bomb in bombs:
            started = time.monotonic()
            r = request(h.port, "POST", "/api/v1/query", b"query=" + bomb.replace("+", "%2B").encode(), form, timeout=150)
            assert r.status in (200, 400, 413, 422, 503) and time.monotonic() - started < 130, (bomb[:40], r.status)
            assert len(r.body) < 4 << 20
        r = h.get("/api/v1/query_range", query="1", start=0, end=now, step="0.001")
        assert r.status == 400 and "11,000" in r.text, r.text
        for start, end in (("-1e300", "1e300"), ("nan", "inf"), (-9e15, 9e15), (now, 0)):
            assert h.get("/api/v1/query_range", query="t", start=start, end=end, step=1).status in (400, 422)
        for deep in (b"[" * 60_000, b'{"a":' * 12_000, b'{"name":"' + b"\\u0000" * 9000 + b'"}', b'{"name":' + b"1" * 60_000 + b"}"):
            assert h.post("/api/hinomi/services", deep, JSON).status in (400, 413), deep[:20]
        yaml = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))
        for text in (yaml, "[" * 500_000, "a: " * 100_000, "{" * 100_000, "- " * 400_000, "? " * 300_000, "!!a " * 200_000):
            started = time.monotonic()
            r = request(h.port, "POST", "/api/hinomi/config/check", text.encode(), {"Content-Type": "application/yaml"}, timeout=60)
            assert r.status in (200, 400, 413) and time.monotonic() - started < 30, (text[:20], r.status)
        for body in (b"\xff\xff\xff\xff\x0f" + b"x" * 100, b"", b"\x00" * 5000, os.urandom(5000), b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"):
            assert h.post("/api/v1/write", body, remote_write.HEADERS).status // 100 in (2, 4), body[:10]
        assert h.rss_bytes("VmHWM") < 3 << 30, h.rss_bytes("VmHWM")
        assert h.get("/-/healthy").status == 200


def test_event_streams_are_counted():
    with Hinomi(QUIET) as h:
        streams, refused = [], 0
        try:
            for _ in range(300):
                s = socket.create_connection(("127.0.0.1", h.port), timeout=10)
                streams.append(s)
                s.sendall(b"GET /api/hinomi/overview/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
                refused += b" 200 " not in s.recv(4096).split(b"\r\n")[0]
            assert 0 < refused < 300, refused
            assert h.get("/api/v1/query", query="1").status == 200
        finally:
            for s in streams:
                s.close()

        def again():
            with socket.create_connection(("127.0.0.1", h.port), timeout=10) as s:
                s.sendall(b"GET /api/hinomi/overview/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return b" 200 " in s.recv(4096).split(b"\r\n")[0]
        wait_until(again, 30, "a free place for a stream")


def test_one_request_is_not_two():
    """Framing that a proxy in front could read otherwise: refused, or the connection ends behind it."""
    inner = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head = b"POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\n"
    with Hinomi(QUIET) as h:
        for lines in (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(inner), b"Content-Length: -1\r\n", b"Content-Length: 0x10\r\n",
                      b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: xchunked\r\n",
                      b"Content-Length : 0\r\n", b"Content-Length: 99999999999999999999\r\n"):
            got = raw(h.port, head + lines + b"\r\n" + inner, timeout=3)
            assert b"hinomi is healthy" not in got or b" 400 " in got.split(b"\r\n")[0], (lines, got[:300])
        got = raw(h.port, inner.replace(b"Connection: close\r\n", b"") * 50 + inner)
        assert got.count(b"hinomi is healthy") == 51, got.count(b"hinomi is healthy")
        for path in (b"/%0d%0aSet-Cookie:%20x=y", b"/api/v1/query?query=%0d%0aX-Injected:%20y", b"/a%00b"):
            got = raw(h.port, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b"\nX-Injected" not in got.split(b"\r\n\r\n")[0] and b"\nSet-Cookie" not in got, got[:300]
        for chunks in (b"5\r\nabcde\r\n0\r\nX-Forwarded-For: x\r\n\r\n", b"ffffffffffffffff\r\nab", b"-1\r\nab\r\n", b"5;" + b"x" * 70_000 + b"\r\nabcde\r\n0\r\n\r\n"):
            raw(h.port, head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks, timeout=2)
        assert h.get("/-/healthy").status == 200


def test_files_are_the_owners_alone():
    old = os.umask(0)
    try:
        with Hinomi(QUIET) as h:
            user_add(h, "ada", "admin", "staple battery horse")
            for path in [h.data, *h.data.rglob("*")]:
                mode = path.stat().st_mode & 0o777
                assert mode & 0o007 == 0 or path == h.data, (path, oct(mode))
                if path.name.startswith("state.db"):
                    assert mode & 0o077 == 0, (path, oct(mode))
    finally:
        os.umask(old)


def test_passwords_are_not_taken_from_the_command_line():
    with Hinomi(QUIET) as h:
        p = subprocess.run([BIN, "user", "add", "eve", "--role", "viewer", "--data", h.data, "--password", "correct horse battery"],
                           capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert p.returncode != 0 and "correct horse" not in p.stderr, p.stderr


if __name__ == "__main__":
    sys.exit(cases.main())
