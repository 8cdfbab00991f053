#!/usr/bin/env bash
# Proves that nothing accepted is lost: hosts with a spool are killed in the middle of everything, and at the end all
# that they were promised must have arrived. tests/torture/README.md tells what is done and checked.
#
# Usage: scripts/torture.sh [--cycles N] [--seed S] [--preset NAME]
#   --cycles N     how many hosts to kill; 200 when not given (under a minute), 5000 is the long form
#   --seed S       what is done to them; random when not given, and printed
#   --preset NAME  a preset of CMakePresets.json; dev when not given
# Exit status: 0 when every rule held, 1 when not; then it says where everything lies and how to repeat it.
set -euo pipefail
source "$(dirname "$0")/lib/setup.sh"

usage='usage: scripts/torture.sh [--cycles N] [--seed S] [--preset NAME]'
preset=dev
options=()
while [ $# -gt 0 ]; do
  case "$1" in
    --cycles | --seed)
      [[ "${2-}" =~ ^[0-9]+$ ]] || die "$1 needs a number; $usage"
      options+=("$1" "$2")
      shift
      ;;
    --preset)
      [ $# -ge 2 ] || die "--preset needs a name; $usage"
      preset=$2
      shift
      ;;
    --help) echo "$usage" && exit 0 ;;
    *) die "unknown option $1; $usage" ;;
  esac
  shift
done

install_missing_packages build test
configure_and_build "$preset" torture
exec "$POSTHASTE_ROOT/build/$preset/tests/torture/torture" "${options[@]}"
