#!/usr/bin/env python3
"""The kill -9 loop, 50 cycles; `./dev kill` runs 1,000."""
import pathlib
import subprocess
import sys

sys.exit(subprocess.call([sys.executable, str(pathlib.Path(__file__).with_name("kill_loop.py")), "--cycles", "50"]))
