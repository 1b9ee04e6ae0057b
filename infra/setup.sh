#!/bin/sh
# Makes .venv with the locked libraries and the project itself, and records what it was made from, so that a
# second run does nothing. Uses uv if it works, otherwise venv and pip.
#
#   infra/setup.sh [FOLDER]     FOLDER is .venv by default
#
# Exit codes: 0 done, 2 no Python that is new enough, else the failed installer's.
set -eu

cd "$(dirname "$0")/.."
venv=${1:-.venv}
lock=infra/requirements/dev.txt
oldest=3.11

say() { printf '%s\n' "$*" >&2; }

# A command may be there and still not work (a version manager's shim without a version), so each is run.
version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

find_python() {
    tried=
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        if ! version=$(version_of "$candidate"); then
            tried="$tried
  $candidate: does not run"
        elif "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            if [ -n "${PYTHON:-}" ] && [ "$candidate" != "$PYTHON" ]; then
                say "PYTHON=$PYTHON cannot be used; taking $candidate ($version)."
            fi
            python=$candidate
            return 0
        else
            tried="$tried
  $candidate: Python $version"
        fi
    done
    say "No Python $oldest or newer was found. Tried:${tried:-
  nothing: there is no python3 on the PATH}"
    say "Install Python 3.13 (or 3.12, 3.11) and run this again, or name one: make setup PYTHON=/path/to/python3.13"
    return 1
}

# What the environment was made from: the lock, the project's own metadata, and the interpreter.
digest() {
    { cat "$lock" pyproject.toml "$0"; "$python" -VV; } | cksum | tr ' ' '-'
}

# Shows an installer's output only if it fails.
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        status=$?
        cat "$log" >&2
        rm -f "$log"
        say "This failed: $*"
        exit "$status"
    fi
}

with_uv() {
    say "Making $venv with uv and $python ($version) ..."
    quietly uv venv --quiet --allow-existing --python "$(command -v "$python")" "$venv"
    # Compiled now, or the first start of each program would do it.
    quietly uv pip install --quiet --python "$venv/bin/python" --compile-bytecode --require-hashes -r "$lock"
    quietly uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
}

with_pip() {
    say "Making $venv with venv, pip and $python ($version); this takes a few minutes ..."
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        say "$python has no ensurepip. Install it (on Debian and Ubuntu: apt install python3-venv), or install uv."
        exit 2
    fi
    quietly "$python" -m venv "$venv"
    pip="$venv/bin/python -m pip --quiet --disable-pip-version-check --no-input"
    quietly $pip install --require-hashes -r "$lock"
    quietly $pip install --no-deps --no-build-isolation --editable .
}

find_python || exit 2
stamp=$venv/.matchcast
wanted=$(digest)
if [ -x "$venv/bin/matchcast" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi
rm -f "$stamp"
# An environment of another interpreter cannot be changed into one of this; only an environment is ever removed.
if [ -f "$venv/pyvenv.cfg" ] && [ "$("$venv/bin/python" -VV 2>&1)" != "$("$python" -VV)" ]; then
    rm -rf "$venv"
fi
if uv --version >/dev/null 2>&1; then with_uv; else with_pip; fi
printf '%s\n' "$wanted" >"$stamp"
say "$venv is ready ($("$venv/bin/python" -V))."
