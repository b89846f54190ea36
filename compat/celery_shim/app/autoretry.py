"""``autoretry_for``: a task's ``run`` that turns listed exceptions into retries."""

from __future__ import annotations

from functools import wraps
from typing import Any

from ..exceptions import Ignore, Retry
from ..utils.time import get_exponential_backoff_interval


def add_autoretry_behaviour(task: Any, **options: Any) -> None:
    """Wrap ``task.run`` when the options or the task's attributes ask for it; once only."""

    def option(name: str, default: Any) -> Any:
        return options[name] if name in options else getattr(task, name, default)

    retry_for = tuple(option("autoretry_for", ()))
    if not retry_for or hasattr(task, "_orig_run"):
        return
    never = (Ignore, Retry, *option("dont_autoretry_for", ()))
    retry_kwargs = option("retry_kwargs", {})
    backoff = float(option("retry_backoff", False))
    backoff_max = int(option("retry_backoff_max", 600))
    jitter = option("retry_jitter", True)

    @wraps(task.run)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return task._orig_run(*args, **kwargs)
        except never:
            raise
        except retry_for as exc:
            attempt = dict(retry_kwargs)
            if backoff:
                attempt["countdown"] = get_exponential_backoff_interval(
                    factor=int(max(1.0, backoff)),
                    retries=task.request.retries,
                    maximum=backoff_max,
                    full_jitter=jitter,
                )
            overridden = hasattr(task, "override_max_retries")
            if overridden:
                attempt["max_retries"] = task.override_max_retries
            retry = task.retry(exc=exc, **attempt)
            if overridden:
                del task.override_max_retries
            raise retry from exc

    task._orig_run, task.run = task.run, run
