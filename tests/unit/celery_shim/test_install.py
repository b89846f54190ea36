"""``brokerless.compat.install``: names, identity, refusal, metadata; each in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from brokerless.compat.distributions import VERSIONS

from .programs import lines, python

pytest.importorskip("kombu")


def test_names_resolve_to_the_same_modules(tmp_path: Path) -> None:
    code = (
        "import brokerless.compat as c; c.install('celery'); c.install('celery')\n"
        "import celery, celery.result, celery.utils.log\n"
        "import brokerless.compat.celery_shim as s, brokerless.compat.celery_shim.result as r\n"
        "print(celery is s, celery.result is r, celery.result.AsyncResult is r.AsyncResult, c.installed())\n"
        "print(celery.__spec__.name, r.__spec__.name)"
    )
    assert lines(python(tmp_path, code)) == [
        "True True True ['celery']",
        "brokerless.compat.celery_shim brokerless.compat.celery_shim.result",
    ]


def test_module_that_celery_does_not_have(tmp_path: Path) -> None:
    code = (
        "import brokerless.compat as c; c.install('celery')\n"
        "for name in ('celery.decorators', 'celery.no_such_module'):\n"
        "    try: __import__(name)\n"
        "    except ModuleNotFoundError as e: print(e.name)"
    )
    assert lines(python(tmp_path, code)) == ["celery.decorators", "celery.no_such_module"]


def test_refuses_once_the_real_package_is_imported(tmp_path: Path) -> None:
    (tmp_path / "celery.py").write_text("class Celery: real = True\n")
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "import celery, brokerless.compat as c\n"
        "before = list(sys.meta_path)\n"
        "try: c.install('celery')\n"
        "except c.AlreadyImported as e: print(e)\n"
        "print(sys.meta_path == before, celery.Celery.real, c.installed())"
    )
    reason, after = lines(python(tmp_path, code))
    assert "celery.py" in reason
    assert "before anything imports celery" in reason
    assert "python -m brokerless run" in reason
    assert after == "True True []"


def test_a_package_without_a_shim(tmp_path: Path) -> None:
    code = "import brokerless.compat as c\ntry: c.install('dramatiq')\nexcept ValueError as e: print(e)"
    assert "'dramatiq' has no shim" in lines(python(tmp_path, code))[0]


def test_uninstall_gives_the_names_back(tmp_path: Path) -> None:
    (tmp_path / "celery.py").write_text("origin = 'real'\n")
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "import brokerless.compat as c; c.install('celery'); import celery.states; c.uninstall('celery')\n"
        "import celery; print(celery.origin, 'celery.states' in sys.modules)"
    )
    assert lines(python(tmp_path, code)) == ["real False"]


def test_metadata_that_addons_ask_for(tmp_path: Path) -> None:
    code = (
        "import importlib.metadata as m, brokerless.compat as c; c.install('celery')\n"
        "import celery\n"
        "print(m.version('celery'), celery.__version__, m.distribution('celery').metadata['Name'])\n"
        "print(m.requires('celery'), list(m.distribution('celery').entry_points), m.distribution('celery').files)\n"
        "print(sum(d.metadata['Name'] == 'celery' for d in m.distributions()))\n"
        "c.uninstall()\n"
        "print(sum(type(d).__name__ == 'ShimDistribution' for d in m.distributions()))"
    )
    version = VERSIONS["celery"]
    assert lines(python(tmp_path, code)) == [f"{version} {version} celery", "None [] None", "1", "0"]


def test_importing_starts_no_thread_and_loads_no_transport(tmp_path: Path) -> None:
    code = (
        "import sys, threading, brokerless.compat as c; c.install('celery')\n"
        "from celery import Celery, shared_task\n"
        "app = Celery('a', broker='redis://nowhere:1/0')\n"
        "shared_task(lambda: 1, name='one')\n"
        "print(threading.active_count(), 'redis' in sys.modules)"
    )
    assert lines(python(tmp_path, code)) == ["1 False"]


def test_a_program_ends_by_itself_after_its_tasks(tmp_path: Path) -> None:
    code = (
        "import os, brokerless.compat as c; c.install('celery')\n"
        "from celery import Celery\n"
        "app = Celery('a')\n"
        "@app.task\n"
        "def late(x): os.write(1, f'ran {x}\\n'.encode())\n"
        "for n in range(3): late.delay(n)\n"
        "os.write(1, b'main done\\n')"
    )
    said = lines(python(tmp_path, code))
    assert sorted(said) == ["main done", "ran 0", "ran 1", "ran 2"]


def test_no_thread_is_left_when_a_worker_has_stopped(tmp_path: Path) -> None:
    code = (
        "import threading, brokerless.compat as c; c.install('celery')\n"
        "from celery import Celery\n"
        "from celery.contrib.testing.worker import start_worker\n"
        "app = Celery('a')\n"
        "@app.task\n"
        "def add(x, y): return x + y\n"
        "waiting = add.delay(1, 2)\n"
        "print(threading.active_count(), waiting.state)\n"
        "with start_worker(app, perform_ping_check=False): print(waiting.get(timeout=30))\n"
        "print([t.name for t in threading.enumerate()])"
    )
    assert lines(python(tmp_path, code, BROKERLESS_AUTOSTART="0")) == ["1 PENDING", "3", "['MainThread']"]


def test_network_broker_is_noted_once_and_nothing_connects(tmp_path: Path) -> None:
    code = (
        "import logging, socket, brokerless.compat as c; c.install('celery')\n"
        "logging.basicConfig(format='%(levelname)s %(message)s')\n"
        "def refuse(*a, **k): raise SystemExit('connected')\n"
        "socket.socket.connect = refuse\n"
        "from celery import Celery\n"
        "app = Celery('a', broker='redis://:secret@cache:6379/0')\n"
        "@app.task\n"
        "def add(x, y): return x + y\n"
        "print(add.delay(1, 2).get(timeout=30), add.delay(3, 4).get(timeout=30), app.conf.broker_url)"
    )
    done = python(tmp_path, code)
    assert lines(done) == ["3 7 redis://:secret@cache:6379/0"]
    assert done.stderr.count("WARNING") == 1
    assert "broker_url" in done.stderr
    assert "secret" not in done.stderr


def test_versions_are_those_of_the_shims() -> None:
    from brokerless.compat import celery_shim

    assert VERSIONS["celery"] == celery_shim.__version__
    rq = pytest.importorskip("brokerless.compat.rq_shim.version", reason="this build has no rq shim")
    assert VERSIONS["rq"] == rq.VERSION
