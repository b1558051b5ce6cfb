#!/usr/bin/env python3
"""Runs every libFuzzer target for some seconds each: tests/fuzz.py [SECONDS] [TARGET...]. What it finds beyond
the kept corpus stays in build/fuzz-corpus; a crash is written there too and named. Ends with "N passed, N failed"."""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
RSS_MB_MAX = 512
HANG_S_MAX = 5  # under sanitizers; a second in a release build


def corpus_of(name):
    """testdata/<stem>/ or testdata/fuzz_<stem>/ or testdata/ beside the target's source."""
    for source in TOP.glob(f"src/**/{name}.c"):
        stem = name.removesuffix("_fuzz")
        for folder in (f"testdata/{name}", f"testdata/{stem}", f"testdata/fuzz_{stem}", f"testdata/{stem}_corpus", "testdata"):
            if (source.parent / folder).is_dir():
                return source.parent / folder
    return None


def one(program, seconds):
    work = TOP / "build/fuzz-corpus" / program.name
    work.mkdir(parents=True, exist_ok=True)
    command = [str(program), f"-max_total_time={seconds}", f"-rss_limit_mb={RSS_MB_MAX}", f"-timeout={HANG_S_MAX}",
               f"-artifact_prefix={work}/", "-print_final_stats=1", "-verbosity=1", str(work)]
    corpus = corpus_of(program.name)
    if corpus:
        command.append(str(corpus))
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=work)
    out = p.stdout.decode("utf-8", "replace")
    runs = next((line.split()[-1] for line in out.split("\n") if "number_of_executed_units" in line), "0")
    return program.name, p.returncode, runs, out


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    wanted = sys.argv[2:]
    script = f"set -euo pipefail; TOP={TOP}; . tools/dev/setup.sh; build fuzz"
    if subprocess.run(["bash", "-c", script], cwd=TOP).returncode:
        print("the fuzz targets do not build\n0 passed, 1 failed")
        return 1
    programs = [p for p in sorted((TOP / "build/fuzz/fuzz").glob("*_fuzz")) if not wanted or p.name in wanted]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for name, rc, runs, out in pool.map(lambda p: one(p, seconds), programs):
            if rc == 0:
                passed += 1
                print(f"{name}: {runs} executions", flush=True)
            else:
                failed += 1
                print(f"FAILED {name}\n" + "\n".join(out.split("\n")[-50:]), flush=True)
    if not programs:
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
