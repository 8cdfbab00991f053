#!/usr/bin/env python3
"""Writes the pages that are made from the code: docs/configuration.md from the library's property table, by `posthaste
config --markdown`; docs/command.md from the command's definitions, by posthaste_manual, which stands beside it.

Usage: generate_docs.py BUILD_DIR           rewrites both
       generate_docs.py BUILD_DIR --check   only compares, exit status 1 when one is stale
"""
import difflib
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def output(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def main():
    programs = Path(sys.argv[1]) / "src" / "cli"
    pages = {DOCS / "configuration.md": output(programs / "posthaste", "config", "--markdown"),
             DOCS / "command.md": output(programs / "posthaste_manual", "markdown")}
    is_stale = False
    for page, text in pages.items():
        if sys.argv[2:] != ["--check"]:
            page.write_text(text)
            print(f"wrote {page}")
            continue
        found = page.read_text() if page.exists() else ""
        if found != text:
            is_stale = True
            sys.stdout.writelines(difflib.unified_diff(found.splitlines(True), text.splitlines(True), "tree", "code"))
            print(f"docs/{page.name} is stale: run scripts/generate_docs.py {sys.argv[1]}")
        else:
            print(f"docs/{page.name} is what the code says")
    return 1 if is_stale else 0


if __name__ == "__main__":
    sys.exit(main())
