"""Starts the real binary for a test: a free loopback port, a data folder of its own, stopped by its own pid."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("HINOMI_BIN", TOP / "build/release/bin/hinomi"))
AGENT_BIN = BIN.with_name("hinomi-agent")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds, what):
    """Polls a condition; the time is a bound for broken code, not an expectation."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def request(port, method, path, body=None, headers=None, timeout=30):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        return Reply(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
    finally:
        c.close()


class Process:
    """A child that is stopped by its own pid; its standard error is kept for failures."""

    def __init__(self, command, env=None, cwd=None):
        self.log = tempfile.TemporaryFile()
        self.child = subprocess.Popen([str(c) for c in command], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                      env={**os.environ, **(env or {})}, cwd=cwd)

    def output(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def kill9(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, seconds=30):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill9()
                raise AssertionError(f"pid {self.child.pid} did not stop within {seconds} s:\n{self.output()[-3000:]}")
        return self.child.returncode

    def cpu_seconds(self):
        with open(f"/proc/{self.child.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self, kind="VmRSS"):
        with open(f"/proc/{self.child.pid}/status", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith(kind + ":"):
                    return int(line.split()[1]) * 1024
        return 0


class Hinomi(Process):
    def __init__(self, config=None, data=None, args=(), env=None, port=None, wait=True):
        self.own_data = data is None
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix="hinomi-test-"))
        self.port = port or free_port()
        command = [BIN, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}"]
        self.config_path = None
        if config is not None:
            self.config_path = self.data.parent / (self.data.name + ".yml")
            self.config_path.write_text(config, encoding="utf-8")
            command += ["--config", self.config_path]
        super().__init__([*command, *args], env=env)
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds=60):
        def ready():
            if self.child.poll() is not None:
                raise AssertionError(f"hinomi ended with {self.child.returncode}:\n{self.output()[-3000:]}")
            try:
                return request(self.port, "GET", "/-/ready", timeout=5).status == 200
            except OSError:
                return False
        wait_until(ready, seconds, "ready")
        return self

    def get(self, path, **params):
        query = "?" + urllib.parse.urlencode(params, doseq=True) if params else ""
        return request(self.port, "GET", path + query)

    def post(self, path, body=b"", headers=None):
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
        return request(self.port, "POST", path, body, headers)

    def query(self, expr, **params):
        r = self.get("/api/v1/query", query=expr, **params).json()
        assert r["status"] == "success", r
        return r["data"]["result"]

    def scalar(self, expr, **params):
        """The one value of an instant vector; None when it is empty."""
        result = self.query(expr, **params)
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    def close(self):
        try:
            self.stop()
        finally:
            if self.own_data:
                shutil.rmtree(self.data, ignore_errors=True)
            if self.config_path:
                self.config_path.unlink(missing_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f"--- log of hinomi (pid {self.child.pid})\n{self.output()[-4000:]}\n---")
        self.close()
