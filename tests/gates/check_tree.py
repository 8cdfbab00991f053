#!/usr/bin/env python3
"""Checks the text of the tree's own files: format, size, unfinished marks, paths of one machine.

Usage: check_tree.py format|text ROOT
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

LINES_MAX = 700
CODE_SUFFIXES = {".c", ".cpp", ".h", ".hpp"}
SIZED_SUFFIXES = CODE_SUFFIXES | {".py", ".sh", ".lua", ".js", ".cmake"}
# Taken as they come from elsewhere.
EXCLUDED = ("third_party/", "tests/gates/fixtures/")
# One file by contract, however large the interface grows.
UNSIZED = ("include/posthaste/posthaste.h",)
# Put together from pieces, so that this file does not find itself.
MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b(?!\(#\d+\))")
MACHINE_PATHS = re.compile("|".join("/" + name for name in
                                    (r"work/(?:main|shared|\.)", r"farm/", r"root/", r"home/\w+/", r"tmp/(?:studio|bash_jobs|ph/)")))


def tracked(root):
    """Files under version control and new ones that are not ignored; everything but build/ in an unpacked archive."""
    if (root / ".git").exists() and shutil.which("git"):
        command = ["git", "-c", f"safe.directory={root}", "-C", str(root), "ls-files", "-z", "--cached", "--others",
                   "--exclude-standard"]
        names = subprocess.run(command, text=True, capture_output=True, check=True).stdout.split("\0")
    else:
        names = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
        names = [name for name in names if not name.startswith("build/")]
    return [root / name for name in sorted(set(names))
            if name and not name.startswith(EXCLUDED) and (root / name).is_file()]


def check_format(files):
    clang_format = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not clang_format:
        return ["clang-format is not installed"]
    sources = [str(path) for path in files if path.suffix in CODE_SUFFIXES]
    result = subprocess.run([clang_format, "--dry-run", "-Werror", *sources], text=True, capture_output=True, check=False)
    print(f"{len(sources)} sources")
    badly = sorted({line.split(":")[0] for line in result.stderr.splitlines() if "error:" in line})
    return [f"clang-format would change {path}" for path in badly] or (
        [result.stderr] if result.returncode else [])


def check_text(files):
    problems = []
    for path in files:
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        is_sized = path.suffix in SIZED_SUFFIXES and not path.as_posix().endswith(UNSIZED)
        if is_sized and len(lines) > LINES_MAX:
            problems.append(f"{path}: {len(lines)} lines, more than {LINES_MAX}")
        for number, line in enumerate(lines, 1):
            if MARKS.search(line):
                problems.append(f"{path}:{number}: an unfinished mark without an issue number")
            if MACHINE_PATHS.search(line):
                problems.append(f"{path}:{number}: a path of one machine")
    print(f"{len(files)} files")
    return problems


def main():
    root = Path(sys.argv[2]).resolve()
    files = tracked(root)
    problems = {"format": check_format, "text": check_text}[sys.argv[1]](files)
    print("\n".join(problems) or f"{sys.argv[1]}: nothing to complain about")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
