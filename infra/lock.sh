#!/usr/bin/env bash
# Recompile every lock from its ranges: hashed, and naming no registry. Run it after changing a range, or to take updates
# (`infra/lock.sh --upgrade`). Needs uv. Further arguments go to `uv pip compile`.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() { # IN OUT OPTIONS...
    local in=$1 out=$2
    shift 2
    uv pip compile --quiet \
        --generate-hashes --no-emit-index-url --no-header --no-annotate "$@" --output-file "$out" "$in"
    printf '%s: %s packages\n' "$out" "$(grep -c '^[a-z]' "$out")"
}

# What a checkout installs, on any supported Python and platform.
compile pyproject.toml infra/requirements/dev.txt --universal --python-version 3.11 --extra dev "$@"

# What `make mutants` installs beside it.
compile infra/requirements/mutants.in infra/requirements/mutants.txt --constraints infra/requirements/dev.txt \
    --universal --python-version 3.11 "$@"

# What is deployed: for the Lambda runtime, nothing that would have to be compiled there, and the versions that the
# tests ran with.
for ranges in layers/vendor/requirements.in layers/arrow/requirements.in functions/*/requirements*.in; do
    compile "$ranges" "${ranges%.in}.txt" --constraints infra/requirements/dev.txt \
        --python-version 3.13 --python-platform x86_64-manylinux_2_28 --only-binary :all: "$@"
done
