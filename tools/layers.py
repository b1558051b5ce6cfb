#!/usr/bin/env python3
"""Checks that the house stands: rooms include only rooms above them, feature families never include each
other, every #include of ours is "room/file.h", each third-party header has one home, banned calls are not
used, pure rooms make no system calls. Prints file:line for each finding; exit 1 when there is any."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
SRC = TOP / "src"

# Top to bottom. A room may include itself and what stands before it.
ROOMS = ["base", "os", "model", "codec", "net", "store", "query", "pipe", "inventory", "feature", "api", "app"]
PURE = {"model", "codec", "query"}
# query/ sees data only through model/ interfaces.
ONLY = {"query": {"query", "model", "base"}, "codec": {"codec", "model", "base"}, "model": {"model", "base"},
        "base": {"base"}, "os": {"os", "base"}}
SYSTEM_HOME = {  # third-party header (prefix) -> the room where it is at home
    "xxhash.h": "base", "pcre2.h": "base",
    "libfyaml.h": "codec", "jansson.h": "codec", "zlib.h": "codec", "libdeflate.h": "codec", "snappy-c.h": "codec", "unicode/": "codec",
    "microhttpd.h": "net", "curl/": "net", "ares.h": "net",
    "sqlite3.h": "store/state", "roaring/": "store/series", "sodium.h": "feature/account",
}
BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|strtok|atoi|strtol|sscanf|localtime|gmtime|system|popen|vsprintf|gets)\s*\(")
IMPURE = {"unistd.h", "fcntl.h", "pthread.h", "sys/socket.h", "sys/stat.h", "time.h", "dirent.h", "sys/mman.h"}
PURE_EXCEPT = re.compile(r"_(test|fuzz|bench|testlib)\.[ch]$")
FILE_LINES_MAX = 1000


def strip_comments(text):
    def blank(m):
        s = m.group(0)
        return re.sub(r"[^\n]", " ", s) if s.startswith("/") else s
    return re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.S)


def main():
    findings = []

    def find(path, line, message):
        findings.append(f"{path.relative_to(TOP)}:{line}: {message}")

    for path in sorted(SRC.rglob("*.[ch]")):
        rel = path.relative_to(SRC)
        room = rel.parts[0]
        if room not in ROOMS:
            find(path, 1, f"folder src/{room} is not a room; the rooms are {' '.join(ROOMS)}")
            continue
        raw = path.read_text(encoding="utf-8")
        text = strip_comments(raw)
        testish = bool(PURE_EXCEPT.search(rel.name))
        lines = text.split("\n")
        if len(lines) > FILE_LINES_MAX + 200:
            find(path, len(lines), f"{len(lines)} lines; a file has about {FILE_LINES_MAX}")
        for number, line in enumerate(lines, 1):
            m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
            if m and m.group(1) == '"':
                check_ours(path, rel, room, m.group(2), number, find, testish)
            elif m:
                header = m.group(2)
                for prefix, home in SYSTEM_HOME.items():
                    if header.startswith(prefix) and not str(rel).startswith(home + "/") and not testish:
                        find(path, number, f"<{header}> is at home in {home}/; use that room's header")
                if room in PURE and header in IMPURE and not testish:
                    find(path, number, f"<{header}> in {room}/, which is pure (no system calls, clocks, threads)")
            elif not m:
                bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', line)
                banned = BANNED.search(bare)
                if banned:
                    find(path, number, f"{banned.group(1)}() is banned; see CONTRIBUTING.md for what to use")
    for f in findings:
        print(f)
    files = len(list(SRC.rglob("*.[ch]")))
    print(f"layers: {files} files, {len(findings)} findings")
    return 1 if findings else 0


def check_ours(path, rel, room, include, number, find, testish):
    parts = include.split("/")
    if len(parts) < 2 or parts[0] not in ROOMS:
        find(path, number, f'"{include}": write "room/file.h"')
        return
    if not (SRC / include).exists():
        find(path, number, f'"{include}" does not exist')
        return
    other = parts[0]
    if testish:
        return
    if ROOMS.index(other) > ROOMS.index(room):
        find(path, number, f"{room}/ includes {other}/, which stands below it")
    elif room in ONLY and other not in ONLY[room]:
        find(path, number, f"{room}/ may include only {', '.join(sorted(ONLY[room]))}")
    elif room == "feature" and other == "feature" and parts[1] != rel.parts[1]:
        find(path, number, f"feature/{rel.parts[1]} includes feature/{parts[1]}: families never include each other")
    elif room == "store" and other == "store" and parts[1] != rel.parts[1]:
        find(path, number, f"store/{rel.parts[1]} includes store/{parts[1]}")


if __name__ == "__main__":
    sys.exit(main())
