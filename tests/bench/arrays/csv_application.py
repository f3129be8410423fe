"""The application of the gunicorn worker: every request reads the file that CSV_FILE names with pandas."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import pandas

from bench.arrays.csv_file import FILE_VARIABLE


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """`/`: the number of this process; else what the file amounts to."""
    text = str(os.getpid())
    if environ["PATH_INFO"] != "/":
        frame = pandas.read_csv(os.environ[FILE_VARIABLE])
        text = f"{len(frame)} {frame['amount'].sum()} {frame['name'].nunique()}"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]
