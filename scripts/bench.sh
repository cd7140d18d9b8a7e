#!/usr/bin/env bash
# Builds the release and measures it side by side with wrk on this machine. Arguments go to bench/bench.py.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for argument in "$@"; do
  case $argument in
    # Nothing is measured.
    -h | --help | --table | --from | --from=*) exec python3 "$root/bench/bench.py" "$@" ;;
  esac
done
"$root/scripts/install-deps.sh" --bench
cmake -S "$root" --preset release -DREGSWEEP_BUILD_BENCHMARKS=ON >/dev/null
cmake --build "$root/build/release" --target regsweep fake_registry regsweep_micro count_allocations
exec python3 "$root/bench/bench.py" --build "$root/build/release" "$@"
