# Functions that demo.sh, test.sh and .ci/run share: install what is missing, configure and build one preset.
# Sourced by bash scripts that use `set -euo pipefail`; being sourced only sets variables for the build.

POSTHASTE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Two jobs suit the smallest machine this is meant for; relative paths let a fresh clone use the compiler cache.
export CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-2}
export CCACHE_BASEDIR=$POSTHASTE_ROOT CCACHE_NOHASHDIR=1

# Prints one line to stderr and ends the script.
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Prints the packages of the given groups of scripts/packages.txt.
list_packages() {
  local group
  for group in "$@"; do
    awk -v group="$group" '$1 == group { print $2 }' "$POSTHASTE_ROOT/scripts/packages.txt"
  done
}

# Prints those of the given packages that are not installed. npm may be there without its package: nodejs from another
# source brings it, and refuses Debian's.
missing_packages() {
  local package
  for package in "$@"; do
    [ "$package" != npm ] || ! command -v npm >/dev/null || continue
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

# Runs a command as root, through sudo where needed.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing packages needs root or sudo: $*"
  fi
}

# install_missing_packages [group...]: installs what is missing of the groups (default: build); no-op and offline when
# all are there. The package index is fetched only if the first try fails, which is what a fresh machine needs.
install_missing_packages() {
  local packages missing log
  [ $# -gt 0 ] || set -- build
  packages=$(list_packages "$@")
  [ -n "$packages" ] || die "no such package group: $*"
  # Word splitting is wanted: one package a line.
  missing=$(missing_packages $packages)
  [ -n "$missing" ] || return 0
  echo "installing $(echo "$missing" | wc -l) Debian packages:" $missing
  log=$(mktemp)
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
  if ! as_root "${install[@]}" $missing >"$log" 2>&1; then
    if ! { as_root apt-get update -q && as_root "${install[@]}" $missing; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      die "apt-get could not install the packages above"
    fi
  fi
  rm -f "$log"
}

# Installs what tests need from npm into build/node, each pinned; no-op and offline when it is there.
install_node_modules() {
  local directory=$POSTHASTE_ROOT/build/node package
  local packages=(standardwebhooks@1.0.0 sparkpost@2.1.4 playwright-core@1.65.1 axe-core@4.14.1 koffi@3.3.4
    typescript@5.9.3 @types/node@20.19.9)
  local is_complete=true
  for package in "${packages[@]}"; do
    grep -qs "\"version\": \"${package#*@}\"" "$directory/node_modules/${package%@*}/package.json" || is_complete=false
  done
  ! $is_complete || return 0
  mkdir -p "$directory"
  npm install --prefix "$directory" --no-audit --no-fund --ignore-scripts --no-package-lock --loglevel=error \
    "${packages[@]}" >/dev/null || die "npm could not install ${packages[*]}"
}

# Unpacks Exim and its headers into build/exim: as a package it would take the place of another mail server. Its libraries
# are in packages.txt. Makes its user and the folder of its configuration, both of which its program asks for. No-op and
# offline when all is there.
prepare_exim() {
  local directory=$POSTHASTE_ROOT/build/exim folder package
  id -u Debian-exim >/dev/null 2>&1 ||
    as_root useradd --badname --system --user-group --home-dir /var/spool/exim4 --shell /usr/sbin/nologin Debian-exim ||
    die "cannot make the user Debian-exim"
  [ -d /etc/exim4 ] || as_root mkdir -p /etc/exim4
  if [ -u "$directory/usr/sbin/exim4" ] && [ -f "$directory/usr/include/exim4/local_scan.h" ]; then return; fi
  folder=$(mktemp -d)
  local download=(apt-get download -q exim4-daemon-heavy exim4-dev)
  (cd "$folder" && as_root "${download[@]}" || { as_root apt-get update -q && as_root "${download[@]}"; }) \
    >"$folder/log" 2>&1 || die "apt-get could not download Exim"
  mkdir -p "$directory"
  for package in "$folder"/*.deb; do as_root dpkg -x "$package" "$directory"; done
  as_root rm -rf "$folder"
}

# Installs the mail server Haraka from npm into build/haraka, pinned, without its optional packages, which need a
# compiler, and what its plugin needs; no-op and offline when it is there.
prepare_haraka() {
  local directory=$POSTHASTE_ROOT/build/haraka version=3.3.4
  install_node_modules
  ! grep -qs "\"version\": \"$version\"" "$directory/node_modules/Haraka/package.json" || return 0
  mkdir -p "$directory"
  npm install --prefix "$directory" --no-audit --no-fund --ignore-scripts --omit=optional --no-package-lock \
    --loglevel=error "Haraka@$version" >/dev/null || die "npm could not install Haraka@$version"
}

# configure_and_build <preset> [target...]: builds into build/<preset>; all targets when none is named. Quiet: the
# output goes to build/<preset>.log, whose end is shown when something fails.
configure_and_build() {
  local preset=$1 directory=$POSTHASTE_ROOT/build/$1 log=$POSTHASTE_ROOT/build/$1.log
  shift
  local targets=()
  [ $# -eq 0 ] || targets=(--target "$@")
  mkdir -p "$POSTHASTE_ROOT/build"
  echo "building ${directory#"$POSTHASTE_ROOT/"}${*:+ ($*)} ..."
  if ! (cd "$POSTHASTE_ROOT" && cmake --preset "$preset" -B "$directory" &&
    cmake --build "$directory" "${targets[@]}") >"$log" 2>&1; then
    grep -E -A5 '(error|Error|FAILED)' "$log" | tail -n 40 >&2 || tail -n 40 "$log" >&2
    die "the build failed; the whole output is in ${log#"$POSTHASTE_ROOT/"}"
  fi
}
