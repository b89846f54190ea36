"""`manage.py remind NUMBER [--later]`: queues one task and ends at once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("number", type=int)
        parser.add_argument("--later", action="store_true")

    def handle(self, *args: Any, number: int, later: bool, **options: Any) -> None:
        from doors import HOUR, submit

        self.stdout.write(submit(number, HOUR if later else 0.0))
