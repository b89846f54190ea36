"""What add-ons patch or import: Sentry, OpenTelemetry, celery-once, django-celery-results; backends of one's own.

Each real add-on runs in a process of its own; on the shim side `brokerless.compat.install("celery")` comes first.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import types
from typing import Any

import pytest

from tests.conformance.recording import SIDE

from .namespace import ROOT

OPENING = "" if SIDE == "oracle" else 'import brokerless.compat\nbrokerless.compat.install("celery")\n'
COMMON = """
import json, threading
from celery import Celery, signals
app = Celery("addon", broker="memory://", backend="cache+memory://")
app.conf.broker_transport_options = {"polling_interval": 0.01}
app.conf.worker_hijack_root_logger = False

def running():
    from celery.contrib.testing.worker import start_worker  # after what an add-on patches
    options = {"pool": "threads", "concurrency": 1, "perform_ping_check": False, "loglevel": "error"}
    return start_worker(app, shutdown_timeout=30, **options)

def value(result):
    return result.get(timeout=20, interval=0.01)
"""


def run(script: str) -> Any:
    """Run a script with the add-on's imports; return its last line as JSON."""
    code = OPENING + COMMON + textwrap.dedent(script)
    environment = {**os.environ, "BROKERLESS_AUTOSTART": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tempfile.gettempdir(),
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def needs(module: str) -> pytest.MarkDecorator:
    """Skip when an add-on is not installed."""
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"{module} is not installed")


@needs("sentry_sdk")
def test_sentry_captures_errors_and_continues_traces(observed: Any) -> None:
    if importlib.util.find_spec(f"{ROOT}.beat") is None:
        pytest.skip("Sentry imports celery.beat, which comes with the second shim")
    script = """
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport
    envelopes = []
    class Memory(Transport):
        def capture_envelope(self, envelope):
            envelopes.append(envelope)
    sentry_sdk.init(
        dsn="http://a@127.0.0.1:1/1", transport=Memory, traces_sample_rate=1.0, default_integrations=False,
        integrations=[CeleryIntegration(propagate_traces=True)],
    )

    @app.task(name="bad", bind=True)
    def bad(self):
        1 / 0

    @app.task(name="ok", bind=True)
    def ok(self):
        return bool(self.request.headers and "sentry-trace" in self.request.headers)

    with running():
        with sentry_sdk.start_transaction(name="client"):
            result = bad.delay()
            traced = value(ok.delay())
        result.get(timeout=20, interval=0.01, propagate=False)
    sentry_sdk.flush()
    items = [item.payload.json for envelope in envelopes for item in envelope.items if item.payload.json]
    errors = [item["exception"]["values"][-1]["type"] for item in items if item.get("exception")]
    transactions = sorted(item["transaction"] for item in items if item.get("type") == "transaction")
    print(json.dumps([errors, transactions, traced]))
    """
    observed("seen", run(script))


def test_build_tracer_is_looked_up_late(observed: Any) -> None:
    script = """
    from celery.app import trace
    original = trace.build_tracer
    seen = []
    def patched(name, task, *args, **kwargs):
        tracer = original(name, task, *args, **kwargs)
        def traced(task_id, args, kwargs, request=None, **rest):
            seen.append([name, bool(request and "headers" in request)])
            return tracer(task_id, args, kwargs, request, **rest)
        return traced if name == "ok" else tracer
    trace.build_tracer = patched

    @app.task(name="ok")
    def ok():
        return 1

    with running():
        value(ok.delay())
    print(json.dumps(seen))
    """
    observed("seen", [entry[0] for entry in run(script)])


def test_apply_async_is_looked_up_late() -> None:
    script = """
    from celery.app.task import Task
    original = Task.apply_async
    seen = []
    def patched(self, *args, **kwargs):
        seen.append(self.name)
        return original(self, *args, **kwargs)

    @app.task(name="ok")
    def ok():
        return 1

    with running():
        value(ok.delay())
        Task.apply_async = patched
        value(ok.delay())
        value(ok.s().delay())
    print(json.dumps(seen))
    """
    assert run(script) == ["ok", "ok"]


def test_send_task_is_looked_up_late() -> None:
    script = """
    original = Celery.send_task
    seen = []
    def patched(self, name, *args, **kwargs):
        seen.append(name)
        return original(self, name, *args, **kwargs)

    @app.task(name="ok")
    def ok():
        return 1

    with running():
        Celery.send_task = patched
        value(app.send_task("ok"))
    print(json.dumps(seen))
    """
    assert run(script) == ["ok"]


@needs("opentelemetry.instrumentation.celery")
def test_opentelemetry_spans(observed: Any) -> None:
    script = """
    from opentelemetry import trace
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    names = []
    class Span(NonRecordingSpan):
        def is_recording(self):
            return True
    class Tracer(trace.Tracer):
        def start_span(self, name, *args, **kwargs):
            names.append(name)
            return Span(SpanContext(1, 2, False, TraceFlags(1)))
        def start_as_current_span(self, name, *args, **kwargs):
            names.append(name)
            return trace.use_span(Span(SpanContext(1, 2, False, TraceFlags(1))))
    class Provider(trace.TracerProvider):
        def get_tracer(self, *args, **kwargs):
            return Tracer()
    CeleryInstrumentor().instrument(tracer_provider=Provider())

    @app.task(name="ok", bind=True)
    def ok(self):
        return sorted(self.request.headers or {})

    with running():
        headers = value(ok.delay())
    print(json.dumps([names, headers]))
    """
    observed("seen", run(script))


