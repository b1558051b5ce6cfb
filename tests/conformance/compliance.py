"""The query templates of prometheus/compliance, expanded, and data such as they expect (PromLabs's demo service).

The argument lists are those of prometheus/compliance promql/testcases/expand.go.
"""
import itertools
import re

from conformance.random_queries import SHIFT_MS

ARGUMENTS = {
    "range": "1s 15s 1m 5m 15m 1h",
    "offset": "1m 5m 10m",
    "simpleAggrOp": "sum avg max min count stddev stdvar",
    "simpleTimeAggrOp": "sum avg max min count stddev stdvar absent last",
    "topBottomOp": "topk bottomk",
    "quantile": "-0.5 0.1 0.5 0.75 0.95 0.90 0.99 1 1.5",
    "arithBinOp": "+ - * / % ^",
    "compBinOp": "== != < > <= >=",
    "binOp": "+ - * / % ^ == != < > <= >=",
    "simpleMathFunc": "abs ceil floor exp sqrt ln log2 log10 round",
    "extrapolatedRateFunc": "delta rate increase",
    "clampFunc": "clamp_min clamp_max",
    "instantRateFunc": "idelta irate",
    "dateFunc": "day_of_month day_of_week days_in_month hour minute month year",
    "smoothingFactor": "0.1 0.5 0.8",
    "trendFactor": "0.1 0.5 0.8",
}


def templates(text):
    """[(query, argument names, should fail)] of the file's small subset of YAML."""
    out, query = [], None
    for line in text[text.index("test_cases:"):].split("\n"):
        line = line.strip()
        if m := re.fullmatch(r"(?:- )?query: (.*)", line):
            query = m.group(1)
            if query[0] in "'\"":
                query = query[1:-1].replace("''", "'") if query[0] == "'" else query[1:-1]
            out.append([query, (), False])
        elif m := re.fullmatch(r"variant_args: \[(.*)\]", line):
            out[-1][1] = tuple(a.strip().strip("'\"") for a in m.group(1).split(","))
        elif line == "should_fail: true":
            out[-1][2] = True
    return out


def expand(text):
    """[(query, should fail)]"""
    for query, names, fails in templates(text):
        for values in itertools.product(*(ARGUMENTS[n].split() for n in names)):
            one = query
            for name, value in zip(names, values):
                one = one.replace("{{." + name + "}}", value)
            assert "{{" not in one, one
            yield one, fails


def data(rnd, end_ms, step_ms=15_000, steps=480):
    first = end_ms // step_ms * step_ms - steps * step_ms + SHIFT_MS
    times = [first + i * step_ms for i in range(steps)]
    out = []

    def add(name, values, **labels):
        out.append(({"__name__": name, **labels}, [(v, t) for v, t in zip(values, times) if v is not None and t <= end_ms]))

    def climbing(start, most):
        v = start
        for _ in range(steps):
            v += rnd.random() * most
            yield v

    def around(middle, most):
        for _ in range(steps):
            yield middle + round(rnd.gauss(0, most))

    for port in (10000, 10001, 10002):
        at = {"job": "demo", "instance": f"demo.promlabs.com:{port}"}
        for kind in ("free", "buffers", "cached", "used"):
            add("demo_memory_usage_bytes", around(1e9 * rnd.uniform(1, 4), 1e7), type=kind, **at)
        for mode in ("user", "system", "idle"):
            add("demo_cpu_usage_seconds_total", climbing(rnd.random() * 1e5 + 1e4, 4), mode=mode, **at)
        add("demo_num_cpus", [4] * steps, **at)
        add("demo_disk_usage_bytes", climbing(rnd.random() * 1e9, 1e5), **at)
        add("demo_batch_last_success_timestamp_seconds", [float(t // 60_000 * 60 - rnd.randrange(3)) for t in times], **at)
        add("demo_intermittent_metric", [1 if i // 40 % 2 else None for i in range(steps)], **at)
        for path, method in (("/api/foo", "GET"), ("/api/bar", "POST"), ("/api/nonexistent", "GET")):
            cells = [list(climbing(1000, 9)) for _ in range(6)]
            for i, le in enumerate(("0.1", "0.2", "0.4", "0.8", "1.6", "+Inf")):
                add("demo_api_request_duration_seconds_bucket", [float(int(sum(c[k] for c in cells[:i + 1]))) for k in range(steps)], le=le, path=path,
                    method=method, status="200", **at)
            add("demo_api_request_duration_seconds_count", [float(int(sum(c[k] for c in cells))) for k in range(steps)], path=path, method=method,
                status="200", **at)
            add("demo_api_request_duration_seconds_sum", climbing(1000, 2), path=path, method=method, status="200", **at)
    return out
