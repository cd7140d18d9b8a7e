#!/usr/bin/env bash
# Installs what is missing, builds regsweep and shows its main job: against $REGISTRY where that is set (with
# REGISTRY_USER and REGISTRY_PASSWORD where it needs them), else against a registry of its own with sample images,
# which it stops and removes at the end. Works from any folder, any number of times.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

regsweep=$PWD/build/release/regsweep
work=
server=

clean_up() {
  [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
  [ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { printf '\n== %s\n' "$*"; }
fail() {
  echo "quickstart: $*" >&2
  exit 1
}

# Shows a command as one would type it, then runs it.
run() {
  printf '\n$ regsweep'
  local word
  for word in "$@"; do
    case $word in
      '' | *[!A-Za-z0-9_./:=,@%+-]*) printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  printf '\n'
  "$regsweep" "$@"
}

has_command() { "$regsweep" --help 2>/dev/null | grep -Eq "^ +$1( |\$)"; }

start_registry() {
  local port try
  for try in 1 2 3 4 5 6 7 8; do
    port=$((20000 + RANDOM % 12000))
    cat >"$work/registry.yml" <<EOF
version: 0.1
log: { level: info }
storage: { filesystem: { rootdirectory: $work/storage }, delete: { enabled: true } }
http: { addr: "127.0.0.1:$port" }
EOF
    # Without the environment: docker-registry reads any REGISTRY_... as a setting of its own.
    env -i PATH="$PATH" docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
    server=$!
    for _ in $(seq 100); do
      if grep -q 'listening on' "$work/registry.log"; then
        export REGISTRY=http://127.0.0.1:$port
        return
      fi
      kill -0 "$server" 2>/dev/null || break
      sleep 0.1
    done
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
    echo "port $port is taken, try $try of 8"
  done
  cat "$work/registry.log" >&2
  fail "docker-registry does not start; its log is above"
}

step "What building needs"
if [ -n "${REGISTRY-}" ]; then
  scripts/install-deps.sh
else
  scripts/install-deps.sh --run
fi

step "Building (some minutes the first time)"
scripts/build.sh release regsweep
echo "built build/release/regsweep: $("$regsweep" --version)"

if [ -n "${REGISTRY-}" ]; then
  step "Reading $REGISTRY"
  run refresh
  step "What it holds"
  run list-repo-names | sed -n 1,20p
  run list-tag-names | sed -n 1,20p
  step "Next"
  echo "The index is kept: list and query commands answer from it until the next refresh. See"
  echo "  $regsweep --help"
  exit 0
fi

work=$(mktemp -d)
step "A registry on loopback with sample images"
start_registry
scripts/sample-registry.sh "$REGISTRY"
echo "docker-registry runs at $REGISTRY until the end of this script"

# The sample's index goes with the sample, and no setting of the caller's changes what is shown.
export XDG_CACHE_HOME=$work/cache no_proxy=127.0.0.1
unset REGISTRY_USER REGISTRY_PASSWORD REGISTRY_USE_DIGEST_AUTH REGISTRY_CLIENT_CERT REGISTRY_CLIENT_KEY
unset DOCKER_UTIL_CACHEFILE DOCKER_UTIL_GET_MANIFEST

step "Crawl it into an index"
run refresh

step "Ask the index"
run list-repo-names
run list-tag-names
run list-tag-names --image-names base/alpine
if has_command query-tags; then
  step "Which digests of team/api do all tags below 1.2 use?"
  run query-tags -r team/api -t '<1.2'
fi
if has_command remove-tags; then
  step "What would removing them do? (nothing is deleted)"
  run remove-tags --dry-run -r team/api -t '<1.2'
fi

step "Next, with a registry of yours"
cat <<EOF
  REGISTRY=registry.example.com scripts/quickstart.sh
or
  $regsweep --registry registry.example.com refresh
  $regsweep --registry registry.example.com list-tag-names
  $regsweep --help
EOF
