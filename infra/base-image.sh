#!/usr/bin/env bash
# Pin the base of both images by its digest: the newest of its Python, or the one of a dated tag.
#   infra/base-image.sh [TAG]
# Needs Docker. The digest is that of the index, so it is the same for every processor.
set -euo pipefail
cd "$(dirname "$0")/.."
dockerfiles=(functions/*/Dockerfile)
tag=${1:-3.13}

image=$(sed -nE 's/^FROM ([^:@]+)[:@].*$/\1/p' "${dockerfiles[0]}")
digest=$(docker buildx imagetools inspect "$image:$tag" --format '{{.Manifest.Digest}}')
if ! printf '%s\n' "$digest" | grep -qE '^sha256:[0-9a-f]{64}$'; then
    echo "Docker gave no digest for $image:$tag, but: $digest" >&2
    exit 1
fi
sed -i.before -E "s|^FROM .*$|FROM $image:$tag@$digest|" "${dockerfiles[@]}"
for dockerfile in "${dockerfiles[@]}"; do
    rm "$dockerfile.before"
done
printf '%s@%s\n' "$image:$tag" "$digest"
