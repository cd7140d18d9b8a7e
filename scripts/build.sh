#!/usr/bin/env bash
# Configures and builds one preset, all of it or the targets named: build.sh PRESET [TARGET...] [-DOPTION=VALUE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -ge 1 ] || {
  echo "usage: $(basename "$0") PRESET [TARGET...] [-DOPTION=VALUE...]" >&2
  exit 2
}
preset=$1
shift
options=()
targets=()
for argument in "$@"; do
  case $argument in
    -*) options+=("$argument") ;;
    *) targets+=("$argument") ;;
  esac
done
[ ${#targets[@]} -eq 0 ] || targets=(--target "${targets[@]}")

# One compiler on a Boost.Asio source takes up to 1.5 GB: fewer of them at once where memory is short.
memory_gb=$(awk '/^MemAvailable:/ { print int($2 / 1048576) }' /proc/meminfo)
jobs=$(nproc)
limit=$((memory_gb * 2 / 3))
[ "$limit" -ge 1 ] || limit=1
[ "$jobs" -le "$limit" ] || jobs=$limit

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 || {
  cat "$log" >&2
  echo "build: cmake cannot configure preset $preset" >&2
  exit 1
}
cmake --build --preset "$preset" -j "$jobs" "${targets[@]}"
