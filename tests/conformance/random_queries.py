"""Random PromQL over a small, awkward data set: resets, gaps, stale markers, NaN, infinities, late and early ends.

The data avoid what Prometheus 3 changed against 2.42 on purpose:
- ranges and the lookback are open on the left in 3: samples lie at 15 s + 3.137 s and every time asked for is a
  whole second, so that no sample ever lies on an edge; the steps of subqueries are multiples of 10 s, all other
  times are 5 s + 2 s, and the ranges of subqueries 5 s + 3 s, so that no step does either;
- `rate` and `increase` near a counter's zero when the first sample of the window is more than 1.1 intervals after
  its start (prometheus/prometheus#13725): counters with gaps or a late birth have no resets and start far from zero,
  and gauges with gaps are not asked for their rate;
- `.` matches newlines in 3: there are none;
- atan2 drops the metric's name in 3 (prometheus/prometheus#12595): it is asked for of what has no name;
- predict_linear with "@" looked at less and less of its range (prometheus/prometheus#13559): it is used without;
- timestamp(x @ t offset d), which Prometheus reads without the offset, is not asked for;
- nor is "@" within a subquery that has an "@" or offset itself: when the first step of the outer and the inner subquery
  fall together, Prometheus does not compute the time of what is inside anew;
- stddev and stdvar of one infinity or NaN are NaN in 3 and were 0: they are asked for of finite values.
And what Go does its own way: dates are asked for of times that fit an integer, logarithms of numbers that are not
subnormal (Go 1.19 has -709 for ln(5e-324)). A remainder or a sine of something large multiplies a rounding difference:
only what was stored is divided with rest, and only the sine of small numbers is asked for. Nothing overflows when it is
squared: the corrected sums of 2.42 gave NaN, those of 3 give infinity.
"""
import math
import re

from conformance.script import STALE_BITS

STEP_MS, SHIFT_MS, STEPS = 15_000, 3_137, 480  # two hours

JOBS, INSTANCES = ("api", "db"), ("a:1", "b:1", "c:1")
BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf")


