#!/bin/sh
# Runs the conformance tests against the real Celery and the real RQ, each in an environment of its own, and compares
# with the recorded answers; with CONFORMANCE_RECORD=1 it writes the record. The tests start the redis-server they need.
# The examples written for Celery run on it too.
# Arguments go to pytest: `tools/oracles.sh --tenth 0` runs a tenth of the cases.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here"
common="pytest>=8.2 pytest-timeout pytest-xdist hypothesis psutil redis"
"${PYTHON:-python3}" -m venv "$work/celery"
"$work/celery/bin/python" -m pip install --quiet --disable-pip-version-check $common celery==5.7.0 pydantic tblib msgpack pyyaml \
    'django<6' sentry-sdk opentelemetry-instrumentation-celery sqlalchemy ephem freezegun \
    django-celery-beat==2.9.0 flask
C_FORCE_ROOT=1 CONFORMANCE_SIDE=oracle "$work/celery/bin/pytest" -q -o timeout=180 tests/conformance/celery "$@"
C_FORCE_ROOT=1 CONFORMANCE_SIDE=oracle "$work/celery/bin/pytest" -q -o timeout=180 \
    tests/integration/test_celery_django.py tests/integration/test_celery_flask.py tests/integration/test_leaving.py
"${PYTHON:-python3}" -m venv "$work/rq"
"$work/rq/bin/python" -m pip install --quiet --disable-pip-version-check $common rq==3.0.0 croniter
CONFORMANCE_SIDE=oracle "$work/rq/bin/pytest" -q -o timeout=180 tests/conformance/rq "$@"
