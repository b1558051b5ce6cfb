"""A Prometheus API over one kept connection: queries as form posts, samples in by remote_write."""
import http.client
import json
import struct
import urllib.parse

from support import remote_write

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Api:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method, path, body=None, headers=None):
        try:
            self.connection.request(method, path, body=body, headers=headers or {})
            r = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError):
            self.connection.close()
            self.connection.request(method, path, body=body, headers=headers or {})
            r = self.connection.getresponse()
        return r.status, r.read()

    def form(self, path, **params):
        """The answer's JSON, success or error."""
        status, body = self.call("POST", path, urllib.parse.urlencode(params).encode("utf-8", "surrogateescape"), FORM)
        try:
            return json.loads(body)
        except ValueError:
            raise AssertionError(f"{path} {params}: status {status}, not JSON: {body[:200]!r}") from None

    def query(self, expr, at_ms):
        return self.form("/api/v1/query", query=expr, time=seconds(at_ms))

    def query_range(self, expr, start_ms, end_ms, step_ms):
        return self.form("/api/v1/query_range", query=expr, start=seconds(start_ms), end=seconds(end_ms), step=seconds(step_ms))

    def write(self, series):
        """series: [(labels, [(value or eight bytes, ts_ms)])]."""
        status, body = self.call("POST", "/api/v1/write", remote_write.snappy(write_request(series)), remote_write.HEADERS)
        assert status // 100 == 2, (status, body[:500])

    def close(self):
        self.connection.close()


def seconds(ms):
    return f"{'-' if ms < 0 else ''}{abs(ms) // 1000}.{abs(ms) % 1000:03d}"


def sample(value, ts_ms):
    bits = value if isinstance(value, bytes) else struct.pack("<d", value)
    return b"\x09" + bits + b"\x10" + remote_write.varint(ts_ms & 0xFFFFFFFFFFFFFFFF)


def write_request(series):
    """As remote_write.write_request, but a value may be its eight bytes (the stale marker must keep its bits)."""
    out = b""
    for labels, samples in series:
        one = b"".join(remote_write.field(1, remote_write.field(1, n.encode()) + remote_write.field(2, v.encode("utf-8", "surrogateescape")))
                       for n, v in sorted(labels.items()))
        one += b"".join(remote_write.field(2, sample(v, ts)) for v, ts in samples)
        out += remote_write.field(1, one)
    return out
