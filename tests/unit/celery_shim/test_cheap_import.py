"""What an import and a first task do not load: half of an import was once packages that most programs never use."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile

import pytest

#: Loading any of these takes longer than all of the shim, or brings in one that does.
HEAVY = (
    "amqp",
    "billiard",
    "click",
    "concurrent.futures.process",
    "croniter",
    "email",
    "importlib.metadata",
    "kombu",
    "multiprocessing",
    "pathlib",
    "pprint",
    "socket",
    "ssl",
    "uuid",
    "vine",
    "yaml",
    "zoneinfo",
)
#: The engine has these; an import alone does without.
IMPORT_ONLY = (
    "asyncio",
    "concurrent.futures",
    "dataclasses",
    "hashlib",
    "inspect",
    "random",
    "brokerless.engine",
    "brokerless.compat.celery_shim.beat",
    "brokerless.compat.celery_shim.canvas",
    "brokerless.compat.celery_shim.schedules",
    "brokerless.compat.celery_shim.worker",
)

IMPORT = "from brokerless.compat.celery_shim import Celery"
FIRST_TASK = """
app = Celery("cheap", broker="redis://127.0.0.1:1/0")

@app.task(name="cheap.add")
def add(left, right):
    return left + right

assert add.delay(1, right=2).get(timeout=60) == 3
"""
SHOW = "import json, os, sys; print(json.dumps(sorted(sys.modules)), flush=True); os._exit(0)"


def _loaded(program: str) -> set[str]:
    """The modules of a fresh process after it has run the program."""
    # not in the repository's root, where the package lies without its extension
    with tempfile.TemporaryDirectory() as folder:
        shown = subprocess.run(
            [sys.executable, "-c", f"{program}\n{SHOW}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return set(json.loads(shown.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """What the interpreter of these tests loads by itself: `.pth` files and `sitecustomize` are not ours."""
    return _loaded("")


def test_an_import_loads_nothing_heavy(bare: set[str]) -> None:
    loaded = _loaded(IMPORT)
    assert "brokerless.compat.celery_shim.app.base" in loaded
    assert not (loaded - bare) & {*HEAVY, *IMPORT_ONLY}


def test_a_first_task_loads_nothing_of_a_broker(bare: set[str]) -> None:
    loaded = _loaded(IMPORT + FIRST_TASK)
    assert "brokerless.engine" in loaded
    assert not (loaded - bare) & set(HEAVY)


@pytest.mark.parametrize(
    ("borrowed", "owner"),
    [
        ("exceptions.OperationalError", "kombu.exceptions.OperationalError"),
        ("exceptions.SoftTimeLimitExceeded", "billiard.exceptions.SoftTimeLimitExceeded"),
        ("exceptions.TimeLimitExceeded", "billiard.exceptions.TimeLimitExceeded"),
        ("exceptions.Terminated", "billiard.exceptions.Terminated"),
        ("exceptions.WorkerLostError", "billiard.exceptions.WorkerLostError"),
        ("app.task.Task.OperationalError", "kombu.exceptions.OperationalError"),
        ("app.trace.ExceptionInfo", "billiard.einfo.ExceptionInfo"),
        ("app.trace.EncodeError", "kombu.exceptions.EncodeError"),
        ("utils.functional.LRUCache", "kombu.utils.functional.LRUCache"),
        ("utils.functional.lazy", "kombu.utils.functional.lazy"),
        ("utils.functional.memoize", "kombu.utils.functional.memoize"),
        ("utils.functional.mlazy.__base__", "kombu.utils.functional.lazy"),
    ],
)
def test_a_borrowed_name_is_the_owners_own(borrowed: str, owner: str) -> None:
    def found(path: str) -> object:
        module, _, name = path.partition(":")
        value: object = __import__(module, fromlist=["x"])
        for part in name.split("."):
            value = getattr(value, part)
        return value

    modules = ("exceptions", "app.task", "app.trace", "utils.functional")
    ours = next(name for name in modules if borrowed.startswith(name + "."))
    package, _, last = owner.rpartition(".")
    assert found(f"brokerless.compat.celery_shim.{ours}:{borrowed[len(ours) + 1 :]}") is found(f"{package}:{last}")


def test_a_star_import_gives_the_borrowed_names_too() -> None:
    names: dict[str, object] = {}
    exec("from brokerless.compat.celery_shim.exceptions import *", names)
    exec("from brokerless.compat.celery_shim.utils.functional import *", names)
    assert {"OperationalError", "SoftTimeLimitExceeded", "LRUCache", "mlazy"} <= names.keys()


def test_nothing_is_found_that_nobody_has() -> None:
    from brokerless.compat.celery_shim import exceptions

    with pytest.raises(AttributeError, match="no attribute 'NoSuchError'"):
        _ = exceptions.NoSuchError  # type: ignore[attr-defined]
