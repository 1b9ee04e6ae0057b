#!/usr/bin/env bash
# Add bytecode to the result of `sam build`. Its zips hold none, and a function cannot write where they are unpacked, so
# without this every cold start compiles all modules that it imports.
#   infra/bytecode.sh [BUILD_FOLDER]
# Needs Python 3.13, the version of the runtime: bytecode of another one is ignored.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-.aws-sam/build}
python=${PYTHON:-python3.13}

if [ ! -f "$build/template.yaml" ]; then
    echo "There is no build in $build. Run \`sam build\` first." >&2
    exit 3
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'; then
    echo "$python is not Python 3.13, which the functions run on. Name one in PYTHON." >&2
    exit 3
fi

# The core layer has no build, so the built template still refers to the sources. Those must not get bytecode that is
# never compared with them, so the build gets a copy.
rm -rf "$build/CoreLayer"
mkdir -p "$build/CoreLayer/python"
cp -R layers/core/python/matchcast "$build/CoreLayer/python/"
find "$build" -type d -name __pycache__ -prune -exec rm -rf {} +
sed -i.before -E 's|^( *ContentUri: ).*layers/core/?$|\1CoreLayer|' "$build/template.yaml"
rm "$build/template.yaml.before"
grep -q '^ *ContentUri: CoreLayer$' "$build/template.yaml"

"$python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$build"
printf '%s: %s compiled files, %s MB\n' "$build" "$(find "$build" -name '*.pyc' | wc -l)" "$(du -sm "$build" | cut -f1)"
