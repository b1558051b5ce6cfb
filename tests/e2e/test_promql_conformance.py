#!/usr/bin/env python3
"""Prometheus's own PromQL scripts (../shared/conformance/promql) through the front door: samples come in by
remote_write and every evaluation is an HTTP query. What touches native histograms is left to the in-process runner
(src/query/promql/conformance_test.c), since remote_write 1.0 floats cannot carry them here; such evals are counted.

Arguments: names of files without .test; each difference is shown.
"""
import concurrent.futures
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from conformance import runner, script  # noqa: E402
from support import cases  # noqa: E402
from support.server import TOP, Hinomi  # noqa: E402

SCRIPTS = TOP.parent / "shared/conformance/promql"

# What must pass at least: evaluations about floats alone.
TABLE = {
    "aggregators": 125,
    "at_modifier": 45,
    "collision": 2,
    "duration_expression": 54,
    "extended_vectors": 106,
    "functions": 270,
    "histograms": 79,
    "info": 20,
    "limit": 1,
    "literals": 25,
    "name_label_dropping": 29,
    "native_histograms": 3,
    "operators": 141,
    "range_queries": 11,
    "selectors": 31,
    "staleness": 17,
    "subquery": 32,
    "trig_functions": 19,
    "type_and_unit": 58,
}
# Files that need no feature to be on: they give the same as the product comes.
PLAIN = ("literals", "range_queries", "staleness", "subquery", "trig_functions")


def run_file(servers, name):
    return runner.Run(servers).run(script.read_script((SCRIPTS / f"{name}.test").read_text(encoding="utf-8")))


def run_files(names, features):
    with runner.Servers(features) as servers, concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(names, pool.map(lambda name: run_file(servers, name), names)))


def show(counts, table):
    worse = []
    for name, c in counts.items():
        floor = table.get(name, 0)
        below = c.passed < floor
        worse += [name] if below else []
        print(f"  {name:20} floats {c.passed:4}/{c.floats:<4} of {c.evals:4} evaluations, {c.evals - c.floats:3} touch native histograms"
              + (f"  WORSE than {floor}" if below else ""), flush=True)
        for line, expr, what in c.wrong:
            print(f"    {name}.test:{line}: {expr}\n      {what}")
    total = [sum(getattr(c, k) for c in counts.values()) for k in ("passed", "floats", "evals")]
    print(f"  floats {total[0]}/{total[1]} of {total[2]} evaluations; not-float and skipped: {total[2] - total[1]}", flush=True)
    assert not worse, f"below the recorded table: {worse}"


def need_scripts():
    if not SCRIPTS.is_dir():
        raise cases.Skip("../shared/conformance/promql is not beside this tree")


def test_scripts_as_prometheus_runs_them():
    need_scripts()
    names = sorted(p.stem for p in SCRIPTS.glob("*.test"))
    assert set(names) >= set(TABLE), set(TABLE) - set(names)
    show(run_files(names, runner.FEATURES), TABLE)


def test_plain_scripts_with_default_features():
    need_scripts()
    show(run_files(PLAIN, ()), {name: TABLE[name] for name in PLAIN})


def test_experimental_functions_are_off_by_default():
    with Hinomi("collect: {enabled: false}\n") as h:
        for expr, word in (("mad_over_time(x[5m])", "not enabled"), ("info(x)", "not enabled"), ("limitk(1, x)", "experimental"),
                           ("x[5m+1m]", "duration expression"), ("increase(x[5m] smoothed)", "smoothed")):
            r = h.get("/api/v1/query", query=expr)
            assert r.status == 400 and word in r.json()["error"], (expr, r.status, r.text)


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("test_"):
        show(run_files(sys.argv[1:], runner.FEATURES), {})
        sys.exit(0)
    sys.exit(cases.main())
