"""The helpers of `rq.utils` that programs and add-ons import: times, timeouts, dotted paths, class look-ups.

Nothing here touches the store.
"""

from __future__ import annotations

import builtins
import calendar
import datetime
import importlib
import inspect
import json
import logging
import numbers
import os
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from enum import Enum
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

from .exceptions import TimeoutFormatError
from .runtime import clock

if TYPE_CHECKING:
    pass

_T = TypeVar("_T")

logger = logging.getLogger("rq.utils")

NOT_JSON_SERIALIZABLE = "<not JSON serializable>"
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_OLD_TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_PACKAGE = __name__.rpartition(".")[0]


class Platform(Enum):
    """Kinds of operating system."""

    WINDOWS = "windows"
    MAC = "mac"
    LINUX = "linux"
    OTHERS = "others"


def get_platform() -> Platform:
    """The kind that this process runs on."""
    name = sys.platform.lower()
    if name.startswith("win"):
        return Platform.WINDOWS
    if name == "darwin":
        return Platform.MAC
    return Platform.LINUX if name.startswith("linux") else Platform.OTHERS


def resolve_function_reference(func: Any) -> tuple[Any, str]:
    """(object that the method belongs to or None, name) of anything that can be enqueued."""
    if isinstance(func, str):
        return None, func
    if inspect.ismethod(func):
        return func.__self__, func.__name__
    if isinstance(func, (FunctionType, BuiltinFunctionType)):
        return None, f"{func.__module__}.{func.__qualname__}"
    if not inspect.isclass(func) and callable(func):
        return func, "__call__"
    raise TypeError(f"Expected a callable or a string, but got: {func}")


def compact(lst: Iterable[_T | None]) -> list[_T]:
    """Without the Nones."""
    return [item for item in lst if item is not None]


def as_text(v: Any) -> str:
    """str of bytes or str; ValueError for anything else."""
    if isinstance(v, str):
        return v
    if isinstance(v, bytes):
        return v.decode("utf-8")
    raise ValueError(f"Unknown type {type(v)!r}")


def decode_redis_hash(h: dict[Any, Any], *, decode_values: bool = False) -> dict[str, Any]:
    """A hash with text keys, and text values if asked for."""
    return {as_text(key): as_text(value) if decode_values else value for key, value in h.items()}


def safe_json_dumps(value: Any) -> str:
    """JSON, or a note that there is none."""
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return NOT_JSON_SERIALIZABLE


def _module_of(name: str) -> Any:
    module = sys.modules.get(name)
    if module is not None:
        return module
    # RQ's own names mean this package where `rq` is neither aliased nor installed.
    root, _, rest = name.partition(".")
    if root == "rq" and "rq" not in sys.modules:
        try:
            return importlib.import_module(f"{_PACKAGE}.{rest}" if rest else _PACKAGE)
        except ImportError:
            pass
    if root == "redis" and "redis" not in sys.modules:
        try:
            return importlib.import_module(name)
        except ImportError:
            return importlib.import_module(f"{_PACKAGE}.{name}")
    return importlib.import_module(name)


def import_attribute(name: str) -> Any:
    """What a dotted path names: a module's attribute, or an attribute of a class in a module. ValueError if nothing."""
    parts = name.split(".")
    module = None
    split = len(parts) - 1
    while split > 0:
        try:
            module = _module_of(".".join(parts[:split]))
            break
        except ImportError:
            split -= 1
    if module is None:
        try:
            return getattr(builtins, name)
        except AttributeError:
            raise ValueError(f"Invalid attribute name: {name}") from None
    rest = parts[split:]
    owner = module
    for part in rest[:-1]:
        try:
            owner = getattr(owner, part)
        except AttributeError:
            raise ValueError(f"Invalid attribute name: {rest[-1]}") from None
    try:
        return getattr(owner, rest[-1])
    except AttributeError:
        raise ValueError(f"Invalid attribute name: {name if len(rest) > 1 else rest[-1]}") from None


def _import_class(name: str, kind: str, base: Callable[[], type]) -> Any:
    found = import_attribute(name)
    if not isinstance(found, type) or not issubclass(found, base()):
        raise ValueError(f"Invalid {kind} class: {name}")
    return found


def import_worker_class(name: str) -> Any:
    """The worker class of that path; ValueError if it is none."""

    def base() -> type:
        from .worker import BaseWorker

        return BaseWorker

    return _import_class(name, "worker", base)


def import_job_class(name: str) -> Any:
    """The job class of that path; ValueError if it is none."""

    def base() -> type:
        from .job import Job

        return Job

    return _import_class(name, "job", base)


def import_queue_class(name: str) -> Any:
    """The queue class of that path; ValueError if it is none."""

    def base() -> type:
        from .queue import Queue

        return Queue

    return _import_class(name, "queue", base)


def normalize_config_path(config_path: str) -> str:
    """A file path as a dotted module path; dotted paths stay."""
    if os.path.sep not in config_path and not config_path.endswith(".py"):
        return config_path
    stem = config_path[:-3] if config_path.endswith(".py") else config_path
    return stem.removeprefix(os.path.sep).replace(os.path.sep, ".")


