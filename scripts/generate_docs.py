#!/usr/bin/env python3
"""Writes docs/configuration.md from the library's property table, which it asks for by posthaste_conf_describe.

Usage: generate_docs.py SHARED_LIBRARY           rewrites docs/configuration.md
       generate_docs.py SHARED_LIBRARY --check   only compares, exit status 1 when it is stale
"""
import ctypes
import difflib
import json
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """\
# Configuration

Every key is text: `posthaste_conf_set(conf, "batch.max_age", "30s", error)`. Units are written in the value, such as
`500ms`, `30s`, `4h`, `64KiB`, `16MiB`; switches are `on` or `off`. Keys of scope *webhook* are defaults in the engine's
configuration and can be set for each webhook with `posthaste_webhook_set`. A key *may change* at `new` (fixed by
`posthaste_new`), at `start` (until `posthaste_start`) or `live` (with `posthaste_set`, any time).

This page is generated from the library's property table by `scripts/generate_docs.py`; a test compares it.
"""
COLUMNS = ("key", "scope", "default", "range", "unit", "may change", "what it does")


def describe(library_path):
    """Returns the property table of the library, a list of objects."""
    library = ctypes.CDLL(library_path)
    library.posthaste_text_data.restype = ctypes.c_void_p
    library.posthaste_text_data.argtypes = [ctypes.c_void_p]
    library.posthaste_text_size.restype = ctypes.c_size_t
    library.posthaste_text_size.argtypes = [ctypes.c_void_p]
    library.posthaste_text_free.argtypes = [ctypes.c_void_p]
    library.posthaste_conf_describe.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p]
    text = ctypes.c_void_p()
    code = library.posthaste_conf_describe(None, ctypes.byref(text), None)
    if code != 0:
        raise SystemExit(f"posthaste_conf_describe answered {code}")
    data = ctypes.string_at(library.posthaste_text_data(text), library.posthaste_text_size(text))
    library.posthaste_text_free(text)
    return json.loads(data)


def row(entry):
    default = f"`{entry['default']}`" if entry["default"] else "none"
    text = entry["help"] + (" Secret: listings show `****`, which keeps it when it is sent back." if entry["secret"] else "")
    cells = (f"`{entry['key']}`", entry["scope"], default,
             entry["range"] or "any", entry["unit"], entry["change"], text)
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def page(entries):
    """The whole page; groups are the keys' first words, in the table's order."""
    groups = {}
    for entry in entries:
        groups.setdefault(entry["key"].split(".")[0], []).append(entry)
    parts = [HEAD]
    for name, members in groups.items():
        parts.append(f"\n## {name}\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n")
        parts += [row(entry) + "\n" for entry in members]
    return "".join(parts)


def main():
    text = page(describe(str(Path(sys.argv[1]).resolve())))
    if sys.argv[2:] != ["--check"]:
        PAGE.write_text(text)
        print(f"wrote {PAGE}")
        return 0
    found = PAGE.read_text() if PAGE.exists() else ""
    if found == text:
        print("docs/configuration.md is what the property table says")
        return 0
    sys.stdout.writelines(difflib.unified_diff(found.splitlines(True), text.splitlines(True), "tree", "property table"))
    print("docs/configuration.md is stale: run scripts/generate_docs.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
