"""A real Prometheus (Debian's) that takes remote_write, and the comparison of its answers with ours."""
import math
import shutil
import tempfile

from conformance.promapi import Api
from support.server import Process, free_port, request, wait_until

PROMETHEUS = "/usr/bin/prometheus"


class Prometheus(Process):
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="hinomi-peer-")
        self.port = free_port()
        config = self.folder + "/prometheus.yml"
        with open(config, "w", encoding="ascii") as f:
            f.write("global: {scrape_interval: 1h}\n")
        super().__init__([PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data", "--web.enable-remote-write-receiver",
                          f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"])
        wait_until(self.ready, 60, "prometheus is ready")

    def ready(self):
        if self.child.poll() is not None:
            raise AssertionError(f"prometheus ended:\n{self.output()[-2000:]}")
        try:
            return request(self.port, "GET", "/-/ready", timeout=5).status == 200
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def feed(api, series, slice_ms=600_000):
    """In the order of time: a Prometheus head takes nothing older than an hour before its newest sample."""
    start = min(s[0][1] for _, s in series)
    end = max(s[-1][1] for _, s in series)
    for t in range(start, end + 1, slice_ms):
        rows = [(labels, [p for p in samples if t <= p[1] < t + slice_ms]) for labels, samples in series]
        api.write([row for row in rows if row[1]])


def close_enough(a, b, relative, absolute):
    if a == b or (math.isnan(a) and math.isnan(b)):
        return True
    if math.isinf(a) or math.isinf(b) or math.isnan(a) or math.isnan(b):
        return False
    return abs(a - b) <= max(relative * max(abs(a), abs(b)), absolute)


def points_of(series):
    return series.get("values") or [series["value"]]


def difference(theirs, ours, relative=1e-10, absolute=1e-12):
    """None, or what differs first. Series of a vector are compared as a set, see ordered_difference."""
    if theirs["status"] != ours["status"]:
        return f"theirs {theirs['status']} {theirs.get('error', '')!r}, ours {ours['status']} {ours.get('error', '')!r}"
    if theirs["status"] == "error":
        if theirs["errorType"] != ours["errorType"]:
            return f"theirs {theirs['errorType']} {theirs['error']!r}, ours {ours['errorType']} {ours['error']!r}"
        return None
    theirs, ours = theirs["data"], ours["data"]
    if theirs["resultType"] != ours["resultType"]:
        return f"theirs a {theirs['resultType']}, ours a {ours['resultType']}"
    if theirs["resultType"] in ("scalar", "string"):
        same = theirs["result"][0] == ours["result"][0] and close_enough(float(theirs["result"][1]), float(ours["result"][1]), relative, absolute)
        return None if same else f"theirs {theirs['result']}, ours {ours['result']}"
    by_labels = [{tuple(sorted(s["metric"].items())): points_of(s) for s in x["result"]} for x in (theirs, ours)]
    for labels in by_labels[0].keys() ^ by_labels[1].keys():
        who = "theirs" if labels in by_labels[0] else "ours"
        return f"only {who} has {dict(labels)}: {(by_labels[0].get(labels) or by_labels[1].get(labels))[:3]} ({len(by_labels[0])} and {len(by_labels[1])} series)"
    if theirs["resultType"] == "matrix" and list(by_labels[0]) != list(by_labels[1]):
        return f"another order: theirs {list(by_labels[0])[:4]}, ours {list(by_labels[1])[:4]}"
    for labels, a in by_labels[0].items():
        b = by_labels[1][labels]
        if [t for t, _ in a] != [t for t, _ in b]:
            odd = sorted({t for t, _ in a} ^ {t for t, _ in b})
            return f"{dict(labels)}: points at {odd[:3]} are only {'theirs' if odd[0] in [t for t, _ in a] else 'ours'}"
        for (t, v), (_, w) in zip(a, b):
            if not close_enough(float(v), float(w), relative, absolute):
                return f"{dict(labels)} at {t}: theirs {v}, ours {w}"
    return None


def ordered_difference(theirs, ours):
    """For sort() and its kin: the values come in the same order, though equal ones may have changed places."""
    if theirs["status"] != "success" or theirs["data"]["resultType"] != "vector":
        return None
    values = [[float(s["value"][1]) for s in x["data"]["result"]] for x in (theirs, ours)]
    same = len(values[0]) == len(values[1]) and all(close_enough(a, b, 1e-10, 1e-12) for a, b in zip(*values))
    return None if same else f"another order: theirs {values[0][:5]}, ours {values[1][:5]}"
