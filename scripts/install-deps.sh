#!/usr/bin/env bash
# Installs what building needs on Debian 12; with --test also what the tests and CI need, with --bench also what
# scripts/bench.sh needs besides that.
# Does nothing, and needs no network or rights, where all of it is there already.
set -euo pipefail

build_packages=(
  g++ cmake ninja-build ccache pkg-config git ca-certificates curl
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libboost-test1.81-dev
  libcli11-dev libpcre2-dev libsqlite3-dev libssl-dev zlib1g-dev libyaml-cpp-dev
)
test_packages=(
  docker-registry skopeo nginx-light apache2 apache2-utils tinyproxy wrk jq sqlite3 openssl
  python3 python3-yaml python3-jsonschema
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev man-db iproute2 procps dpkg-dev file chromium
  zsh fish
)
bench_packages=(libbenchmark-dev linux-perf valgrind)
# Packages that come with a service of their own; the tests start these programs themselves.
services=(docker-registry nginx apache2 tinyproxy)

usage() { echo "usage: $(basename "$0") [--test|--bench|--run]"; }
say() { echo "install-deps: $*"; }
fail() {
  echo "install-deps: $*" >&2
  exit 1
}

packages=("${build_packages[@]}")
case "${1-}" in
  "") ;;
  --test) packages+=("${test_packages[@]}") ;;
  --bench) packages+=("${test_packages[@]}" "${bench_packages[@]}") ;;
  --run) packages+=(docker-registry) ;; # what quickstart.sh shows the program with
  -h | --help) usage && exit 0 ;;
  *) usage >&2 && exit 2 ;;
esac

command -v dpkg-query >/dev/null || fail "this is not Debian (no dpkg); install by hand: ${packages[*]}"

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  say "everything is installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || fail "needs root or sudo to install: ${missing[*]}"
  as_root=(sudo)
  sudo -n true 2>/dev/null || [ -t 0 ] || fail "sudo asks for a password and there is no terminal; as root run: apt-get install ${missing[*]}"
fi

policy=/usr/sbin/policy-rc.d
saved=
policy_set=

restore_policy() {
  [ -n "$policy_set" ] || return 0
  if [ -n "$saved" ]; then
    "${as_root[@]}" mv -f "$saved" "$policy"
  else
    "${as_root[@]}" rm -f "$policy"
  fi
  policy_set=
}

# Debian starts a service when its package is installed, unless this program says no.
deny_services() {
  if [ -e "$policy" ]; then
    saved=$policy.regsweep-saved
    "${as_root[@]}" cp -a "$policy" "$saved"
  fi
  policy_set=yes
  trap restore_policy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # A new file renamed over it, so that a symbolic link's target stays as it is.
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy.regsweep-new" >/dev/null
  "${as_root[@]}" chmod 755 "$policy.regsweep-new"
  "${as_root[@]}" mv -f "$policy.regsweep-new" "$policy"
}

apt_get() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"
}

say "installing ${missing[*]}"
new_services=()
for service in "${services[@]}"; do
  [ -e "/lib/systemd/system/$service.service" ] || new_services+=("$service")
done

log=$(mktemp)
deny_services
# A failed update is not the end: the lists at hand may do, and apt's next step says so if they don't.
apt_get update >"$log" 2>&1 || say "apt-get update failed, going on with the package lists at hand"
if ! apt_get install --no-install-recommends "${missing[@]}" >"$log" 2>&1 </dev/null; then
  tail -n 25 "$log" >&2
  fail "apt-get could not install the packages; its whole output is in $log (this needs Debian 12 'bookworm' and its network)"
fi
rm -f "$log"

if [ -d /run/systemd/system ]; then
  for service in "${new_services[@]}"; do
    [ -e "/lib/systemd/system/$service.service" ] || continue
    "${as_root[@]}" systemctl disable --quiet "$service" 2>/dev/null || true
  done
fi
say "done"
