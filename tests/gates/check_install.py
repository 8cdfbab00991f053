#!/usr/bin/env python3
"""Installs a build into a scratch prefix and builds a C program against it in each documented way.

Usage: check_install.py BUILD_DIR VERSION C_COMPILER
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CONSUMER = Path(__file__).resolve().parent / "consumer"
EXPECTED = ["include/posthaste/posthaste.h", "share/doc/posthaste/LICENSE", "*/libposthaste.so", "*/libposthaste.a",
            "*/libposthaste.so.0", "*/libposthaste_producer.so", "*/libposthaste_producer.so.0", "*/pkgconfig/posthaste-producer.pc",
            "include/posthaste/admin.h", "*/libposthaste_admin.so", "*/libposthaste_admin.so.0", "*/libposthaste_admin.a",
            "include/posthaste/engagement.h", "*/libposthaste_engagement.so", "*/libposthaste_engagement.so.0",
            "*/libposthaste_engagement.a", "*/pkgconfig/posthaste-engagement.pc",
            "*/pkgconfig/posthaste-admin.pc", "*/pkgconfig/posthaste.pc", "*/pkgconfig/posthaste-static.pc",
            "*/cmake/posthaste/posthaste-config.cmake", "bin/posthaste", "share/man/man1/posthaste.1",
            "share/man/man1/posthaste-sink.1", "share/bash-completion/completions/posthaste",
            "lib/systemd/system/posthaste.service", "etc/posthaste/posthaste.conf"]


def run(*command, env=None):
    result = subprocess.run([str(part) for part in command], text=True, capture_output=True, check=False, env=env)
    if result.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


def run_consumer(program, version, environment):
    output = run(program, env=environment).strip()
    if output != version:
        raise RuntimeError(f"{program} printed {output}, expected {version}")


def check_files(prefix):
    for pattern in EXPECTED:
        parent = "lib/" if pattern.startswith("*") else ""
        if not list(prefix.glob(pattern.replace("*/", parent + "**/", 1) if parent else pattern)):
            raise RuntimeError(f"not installed: {pattern}")


def check_cmake(prefix, scratch, version, environment):
    build = scratch / "cmake"
    run("cmake", "-G", "Ninja", "-S", CONSUMER, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", build)
    for program in ("consumer_shared", "consumer_static", "consumer_admin", "consumer_admin_static", "consumer_engagement",
                    "consumer_engagement_static"):
        run_consumer(build / program, version, environment)


def check_pkg_config(prefix, scratch, version, compiler, environment):
    sources = {"posthaste-admin": "admin_consumer.c", "posthaste-engagement": "engagement_consumer.c"}
    for package in ("posthaste", "posthaste-static", "posthaste-admin", "posthaste-engagement"):
        flags = run("pkg-config", "--cflags", "--libs", package, env=environment).split()
        if run("pkg-config", "--modversion", package, env=environment).strip() != version:
            raise RuntimeError(f"{package}.pc states another version")
        program = scratch / package
        run(compiler, "-std=c99", "-Wall", "-Werror", CONSUMER / sources.get(package, "consumer.c"), "-o", program, *flags)
        is_linked = "libposthaste" in run("readelf", "-d", program)
        if is_linked != (package != "posthaste-static"):
            raise RuntimeError(f"{package}: wrong kind of library linked")
        run_consumer(program, version, environment)


def check_command(prefix, version):
    """It finds the library that was installed beside it."""
    environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    if run(prefix / "bin" / "posthaste", "version", env=environment).strip() != f"posthaste {version}":
        raise RuntimeError("the installed command states another version")


def main():
    build, version, compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        prefix = scratch / "prefix"
        run("cmake", "--install", build, "--prefix", prefix)
        check_files(prefix)
        library_dir = next(prefix.glob("lib/**/libposthaste.so")).parent
        environment = dict(os.environ, LD_LIBRARY_PATH=str(library_dir),
                           PKG_CONFIG_PATH=str(library_dir / "pkgconfig"))
        check_cmake(prefix, scratch, version, environment)
        check_pkg_config(prefix, scratch, version, compiler, environment)
        check_command(prefix, version)
    print("installed; consumers by CMake and pkg-config, shared and static, built and ran")
    return 0


if __name__ == "__main__":
    sys.exit(main())
