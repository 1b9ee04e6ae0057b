#!/usr/bin/env bash
# Install pyarrow and numpy into a folder and take away what reading, filtering and writing parquet never uses.
#   layers/arrow/build.sh FOLDER [x86_64 | aarch64]
# Needs pip for Python 3.13 and `strip` (binutils); without `strip` the layer works, and is larger.
set -euo pipefail
target=${1:?a folder to build into}
machine=${2:-$(uname -m)}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3.13}

mkdir -p "$target"
platforms=()
for tag in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
    platforms+=(--platform "${tag}_${machine}")
done
"$python" -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
    --no-compile --require-hashes --only-binary=:all: \
    --python-version 3.13 --implementation cp "${platforms[@]}" \
    --target "$target" --requirement "$here/requirements.txt"

cd "$target"
# Sources, headers, tests, and tools that run at build time.
rm -rf bin numpy/_pyinstaller numpy/f2py numpy/typing/tests pyarrow/include pyarrow/includes pyarrow/src pyarrow/tests
find . -type d -name tests -prune -exec rm -rf {} +
find . -type f \( -name '*.pxd' -o -name '*.pyx' -o -name '*.pxi' -o -name '*.pyi' -o -name '*.h' -o -name '*.hpp' \
    -o -name '*.lib' -o -name '*.a' \) -delete
# Flight is a server; the data bucket is read by boto3, not by pyarrow's own file systems of other clouds.
# libarrow_substrait looks unused, but pyarrow's dataset module is linked to it.
rm -f pyarrow/libarrow_flight.so* pyarrow/_flight*.so pyarrow/flight.py pyarrow/libarrow_python_flight.so*
rm -f pyarrow/_pyarrow_cpp_tests*.so pyarrow/_azurefs*.so pyarrow/_gcsfs*.so pyarrow/_hdfs*.so

# A wheel cannot hold links, so each versioned library is there three times; only the name that others ask for stays.
for library in pyarrow/libarrow_python*.so.*; do
    [ -e "$library" ] || continue
    case "$library" in
    *.so.*.*.*) rm -f "$library" ;;
    *) rm -f "${library%%.so.*}.so" ;;
    esac
done

if command -v strip >/dev/null; then
    find . -type f -name '*.so*' -exec strip --strip-unneeded {} +
else
    echo "layers/arrow: no \`strip\` here (binutils), so the layer stays larger than it has to be." >&2
fi
printf 'layers/arrow: %s MB\n' "$(du -sm . | cut -f1)"
