#!/bin/sh
# Runs the conformance tests against the real Celery and both real RQ releases, each in an environment of its own, and
# compares with the recorded answers; with CONFORMANCE_RECORD=1 it writes the record (rq 3.0 is the one recorded). The tests
# start the redis-server they need. The examples written for Celery and RQ run on them too.
# Arguments go to pytest: `tools/oracles.sh --tenth 0` runs a tenth of the cases, and no examples.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here"
common="pytest>=8.2 pytest-timeout pytest-xdist hypothesis psutil redis"
# Most of the time is waiting for workers and servers, so more processes than cores. A record file is one module's, and so
# written by one process.
spread="-n 4 --dist worksteal"
[ "${CONFORMANCE_RECORD:-}" = 1 ] && spread="-n 4 --dist loadfile"
export CONFORMANCE_SIDE=oracle C_FORCE_ROOT=1

# Makes environment $1 with the packages that follow.
environment() {
    name=$1
    shift
    "${PYTHON:-python3}" -m venv "$work/$name"
    "$work/$name/bin/python" -m pip install --quiet --disable-pip-version-check $common "$@"
}
# Runs pytest in environment $1.
tests() {
    name=$1
    shift
    echo "== $name"
    "$work/$name/bin/pytest" -q -o timeout=180 "$@"
}

environment celery celery==5.7.0 pydantic tblib msgpack pyyaml 'django<6' sentry-sdk opentelemetry-instrumentation-celery \
    sqlalchemy ephem freezegun django-celery-beat==2.9.0 flask
tests celery $spread tests/conformance/celery "$@"
environment rq-3.0 rq==3.0.0 croniter flask
tests rq-3.0 $spread tests/conformance/rq "$@"
[ "${CONFORMANCE_RECORD:-}" = 1 ] && exit
environment rq-2.12 rq==2.12.0 croniter flask
tests rq-2.12 $spread tests/conformance/rq "$@"
[ $# -gt 0 ] && exit
tests celery tests/integration/test_celery_django.py tests/integration/test_celery_flask.py tests/integration/test_leaving.py
for release in rq-3.0 rq-2.12; do
    tests "$release" tests/integration/test_rq_app.py
done
