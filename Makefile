# One entry point for people and CI. Everything is installed into the active virtual environment, else into .venv.
VENV ?= $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV),.venv)
PYTHON ?= python3
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest -n 2 -q
SOURCES := pyproject.toml CMakeLists.txt $(shell find brokerless compat native -name '*.py' -o -name '*.c' -o -name '*.h' 2>/dev/null)
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: demo test install dev native-test lint type packaging oracles oracle-record upstream upstream-unit mutants servers \
    stress soak compilers asan pythons freethreaded bench full clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.brokerless: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check .
	touch $@

$(VENV)/.brokerless-dev: $(VENV)/.brokerless
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[test,lint,conformance,servers]'
	# what it names as needed includes the real celery, which must not be here
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps django-celery-beat==2.9.0 \
	    django-timezone-field cron-descriptor python-crontab tzdata
	# its tests run where it installs, and say so where it does not
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check 'catzilla>=0.2'
	touch $@

install: $(VENV)/.brokerless

dev: $(VENV)/.brokerless-dev

# The main job: a report on the files of a folder. make demo FOLDER=/some/folder
demo: install
	$(BIN)/python examples/file_report.py $(FOLDER)

# The tests of every day: no services, at most three minutes on two cores.
test: dev
	BROKERLESS_CORE=native $(PYTEST) tests/unit tests/architecture
	$(PYTEST) tests/conformance tests/integration
	BROKERLESS_CORE=pure $(PYTEST) tests/unit --ignore tests/unit/native --ignore tests/unit/compiler

# The C core alone: plain, address and undefined-behaviour sanitizer, thread sanitizer.
native-test: dev
	native/tests/run.sh

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Against the installed package: checkers do not see through editable hooks. Then what they say of programs that use it.
type: dev
	cd $(VENV) && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml -p brokerless
	$(BIN)/pytest -q tests/typing

# What a wheel holds, and that it installs and works without a compiler.
packaging: dev
	$(BIN)/pytest -q tests/packaging

# The same conformance tests against the real packages, each in an environment of its own, compared with the record.
oracles:
	tools/oracles.sh

# The same, writing the record anew.
oracle-record:
	CONFORMANCE_RECORD=1 tools/oracles.sh

# Celery's and RQ's own tests with their names resolved to the shims; the scoreboards are beside the runners.
upstream: dev
	$(BIN)/python -m tests.upstream.celery.run --package .
	$(BIN)/python -m tests.upstream.rq.run

# The part of them that needs no server and no patience.
upstream-unit: dev
	$(BIN)/python -m tests.upstream.celery.run --package . --gate unit

# Named breaks of the shims, each of which the conformance tests have to notice.
mutants: dev
	$(BIN)/python -m tests.mutants.run

# gunicorn, uvicorn, Flask's and Django's servers, really started; about a minute.
servers: dev
	$(PYTEST) tests/integration/servers -m "servers or not servers"

# Random schedules and tiny sizes, one test after the other: beside each other they would not meet the races that they
# are there for. The 20,000 random functions, compiled and compared, take what the machine has left meanwhile.
stress: dev
	nice -n 5 $(PYTEST) -m stress tests/stress/test_compiler_random.py & compiled=$$!; \
	$(BIN)/pytest -q -m stress tests/stress --ignore tests/stress/test_compiler_random.py; engine=$$?; \
	wait $$compiled && exit $$engine

# The compiler's tests with each of gcc, clang (from apt where it is missing) and the ziglang wheel.
compilers:
	tools/compilers.sh

# 10 million tasks; a million limits and cancels; 1,000 forks; 3,500 random programs of RQ. Then 100,000 random functions.
soak: dev
	$(BIN)/pytest -q -m soak tests/stress --ignore tests/stress/test_compiler_random.py -o timeout=0
	$(PYTEST) -m soak tests/stress/test_compiler_random.py

# The Python suite over an extension built with the address sanitizer.
asan:
	tools/asan.sh

# The suite on every Python that is found (python3.10 and newer).
pythons:
	tools/pythons.sh

# The suite and eight threads on a CPython without a GIL: make freethreaded PYTHON_FT=/path/to/python3.13t
freethreaded:
ifdef PYTHON_FT
	PYTHON_FT="$(PYTHON_FT)" tools/freethreaded.sh
else
	@echo "NOT RUN: the tests without a GIL; name a free-threaded interpreter: make $(or $(MAKECMDGOALS),freethreaded) PYTHON_FT=…"
endif

bench: install
	$(BIN)/python benchmarks/engine.py --json benchmarks/out/engine.json

# Everything but soak. Half of it waits for servers and workers: `make -k -j2 -Otarget full` takes two thirds of the time.
full: lint type upstream test native-test packaging asan oracles servers mutants pythons compilers freethreaded stress

clean:
	rm -rf build dist .venv
