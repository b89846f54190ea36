"""The pages of `web` as a Flask application."""

from __future__ import annotations

from flask import Flask
from web import answer

app = Flask("shop")


@app.get("/")
def up() -> str:
    return "up"


@app.get("/<page>/<int:number>")
def queue(page: str, number: int) -> bytes:
    return answer(f"/{page}/{number}")
