#!/usr/bin/env bash
# Fills a registry with sample images through its HTTP API: sample-registry.sh http://127.0.0.1:5000
# Plain tags, several tags on one digest, one digest in several repositories, nested names, multi-arch images
# as OCI index and as Docker manifest list. Running it again pushes the same again and changes nothing.
set -euo pipefail

[ $# -eq 1 ] || {
  echo "usage: $(basename "$0") http://HOST:PORT" >&2
  exit 2
}
registry=${1%/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "sample-registry: $*" >&2
  exit 1
}

docker_manifest=application/vnd.docker.distribution.manifest.v2+json
docker_list=application/vnd.docker.distribution.manifest.list.v2+json
oci_manifest=application/vnd.oci.image.manifest.v1+json
oci_index=application/vnd.oci.image.index.v1+json

digest_of() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }
size_of() { stat -c %s "$1"; }

push_blob() { # REPO FILE DIGEST
  local location separator='?'
  location=$(curl -sS --fail-with-body --noproxy '*' -o /dev/null -w '%header{location}' -X POST \
    "$registry/v2/$1/blobs/uploads/") || fail "$registry refuses an upload to $1"
  case $location in
    *\?*) separator='&' ;;
  esac
  case $location in
    /*) location=$registry$location ;;
  esac
  curl -sS --fail-with-body --noproxy '*' -o /dev/null -X PUT -H 'Content-Type: application/octet-stream' \
    --data-binary "@$2" "$location${separator}digest=$3" || fail "$registry refuses a blob of $1"
}

push_manifest() { # REPO REFERENCE MEDIA_TYPE FILE
  curl -sS --fail-with-body --noproxy '*' -o "$work/answer" -X PUT -H "Content-Type: $3" --data-binary "@$4" \
    "$registry/v2/$1/manifests/$2" || fail "$registry refuses $1:$2: $(cat "$work/answer")"
}

# One layer for all images: what tells them apart is their configuration.
mkdir "$work/root"
echo "a sample image" >"$work/root/README"
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$work/root" -cf "$work/layer.tar" README
diff_id=$(digest_of "$work/layer.tar")
gzip -n "$work/layer.tar"
layer=$work/layer.tar.gz
layer_digest=$(digest_of "$layer")
layers_pushed=" "

# Leaves the manifest of an image in $work/manifest. The same NAME and ARCHITECTURE give the same digest anywhere.
make_image() { # REPO KIND NAME [ARCHITECTURE]
  local repo=$1 kind=$2 name=$3 architecture=${4-amd64} config=$work/config config_digest type config_type layer_type
  cat >"$config" <<EOF
{"architecture":"$architecture","os":"linux","created":"2024-01-01T00:00:00Z","config":{"Labels":{"sample":"$name"},"Cmd":["/bin/true"]},"rootfs":{"type":"layers","diff_ids":["$diff_id"]},"history":[{"created":"2024-01-01T00:00:00Z","created_by":"sample"}]}
EOF
  config_digest=$(digest_of "$config")
  case $layers_pushed in
    *" $repo "*) ;;
    *)
      push_blob "$repo" "$layer" "$layer_digest"
      layers_pushed+="$repo "
      ;;
  esac
  push_blob "$repo" "$config" "$config_digest"
  if [ "$kind" = oci ]; then
    type=$oci_manifest
    config_type=application/vnd.oci.image.config.v1+json
    layer_type=application/vnd.oci.image.layer.v1.tar+gzip
  else
    type=$docker_manifest
    config_type=application/vnd.docker.container.image.v1+json
    layer_type=application/vnd.docker.image.rootfs.diff.tar.gzip
  fi
  cat >"$work/manifest" <<EOF
{"schemaVersion":2,"mediaType":"$type","config":{"mediaType":"$config_type","size":$(size_of "$config"),"digest":"$config_digest"},"layers":[{"mediaType":"$layer_type","size":$(size_of "$layer"),"digest":"$layer_digest"}]}
EOF
  manifest_type=$type
}

image() { # REPO KIND NAME TAG...
  local repo=$1 kind=$2 name=$3 tag
  shift 3
  make_image "$repo" "$kind" "$name"
  for tag in "$@"; do
    push_manifest "$repo" "$tag" "$manifest_type" "$work/manifest"
  done
}

multi_arch() { # REPO KIND NAME TAG...
  local repo=$1 kind=$2 name=$3 children='' architecture digest tag type=$docker_list
  shift 3
  [ "$kind" != oci ] || type=$oci_index
  for architecture in amd64 arm64; do
    make_image "$repo" "$kind" "$name" "$architecture"
    digest=$(digest_of "$work/manifest")
    push_manifest "$repo" "$digest" "$manifest_type" "$work/manifest"
    children+="${children:+,}{\"mediaType\":\"$manifest_type\",\"size\":$(size_of "$work/manifest"),\"digest\":\"$digest\",\"platform\":{\"architecture\":\"$architecture\",\"os\":\"linux\"}}"
  done
  printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}\n' "$type" "$children" >"$work/index"
  for tag in "$@"; do
    push_manifest "$repo" "$tag" "$type" "$work/index"
  done
}

image web docker web-1.0.0 1.0.0
image web docker web-1.1.0 1.1.0
image web docker web-1.2.0 1.2.0 1.2 stable
image web docker web-1.10.0 1.10.0 1.10 latest

image team/api oci api-1.0.0 1.0.0
image team/api oci api-1.1.0 1.1.0
image team/api oci api-1.2.0 1.2.0
image team/api oci api-1.3.0 1.3.0
image team/api oci api-2.0.0-rc1 2.0.0-rc1
image team/api oci api-2.0.0 2.0.0 latest
image team/api oci api-dev-1 dev-20240101
image team/api oci api-dev-2 dev-20240102 dev

# Promoted from team/api: the same digests in another repository.
image prod/api oci api-1.3.0 1.3.0
image prod/api oci api-2.0.0 2.0.0 live

multi_arch base/alpine oci alpine-3.18 3.18
multi_arch base/alpine oci alpine-3.19 3.19 latest
multi_arch base/debian docker debian-12 12 bookworm latest

image infra/ci/runner/linux oci runner-7 7 latest
