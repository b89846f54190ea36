#!/bin/sh
# Runs the unit tests over the native core, and the tests that a CPython brings along, on every CPython from 3.10 on that
# this machine has: those on PATH, and those of pyenv. Each gets a fresh environment.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here"
done=""
failed=""
for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3 python3.10 python3.11 python3.12 python3.13 python3.14; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case "$version" in 3.1[0-4]) ;; *) continue ;; esac
    case " $done " in *" $version "*) continue ;; esac
    done="$done $version"
    echo "== Python $version"
    "$candidate" -m venv "$work/$version"
    "$work/$version/bin/python" -m pip install --quiet --disable-pip-version-check "$here[test]"
    BROKERLESS_CORE=native "$work/$version/bin/pytest" -q -n 2 tests/unit tests/integration/test_executor_cpython.py ||
        failed="$failed $version"
done
echo "tested on:$done"
[ -z "$failed" ] || { echo "failed on:$failed"; exit 1; }
