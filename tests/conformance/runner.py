"""Runs a script against a server that starts empty for each `clear`: samples by remote_write, queries over HTTP."""
import queue
import re
import threading

from conformance import compare, script
from conformance.compare import Wrong
from conformance.promapi import Api
from support.server import Hinomi

CONFIG = """
store: {{series: {{accept_window: unlimited, retention: 36500d}}}}
collect: {{enabled: false}}
query: {{promql: {{features: [{features}]}}}}
"""
# As Prometheus's own runner has them on.
FEATURES = ("promql-experimental-functions", "promql-duration-expr", "promql-extended-range-selectors", "promql-delayed-name-removal")


class Servers:
    """Keeps a few empty servers ready, so that `clear` costs no waiting."""

    def __init__(self, features=FEATURES, ready=3):
        self.config = CONFIG.format(features=", ".join(features))
        self.ready, self.used, self.stopping = queue.Queue(ready), queue.Queue(), False
        self.started = 0
        self.threads = [threading.Thread(target=self.start), threading.Thread(target=self.stop)]
        for t in self.threads:
            t.start()

    def start(self):
        while not self.stopping:
            try:
                h = Hinomi(self.config)
            except Exception as e:
                self.ready.put(e)
                return
            self.started += 1
            while not self.stopping:
                try:
                    self.ready.put(h, timeout=0.1)
                    break
                except queue.Full:
                    pass
            else:
                self.used.put(h)

    def stop(self):
        while (h := self.used.get()) is not None:
            h.close()

    def take(self):
        h = self.ready.get(timeout=60)
        if isinstance(h, Exception):
            self.ready.put(h)
            raise h
        return h

    def give_back(self, h):
        self.used.put(h)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping = True
        self.threads[0].join()
        while not self.ready.empty():
            h = self.ready.get()
            if not isinstance(h, Exception):
                self.used.put(h)
        self.used.put(None)
        self.threads[1].join()


class Counts:
    def __init__(self):
        self.evals = self.floats = self.passed = 0
        self.wrong = []  # (line, expression, what)


class Run:
    def __init__(self, servers):
        self.servers, self.counts = servers, Counts()
        self.server = self.api = None
        self.hists = []  # label sets of series that hold native histograms
        self.dirty = False

    # A server and its data

    def fresh(self):
        self.done()
        self.server = self.servers.take()
        self.api = Api(self.server.port)
        self.hists, self.dirty = [], False

    def done(self):
        if self.server:
            self.api.close()
            self.servers.give_back(self.server)
            self.server = None

    def load(self, command):
        rows = []
        # A series listed twice in one load: the second listing stands for both.
        for s in {compare.key(s.labels): s for s in command.series}.values():
            samples = [(v, i * command.step_ms) for i, v in enumerate(s.values) if v is not script.OMITTED and v is not script.HIST]
            if samples:
                rows.append((s.labels, samples))
            if s.has_hist:
                self.hists.append(s.labels)
            if command.nhcb:
                stem = re.sub(r"_(bucket|sum|count)$", "", s.labels.get("__name__", ""))
                if stem != s.labels.get("__name__"):
                    self.hists.append({**{k: v for k, v in s.labels.items() if k != "le"}, "__name__": stem})
        if rows:
            self.api.write(rows)
        self.dirty = True

    # Which evals are about floats alone: no selector of theirs takes a series with histograms

    def touches_hists(self, e):
        if any(s.has_hist for s in e.series):
            return True
        if not self.hists:
            return False
        answer = self.api.form("/api/v1/parse_query", query=e.expr)
        return answer["status"] == "success" and any(self.takes_hist(m) for m in matchers_of(answer["data"]))

    def takes_hist(self, matchers):
        return any(all(matches(m, labels) for m in matchers) for labels in self.hists)

    # Evaluations

    def evaluate(self, e):
        if e.is_range:
            answer = self.api.query_range(e.expr, e.start, e.end, e.step)
        else:
            answer = self.api.query(e.expr, e.raw[1] if e.raw else e.start)
        if answer["status"] != "success":
            return compare.check_error(e, answer)
        if e.fails:
            raise Wrong("expected an error, got none")
        compare.check_notes(e, answer)
        if e.is_range:
            return compare.check_matrix(e, answer["data"]["result"], e.start, e.step)
        compare.check_instant(e, answer["data"], e.raw[1] if e.raw else e.start)
        if e.raw is None and e.string is None:
            self.as_range(e)

    def as_range(self, e):
        """The middle step of a range query gives what the instant query gives."""
        answer = self.api.query_range(e.expr, e.start - 60_000, e.start + 60_000, 60_000)
        if answer["status"] != "success":
            raise Wrong(f"as a range query: {answer['error']}")
        if e.ordered:
            return
        middle = []
        for s in answer["data"]["result"]:
            middle += [{"metric": s["metric"], "value": p} for p in compare.floats_of(s) if round(p[0] * 1000) == e.start]
        try:
            if e.scalar is not None:
                compare.check_matrix(e, [{"metric": s["metric"], "values": [s["value"]]} for s in middle], 0, 1)
            else:
                compare.check_vector(e, middle, False)
        except Wrong as w:
            raise Wrong(f"as a range query: {w}") from None

    def eval(self, e):
        self.counts.evals += 1
        if self.touches_hists(e):
            return
        self.counts.floats += 1
        try:
            self.evaluate(e)
            self.counts.passed += 1
        except Wrong as w:
            self.counts.wrong.append((e.line, e.expr, str(w)))

    def run(self, commands):
        self.fresh()
        try:
            for c in commands:
                if isinstance(c, script.Load):
                    self.load(c)
                elif isinstance(c, script.Eval):
                    self.eval(c)
                elif self.dirty:
                    self.fresh()
        finally:
            self.done()
        return self.counts


def matchers_of(tree):
    """The matcher list of each selector of a parsed query."""
    if isinstance(tree, dict):
        if tree.get("type") in ("vectorSelector", "matrixSelector"):
            yield tree["matchers"]
        for v in tree.values():
            yield from matchers_of(v)
    elif isinstance(tree, list):
        for v in tree:
            yield from matchers_of(v)


def matches(m, labels):
    have = labels.get(m["name"], "")
    kind, value = m["type"], m["value"]
    if kind in ("=", "!="):
        return (have == value) == (kind == "=")
    return (re.fullmatch(value, have, re.S) is not None) == (kind == "=~")
