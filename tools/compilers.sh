#!/bin/sh
# Runs the compiler's tests with each of gcc, clang and the ziglang wheel. Takes the wheel into an environment of its own,
# and clang from apt where that can be done; one that cannot be had is named with the reason, and the others run.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here"
missing=""
compilers="ziglang"
for name in gcc clang; do
    if ! command -v "$name" >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$name"; } >"$work/apt" 2>&1 || tail -3 "$work/apt"
    fi
    if command -v "$name" >/dev/null 2>&1; then
        compilers="$compilers $name"
    else
        missing="$missing $name"
        echo "NOT RUN: $name is not on PATH, and apt-get (as root) could not bring it"
    fi
done
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$here[test,compiler]"
for name in $compilers; do
    case $name in
        ziglang) "$work/venv/bin/python" -m ziglang version | sed 's/^/zig /' ;;
        *) "$name" --version | head -1 ;;
    esac
done
BROKERLESS_COMPILERS="$compilers" "$work/venv/bin/pytest" -n 2 -q -rs tests/unit/compiler/test_compilers.py
[ -z "$missing" ] || echo "NOT RUN, see above:$missing"
