#!/usr/bin/env python3
"""Compiles and links the C programs in the documents, and looks up the scripts that their shell blocks call.

A ```c block that contains `int main` is a complete program; one that includes a header of Posthaste is a complete file,
which is compiled alone. In a ```sh block every word that begins with scripts/,
.ci/, examples/ or tests/ must exist.

Usage: check_code_blocks.py ROOT SHARED_LIBRARY C_COMPILER
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"^```(c|sh|bash|shell)\n(.*?)^```", re.M | re.S)
TREE_PATH = re.compile(r"(?:^|[\s./])((?:scripts|\.ci|examples|tests)/[\w./-]+)")


def compile_block(compiler, root, library, text):
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program"
        # curl, sockets and the like are the host's matter: POSIX is on, only Posthaste is linked.
        goal = ["-", "-x", "none", library, "-o", str(program)] if "int main" in text else ["-fsyntax-only", "-"]
        command = [compiler, "-x", "c", "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror",
                   f"-I{root}/include", *goal]
        result = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        return result.stderr if result.returncode else None


def main():
    root, library, compiler = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    problems, programs, paths = [], 0, 0
    for document in [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]:
        text = document.read_text()
        for match in BLOCK.finditer(text):
            place = f"{document.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
            if match.group(1) == "c":
                if "int main" in match.group(2) or "#include <posthaste/" in match.group(2):
                    programs += 1
                    error = compile_block(compiler, root, library, match.group(2))
                    problems += [f"{place}: {error}"] if error else []
                continue
            for path in TREE_PATH.findall(match.group(2)):
                paths += 1
                if not (root / path.rstrip(".")).exists():
                    problems.append(f"{place}: {path} does not exist")
    print("\n".join(problems))
    print(f"{programs} C programs and files, {paths} paths, {len(problems)} wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
