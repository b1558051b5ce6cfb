#!/usr/bin/env python3
"""kill -9 at random moments while two writers push remote_write: after each restart every acknowledged sample is
there with its value, and nothing is there that was never sent.

Usage: kill_loop.py [--cycles N] [--seed S]. Ends with "N passed, N failed"; one cycle is one test.
"""
import argparse
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import remote_write  # noqa: E402
from support.server import Hinomi, request  # noqa: E402

SERIES = 20
CONFIG = "store: {series: {accept_window: unlimited, retention: 3650d}}\ncollect: {enabled: false}\n"


class Writer(threading.Thread):
    """Sends bodies one after the other; remembers what was sent and what was acknowledged."""

    def __init__(self, port, name, first_ts, rng):
        super().__init__()
        self.port, self.label, self.ts, self.rng = port, name, first_ts, rng
        self.sent, self.acked, self.stop = {}, {}, False

    def run(self):
        while not self.stop:
            self.ts += 1000
            values = [(i, float(self.rng.randrange(10**9)) / self.rng.choice([1, 10, 1000])) for i in range(SERIES)]
            rows = [({"__name__": "kill_test", "writer": self.label, "i": str(i)}, [(v, self.ts)]) for i, v in values]
            keys = {(self.label, str(i), self.ts): v for i, v in values}
            self.sent.update(keys)
            try:
                r = request(self.port, "POST", "/api/v1/write", remote_write.body(rows), remote_write.HEADERS, timeout=10)
            except OSError:
                return
            if r.status // 100 == 2:
                self.acked.update(keys)
            else:
                raise AssertionError(f"{r.status} {r.text}")


def read_all(server, first_ts, last_ts):
    """Every stored sample of the test's series, through the API, as {(writer, i, ts): value}."""
    got = {}
    at = first_ts
    while at <= last_ts:
        end = min(at + 3600_000 - 1, last_ts)
        seconds = (end - at + 1000) // 1000 + 1
        for row in server.query(f"kill_test[{seconds}s]", time=f"{end / 1000:.3f}"):
            for t, v in row["values"]:
                ts = round(t * 1000)
                if at <= ts <= end:
                    got[(row["metric"]["writer"], row["metric"]["i"], ts)] = float(v)
        at = end + 1
    return got


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"seed {options.seed}")
    data = pathlib.Path(tempfile.mkdtemp(prefix="hinomi-kill-"))
    sent, acked = {}, {}
    first_ts = 1_700_000_000_000
    ts = {"a": first_ts, "b": first_ts}
    passed = failed = 0
    server = None
    try:
        for cycle in range(options.cycles):
            server = Hinomi(CONFIG, data=data)
            # Look back over the last cycles each time, over everything now and then (that takes long).
            whole = cycle % 250 == 249 or cycle == options.cycles - 1
            since = first_ts if whole else max(first_ts, min(ts.values()) - 120_000)
            got = read_all(server, since, max(ts.values()) + 1000)
            lost = [k for k, v in acked.items() if k[2] >= since and got.get(k) != v]
            invented = [k for k, v in got.items() if sent.get(k) != v]
            if lost or invented:
                failed += 1
                print(f"FAILED cycle {cycle}: {len(lost)} lost {lost[:3]}, {len(invented)} invented {invented[:3]}")
            else:
                passed += 1
            if cycle and cycle % 100 == 0:
                print(f"cycle {cycle}: {len(acked)} samples acknowledged so far", flush=True)
            writers = [Writer(server.port, name, ts[name], random.Random(rng.random())) for name in ("a", "b")]
            for w in writers:
                w.start()
            time.sleep(rng.uniform(0.0, 0.6))
            server.kill9()
            for w in writers:
                w.stop = True
                w.join()
                sent.update(w.sent)
                acked.update(w.acked)
                ts[w.label] = w.ts
        print(f"{len(acked)} acknowledged samples over {options.cycles} kills, {len(sent) - len(acked)} sent without an answer")
    finally:
        if server and server.child.poll() is None:
            server.kill9()
        shutil.rmtree(data, ignore_errors=True)
        data.with_name(data.name + ".yml").unlink(missing_ok=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or len(acked) < options.cycles else 0


if __name__ == "__main__":
    sys.exit(main())
