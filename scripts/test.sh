#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests. Nothing outside build/ and the compiler cache is written.
#
# Usage: scripts/test.sh [--long] [--preset NAME]
#   --preset NAME  a preset of CMakePresets.json; dev when not given
#   --long         every tier: the long tests of the preset, then all quick tests under AddressSanitizer and
#                  UndefinedBehaviorSanitizer, and under ThreadSanitizer
set -euo pipefail
source "$(dirname "$0")/lib/setup.sh"

preset=dev
is_long=false
while [ $# -gt 0 ]; do
  case "$1" in
    --long) is_long=true ;;
    --preset)
      [ $# -ge 2 ] || die "--preset needs a name"
      preset=$2
      shift
      ;;
    *) die "unknown option $1; usage: scripts/test.sh [--long] [--preset NAME]" ;;
  esac
  shift
done

failed=()
# run_tests <preset> [ctest option...]: goes on after a failure, so that one run shows all of them.
run_tests() {
  local name=$1
  shift
  echo "testing build/$name${*:+ ($*)} ..."
  ctest --test-dir "$POSTHASTE_ROOT/build/$name" --output-on-failure --parallel 2 "$@" || failed+=("$name")
}

install_missing_packages build test
install_node_modules
prepare_exim
prepare_haraka
if $is_long; then
  configure_and_build "$preset"
  run_tests "$preset"
  configure_and_build asan-ubsan
  run_tests asan-ubsan --label-exclude long
  # The simulation has one thread.
  configure_and_build tsan
  run_tests tsan --label-exclude 'long|simulation'
else
  configure_and_build "$preset"
  run_tests "$preset" --label-exclude long
fi

[ ${#failed[@]} -eq 0 ] || die "tests failed in: ${failed[*]}"
