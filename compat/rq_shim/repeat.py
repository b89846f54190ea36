"""`Repeat`: a job that is to run again after it has finished."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .utils import now

__all__ = ["Repeat"]


@dataclass(init=False)
class Repeat:
    """`times` more runs; `interval` seconds between them, or a list of which the last value goes on."""

    times: int
    intervals: list[int]

    def __init__(self, times: int, interval: int | Iterable[int] | None = 0) -> None:
        if times < 1:
            raise ValueError("times: please enter a value greater than 0")
        if isinstance(interval, int):
            intervals = [interval]
        elif isinstance(interval, Iterable):
            intervals = list(interval)
        else:
            raise TypeError("intervals must be an int or iterable of ints")
        if any(value < 0 for value in intervals):
            raise ValueError("intervals: negative numbers are not allowed")
        self.times = times
        self.intervals = intervals

    @classmethod
    def get_interval(cls, count: int, intervals: list[int]) -> int:
        """Seconds before repetition `count`, from 0."""
        return intervals[min(count, len(intervals) - 1)]

    @classmethod
    def schedule(cls, job: Any, queue: Any, pipeline: Any = None) -> datetime | None:
        """Queues or schedules a job's next repetition; the time, if it is a later one."""
        if job.repeats_left is None or job.repeats_left <= 0:
            raise ValueError(f"Cannot schedule job {job.id}: no repeats left")
        interval = 0
        if job.repeat_intervals:
            interval = cls.get_interval(0, job.repeat_intervals)
            if len(job.repeat_intervals) > 1:
                job.repeat_intervals = job.repeat_intervals[1:]
        job.repeats_left -= 1
        job.save(pipeline=pipeline)
        if not interval:
            queue._enqueue_job(job, pipeline=pipeline)
            return None
        moment = now() + timedelta(seconds=interval)
        queue.schedule_job(job, moment, pipeline=pipeline)
        return moment
