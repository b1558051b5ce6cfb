#!/usr/bin/env python3
"""Every test of hinomi, in stages: lint, unit, fuzz, web, e2e, fault, browser. With arguments, only the named ones.

Each stage prints its failures and a count; the last line is "N passed, N failed" (", N skipped"). What is
skipped is named. Set-up (packages, node, builds) is done by ./dev before and by the stages themselves.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
FUZZ_SECONDS = 3


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def line(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def shell(script, **kwargs):
    """Runs with the functions of tools/dev/setup.sh at hand."""
    return subprocess.run(["bash", "-c", f"set -euo pipefail; TOP={TOP}; . tools/dev/setup.sh; {script}"], cwd=TOP, **kwargs)


def must(script):
    if shell(script).returncode != 0:
        print(f"cannot go on: {script}")
        raise RuntimeError(script)


def run(command, timeout=900, env=None, cwd=TOP):
    try:
        p = subprocess.run(command, cwd=cwd, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)
        return p.returncode, p.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b"").decode("utf-8", "replace") + f"\ntimed out after {timeout} s"


def tail(text, lines=60):
    return "\n".join(text.rstrip().split("\n")[-lines:])


# Stages

def stage_lint():
    count = Count()
    checks = [["python3", "tools/layers.py"]]
    sources = subprocess.run(["git", "ls-files", "src/*.c", "src/*.h"], cwd=TOP, capture_output=True, text=True).stdout.split()
    if sources:
        checks.append(["clang-format-14", "--dry-run", "-Werror", *sources])
    checks.append(["python3", "tools/words.py"])
    for command in checks:
        rc, out = run(command)
        if rc:
            count.failed += 1
            print(f"FAILED {' '.join(command[:2])}\n{tail(out, 40)}")
        else:
            count.passed += 1
    return count


def count_cmocka(out):
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", out))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (?:\S+ )?(\d+) test", out))
    skipped = sum(int(n) for n in re.findall(r"\[  SKIPPED \] (\d+) test", out))
    return passed, failed, skipped


SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


def second_try(name, first_output, rc):
    """Real processes on a busy machine can miss a deadline: what fails gets one more try, and both are told."""
    print(f"  SECOND TRY: {name} failed once and then {'failed again' if rc else 'passed'}; the first time:\n{tail(first_output, 30)}", flush=True)


def stage_unit():
    must("build dev")
    programs = sorted((TOP / "build/dev/test").glob("*_test"))
    count = Count()

    def one(program):
        started = time.monotonic()
        rc, out = run([str(program)], timeout=600, env=SANITIZER_ENV)
        return program.name, rc, out, time.monotonic() - started

    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for name, rc, out, seconds in pool.map(one, programs):
            if rc and "Sanitizer" not in out and "runtime error" not in out:
                first, (name, rc, out, seconds) = out, one(next(p for p in programs if p.name == name))
                second_try(name, first, rc)
            passed, failed, skipped = count_cmocka(out)
            skipped += len(re.findall(r"^SKIPPED: ", out, re.M))
            if rc and not failed:
                failed = 1  # a crash or a leak
            count.add(Count(passed, failed, skipped))
            for line in re.findall(r"^SKIPPED: .*$", out, re.M):
                print(f"  {name}: {line}")
            if rc:
                print(f"FAILED {name} (exit {rc})\n{tail(out)}")
            if seconds > 60:
                print(f"  {name} took {seconds:.0f} s")
    if not programs:
        print("FAILED: no unit test was built")
        count.failed += 1
    return count


def stage_fuzz():
    rc, out = run(["python3", "tests/fuzz.py", str(FUZZ_SECONDS)], timeout=1500)
    m = re.search(r"(\d+) passed, (\d+) failed\s*$", out)
    if not m:
        print(tail(out))
        return Count(0, 1)
    if rc:
        print(tail(out, 80))
    return Count(int(m.group(1)), int(m.group(2)))


def stage_web():
    must("web_modules; cd web; node node_modules/typescript/bin/tsc --noEmit")
    rc, out = run(["bash", "-c", f"TOP={TOP}; . tools/dev/setup.sh; node_path; cd web && node node_modules/vitest/vitest.mjs run"])
    m = re.search(r"Tests\s+(?:(\d+) failed \| )?(\d+) passed", re.sub(r"\x1b\[[0-9;]*m", "", out))
    if rc or not m:
        print(tail(out))
        return Count(int(m.group(2)) if m else 0, max(1, int(m.group(1) or 0) if m else 1))
    return Count(int(m.group(2)))


def python_tests(folder):
    """Runs each test_*.py of a folder as a program of its own; each ends with "N passed, N failed"."""
    count = Count()
    for path in sorted((TOP / folder).glob("test_*.py")):
        started = time.monotonic()
        rc, out = run(["python3", str(path)], timeout=900)
        if rc:
            first, (rc, out) = out, run(["python3", str(path)], timeout=900)
            second_try(path.name, first, rc)
        m = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", out, re.M)
        c = Count(int(m[-1][0]), int(m[-1][1]), int(m[-1][2] or 0)) if m else Count(0, 1)
        if rc and not c.failed:
            c.failed = 1
        count.add(c)
        for line in re.findall(r"^SKIPPED: .*$", out, re.M):
            print(f"  {path.name}: {line}")
        if rc or c.failed:
            print(f"FAILED {path.relative_to(TOP)}\n{tail(out)}")
        else:
            print(f"  {path.name}: {c.line()} in {time.monotonic() - started:.0f} s")
    return count


def stage_e2e():
    must("web_build; build release")
    return python_tests("tests/e2e")


def stage_fault():
    must("web_build; build release")
    return python_tests("tests/fault")


def stage_browser():
    must("web_modules; web_build; build release")
    command = ["bash", "-c", f"TOP={TOP}; . tools/dev/setup.sh; node_path; exec python3 tests/browser_run.py"]
    rc, out = run(command, timeout=1200)
    if rc:
        first, (rc, out) = "\n".join(re.findall(r"^FAIL.*(?:\n      .*)*", out, re.M)) or out, run(command, timeout=1200)
        second_try("browser", first, rc)
    m = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", out, re.M)
    c = Count(int(m[-1][0]), int(m[-1][1]), int(m[-1][2] or 0)) if m else Count(0, 1)
    if rc or c.failed:
        print(tail(out, 80))
        if not c.failed:
            c.failed = 1
    return c


STAGES = {
    "lint": stage_lint,
    "unit": stage_unit,
    "fuzz": stage_fuzz,
    "web": stage_web,
    "e2e": stage_e2e,
    "fault": stage_fault,
    "browser": stage_browser,
}


def main():
    names = sys.argv[1:] or list(STAGES)
    total = Count()
    for name in names:
        if name not in STAGES:
            print(f"no stage {name}; the stages are {' '.join(STAGES)}")
            return 2
        print(f"== {name}", flush=True)
        started = time.monotonic()
        try:
            count = STAGES[name]()
        except RuntimeError:
            count = Count(0, 1)
        total.add(count)
        print(f"== {name}: {count.line()} in {time.monotonic() - started:.0f} s", flush=True)
    print(total.line())
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
