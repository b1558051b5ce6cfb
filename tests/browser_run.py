#!/usr/bin/env python3
"""Starts the real server on a free port and drives it with the browser tests of tests/browser (Playwright in
Debian's Chromium). Screenshots go to build/screenshots, or to docs/images with HINOMI_SCREENSHOTS=1."""
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))
from support.server import Hinomi, wait_until  # noqa: E402


def main():
    if not os.path.exists("/usr/bin/chromium"):
        print("SKIPPED: browser: Debian's chromium is not installed\n0 passed, 0 failed, 1 skipped")
        return 0
    with Hinomi() as h:
        wait_until(lambda: h.scalar("count(node_cpu_seconds_total)"), 15, "the first samples")
        runner = next(p for p in ("run.mjs", "run.js", "main.mjs") if (TOP / "tests/browser" / p).exists())
        return subprocess.call(["node", str(TOP / "tests/browser" / runner)], cwd=TOP, env={**os.environ, "HINOMI_URL": f"http://127.0.0.1:{h.port}"})


if __name__ == "__main__":
    sys.exit(main())