@needs("celery_once")
def test_celery_once() -> None:
    script = """
    import tempfile
    from celery_once import QueueOnce, AlreadyQueued
    where = {"location": tempfile.mkdtemp(), "default_timeout": 60}
    app.conf.ONCE = {"backend": "celery_once.backends.File", "settings": where}

    @app.task(name="once", base=QueueOnce)
    def once(x):
        return x

    first = once.delay(1)
    try:
        once.delay(1)
        refused = False
    except AlreadyQueued:
        refused = True
    graceful = once.apply_async((1,), once={"graceful": True})
    with running():
        answers = [value(first)]
        while True:
            try:
                answers.append(value(once.delay(1)))
                break
            except AlreadyQueued:
                threading.Event().wait(0.01)
    print(json.dumps([refused, graceful if graceful is None else graceful.state, answers]))
    """
    answer = run(script)
    assert answer[0] is True
    assert answer[1] in (None, "REJECTED")
    assert answer[2] == [1, 1]


@needs("django_celery_results")
def test_django_celery_results(tmp_path: Any) -> None:
    script = f"""
    import django
    from django.conf import settings
    database = {{"ENGINE": "django.db.backends.sqlite3", "NAME": {str(tmp_path / "db.sqlite")!r}}}
    database["OPTIONS"] = {{"timeout": 20}}
    settings.configure(
        INSTALLED_APPS=["django_celery_results"], USE_TZ=True, SECRET_KEY="x", DATABASES={{"default": database}}
    )
    django.setup()
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
    app.conf.result_backend = "django-db"
    app.conf.result_extended = True

    @app.task(name="add")
    def add(x, y):
        return x + y

    @app.task(name="bad")
    def bad():
        raise ValueError("x")

    from django_celery_results.models import TaskResult
    with running():
        total = value(add.delay(1, 2))
        bad.delay().get(timeout=20, interval=0.05, propagate=False)
    rows = list(TaskResult.objects.order_by("id").values_list("task_name", "status", "result"))
    print(json.dumps([total, rows[0], rows[1][:2]]))
    """
    assert run(script) == [3, ["add", "SUCCESS", "3"], ["bad", "FAILURE"]]


def test_key_value_backend_of_ones_own(api: Any, make_app: Any, worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    base = api.mod("backends.base").KeyValueStoreBackend
    store: dict[str, Any] = {}

    class Own(base):  # type: ignore[misc]
        def get(self, key: Any) -> Any:
            return store.get(self.key(key))

        def mget(self, keys: Any) -> list[Any]:
            return [store.get(self.key(key)) for key in keys]

        def set(self, key: Any, value: Any) -> None:
            store[self.key(key)] = value

        def delete(self, key: Any) -> None:
            store.pop(self.key(key), None)

        @staticmethod
        def key(key: Any) -> str:
            return key.decode() if isinstance(key, bytes) else str(key)

    module = types.ModuleType("conformance_own_backend")
    module.Own = Own  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    app = make_app(result_backend="conformance_own_backend:Own+own://")

    @app.task
    def add(x: int) -> int:
        return x + 1

    assert type(app.backend) is Own
    with worker(app):
        result = add.delay(1)
        assert result.get(timeout=15, interval=0.005) == 2
    assert [key for key in store if key.startswith("celery-task-meta-")] == [f"celery-task-meta-{result.id}"]
    assert json.loads(store[f"celery-task-meta-{result.id}"])["result"] == 2


@pytest.mark.parametrize(
    "name",
    (
        "Backend BaseBackend BaseDictBackend KeyValueStoreBackend BaseKeyValueStoreBackend DisabledBackend "
        "SyncBackendMixin get_current_task unpickle_backend"
    ).split(),
)
def test_names_of_the_backend_module(api: Any, name: str) -> None:
    assert getattr(api.mod("backends.base"), name) is not None


@pytest.mark.parametrize(
    "path",
    """
    app.trace:build_tracer app.trace:task_has_custom app.task:Task app.task:Context app.base:Celery
    app.registry:TaskRegistry utils.log:get_task_logger utils.log:get_logger utils:cached_property
    utils:uuid utils:get_full_cls_name utils.time:maybe_make_aware utils.time:maybe_timedelta
    utils.time:humanize_seconds utils.imports:symbol_by_name utils.imports:instantiate
    utils.nodenames:gethostname utils.serialization:b64encode utils.serialization:b64decode
    utils.serialization:get_pickleable_exception utils.collections:force_mapping utils.dispatch:Signal
    worker.request:Request worker:WorkController worker.control:control_command
    worker.control:inspect_command worker.state:revoked concurrency.base:BasePool local:Proxy
    local:PromiseProxy loaders.base:BaseLoader loaders.app:AppLoader contrib.testing.manager:Manager
    app.defaults:DEFAULTS app.log:Logging platforms:EX_OK backends.cache:CacheBackend
    backends.cache:DummyClient fixups.django:DjangoFixup schedules:crontab registry:tasks
    result:result_from_tuple
    """.split(),
)
def test_names_that_others_import(api: Any, path: str) -> None:
    module, _, name = path.partition(":")
    assert getattr(api.mod(module), name) is not None
