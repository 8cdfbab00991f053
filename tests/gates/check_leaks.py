#!/usr/bin/env python3
"""Makes and frees engines under valgrind: nothing may be lost, and what stays reachable must not grow with the count.

Usage: check_leaks.py GUEST_CYCLE new|start COUNT
"""
import re
import subprocess
import sys

ERROR_STATUS = 99


def run(program, kind, count):
    """Returns the bytes still reachable at exit; raises when valgrind found an error or a loss."""
    command = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
               "--errors-for-leak-kinds=definite,indirect,possible", f"--error-exitcode={ERROR_STATUS}",
               "--fair-sched=yes", program, kind, str(count)]
    result = subprocess.run(command, text=True, capture_output=True, check=False)
    if result.returncode:
        raise SystemExit(f"{kind} {count}: exit status {result.returncode}\n{result.stdout}{result.stderr}")
    in_use = re.search(r"still reachable: ([\d,]+) bytes", result.stderr)
    if in_use is None and "All heap blocks were freed" not in result.stderr:
        raise SystemExit(f"valgrind's summary was not understood:\n{result.stderr}")
    return int(in_use.group(1).replace(",", "")) if in_use else 0


def main():
    program, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    few, many = run(program, kind, 2), run(program, kind, count)
    print(f"{kind}: {count} engines, nothing lost; reachable at exit {few} bytes after 2, {many} after {count}")
    # libcurl and OpenSSL keep their global state; a block per engine would show at once.
    if many - few >= 8 * (count - 2):
        print("memory that stays reachable grows with the number of engines")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
