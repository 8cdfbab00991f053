#!/usr/bin/env bash
# Preprocesses the public header without the system's headers, whose types LuaJIT has built in, and runs check_ffi.lua.
# Usage: check_ffi.sh COMPILER HEADER SHARED_LIBRARY VERSION
set -euo pipefail
compiler=$1 header=$2 library=$3 version=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
touch "$folder/stddef.h" "$folder/stdint.h"
"$compiler" -x c -std=c99 -nostdinc -I "$folder" -E -P "$header" >"$folder/posthaste.i"
luajit "$(dirname "$0")/check_ffi.lua" "$folder/posthaste.i" "$library" "$version"
