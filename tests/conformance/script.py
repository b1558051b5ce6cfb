"""Reads Prometheus's PromQL test scripts: load, clear, eval with what is expected of it.

Format: promql/promqltest/README.md of Prometheus. A native histogram literal is read over and stands as HIST: its
values cannot be sent by remote_write 1.0 floats, and what touches them is left to the in-process runner.
"""
import re
import struct

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
STALE_BITS = struct.pack("<Q", 0x7FF0000000000002)
HIST = object()     # a native histogram
OMITTED = object()  # "_"

UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}


class ScriptError(Exception):
    pass


def duration_ms(text):
    minus, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    if re.fullmatch(r"\d+(\.\d+)?", rest):
        return minus * round(float(rest) * 1000)
    parts = re.findall(r"(\d+)(ms|[smhdwy])", rest)
    if not parts or "".join(n + u for n, u in parts) != rest:
        raise ScriptError(f"expected a duration, found {text!r}")
    return minus * sum(int(n) * UNITS_MS[u] for n, u in parts)


# Strings and series

ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'"}


def quoted(text, at):
    """A quoted string at text[at]: its value and the place behind it."""
    quote, at = text[at], at + 1
    out = bytearray()
    while text[at] != quote:
        if text[at] != "\\" or quote == "`":
            out += text[at].encode()
            at += 1
            continue
        c = text[at + 1]
        digits = {"x": 2, "u": 4, "U": 8}.get(c)
        if digits:
            v = int(text[at + 2:at + 2 + digits], 16)
            out += bytes([v]) if c == "x" else chr(v).encode()
            at += 2 + digits
        elif c in "01234567":
            out.append(int(text[at + 1:at + 4], 8))
            at += 4
        else:
            out += ESCAPES[c].encode()
            at += 2
    return out.decode("utf-8", "surrogateescape"), at + 1


SPACE = re.compile(r"\s*")
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def labels_of(text):
    """metric{a="b"} at the start of a line: the labels and the rest of the line."""
    labels, at = {}, 0
    m = NAME.match(text)
    if m:
        labels["__name__"], at = m.group(), m.end()
    if at < len(text) and text[at] == "{":
        at += 1
        while True:
            at = SPACE.match(text, at).end()
            if text[at] == "}":
                at += 1
                break
            if text[at] == ",":
                at += 1
                continue
            is_string = text[at] in "\"'`"
            if is_string:
                name, at = quoted(text, at)
            else:
                m = NAME.match(text, at)
                if not m:
                    raise ScriptError(f"expected a label name in {text!r}")
                name, at = m.group(), m.end()
            at = SPACE.match(text, at).end()
            if is_string and text[at] != "=":
                labels["__name__"] = name
                continue
            if text[at] != "=":
                raise ScriptError(f"expected = in {text!r}")
            at = SPACE.match(text, at + 1).end()
            labels[name], at = quoted(text, at)
    elif not m:
        raise ScriptError(f"expected a series, found {text!r}")
    return {k: v for k, v in labels.items() if v != ""}, text[at:]


HISTOGRAMS = re.compile(r"\{\{.*?\}\}([+-]\{\{.*?\}\})?(?:x(\d+))?")
GAPS = re.compile(r"_(?:x(\d+))?(?=\s|$)")
NUMBER = r"(?:[Ii]nf|[Nn]a[Nn]|NAN|INF|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
ITEM = re.compile(rf"(stale|[+-]?{NUMBER})([+-]{NUMBER})?(?:x(\d+))?(?=\s|$)")


def values_of(text):
    out, at = [], 0
    while True:
        at = SPACE.match(text, at).end()
        if at == len(text):
            return out
        m = HISTOGRAMS.match(text, at)
        if m:
            out += [HIST] * (1 + int(m.group(2) or 0))
        elif m := GAPS.match(text, at):
            out += [OMITTED] * int(m.group(1) or 1)
        elif m := ITEM.match(text, at):
            v, step, times = m.groups()
            v = STALE_BITS if v == "stale" else float(v)
            out.append(v)
            for _ in range(int(times or 0)):
                if step:
                    v += float(step)
                out.append(v)
        else:
            raise ScriptError(f"expected values, found {text[at:]!r}")
        at = m.end()


