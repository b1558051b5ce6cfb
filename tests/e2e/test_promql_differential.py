#!/usr/bin/env python3
"""Random queries against Debian's Prometheus (2.42) on the same data, and the compliance queries of the Prometheus
project. Both servers are fed the same samples by remote_write; answers must be the same but for rounding.

By hand: test_promql_differential.py --queries 10000 --seed 7 [--verbose]
"""
import argparse
import os
import pathlib
import random
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from conformance import compliance, peer, random_queries  # noqa: E402
from conformance.promapi import Api  # noqa: E402
from support import cases  # noqa: E402
from support.server import TOP, Hinomi  # noqa: E402

CONFIG = "store: {series: {accept_window: unlimited}}\ncollect: {enabled: false}\n"
# Prometheus 3 takes any UTF-8 as a label name, so these two do not fail any more.
LABEL_NAMES_OF_3 = ('label_replace(demo_num_cpus, "~invalid", "", "src", "(.*)")', 'label_join(demo_num_cpus, "~invalid", "-", "instance")')
COMPLIANCE = TOP.parent / "shared/conformance/promql/compliance-queries.yml"


class Pair:
    """Both servers, fed alike."""

    def __init__(self, make_data, seed):
        if not os.access(peer.PROMETHEUS, os.X_OK):
            raise cases.Skip("Debian's prometheus is not installed")
        self.now_ms = int(time.time()) * 1000
        self.series = make_data(random.Random(seed), self.now_ms)

    def __enter__(self):
        self.theirs = peer.Prometheus()
        self.ours = Hinomi(CONFIG)
        self.apis = Api(self.theirs.port), Api(self.ours.port)
        for api in self.apis:
            peer.feed(api, self.series)
        return self

    def __exit__(self, *why):
        self.ours.__exit__(*why)
        self.theirs.__exit__(*why)

    def ask(self, expr, start_ms, end_ms=None, step_ms=None):
        if end_ms is None:
            return [api.query(expr, start_ms) for api in self.apis]
        return [api.query_range(expr, start_ms, end_ms, step_ms) for api in self.apis]


def documented(expr, theirs, ours):
    """Prometheus 3.9 looks at all matches of a filter, 2.42 only at those that pass it (prometheus/prometheus#17668)."""
    texts = ("multiple matches for labels: many-to-one matching must be explicit", "multiple matches for labels: grouping labels must ensure unique matches")
    return theirs["status"] == "success" and ours.get("error", "").startswith(texts) and re.search(r"[<>]=? |[=!]= ", expr) is not None


def random_run(queries, seed, verbose=False):
    rnd = random.Random(seed)
    wrong, errors, empty, changed = [], 0, 0, 0
    with Pair(random_queries.data, seed) as pair:
        base_ms = pair.now_ms // 15_000 * 15_000 + 7_000 - 15_000
        generate = random_queries.Generator(rnd, base_ms // 1000)
        for n in range(queries):
            expr = generate.query()
            end = base_ms - rnd.randrange(0, 120) * 15_000
            span = () if rnd.random() < 0.4 else (end + rnd.choice((4, 12, 30)) * 30_000, rnd.choice((15_000, 30_000, 65_000)))
            theirs, ours = pair.ask(expr, end, *span)
            errors += theirs["status"] != "success"
            empty += theirs["status"] == "success" and not theirs["data"]["result"]
            what = peer.difference(theirs, ours)
            if what and documented(expr, theirs, ours):
                changed += 1
            elif what:
                wrong.append((expr, what))
                if verbose:
                    print(f"{n}: {expr}  [{end} {span}]\n    {what}", flush=True)
    print(f"  seed {seed}: {queries} queries, {errors} are errors for both, {empty} are empty, {changed} differ as documented, {len(wrong)} differ", flush=True)
    return wrong


def compliance_run():
    wrong, total, empty = [], 0, 0
    with Pair(compliance.data, 1) as pair:
        end = pair.now_ms // 15_000 * 15_000 - 8_000
        for expr, fails in compliance.expand(COMPLIANCE.read_text(encoding="utf-8")):
            total += 1
            theirs, ours = pair.ask(expr, end - 1_800_000, end, 60_000)
            if expr in LABEL_NAMES_OF_3:
                assert (theirs["status"], ours["status"]) == ("error", "success"), (expr, theirs, ours)
                continue
            empty += theirs["status"] == "success" and not theirs["data"]["result"]
            what = peer.difference(theirs, ours)
            if not what and fails and ours["status"] != "error":
                what = "must fail"
            if what:
                wrong.append((expr, what))
    print(f"  {total} compliance queries, {empty} are empty, {len(wrong)} differ", flush=True)
    return total, wrong


def report(wrong):
    assert not wrong, "\n".join(f"{expr}\n    {what}" for expr, what in wrong[:20])


def test_random_queries_give_what_prometheus_gives():
    report(random_run(400, 1))


def test_compliance_queries_give_what_prometheus_gives():
    if not COMPLIANCE.is_file():
        raise cases.Skip("../shared/conformance/promql is not beside this tree")
    total, wrong = compliance_run()
    assert total == 539, total
    report(wrong)


def by_hand():
    p = argparse.ArgumentParser()
    p.add_argument("--queries", type=int, default=400)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--verbose", action="store_true")
    a = p.parse_args()
    return 1 if random_run(a.queries, a.seed, a.verbose) else 0


if __name__ == "__main__":
    sys.exit(by_hand() if any(a.startswith("--") for a in sys.argv[1:]) else cases.main())
