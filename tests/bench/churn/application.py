"""The application of the gunicorn worker: every request builds a report and drops it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs


def report(rows: int) -> str:
    found = [{"id": row, "name": f"person {row}", "scores": [row * 0.5, row * 0.25]} for row in range(rows)]
    return json.dumps(found)


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """`?rows=N`: a report; else the number of this process."""
    rows = parse_qs(environ["QUERY_STRING"]).get("rows")
    text = str(os.getpid()) if rows is None else report(int(rows[0]))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]
