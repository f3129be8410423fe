"""The application of the recipes: now and then a large report, of which a few records stay in a cache.

The same job three times: `wsgi` for gunicorn, `asgi` for uvicorn, `tasks` for celery.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from celery import Celery
from flask import Flask

ROWS = 120_000
KEEP_ONE_IN = 1_000

cache: list[dict[str, object]] = []


def report() -> str:
    rows = [{"id": row, "name": f"person {row}", "scores": [row * 0.5, row * 0.25]} for row in range(ROWS)]
    cache.extend(rows[::KEEP_ONE_IN])
    return json.dumps({"rows": len(rows), "total": sum(len(json.dumps(row)) for row in rows)})


wsgi = Flask(__name__)


@wsgi.get("/report")
def wsgi_report() -> str:
    return report()


@wsgi.get("/")
def wsgi_small() -> str:
    return "ok"


async def asgi(scope: dict[str, Any], receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    text = report() if scope["path"] == "/report" else "ok"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


# The broker is a folder, so that nothing has to be installed for it.
tasks = Celery("application", broker="filesystem://")
tasks.conf.broker_transport_options = {"data_folder_in": "broker", "data_folder_out": "broker", "processed_folder": ""}
tasks.conf.task_ignore_result = True
tasks.task(name="report")(report)
