"""Says in what an answer of the Prometheus API differs from what a script expects; None: in nothing."""
import math
import re
import struct

from conformance import script

TOLERANCE = 1e-6
SMALLEST_NORMAL = 2.2250738585072014e-308
LARGEST = 1.7976931348623157e308


class Wrong(Exception):
    pass


def almost(a, b):
    """Equality of promqltest: relative to the sum of both, NaN equal to NaN."""
    if isinstance(a, bytes):
        a = struct.unpack("<d", a)[0]
    if (math.isnan(a) and math.isnan(b)) or a == b:
        return True
    total, difference = abs(a) + abs(b), abs(a - b)
    if a == 0 or b == 0 or total < SMALLEST_NORMAL:
        return difference < TOLERANCE * SMALLEST_NORMAL
    return difference / min(total, LARGEST) < TOLERANCE


def key(labels):
    return tuple(sorted(labels.items()))


def label_order(labels):
    """How Prometheus orders label sets: name and value bytes, pair by pair."""
    return [(n.encode(), v.encode("utf-8", "surrogateescape")) for n, v in sorted(labels.items())]


def expected_by_labels(e):
    return {key(s.labels): s for s in e.series}


def check_points(labels, want, points):
    """want: [(ts_ms, value)]; points as the API gives them."""
    got = [(round(float(t) * 1000), float(v)) for t, v in points]
    if [t for t, _ in want] != [t for t, _ in got]:
        raise Wrong(f"{labels}: points at {[t for t, _ in got]}, expected at {[t for t, _ in want]}")
    for (t, w), (_, g) in zip(want, got):
        if not almost(w, g):
            raise Wrong(f"{labels} at {t} ms: {g!r}, expected {w!r}")


def floats_of(s):
    if "histograms" in s or "histogram" in s:
        raise Wrong(f"{s['metric']}: a histogram, expected floats")
    return s["values"] if "values" in s else [s["value"]]


def check_matrix(e, result, start, step):
    if e.scalar is not None:
        if len(result) != 1 or result[0]["metric"]:
            raise Wrong(f"expected a scalar, got {len(result)} series")
        for _, v in floats_of(result[0]):
            if not almost(e.scalar, float(v)):
                raise Wrong(f"scalar {v}, expected {e.scalar!r}")
        return
    want = expected_by_labels(e)
    orders = [label_order(s["metric"]) for s in result]
    if orders != sorted(orders):
        raise Wrong("the result is not sorted by labels")
    for s in result:
        d = want.pop(key(s["metric"]), None)
        if d is None:
            raise Wrong(f"unexpected series {s['metric']} {floats_of(s)[:1]}")
        check_points(s["metric"], [(start + i * step, v) for i, v in enumerate(d.values) if v is not script.OMITTED], floats_of(s))
    if want:
        raise Wrong(f"expected series {dict(next(iter(want)))} not found")


def check_vector(e, result, check_order):
    want = expected_by_labels(e)
    place = {key(s.labels): i for i, s in enumerate(e.series)}
    for at, s in enumerate(result):
        d = want.pop(key(s["metric"]), None)
        if d is None or not d.values:
            raise Wrong(f"unexpected series {s['metric']} {floats_of(s)}")
        if check_order and e.ordered and place[key(s["metric"])] != at:
            raise Wrong(f"{s['metric']} is at place {at}, expected {place[key(s['metric'])]}")
        if not almost(d.values[0], float(floats_of(s)[0][1])):
            raise Wrong(f"{s['metric']}: {floats_of(s)[0][1]}, expected {d.values[0]!r}")
    if want:
        raise Wrong(f"expected series {dict(next(iter(want)))} not found")


def check_instant(e, data, at):
    kind, result = data["resultType"], data["result"]
    if kind == "string":
        if e.string is None or result[1] != e.string:
            raise Wrong(f"string {result[1]!r}, expected {e.string!r}")
    elif kind == "scalar":
        if e.scalar is None or not almost(e.scalar, float(result[1])):
            raise Wrong(f"scalar {result[1]}, expected {e.scalar!r}")
        if round(result[0] * 1000) != at:
            raise Wrong(f"scalar at {result[0]}, expected at {at} ms")
    elif e.string is not None or e.scalar is not None:
        raise Wrong(f"a {kind}, expected a scalar or string")
    elif kind == "matrix":
        if e.raw is None:
            raise Wrong("a matrix, expected a vector")
        check_matrix(e, result, e.raw[0], e.raw[2])
    else:
        for s in result:
            if round(floats_of(s)[0][0] * 1000) != at:
                raise Wrong(f"{s['metric']} at {s['value'][0]}, expected at {at} ms")
        check_vector(e, result, True)


POSITION = re.compile(r" \(\d+:\d+\)$")


def check_notes(e, answer):
    for kind, list_name in (("warn", "warnings"), ("info", "infos")):
        told = [POSITION.sub("", t) for t in answer.get(list_name, [])]
        if told and e.of_kind("no_" + kind):
            raise Wrong(f"unexpected {kind}: {told[0]}")
        wanted = e.of_kind(kind)
        for x in wanted:
            if not any(x.matches(t) for t in told):
                raise Wrong(f"expected {kind} {x.text!r}, got {told}")
        for t in told if wanted else []:
            if not any(x.matches(t) for x in wanted):
                raise Wrong(f"unexpected {kind}: {t}")


PREFIX = re.compile(r'^invalid parameter "query": (\d+:\d+: parse error: )?')


def check_error(e, answer):
    x = e.fails
    if x is None:
        raise Wrong(f"failed: {answer['error']}")
    texts = {answer["error"], re.sub(r'^invalid parameter "query": ', "", answer["error"]), PREFIX.sub("", answer["error"])}
    if not any(x.matches(t) for t in texts):
        raise Wrong(f"error {answer['error']!r}, expected {x.text!r}")
