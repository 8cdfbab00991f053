#!/usr/bin/env bash
# Measures the library beside a reference batcher and raw libcurl, and judges the ratios against the speed targets.
# docs/benchmarks.md tells the method. Wants an idle machine of two cores or more, and 3 GiB of free memory.
#
# Usage: scripts/bench.sh [--quick | --isolation] [--rounds N] [--events N]
#   --quick     throughput, CPU time and memory (about 10 minutes); without it also the duration of single pushes, and
#               what --isolation measures
#   --isolation what healthy webhooks and hosts feel of bad endpoints (about 10 minutes)
#   --rounds N  how often every program runs; 5 (9 without --quick) when not given
#   --events N  events of one run; 3000000 when not given
# Exit status: 0 when throughput, memory and isolation reach what they must, 1 when not, 2 when a run failed.
set -euo pipefail
source "$(dirname "$0")/lib/setup.sh"

usage='usage: scripts/bench.sh [--quick | --isolation] [--rounds N] [--events N]'
options=()
while [ $# -gt 0 ]; do
  case "$1" in
    --quick | --isolation) options+=("$1") ;;
    --rounds | --events)
      [[ "${2-}" =~ ^[1-9][0-9]*$ ]] || die "$1 needs a number; $usage"
      options+=("$1" "$2")
      shift
      ;;
    --help) echo "$usage" && exit 0 ;;
    *) die "unknown option $1; $usage" ;;
  esac
  shift
done

install_missing_packages build bench
configure_and_build release benches
exec /usr/bin/python3 -B "$POSTHASTE_ROOT/tests/bench/run_bench.py" "$POSTHASTE_ROOT/build/release/tests/bench" \
  "${options[@]}"
