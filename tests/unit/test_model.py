"""Enumerations of the public API."""

from __future__ import annotations

import json
import pickle

import pytest

from brokerless import BackgroundTasks, TaskPriority, TaskStatus


def test_exactly_five_states() -> None:
    assert [status.value for status in TaskStatus] == ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"]


@pytest.mark.parametrize("status", list(TaskStatus))
def test_a_status_is_a_string_and_callable(status: TaskStatus) -> None:
    assert status() is status
    assert isinstance(status, str)
    assert status == status.name
    assert json.dumps(status) == f'"{status.name}"'
    assert f"{status}" == str(status) == status.name
    assert pickle.loads(pickle.dumps(status)) is status


def test_handle_status_as_attribute_and_as_call(tasks: BackgroundTasks) -> None:
    handle = tasks.add_task(abs, -1)
    assert handle.result(10) == 1
    assert handle.status == TaskStatus.COMPLETED
    assert handle.status() == TaskStatus.COMPLETED


def test_priorities_are_ordered_numbers() -> None:
    assert [priority.value for priority in TaskPriority] == [0, 1, 2, 3]
    assert TaskPriority.CRITICAL < TaskPriority.HIGH < TaskPriority.NORMAL < TaskPriority.LOW
