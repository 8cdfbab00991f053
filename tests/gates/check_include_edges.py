#!/usr/bin/env python3
"""Fails on an #include in src/ that the dependency table below does not permit.

Usage: check_include_edges.py SRC            judges a source folder
       check_include_edges.py --fixtures DIR judges each folder of DIR, a small source folder with a file `expected`
                                             that holds the complaints it must cause, one a line; empty: none
"""
import re
import sys
from pathlib import Path

# Folder -> folders or single headers it may include, besides itself and core.
EDGES = {
    "core": set(),
    "platform": set(),
    "json": set(),
    "journal": set(),
    "spool": {"journal", "json"},
    "transport": {"json", "platform"},
    "envelope": {"json"},
    "config": {"json"},
    "metrics": {"json"},
    "intake": {"platform"},
    "producer": {"envelope", "journal", "platform"},
    "producer_capi": {"producer", "capi", "config"},
    # What a target and a header may be is asked where a webhook enters; see docs/decisions/0006.
    "engine": {"intake", "envelope", "config", "metrics", "platform", "producer", "transport/transport.h",
               "transport/target.h", "transport/header_rules.h", "transport/signature.h", "transport/body_coding.h",
               "transport/retry_after.h",
               "transport/token_cache.h", "transport/token_request.h", "transport/api_secret.h",
               "spool/api_key_file.h", "spool/store.h", "spool/spool.h"},
    # The REST shape of a webhook is written and read where its keys are.
    "api": {"engine", "json", "config", "metrics/prometheus_text.h", "spool/store.h"},
    # Threads, guards and value texts are linked in; everything else goes through the public headers.
    "admin": {"platform", "config/value_text.h"},
    # JSON, value texts and the catalogue are linked in, likewise.
    "engagement": {"json", "config/secret.h", "config/value_text.h"},
    "capi": {"engine", "api", "config", "platform", "envelope/event_builder.h", "json/writer.h"},
    # The command is a user of the library like others; see docs/decisions/0014.
    "cli": {"json", "config/value_text.h"},
}
# Single files that may do more: the composition root names the implementations.
EXTRA_EDGES = {"engine/assemble.cpp": {"transport/curl_library.h", "transport/curl_transport.h", "spool/memory_store.h", "journal/posix_file_system.h"}}
MAY_USE_PUBLIC_HEADER = {"admin", "capi", "cli", "engagement", "producer_capi"}

# Third-party header prefix -> folders that may name it.
THIRD_PARTY = {
    "CLI/": {"cli"},
    "curl/": {"cli", "transport"},
    "microhttpd.h": {"admin", "cli"},
    "openssl/": {"cli", "engagement", "transport"},
    "rapidjson/": {"json"},
    "sqlite3.h": {"spool"},
    "xxhash.h": {"journal"},
    "zlib.h": {"admin", "cli", "engagement", "transport"},
    "zstd.h": {"cli", "transport"},
    "date/": {"api"},
    "fmt/": set(EDGES) - {"core"},
}
# A DOM would hold a second copy of every event; the reader and the writer are enough.
FORBIDDEN = {"rapidjson/document.h": "DOM of RapidJSON", "iostream": "static initialiser of the streams"}
SYSTEM_PREFIXES = ("sys/", "linux/", "netinet/", "arpa/", "net/", "bits/")
# Headers that are not C++'s own, which core may therefore not use.
C_HEADER = re.compile(r".*\.h$")
# A table made by the build stands in the build folder of the one that includes it.
GENERATED = re.compile(r"[a-z0-9_]+\.inc")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def judge_quoted(path, folder, target):
    if target.startswith("posthaste/"):
        return None if folder in MAY_USE_PUBLIC_HEADER else "the public header is for capi and cli only"
    if GENERATED.fullmatch(target):
        return None
    to_folder = target.split("/")[0]
    if "/" not in target or to_folder not in EDGES:
        return "not of the form folder/file.h with a folder of the table"
    if to_folder in (folder, "core"):
        return None
    allowed = EDGES[folder] | EXTRA_EDGES.get(path, set())
    return None if to_folder in allowed or target in allowed else f"{folder} may not depend on it"


def judge_angled(path, folder, target):
    if target in FORBIDDEN:
        return f"forbidden: {FORBIDDEN[target]}"
    for prefix, folders in THIRD_PARTY.items():
        if target.startswith(prefix):
            if folder not in folders:
                return f"{folder} may not name this library"
            if prefix == "fmt/" and path.endswith(".h"):
                return "fmt may not appear in a header"
            return None
    if folder == "core" and C_HEADER.fullmatch(target):
        return "core uses the C++ standard library only"
    if "/" in target and not target.startswith(SYSTEM_PREFIXES):
        return "a library that the table does not know"
    return None


def complaints(source_dir):
    """Yields one line per include that is not permitted, or per folder that is not in the table."""
    files = sorted(p for p in source_dir.rglob("*") if p.suffix in (".h", ".cpp", ".c", ".inc"))
    for file in files:
        path = file.relative_to(source_dir).as_posix()
        folder = path.split("/")[0]
        if folder not in EDGES:
            yield f"{path}: folder {folder} is not in the table"
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            judge = judge_quoted if match.group(1) == '"' else judge_angled
            problem = judge(path, folder, match.group(2))
            if problem:
                yield f"{path}:{number}: {match.group(2)}: {problem}"


def check_fixtures(fixtures_dir):
    failed = 0
    cases = sorted(p for p in fixtures_dir.iterdir() if p.is_dir())
    for case in cases:
        expected = (case / "expected").read_text().splitlines()
        found = list(complaints(case))
        if found != expected:
            failed += 1
            print(f"fixture {case.name}:\n  expected {expected}\n  found    {found}")
    print(f"{len(cases)} fixtures, {failed} wrong")
    return failed or not cases


def main():
    if sys.argv[1] == "--fixtures":
        return 1 if check_fixtures(Path(sys.argv[2])) else 0
    source_dir = Path(sys.argv[1])
    found = list(complaints(source_dir))
    print("\n".join(found))
    count = sum(1 for _ in source_dir.rglob("*.cpp"))
    print(f"{count} translation units, {len(found)} include lines that the table does not permit")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
