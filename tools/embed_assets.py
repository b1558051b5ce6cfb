#!/usr/bin/env python3
"""embed_assets.py FOLDER OUT.c: the files of the built screen as one C file (src/api/assets.h says what it defines).
The same files give the same bytes. A missing folder gives an empty list."""
import gzip
import hashlib
import mimetypes
import pathlib
import re
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json", ".woff2": "font/woff2", ".woff": "font/woff",
         ".png": "image/png", ".ico": "image/x-icon", ".txt": "text/plain; charset=utf-8", ".webmanifest": "application/manifest+json"}
HASHED = re.compile(r"-[A-Za-z0-9_-]{8}\.[a-z0-9]+$")  # as Vite names what it may cache for ever


def literal(data):
    """Bytes as C string literals, three-digit octal where a character is not plain."""
    plain = {c: chr(c) for c in range(32, 127)}
    plain.update({ord('"'): '\\"', ord("\\"): "\\\\", ord("?"): "\\077"})
    parts, text = [plain.get(b) or f"\\{b:03o}" for b in data], []
    for i in range(0, len(parts), 4000):
        text.append('"' + "".join(parts[i:i + 4000]) + '"')
    return "\n".join(text) or '""'


def main():
    folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    files = sorted((p for p in folder.rglob("*") if p.is_file()), key=lambda p: ("/" + p.relative_to(folder).as_posix()).encode()) \
        if folder.is_dir() else []
    files = [p for p in files if p.suffix != ".map"]
    c = ['/* Made by tools/embed_assets.py from the built screen. */', '#include "api/assets.h"', '#include "app/server/web.h"', ""]
    rows = []
    for i, path in enumerate(files):
        name, data = "/" + path.relative_to(folder).as_posix(), path.read_bytes()
        packed = gzip.compress(data, 9, mtime=0)
        keep = len(packed) < len(data) * 0.95
        kind = TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        c.append(f"static const char bytes_{i}[] =\n{literal(data)};")
        if keep:
            c.append(f"static const char gzip_{i}[] =\n{literal(packed)};")
        tag = hashlib.sha256(data).hexdigest()[:16]
        rows.append(f'    {{"{name}", "{kind}", "\\"{tag}\\"", {"true" if HASHED.search(name) else "false"}, {{bytes_{i}, {len(data)}}}, '
                    + (f"{{gzip_{i}, {len(packed)}}}}}," if keep else "{NULL, 0}},"))
    c.append("")
    c.append("const struct asset assets_web[] = {")
    c += rows or ['    {"", "", "", false, {NULL, 0}, {NULL, 0}},']
    c += ["};", f"const size_t assets_web_n = {len(files)};", ""]
    text = "\n".join(c)
    if not out.exists() or out.read_text() != text:
        out.write_text(text)


if __name__ == "__main__":
    main()
