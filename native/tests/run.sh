#!/bin/sh
# Builds and runs the core's C tests in every variant: plain, address+undefined sanitizer, thread sanitizer.
# Each variant holds the tests as shipped, with tiny sizes, and without futex; the plain one also the explored
# models. BL_REPEAT=n runs each test n times. Usage: native/tests/run.sh [variant ...]    (plain asan tsan; default: all)
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=${BL_BUILD_DIR:-$here/../../build/native-tests}
jobs=${BL_JOBS:-2}
failed=0
summary=""

configure() { # name, sanitizers
    cmake -S "$here" -B "$build/$1" -DBL_SANITIZE="$2" -DBL_TIMEOUT="${BL_TIMEOUT:-60}" >"$build/$1.log" 2>&1 &&
        cmake --build "$build/$1" -j "$jobs" >>"$build/$1.log" 2>&1
}

run() { # name, sanitizers
    mkdir -p "$build"
    echo "== $1"
    if ! configure "$1" "$2"; then
        tail -n 40 "$build/$1.log"
        failed=1
        summary="$summary
$1: did not build"
        return
    fi
    begin=$(date +%s)
    # The thread sanitizer of some compilers does not start with a fully random address layout.
    if [ "$1" = tsan ] && setarch "$(uname -m)" -R true 2>/dev/null; then
        setarch "$(uname -m)" -R ctest --test-dir "$build/$1" --output-on-failure -j "$jobs" >"$build/$1.out" 2>&1
    else
        ctest --test-dir "$build/$1" --output-on-failure -j "$jobs" >"$build/$1.out" 2>&1
    fi
    code=$?
    result=$(grep -E 'tests passed|No tests' "$build/$1.out")
    if [ $code -ne 0 ]; then
        failed=1
        cat "$build/$1.out"
    fi
    summary="$summary
$1: ${result:-ctest failed} in $(($(date +%s) - begin)) s"
}

for variant in ${*:-plain asan tsan}; do
    case $variant in
    plain) run plain "" ;;
    asan) ASAN_OPTIONS=detect_leaks=1 run asan address,undefined ;;
    tsan) TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1" run tsan thread ;;
    *) echo "unknown variant $variant" >&2; exit 2 ;;
    esac
done
echo "$summary"
exit $failed
