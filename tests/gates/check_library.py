#!/usr/bin/env python3
"""Checks the built libraries: exported names, soname, link flags, needed libraries, no static destructors.

Usage: check_library.py exports|dynamic HEADER MAP SHARED_LIBRARY
       check_library.py objects STATIC_LIBRARY
"""
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "lib"))
import c_header

SONAME = "libposthaste.so.0"
ADMIN_SONAME = "libposthaste_admin.so.0"
# What the library may need at run time (design section 1, promise 5).
NEEDED = {"libcurl.so.4", "libcrypto.so.3", "libsqlite3.so.0", "libz.so.1", "libzstd.so.1", "libdate-tz.so.3", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6", "libc.so.6",
          "libpthread.so.0", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# The listener needs the library itself, libmicrohttpd and zlib, and none of what the library needs.
ADMIN_NEEDED = {"libposthaste.so.0", "libmicrohttpd.so.12", "libz.so.1"} | {
    name for name in NEEDED if name.startswith(("libstdc", "libgcc", "libm.", "libc.", "libpthread", "ld-"))}
# Tracking links need the library itself, HMAC and zlib.
ENGAGEMENT_SONAME = "libposthaste_engagement.so.0"
ENGAGEMENT_NEEDED = (ADMIN_NEEDED - {"libmicrohttpd.so.12"}) | {"libcrypto.so.3"}
BESIDE = {"admin": (ADMIN_SONAME, ADMIN_NEEDED), "engagement": (ENGAGEMENT_SONAME, ENGAGEMENT_NEEDED)}
# References that mean a destructor at exit or thread end, or the streams' static initialiser. `atexit` itself is
# permitted once: start registers its one handler with it.
EXIT_REFERENCES = {"__cxa_atexit", "__cxa_thread_atexit", "__cxa_thread_atexit_impl", "on_exit", "at_quick_exit"}
STREAM_REFERENCE = "_ZNSt8ios_base4InitC1Ev"


def run(*command):
    return subprocess.run(command, text=True, capture_output=True, check=True).stdout


def map_node(text):
    """Returns (node name, names in order) of the one node of the version script."""
    bare = re.sub(r"#.*", "", text)
    nodes = re.findall(r"(\w+(?:\.\w+)*)\s*\{\s*global:(.*?)local:\s*\*;\s*\};", bare, re.S)
    if len(nodes) != 1:
        raise ValueError(f"{len(nodes)} nodes with `local: *` in the version script, expected 1")
    return nodes[0][0], [name.strip() for name in nodes[0][1].split(";") if name.strip()]


def compare(what, found, expected):
    missing = sorted(set(expected) - set(found))
    extra = sorted(set(found) - set(expected))
    return ([f"{what}: missing {' '.join(missing)}"] if missing else []) + (
        [f"{what}: not in the header: {' '.join(extra)}"] if extra else [])


def check_exports(header_path, map_path, library):
    declared = [function.name for function in c_header.functions(Path(header_path).read_text())]
    node, mapped = map_node(Path(map_path).read_text())
    problems = compare("version script", mapped, declared)
    if mapped != sorted(mapped):
        problems.append("version script: names are not sorted")
    exported = []
    for line in run("nm", "-D", "--defined-only", library).splitlines():
        name, kind = line.split()[-1], line.split()[-2]
        if kind == "A" and name.split("@")[0] == node:
            continue
        exported.append(name.split("@")[0])
        if "@" in name and name.split("@")[-1] != node:
            problems.append(f"library: {name} has another version than {node}")
    print(f"{len(exported)} functions exported by {node}")
    return problems + compare("library", exported, declared)


def check_dynamic(_header_path, _map_path, library):
    beside = next((parts for name, parts in BESIDE.items() if name in Path(library).name), None)
    soname, allowed = beside or (SONAME, NEEDED)
    dynamic = run("readelf", "-dW", library)
    segments = run("readelf", "-lW", library)
    sections = run("readelf", "-SW", library)
    problems = []
    if f"soname: [{soname}]" not in dynamic:
        problems.append(f"the soname is not {soname}")
    flags = " ".join(re.findall(r"FLAGS_1\).*", dynamic))
    if "NODELETE" not in flags:
        problems.append("not linked with -z nodelete")
    if "NOOPEN" in flags:
        problems.append("linked with -z nodlopen, which ctypes and LuaJIT cannot load")
    # In the build folder what stands beside the library finds the library by a path, which installing takes out.
    for tag in ("TEXTREL", "RPATH") if beside else ("TEXTREL", "RUNPATH", "RPATH"):
        if f"({tag})" in dynamic:
            problems.append(f"has {tag}")
    stack = re.search(r"GNU_STACK.*", segments)
    if not stack or "E" in stack.group(0).split()[-2]:
        problems.append("the stack is executable")
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    problems += [f"needs {name}" for name in sorted(needed - allowed)]
    if not beside and "libcurl.so.4" not in needed:
        problems.append("does not need libcurl.so.4: another TLS flavour was linked")
    # One pointer: the compiler's own crtbegin. A second one would be a destructor of ours.
    fini = re.search(r"\.fini_array\s+FINI_ARRAY\s+\w+ \w+ (\w+)", sections)
    if fini and int(fini.group(1), 16) > 8:
        problems.append("more than one entry in .fini_array")
    print("needs " + " ".join(sorted(needed)))
    return problems


def check_objects(archive):
    problems = []
    atexit_users = []
    symbols = run("nm", "-A", archive).splitlines()
    for line in symbols:
        member, name = line.split(":")[1], line.split()[-1]
        if f" U {name}" not in line and f" w {name}" not in line:
            continue
        if name in EXIT_REFERENCES:
            problems.append(f"{member}: {name}: a static or thread-local object with a destructor")
        elif name == STREAM_REFERENCE:
            problems.append(f"{member}: includes <iostream>")
        elif name == "atexit":
            atexit_users.append(member)
    if len(atexit_users) > 1:
        problems.append(f"atexit is called by more than one object: {' '.join(atexit_users)}")
    print(f"{len(symbols)} symbols read")
    return problems if symbols else ["the archive has no symbols"]


def main():
    checks = {"exports": check_exports, "dynamic": check_dynamic, "objects": check_objects}
    problems = checks[sys.argv[1]](*sys.argv[2:])
    print("\n".join(problems) or f"{sys.argv[1]}: nothing to complain about")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