class Series:
    def __init__(self, line):
        self.labels, rest = labels_of(line)
        self.values = values_of(rest)

    @property
    def has_hist(self):
        return HIST in self.values


# Commands

class Load:
    def __init__(self, step_ms, series, nhcb):
        self.step_ms, self.series, self.nhcb = step_ms, series, nhcb


class Clear:
    pass


class Expect:
    """kind: fail, warn, info, no_warn, no_info, ordered; how: None (any message), "msg" or "regex"."""

    def __init__(self, kind, how=None, text=""):
        self.kind, self.how, self.text = kind, how, text

    def matches(self, message):
        if self.how is None:
            return True
        if self.how == "msg":
            return self.text == message
        return re.search(self.text, message) is not None


class Eval:
    def __init__(self, line_number):
        self.line = line_number
        self.expr = ""
        self.is_range = False
        self.start = self.end = self.step = 0
        self.expects = []
        self.series = []
        self.scalar = None   # the expected number
        self.string = None   # the expected string
        self.raw = None      # (start, end, step) of an expected range vector

    @property
    def fails(self):
        return next((x for x in self.expects if x.kind == "fail"), None)

    @property
    def ordered(self):
        return any(x.kind == "ordered" for x in self.expects)

    def of_kind(self, kind):
        return [x for x in self.expects if x.kind == kind]


def read_expect(e, line):
    rest = line[len("expect"):].strip()
    if rest.startswith("string"):
        e.string, _ = quoted(rest[len("string"):].strip(), 0)
        return
    if rest.startswith("range vector"):
        words = rest.split()
        e.raw = (duration_ms(words[3]), duration_ms(words[5]), duration_ms(words[7]))
        return
    kind = rest.split()[0]
    if kind not in ("fail", "warn", "info", "no_warn", "no_info", "ordered"):
        raise ScriptError(f"unknown expectation {line!r}")
    rest = rest[len(kind):]
    how, colon, text = rest.partition(":")
    e.expects.append(Expect(kind, how.strip() or None, text.strip()) if colon else Expect(kind))


LEGACY = {"eval_fail": "fail", "eval_warn": "warn", "eval_info": "info", "eval_ordered": "ordered"}


def read_eval(lines, at):
    """The command at lines[at]; returns it and the last line that belongs to it."""
    e = Eval(at + 1)
    m = re.match(r"(eval\S*)\s+instant\s+at\s+(\S+)\s+(.*)", lines[at])
    if m:
        e.start = e.end = duration_ms(m.group(2))
        e.expr = m.group(3)
    else:
        m = re.match(r"(eval\S*)\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.*)", lines[at])
        if not m:
            raise ScriptError(f"line {at + 1}: {lines[at]!r}")
        e.is_range = True
        e.start, e.end, e.step = (duration_ms(m.group(i)) for i in (2, 3, 4))
        e.expr = m.group(5)
    if m.group(1) in LEGACY:
        e.expects.append(Expect(LEGACY[m.group(1)]))
    while at + 1 < len(lines) and lines[at + 1]:
        at += 1
        line = lines[at]
        if line.startswith("expect "):
            read_expect(e, line)
        elif line.startswith("expected_fail_"):
            word, _, text = line.partition(" ")
            e.expects = [Expect("fail", "regex" if word == "expected_fail_regexp" else "msg", text.strip())]
            break
        elif re.fullmatch(rf"[+-]?{NUMBER}", line):
            e.scalar = float(line)
            break
        else:
            e.series.append(Series(line))
    return e, at


def read_load(lines, at):
    word, step = lines[at].split()
    series = []
    while at + 1 < len(lines) and lines[at + 1]:
        at += 1
        series.append(Series(lines[at]))
    return Load(duration_ms(step), series, word == "load_with_nhcb"), at


def read_script(text):
    lines = [line.strip() for line in text.split("\n")]
    lines = ["" if line.startswith("#") else line for line in lines]
    out, at = [], 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("load"):
            command, at = read_load(lines, at)
            out.append(command)
        elif line.startswith("eval"):
            command, at = read_eval(lines, at)
            out.append(command)
        elif line == "clear":
            out.append(Clear())
        elif line:
            raise ScriptError(f"line {at + 1}: unknown command {line!r}")
        at += 1
    return out
