#!/usr/bin/env bash
# Builds the Debian package: preset release, packed by cpack. The last line it prints is the package's file name.
# SOURCE_DATE_EPOCH, by default the last commit's time, is the time of the package's files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -eq 0 ] || {
  echo "usage: $(basename "$0")" >&2
  exit 2
}
command -v dpkg-shlibdeps >/dev/null || {
  echo "package: dpkg-shlibdeps is missing; as root run: apt-get install dpkg-dev" >&2
  exit 1
}

if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
fi
export SOURCE_DATE_EPOCH
umask 022

scripts/build.sh release regsweep
(cd build/release && cpack -G DEB >cpack.log 2>&1) || {
  cat build/release/cpack.log >&2
  echo "package: cpack cannot make the package" >&2
  exit 1
}
sed -n 's/^CPack: - package: \(.*\.deb\) generated\.$/\1/p' build/release/cpack.log
