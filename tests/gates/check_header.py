#!/usr/bin/env python3
"""Checks the public header, without the library: standards, macros, pinned constants, comments.

Usage: check_header.py standards|macros|constants|comments HEADER COMPILER [CONSTANTS_FILE]
"""
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))
import c_header

STANDARDS = {
    "c": ["c90", "c99", "c11", "c17"],
    "c++": ["c++98", "c++11", "c++14", "c++17", "c++20"],
}
STRICT = ["-pedantic", "-Wall", "-Wextra", "-Wundef", "-Werror", "-fsyntax-only"]
# Of each public header by its name: the guard, and what posthaste.h makes, which the others include.
ALLOWED_MACROS = {"posthaste.h": {"POSTHASTE_H", "POSTHASTE_API"},
                  "admin.h": {"POSTHASTE_ADMIN_H", "POSTHASTE_H", "POSTHASTE_API"},
                  "engagement.h": {"POSTHASTE_ENGAGEMENT_H", "POSTHASTE_H", "POSTHASTE_API"}}
# The folder of the public headers.
INCLUDE = Path(__file__).resolve().parents[2] / "include"


def compile_text(compiler, language, options, text):
    command = [compiler, "-x", language, f"-I{INCLUDE}", *options, "-"]
    return subprocess.run(command, input=text, text=True, capture_output=True, check=False)


def check_standards(path, compiler):
    problems = []
    use = f'#include "{path}"\n#include "{path}"\nint main(void) {{ return posthaste_wants(0, 0); }}\n'
    for language, standards in STANDARDS.items():
        for standard in standards:
            result = compile_text(compiler, language, [f"-std={standard}", *STRICT], use)
            if result.returncode:
                problems.append(f"{compiler} -std={standard}:\n{result.stderr}")
    return problems


def macros_of(compiler, text):
    result = compile_text(compiler, "c", ["-std=c99", "-dM", "-E"], text)
    if result.returncode:
        raise RuntimeError(result.stderr)
    return {line.split(" ", 2)[1].split("(")[0] for line in result.stdout.splitlines()}


def check_macros(path, compiler):
    allowed = ALLOWED_MACROS[Path(path).name]
    includes = "#include <stddef.h>\n#include <stdint.h>\n"
    added = macros_of(compiler, f'{includes}#include "{path}"\n') - macros_of(compiler, includes)
    return [f"macro {name} is defined" for name in sorted(added - allowed)] + [
        f"macro {name} is missing" for name in sorted(allowed - added)]


def read_pinned(path):
    lines = (line.strip() for line in Path(path).read_text().splitlines())
    pairs = (line.split("=") for line in lines if line and not line.startswith("#"))
    return {name: int(value) for name, value in pairs}


def check_constants(path, compiler, pinned_path):
    found = c_header.constants(Path(path).read_text())
    pinned = read_pinned(pinned_path)
    problems = [f"{name} is not pinned" for name in found if name not in pinned]
    problems += [f"{name} is gone" for name in pinned if name not in found]
    # The compiler judges the values, so that a reading error of ours cannot hide a changed one.
    asserts = "".join(f"typedef char pinned_{name}[{name} == {value} ? 1 : -1];\n"
                      for name, value in pinned.items() if name in found)
    result = compile_text(compiler, "c", ["-std=c99", "-fsyntax-only"], f'#include "{path}"\n{asserts}')
    if result.returncode:
        problems.append(result.stderr)
    return problems


def check_comments(path, _compiler):
    functions = c_header.functions(Path(path).read_text())
    problems = [f"{f.name} has no comment" for f in functions if not f.comment]
    problems += [f"{f.name}: the comment is no sentence" for f in functions if f.comment and "." not in f.comment]
    text = Path(path).read_text()
    problems += [f"line {number}: a // comment" for number, line in enumerate(text.splitlines(), 1)
                 if line.lstrip().startswith("//")]
    return problems


def prove_checks(compiler):
    """Each check must complain about a header that is wrong in its way; else it proves nothing."""
    good = "#ifndef POSTHASTE_H\n#define POSTHASTE_H\n#define POSTHASTE_API\nenum { POSTHASTE_A = 1 };\n" \
           "/* Does it. */\nPOSTHASTE_API int posthaste_wants(const void *ph, const char *type);\n#endif\n"
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "posthaste.h")
        pinned = str(Path(folder) / "constants.txt")
        Path(pinned).write_text("POSTHASTE_A=1\n")
        checks = {
            "standards": (lambda: check_standards(path, compiler), ("= 1 }", "= 1, }")),
            "macros": (lambda: check_macros(path, compiler), ("enum", "#define EXTRA 1\nenum")),
            "constants": (lambda: check_constants(path, compiler, pinned), ("= 1", "= 2")),
            "comments": (lambda: check_comments(path, compiler), ("/* Does it. */", "")),
        }
        for name, (check, (old, new)) in checks.items():
            Path(path).write_text(good)
            if check():
                return [f"{name} complains about a good header: {check()}"]
            Path(path).write_text(good.replace(old, new))
            if not check():
                return [f"{name} does not see the fault it is for"]
    return []


def main():
    what, path, compiler, *rest = sys.argv[1:]
    checks = {"standards": check_standards, "macros": check_macros, "constants": check_constants,
              "comments": check_comments}
    problems = prove_checks(compiler) or checks[what](path, compiler, *rest)
    print("\n".join(problems) or f"{what}: nothing to complain about")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
