"""Orders, and how many of them were open when beat looked."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """Something that somebody bought."""

    title = models.CharField(max_length=100)
    day = models.DateField()
    cents = models.IntegerField()
    state = models.CharField(max_length=20, default="open")
    attempts = models.IntegerField(default=0)


class OpenCount(models.Model):
    """How many orders were open at a moment."""

    at = models.DateTimeField(auto_now_add=True)
    count = models.IntegerField()
