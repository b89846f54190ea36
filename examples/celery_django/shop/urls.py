"""The pages."""

from __future__ import annotations

from django.urls import path
from orders import views

urlpatterns = [
    path("", views.index),
    path("orders", views.place),
    path("orders/<int:number>", views.show_order),
    path("reports", views.report),
    path("exports", views.export),
    path("exports/<str:task_id>", views.show_export),
    path("tasks/<str:task_id>", views.show_task),
]
