#!/usr/bin/env python3
"""hinomi-agent: enrolled by one command, forwards its host; nothing lost or doubled while either side is away."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support import cases  # noqa: E402
from support.server import AGENT_BIN, Hinomi, Process, free_port, wait_until  # noqa: E402

QUIET = "collect: {enabled: false}\n"


class Agent(Process):
    def __init__(self, data):
        super().__init__([AGENT_BIN, "run", "--data", data])


def enroll(h, data, name):
    token = h.post("/api/hinomi/agents/enroll-token", {}).json()["token"]
    p = subprocess.run([AGENT_BIN, "enroll", "--server", f"http://127.0.0.1:{h.port}", "--token", token, "--data", data, "--name", name],
                       capture_output=True, text=True, timeout=30)
    return token, p


def timestamps(h, agent):
    rows = h.query(f'node_load1{{instance="{agent}"}}[1h]')
    assert len(rows) <= 1, rows
    return [v[0] for v in rows[0]["values"]] if rows else []


def test_enroll_run_and_see_the_host():
    data = tempfile.mkdtemp(prefix="hinomi-agent-")
    try:
        with Hinomi(QUIET) as h:
            token, p = enroll(h, data, "web-1")
            assert p.returncode == 0, p.stderr
            mode = max(f.stat().st_mode & 0o077 for f in pathlib.Path(data).rglob("*.json"))
            assert mode == 0, "the credential is for its owner only"
            agent = Agent(data)
            try:
                wait_until(lambda: len(timestamps(h, "web-1")) >= 3, 30, "the agent's series")
                listed = h.get("/api/hinomi/agents").text
                assert "web-1" in listed and token not in listed, listed
                assert "web-1" in h.get("/api/hinomi/inventory").text
                p = subprocess.run([AGENT_BIN, "enroll", "--server", f"http://127.0.0.1:{h.port}", "--token", token, "--data", data + "2",
                                    "--name", "web-2"], capture_output=True, text=True, timeout=30)
                assert p.returncode != 0, "a token enrolls once"
                assert agent.rss_bytes() < 40 << 20, agent.rss_bytes()
            finally:
                agent.stop()
    finally:
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(data + "2", ignore_errors=True)


def test_nothing_lost_or_doubled_while_either_side_is_away():
    data, server_data = tempfile.mkdtemp(prefix="hinomi-agent-"), tempfile.mkdtemp(prefix="hinomi-test-")
    port = free_port()
    h = Hinomi(QUIET, data=server_data, port=port)
    agent = None
    try:
        _, p = enroll(h, data, "web-1")
        assert p.returncode == 0, p.stderr
        agent = Agent(data)
        wait_until(lambda: len(timestamps(h, "web-1")) >= 3, 30, "the agent's series")
        h.kill9()
        away = time.time()
        time.sleep(4)
        agent.kill9()
        agent = Agent(data)
        time.sleep(2)
        h = Hinomi(QUIET, data=server_data, port=port)
        back = time.time()
        wait_until(lambda: timestamps(h, "web-1") and timestamps(h, "web-1")[-1] > back + 1, 40, "it catches up")
        ts = timestamps(h, "web-1")
        assert ts == sorted(set(ts)), "no doubles"
        kept = [t for t in ts if away + 0.5 < t < back - 0.5]
        assert len(kept) >= 4, f"samples of the time away: {kept}"
        gaps = [round(b - a, 1) for a, b in zip(ts, ts[1:])]
        assert sum(1 for g in gaps if g > 2.5) <= 1, f"one gap at most, where the agent itself was dead: {gaps}"
    finally:
        if agent and agent.child.poll() is None:
            agent.stop()
        if h.child.poll() is None:
            h.stop()
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(server_data, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(cases.main())
