"""All signals under Celery's names.

Which thread sends which one, and when, is the business of ``app.trace`` and ``runtime``. The eventlet signals exist
for code that connects to them; nothing sends them.
"""

from __future__ import annotations

from .utils.dispatch import Signal

_SIGNALS: dict[str, str] = {
    "before_task_publish": "body exchange routing_key headers properties declare retry_policy",
    "after_task_publish": "body exchange routing_key",
    "task_received": "request",
    "task_prerun": "task_id task args kwargs",
    "task_postrun": "task_id task args kwargs retval",
    "task_success": "result runtime",
    "task_retry": "request reason einfo",
    "task_failure": "task_id exception args kwargs traceback einfo",
    "task_internal_error": "task_id args kwargs request exception traceback einfo",
    "task_revoked": "request terminated signum expired",
    "task_rejected": "message exc",
    "task_unknown": "message exc name id",
    "task_sent": "task_id task args kwargs eta taskset",
    "celeryd_init": "instance conf options",
    "celeryd_after_setup": "instance conf",
    "import_modules": "",
    "worker_init": "",
    "worker_before_create_process": "",
    "worker_process_init": "",
    "worker_process_shutdown": "",
    "worker_ready": "",
    "worker_shutdown": "",
    "worker_shutting_down": "",
    "heartbeat_sent": "",
    "setup_logging": "loglevel logfile format colorize",
    "after_setup_logger": "logger loglevel logfile format colorize",
    "after_setup_task_logger": "logger loglevel logfile format colorize",
    "beat_init": "",
    "beat_embedded_init": "",
    "eventlet_pool_started": "",
    "eventlet_pool_preshutdown": "",
    "eventlet_pool_postshutdown": "",
    "eventlet_pool_apply": "target args kwargs",
    "user_preload_options": "app options",
}


def _signal(name: str) -> Signal:
    return Signal(name=name, providing_args=set(_SIGNALS[name].split()))


before_task_publish = _signal("before_task_publish")
after_task_publish = _signal("after_task_publish")
task_received = _signal("task_received")
task_prerun = _signal("task_prerun")
task_postrun = _signal("task_postrun")
task_success = _signal("task_success")
task_retry = _signal("task_retry")
task_failure = _signal("task_failure")
task_internal_error = _signal("task_internal_error")
task_revoked = _signal("task_revoked")
task_rejected = _signal("task_rejected")
task_unknown = _signal("task_unknown")
task_sent = _signal("task_sent")
celeryd_init = _signal("celeryd_init")
celeryd_after_setup = _signal("celeryd_after_setup")
import_modules = _signal("import_modules")
worker_init = _signal("worker_init")
worker_before_create_process = _signal("worker_before_create_process")
worker_process_init = _signal("worker_process_init")
worker_process_shutdown = _signal("worker_process_shutdown")
worker_ready = _signal("worker_ready")
worker_shutdown = _signal("worker_shutdown")
worker_shutting_down = _signal("worker_shutting_down")
heartbeat_sent = _signal("heartbeat_sent")
setup_logging = _signal("setup_logging")
after_setup_logger = _signal("after_setup_logger")
after_setup_task_logger = _signal("after_setup_task_logger")
beat_init = _signal("beat_init")
beat_embedded_init = _signal("beat_embedded_init")
eventlet_pool_started = _signal("eventlet_pool_started")
eventlet_pool_preshutdown = _signal("eventlet_pool_preshutdown")
eventlet_pool_postshutdown = _signal("eventlet_pool_postshutdown")
eventlet_pool_apply = _signal("eventlet_pool_apply")
user_preload_options = _signal("user_preload_options")

__all__ = tuple(name for name in _SIGNALS if name not in ("import_modules", "task_sent", "user_preload_options"))