def validate_absolute_path(file_path: str) -> str:
    """The path, if a file is there."""
    if not os.path.exists(file_path):
        raise FileNotFoundError(f"Configuration file not found at '{file_path}'")
    if not os.path.isfile(file_path):
        raise IsADirectoryError(f"Configuration path points to a directory, not a file: '{file_path}'")
    return file_path


def now() -> datetime.datetime:
    """The present, aware, in UTC."""
    return clock.now()


def utcformat(dt: datetime.datetime) -> str:
    """A time as RQ writes it into its hashes."""
    return dt.strftime(_TIMESTAMP_FORMAT)


def utcparse(string: str) -> datetime.datetime:
    """What `utcformat` wrote, with or without the microseconds."""
    try:
        parsed = datetime.datetime.strptime(string, _TIMESTAMP_FORMAT)
    except ValueError:
        parsed = datetime.datetime.strptime(string, _OLD_TIMESTAMP_FORMAT)
    return parsed.replace(tzinfo=datetime.timezone.utc)


def is_nonstring_iterable(obj: Any) -> bool:
    """Iterable, and not a str."""
    return isinstance(obj, Iterable) and not isinstance(obj, str)


def ensure_job_list(obj: Any) -> list[Any]:
    """A list: of the items if it is iterable and no str, else of the object."""
    return list(obj) if is_nonstring_iterable(obj) else [obj]


def current_timestamp() -> int:
    """Whole seconds since the epoch."""
    return calendar.timegm(now().utctimetuple())


def backend_class(holder: Any, default_name: str, override: Any = None) -> Any:
    """The holder's class of that name, or the one given by path or as it is."""
    if override is None:
        return getattr(holder, default_name)
    return import_attribute(override) if isinstance(override, str) else override


def str_to_date(date_str: bytes | str) -> datetime.datetime:
    """A stored time, from text or bytes."""
    if not date_str:
        raise ValueError("Empty string or bytestring provided")
    return utcparse(as_text(date_str))


def parse_timeout(timeout: Any) -> int | None:
    """Seconds from a number, digits, or digits with d, h, m or s; None stays None."""
    if timeout is None or type(timeout) is int:
        return timeout
    if isinstance(timeout, numbers.Integral):
        return int(timeout)
    try:
        return int(timeout)
    except ValueError:
        pass
    try:
        return int(timeout[:-1]) * _UNITS[timeout[-1:].lower()]
    except (ValueError, KeyError):
        raise TimeoutFormatError(
            "Timeout must be an integer or a string representing an integer, or a string with format: digits + unit, "
            'unit can be "d", "h", "m", "s", such as "1h", "23m".'
        ) from None


def get_version(connection: Any) -> tuple[int, int, int]:
    """The version of the server that is stood in for, for programs that ask."""
    from .connections import Redis

    if not isinstance(connection, Redis):
        return (7, 0, 0)
    parts = [int(part) for part in str(connection.info("server")["redis_version"]).split(".")[:3]]
    major, minor, patch = (*parts, 0, 0)[:3]
    return major, minor, patch


def ceildiv(a: int, b: int) -> int:
    """Division, rounded up."""
    return -(-a // b)


def split_list(a_list: Sequence[_T], segment_size: int) -> Generator[Sequence[_T], None, None]:
    """Pieces of at most that size."""
    for start in range(0, len(a_list), segment_size):
        yield a_list[start : start + segment_size]


def truncate_long_string(data: str, max_length: int | None = None) -> str:
    """Cut, with three dots where something is missing."""
    if max_length is None or len(data) <= max_length:
        return data
    return data[:max_length] + "..."


def get_call_string(
    func_name: str | None, args: Any, kwargs: dict[Any, Any], max_length: int | None = None
) -> str | None:
    """A call as text: positional arguments, then keywords sorted; each argument cut to `max_length`."""
    if func_name is None:
        return None
    parts = [truncate_long_string(repr(arg), max_length) for arg in args]
    parts += sorted(f"{key}={truncate_long_string(repr(value), max_length)}" for key, value in kwargs.items())
    return f"{func_name}({', '.join(parts)})"


def parse_names(queues_or_names: Iterable[Any]) -> list[str]:
    """Names of queues that are given by name or as objects."""
    from .queue import Queue

    return [item.name if isinstance(item, Queue) else str(item) for item in queues_or_names]


def get_connection_from_queues(queues_or_names: Any) -> Any:
    """The connection of the first queue object; None when there are only names."""
    from .queue import Queue

    for item in queues_or_names:
        if isinstance(item, Queue):
            return item.connection
    return None


def parse_composite_key(composite_key: str) -> tuple[str, str]:
    """(job id, execution id) of "job:execution"."""
    job_id, colon, execution_id = composite_key.partition(":")
    if not colon:
        warnings.warn(
            f"Composite key must contain job_id:execution_id, got {composite_key}", DeprecationWarning, stacklevel=2
        )
    return job_id, execution_id


def missing_keys(connection: Any, keys: Sequence[str]) -> list[str]:
    """Those keys that do not exist."""
    return [key for key in keys if not connection.exists(key)]
