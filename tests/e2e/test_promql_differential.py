#!/usr/bin/env python3
"""Random queries against Debian's Prometheus (2.42) on the same data, and the compliance queries of the Prometheus
project; ours is killed and started again half-way. Both servers are fed the same samples by remote_write; answers must be
the same but for rounding.

By hand: test_promql_differential.py --queries 10000 --seed 7 [--verbose] [--syntax]
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

    def restart_ours(self):
        self.apis[1].close()
        self.ours.kill9()
        again = Hinomi(CONFIG, data=self.ours.data, port=self.ours.port)
        again.own_data = True
        self.ours = again

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
            if n == queries // 2:
                pair.restart_ours()  # what was in memory now comes from disk
            expr = generate.query()
            end = base_ms - rnd.randrange(0, 120) * 15_000
            span = () if rnd.random() < 0.4 else (end + rnd.choice((4, 12, 30)) * 30_000, rnd.choice((15_000, 30_000, 65_000)))
            theirs, ours = pair.ask(expr, end, *span)
            errors += theirs["status"] != "success"
            empty += theirs["status"] == "success" and not theirs["data"]["result"]
            # deviations of times lose eight digits: 1.8e9 squared against tens
            what = peer.difference(theirs, ours, 1e-7 if "std" in expr and "time" in expr.replace("over_time", "") else 1e-10)
            if not what and expr.startswith(("sort", "topk", "bottomk")) and not span:
                what = peer.ordered_difference(theirs, ours)
            if what and documented(expr, theirs, ours):
                changed += 1
            elif what:
                wrong.append((expr, what))
                if verbose:
                    print(f"{n}: {expr}  [{end} {span}]\n    {what}", flush=True)
    print(f"  seed {seed}: {queries} queries, {errors} are errors for both, {empty} are empty, {changed} differ as documented, {len(wrong)} differ", flush=True)
    return wrong


# What 2.42 refused and 3 takes: numbers as durations, durations as numbers, any label name in by(), offset +1m.
RELAXED = re.compile("missing unit character|expected duration|unexpected duration|duration must be greater than 0|in grouping opts, expected label"
                     "|unexpected <op:[+]> in offset|unexpected number|in label matching, expected identifier")


def syntax_run(queries, seed):
    """Both format what they take alike, and take and refuse the same."""
    rnd, wrong, refused = random.Random(seed), [], 0
    with Pair(random_queries.data, seed) as pair:
        generate = random_queries.Generator(rnd, pair.now_ms // 1000)
        for _ in range(queries):
            expr = generate.query()
            for text in (expr, random_queries.mutated(rnd, expr)):
                theirs, ours = (api.form("/api/v1/format_query", query=text) for api in pair.apis)
                refused += theirs["status"] == "error"
                if theirs["status"] == ours["status"] == "error" or (theirs["status"] == "error" and RELAXED.search(theirs["error"])):
                    continue
                if re.search(r"\de[+-]?\d", text) and ours["status"] == "success":
                    continue  # 3 writes numbers without an exponent
                if theirs != ours:
                    wrong.append((text, f"theirs {theirs.get('data') or theirs['error']!r}, ours {ours.get('data') or ours['error']!r}"))
    print(f"  seed {seed}: {2 * queries} texts, {refused} refused by 2.42, {len(wrong)} differ", flush=True)
    return wrong


REGULAR_EXPRESSIONS = r"""
    + * ? a|* (+) a++ a*+ a?+ a{2}+ a** (?=a) (?!a) (?<=a)b (a)\1 (?>a) a{1001} a{,3} \d+ \pL [[:alpha:]] \Qa.b\E \h \R \K \X (?P<n>a) (?i)A (?U)a+
    (?x)ab (?R) (?1) \z \Z \A \G \b a{2 a{ x{0,1001} [a- []a] [^]a] () a||b (?:) ^* $+ \C \e \cA \x{10FFFF} \o{17} \N (?#c)a (*UTF8)a (?|a|b)
    (?(1)a|b) \p{Greek} \p{Script=Greek} [\d-z] \_ \- \< \y \8 \1 \01 \07 \a\f\t\n\r\v a{0} (?i (?-s). (?s-i:a) (?m)^a$ [z-a] [\w-.] { } ]
    a{1}{2} (a*)* \B [:alpha:] [[=a=]] \u0041 \l [a-\d] [\b] a{3,2} [[:none:]] a{2}? a?? (?i-) (?P>n) (?P=n) \p{Foo} \px \x1 \x{110000} ) a)|(b
""".split()


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


def test_syntax_is_taken_and_formatted_as_by_prometheus():
    report(syntax_run(300, 1))


def test_regular_expressions_are_taken_and_refused_as_by_prometheus():
    with Pair(random_queries.data, 1) as pair:
        for text in REGULAR_EXPRESSIONS:
            theirs, ours = pair.ask('up{job=~"x|' + text + '"}', pair.now_ms)
            assert theirs["status"] == ours["status"], (text, theirs.get("error"), ours.get("error"))


def by_hand():
    p = argparse.ArgumentParser()
    p.add_argument("--queries", type=int, default=400)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--syntax", action="store_true", help="format and refuse instead of evaluating")
    a = p.parse_args()
    if a.syntax:
        wrong = syntax_run(a.queries, a.seed)
        for text, what in wrong:
            print(f"{text}\n    {what}")
        return 1 if wrong else 0
    return 1 if random_run(a.queries, a.seed, a.verbose) else 0


if __name__ == "__main__":
    sys.exit(by_hand() if any(a.startswith("--") for a in sys.argv[1:]) else cases.main())
