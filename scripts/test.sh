#!/usr/bin/env bash
# Installs what is missing, builds preset release and runs every test. Works from any folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/install-deps.sh --test
scripts/build.sh release -DREGSWEEP_BUILD_TESTS=ON
ctest --preset release --parallel "$(nproc)" --no-tests=error "$@"
