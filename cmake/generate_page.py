#!/usr/bin/env python3
"""Embeds the files of the web page as C++ tables, plain and as gzip.

Usage: generate_page.py PAGE_DIR OUTPUT

index.html is served at /, every other file under /assets/.
"""
import gzip
import hashlib
import sys
from pathlib import Path

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
PER_LINE = 24


def array(name, data):
    lines = [",".join(map(str, data[i:i + PER_LINE])) for i in range(0, len(data), PER_LINE)]
    return f"constexpr unsigned char {name}[] = {{\n" + ",\n".join(lines) + "};\n"


def main():
    folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    files = sorted(path for path in folder.rglob("*") if path.suffix in TYPES)
    arrays, rows = [], []
    for number, path in enumerate(files):
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes()
        # Reproducible: no time in the header.
        packed = gzip.compress(data, 9, mtime=0)
        etag = hashlib.sha256(data).hexdigest()[:16]
        served = "/index.html" if name == "index.html" else f"/assets/{name}"
        arrays += [array(f"kFile{number}", data), array(f"kPacked{number}", packed)]
        rows.append(f'    {{"{served}", "{TYPES[path.suffix]}", "\\"{etag}\\"", kFile{number}, '
                    f"sizeof kFile{number}, kPacked{number}, sizeof kPacked{number}}},")
    table = "constexpr PageFile kPageFiles[] = {\n" + "\n".join(rows) + "\n};\n"
    output.write_text("// Made by generate_page.py.\n" + "".join(arrays) + table)


if __name__ == "__main__":
    main()
