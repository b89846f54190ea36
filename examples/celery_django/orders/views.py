"""The pages: place an order, ask for a report, start an export and watch it."""

from __future__ import annotations

from datetime import date

from celery.result import AsyncResult
from django.db import transaction
from django.http import Http404, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from . import tasks
from .models import OpenCount, Order

INDEX = """<!doctype html><title>Shop</title><h1>Shop</h1>
<form method=post action=/orders><input name=title value=Tea><input name=cents value=450>
<input name=failures value=1><button>Order</button></form>
<form method=post action=/reports><input name=days value="{today}"><button>Report</button></form>
<form method=post action=/exports><input name=rows value=2000><button>Export</button></form>
<p>{orders} orders, {counts} counts of open ones, the last: {last}</p>"""

EXPORT = """<!doctype html><title>Export</title>{refresh}<h1>Export</h1>
<progress value={done} max={of}></progress> <p>{state}</p>"""


def index(request):
    """Offer the forms and count."""
    last = OpenCount.objects.order_by("id").last()
    numbers = {"orders": Order.objects.count(), "counts": OpenCount.objects.count(), "last": last and last.count}
    return HttpResponse(INDEX.format(today=date.today().isoformat(), **numbers))


@csrf_exempt
@require_POST
def place(request):
    """Store an order; its task is sent when the transaction is committed, and not when it is rolled back."""
    form = request.POST
    try:
        with transaction.atomic():
            order = Order.objects.create(
                title=form["title"], cents=int(form["cents"]), day=form.get("day", date.today().isoformat())
            )
            tasks.confirm.delay_on_commit(order.id, int(form.get("failures", 0)))
            if form.get("broken"):
                raise ValueError("rolled back")
    except ValueError as error:
        return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"order": order.id})


def show_order(request, number):
    """Show an order."""
    order = Order.objects.filter(id=number).first()
    if order is None:
        raise Http404
    return JsonResponse({"id": order.id, "state": order.state, "attempts": order.attempts})


@csrf_exempt
@require_POST
def report(request):
    """Start a report about some days."""
    return JsonResponse({"task": tasks.start_report(request.POST["days"].split(",")).id})


@csrf_exempt
@require_POST
def export(request):
    """Start an export."""
    return JsonResponse({"task": tasks.export.delay(int(request.POST["rows"])).id})


def _shown(task_id):
    result = AsyncResult(task_id)
    return {"state": result.state, "value": None if result.failed() else result.result}


def show_task(request, task_id):
    """Show how far a task is."""
    shown = _shown(task_id)
    if shown["state"] == "FAILURE":
        shown["error"] = repr(AsyncResult(task_id).result)
    return JsonResponse(shown)


def show_export(request, task_id):
    """The page that shows how far an export is; reloads itself until the end."""
    shown = _shown(task_id)
    ended = shown["state"] in ("SUCCESS", "FAILURE")
    known = shown["value"] if shown["state"] == "PROGRESS" else {"done": int(ended), "of": 1}
    refresh = "" if ended else "<meta http-equiv=refresh content=1>"
    return HttpResponse(EXPORT.format(refresh=refresh, done=known["done"], of=known["of"], state=shown["state"]))
