"""A Django project in one file: the pages of `web`, and the command `remind`."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

settings.configure(
    DEBUG=True,
    SECRET_KEY="tests",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["remind"],
    USE_TZ=True,
)


def up(request: Any) -> HttpResponse:
    return HttpResponse("up")


def queue(request: Any, page: str, number: int) -> HttpResponse:
    from web import answer

    return HttpResponse(answer(f"/{page}/{number}"))


urlpatterns = [path("", up), path("<str:page>/<int:number>", queue)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
