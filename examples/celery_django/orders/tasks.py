"""The tasks: confirm an order (with retries), count a day and add the days up, export and say how far, count open orders."""

from __future__ import annotations

from celery import chord, shared_task
from django.db.models import Sum

from .models import OpenCount, Order


class GatewayError(Exception):
    """The payment gateway did not answer."""


@shared_task(bind=True, autoretry_for=(GatewayError,), max_retries=3, default_retry_delay=0.05)
def confirm(self, number, failures):
    """Charge an order; the gateway fails the first times."""
    order = Order.objects.get(id=number)
    order.attempts = self.request.retries + 1
    order.save()
    if order.attempts <= failures:
        raise GatewayError(f"no answer at attempt {order.attempts}")
    order.state = "confirmed"
    order.save()
    return order.attempts


@shared_task
def count_day(day):
    """Return the turnover of one day."""
    found = Order.objects.filter(day=day, state="confirmed").aggregate(cents=Sum("cents"))
    return {"day": day, "cents": found["cents"] or 0}


@shared_task
def add_up(days):
    """Return the turnover of all days."""
    return {"days": days, "cents": sum(day["cents"] for day in days)}


def start_report(days):
    """Count every day in a task of its own, then add up; return the result of that."""
    return chord([count_day.s(day) for day in days])(add_up.s())


@shared_task(bind=True)
def export(self, rows):
    """Write some rows, and say after each how far it is."""
    lines = []
    for row in range(rows):
        lines.append(f"row {row}")
        self.update_state(state="PROGRESS", meta={"done": row + 1, "of": rows})
    return {"lines": len(lines)}


@shared_task
def count_open():
    """Write down how many orders are open; beat calls it."""
    OpenCount.objects.create(count=Order.objects.filter(state="open").count())
