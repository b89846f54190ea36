"""The helpers of rq.utils that add-ons import."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from . import jobs
from .watch import outcome


@pytest.fixture
def utils(rq):
    """Return the module rq.utils."""
    return rq.module("utils")


@pytest.mark.parametrize(
    "value", [None, 5, 0, -1, "5", "12", "1h", "2M", "3s", "1d", "x", "1w", "", "1.5", 1.9, "-1", " 7 "], ids=repr
)
def test_parse_timeout(utils, observed, value):
    observed("answer", outcome(lambda: utils.parse_timeout(value)))


@pytest.mark.parametrize(
    "name",
    [
        "tests.conformance.rq.jobs.add",
        "tests.conformance.rq.jobs.Greeter.whisper",
        "len",
        "no.such",
        "nothing_here",
        "tests.conformance.rq.jobs.missing",
        "tests.conformance.rq.jobs.Greeter.missing",
    ],
)
def test_import_attribute(utils, observed, name):
    observed("answer", outcome(lambda: utils.import_attribute(name).__name__))


@pytest.mark.parametrize("value", [b"a", "b", None, 3], ids=repr)
def test_as_text(utils, observed, value):
    observed("answer", outcome(lambda: utils.as_text(value)))


@pytest.mark.parametrize("kind", ["job", "queue", "worker"])
@pytest.mark.parametrize("name", ["good", "tests.conformance.rq.jobs.Greeter", "tests.conformance.rq.jobs.add"])
def test_import_classes(rq, utils, observed, kind, name):
    path = {"job": "job.Job", "queue": "queue.Queue", "worker": "worker.Worker"}[kind]
    given = f"{rq.module().__name__}.{path}" if name == "good" else name
    observed("answer", outcome(lambda: getattr(utils, f"import_{kind}_class")(given).__name__))


def test_dates(utils, observed):
    moment = datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=timezone.utc)
    observed("format", utils.utcformat(moment))
    assert utils.utcparse(utils.utcformat(moment)) == moment
    assert utils.str_to_date(utils.utcformat(moment).encode()) == moment
    assert utils.utcparse("2030-01-02T03:04:05Z") == moment.replace(microsecond=0)
    observed("empty", outcome(lambda: utils.str_to_date(b"")))
    assert utils.now().tzinfo is timezone.utc
    assert isinstance(utils.current_timestamp(), int)


@pytest.mark.parametrize("value", ["a", ["a", "b"], ("a",), [], {"a"}], ids=repr)
def test_ensure_job_list(utils, observed, value):
    observed("answer", utils.ensure_job_list(value))


def test_split_and_divide(utils, observed):
    observed("split", list(utils.split_list([1, 2, 3, 4, 5], 2)))
    observed("divide", [utils.ceildiv(4, 2), utils.ceildiv(5, 2), utils.ceildiv(0, 3)])


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [("f", (), {}), ("f", (1, "a"), {"b": 2}), (None, (1,), {}), ("f", ("x" * 200,), {}), ("f", (), {"z": 1, "a": 2})],
    ids=["empty", "both", "none", "long", "sorted"],
)
def test_call_string(utils, observed, name, args, kwargs):
    observed("plain", utils.get_call_string(name, args, kwargs))
    observed("cut", utils.get_call_string(name, args, kwargs, max_length=10))


def test_truncate(utils, observed):
    observed("texts", [utils.truncate_long_string("abcdef", size) for size in (None, 3, 6, 10)])


def test_decode_hash(utils, observed):
    observed("keys", utils.decode_redis_hash({b"a": b"1", "b": b"2"}))
    observed("values", utils.decode_redis_hash({b"a": b"1"}, decode_values=True))


def test_backend_class(rq, utils, observed):
    class Holder:
        job_class = int

    observed("own", utils.backend_class(Holder, "job_class").__name__)
    observed("given", utils.backend_class(Holder, "job_class", override=str).__name__)
    observed("named", utils.backend_class(Holder, "job_class", override="tests.conformance.rq.jobs.Greeter").__name__)


def test_is_nonstring_iterable(utils, observed):
    observed("answers", [utils.is_nonstring_iterable(value) for value in ("a", ["a"], 3, b"x", {})])


@pytest.mark.parametrize("path", ["a/b.py", "a.b", "a/b", "a.py"])
def test_normalize_config_path(utils, observed, path):
    observed("answer", outcome(lambda: utils.normalize_config_path(path)))


def test_validate_absolute_path(utils, tmp_path, observed):
    (tmp_path / "x.py").write_text("")
    assert utils.validate_absolute_path(str(tmp_path / "x.py")) == str(tmp_path / "x.py")
    observed("missing", outcome(lambda: utils.validate_absolute_path(str(tmp_path / "y.py"))).split(":")[0])
    observed("folder", outcome(lambda: utils.validate_absolute_path(str(tmp_path))).split(":")[0])


def test_version_of_the_server(utils, connection, observed):
    version = utils.get_version(connection)
    assert len(version) == 3
    assert version >= (5, 0, 0)


def test_job_functions_are_importable(utils):
    assert utils.import_attribute(f"{jobs.__name__}.add") is jobs.add
