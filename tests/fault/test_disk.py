#!/usr/bin/env python3
"""Disks that fill up, files whose bytes change, folders that cannot be written. Needs root for a small tmpfs; without
it, the parts that need one are skipped, counted."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases, remote_write  # noqa: E402
from support.server import BIN, Hinomi, Process, free_port, wait_until  # noqa: E402

OPEN = "store: {series: {accept_window: unlimited, retention: 3650d}}\ncollect: {enabled: false}\n"


class SmallDisk:
    def __init__(self, megabytes):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="hinomi-disk-"))
        p = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.path], capture_output=True, text=True)
        if p.returncode:
            self.path.rmdir()
            raise cases.Skip(f"cannot mount a small tmpfs: {p.stderr.strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        subprocess.run(["umount", self.path], check=True)
        self.path.rmdir()


def write(h, name, start_ts, n=2000):
    rng = random.Random(start_ts)
    rows = [({"__name__": name, "i": str(i)}, [(rng.random(), start_ts)]) for i in range(n)]
    return h.post("/api/v1/write", remote_write.body(rows), remote_write.HEADERS)


def test_a_full_disk_refuses_writes_loses_nothing_and_recovers():
    with SmallDisk(160) as disk:
        h = Hinomi(OPEN, data=disk.path / "data")
        try:
            acked, ts = [], 1_700_000_000_000
            assert write(h, "fill", ts).status // 100 == 2
            acked.append(ts)
            ballast = disk.path / "ballast"
            with open(ballast, "wb") as f:
                try:
                    while True:
                        f.write(b"x" * 65536)
                        f.flush()
                except OSError:
                    pass
            refused = None
            for _ in range(3000):
                ts += 1000
                r = write(h, "fill", ts)
                if r.status // 100 == 2:
                    acked.append(ts)
                else:
                    refused = r
                    break
            assert refused is not None, "the disk never filled"
            assert refused.status == 503 and refused.headers.get("retry-after"), (refused.status, refused.text)
            assert h.get("/-/healthy").status == 200
            assert h.scalar("count(fill)", time=acked[-1] / 1000) == 2000, "reads go on"
            ballast.unlink()
            wait_until(lambda: write(h, "after", 1_700_100_000_000).status // 100 == 2, 15, "writes go on after space came back")
            h.kill9()
            h = Hinomi(OPEN, data=disk.path / "data")
            for t in (acked[0], acked[-1]):
                assert h.scalar("count(fill)", time=t / 1000) == 2000, "nothing acknowledged was lost"
            assert h.scalar("count(after)", time=1_700_100_000) == 2000
        finally:
            if h.child.poll() is None:
                h.stop()


def test_corrupt_files_are_set_aside_and_told():
    data = pathlib.Path(tempfile.mkdtemp(prefix="hinomi-test-"))
    rng = random.Random(3)
    try:
        h = Hinomi(OPEN, data=data)
        for k in range(30):
            assert write(h, "c", 1_700_000_000_000 + k * 15_000, 200).status // 100 == 2
        h.stop()
        clean = subprocess.run([BIN, "verify", "--data", data], capture_output=True, text=True, timeout=60)
        assert clean.returncode == 0, clean.stdout + clean.stderr
        files = [p for p in (data / "series").rglob("*") if p.is_file() and p.stat().st_size > 64]
        assert files
        biggest = max(files, key=lambda p: p.stat().st_size)
        raw = bytearray(biggest.read_bytes())
        used = len(bytes(raw).rstrip(b"\0"))
        raw[rng.randrange(used // 4, used)] ^= 0x10
        biggest.write_bytes(raw)
        told = subprocess.run([BIN, "verify", "--data", data], capture_output=True, text=True, timeout=60)
        assert told.returncode != 0 and biggest.name in told.stdout + told.stderr, told.stdout + told.stderr
        h = Hinomi(OPEN, data=data)
        try:
            assert h.get("/-/healthy").status == 200
            def answers():
                # A query that meets the wrong bytes says so; then the block is set aside and the rest is served.
                r = h.get("/api/v1/query", query="count(c)", time=1_700_000_000)
                assert r.status == 200 or "not what was written" in r.text, r.text
                return r.status == 200
            wait_until(answers, 15, "the block is set aside")
            for k in range(30):
                r = h.get("/api/v1/query", query="count(c)", time=(1_700_000_000_000 + k * 15_000) / 1000)
                assert r.status == 200, r.text
                rows = r.json()["data"]["result"]
                assert not rows or float(rows[0]["value"][1]) == 200, rows  # right, or absent: never wrong
            assert write(h, "new", int(time.time() * 1000)).status // 100 == 2
        finally:
            h.stop()
        kept = list((data / "series").rglob("quarantine/*"))
        assert kept or biggest.exists(), "quarantine instead of deletion"
    finally:
        shutil.rmtree(data, ignore_errors=True)


def test_a_read_only_folder_is_refused_with_a_reason():
    with SmallDisk(16) as disk:
        (disk.path / "data").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", disk.path], check=True)
        p = Process([BIN, "serve", "--data", disk.path / "data", "--listen", f"127.0.0.1:{free_port()}"])
        p.child.wait(30)
        assert p.child.returncode != 0 and "read-only" in p.output().lower(), p.output()


def test_terminated_while_writing_starts_clean():
    """SIGTERM in the middle of load: a clean stop, everything acknowledged is there."""
    data = pathlib.Path(tempfile.mkdtemp(prefix="hinomi-test-"))
    try:
        h = Hinomi(OPEN, data=data)
        for k in range(20):
            assert write(h, "t", 1_700_000_000_000 + k * 1000).status // 100 == 2
        assert h.stop() == 0
        h = Hinomi(OPEN, data=data)
        try:
            for k in (0, 19):
                assert h.scalar("count(t)", time=1_700_000_000 + k) == 2000
        finally:
            h.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(cases.main())
