#!/bin/sh
# Builds the extension with the address sanitizer into an environment of its own and runs the unit tests on it.
# PYTHONMALLOC=malloc, so that the sanitizer sees every object; leaks of the interpreter itself are not reported.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
CMAKE_ARGS=-DBL_SANITIZE=address "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$here[test]"
cd "$here"
LD_PRELOAD=$("${CC:-gcc}" -print-file-name=libasan.so) PYTHONMALLOC=malloc BROKERLESS_CORE=native \
    ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 "$work/venv/bin/pytest" -q -n 2 -o timeout=240 -m 'not slow_under_sanitizer' tests/unit
