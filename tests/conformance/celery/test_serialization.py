"""What the callee and the caller see of values: JSON and other serializers, content types, isolation.

Exceptions have test_results_exceptions.py.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import Any

import pytest
from kombu.exceptions import EncodeError

from .waiting import until, value_of

UTC = dt.timezone.utc
VALUES: dict[str, Any] = {
    "none": None,
    "bool": True,
    "int": 7,
    "big int": 2**80,
    "float": 2.5,
    "text": "grün \u2028",
    "bytes": b"\x00\xff",
    "list": [1, [2]],
    "tuple": (1, (2,)),
    "int keys": {1: "a", 2: {3: "b"}},
    "none key": {None: 1, True: 2, 2.5: 3},
    "datetime": dt.datetime(2026, 1, 2, 3, 4, 5, 6),
    "aware": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "offset": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=2))),
    "date": dt.date(2026, 1, 2),
    "time": dt.time(1, 2, 3),
    "uuid": uuid.UUID(int=5),
    "decimal": decimal.Decimal("1.50"),
    "nested": {"a": [dt.date(2026, 1, 2), (decimal.Decimal(1), b"x")]},
    "empty": [[], {}, "", ()],
    "nan": float("inf"),
}
REFUSED: dict[str, Any] = {
    "set": {1, 2},
    "timedelta": dt.timedelta(seconds=1),
    "object": object(),
    "function": max,
    "complex": 1j,
    "range": range(3),
    "nested set": {"a": [{1}]},
}


@pytest.fixture
def look(app: Any) -> Any:
    """A task that describes its argument."""

    @app.task(name="look")
    def look(x: Any) -> list[str]:
        return [type(x).__name__, repr(x)]

    return look


@pytest.mark.parametrize("name", VALUES)
def test_argument(app: Any, worker: Any, look: Any, observed: Any, name: str) -> None:
    with worker(app):
        observed("seen", value_of(look.delay(VALUES[name])))
        observed("as keyword", value_of(look.apply_async(kwargs={"x": VALUES[name]})))


@pytest.mark.parametrize("name", VALUES)
def test_result(app: Any, worker: Any, observed: Any, name: str) -> None:
    @app.task
    def make() -> Any:
        return VALUES[name]

    with worker(app):
        value = value_of(make.delay())
        observed("seen", [type(value).__name__, repr(value)])


def test_an_unknown_type_mark_in_a_result(app: Any, worker: Any) -> None:
    from kombu.exceptions import DecodeError

    @app.task
    def make() -> Any:
        return {"__type__": "mine", "__value__": 1}

    with worker(app), pytest.raises(DecodeError):
        value_of(make.delay())


def test_an_unknown_type_mark_in_an_argument(app: Any, worker: Any, look: Any, observed: Any) -> None:
    with worker(app, concurrency=1):
        result = look.delay({"__type__": "mine", "__value__": 1})
        value_of(look.delay(1))
        if observed.differs("celery-every-task-ends"):
            until(result.ready)
            assert result.state == "FAILURE"
        else:
            assert result.state == "PENDING"


@pytest.mark.parametrize("name", REFUSED)
def test_refused_argument(look: Any, name: str) -> None:
    with pytest.raises(EncodeError):
        look.delay(REFUSED[name])
    with pytest.raises(EncodeError):
        look.apply_async(kwargs={"x": REFUSED[name]})


@pytest.mark.parametrize(
    "kind",
    ["int subclass", "str subclass", "dict subclass", "list subclass", "named tuple", "enum", "int enum", "str enum"],
)
def test_subclasses(app: Any, worker: Any, look: Any, observed: Any, kind: str) -> None:
    import collections
    import enum

    value = {
        "int subclass": type("I", (int,), {})(3),
        "str subclass": type("S", (str,), {})("s"),
        "dict subclass": collections.OrderedDict(a=1),
        "list subclass": type("L", (list,), {})([1]),
        "named tuple": collections.namedtuple("P", "x y")(1, 2),
        "enum": enum.Enum("E", "A").A,
        "int enum": enum.IntEnum("E", "A").A,
        "str enum": enum.Enum("T", {"A": "a"}, type=str).A,
    }[kind]
    with worker(app):
        try:
            observed("seen", value_of(look.delay(value)))
        except EncodeError:
            observed("refused", True)


def test_the_callee_has_a_copy(app: Any, worker: Any) -> None:
    given = {"a": [1]}

    @app.task
    def change(x: Any) -> Any:
        x["a"].append(2)
        return x

    with worker(app):
        assert value_of(change.delay(given)) == {"a": [1, 2]}
    assert given == {"a": [1]}


@pytest.mark.manual
def test_the_copy_is_made_at_the_call(app: Any, worker: Any, look: Any) -> None:
    given = [1]
    result = look.delay(given)
    given.append(2)
    with worker(app):
        assert value_of(result) == ["list", "[1]"]


def test_the_caller_has_a_copy_of_the_result(app: Any, worker: Any) -> None:
    kept: list[Any] = []

    @app.task
    def make() -> Any:
        kept.append([1])
        return kept[0]

    with worker(app):
        value = value_of(make.delay())
    assert value == kept[0]
    assert value is not kept[0]


def test_two_readers_of_a_result(app: Any, worker: Any) -> None:
    @app.task
    def make() -> Any:
        return [1]

    with worker(app):
        result = make.delay()
        value_of(result).append(2)
        assert value_of(app.AsyncResult(result.id)) == [1]


def test_a_retry_has_a_fresh_copy(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def change(self: Any, x: list[int]) -> list[int]:
        if not self.request.retries:
            raise self.retry(countdown=0)
        x.append(2)
        return x

    with worker(app, concurrency=1):
        assert value_of(change.delay([1])) == [1, 2]


@pytest.mark.parametrize("name", ["set", "object function", "tuple"])
def test_pickle(make_app: Any, worker: Any, observed: Any, name: str) -> None:
    app = make_app(task_serializer="pickle", result_serializer="pickle", accept_content=["pickle", "json"])
    value = {"set": {1, 2}, "object function": max, "tuple": (1, (2,))}[name]

    @app.task
    def echo(x: Any) -> Any:
        return x

    with worker(app):
        back = value_of(echo.delay(value))
        assert back == value
        assert type(back) is type(value)


def test_yaml(make_app: Any, worker: Any) -> None:
    app = make_app(task_serializer="yaml", result_serializer="yaml", accept_content=["yaml", "json"])

    @app.task
    def echo(x: Any) -> Any:
        return x

    with worker(app):
        assert value_of(echo.delay({"a": [1, 2.5]})) == {"a": [1, 2.5]}


def test_msgpack(make_app: Any, worker: Any) -> None:
    app = make_app(task_serializer="msgpack", result_serializer="msgpack", accept_content=["msgpack", "json"])

    @app.task
    def echo(x: Any) -> Any:
        return x

    with worker(app):
        assert value_of(echo.delay({"a": [1, "x"]})) == {"a": [1, "x"]}


def test_serializer_of_the_task_and_the_call(make_app: Any, worker: Any) -> None:
    app = make_app(accept_content=["pickle", "json"])

    @app.task(serializer="pickle")
    def kind(x: Any) -> str:
        return type(x).__name__

    with worker(app):
        assert value_of(kind.delay((1,))) == "tuple"
        assert value_of(kind.apply_async(((1,),), serializer="json")) == "list"


def test_unknown_serializer(look: Any, observed: Any) -> None:
    with pytest.raises(Exception) as caught:
        look.apply_async((1,), serializer="nothing-of-that-name")
    observed("class", type(caught.value).__name__)


def test_content_that_is_not_accepted(app: Any, worker: Any, look: Any) -> None:
    """Only JSON is accepted: the message is refused by the worker and nothing is stored."""
    with worker(app, concurrency=1):
        refused = look.apply_async(((1,),), serializer="pickle")
        assert value_of(look.delay(1)) == ["int", "1"]
        assert refused.state == "PENDING"


def test_registered_json_type(app: Any, worker: Any, look: Any) -> None:
    from kombu.utils import json as kombu_json

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

        def __repr__(self) -> str:
            return f"Point({self.x})"

    kombu_json.register_type(Point, "conformance-point", lambda p: p.x, Point)
    try:
        with worker(app):
            assert value_of(look.delay(Point(3))) == ["Point", "Point(3)"]
    finally:
        kombu_json._encoders.pop(Point, None)
        kombu_json._decoders.pop("conformance-point", None)


def test_json_method(app: Any, worker: Any, look: Any) -> None:
    class Custom:
        def __json__(self) -> dict[str, int]:
            return {"x": 1}

    with worker(app):
        assert value_of(look.delay(Custom())) == ["dict", "{'x': 1}"]


def test_result_accept_content(make_app: Any, worker: Any) -> None:
    app = make_app(result_serializer="pickle", accept_content=["json"], result_accept_content=["pickle"])

    @app.task
    def make() -> Any:
        return {1, 2}

    with worker(app):
        assert value_of(make.delay()) == {1, 2}


def test_state_meta_is_serialized(app: Any, worker: Any) -> None:
    seen: list[Any] = []

    @app.task(bind=True)
    def progress(self: Any) -> None:
        self.update_state(state="P", meta={"t": (1, 2), 3: decimal.Decimal("1.5")})
        seen.append(self.AsyncResult(self.request.id).info)

    with worker(app):
        value_of(progress.delay())
    assert seen == [{"t": [1, 2], "3": decimal.Decimal("1.5")}]


def test_unserializable_meta(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def progress(self: Any) -> None:
        self.update_state(state="P", meta={1, 2})

    with worker(app):
        result = progress.delay()
        until(result.ready)
        assert isinstance(result.get(propagate=False), EncodeError)


def test_headers_travel_as_values(app: Any, worker: Any) -> None:
    @app.task(bind=True)
    def read(self: Any) -> Any:
        return self.request.headers

    given = {"a": [1, 2], "b": {"c": "d"}}
    with worker(app):
        assert value_of(read.apply_async(headers=given)) == given


@pytest.mark.parametrize("size", [10, 10_000, 200_000])
def test_sizes(app: Any, worker: Any, size: int) -> None:
    @app.task
    def length(x: Any) -> int:
        return len(x)

    with worker(app):
        assert value_of(length.delay(list(range(size)))) == size


@pytest.mark.parametrize("depth", [10, 100])
def test_depths(app: Any, worker: Any, depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]

    @app.task
    def count(x: Any) -> int:
        levels = 0
        while isinstance(x, list):
            x, levels = x[0], levels + 1
        return levels

    with worker(app):
        assert value_of(count.delay(value)) == depth


def test_a_cycle_is_refused(look: Any) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises((EncodeError, ValueError, RecursionError)):
        look.delay(value)


def test_signature_as_argument(app: Any, worker: Any, look: Any) -> None:
    @app.task
    def run(signature: dict[str, Any]) -> Any:
        return [signature["task"], signature["args"]]

    with worker(app):
        assert value_of(run.delay(look.s(1))) == ["look", [1]]
