#!/bin/sh
# Builds the extension for a free-threaded CPython and runs the engine's tests on it with the GIL off, then eight threads
# on one engine. PYTHON_FT is that interpreter (3.13t or newer). Not run here: the compiler's tests and, in 3.13t, whatever
# else needs cffi, which supports free threading from 3.14t on; the shims.
set -eu
: "${PYTHON_FT:?set PYTHON_FT to a free-threaded interpreter, such as python3.13t}"
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PYTHON_FT" -c 'import sys, sysconfig; sys.exit(not sysconfig.get_config_var("Py_GIL_DISABLED") and "PYTHON_FT has a GIL")'
"$PYTHON_FT" -m venv "$work/venv"
export PATH="$work/venv/bin:$PATH"
pip="$work/venv/bin/python -m pip install --quiet --disable-pip-version-check"
cd "$here"
"$work/venv/bin/python" - >"$work/needs" <<'EOF'
import tomllib
with open("pyproject.toml", "rb") as file:
    needs = tomllib.load(file)["project"]["dependencies"]
print(*(need for need in needs if not need.startswith("cffi")), sep="\n")
EOF
# the newest hypothesis that is pure Python: later ones would have to be built
$pip -r "$work/needs" click 'pytest>=8.2' 'pytest-xdist>=3.5' 'pytest-timeout>=2.3' 'hypothesis>=6.100,<6.156'
$pip --no-deps .
export BROKERLESS_CORE=native PYTHON_GIL=0
echo "== unit tests"
"$work/venv/bin/pytest" -q -rs -n 2 -o timeout=240 tests/unit \
    --ignore tests/unit/compiler --ignore tests/unit/celery_shim --ignore tests/unit/rq_shim
echo "== eight threads"
"$work/venv/bin/pytest" -q -m stress tests/stress/test_engine_threads.py tests/stress/test_engine_eight.py
