#!/usr/bin/env bash
# Measures the library beside a reference batcher and raw libcurl, and judges the ratios against the speed targets.
# docs/benchmarks.md tells the method. Wants an idle machine of two cores or more, and 3 GiB of free memory.
#
# Usage: scripts/bench.sh [--quick | --isolation] [--rounds N] [--events N]
#        scripts/bench.sh --mail SERVER [--pairs N] [--messages N] [--condition NAME]
#   --quick     throughput, CPU time and memory (about 10 minutes); without it also the duration of single pushes, and
#               what --isolation measures
#   --isolation what healthy webhooks and hosts feel of bad endpoints (about 10 minutes)
#   --rounds N  how often every program runs; 5 (9 without --quick) when not given
#   --events N  events of one run; 3000000 when not given
#   --mail SERVER  what the plugin of examples/SERVER costs the real mail server, in pairs of runs with one that does
#               nothing in its place; 5 pairs of 2000 messages for each condition when not given. Wants root, for a full
#               disk of its own. --condition is "healthy endpoints", "all endpoints hanging" or "spool full"
# Exit status: 0 when throughput, memory and isolation, or the mail server's ratios, reach what they must, 1 when not, 2
# when a run failed.
set -euo pipefail
source "$(dirname "$0")/lib/setup.sh"

usage='usage: scripts/bench.sh [--quick | --isolation] [--rounds N] [--events N]
       scripts/bench.sh --mail SERVER [--pairs N] [--messages N] [--condition NAME]'
options=()
server=
while [ $# -gt 0 ]; do
  case "$1" in
    --quick | --isolation) options+=("$1") ;;
    --rounds | --events | --pairs | --messages)
      [[ "${2-}" =~ ^[1-9][0-9]*$ ]] || die "$1 needs a number; $usage"
      options+=("$1" "$2")
      shift
      ;;
    --condition)
      [ $# -ge 2 ] || die "$1 needs a name; $usage"
      options+=("$1" "$2")
      shift
      ;;
    --mail)
      server=${2-}
      [ -f "$POSTHASTE_ROOT/tests/bench/mail/${server}_bench.py" ] || die "no benchmark of a mail server '$server'; $usage"
      shift
      ;;
    --help) echo "$usage" && exit 0 ;;
    *) die "unknown option $1; $usage" ;;
  esac
  shift
done

if [ -n "$server" ]; then
  install_missing_packages build bench test
  # What a mail server needs besides Debian packages, where setup.sh has such a function.
  if declare -F "prepare_$server" >/dev/null; then "prepare_$server"; fi
  configure_and_build release mail_benches
  exec /usr/bin/python3 -B "$POSTHASTE_ROOT/tests/bench/mail/${server}_bench.py" \
    "$POSTHASTE_ROOT/build/release/tests/bench" "${options[@]}"
fi

install_missing_packages build bench
configure_and_build release benches
exec /usr/bin/python3 -B "$POSTHASTE_ROOT/tests/bench/run_bench.py" "$POSTHASTE_ROOT/build/release/tests/bench" \
  "${options[@]}"
