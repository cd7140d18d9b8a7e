#!/usr/bin/env bash
# Builds the release and measures it side by side with wrk on this machine. Arguments go to bench/bench.py.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/install-deps.sh" --test
cd "$root"
cmake --preset release >/dev/null
cmake --build --preset release --target regsweep fake_registry
exec python3 bench/bench.py --build build/release "$@"
