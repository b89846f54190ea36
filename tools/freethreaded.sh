#!/bin/sh
# Builds the extension for a free-threaded CPython and runs the suite on it with the GIL off: unit tests of engine and shims,
# architecture, conformance of the shims against the records, integration; then eight threads on the engine and on the shims.
# PYTHON_FT is that interpreter (3.13t or newer). What has no build for it is named, and the tests that need it are skipped
# with that reason: in 3.13t cffi, and with it compile_to_c, and packages that are written in Rust. Not run here: the oracles,
# upstream's own tests, the pure core.
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
"$work/venv/bin/python" - "$work" <<'END'
import re, sys, tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
name = re.compile(r"[\w.-]+")
needed = {name.match(need)[0]: need for need in project["dependencies"]}
more = {name.match(need)[0]: need for extra in ("conformance", "servers") for need in extras[extra]}
needed |= {name.match(need)[0]: need for need in extras["test"]}
# the newest hypothesis that is pure Python: later ones would have to be built
needed["hypothesis"] = "hypothesis>=6.100,<6.156"
for unneeded in ("cffi", "cmake", "ninja", "numpy"):
    del needed[unneeded]
with open(f"{sys.argv[1]}/needs", "w") as file:
    print(*needed.values(), sep="\n", file=file)
with open(f"{sys.argv[1]}/more", "w") as file:
    print("cffi", *(f"{need}" for key, need in more.items() if key not in needed), sep="\n", file=file)
END
$pip -r "$work/needs"
missing=""
while read -r need; do
    if ! $pip "$need" >"$work/pip.log" 2>&1; then
        package=$(echo "$need" | sed 's/[<>=].*//')
        echo "no build for this interpreter: $package"
        missing="$missing $package"
    fi
done <"$work/more"
$pip --no-deps django-celery-beat==2.9.0 django-timezone-field cron-descriptor python-crontab tzdata
$pip --no-deps .
export BROKERLESS_CORE=native PYTHON_GIL=0 BROKERLESS_NO_BUILD="$missing"
run() {
    # the plugin lies in the repository, which must not come first on the path: brokerless lies there without its extension
    "$work/venv/bin/python" -P -c 'import sys; sys.path.append("."); import pytest; sys.exit(pytest.main())' \
        -p tests.free_threaded -q -rs "$@"
}
compiler=""
case " $missing " in *" cffi "*)
    echo "skipped: tests/unit/compiler (cffi: no build for this interpreter)"
    compiler="--ignore tests/unit/compiler" ;;
esac
echo "== unit, architecture"
# shellcheck disable=SC2086
run -n 2 -o timeout=240 $compiler tests/unit tests/architecture
echo "== conformance, integration"
run -n 2 -o timeout=240 tests/conformance tests/integration
echo "== eight threads"
run -m stress tests/stress/test_engine_threads.py tests/stress/test_engine_eight.py tests/stress/test_shims_eight.py
