"""Which upstream files are run, in which gate they count, and what is not counted, with the reason.

The classifier of fairness.py decides per function; EXCLUDED and the file lists below are what it cannot know.
"""

from __future__ import annotations

from dataclasses import dataclass

UNIT = "unit"
INTEGRATION = "integration"
APP = "app utils routes annotations registry exceptions celery defaults log loaders builtins backends schedules beat"
UTILS = (
    "annotations collections deprecated dispatcher functional graph imports iso8601 local nodenames objects pickle "
    "saferepr serialization text threads time utils"
)


@dataclass(frozen=True)
class Gate:
    """Files whose fair functions must pass to a share of `least`."""

    name: str
    least: float
    files: tuple[str, ...]


GATES = (
    Gate(
        UNIT,
        0.95,
        tuple(
            f"t/unit/{name}.py"
            for name in (
                *(f"tasks/test_{noun}" for noun in "tasks result context states canvas stamping chord".split()),
                "test_canvas",
                "test_generics",
                *(f"app/test_{noun}" for noun in APP.split()),
                *(
                    f"contrib/{noun}"
                    for noun in "test_abortable test_worker test_pytest test_manager django/test_task".split()
                ),
                "fixups/test_django",
                *(f"events/test_{noun}" for noun in "state events snapshot".split()),
                *(f"utils/test_{noun}" for noun in UTILS.split()),
            )
        ),
    ),
    Gate(
        INTEGRATION,
        0.90,
        tuple(f"t/integration/test_{noun}.py" for noun in "tasks canvas group_chains inspect loader beat".split()),
    ),
)

FILES_LEFT_OUT = {
    "t/unit/contrib/test_migrate.py": "moves messages between brokers",
    "t/unit/contrib/test_rdb.py": "the remote debugger of worker children",
    "t/unit/contrib/test_sphinx.py": "the Sphinx extension, not part of the shim",
    "t/unit/events/test_cursesmon.py": "the full-screen monitor",
    "t/unit/utils/test_debug.py": "memory sampling of the worker program",
    "t/unit/utils/test_platforms.py": "pid files, daemons and signals of the worker program",
    "t/unit/utils/test_sysinfo.py": "load figures of the worker program",
    "t/unit/utils/test_term.py": "colours of the worker program",
    "t/unit/utils/test_timer2.py": "the timer thread of the worker program",
}
"""Files of the gate's folders that test what the shim does not offer."""

BROKER = "looks at the broker's messages"
STALE = "captures what was sent before it listened, from a queue that another test left"
COUNTERS = "waits on counters of the worker program"
REDIS = "looks at the subscriptions of a Redis result backend"
_TASKS = "t/integration/test_tasks.py::test_"
_CANVAS = "t/integration/test_canvas.py::test_"
_INSPECT = "t/integration/test_inspect.py::test_Inspect::test_"
EXCLUDED: dict[str, str] = {
    f"{_TASKS}tasks::test_task_sent_event_respects_publish_retry_limit": BROKER,
    f"{_TASKS}tasks::test_send_task_without_ignore_result_uses_task_ignore_result": COUNTERS,
    f"{_TASKS}tasks::test_send_task_without_ignore_result_stores_result": COUNTERS,
    f"{_TASKS}task_redis_result_backend::test_retry_preserves_ignore_result_false": COUNTERS,
    f"{_TASKS}task_redis_result_backend::test_retry_preserves_ignore_result_true": COUNTERS,
    f"{_TASKS}task_redis_result_backend::test_ignoring_result_no_subscriptions": REDIS,
    f"{_TASKS}task_redis_result_backend::test_asyncresult_forget_cancels_subscription": REDIS,
    f"{_TASKS}task_redis_result_backend::test_asyncresult_get_cancels_subscription": REDIS,
    "t/unit/app/test_beat.py::test_BeatPidbox::test_fanout_support_on_a_real_transport": "asks the broker's transport",
    "t/unit/events/test_events.py::test_EventReceiver::test_itercapture_limit": STALE,
    f"{_CANVAS}chain::test_chord_header_id_duplicated_on_rabbitmq_msg_duplication": "sends a message twice by a producer",
    f"{_CANVAS}chord::test_chord_on_error": "reads the keys that a Redis result backend writes",
    f"{_INSPECT}hello": "greetings between the worker programs of a cluster",
    f"{_INSPECT}hello_stamps_received_revoked_ids_locally": "greetings between the worker programs of a cluster",
}
"""`file::Class::test` → why this clean function is not counted."""

NEED_PLUGIN = ("t/integration/", "t/unit/app/test_backends.py", "t/unit/contrib/test_pytest.py")
"""Files that use the fixtures or marks of `celery.contrib.pytest` as a plugin."""

INCLUDED_PRIVATE = ("t/integration/",)
"""Prefixes in which reading an underscored attribute does not make a test unfair (helpers of the suite)."""

REDIS_BACKEND = ("t/integration/test_canvas.py", "t/integration/test_group_chains.py")
"""Files that skip what they cannot test without a Redis result backend."""