def data(rnd, end_ms):
    """[(labels, samples)] up to end_ms."""
    first = end_ms // STEP_MS * STEP_MS - STEPS * STEP_MS + SHIFT_MS
    times = [first + i * STEP_MS for i in range(STEPS)]
    out = []

    def add(name, values, gaps=False, born=0, dies=STEPS, stale=False, **labels):
        samples, i = [], born
        while i < dies:
            if gaps and rnd.random() < 0.04:
                i += rnd.choice((1, 2, 5, 30))
                continue
            samples.append((values[i], times[i]))
            i += 1
        if stale and dies < STEPS:
            samples = [s for s in samples if s[1] < times[dies]] + [(STALE_BITS, times[dies])]
        samples = [s for s in samples if s[1] <= end_ms]
        out.append(({"__name__": name, **labels}, samples))

    def counter(start, resets, scale):
        v, values = start, []
        for _ in range(STEPS):
            v += rnd.choice((0, 1, 1, 2, 3, 7)) * scale
            if resets and rnd.random() < 0.03:
                v = rnd.random() * scale
            values.append(v)
        return values

    def walk(start, step):
        v, values = start, []
        for _ in range(STEPS):
            v += rnd.gauss(0, step)
            values.append(v)
        return values

    for job in JOBS:
        for instance in INSTANCES:
            at = {"job": job, "instance": instance}
            for code in ("200", "404", "500"):
                gaps = code == "404"
                add("requests_total", counter(1e6 if gaps else rnd.random() * 100, not gaps, 1 if code == "200" else 0.37), gaps=gaps, code=code, **at)
            add("cpu_seconds_total", counter(rnd.random(), True, 0.173), mode="user", **at)
            add("cpu_seconds_total", counter(rnd.random(), False, 0.291), mode="system", **at)
            add("memory_bytes", [round(v) for v in walk(3e9, 2e7)], **at)
            add("temperature", walk(3, 2), **at)
            add("queue_length", [max(0, round(v)) for v in walk(5, 2)], gaps=True, **at)
            add("build_info", [1] * STEPS, version=rnd.choice(("1.0", "1.1")), **at)
            totals = [counter(rnd.random() * 10, False, 1) for _ in BOUNDS]
            for i, le in enumerate(BOUNDS):
                add("latency_seconds_bucket", [sum(t[k] for t in totals[:i + 1]) // 1 for k in range(STEPS)], le=le, **at)
            add("latency_seconds_count", [sum(t[k] for t in totals) // 1 for k in range(STEPS)], **at)
            add("latency_seconds_sum", counter(1, False, 0.31), **at)
    for i, instance in enumerate(INSTANCES):
        add("odd", [rnd.choice((math.nan, math.inf, -math.inf, 0.0, -0.0, 1e40, 1e-300, -1.5, 2.0)) for _ in range(STEPS)], instance=instance)
        add("comes_and_goes", walk(10, 1), born=60 * i, dies=300 + 40 * i, stale=i != 1, instance=instance)
    add("late_total", counter(1e6, False, 1), born=330, job="api", instance="d:1")
    return out


COUNTERS = ("requests_total", "cpu_seconds_total", "latency_seconds_count", "latency_seconds_sum", "late_total")
GAUGES = ("memory_bytes", "temperature", "queue_length", "odd", "comes_and_goes", "build_info")
WHOLE_GAUGES = ("memory_bytes", "temperature")  # without gaps
RANGES = ("30s", "1m", "2m", "5m", "10m", "17m", "45m")
OVER_TIME = ("sum", "avg", "min", "max", "count", "stddev", "stdvar", "last", "present")
MATH = ("abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "round", "sgn", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh",
        "tanh", "asinh", "acosh", "atanh", "deg", "rad")
DATES = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")
AGGREGATES = ("sum", "avg", "min", "max", "count", "stddev", "stdvar", "group")
ARITHMETIC = ("+", "-", "*", "/", "%", "^", "atan2")
COMPARISONS = ("==", "!=", "<", ">", "<=", ">=")
LABELS = ("job", "instance", "code", "mode", "le", "version")


LETTERS = "()[]{}\"'`,:=!~<>+-*/%^@ .0159abcdefshmxeInNaf_$\\"


def mutated(rnd, text):
    """The text with something left out, put in or doubled."""
    for _ in range(rnd.choice((1, 1, 2))):
        at, kind = rnd.randrange(len(text) + 1), rnd.randrange(4)
        to = min(len(text), at + rnd.randrange(1, 7))
        if kind == 0:
            text = text[:at] + text[to:]
        elif kind == 1:
            text = text[:at] + text[at:to] + text[at:]
        else:
            text = text[:at] + rnd.choice(LETTERS) + text[at + kind - 2:]
    return text or "x"


class Generator:
    """vector(depth), scalar(depth): PromQL text. base_s: around what "@" may point."""

    vague = re.compile("sum|avg|std")

    def __init__(self, rnd, base_s):
        self.rnd, self.base_s = rnd, base_s

    def pick(self, *choices):
        return self.rnd.choice(choices)

    def matchers(self):
        if self.rnd.random() < 0.5:
            return ""
        one = ('job="api"', 'job!="api"', 'instance=~"a.*|b.*"', 'instance!~"a:.*"', 'job=~".+"', 'code="200"', 'code!="500"', 'mode=""', 'job="none"',
               'instance="a:1"', 'code=~"4..|5.."', 'instance=~".:1"')
        return "{" + ",".join(self.rnd.sample(one, self.rnd.choice((1, 1, 2)))) + "}"

    def modifiers(self, at=True):
        r = self.rnd.random() * (1 if at else 0.87)
        if r < 0.75:
            return ""
        offset = f" offset {self.pick('1m', '7m', '20m', '-3m', '25s')}"
        if r < 0.87:
            return offset
        at = f" @ {self.pick('start()', 'end()', str(self.base_s - 5 * self.rnd.randrange(600)))}"
        return at if r < 0.95 else at + offset

    def selector(self, names):
        return self.rnd.choice(names) + self.matchers() + self.modifiers()

    def window(self, names, at=True):
        return f"{self.rnd.choice(names)}{self.matchers()}[{self.rnd.choice(RANGES)}]{self.modifiers(at)}"

    def subquery(self, depth):
        inner = self.closed(depth)
        modifiers = "" if "@" in inner else self.modifiers()
        return f"{inner}[{self.pick('2m3s', '5m3s', '10m3s')}:{self.pick('', '10s', '30s', '1m')}]{modifiers}"

    def closed(self, depth):
        """A vector that may be followed by [..:..] or stand beside an operator."""
        v = self.vector(depth)
        return f"({v})"

    def range_function(self, depth):
        kind = self.rnd.randrange(9)
        if kind < 3:
            return f"{self.pick('rate', 'increase')}({self.window(COUNTERS + WHOLE_GAUGES)})"
        if kind == 3:
            return f"{self.pick('irate', 'idelta', 'delta', 'deriv', 'resets', 'changes')}({self.window(COUNTERS + GAUGES[:3] + GAUGES[4:])})"
        if kind == 4:
            return f"{self.rnd.choice(OVER_TIME)}_over_time({self.window(COUNTERS + GAUGES)})"
        if kind == 5:
            return f"quantile_over_time({self.pick('0', '0.1', '0.5', '0.93', '1', '-1', '2')}, {self.window(COUNTERS + GAUGES)})"
        if kind == 6:
            return f"predict_linear({self.window(WHOLE_GAUGES + COUNTERS, at=False)}, {self.pick('0', '600', '-60', '3600')})"
        if kind == 7 and depth > 0:
            return f"{self.rnd.choice(OVER_TIME)}_over_time({self.subquery(depth - 1)})"
        return f"absent_over_time({self.window(COUNTERS + GAUGES)})"

    def call(self, depth):
        kind = self.rnd.randrange(11)
        v = self.vector(depth - 1)
        if kind < 3:
            name = self.rnd.choice(MATH)
            return f"{name}({f'clamp({v}, -100, 100)' if name in ('sin', 'cos', 'tan') else v})"
        if kind == 3:
            return f"{self.pick('clamp_min', 'clamp_max')}({v}, {self.scalar(depth - 1)})"
        if kind == 4:
            return f"clamp({v}, {self.pick('-1', '0', '3')}, {self.pick('2', '10', '-5')})"
        if kind == 5:
            return f"round({v}, {self.pick('0.5', '10', '0.01', '3')})"
        if kind == 6:
            return f"{self.rnd.choice(DATES)}({self.pick(f'({v}) > -1e11 < 1e11', '', 'vector(time())')})"
        if kind == 7:
            return f"timestamp(abs({v}))" if "@" in v and "offset" in v else f"timestamp({v})"
        if kind == 8:
            return self.pick(f'label_replace({v}, "dst", "$1-x", "instance", "(.*):.*")', f'label_replace({v}, "job", "", "code", "200")',
                             f'label_join({v}, "joined", "/", "job", "instance")', f'label_replace({v}, "instance", "same", "", "")',
                             f'label_replace({v}, "__name__", "renamed_$1", "job", "(.+)")')
        if kind == 9:
            return self.pick(f"sort({v})", f"sort_desc({v})", f"absent({v})")
        return f"vector({self.scalar(depth - 1)})"

    def grouping(self):
        if self.rnd.random() < 0.3:
            return ""
        labels = ", ".join(self.rnd.sample(LABELS, self.rnd.choice((0, 1, 1, 2))))
        return f" {self.pick('by', 'by', 'without')} ({labels}) "

    def aggregate(self, depth):
        v, kind = self.vector(depth - 1), self.rnd.randrange(10)
        if kind < 7:
            name = self.rnd.choice(AGGREGATES)
            return f"{name}{self.grouping()}({f'({v}) > -1e15 < 1e15' if name.startswith('std') else v})"
        if kind == 7:
            return f"quantile{self.grouping()}({self.pick('0', '0.25', '0.5', '0.9', '1', '-0.5', '1.5')}, {v})"
        if kind == 8:
            return f"{self.pick('topk', 'bottomk')}{self.grouping()}({self.pick('1', '2', '3', '0', '100')}, {self.selector(WHOLE_GAUGES + ('cpu_seconds_total',))})"
        return f"count_values{self.grouping()}(\"value\", {self.selector(('queue_length', 'build_info', 'requests_total'))})"

    def binary(self, depth):
        kind = self.rnd.randrange(10)
        op = self.rnd.choice(ARITHMETIC + COMPARISONS)
        is_bool = " bool" if op in COMPARISONS and self.rnd.random() < 0.4 else ""
        v = self.closed(depth - 1)
        if op == "%":
            return f"{self.selector(COUNTERS + GAUGES)} % {self.pick('7', '0.3', '-2', 'temperature', 'Inf')}"
        if op == "atan2":
            v = f"abs({v})"
            op = "+" if kind in (6, 7) else op
        if op == "^":
            return f"{v} ^ {self.pick(f'({self.scalar(0)})', f'clamp({self.closed(depth - 1)}, -3, 3)')}"
        if kind < 2:
            return f"{v} {op}{is_bool} ({self.scalar(depth - 1)})"
        if kind == 2:
            return f"({self.scalar(depth - 1)}) {op}{is_bool} {v}"
        if kind == 3:
            return f"{v} {self.pick('and', 'or', 'unless')} {self.pick('', 'on (instance)', 'on (job, instance)', 'ignoring (code)', 'on ()')} {self.closed(depth - 1)}"
        if kind == 4:  # in 2.42 a sum depends on the order of its series, and so need not equal itself
            return f"{v} {'+' if self.vague.search(v) else op + is_bool} {v}"
        if kind == 5:
            name = self.pick("requests_total", "cpu_seconds_total")
            return f"rate({name}[5m]) {op}{is_bool} on (job, instance) group_left{self.pick('', '()', ' (version)')} {self.pick('build_info', 'memory_bytes')}"
        if kind == 6:
            return (f"sum by (job) ({v}) {op}{is_bool} on (job) group_right{self.pick('', ' ()')} "
                    f"{self.pick('temperature', 'avg by (job, instance) (memory_bytes)', 'requests_total')}")
        if kind == 7:
            return f"{self.pick('temperature', 'memory_bytes')} {op}{is_bool} {self.pick('', 'on (job, instance)', 'ignoring (version)')} {self.pick('memory_bytes', 'queue_length', 'temperature offset 3m')}"
        if kind == 8:
            return f"sum by (job) ({v}) {op}{is_bool} avg by (job) ({self.closed(depth - 1)})"
        return f"{v} {op}{is_bool} {self.pick('', 'on (instance)', 'ignoring (code, mode)')} {self.closed(depth - 1)}"

    def histogram(self):
        labels = self.pick("le", "le, job", "le, instance, job")
        inner = self.pick(f"sum by ({labels}) (rate(latency_seconds_bucket[{self.pick('1m', '5m', '10m')}]))", "latency_seconds_bucket",
                          "rate(latency_seconds_bucket[5m])", f"sum by ({labels}) (latency_seconds_bucket)", "memory_bytes")
        return f"histogram_quantile({self.pick('0', '0.5', '0.9', '0.99', '1', '-1', '1.1')}, {inner})"

    def vector(self, depth):
        r = self.rnd.random()
        if depth <= 0 or r < 0.12:
            return self.selector(COUNTERS + GAUGES) if self.rnd.random() < 0.6 else self.range_function(0)
        if r < 0.32:
            return self.range_function(depth)
        if r < 0.55:
            return self.call(depth)
        if r < 0.78:
            return self.aggregate(depth)
        if r < 0.93:
            return self.binary(depth)
        return f"-{self.closed(depth - 1)}" if r < 0.95 else self.histogram()

    def scalar(self, depth):
        r = self.rnd.random()
        if depth <= 0 or r < 0.5:
            return self.pick("0", "1", "-2.5", "3", "1e3", "0.1", "time()", "pi()", "NaN", "Inf", "-Inf", "2")
        if r < 0.75:
            return f"scalar({self.vector(depth - 1)})"
        op = self.rnd.choice(ARITHMETIC[:4] + ("^", "atan2") + tuple(c + " bool" for c in COMPARISONS))
        return f"({self.scalar(depth - 1)}) {op} ({self.scalar(depth - 1)})"

    def query(self):
        return self.vector(self.rnd.choice((1, 2, 2, 3))) if self.rnd.random() < 0.96 else self.scalar(3)
